"""A law never fits worse than the laws it contains: all pairs of the catalogue, any data."""

import numpy as np
import pytest

from scalefit.fitting.problem import Objective, make_problem
from scalefit.fitting.solve import FINE, solve, solve_problem
from scalefit.fitting.stack import solve_each
from scalefit.laws import LAWS

PAIRS = [(law.name, special) for law in LAWS.values() for special in law.special]
ONCE = list({(name, special.law): (name, special) for name, special in PAIRS}.values())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "special"), ONCE, ids=lambda v: getattr(v, "law", v))
def test_never_worse_than_what_it_contains(name, special):
    """Curves of 5 to 12 points at four noises: all at once, and some one by one; fewer of a law of many shapes.

    Its search is ten times as long, and starts at what the contained law found: see ``solve._contained``.
    """
    law, inner = LAWS[name], LAWS[special.law]
    inside, outside = [], []
    for seed in range(8 if len(law.shapes) > FINE else 24):
        rng = np.random.default_rng(seed)
        n, noise = rng.integers(5, 13), (1e-4, 0.01, 0.05, 0.3)[seed % 4]
        x = tuple(np.exp(rng.uniform(0, 12, n)) * 10 ** rng.uniform(0, 6) for _ in law.inputs)
        reads = tuple(x[law.inputs.index(i)] for i in special.inputs) or x
        fall = sum(v**-b for v, b in zip(x, rng.uniform(0.02, 0.6, len(x)), strict=True))
        y = (rng.uniform(0, 1) + fall / fall.max()) * np.exp(noise * rng.standard_normal(n))
        inside.append(make_problem(inner, reads, y, Objective()))
        outside.append(make_problem(law, x, y, Objective()))
    contained, outer = solve_each(inside), solve_each(outside)
    outer += [solve_problem(problem) for problem in outside[:2]]
    for small, large in zip([*contained, *contained[:2]], outer, strict=True):
        tiny = 1e-24 * float(np.sum(large.problem.y**2))
        assert large.objective <= small.objective * (1 + 1e-9) + tiny


@pytest.mark.parametrize(("name", "special"), PAIRS, ids=lambda v: getattr(v, "law", v))
def test_the_embedding_is_the_contained_law(name, special):
    law, inner = LAWS[name], LAWS[special.law]
    x = tuple(np.geomspace(1e3, 1e9, 9) * (1 + i) for i in range(len(law.inputs)))
    reads = tuple(x[law.inputs.index(i)] for i in special.inputs) or x
    numbers = {"E": 0.5, "A": 40.0, "B": 300.0, "alpha": 0.3, "beta": 0.2}
    numbers |= {"c0": 0.2, "c1": 0.4, "x_d": 1e6, "f": 0.5}
    truth = {p: numbers[p] for p in inner.parameters}
    anchored = law.anchored(x)
    with np.errstate(all="ignore"):
        value = anchored.value(x, anchored.theta(special.embed(**truth)))
    np.testing.assert_allclose(value, inner(*reads, **truth), rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "objective"),
    [
        (200 * 8.0 ** np.arange(7), [2.94, 2.51, 2.15, 1.85, 1.58, 1.37, 1.18], 7.954e-5),
        (200 * 4.0 ** np.arange(8), [3.27, 2.97, 2.72, 2.49, 2.27, 2.06, 1.89, 1.72], 2.7421e-4),
    ],
)
def test_rectified_finds_its_optimum_where_beta_is_small(x, y, objective):
    fit = solve(LAWS["rectified"], (x,), np.array(y))
    assert fit.objective == pytest.approx(objective, rel=2e-4)
