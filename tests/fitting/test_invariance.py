"""What holds for every data set: order does not matter, nor do the units of x and y."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalefit as sf
from scalefit.fitting.problem import Objective
from scalefit.fitting.solve import solve
from scalefit.laws import LAWS

X = np.geomspace(1e6, 1e9, 9)
SEEDS = st.integers(0, 2**31 - 1)
NAMES = st.sampled_from(["power", "pure_power", "log", "bansal", "rectified"])
OBJECTIVES = st.sampled_from(
    [Objective(), Objective(residual="log"), Objective("huber", 0.01, "log")]
)
FEW = settings(max_examples=12, derandomize=True)


def made(name, seed, spread=0.01):
    rng = np.random.default_rng(seed)
    falling = 1.7 + 400 * X ** -rng.uniform(0.2, 0.4)
    y = falling if LAWS[name].falls else 30 * (np.log(X / 1e4) / np.log(1e5)) ** rng.uniform(0.5, 2)
    return y * np.exp(spread * rng.normal(size=9)), rng


def curve_of(found):
    return found.problem.law.value(found.problem.inputs, found.theta)


@FEW
@given(NAMES, OBJECTIVES, SEEDS)
def test_the_order_of_the_points_does_not_matter(name, objective, seed):
    y, rng = made(name, seed)
    mixed = rng.permutation(9)
    plain = solve(LAWS[name], (X,), y, objective=objective)
    again = solve(LAWS[name], (X[mixed],), y[mixed], objective=objective)
    assert again.objective == pytest.approx(plain.objective, rel=1e-7)
    np.testing.assert_allclose(curve_of(again), curve_of(plain)[mixed], rtol=1e-4)


@FEW
@given(NAMES, OBJECTIVES, SEEDS, st.sampled_from([1e-9, 1e-3, 7.0, 1e6]))
def test_the_unit_of_x_does_not_matter(name, objective, seed, unit):
    y, _ = made(name, seed)
    plain = solve(LAWS[name], (X,), y, objective=objective)
    again = solve(LAWS[name], (X * unit,), y, objective=objective)
    assert again.objective == pytest.approx(plain.objective, rel=1e-6)
    np.testing.assert_allclose(curve_of(again), curve_of(plain), rtol=1e-4)


@FEW
@given(NAMES, SEEDS, st.sampled_from([1e-3, 0.69, 100.0]))
def test_the_unit_of_y_does_not_matter(name, seed, unit):
    y, _ = made(name, seed)
    plain, again = solve(LAWS[name], (X,), y), solve(LAWS[name], (X,), y * unit)
    assert again.objective == pytest.approx(plain.objective * unit**2, rel=1e-6)
    np.testing.assert_allclose(curve_of(again), curve_of(plain) * unit, rtol=1e-4)


@settings(max_examples=6, derandomize=True)
@given(SEEDS)
def test_intervals_move_with_the_units(seed):
    y, rng = made("power", seed)
    mixed = rng.permutation(9)
    inputs = {"x": "t"}
    plain = sf.fit({"t": X, "v": y}, "v", "power", inputs=inputs).intervals()
    again = sf.fit({"t": X[mixed] / 1e6, "v": y[mixed]}, "v", "power", inputs=inputs).intervals()
    for name in ("E", "alpha"):
        assert again[name].low == pytest.approx(plain[name].low, rel=1e-3, abs=1e-6)
        assert again[name].high == pytest.approx(plain[name].high, rel=1e-3)


def test_digest_and_signature_do_not_depend_on_the_order():
    y, rng = made("power", 0)
    mixed = rng.permutation(9)
    inputs = {"x": "t"}
    plain = sf.fit({"t": X, "v": y}, "v", "power", inputs=inputs)
    again = sf.fit({"t": X[mixed], "v": y[mixed]}, "v", "power", inputs=inputs)
    assert again.signature == plain.signature
    other = sf.fit({"t": X, "v": y * 1.001}, "v", "power", inputs=inputs)
    assert other.signature != plain.signature


def posed(name):
    """A law's inputs over three decades (losses, shares) and a falling value with noise, as a problem."""
    law, rng = LAWS[name], np.random.default_rng(3)
    if law.takes == "share":
        inputs = tuple(rng.dirichlet(np.ones(len(law.inputs)), 14).T)
    elif law.takes == "any":
        inputs = (rng.uniform(1.5, 6, 14),)
    else:
        inputs = tuple(np.exp(rng.uniform(16, 23, 14)) for _ in law.inputs)
    fall = sum((x / x.max() + 1e-3) ** -0.3 for x in inputs) / len(inputs)
    y = fall if law.falls is not False else 1 / fall
    return law, inputs, y / 8 / y.max() * np.exp(0.01 * rng.standard_normal(14))


def told_otherwise(law, inputs, y):
    """The same question in other words: its law, inputs and values, and by what the objective is multiplied."""
    mixed = np.random.default_rng(4).permutation(y.size)
    yield law, tuple(x[mixed] for x in inputs), y[mixed], 1.0
    yield law, tuple(np.tile(x, 2) for x in inputs), np.tile(y, 2), 2.0
    if (
        law.takes in ("positive", "zero") and law.name != "repeated_mixture"
    ):  # it has a share among its inputs
        yield law, tuple(x * 1e6 for x in inputs), y, 1.0
    if law.link == "identity" and all(c.upper == np.inf for c in law.coefficients):
        yield law, inputs, y * 100, 1e4
    renamed = [
        tuple(replace(part, name=part.name + "_") for part in parts)
        for parts in (law.coefficients, law.shapes)
    ]
    yield replace(law, name="mine", coefficients=renamed[0], shapes=renamed[1]), inputs, y, 1.0


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS)
def test_every_law_has_one_optimum_however_it_is_asked(name):
    law, inputs, y = posed(name)
    plain = solve(law, inputs, y).objective
    for again in told_otherwise(law, inputs, y):
        assert solve(*again[:3]).objective / again[3] == pytest.approx(plain, rel=1e-9)
