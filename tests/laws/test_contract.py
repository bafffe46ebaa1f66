"""One contract for every law. A new law is one entry in CASES."""

import importlib
import math
import re
from dataclasses import dataclass, replace
from pkgutil import iter_modules
from typing import Any

import numpy as np
import pytest

import scalefit as sf
from scalefit import laws
from scalefit.fitting.problem import Objective, make_problem
from scalefit.fitting.solve import FINE, solve_problem
from scalefit.fitting.stack import solve_each
from scalefit.laws import LAWS, Law

X = np.geomspace(1e6, 1e10, 12)
PAIRS = tuple(
    a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6))
)
TRIPLES = tuple(
    a.ravel()
    for a in np.meshgrid(np.geomspace(1e7, 1e10, 5), np.geomspace(1e8, 1e12, 6), [2e9, 2e10, 2e11])
)
OTHERS = (*TRIPLES[:2], np.where(TRIPLES[2] == 2e9, 0.0, TRIPLES[2]))
TARGETS = tuple(
    a.ravel()
    for a in np.meshgrid(
        np.geomspace(1e8, 1e10, 3), np.geomspace(1e9, 1e11, 4), [0.02, 0.1, 0.5], [2e7, 2e9]
    )
)
SHARES = tuple(
    np.array([(a, b, 10 - a - b) for a in range(11) for b in range(11 - a)], dtype=float).T / 10
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


def broken_twice(rng):
    """Steep, flat, steep again (or the reverse), each over a decade and more."""
    c0, bend = between(rng, 0.2, 0.4), between(rng, 0.3, 0.7)
    return {
        "E": between(rng, 0.1, 0.5),
        "B": decades(rng, 1, 3) * 1e8**c0,
        "c0": c0,
        "c1": bend,
        "x_1": decades(rng, 1e7, 3e7),
        "f1": between(rng, 0.3, 0.6),
        "c2": -between(rng, 0.6, 0.9) * (c0 + bend),
        "x_2": decades(rng, 4e8, 1e9),
        "f2": between(rng, 0.3, 0.6),
    }


def two_powers(rng):
    a, g = between(rng, 0.2, 0.8), between(rng, 0.2, 0.8)
    return {
        "C": between(rng, 0.3, 2),
        "A": decades(rng, 0.3, 3) * 1e8**a,
        "a": a,
        "G": decades(rng, 0.1, 1) * 1e8**-g,
        "g": g,
    }


def kaplan(rng):
    alpha_N, alpha_D = between(rng, 0.06, 0.2), between(rng, 0.2, 0.5)
    return {
        "alpha_N": alpha_N,
        "N_c": decades(rng, 1e8, 1e10),
        "alpha_D": alpha_D,
        "D_c": decades(rng, 1e9, 1e11),
    }


def data_constrained(rng):
    alpha, beta = rng.uniform(0.25, 0.5, 2)
    return {
        "E": between(rng, 1, 2.5),
        "A": decades(rng, 0.3, 3) * 1e8**alpha,
        "B": decades(rng, 0.3, 3) * 1e10**beta,
        "alpha": alpha,
        "beta": beta,
        "R_N": decades(rng, 2, 20),
        "R_D": decades(rng, 4, 40),
    }


def cross_lingual(rng):
    return {**chinchilla(rng), "gamma": decades(rng, 0.03, 0.5)}


def effective_data(rng):
    return {
        "k": decades(rng, 1e2, 1e5),
        "alpha": between(rng, 0.1, 0.8),
        "beta": between(rng, 0.1, 0.8),
    }


def transfer_gap(rng):
    alpha, beta = rng.uniform(0.2, 0.6, 2)
    return {
        "A": decades(rng, 0.5, 3) * 3e8**alpha * 1e10**beta,
        "alpha": alpha,
        "G": decades(rng, 0.3, 3) * 1e10**beta,
        "beta": beta,
        "E": between(rng, 0.2, 2),
    }


def mixture(rng):
    """Three slopes: the last source is the reference."""
    t1, t2 = rng.uniform(-3, 3, 2)
    return {"c": between(rng, 0.5, 2), "k": decades(rng, 0.3, 3), "t1": t1, "t2": t2}


def repeated_mixture(rng):
    alpha, beta, delta = between(rng, 0.2, 0.5), between(rng, 0.3, 0.6), between(rng, 0.05, 0.3)
    return {
        "E": between(rng, 0.5, 2),
        "C": decades(rng, 0.3, 2) * 1e9**beta,
        "beta": beta,
        "B": decades(rng, 0.5, 3) * 1e9**-delta * 2e8**alpha,
        "delta": delta,
        "alpha": alpha,
        "r": decades(rng, 3, 30),
        "gamma": between(rng, -0.3, 0.3),
    }


def loss_to_error(rng):
    gamma = between(rng, 0.2, 1.5)
    return {
        "epsilon": between(rng, 0.6, 0.95),
        "k": between(rng, 0.2, 0.5) * np.exp(gamma),
        "gamma": gamma,
    }


def sigmoid(rng):
    return {
        "a": between(rng, 0.4, 0.7),
        "b": between(rng, 0.0, 0.3),
        "k": between(rng, 1, 4),
        "L0": between(rng, 2, 5),
    }


def loss_to_loss(rng):
    return {
        "K": between(rng, 0.3, 2),
        "E0": between(rng, 0, 0.9),
        "kappa": between(rng, 0.6, 1.6),
        "E1": between(rng, 0.3, 2),
    }


def log_accuracy(rng):
    alpha = between(rng, 0.05, 0.5)
    return {"A": decades(rng, 0.2, 2) * 1e8**alpha, "alpha": alpha}


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
    "broken_twice": Case((np.geomspace(1e5, 1e11, 40),), broken_twice),
    "two_powers": Case((X,), two_powers),
    "kaplan": Case(PAIRS, kaplan),
    "data_constrained": Case(TRIPLES, data_constrained),
    "cross_lingual": Case(OTHERS, cross_lingual),
    "effective_data": Case(PAIRS, effective_data),
    "transfer_gap": Case(PAIRS, transfer_gap),
    "mixture": Case(SHARES, mixture),
    "repeated_mixture": Case(TARGETS, repeated_mixture),
    "loss_to_error": Case((NATS,), loss_to_error),
    "sigmoid": Case((NATS,), sigmoid),
    "loss_to_loss": Case((NATS,), loss_to_loss),
    "log_accuracy": Case((X,), log_accuracy),
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


def test_every_law_of_a_file_is_listed():
    files = [
        importlib.import_module(f"scalefit.laws.{m.name}") for m in iter_modules(laws.__path__)
    ]
    made = {value.name for file in files for value in vars(file).values() if isinstance(value, Law)}
    assert {name for name in made - set(LAWS) if not re.fullmatch(r"mixture\d", name)} == set()


def test_source_names_paper_and_equation(law):
    assert re.search(r"\b(19|20)\d\d\b", law.source), "no year"
    assert re.search(r"eq(\. ?\d|uation)", law.source), "no equation"
    assert law.formula
    assert all(part.meaning for part in (*law.coefficients, *law.shapes))


@pytest.mark.slow
def test_exact_values_give_their_parameters_back(name, law):
    """200 random truths, relative 1e-6 in every quoted parameter; all at once, and some one by one.

    Fewer of laws that are searched from all over the grid: each takes ten times as long, and longer with every shape.
    """
    beyond = len(law.shapes) - FINE
    inputs, true = CASES[name].inputs, truths(name, 100 // beyond if beyond > 0 else 200)
    problems = [
        make_problem(law, inputs, law.value(inputs, law.theta(truth)), Objective())
        for truth in true
    ]
    solved = [*solve_each(problems), *map(solve_problem, problems[:5])]
    for solution, truth in zip(solved, [*true, *true[:5]], strict=True):
        assert solution.converged
        assert solution.params == pytest.approx(truth, rel=1e-6), truth


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


def turns(name, law):
    """Whether some curve goes both ways, so that a value is reached at two inputs."""
    steps = np.diff(law.value(CASES[name].inputs, thetas(name, law, 50)), axis=1)
    return bool(((steps > 0).any(axis=1) & (steps < 0).any(axis=1)).any())


def test_inverse_undoes_the_value(name, law):
    if law.inverse is None:
        assert len(law.inputs) > 1 or turns(name, law), "a law of one input brings its inverse"
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


def test_a_grid_has_four_thousand_cells_at_most(law):
    """What a fit without a start costs: one matrix product over the cells."""
    cells = math.prod(shape.points for shape in law.shapes)
    assert cells <= 4000


def test_constants_do_not_leak_from_one_data_set_to_the_next(name):
    law: Law = LAWS[name]
    assert dict(law.constants) == {}
    law.anchored(CASES[name].inputs)
    assert dict(law.constants) == {}


def renamed(law):
    """Return the law with letters of nobody's: each quoted parameter and each coordinate is called otherwise."""
    new = {name: f"p{i}" for i, name in enumerate(law.parameters)}
    rename = {c: new.get(c, f"t{i}") for i, c in enumerate(law.coordinates)}
    report = law.report or (lambda *theta, **_: dict(zip(law.coordinates, theta, strict=True)))
    return replace(
        law,
        name="mine",
        coefficients=tuple(replace(c, name=rename[c.name]) for c in law.coefficients),
        shapes=tuple(replace(s, name=rename[s.name]) for s in law.shapes),
        report=lambda *theta, **k: {new[n]: v for n, v in report(*theta, **k).items()},
        unreport=law.unreport or (lambda *quoted, **_: quoted),
        reported=tuple(new.values()),
        sizes=tuple(new[n] for n in law.sizes),
        derive=None,
        special=(),
    )


def test_other_names_of_the_parameters_change_no_number(name):
    """Floor, scale and exponent are roles: nobody reads them off a letter."""
    law, case = replace(LAWS[name], special=()), CASES[name]
    rng = np.random.default_rng(7)
    value = law.anchored(case.inputs)(*case.inputs, **case.truth(rng))
    data = dict(zip(law.inputs, case.inputs, strict=True)) | {
        "v": value * np.exp(0.01 * rng.normal(size=value.size))
    }
    plain, other = (
        sf.fit(data, "v", one, inputs={n: n for n in law.inputs}) for one in (law, renamed(law))
    )
    assert list(other.params.values()) == pytest.approx(list(plain.params.values()), rel=1e-12)
    for ours, theirs in zip(plain.intervals().values(), other.intervals().values(), strict=True):
        assert (theirs.low, theirs.high) == pytest.approx((ours.low, ours.high), rel=1e-12)
    assert len(other.not_identified) == len(plain.not_identified)
    assert len(other.notes) == len(plain.notes)
    if len(law.inputs) == 1 and law.takes != "any":
        target = float(np.quantile(value, 0.6))
        ends = [sf.tokens_for(fit, target) for fit in (plain, other)]
        assert ends[1].rows() == ends[0].rows()
