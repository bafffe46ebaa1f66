"""The parts of the solver: the grid, what is read between its cells, the exact coefficients, the descent."""

import numpy as np
import pytest
from scipy import optimize, stats

import scalefit as sf
from scalefit.fitting.descent import Reweighted, descend, polish
from scalefit.fitting.grid import Grid, Start, between_cells, between_cells_each, shape_grid
from scalefit.fitting.problem import Objective, make_problem
from scalefit.fitting.projection import project
from scalefit.fitting.solve import _local_minima, solve, starting_points
from scalefit.laws import LAWS, Coefficient, Law

X = np.geomspace(1e7, 1e10, 20)
NOISE = np.random.default_rng(0).normal(size=20)
Y = (1.7 + 400 * X**-0.3) * np.exp(0.01 * NOISE)
PAIRS = tuple(
    a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6))
)


def problem_of(name, inputs=(X,), y=Y, objective=None):
    return make_problem(LAWS[name], inputs, y, objective or Objective())


def test_cells_are_in_c_order():
    grid = Grid((np.arange(5.0), np.arange(3.0)))
    assert grid.cells.shape == (2, 15)
    np.testing.assert_array_equal(grid.cells[:, 4], [1.0, 1.0])


@pytest.mark.parametrize(
    "objective", [Objective(), Objective("huber", 0.01, "log")], ids=["squared", "huber"]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_points_taken_in_parts_give_the_same(objective, weighted, monkeypatch):
    scale = np.random.default_rng(3).uniform(0.5, 2, size=20)
    problem = make_problem(LAWS["power"], (X,), Y, objective, scale)
    weights = np.random.default_rng(4).uniform(0.5, 2, size=20) if weighted else None
    grid = shape_grid(problem.law, problem.limits)
    with np.errstate(all="ignore"):
        whole = project(problem, grid, weights)
        monkeypatch.setattr("scalefit.fitting.projection.AT_A_TIME", 7 * grid.size)
        assert len(problem.parts(7)) == 3
        found = project(problem, grid, weights)
    np.testing.assert_allclose(found.cost, whole.cost, rtol=1e-9)
    some = np.isfinite(whole.cost)
    assert some.sum() > 20
    np.testing.assert_allclose(found.coefficients[:, some], whole.coefficients[:, some], rtol=1e-9)


def test_a_law_without_shapes_has_one_cell():
    grid = Grid(())
    assert (grid.size, grid.shape, grid.cells.shape) == (1, (), (0, 1))


def test_the_grid_of_the_same_ranges_is_made_once():
    ours, law = problem_of("power"), LAWS["power"].anchored((X,))
    assert shape_grid(ours.law, ours.limits) is shape_grid(law, law.limits((X,)))


def test_the_minimum_is_read_between_the_cells():
    """Eleven cells of a law of one shape give the optimum to seven digits, before any descent."""
    with np.errstate(all="ignore"):
        (start,) = starting_points(problem_of("power"))
    found = solve(LAWS["power"], (X,), Y)
    np.testing.assert_allclose(start.theta, found.theta, rtol=1e-7)
    assert found.steps <= 3  # the last one settles what the objective does not see


def read(ticks, coefficients, cost, cell, rel=1e-9):
    """What is read beside one cell of one curve with one shape, alone and among others."""
    alone = between_cells(Grid((ticks,)), coefficients, cost, cell)
    cells = [np.array([cell] * 2), np.array([0, 1])]
    axes, cost = [np.stack([ticks] * 2, axis=-1)], np.stack([cost] * 2, axis=-1)
    both = between_cells_each(axes, np.stack([coefficients] * 2, axis=-1), cost, cells)
    for row in range(2):
        assert both.theta[row] == pytest.approx(alone.theta, rel=rel)
        assert both.cell[row].tolist() == alone.cell
        assert both.cost[row] == alone.cost
    return alone


def test_newton_ends_where_it_could_circle():
    """Costs that are equal but for rounding can send Newton's method from 0 to 1 and back for ever."""
    cost = np.full(5, 2.3426955916505676e-05)
    cost[0] = 2.3426955876537647e-05
    found = read(np.arange(5.0), np.arange(5.0)[None], cost, 2, rel=0.5)  # rounding is all there is
    assert all(1 <= value <= 3 for value in found.theta)


def test_a_cell_without_neighbours_stands_as_it_is():
    coefficients, cost = np.array([[5.0, 6.0, 7.0]]), np.array([1.0, np.inf, np.inf])
    assert read(np.arange(3.0), coefficients, cost, 0) == ([5.0, 0.0], [5.0, 0.0], 1.0)


def test_a_parabola_is_read_exactly():
    ticks = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    found = read(ticks, ticks[None] * 2, (ticks - 1.8) ** 2 + 1, 2)
    assert found.theta == pytest.approx([3.6, 1.8], rel=1e-12)
    assert found.cell == [4.0, 2.0]


@pytest.mark.parametrize(
    ("name", "inputs"), [("power", (X,)), ("chinchilla", PAIRS), ("multiplicative", PAIRS)]
)
def test_coefficients_are_those_of_bounded_least_squares(name, inputs):
    """Against ``scipy.optimize.lsq_linear`` at every cell that was solved, for three rows of weights."""
    rng = np.random.default_rng(1)
    y = 2 + rng.normal(size=inputs[0].size)
    problem = problem_of(name, inputs, y)
    weights = rng.uniform(0.5, 2, size=(3, y.size))
    grid = Grid(tuple(a[2::5] for a in shape_grid(problem.law, problem.limits).axes))
    with np.errstate(all="ignore"):
        found = project(problem, grid, weights)
    k = found.coefficients.shape[0]
    checked = 0
    low, high = (bound[:k] for bound in problem.bounds)
    for g, r in zip(*np.nonzero(np.isfinite(found.cost)), strict=True):
        here = found.coefficients[:, g, r]
        if ((here < low) | (here > high)).any():
            continue
        columns = problem.law.columns(problem.inputs, tuple(grid.cells[:, g]))
        design = np.stack([np.broadcast_to(c, y.shape) for c in columns], axis=1)
        root = np.sqrt(weights[r])
        best = optimize.lsq_linear(
            design * root[:, None], y * root, (low, high), method="bvls", tol=1e-14
        )
        assert found.cost[g, r] == pytest.approx(2 * best.cost, rel=1e-5)
        assert found.cost[g, r] <= 2 * best.cost * (1 + 1e-9)
        checked += 1
    assert checked >= 3


@pytest.mark.parametrize(
    "objective",
    [Objective(), Objective("huber", 0.005, "log"), Objective("soft_l1", 0.02)],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True])
