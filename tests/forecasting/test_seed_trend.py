"""How much runs differ is a course over the sizes too: mostly they differ less at larger ones."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.forecasting.series import series_of

SIZES = np.geomspace(1e3, 1e6, 8)


def runs(trend, seeds=5, seed=0, sd=1.0):
    """Sizes, and runs about a straight line whose variance goes as size**trend and is sd**2 at the largest."""
    x = np.repeat(SIZES, seeds)
    noise = sd * (x / SIZES[-1]) ** (trend / 2) * np.random.default_rng(seed).normal(size=x.size)
    return x, 20 + 2 * np.log(x / SIZES[0]) + noise


@pytest.mark.parametrize("trend", [-0.8, -0.4, 0.0, 0.4])
def test_the_largest_size_has_its_own_noise(trend):
    """Median over tables: within a tenth of the sd there, and of the trend shrunk by no more than a quarter."""
    known = [series_of(*runs(trend, seed=s), top=100.0) for s in range(60)]
    assert np.median([c.seed_var for c in known]) ** 0.5 == pytest.approx(1.0, rel=0.1)
    assert np.median([c.seed_trend for c in known]) == pytest.approx(0.88 * trend, abs=0.06)


def test_a_loss_differs_by_parts_of_itself():
    """Noise of 1 % is alike everywhere, though a loss falls from 20 to 1."""
    x = np.repeat(SIZES, 5)
    noise = np.random.default_rng(0).normal(size=(60, x.size))
    known = [series_of(x, 20 * (x / SIZES[0]) ** -0.43 * (1 + 0.01 * e)) for e in noise]
    assert abs(np.median([c.seed_trend for c in known])) < 0.05
    assert np.median([c.seed_var**0.5 / c.y[-1] for c in known]) == pytest.approx(0.01, rel=0.1)


def test_fewer_sizes_end_where_they_end():
    """A head's noise is that of its own largest size, and its sizes weigh against each other as before."""
    whole = series_of(*runs(-0.8), top=100.0)
    head = whole.head(5)
    ratio = whole.worth[:5] / whole.worth[4] * whole.runs[4]
    assert head.worth == pytest.approx(ratio)
    assert head.seed_var / whole.seed_var == pytest.approx(whole.runs[4] / whole.worth[4])


def test_an_accuracy_and_its_error_differ_alike():
    x, y = runs(-0.8, sd=0.2)
    one, other = series_of(x, y / 100, top=1.0), series_of(x, 1 - y / 100, top=1.0)
    assert (one.seed_var, one.seed_trend) == pytest.approx((other.seed_var, other.seed_trend))


def test_single_runs_and_equal_runs_have_no_trend():
    assert np.isnan(series_of(SIZES, SIZES).seed_var)
    twice = series_of(np.repeat(SIZES, 2), np.repeat(SIZES, 2))
    assert (twice.seed_var, twice.seed_trend) == (0.0, 0.0)


@pytest.mark.parametrize(("metric", "most"), [("bleu", 2.7), ("cross_entropy", 1.5)])
def test_a_new_run_is_as_noisy_as_the_largest_size(metric, most):
    """Small sizes ten times noisier: one noise for all made bands 3.4 and 4.7 times as wide; backtests still see it."""
    width = []
    for trend in (0.0, -0.67):
        x, y = runs(trend, sd=0.3)
        y = y if metric == "bleu" else np.exp(1 - y / 30)
        table = {"pretrain_tokens": x, "pretrain_seed": np.tile(range(5), 8), metric: y}
        width.append(np.ptp(sf.fit(table, metric).predictive(2 * SIZES[-1:]).interval(0.95)))
    assert width[1] < most * width[0]
