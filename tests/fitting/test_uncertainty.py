"""Which interval a curve gets: the profile's, cut back to Wald's length where longer, by a fifth at most."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.fitting.uncertainty import KEPT, cut_back

X = np.geomspace(1e6, 1e10, 6)
NOISE = np.random.default_rng(4).normal(size=6)


def log_law_fit(noise):
    y = 20 * (np.log(X / 1e4) / np.log(1e8 / 1e4)) ** 1.2 + noise * NOISE
    return sf.fit({"D": X, "bleu": y}, "bleu", "log", inputs={"D": "D"})


def ends(low, high, center, half):
    return tuple(float(v) for v in cut_back(*(np.array(v) for v in (low, high, center, half))))


def test_a_shorter_interval_stays():
    assert ends(-1.0, 2.0, 0.0, 1.6) == (-1.0, 2.0)


def test_only_the_longer_arm_is_cut_and_to_walds_length():
    assert ends(-1.0, 2.0, 0.0, 1.4) == pytest.approx((-1.0, 1.8))
    assert ends(-2.0, 1.0, 0.0, 1.4) == pytest.approx((-1.8, 1.0))


def test_no_more_than_a_fifth_is_cut():
    assert ends(-1.0, 9.0, 0.0, 0.1) == pytest.approx((-1.0, 7.0))


def test_arms_that_became_alike_are_cut_alike():
    assert ends(-1.0, 1.0, 0.0, 0.9) == pytest.approx((-0.9, 0.9))
    assert ends(-1.0, 1.1, 0.0, 0.9) == pytest.approx((-0.9, 0.9))


@pytest.mark.parametrize("half", [1.0, np.inf, np.nan])
def test_an_end_at_infinity_stays(half):
    assert ends(-1.0, np.inf, 0.0, half) == (-1.0, np.inf)
    assert ends(-np.inf, np.inf, 0.0, half) == (-np.inf, np.inf)


@pytest.mark.parametrize("kind", ["mean", "run"])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_curves_interval_is_walds_or_the_profiles(kind, level):
    """Never longer than Wald's where the profile is less than a quarter longer; never outside the profile."""
    found = log_law_fit(0.69).uncertainty
    at = (np.geomspace(1e6, 1e12, 30),)
    extra = np.ones(30) if kind == "run" else np.zeros(30)
    low, high = found.curve(at, level, kind)
    profile_low, profile_high = found._profile_curve(at, level, extra)
    half = found._wald_curve(at, level, extra)[1]
    whole = profile_high - profile_low
    assert (low >= profile_low).all()
    assert (high <= profile_high).all()
    np.testing.assert_allclose(
        high - low, np.minimum(whole, np.maximum(2 * half, KEPT * whole)), rtol=1e-9
    )
    assert (high - low < whole * (1 - 1e-6)).any(), (
        "an example in which nothing is cut tests nothing"
    )


def test_tokens_for_a_target_follow_the_cut_curve():
    """Where the interval of the tokens ends, the curve's own interval ends at the target."""
    fit = log_law_fit(0.69)
    found = sf.tokens_for(fit, 25.0)
    low, high = fit.band((np.array([found.high, found.low]),), 0.95)
    assert low[0] == pytest.approx(25.0, rel=1e-3)
    assert high[1] == pytest.approx(25.0, rel=1e-3)


def test_a_law_behind_a_logarithm_has_the_intervals_of_its_straight_line(product):
    """ln y = c + m·ln x is linear regression, whose intervals are Student's exactly."""
    y = np.exp(0.3 - 0.2 * np.log(X) + 0.05 * NOISE)
    fit = sf.fit({"x": X, "y": y}, "y", product, inputs={"x": "x"}, residual="log")
    design = np.column_stack([np.ones(6), np.log(X)])
    theta = np.linalg.lstsq(design, np.log(y), rcond=None)[0]
    s2 = np.sum((np.log(y) - design @ theta) ** 2) / 4
    covariance = s2 * np.linalg.inv(design.T @ design)
    errors = fit.uncertainty.stderr
    assert [errors["c"], errors["m"]] == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-5)
    at = np.array([1.0, 12 * np.log(10)])
    half = fit.uncertainty.t(0.95) * np.sqrt(at @ covariance @ at)
    low, high = fit.band((np.array([1e12]),), 0.95)
    assert np.log([low[0], high[0]]) == pytest.approx([at @ theta - half, at @ theta + half])