def test_one_start_and_many_follow_the_same_rules(objective, weighted):
    """The descent in plain floats ends where the batch does, at a bound as well."""
    problem = problem_of("power", objective=objective)
    starts = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, 0.1], [2.0, 0.5, 1.0]])
    weights = np.random.default_rng(2).uniform(0.5, 2, size=20) if weighted else np.ones(20)
    many, _ = polish(Reweighted(problem, np.tile(weights, (3, 1))), starts, tolerance=1e-13)
    with np.errstate(all="ignore"):
        begin = [Start(s, s, np.inf) for s in starts.tolist()]
        ends = [descend(problem, s, weights if weighted else None)[0] for s in begin]
    np.testing.assert_allclose(many, [end.theta for end in ends], rtol=1e-5, atol=1e-9)
    assert all(end.slope < 1e-5 for end in ends)


@pytest.mark.parametrize(
    ("name", "inputs", "values", "least"),
    [
        (
            "bansal",  # the exponent creeps to its bound along a narrow valley
            [[5.26e-10, 7.3e-10, 4.2e-11, 1.5e-11]],
            [0.769, 0.773, 1.44, 4.05],
            1.6218285929434e-4,
        ),
        (
            "bansal",
            [[5e4, 5.85e5, 1.77e5, 569.0, 9.36e5]],
            [0.557, 0.556, 0.554, 1.85, 0.556],
            3.48432498918e-5,
        ),
        (
            "bansal",  # the exponent is a two-thousandth: a grid of even roots had none below a two-hundredth
            [[8140.0, 247.0, 3290.0, 321.0, 23.6, 76.8, 152.0]],
            [1.40461, 1.40453, 1.40461, 1.40454, 1.40463, 1.40466, 1.40449],
            1.94369299495575e-8,
        ),
        (
            "chinchilla",
            [
                [2.72e6, 369.0, 1.16e6, 2.41e4, 1920.0, 4.91e5, 3.19e5, 1.1e4],
                [118.0, 300.0, 178.0, 184.0, 262.0, 1940.0, 1850.0, 213.0],
            ],
            [53.24, 16.1, 16.13, 53.29, 16.03, 15.99, 16.09, 54.12],
            1432.3919032328463,
        ),
        (
            "kaplan",  # a term whose share at the reference is a thousandth, and large elsewhere
            [
                [538.0, 191.0, 23.0, 102.0, 64.7, 195.0, 216.0],
                [5.83e4, 1.78e5, 1.88e4, 2.15e5, 1.01e5, 1510.0, 507.0],
            ],
            [0.517, 0.0492, 1.3, 0.221, 0.386, 7.04, 15.2],
            0.037164712582811,
        ),
        (
            "skaling",  # what it contains is flat here: both of its terms are 0
            [[1e6, 2e6, 4e6, 8e6, 1e6, 4e6, 8e6], [1e9, 2e9, 1e9, 3e9, 9e9, 8e9, 9e9]],
            [1.0, 1.1, 1.3, 1.5, 1.4, 1.8, 2.0],
            0.777142857142857,
        ),
    ],
)
def test_odd_curves_have_the_optimum_of_a_dense_search(name, inputs, values, least):
    """Each came out worse, up to twice as bad, or not at all; ``least`` is of random grids of thousands of cells."""
    found = solve(LAWS[name], tuple(map(np.array, inputs)), np.array(values))
    assert found.objective <= least * (1 + 1e-6)
    assert found.converged


