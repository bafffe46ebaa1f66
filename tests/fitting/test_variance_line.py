"""Seed variance as a line in log size."""

import numpy as np
import pytest

from scalefit.errors import FitError
from scalefit.fitting.variance_line import smoothed_variance

SIZES = np.geomspace(1e6, 1e9, 8)


def cells(rng, runs, slope=-0.4, seeds=3):
    truth = 1e-4 * (SIZES / 1e6) ** slope
    dof = np.full(len(SIZES), seeds - 1)
    return truth, truth * rng.chisquare(seeds - 1, (runs, len(SIZES))) / (seeds - 1), dof


def test_exact_line_is_recovered():
    truth = 1e-4 * (SIZES / 1e6) ** -0.4
    line = smoothed_variance(SIZES, np.ones(8), truth, np.full(8, 2))
    assert line.slope == pytest.approx(-0.4, abs=1e-8)
    np.testing.assert_allclose(line.variances, truth, rtol=1e-7)
    np.testing.assert_allclose(line.at(SIZES), truth, rtol=1e-7)
    assert line.dof == 16
    assert line.weights.mean() == pytest.approx(1)


def test_slope_is_unbiased_and_its_error_right_at_three_seeds():
    truth, raw, dof = cells(np.random.default_rng(1), 600)
    lines = [smoothed_variance(SIZES, np.ones(8), row, dof) for row in raw]
    slopes = np.array([line.slope for line in lines])
    assert slopes.mean() == pytest.approx(-0.4, abs=0.03)
    assert slopes.std() == pytest.approx(lines[0].slope_stderr, rel=0.15)
    smoothed = np.array([np.log(line.variances / truth) for line in lines])
    assert np.abs(smoothed).mean() < 0.5 * np.abs(np.log(raw / truth)).mean()


def test_log_residual_divides_by_the_squared_mean():
    means = np.linspace(4, 2, 8)
    line = smoothed_variance(SIZES, means, 0.01 * means**2, np.full(8, 4), residual="log")
    np.testing.assert_allclose(line.variances, 0.01, rtol=1e-7)


def test_unreplicated_cells_take_the_line_and_zero_variance_is_allowed():
    raw = np.array([1e-4, 0.0, 1e-4, 2e-4, np.nan])
    line = smoothed_variance([1, 2, 4, 8, 16], np.ones(5), raw, [2, 2, 2, 2, 0])
    assert np.all(line.variances > 0)
    assert line.dof == 8


def test_few_sizes_are_pooled():
    line = smoothed_variance([1, 2, 4], np.ones(3), [1.0, 2.0, 6.0], [2, 2, 2])
    np.testing.assert_allclose(line.variances, 3.0)
    assert "pooled" in line.notes[0]


def test_identical_replicates_weigh_the_same():
    line = smoothed_variance(SIZES, np.ones(8), np.zeros(8), np.full(8, 2))
    np.testing.assert_array_equal(line.weights, 1)
    assert "do not differ" in line.notes[0]


def test_size_zero_is_read_as_the_smallest():
    line = smoothed_variance([0, 1, 2, 4, 8], np.ones(5), [1, 1, 2, 4, 8], [2] * 5)
    assert line.variances[0] == line.variances[1]


@pytest.mark.parametrize(
    ("args", "match"),
    [
        (([1, 2], [1, 1], [1, 1], [0, 0]), "no size has two runs"),
        (([1, 2], [1, 1], [1, np.nan], [1, 1]), "missing or negative"),
        (([1, 2], [1], [1, 1], [1, 1]), "one length"),
    ],
)
def test_errors_teach(args, match):
    with pytest.raises(FitError, match=match):
        smoothed_variance(*args)


def test_log_scale_needs_positive_means():
    with pytest.raises(FitError, match="smallest is -1"):
        smoothed_variance([1, 2], [-1, 1], [1, 1], [1, 1], residual="log")
