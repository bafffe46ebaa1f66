"""The mixture's laws are the catalogue's laws, in coordinates without bounds."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scalefit.forecasting.losses.batch import covariance
from scalefit.forecasting.losses.shapes import FALLING, Laws
from scalefit.laws import get_law

U = np.linspace(-9.0, 7.0, 33)
X_MAX = 3e8
BY_NAME = {law.name: law for law in FALLING}


def from_prior(law, z):
    return Laws((law,), np.zeros(1, dtype=int), np.zeros(1)).from_prior(z[None])[0]


def log_prior(law, theta):
    return Laws((law,), np.zeros(1, dtype=int), np.zeros(1)).log_prior(theta)


def logistic(t):
    return 1 / (1 + np.exp(-t))


def catalogue(name, theta):
    """The catalogue's parameters of the same curve, 1 at the largest size."""
    if name == "power":
        a, floor = np.exp(theta[0]), logistic(theta[1])
        return {"E": floor, "A": (1 - floor) * X_MAX**a, "alpha": a}
    if name == "bansal":
        p, bend = np.exp(theta[0]), np.exp(theta[1])
        return {"A": (X_MAX / (1 + bend)) ** p, "C": bend / X_MAX, "p": p}
    if name == "rectified":
        b, floor, flat = np.exp(theta[0]), logistic(theta[1]), np.exp(theta[2])
        return {
            "B": (1 - floor) * (1 + flat) * X_MAX**b,
            "D_l": flat * X_MAX**b,
            "beta": b,
            "E": floor,
        }
    c, bend, share = np.exp(theta[0]), np.exp(theta[1]), logistic(theta[3])
    return {
        "E": share,
        "E0": 1.0,
        "a": bend,
        "b": np.exp(theta[2]) * X_MAX**c * (1 - share) ** (1 - bend),
        "c": c,
    }


@pytest.mark.parametrize("name", sorted({*BY_NAME} - {"leaking floor"}))
@given(seed=st.integers(0, 10_000))
def test_same_curve_as_the_catalogue(name, seed):
    law = BY_NAME[name]
    theta = from_prior(law, np.random.default_rng(seed).normal(size=(1, len(law.centre))))
    assume(theta[0, 0] < 2.3)  # exponents of ten are held there
    h = law(theta[None], U[None])[0, 0]
    given_name = get_law(name)
    params = catalogue(name, theta[0])
    names = given_name.parameters
    params = dict(zip(names, params.values(), strict=True)) if set(names) != set(params) else params
    y = given_name(X_MAX * np.exp(np.append(U, 0.0)), **params)
    np.testing.assert_allclose(h, np.log(y[:-1] / y[-1]), atol=1e-4, rtol=1e-4)


@given(seed=st.integers(0, 10_000))
def test_a_floor_that_does_not_leak_is_the_rectified_law(seed):
    rectified, leaking = BY_NAME["rectified"], BY_NAME["leaking floor"]
    theta = from_prior(rectified, np.random.default_rng(seed).normal(size=(1, 3)))
    tight = np.column_stack([theta, [-30.0]])
    np.testing.assert_allclose(
        leaking(tight[None], U[None]), rectified(theta[None], U[None]), atol=1e-3
    )
    wide = np.column_stack([theta, [-1.0]])
    assert (
        leaking(wide[None], U[None])[0, 0, U > 1] < rectified(theta[None], U[None])[0, 0, U > 1]
    ).all()


@pytest.mark.parametrize("law", FALLING, ids=lambda law: law.name)
@given(seed=st.integers(0, 10_000))
def test_every_law_falls_and_is_anchored(law, seed):
    theta = from_prior(law, np.random.default_rng(seed).normal(size=(5, len(law.centre))))
    h = law(theta[None], np.append(U, 0.0)[None])[0]
    assert np.isfinite(h).all()
    np.testing.assert_allclose(h[:, -1], 0.0, atol=1e-12)
    assert (np.diff(h[:, :-1], axis=1) < 1e-4).all()


@pytest.mark.parametrize("law", FALLING, ids=lambda law: law.name)
def test_prior_density_is_that_of_its_draws(law):
    z = np.random.default_rng(0).normal(size=(4000, len(law.centre)))
    theta = from_prior(law, z)
    np.testing.assert_allclose(theta.mean(axis=0), law.centre, atol=0.15)
    np.testing.assert_allclose(theta.std(axis=0), law.spread, rtol=0.1)
    d = len(law.centre)
    entropy = 0.5 * d * (1 + np.log(2 * np.pi)) + np.log(law.spread).sum()
    assert log_prior(law, theta[None]).mean() == pytest.approx(-entropy, abs=0.1)


def test_discrepancy_is_the_integral_of_its_slope():
    """Against the double integral of exp(−|s − t| / length), by midpoints."""
    length = 2.0

    def integral(u, v):
        s, t = (np.linspace(0, w, 2001) for w in (u, v))
        s, t = (s[1:] + s[:-1]) / 2, (t[1:] + t[:-1]) / 2
        kernel = np.exp(-np.abs(s[:, None] - t) / length)
        return kernel.mean() * u * v

    for u, v in [(-3.0, -1.0), (2.0, 5.0), (-1.5, 2.5), (-4.0, -4.0)]:
        assert covariance(np.array(u), np.array(v), length) == pytest.approx(
            integral(u, v), rel=1e-4
        )


@given(st.lists(st.floats(-12, 7), min_size=2, max_size=12, unique=True))
def test_discrepancy_is_a_covariance(points):
    u = np.array(points)
    assert np.linalg.eigvalsh(covariance(u[:, None], u)).min() > -1e-8
