"""From a problem to its verified optimum, and to refits by the thousand: grid, projection, descent.

No start is ever needed. Refits are one array program over a matrix of weights, no processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import inf
from typing import NamedTuple, NoReturn

import numpy as np

from scalefit.errors import FitError
from scalefit.fitting.descent import EXACT, Reweighted, descend, polish
from scalefit.fitting.grid import Grid, Start, Starts, between_cells, between_cells_each, shape_grid
from scalefit.fitting.problem import Objective, Problem, make_problem
from scalefit.fitting.projection import Projected, project
from scalefit.laws import LAWS
from scalefit.laws.law import Law
from scalefit.types import Floats, Ints, Mask

BASINS = 4  # of a grid that are descended from, the best ones
FINE = 2  # shapes up to which a grid is fine enough; beyond, the laws contained give starts too
# Cells of a coarse grid, about, from which steps are taken; how many by all that are left, and who stays after them;
# and who needs more steps than PACE, each as good as the next, to come to the best is given up.
SCOUTS, ROUNDS, PACE = 200, ((12, 100), (300, 2)), 300
CELLS = 3_000_000  # numbers in one array of a batch: 24 MB
MEET = 1e-6  # of the objective: ends nearer than this are one basin
CUT = {0: slice(None), 1: slice(None, -1), -1: slice(1, None)}  # what has a neighbour on that side
SQUARED = Objective()
CONVERGED = 1e-6


@dataclass(frozen=True, eq=False)
class Solution:
    """An optimum and how it was verified.

    Attributes
    ----------
    theta : (p,) solver's coordinates; ``problem.law.params(theta)`` are the quoted parameters.
    objective : summed loss there.
    gradient : largest gradient of a free parameter, scaled by curvature and objective; ~0 at an optimum.
    rival, gap : theta of the second-best basin and how much worse it is, relative; None and inf if there is none.
    """

    problem: Problem
    theta: Floats
    objective: float
    gradient: float
    steps: int
    rival: Floats | None
    gap: float

    @property
    def at_bound(self) -> tuple[str, ...]:
        """Names of the coordinates that sit at a bound."""
        names, theta = self.problem.law.coordinates, self.theta.tolist()
        rows = zip(names, theta, self.problem.limits, strict=True)
        return tuple(name for name, t, (low, high) in rows if t <= low or t >= high)

    @property
    def condition(self) -> float:
        """Condition number of the Jacobian with unit columns: how far parameters can trade places."""
        jac = self.problem.linearised(*self.at_points)
        norm = np.linalg.norm(jac, axis=1)
        if not np.isfinite(norm).all() or (norm == 0).any():
            return inf
        return float(np.linalg.cond((jac / norm[:, None]).T))

    @property
    def params(self) -> dict[str, float]:
        """Parameters as people quote them."""
        return {k: float(v) for k, v in self.problem.law.params(self.theta).items()}

    @cached_property
    def at_points(self) -> tuple[Floats, Floats]:
        """Fitted values (n,) and their derivative by theta (p, n); ``evaluate_each`` finds those of many together."""
        with np.errstate(all="ignore"):
            return self.problem.law.jacobian(self.problem.inputs, self.theta)

    @property
    def fitted(self) -> Floats:
        """Fitted values, shape (n,)."""
        return self.at_points[0]

    @property
    def converged(self) -> bool:
        """Whether the gradient, not an optimiser's flag, says that this is an optimum."""
        # Of exact data gradient and objective are both rounding, and their ratio is anything.
        return self.gradient < CONVERGED or self.objective <= 1e-24 * float(
            np.sum(self.problem.y**2)
        )


def solve(
    law: Law,
    inputs: tuple[Floats, ...],
    y: Floats,
    *,
    objective: Objective | None = None,
    weights: Floats | None = None,
    scale: Floats | None = None,
) -> Solution:
    """Fit ``law`` to ``y`` (n,) at ``inputs`` (each (n,)), weights (n,) multiplying the loss.

    Raises FitError: the vectors are malformed; see :func:`scalefit.fitting.problem.make_problem`.
    """
    return solve_problem(make_problem(law, inputs, y, objective or SQUARED, scale), weights)


def solve_problem(problem: Problem, weights: Floats | None = None) -> Solution:
    """Fit a checked problem.

    Raises FitError: the law has no finite value at these inputs, whatever its parameters.
    """
    with np.errstate(all="ignore"):
        starts = starting_points(problem, weights)
        ends = [descend(problem, start, weights) for start in starts]
        return best_end(problem, [End(s.theta, s.total, s.slope, steps) for s, steps in ends])


class End(NamedTuple):
    """Where one start led: theta (p), objective, scaled gradient, and the steps taken."""

    theta: list[float]
    total: float
    slope: float
    steps: int


