"""What backtests teach: weights, doubt, and the chance that a target is reached."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from scalefit.forecasting.quality.learn import (
    CHANCE_BOUNDS,
    DAMPING,
    FEATURES,
    FREEDOM,
    SHIPPED,
    centre_and_parts,
    fit_chance,
    learn_factors,
    learn_quality,
    simplex_weights,
)
from scalefit.forecasting.quality.origins import origins_of
from scalefit.forecasting.quality.predict import rows_at

from .samples import curve, saturating


def test_every_later_point_is_forecast_from_every_prefix(table):
    tested = origins_of(table)
    sizes = len(table[0])
    assert tested.actual.size == len(table) * sum(sizes - k for k in range(2, sizes))
    assert learn_quality(table).origins == len(table) * (sizes - 2)


def test_a_backtest_knows_nothing_of_the_points_it_is_judged_by(table):
    """Another last point changes no forecast that was made before it."""
    other = [replace(c, y=np.append(c.y[:-1], c.y[-1] + 30)) for c in table]
    before, after = origins_of(table), origins_of(other)
    np.testing.assert_array_equal(before.rows.forecasts, after.rows.forecasts)


def test_recent_origins_weigh_more_and_each_curve_the_same(table):
    tested = origins_of(table)
    weight = tested.recency(0.4)
    each = np.bincount(tested.rows.curve, weights=weight)
    np.testing.assert_allclose(each, each[0])
    assert each[0] > 1
    assert weight[tested.age == 0].sum() > 0.9 * weight.sum()


def test_weights_solve_the_robust_problem_on_the_simplex():
    rng = np.random.default_rng(0)
    errors = rng.standard_normal((200, 3)) * [0.5, 1.0, 2.0] + [0.5, -0.5, 0.0]
    share, prior = np.full(200, 1 / 20), np.array([0.2, 0.3, 0.5])

    def cost(w):
        r = np.abs(errors @ w)
        smooth = np.where(r < 0.15, r**2 / 0.3 + 0.075, r)
        return 2 * share @ smooth + 3.0 * np.sum((w - prior) ** 2)

    w = simplex_weights(errors, share, prior, 3.0)
    best = optimize.minimize(
        cost, prior, bounds=[(0, 1)] * 3, constraints={"type": "eq", "fun": lambda w: w.sum() - 1}
    )
    assert w.sum() == pytest.approx(1)
    assert cost(w) == pytest.approx(best.fun, rel=1e-3)


def test_a_strong_pull_is_the_prior_and_none_is_the_best_member():
    rng = np.random.default_rng(1)
    errors = np.column_stack([0.01 * rng.standard_normal(50), 5 + rng.standard_normal(50)])
    prior = np.array([0.3, 0.7])
    share = np.ones(50)
    np.testing.assert_allclose(simplex_weights(errors, share, prior, 1e9), prior, atol=1e-4)
    assert simplex_weights(errors, share, prior, 1e-9)[0] > 0.99


def test_the_more_of_a_curve_lies_behind_and_the_farther_it_looks_the_more_it_is_pulled_back(table):
    learned = learn_quality(table)
    rows = rows_at(table, np.full((len(table), 3), np.log([1.5, 4.0, 40.0])), learned)

    def pulled(times):
        longer = replace(rows, span=rows.span * times)
        centre, _ = centre_and_parts(longer, learned.weights, learned.scatter)
        mean = rows.forecasts @ learned.weights
        return ((mean - centre) / (mean - rows.last)).reshape(len(table), 3)

    short, long = pulled(1.0), pulled(3.0)
    assert np.all(short > 0)
    assert np.all(short < long)
    assert np.all(long < DAMPING)
    assert np.all(np.diff(short, axis=1) > 0)


def test_a_curve_low_in_its_range_is_not_pulled_back_and_gathers_speed():
    """The same rise at 6, at 16 and at 46 BLEU: the lower it stands, the farther it is believed to come."""
    x = np.geomspace(1e6, 1e9, 7)
    low, middle, high = (
        curve(x, start + np.array([0.0, 1.5, 3.0, 5.0, 6.0, 8.0, 8.5])) for start in (1, 7, 41)
    )
    centres = []
    for one in (low, middle, high):
        learned = learn_quality([one])
        band = learned.band(rows_at([one], np.log([[10.0]]), learned))
        centres.append(band.centre[0] - one.y[-1])
    assert centres[0] > centres[1] > centres[2] > 0


def test_a_young_curve_seen_over_few_e_folds_goes_on_as_it_went():
    """The same slope over a tenfold and over a ten-thousandfold: what flattened so far flattens on."""

    def share_kept(span):
        one = curve(np.geomspace(1e8 / span, 1e8, 4), 4.0 + np.log(span) * np.linspace(0, 1, 4))
        learned = replace(learn_quality([one]), weights=np.array([0.0, 1.0, 0.0, 0.0]))
        ahead = learned.band(rows_at([one], np.log([[4.0]]), learned))
        return (ahead.centre[0] - one.y[-1]) / np.log(4.0)

    assert share_kept(3) > 0.95
    assert share_kept(3) > share_kept(30) > share_kept(300)


def test_no_new_run_is_surer_than_runs_beside_each_other(table):
    learned = learn_quality(table)
    sure = replace(learned, factors=np.full(6, -8.0), scatter=0.0)
    rows = rows_at(table, np.full((len(table), 1), 1e-3), learned)
    scale = sure.band(rows).scale
    assert (rows.jitter > 0).all()
    assert (scale >= np.sqrt(rows.jitter / 2)).all()


def test_three_sizes_that_speed_up_may_take_off_where_the_metric_is_low():
    def above(start):
        one = curve([1e6, 1e7, 1e8], np.array([0.0, 0.2, 6.0]) + start)
        learned = replace(learn_quality([one]), factors=SHIPPED.factors, scatter=0.01)
        return learned.band(rows_at([one], np.log([[2.0]]), learned)).scale[1, 0]

    assert above(1) > 1.5 * above(30)


def test_factors_recover_the_variance_that_made_the_errors():
    rng = np.random.default_rng(2)
    parts = np.exp(rng.uniform(-1, 1, (4000, 2)))
    truth = np.log([0.5, 2.0])
    error = np.sqrt(parts @ np.exp(truth)) * rng.standard_t(FREEDOM, 4000)
    learned = learn_factors(error, np.stack([parts, parts]), np.ones(4000), np.zeros(2), 0.1)
    np.testing.assert_allclose(learned, truth, atol=0.3)


def test_factors_recover_a_variance_whose_sides_differ():
    """A part that only the upper side has, and that errors above show."""
    rng = np.random.default_rng(4)
    below = np.column_stack([np.ones(8000), np.zeros(8000)])
    above = np.column_stack([np.ones(8000), np.full(8000, 9.0)])
    truth = np.log([0.5, 0.3])
    low, high = (np.sqrt(side @ np.exp(truth)) for side in (below, above))
    up = rng.random(8000) < high / (low + high)
    error = np.where(up, high, -low) * np.abs(rng.standard_t(FREEDOM, 8000))
    learned = learn_factors(error, np.stack([below, above]), np.ones(8000), np.zeros(2), 0.1)
    np.testing.assert_allclose(learned, truth, atol=0.15)


def test_the_chance_is_a_logistic_regression_within_its_bounds():
    rng = np.random.default_rng(3)
    x = np.column_stack([rng.standard_normal((5000, 6)), np.ones(5000)])
    truth = np.array([1.0, 0.5, 0.3, 0.0, -0.4, 1.5, 0.2])
    reached = (rng.random(5000) < 1 / (1 + np.exp(-x @ truth))).astype(float)
    share = np.full(5000, 1.0)
    np.testing.assert_allclose(fit_chance(x, reached, share, truth, 1e-3), truth, atol=0.15)
    against = fit_chance(x, 1 - reached, share, truth, 1e-3)
    assert against[:4].min() == 0.0
    assert len(CHANCE_BOUNDS) == len(FEATURES) == SHIPPED.chance.size


def test_a_table_whose_curves_stop_after_a_jump_trusts_the_last_value_more():
    """Jump and stop: the last two sizes always suggest a rise that does not go on."""
    x = np.geomspace(1e6, 1e9, 8)
    rng = np.random.default_rng(5)
    stairs = [
        curve(x, 10 + s * np.array([0, 0, 3, 3, 6, 6, 9, 9]) + 0.1 * rng.standard_normal(8))
        for s in (0.8, 0.9, 1.0, 1.1)
    ]
    lines = [curve(x, 10 + s * np.arange(8.0)) for s in (0.8, 0.9, 1.0, 1.1)]
    stays, goes = learn_quality(stairs), learn_quality(lines)
    assert stays.weights[0] > goes.weights[0] + 0.02


def test_one_size_more_than_two_is_learned_from_and_two_leave_the_prior():
    two = learn_quality([curve([1e6, 1e7], [10.0, 12.0])])
    assert two.origins == 0
    np.testing.assert_allclose(two.weights, SHIPPED.of(two.names))
    np.testing.assert_allclose(two.factors, SHIPPED.factors + np.log(2))  # one curve, half as sure
    np.testing.assert_allclose(two.chance, SHIPPED.chance)
    assert learn_quality([curve([1e6, 1e7, 1e8], [10.0, 12.0, 13.0])]).origins == 1


@settings(max_examples=10)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-6, 1e6), unit=st.sampled_from([0.01, 1.0, 50]))
def test_units_of_size_and_metric_teach_the_same(seed, scale, unit):
    curves = saturating(seed, 4, 6)
    others = [replace(c, x=c.x * scale, y=c.y * unit, top=c.top * unit) for c in curves]
    a, b = learn_quality(curves), learn_quality(others)
    np.testing.assert_allclose(a.weights, b.weights, atol=1e-5)
    np.testing.assert_allclose(a.factors, b.factors, atol=1e-3)


def test_order_of_the_curves_is_of_no_matter(table):
    a, b = learn_quality(table), learn_quality(table[::-1])
    np.testing.assert_allclose(a.weights, b.weights, atol=1e-6)
    np.testing.assert_allclose(a.chance, b.chance, atol=1e-5)
