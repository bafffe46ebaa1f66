"""When a target is met: measured sizes, horizons, and nothing beyond what is known."""

import numpy as np
import pytest

from scalefit.forecasting.predictive import HORIZONS, Reach, reach_of
from scalefit.forecasting.series import Series, joined, measured, met_by, noise_of, series_of

X = np.geomspace(1e6, 1e9, 7)


def later(probability):
    return reach_of(1e9, np.interp(np.log(HORIZONS), [0.0, np.log(1000)], [0.0, probability]))


def test_a_target_that_was_met_stays_met():
    reach = reach_of(1.0, np.concatenate([[0.0, 0.6, 0.2], np.full(HORIZONS.size - 3, 0.1)]))
    assert (np.diff(reach.probability) >= 0).all()
    assert reach.within(1000.0) == pytest.approx(0.6)


def test_no_size_is_named_beyond_a_thousand_times():
    reach = later(0.7)
    assert reach.quantile(0.69) <= 1000 * 1e9
    assert reach.quantile(0.71) == np.inf


def test_a_target_between_measured_sizes_was_met_there():
    curve = series_of(X, 3.0 * np.log(X / 1e5), top=100.0)
    target = float(np.mean(curve.y[2:4]))
    reach = joined(curve, target, later(0.9), rises=True)
    assert curve.x[2] <= reach.quantile(0.5) <= curve.x[3]
    assert reach.within(1.0) == pytest.approx(1.0)


def test_a_loud_small_size_has_met_nothing_that_a_later_sure_one_has_not():
    curve = Series(X, np.linspace(10.0, 20.0, X.size), np.full(X.size, 3), 0.01, 0.0, 100.0, -2.0)
    assert met_by(curve, 25.0, rises=True).max() < 1e-6


def test_a_falling_metric_meets_its_target_from_above():
    curve = series_of(X, 5.0 - 0.2 * np.log(X / 1e6))
    assert (met_by(curve, 4.0, rises=False) > 0.99).tolist() == (curve.y < 4.0).tolist()


@pytest.mark.parametrize("noisy", [False, True])
def test_a_steep_course_is_no_noise(noisy):
    """Whether it falls as a power, or comes as near to its top, or is a loss or that loss' perplexity."""
    x = np.geomspace(1e8, 3e10, 8)
    rough = np.exp(0.02 * noisy * np.random.default_rng(0).standard_normal(8))
    error = 0.5 * (x / x[0]) ** -0.5 * rough
    loss = 2 + 2 * (x / x[0]) ** -0.3 * rough
    last = {"error": error[-1], "perplexity": np.exp(loss[-1])}
    for y, target, rises in (
        (error, last["error"] / 2, False),
        (1 - error, 1 - last["error"] / 2, True),
        (np.exp(loss), last["perplexity"] * 0.8, False),
    ):
        curve = series_of(x, y, top=1.0 if y.max() < 1 else np.inf)
        assert met_by(curve, target, rises=rises)[-1] < 0.01


def test_noise_of_single_runs_is_read_off_second_differences():
    rng = np.random.default_rng(0)
    x = np.geomspace(1e6, 1e10, 200)
    y = 10 * np.tanh(np.log(x / 1e8) / 3) + rng.normal(0, 0.3, 200)
    assert noise_of(series_of(x, y)) == pytest.approx(0.09, rel=0.3)
    assert noise_of(Series(x, y, np.ones(200, dtype=np.int64), seed_var=0.04)) == 0.04


def test_between_measured_sizes_the_means_are_joined():
    curve = Series(X, np.arange(7.0), np.full(7, 4, dtype=np.int64), seed_var=1.0, top=100.0)
    mean, run = (measured(curve, X[2:3], kind) for kind in ("mean", "run"))
    assert mean.median[0] == pytest.approx(2.0)
    low, high = mean.interval(0.8)
    assert (high - low)[0] == pytest.approx(2 * 1.2816 * 0.5, rel=0.02)
    assert np.ptp(run.interval(0.8)) > np.ptp(mean.interval(0.8))


def test_quantiles_between_horizons_are_read_in_logs():
    reach = Reach(1.0, np.array([1.0, 100.0]), np.array([0.0, 1.0]))
    assert reach.quantile(0.5) == pytest.approx(10.0)
    assert reach.within(10.0) == pytest.approx(0.5)