def best_end(problem: Problem, ends: Sequence[End]) -> Solution:
    """Return the best end as the solution; the next best basin is its rival."""
    ranked = sorted(ends, key=lambda end: end.total)
    best = ranked[0]
    theta = np.array([end.theta for end in ranked])
    others = np.flatnonzero(other_basins(theta, theta[0]) & [end.total < inf for end in ranked])
    rival = ranked[others[0]] if others.size else None
    return Solution(
        problem=problem,
        theta=np.array(best.theta),
        objective=best.total,
        gradient=best.slope,
        steps=sum(end.steps for end in ends),
        rival=None if rival is None else np.array(rival.theta),
        gap=inf if rival is None else rival.total / max(best.total, 1e-300) - 1,
    )


def starting_points(
    problem: Problem, weights: Floats | None = None, *, quick: bool = False
) -> list[Start]:
    """Return the minimum of each basin of the grid, at most :data:`BASINS`, best first.

    Of a law of more than :data:`FINE` shapes the best after some steps from all over the grid; ``quick`` spares them.

    Raises FitError: the law has no finite value at these inputs, whatever its parameters.
    """
    law = problem.law
    if not law.separable:
        assert law.starts is not None
        rows = [
            [float(t) for t in row] for row in np.atleast_2d(law.starts(problem.inputs, problem.y))
        ]
        return [Start(row, row, inf) for row in rows]
    grid = shape_grid(law, problem.limits)
    projected = project(problem, grid, weights)
    contained = _contained(problem, weights) if len(law.shapes) > FINE else []
    if len(law.shapes) > FINE and not quick:
        starts = _scouted(problem, contained + _spread(grid, projected), weights)
        return starts or _nowhere(law)
    minima = _local_minima(projected.cost.reshape(*grid.shape, 1)).reshape(-1).nonzero()[0]
    if minima.size > 1:
        minima = minima[np.argsort(projected.cost[minima], kind="stable")][:BASINS]
    starts = [
        between_cells(grid, projected.coefficients, projected.smooth, i) for i in minima.tolist()
    ]
    return starts + contained or _nowhere(law)


def _nowhere(law: Law) -> NoReturn:
    raise FitError(
        f"law {law.name!r} has no finite value anywhere in the ranges of its parameters at these inputs; check "
        "its domain and the units of inputs and values"
    )


def _spread(grid: Grid, projected: Projected) -> list[Start]:
    """Return the best cell of each block of a grid, best first: some :data:`SCOUTS` blocks, as many an axis.

    Cells of one cost are one curve: of two breaks either may be the first. Of many axes the better blocks serve.
    """
    blocks = max(3, round(SCOUTS ** (1 / len(grid.axes))))
    block = np.zeros(grid.shape, dtype=int)
    for places in np.indices(grid.shape, sparse=True):
        block = block * blocks + places * blocks // places.size
    order = _ranked(projected.cost, 1e-9)
    best = order[np.sort(np.unique(block.reshape(-1)[order], return_index=True)[1])][: 2 * SCOUTS]
    rows = np.concatenate([projected.coefficients, grid.cells])[:, best].T.tolist()
    return [Start(row, row, inf) for row in rows]


