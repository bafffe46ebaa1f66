"""R², AICc and the held-out error against their textbook formulas."""

import numpy as np
import pytest

import scalefit as sf


@pytest.fixture
def fit(curve, losses):
    return sf.fit(curve(losses), "cross_entropy", "power")


def test_r2_is_the_share_of_variance_that_the_curve_takes_up(fit, sizes, losses):
    left = losses - fit.value(sizes)
    assert fit.goodness.r2 == pytest.approx(1 - left @ left / np.sum((losses - losses.mean()) ** 2))


def test_aicc_is_hurvichs_and_tsais(fit, sizes, losses):
    left, n, k = losses - fit.value(sizes), 8, 4
    expected = n * np.log(left @ left / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
    assert fit.goodness.aicc == pytest.approx(expected)


@pytest.mark.parametrize("law", ["power", "pure_power", "rectified"])
def test_the_held_out_error_is_that_of_a_fit_without_the_largest_size(law, curve, sizes, losses):
    whole = sf.fit(curve(losses), "cross_entropy", law)
    rest = sf.fit(curve(losses[:-1], sizes[:-1]), "cross_entropy", law)
    missed = abs(float(rest.value(sizes[-1:])[0]) - losses[-1])
    assert whole.goodness.held_out == pytest.approx(missed, rel=1e-3)


def test_nothing_is_held_out_where_the_rest_would_not_fix_the_law(curve, sizes, losses):
    few = sf.fit(curve(losses[:4], sizes[:4]), "cross_entropy", "power").goodness
    assert np.isnan(few.held_out)
    assert "held out" not in few.line
