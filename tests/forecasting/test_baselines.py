"""The four guesses, their intervals, and the scores that judge them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalefit.forecasting.backtest import interval_score
from scalefit.forecasting.forecasters import BASELINES
from scalefit.forecasting.series import series_of

X = np.geomspace(1e6, 1e9, 7)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_right_where_its_story_is(name):
    stories = {
        "last value": np.full(7, 20.0),
        "line in ln x": 3.0 * np.log(X / 1e5),
        "random walk": 3.0 * np.log(X / 1e5),
        "log-log line": 90 * (X / 1e6) ** -0.2,
    }
    curve = series_of(X, stories[name], top=100.0)
    at = np.array([1e10])
    truth = {"last value": 20.0, "log-log line": 90 * 1e4**-0.2}.get(name, 3.0 * np.log(1e5))
    assert BASELINES[name](curve, at).median[0] == pytest.approx(truth, rel=1e-3)


@pytest.mark.parametrize("name", BASELINES)
@given(seed=st.integers(0, 999), n=st.integers(3, 9))
def test_quantiles_rise_and_stay_in_range(name, seed, n):
    rng = np.random.default_rng(seed)
    curve = series_of(np.sort(np.exp(rng.uniform(0, 9, n))), rng.uniform(0, 100, n), top=100.0)
    values = BASELINES[name](curve, curve.x[-1] * np.array([1.5, 10.0])).values
    assert (np.diff(values, axis=0) >= 0).all()
    assert ((values >= 0) & (values <= 100)).all()


def test_intervals_of_a_walk_widen_with_distance():
    curve = series_of(X, np.array([1.0, 4.0, 3.0, 7.0, 9.0, 8.0, 12.0]), top=100.0)
    low, high = BASELINES["random walk"](curve, np.array([2e9, 2e10])).interval(0.8)
    assert (high - low)[1] > 1.5 * (high - low)[0]


def test_the_interval_score_is_least_for_the_true_quantiles():
    y = np.random.default_rng(0).standard_normal(20000)
    at = {
        q: interval_score(y, np.full_like(y, -q), np.full_like(y, q), 0.8).mean()
        for q in (0.9, 1.2816, 1.8)
    }
    assert min(at, key=at.get) == 1.2816
