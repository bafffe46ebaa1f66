"""Members of the mixture: anchored at the last value, exact where their law is the truth."""

import numpy as np
import pytest

from scalefit.errors import FitError
from scalefit.forecasting.quality.members import (
    FLATTENS,
    NAMES,
    falling,
    fit_members,
    flattening,
    pools,
    prefixes_of,
    slope,
    table_slopes,
    uncut,
)

from .samples import curve, saturating

X = np.geomspace(1e6, 1e8, 9)
AHEAD = np.log([[2.0, 10.0]])


def member(y, name, h=AHEAD, **options):
    fitted = fit_members(uncut([curve(X[: len(y)], y, **options)]))
    return fitted.at(h)[0, :, NAMES.index(name)]


def test_every_member_starts_at_the_last_value():
    y = [3.0, 8.0, 6.0, 11.0, 12.5]
    fitted = fit_members(uncut([curve(X[:5], y)]))
    np.testing.assert_allclose(fitted.at(np.array([[1e-9]]))[0, 0], 12.5, atol=1e-6)


def test_the_ceiling_goes_on_as_its_law_does_where_that_is_the_truth():
    law = lambda x: 40 - 25 * (x / X[0]) ** -0.4  # noqa: E731
    ahead = X[-1] * np.array([2.0, 10.0])
    np.testing.assert_allclose(member(law(X), "ceiling"), law(ahead), rtol=0.01)


def test_the_logistic_goes_on_as_its_law_does_where_that_is_the_truth():
    law = lambda u: 60 / (1 + np.exp(-1.2 * (u - 15.5)))  # noqa: E731
    np.testing.assert_allclose(
        member(law(np.log(X)), "logistic"), law(np.log(X[-1]) + AHEAD[0]), rtol=0.03
    )


def test_the_slope_flattens_to_two_e_folds_of_what_it_was():
    y = 10 + 2 * np.log(X[:4])  # too few sizes to be surely straight
    far = member(y, "flattening slope", np.array([[30.0]]))[0]
    assert far == pytest.approx(y[-1] + 2 * FLATTENS)


def test_a_curve_that_is_surely_straight_goes_on_so_and_no_other_does():
    u = np.log(X / X[0])
    wobble = np.resize([1.0, -1.0], u.size)
    told = [
        10 + 2 * u,  # straight
        10 + 2 * u + 2 * wobble,  # straight or not, nobody knows
        10 + 6 * (1 - np.exp(-0.5 * u)),  # flattens
        10 + 0.4 * u**2,  # gathers speed
        np.full(u.size, 10.0),
    ]
    flattens = flattening(uncut([curve(X, y) for y in told]))
    assert flattens[0] == pytest.approx(0.0, abs=1e-6)
    assert np.all(flattens[1:] > 0.95)
    h = np.array([[2.3]])
    assert member(told[0], "flattening slope", h)[0] == pytest.approx(told[0][-1] + 2 * 2.3)


def test_what_falls_in_both_halves_surely_falls_and_no_late_dip_does():
    x = np.geomspace(1e4, 1e9, 12)
    down, wobble = -np.arange(12.0), 0.3 * np.resize([1.0, -1.0, -1.0, 0.5, 0.5], 12)
    falls = [20 + down + wobble, 20 - np.abs(down + 5) + wobble]
    others = [
        20 - np.maximum(-down - 8, 0) + 0.1 * wobble,  # finetuning curves dip so before they rise
        20 - np.repeat([0.0, 4.0], 6) + wobble,  # a step
        20 + wobble,
        20 - down + wobble,
    ]
    assert np.all(falling(uncut([curve(x, y) for y in falls])) > 0.95)
    assert not np.any(falling(uncut([curve(x, y) for y in others])))
    noise = np.random.default_rng(0).standard_normal((300, 12))
    assert np.mean(falling(uncut([curve(x, 20 + y) for y in noise])) > 0) < 0.02
    assert not np.any(falling(uncut([curve(x[:4], y[:4]) for y in falls])))


def test_a_falling_curve_stays_where_it_is_and_takes_no_slope():
    y = [20.0, 18.0, 15.0, 11.0]
    assert member(y, "flattening slope").tolist() == [11.0, 11.0]
    assert member(y, "ceiling").tolist() == pytest.approx([11.0, 11.0])


def test_members_stay_within_the_range_of_the_metric():
    assert member([20.0, 50.0, 80.0, 99.0], "flattening slope").max() <= 100.0


def test_a_metric_without_a_lower_end_may_be_negative():
    y = [-0.9, -0.5, -0.2, -0.05]
    at = member(y, "ceiling", bottom=-np.inf, top=1.0)
    assert np.all(at > 100 - 105)  # per cent of the way from 0 to the top; -0.05 is -5
    assert at[0] < at[1] < 100


def test_two_sizes_are_enough_and_one_is_refused():
    assert np.isfinite(member([1.0, 2.0], "logistic")).all()
    with pytest.raises(FitError, match="2 sizes of a curve, found 1"):
        uncut([curve(X[:1], [1.0])])
    with pytest.raises(FitError, match="found none"):
        uncut([])


def test_an_endless_metric_is_refused_by_name():
    with pytest.raises(FitError, match="upper end"):
        uncut([curve(X[:3], [3.0, 2.0, 1.0], top=np.inf)])


def test_prefixes_of_one_batch_are_what_each_is_alone():
    curves = saturating(1, 3, 7)
    together = prefixes_of(curves, [np.arange(2, 8)] * 3)
    at = fit_members(together).at(np.full((len(together), 1), 0.7))
    for row in range(len(together)):
        c, k = curves[together.curve[row]], together.n[row]
        alone = fit_members(uncut([curve(c.x[:k], c.y[:k])])).at(np.array([[0.7]]))
        np.testing.assert_allclose(at[row], alone[0], rtol=1e-9)


def test_slopes_are_those_of_least_squares():
    rng = np.random.default_rng(3)
    y = rng.uniform(10, 30, 9)
    p = uncut([curve(X, y)])
    expected = np.polyfit(np.log(X[-5:]), y[-5:], 1)[0]
    assert slope(p, p.half)[0] == pytest.approx(expected)


def test_the_tables_line_has_the_slope_of_parallel_lines():
    rng = np.random.default_rng(4)
    ys = [10 * i + rng.uniform(0, 5, 4) for i in range(3)]
    p = uncut([curve(X[:4], y) for y in ys])
    u = np.log(X[:4]) - np.log(X[:4]).mean()
    expected = sum(u @ y for y in ys) / (3 * u @ u)
    assert table_slopes(p, fit_members(p)).line[4] == pytest.approx(expected)


def test_long_curves_and_single_ones_do_not_share_slopes():
    assert pools(saturating(0, 2, 8))
    assert not pools(saturating(0, 3, 9))
    assert not pools(saturating(0, 1, 8))
