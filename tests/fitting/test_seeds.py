"""What the data are decides what the intervals rest on: points, seeds, or checkpoints of one run."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import FitError

SIZES = np.geomspace(1e7, 1e10, 8)
CURVE = 1.7 + 400 * SIZES**-0.3


def table(seeds, spread=0.01, finetunings=1, shared=0.0, rng=None, **columns):
    """Losses of ``seeds`` pretraining runs a size, each finetuned ``finetunings`` times."""
    rng = rng or np.random.default_rng(7)
    shape = (8, seeds, finetunings)
    size, seed, tuning = (a.reshape(-1) for a in np.indices(shape))
    run = rng.normal(size=shape[:2])[..., None] * spread + shared * rng.normal(size=seeds)[:, None]
    y = CURVE[:, None, None] + run + 0.5 * spread * rng.normal(size=shape)
    return {
        "pretrain_tokens": SIZES[size],
        "pretrain_seed": seed + 100 * size,
        "finetune_seed": tuning,
        "cross_entropy": y.reshape(-1),
        **{name: make(size, seed) for name, make in columns.items()},
    }


def fit(data, **options):
    return sf.fit(data, "cross_entropy", "power", **options)


def test_finetunings_of_one_checkpoint_count_once():
    data = table(3, finetunings=4)
    found = fit(data)
    assert found.points.y.size == 24
    assert (found.points.counts == 4).all()
    assert any("96 runs averaged to 24 points" in note for note in found.notes)
    means = np.asarray(data["cross_entropy"]).reshape(8, 3, 4).mean(-1)
    np.testing.assert_allclose(np.sort(found.points.y), np.sort(means.reshape(-1)))


def test_twenty_finetunings_of_one_run_do_not_shrink_the_interval():
    """The naive √20 is not to be had: the runs are what varies."""
    few, many = (fit(table(1, finetunings=f, spread=0.02)) for f in (2, 20))
    assert many.intervals()["alpha"].width > 0.4 * few.intervals()["alpha"].width


def test_equal_seeds_weigh_nearly_the_same():
    found = fit(table(3, rng=np.random.default_rng(2)))
    assert found.points.design == "runs"
    assert found.uncertainty.dof == 16, "of the variances behind the weights"
    assert found.lack_of_fit > 0.05
    scale = found.solution.problem.scale
    assert scale.max() < 2 * scale.min()
    assert "runs:24" in found.signature


def test_seeds_whose_spread_changes_with_size_weigh_the_points():
    data = table(3, rng=np.random.default_rng(2))
    mean = np.interp(data["pretrain_tokens"], SIZES, CURVE)
    data["cross_entropy"] = mean + (data["cross_entropy"] - mean) * data["pretrain_tokens"] / 1e9
    found = fit(data)
    assert "weights:seeds" in found.signature
    scale = found.solution.problem.scale
    assert scale[found.points.inputs[0].argmax()] > 10 * scale[found.points.inputs[0].argmin()]


def test_checkpoints_of_several_runs_are_resampled_run_by_run():
    data = table(5, shared=0.03, pretrain_run=lambda size, seed: seed)
    found = fit(data)
    assert found.points.design == "checkpoints"
    assert found.uncertainty.method == "jackknife-t"
    assert found.uncertainty.dof == 4
    assert "runs:5" in found.signature
    naive = fit(
        {k: v for k, v in data.items() if k not in ("pretrain_run", "pretrain_seed")}
        | {"pretrain_seed": np.arange(40)}
    )
    at = (np.array([1e9]),)
    low, high = found.band(at)
    low_naive, high_naive = naive.band(at)
    assert high - low > 1.5 * (high_naive - low_naive)


def test_the_jackknife_is_the_textbook_one():
    found = fit(table(5, shared=0.03, pretrain_run=lambda size, seed: seed))
    points = found.points
    left_out = []
    for run in range(5):
        keep = points.run != run
        part = {"t": points.inputs[0][keep], "v": points.y[keep]}
        left_out.append(sf.fit(part, "v", "power", inputs={"x": "t"}).params["alpha"])
    error = np.sqrt(4 / 5 * np.sum((np.array(left_out) - np.mean(left_out)) ** 2))
    assert found.uncertainty.stderr["alpha"] == pytest.approx(error, rel=1e-3)


def test_checkpoints_of_one_run_speak_for_that_run_only():
    found = fit(table(1, pretrain_run=lambda size, seed: seed))
    assert any("checkpoints of one run: intervals hold for this run" in n for n in found.notes)


def test_a_law_that_misses_the_replicated_means_says_so():
    data = table(3)
    data["cross_entropy"] = data["cross_entropy"] + 0.1 * np.sin(
        4 * np.log(data["pretrain_tokens"])
    )
    found = fit(data)
    assert found.lack_of_fit < 0.01
    assert any(
        "the means of its seeds lie off the curve (lack of fit p =" in n for n in found.notes
    )
    assert found.intervals()["alpha"].width > 2 * fit(table(3)).intervals()["alpha"].width


def test_standard_errors_weigh_the_points():
    data = table(1)
    data["stderr"] = np.where(np.arange(8) == 3, 10.0, 0.01)
    moved = {**data, "cross_entropy": data["cross_entropy"] + 0.5 * (np.arange(8) == 3)}
    weighed = fit(moved)
    assert "weights:stderr" in weighed.signature
    plain = fit(moved, weights="none")
    assert "weights:none" in plain.signature
    truth = fit(data).params["alpha"]
    assert abs(weighed.params["alpha"] - truth) < 0.2 * abs(plain.params["alpha"] - truth)


def test_standard_errors_of_0_are_not_infinite_weights():
    data = table(1)
    data["stderr"] = np.zeros(8)
    found = fit(data)
    assert any("standard errors are 0, so none are used" in note for note in found.notes)
    assert np.isfinite(found.params["alpha"])


def test_seeds_cannot_be_asked_for_where_there_are_none():
    with pytest.raises(FitError, match="at least 3 pretraining runs"):
        fit(table(1), weights="seeds")


def test_an_interval_for_a_new_run_is_wider_than_for_the_mean():
    for data in (table(1), table(3), table(5, shared=0.03, pretrain_run=lambda size, seed: seed)):
        found = fit(data)
        at = (np.array([3e9, 1e11]),)
        mean, run = found.band(at), found.band(at, kind="run")
        assert ((run[1] - run[0]) > 1.1 * (mean[1] - mean[0])).all()
        assert (run[0] < mean[0]).all()
        assert (run[1] > mean[1]).all()


@pytest.mark.parametrize("level", [0.5, 0.8, 0.99])
def test_intervals_nest_by_level(level):
    found = fit(table(1))
    inner, outer = found.intervals(level), found.intervals(min(level + 0.009, 0.999))
    for name, interval in inner.items():
        assert outer[name].low <= interval.low <= interval.estimate <= interval.high
        assert interval.high <= outer[name].high


def many(rng, count=120):
    """Scatter grows tenfold over the range."""
    x = np.geomspace(1e7, 1e10, count)
    spread = 0.01 * (x / 1e7) ** (1 / 3)
    return {"t": x, "v": 1.7 + 400 * x**-0.3 + spread * rng.normal(size=count)}


def test_many_points_are_left_out_in_blocks():
    rng = np.random.default_rng(3)
    data = many(rng)
    found = sf.fit(data, "v", "power", inputs={"x": "t"})
    assert found.uncertainty.method == "jackknife-t"
    assert found.uncertainty.dof == 29
    boot = sf.bootstrap(found, 400).draws.stderr()
    for name in ("E", "alpha"):
        assert found.uncertainty.stderr[name] == pytest.approx(boot[name], rel=0.35)
    order = rng.permutation(120)
    again = sf.fit({k: v[order] for k, v in data.items()}, "v", "power", inputs={"x": "t"})
    assert again.intervals()["E"].low == pytest.approx(found.intervals()["E"].low, rel=1e-6)


def test_one_new_run_beside_many_points_has_their_scatter():
    found = sf.fit(many(np.random.default_rng(3)), "v", "power", inputs={"x": "t"})
    low, high = found.band((np.array([1e9]),), kind="run")
    here = 0.01 * 100 ** (
        1 / 3
    )  # scatter grows with size: that of the size asked for, not the average
    assert (high - low)[0] / 2 == pytest.approx(2.05 * here, rel=0.2)


def test_two_pretraining_runs_never_pinch_the_band_where_their_curves_cross():
    sizes = np.geomspace(1e6, 1e8, 6)
    slopes = np.array([0.9, 1.1])[:, None] * np.log(sizes / 1e7)
    rows = {
        "pretrain_tokens": np.tile(sizes, 2),
        "pretrain_run": np.repeat(["a", "b"], 6),
        "pretrain_seed": np.repeat([1, 2], 6),
        "bleu": (20 + slopes).reshape(-1),
    }
    fit = sf.fit(rows, "bleu", "log")
    low, high = fit.band((np.geomspace(1e6, 1e8, 41),))
    assert fit.uncertainty.method == "jackknife-t"
    assert np.min(high - low) > 0.1 * np.max(high - low)


@pytest.mark.parametrize("weights", ["none", "seeds"])
def test_delta_is_in_units_of_the_residual_whatever_the_weights(weights):
    """Far beyond the scatter Huber's function is squares; δ was once counted in standard deviations of seeds."""
    data = table(3, rng=np.random.default_rng(5))
    squares = fit(data, weights=weights)
    huber = fit(data, weights=weights, objective="huber", delta=0.3)
    assert huber.params == pytest.approx(squares.params, rel=1e-4)
    ours, plain = huber.intervals()["alpha"], squares.intervals()["alpha"]
    assert (ours.low, ours.high) == pytest.approx((plain.low, plain.high), rel=1e-2)