def test_a_descent_slides_along_a_bound():
    """Without a floor in the data, E runs into 0 and stays there."""
    y = 400 * X**-0.3 * np.exp(0.001 * NOISE) - 0.02
    problem = problem_of("power", y=y)
    start = [1.0, 1.0, 1.0]
    end, _ = descend(problem, Start(start, start, np.inf), None)
    assert end.theta[0] == 0
    assert end.gradient[0] == 0
    assert solve(LAWS["power"], (X,), y).at_bound == ("E",)


@pytest.mark.parametrize("link", ["identity", "log"])
@pytest.mark.parametrize("slopes", [None, lambda *_: ()])
def test_a_law_of_one_constant_is_the_mean_with_students_interval(link, slopes):
    law = Law("flat", "c", coefficients=(Coefficient("c"),), basis=lambda x: (1.0,),
              slopes=slopes, link=link)  # fmt: skip
    y = 5 + 0.1 * np.random.default_rng(0).normal(size=8)
    fit = sf.fit({"t": np.geomspace(1e6, 1e9, 8), "v": y}, "v", law, inputs={"x": "t"})
    low, high = fit.uncertainty.at(0.95).inner.curve((np.array([1e10]),))
    want = stats.t.interval(0.95, 7, y.mean(), stats.sem(y))
    assert fit.value(1e10) == pytest.approx([y.mean()])
    assert [low[0], high[0]] == pytest.approx(want, rel=2e-4)


def test_a_basin_without_a_cell_that_is_a_minimum_of_the_grid_is_found():
    """Steps at random places along three inputs, where the best cells of the grid lead to .6803."""
    rng = np.random.default_rng(10)
    x = tuple(np.exp(rng.uniform(12, 20, 16)) for _ in range(3))
    steps = sum(np.where(np.log(v) < 12 + 8 * rng.uniform(0.2, 0.8), 1.0, 0.4) for v in x)
    y = 1 + steps * np.exp(0.01 * rng.standard_normal(16))
    assert solve(LAWS["data_constrained"], x, y).objective == pytest.approx(0.612388, rel=1e-5)


@pytest.mark.parametrize("shape", [(9,), (6, 5), (4, 5, 3)])
def test_minima_of_a_grid_have_no_better_neighbour_across_two_axes_either(shape):
    cost = np.random.default_rng(0).integers(0, 4, (*shape, 2)).astype(float)
    cost[cost == 3] = np.inf
    places = np.argwhere(np.ones(shape, dtype=bool))
    off = np.abs(places[:, None] - places)
    near = (off.max(-1) <= 1) & ((off > 0).sum(-1) <= 2)
    for curve in (0, 1):
        flat = cost[..., curve].ravel()
        least = np.where(near, flat, np.inf).min(1)
        want = (flat <= least) & np.isfinite(flat)
        assert (_local_minima(cost)[..., curve].ravel() == want).all()


def test_starts_that_cannot_come_to_the_best_are_given_up_and_the_best_is_not():
    """Steps at random places; from all over the grid of a law with a break."""
    rng = np.random.default_rng(2)
    y = 1 + np.where(np.log(X) < 19, 1.0, 0.4) * np.exp(0.02 * NOISE)
    problem = problem_of("broken", y=y)
    low, high = problem.bounds
    rows = np.clip(rng.uniform(size=(80, low.size)), 0, 1)
    rows[:, 2:] = low[2:] + rows[:, 2:] * (high - low)[2:]
    many = Reweighted(problem, None)
    ends, steps = zip(*(polish(many, rows, pace=pace) for pace in (np.inf, 300)), strict=True)
    totals = [many.expand(theta)[0].min() for theta in ends]
    assert totals[1] == pytest.approx(totals[0], rel=1e-6)
    assert steps[1].sum() < steps[0].sum() / 2


def test_a_curve_through_all_points_ends_the_search_of_every_start():
    problem = problem_of("broken", y=1 + (X / 1e8) ** -0.2 * (1 + (X / 3e8) ** 2) ** -0.2)
    exact = (
        LAWS["broken"]
        .anchored((X,))
        .theta({"E": 1.0, "B": 1e8**0.2, "c0": 0.2, "c1": 0.4, "x_d": 3e8, "f": 0.5})
    )
    rows = np.stack([exact, exact * 1.3])
    assert polish(Reweighted(problem, None), rows, pace=300)[1].max() == 1
    assert polish(Reweighted(problem, None), rows)[1].max() > 1
