"""Many curves in one array program: the same answers as one by one."""

import numpy as np
import pytest

from scalefit.errors import FitError
from scalefit.fitting.identified import allowed_each
from scalefit.fitting.problem import Objective, make_problem
from scalefit.fitting.solve import solve_problem
from scalefit.fitting.stack import evaluate_each, solve_each
from scalefit.laws import LAWS, Coefficient, Law
from scalefit.laws.parts import Shape

RISING = ("log", "ceiling", "logistic", "bansal")
SIZES = np.geomspace(1e6, 1e10, 10)


def problems_of(name, objective=Objective(), scaled=False):  # noqa: B008
    """Twelve curves of one law: four to ten sizes, other sizes and noise for each."""
    rng, out = np.random.default_rng(3), []
    for i in range(12):
        x = SIZES[: 4 + i % 7] * rng.uniform(0.5, 2.0)
        y = 30 - 400 * x**-0.25 if name in RISING else 2 + 30 * x**-0.2
        y = y * np.exp(0.01 * rng.standard_normal(x.size))
        scale = 0.1 * np.sqrt(1 + np.arange(x.size)) if scaled and i % 2 else None
        out.append(make_problem(LAWS[name], (x,), y, objective, scale))
    return out


@pytest.mark.parametrize(
    "objective", [Objective(), Objective("huber", 0.01, "log")], ids=["squared", "huber-log"]
)
@pytest.mark.parametrize("name", ["power", "log", "ceiling", "rectified", "m4", "logistic"])
def test_each_curve_ends_where_it_ends_alone(name, objective):
    problems = problems_of(name, objective)
    alone = [solve_problem(problem) for problem in problems]
    for one, together in zip(alone, solve_each(problems), strict=True):
        small = 1e-12 * float(np.sum(one.problem.y**2))  # a curve through all of its points
        assert together.objective == pytest.approx(one.objective, rel=1e-9, abs=small)
        assert together.steps > 0
        np.testing.assert_allclose(together.fitted, one.fitted, rtol=1e-4)


@pytest.mark.parametrize("name", ["power", "log", "ceiling", "rectified", "m4", "logistic"])
def test_values_slopes_and_ranges_are_those_of_one_by_one(name):
    problems = problems_of(name, scaled=True)
    alone, together = ([solve_problem(p) for p in problems] for _ in range(2))
    evaluate_each(together)
    for one, other, allowed in zip(alone, together, allowed_each(together), strict=True):
        for a, b in zip(one.at_points, other.at_points, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9)
        mine = allowed_each([one])[0]
        np.testing.assert_array_equal(mine.coordinates, allowed.coordinates)
        assert list(mine.quoted) == list(allowed.quoted)
        np.testing.assert_allclose([*mine.quoted.values()], [*allowed.quoted.values()], rtol=1e-9)


def test_weights_and_scales_are_each_curve_s_own():
    problems = problems_of("power", scaled=True)
    rng = np.random.default_rng(4)
    weights = [rng.uniform(0.5, 2, p.y.size) if i % 3 else None for i, p in enumerate(problems)]
    for problem, w, together in zip(problems, weights, solve_each(problems, weights), strict=True):
        one = solve_problem(problem, w)
        small = 1e-12 * problem.size
        assert together.objective == pytest.approx(one.objective, rel=1e-9, abs=small)


def test_laws_and_objectives_may_be_mixed_and_come_back_in_order():
    problems = [*problems_of("power")[:3], *problems_of("log")[:3]]
    problems = [problems[i] for i in (3, 0, 4, 1, 5, 2)]
    names = [one.problem.law.name for one in solve_each(problems)]
    assert names == ["log", "power"] * 3


def test_what_cannot_be_solved_is_an_error_in_its_place():
    problems = problems_of("power")[:3]
    nowhere = Law("nowhere", "c·nan", coefficients=(Coefficient("c"),), shapes=(Shape("s", (1.0, 2.0)),),
                  basis=lambda x, s: (np.full(np.broadcast_shapes(np.shape(x), np.shape(s)), np.nan),))  # fmt: skip
    problems[1:1] = [make_problem(nowhere, (SIZES,), SIZES, Objective())]
    solved = solve_each(problems)
    assert [isinstance(one, FitError) for one in solved] == [False, True, False, False]


def test_a_law_that_looks_at_all_of_its_inputs_sees_its_own_curve_only():
    """x / x.max() would be another curve's largest size in one array program."""
    own = Law("own", "c + m·x/max(x)", coefficients=(Coefficient("c"), Coefficient("m")),
              basis=lambda x: (1.0, x / np.max(x)))  # fmt: skip
    problems = [make_problem(own, (p.inputs[0],), p.y, Objective()) for p in problems_of("power")]
    for one, together in zip(map(solve_problem, problems), solve_each(problems), strict=True):
        np.testing.assert_allclose(together.theta, one.theta, rtol=1e-9)
