"""One contract for every law. A new law is one entry in CASES."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from scalefit.fitting import solve
from scalefit.laws import LAWS, Law

X = np.geomspace(1e6, 1e10, 12)
PAIRS = tuple(
    a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6))
)
NATS = np.linspace(1.0, 6.0, 12)


@dataclass(frozen=True)
class Case:
    """Inputs, and truths that 4 decades of x can tell apart: every term moves the curve by 1e-3 or more."""

    inputs: tuple[Any, ...]
    truth: Any


def between(rng, low, high):
    return float(rng.uniform(low, high))


def decades(rng, low, high):
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def power(rng):
    alpha = between(rng, 0.1, 1)
    return {"E": between(rng, 0, 3), "A": decades(rng, 0.05, 3) * 1e8**alpha, "alpha": alpha}


def pure_power(rng):
    alpha = between(rng, 0.02, 2)
    return {"A": decades(rng, 0.05, 30) * 1e8**alpha, "alpha": alpha}


def log(rng):
    """D0 a factor of two or more below the smallest D; nearer, ln(D/D0) there is 0 and f too."""
    return {
        "D0": decades(rng, 1e1, 5e5),
        "s": between(rng, 5, 40),
        "beta": between(rng, 0.2, 3),
    }


def bansal(rng):
    """γ between 1/x of the largest and of the smallest size; elsewhere it does not bend the curve."""
    alpha, gamma = between(rng, 0.1, 1), decades(rng, 1e-10, 1e-6)
    return {"A": decades(rng, 0.5, 5) / (1e-8 + gamma) ** alpha, "gamma": gamma, "alpha": alpha}


def rectified(rng):
    """The flat phase ends inside the measured range."""
    beta, ends = between(rng, 0.2, 1), decades(rng, 1e6, 1e9)
    return {
        "B": decades(rng, 0.2, 5) * 1e8**beta,
        "D_l": ends**beta,
        "beta": beta,
        "E": between(rng, 0.3, 2),
    }


def chinchilla(rng):
    alpha, beta = rng.uniform(0.2, 0.6, 2)
    return {
        "E": between(rng, 1, 2.5),
        "A": decades(rng, 0.1, 3) * 1e8**alpha,
        "B": decades(rng, 0.1, 3) * 1e10**beta,
        "alpha": alpha,
        "beta": beta,
    }


def multiplicative(rng):
    alpha, beta = rng.uniform(0.05, 0.5, 2)
    scale = 3e8**alpha * 1e10**beta
    return {
        "A": decades(rng, 0.2, 5) * scale,
        "alpha": alpha,
        "beta": beta,
        "E": between(rng, 0.2, 2),
    }


def ce_to_bleu(rng):
    return {"C": between(rng, 30, 100), "k": between(rng, 0.1, 1.5)}


def ceiling(rng):
    b = between(rng, 0.1, 1)
    return {"c": between(rng, 20, 60), "a": decades(rng, 1, 20) * 1e8**b, "b": b}


def logistic(rng):
    """Floor, middle and ceiling all inside four decades."""
    return {
        "lo": between(rng, 0, 10),
        "hi": between(rng, 20, 60),
        "k": between(rng, 0.6, 3),
        "x_mid": decades(rng, 2e7, 5e8),
    }


def m4(rng):
    """The plateau ends inside the measured range."""
    a, c, E, E0 = (
        between(rng, 0.3, 2),
        between(rng, 0.4, 1),
        between(rng, 0.3, 2),
        between(rng, 4, 8),
    )
    q = rng.uniform(-1.5, 1.5)
    return {"E": E, "E0": E0, "a": a, "b": (E0 - E) ** (1 - a) * np.exp(q) * 1e8**c, "c": c}


def broken(rng):
    """Both slopes and the round between them are inside the measured range."""
    c0 = between(rng, 0.1, 0.3)
    return {
        "E": between(rng, 0.2, 1),
        "B": decades(rng, 0.5, 3) * 1e8**c0,
        "c0": c0,
        "c1": between(rng, 0.3, 0.8),
        "x_d": decades(rng, 3e7, 3e8),
        "f": between(rng, 0.3, 0.8),
    }


def skaling(rng):
    alpha, beta = rng.uniform(0.2, 0.6, 2)
    return {
        "E": between(rng, 1, 2.5),
        "A": decades(rng, 0.3, 3) * 1e8**alpha,
        "B": decades(rng, 0.3, 3) * 1e10**beta,
        "alpha": alpha,
        "beta": beta,
        "k": between(rng, 0.5, 1.5),
    }


CASES = {
    "power": Case((X,), power),
    "pure_power": Case((X,), pure_power),
    "log": Case((X,), log),
    "bansal": Case((X,), bansal),
    "rectified": Case((X,), rectified),
    "m4": Case((X,), m4),
    "broken": Case((np.geomspace(1e6, 1e10, 24),), broken),
    "ceiling": Case((X,), ceiling),
    "logistic": Case((X,), logistic),
    "chinchilla": Case(PAIRS, chinchilla),
    "skaling": Case(PAIRS, skaling),
    "multiplicative": Case(PAIRS, multiplicative),
    "ce_to_bleu": Case((NATS,), ce_to_bleu),
}


@pytest.fixture(params=sorted(LAWS))
def name(request):
    return request.param


@pytest.fixture
def law(name):
    return LAWS[name].anchored(CASES[name].inputs)


def truths(name, count, seed=0):
    rng = np.random.default_rng(seed)
    return [CASES[name].truth(rng) for _ in range(count)]


def thetas(name, law, count=20):
    return np.stack([law.theta(truth) for truth in truths(name, count)])


def test_every_law_has_an_entry():
    assert set(CASES) == set(LAWS)
    assert all(LAWS[name].name == name for name in LAWS)


def test_source_names_paper_and_equation(law):
    assert re.search(r"\b(19|20)\d\d\b", law.source), "no year"
    assert re.search(r"eq(\. ?\d|uation)", law.source), "no equation"
    assert law.formula
    assert all(part.meaning for part in (*law.coefficients, *law.shapes))


def test_exact_values_give_their_parameters_back(name, law):
    """200 random truths, relative 1e-6 in every quoted parameter."""
    inputs = CASES[name].inputs
    for truth in truths(name, 200):
        found = solve(law, inputs, law.value(inputs, law.theta(truth)))
        assert found.converged
        assert found.params == pytest.approx(truth, rel=1e-6), truth


def test_values_broadcast_over_stacks_of_parameters(name, law):
    inputs, theta = CASES[name].inputs, thetas(name, law, 6)
    stacked = law.value(inputs, theta.reshape(2, 3, -1))
    assert stacked.shape == (2, 3, inputs[0].size)
    each = np.stack([law.value(inputs, row) for row in theta])
    np.testing.assert_allclose(stacked.reshape(6, -1), each, rtol=1e-13)
    value, jac = law.jacobian(inputs, theta.reshape(2, 3, -1))
    assert jac.shape == (2, 3, theta.shape[1], inputs[0].size)
    np.testing.assert_allclose(value, stacked, rtol=1e-13)


def test_calling_a_law_broadcasts_its_inputs(name, law):
    truth, inputs = truths(name, 1)[0], CASES[name].inputs
    constants = dict(law.constants)
    flat = law(*inputs, **truth)
    grid = law(*(x.reshape(2, -1) for x in inputs), **truth)
    np.testing.assert_allclose(flat, law.value(inputs, law.theta(truth)))
    np.testing.assert_allclose(grid.reshape(-1), flat)
    single = LAWS[name](*(float(x[0]) for x in inputs), **truth, **constants)
    assert np.ndim(single) == 0
    assert single == pytest.approx(flat[0], rel=1e-9)


def test_parameters_make_the_round_trip(name, law):
    for truth in truths(name, 50):
        theta = law.theta(truth)
        low, high = law.bounds(CASES[name].inputs)
        assert ((theta >= low) & (theta <= high)).all()
        np.testing.assert_allclose(law.theta(law.params(theta)), theta, rtol=1e-9)
        back = {key: float(value) for key, value in law.params(theta).items()}
        assert back == pytest.approx(truth, rel=1e-9)


def test_quoted_parameters_do_not_depend_on_the_reference(name, law):
    if law.reference:
        pytest.skip("its parameters are quoted at the reference")
    inputs = CASES[name].inputs
    moved = LAWS[name].anchored(tuple(x * 3 for x in inputs))
    truth = truths(name, 1)[0]
    np.testing.assert_allclose(
        moved.value(inputs, moved.theta(truth)), law.value(inputs, law.theta(truth)), rtol=1e-9
    )


def test_slopes_are_the_derivatives(name, law):
    inputs = CASES[name].inputs
    for theta in thetas(name, law):
        jac = law.jacobian(inputs, theta)[1]
        for j, at in enumerate(theta):
            step = np.zeros_like(theta)
            step[j] = 1e-5 * max(abs(at), 1e-3)
            up, down = law.value(inputs, theta + step), law.value(inputs, theta - step)
            numeric = (up - down) / (2 * step[j])
            np.testing.assert_allclose(jac[j], numeric, rtol=2e-6, atol=1e-7 * abs(numeric).max())


def test_inverse_undoes_the_value(name, law):
    if law.inverse is None:
        assert len(law.inputs) > 1, "a law of one input brings its inverse"
        return
    inputs = CASES[name].inputs
    for theta in thetas(name, law, 50):
        value = law.value(inputs, theta)
        np.testing.assert_allclose(
            law.inverse(value, *theta, **law.constants), inputs[0], rtol=2e-6
        )


def test_bounds_are_ordered_and_the_curve_is_finite_on_them(name, law):
    inputs = CASES[name].inputs
    low, high = law.bounds(inputs)
    assert (low < high).all()
    k = len(law.coefficients)
    ends = np.array(np.meshgrid(*zip(low[k:], high[k:], strict=True))).reshape(len(law.shapes), -1)
    theta = np.column_stack([np.ones((ends.shape[1], k)), ends.T])
    value, jac = law.jacobian(inputs, theta)
    assert np.isfinite(value).all()
    assert np.isfinite(jac).all()


def test_direction_is_the_one_declared(name, law):
    """With positive coefficients the curve moves as ``falls`` says, wherever the shapes are."""
    if law.falls is None:
        return
    sign = -1 if law.falls else 1
    order = np.argsort(CASES[name].inputs[0], kind="stable")
    first = CASES[name].inputs[0][order]
    fixed = tuple(np.full_like(first, np.median(x)) for x in CASES[name].inputs[1:])
    for theta in thetas(name, law):
        assert (sign * np.diff(law.value((first, *fixed), theta)) >= -1e-12).all()


def test_grids_reach_from_bound_to_bound(name, law):
    for shape in law.shapes:
        low, high = shape.bounds(CASES[name].inputs, law.constants)
        grid = shape.grid(CASES[name].inputs, law.constants)
        assert (grid[0], grid[-1]) == pytest.approx((low, high))
        assert (np.diff(grid) > 0).all()
        assert len(grid) == shape.points


def test_constants_do_not_leak_from_one_data_set_to_the_next(name):
    law: Law = LAWS[name]
    assert dict(law.constants) == {}
    law.anchored(CASES[name].inputs)
    assert dict(law.constants) == {}