def _scouted(problem: Problem, starts: list[Start], weights: Floats | None) -> list[Start]:
    """Take steps from many starts together, in rounds that keep fewer and let them go farther.

    Over three shapes and more the cost of a cell says little of the basin below it, and most basins have no cell
    that is a minimum of the grid.
    """
    many = Reweighted(problem, weights)
    most = max(BASINS, CELLS // (problem.y.size * len(problem.limits)))
    rows = np.array([start.theta for start in starts[:most]]).reshape(-1, len(problem.limits))
    for steps, kept in ROUNDS:
        rows, _ = polish(many, rows, tolerance=MEET / 100, steps=steps, pace=PACE)
        total = problem.total(problem.law.value(problem.inputs, rows), weights)
        rows = rows[_ranked(total, MEET)[:kept]]
        if total.min(initial=inf) <= EXACT * problem.size:
            break
    return [Start(row, row, inf) for row in rows[: ROUNDS[-1][1]].tolist()]


def _ranked(cost: Floats, apart: float) -> Ints:
    """Places of finite costs, the least first; of some as near as ``apart``, relative, the first."""
    order = np.argsort(cost, kind="stable")[: np.isfinite(cost).sum()]
    return order[np.diff(cost[order], prepend=-inf) > apart * cost[order]]


def _contained(problem: Problem, weights: Floats | None) -> list[Start]:
    """Return the optima of the laws that this one contains, in its coordinates.

    A grid over three shapes and more is coarse: a basin between its cells was lost, and a law came out worse than
    its own special case. These starts make that impossible; laws of two shapes have grids fine enough without.
    """
    law, starts = problem.law, []
    optima: dict[tuple[str, tuple[str, ...]], dict[str, float]] = {}  # one law may lie in it twice
    for special in law.special:
        names = special.inputs or law.inputs
        if (special.law, names) not in optima:
            reads = tuple(problem.inputs[law.inputs.index(name)] for name in names)
            inner = make_problem(
                LAWS[special.law], reads, problem.y, problem.objective, problem.scale
            )
            optima[special.law, names] = solve_problem(inner, weights).params
        theta = law.theta(special.embed(**optima[special.law, names]))
        row = np.nan_to_num(theta, posinf=1e300, neginf=-1e300).tolist()
        starts.append(Start(row, row, inf))
    return starts


def basins(axes: Sequence[Floats], projected: Projected) -> Starts:
    """Return the minimum of each basin of B curves' grids, axes (g, B), at most :data:`BASINS` a curve, best first."""
    shape = [len(axis) for axis in axes]
    cost, smooth = (v.reshape(*shape, -1) for v in (projected.cost, projected.smooth))
    row, *places = np.moveaxis(_local_minima(cost), -1, 0).nonzero()
    order = np.lexsort((cost[(*places, row)], row))
    cells = [place[order] for place in (*places, row)]
    rank = np.arange(row.size) - np.searchsorted(row, row)
    return between_cells_each(
        axes,
        projected.coefficients.reshape(-1, *cost.shape),
        smooth,
        [place[rank < BASINS] for place in cells],
    )


def _local_minima(cost: Floats) -> Mask:
    """Which cells (*grid, B) are no worse than their neighbours; the only one where there are no axes."""
    low, axes = cost < np.inf, cost.ndim - 1
    # Across two axes too: a slanting valley would give several minima of one basin, and descents that meet. A strict
    # test would lose the minimum of a plateau.
    for side in product((0, 1, -1), repeat=axes):
        if side > (0,) * axes and np.count_nonzero(side) <= 2:
            here, there = (tuple(CUT[way * s] for s in side) for way in (1, -1))
            low[here] &= cost[here] <= cost[there]
            low[there] &= cost[there] <= cost[here]
    return low


def other_basins(theta: Floats, best: Floats) -> Mask:
    """Whether basins (..., p) are others, and not the best one reached again."""
    return np.asarray((np.abs(theta - best) > 1e-3 * (np.abs(best) + 1e-6)).any(axis=-1))


@dataclass(frozen=True, eq=False)
class Draws:
    """Refitted parameters: ``theta`` (R, p) in solver's coordinates, and quoted ones by name."""

    problem: Problem
    theta: Floats

    @property
    def params(self) -> dict[str, Floats]:
        """Quoted parameters, each of shape (R,)."""
        return {k: np.asarray(v) for k, v in self.problem.law.params(self.theta).items()}

    def stderr(self) -> dict[str, float]:
        """Return the standard deviation of each quoted parameter over the draws; infinite where one has no value."""
        known = {k: bool(np.isfinite(v).all()) for k, v in self.params.items()}
        return {k: float(np.std(v, ddof=1)) if known[k] else inf for k, v in self.params.items()}


def multiplicities(clusters: Ints, resamples: int, seed: int) -> Floats:
    """How often each point is drawn when whole clusters are drawn with replacement: (R, n)."""
    rng = np.random.default_rng(seed)
    groups = int(clusters.max()) + 1
    drawn = rng.integers(0, groups, size=(resamples, groups))
    # One count for all resamples: each is given a stretch of numbers of its own.
    flat = drawn + groups * np.arange(resamples)[:, None]
    counts = np.bincount(flat.reshape(-1), minlength=resamples * groups).reshape(resamples, groups)
    return counts[:, clusters].astype(float)


def refit(solution: Solution, weights: Floats) -> Draws:
    """Refit under every row of weights (R, n), from the optimum or a better grid point."""
    problem = solution.problem
    grid = _coarse_grid(problem)
    width = max(grid.size if grid else 1, problem.y.size) * len(solution.theta)
    block = max(1, CELLS // width)
    parts = [weights[i : i + block] for i in range(0, len(weights), block)]
    with np.errstate(all="ignore"):
        theta = [polish(Reweighted(problem, w), refit_starts(solution, w))[0] for w in parts]
    return Draws(problem, np.concatenate(theta))


def _coarse_grid(problem: Problem) -> Grid | None:
    """Shapes for the starts of refits; none where grid and points together would be large."""
    if not (problem.law.separable and problem.objective.plain):
        return None
    grid = shape_grid(problem.law, problem.limits, points=16 if len(problem.law.shapes) == 1 else 8)
    return grid if grid.size * problem.y.size < CELLS else None


def refit_starts(solution: Solution, weights: Floats) -> Floats:
    """Where refits under rows of weights (R, n) begin: the optimum, or a grid point that is better under them."""
    problem = solution.problem
    # Most resamples keep the basin: the grid is for those that few points drive into another one.
    start, grid = np.tile(solution.theta, (len(weights), 1)), _coarse_grid(problem)
    if grid:
        projected = project(problem, grid, weights)
        best, rows = projected.cost.argmin(0), np.arange(len(weights))
        better = projected.cost[best, rows] < problem.total(solution.fitted, weights)
        there = np.concatenate([projected.coefficients[:, best, rows], grid.cells[:, best]])
        start = np.where(better[:, None], there.T, start)
    return start


def leave_out(solution: Solution, clusters: Ints) -> Draws:
    """Refit without each cluster in turn: (G, p)."""
    weights = (clusters != np.arange(clusters.max() + 1)[:, None]).astype(float)
    return refit(solution, weights)
