"""Models that fit together, and clear words where they do not."""

import numpy as np
import pytest

from scalefit.errors import LandscapeError
from scalefit.landscape import distances, paths
from scalefit.landscape.family import family


def zero(weights):
    return 0.0


def changed(tensors, **new):
    return {**tensors, **{name.replace("__", "."): value for name, value in new.items()}}


def test_one_model_is_too_few(small):
    with pytest.raises(LandscapeError, match="found 1 checkpoint, needed at least 2"):
        paths([small], zero)


def test_two_models_make_one_path(small):
    other = changed(small, layer__bias=np.zeros(4, "f4"))
    assert len(paths([small, other], zero)) == 1


def test_different_architectures(small):
    other = changed(small, layer__weight=np.zeros((5, 3), "f4"))
    with pytest.raises(LandscapeError, match=r"'layer.weight' has shape \(5, 3\) against \(4, 3\)"):
        family([small, other])


def test_a_missing_tensor(small):
    other = {name: value for name, value in small.items() if name != "layer.bias"}
    with pytest.raises(LandscapeError, match=r"lacks 1 tensors of model 1 \(layer.bias\)"):
        family([small, other])


def test_a_tensor_too_many(small):
    with pytest.raises(LandscapeError, match="has 1 that model 1 lacks"):
        family([small, changed(small, extra=np.ones(2))])


def test_a_prefix_is_recognised(small):
    other = {f"module.{name}": value for name, value in small.items()}
    with pytest.raises(LandscapeError, match=r"only the prefix 'module\.' differs"):
        family([small, other])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite(small, bad):
    broken = small["layer.weight"].copy()
    broken[2, 1] = bad
    with pytest.raises(
        LandscapeError, match=r"model 2: tensor 'layer.weight' holds 1 values of 12"
    ):
        family([small, changed(small, layer__weight=broken)])


def test_only_integers_leave_nothing_to_mix():
    with pytest.raises(LandscapeError, match="no floating-point tensors"):
        family([{"steps": np.array([1, 2])}, {"steps": np.array([3, 4])}])


def test_buffers_come_from_the_first_model(small, rng):
    seen = []

    def loss(weights):
        seen.append((int(weights["steps"]), weights["norm.running_mean"].copy()))
        return 0.0

    first = changed(small, norm__running_mean=np.zeros(4, "f4"))
    second = {name: value + 1 for name, value in first.items()}
    found = paths([first, second], loss, points=5)[0]
    assert {steps for steps, _ in seen} == {5}
    assert not any(mean.any() for _, mean in seen)
    assert "buffers are not mixed" in found.notes[0]
    assert found.distance == pytest.approx(4.0)


def test_tied_weights_count_once():
    shared = np.arange(6.0)
    first = {"embed": shared, "head": shared}
    second = {"embed": shared + 1, "head": shared + 1}
    found = distances([first, second])
    assert found.euclidean[0] == pytest.approx(np.sqrt(6))
    assert any("tied weights count once" in note for note in found.notes)


def test_tied_weights_stored_once_in_one_file_and_twice_in_another():
    shared = np.arange(6.0)
    first, second = {"embed": shared, "head": shared}, {"embed": shared + 1}
    seen = []
    found = paths([first, second], lambda w: float(np.abs(w["embed"] - w["head"]).max()), points=3)
    seen.append(found[0].curve())
    assert not np.any(seen)


def test_equal_zero_tensors_are_no_tie():
    zeros = {"a": np.zeros(3), "b": np.zeros(3), "w": np.arange(3.0)}
    assert not any("tied" in note for note in family([zeros, {**zeros, "w": np.ones(3)}]).notes)


def test_the_same_weights_twice_are_pointed_out(small):
    assert any("model 1 = model 2" in n for n in family([small, dict(small)]).notes)
