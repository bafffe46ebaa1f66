"""Interpolation: exact ends, the right middle, and losses of any form."""

import numpy as np
import pytest

from scalefit.errors import LandscapeError
from scalefit.landscape import batched, paths


def test_theta_of_a_is_the_weighted_sum():
    seen = []
    paths(
        [{"w": np.zeros(2)}, {"w": np.full(2, 4.0)}],
        lambda w: seen.append(w["w"][0]) or 0.0,
        points=5,
    )
    assert seen == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_parabola_between_two_bottoms_is_known_exactly():
    found = paths([{"w": np.array(-1.0)}, {"w": np.array(1.0)}], lambda w: (w["w"] ** 2 - 1) ** 2)[
        0
    ]
    assert found.barrier.height == pytest.approx(1.0)
    assert found.barrier.where == 0.5
    assert found.distance == pytest.approx(2.0)


def test_several_metrics_the_loss_first():
    models = [{"w": np.zeros(1)}, {"w": np.ones(1)}]
    found = paths(models, lambda w: {"accuracy": 1.0, "loss": float(w["w"][0])}, points=3)[0]
    assert found.metrics == ("loss", "accuracy")
    assert found.curve("accuracy").tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(LandscapeError, match="no metric 'bleu'; the loss function gave loss"):
        found.curve("bleu")


def test_batched_and_single_losses_agree(rng):
    models = [{"w": rng.standard_normal((3, 2))} for _ in range(3)]

    @batched
    def many(weights):
        return (weights["w"] ** 3).sum(axis=(1, 2))

    one = paths(models, lambda w: (w["w"] ** 3).sum())
    for a, b in zip(one, paths(models, many), strict=True):
        np.testing.assert_allclose(a.values, b.values)


def test_batches_are_cut_to_fit_memory(rng, monkeypatch):
    sizes = []

    @batched
    def loss(weights):
        sizes.append(len(weights["w"]))
        return weights["w"].sum(axis=1)

    monkeypatch.setattr("scalefit.landscape.family.STACK_BYTES", 3 * 10 * 8)
    paths([{"w": rng.standard_normal(10)} for _ in range(2)], loss, points=11)
    assert sizes == [3, 3, 3, 2]


def test_a_loss_that_is_not_finite_names_the_place():
    models = [{"w": np.zeros(1)}, {"w": np.ones(1)}]
    with pytest.raises(LandscapeError, match=r"0\.50 × model 1 \+ 0\.50 × model 2"):
        paths(models, lambda w: np.nan if w["w"][0] == 0.5 else 0.0, points=3)


def test_a_loss_of_the_wrong_length():
    with pytest.raises(LandscapeError, match="2 values of 'loss' for 1 models"):
        paths([{"w": np.zeros(2)}, {"w": np.ones(2)}], lambda w: w["w"])


def test_a_loss_that_changes_its_metrics():
    answers = iter([{"loss": 0.0}, {"loss": 0.0, "bleu": 1.0}])
    with pytest.raises(LandscapeError, match="same metrics each time"):
        paths([{"w": np.zeros(2)}, {"w": np.ones(2)}], lambda w: next(answers))


def test_too_few_points():
    with pytest.raises(LandscapeError, match="3 or more points"):
        paths([{"w": np.zeros(2)}, {"w": np.ones(2)}], lambda w: 0.0, points=2)


def test_torch_losses_are_taken():
    torch = pytest.importorskip("torch")
    models = [{"w": torch.zeros(2)}, {"w": torch.ones(2)}]
    found = paths(models, lambda w: torch.from_numpy(w["w"]).sum(), points=3)[0]
    assert found.curve().tolist() == [0.0, 1.0, 2.0]
