"""The profile of two parameters against a brute-force one, and where it may not be drawn."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DomainError


@pytest.fixture
def fit(curve, losses):
    return sf.fit(curve(losses), "cross_entropy", "power")


def test_the_rise_is_the_least_misfit_over_the_third_parameter(fit, sizes, losses):
    contour = fit.contour("alpha", "E", points=9)
    s2 = fit.typical_error**2
    for i, alpha in enumerate(contour.first):
        for j, floor in enumerate(contour.second):
            column = sizes**-alpha  # the scale is linear: its best value is known in one line
            scale = column @ (losses - floor) / (column @ column)
            misfit = np.sum((losses - floor - max(scale, 0) * column) ** 2)
            least = np.sum(fit.residuals**2)
            assert contour.rise[j, i] == pytest.approx((misfit - least) / s2, rel=1e-4, abs=1e-4)


def test_without_other_parameters_it_is_the_objective_itself(curve, sizes):
    loss = 400 * sizes**-0.3 * np.exp(np.array([1, -1, 1, -1, 1, -1, 1, -1]) / 100)
    fit = sf.fit(curve(loss), "cross_entropy", "pure_power")
    contour = fit.contour("A", "alpha", points=5)
    a, b = contour.first[1], contour.second[3]
    misfit = np.sum((loss - a * sizes**-b) ** 2) - np.sum(fit.residuals**2)
    assert contour.rise[3, 1] * fit.typical_error**2 == pytest.approx(misfit, rel=1e-6)


def test_the_interval_of_one_parameter_is_the_contours_shadow(fit):
    """Where the rise over the other parameter reaches t², the profile interval of one parameter ends."""
    contour = fit.contour("alpha", "E", points=81)
    shadow = contour.rise.min(axis=0)
    t2 = 2.5706**2  # Student's, 5 degrees of freedom, 95 %
    inside = contour.first[shadow <= t2]
    interval = fit.intervals()["alpha"]
    step = np.diff(contour.first)[0]
    assert inside.min() == pytest.approx(interval.low, abs=1.5 * step)
    assert inside.max() == pytest.approx(interval.high, abs=1.5 * step)


def test_confidence_grows_with_the_rise_from_nothing_at_the_best(fit):
    contour = fit.contour("alpha", "E", points=21)
    order = np.argsort(contour.rise, axis=None)
    assert (np.diff(contour.confidence.ravel()[order]) >= 0).all()
    assert contour.confidence.min() < 0.2
    assert contour.correlation == pytest.approx(fit.correlation["alpha"]["E"])
    assert contour.correlation > 0.9


@pytest.mark.parametrize("pair", [("alpha", "alpha"), ("alpha", "nobody")])
def test_two_different_parameters_are_needed(fit, pair):
    with pytest.raises(DomainError, match="needed two different ones of E, A, alpha"):
        fit.contour(*pair)


def test_what_the_data_do_not_fix_has_no_contour(curve, sizes):
    plain = sf.fit(curve(5 * (sizes / 1e6) ** 0.2, metric="bleu"), "bleu", "log")
    with pytest.raises(DomainError, match="do not fix it"):
        plain.contour("D0", "beta")
