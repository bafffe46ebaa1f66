"""Many curves of one law as one array program: what a call of numpy costs is paid once a step, not once a curve.

Curves of one stack are equally long, and a curve alone is a stack of one: a row's arithmetic then never depends on
the rows beside it, and an answer not on how the work was cut. Each curve keeps its own bounds and constants (the
log-law's D_ref differs from group to group), so both are columns here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Any, TypeVar, cast

import numpy as np

from scalefit.errors import FitError
from scalefit.fitting.descent import LAST, MAX_STEPS, TOLERANCE, Expansion, polish, slopes
from scalefit.fitting.grid import Starts, shape_grid
from scalefit.fitting.problem import Problem, side_by_side
from scalefit.fitting.projection import Projected, project_each
from scalefit.fitting.solve import (
    FINE,
    Draws,
    Solution,
    basins,
    leave_out,
    other_basins,
    refit_starts,
    solve_problem,
    starting_points,
)
from scalefit.laws import is_ours
from scalefit.laws.law import constants_of
from scalefit.types import Floats, Ints, Mask

Solved = Solution | FitError
Answer = TypeVar("Answer")
CELLS_AT_ONCE = 150_000  # cells times points: what a core's cache holds
# Times the best objective: up to here a basin is a rival, of which notes speak within 1 %.
RIVAL = 1.05


@dataclass(frozen=True, eq=False)
class ProblemStack:
    """One row a start: problems of one law and one objective, each with its points, bounds and weights.

    Attributes
    ----------
    problem : the problems as one, its vectors (B, n) and its law's constants (B, 1).
    weights : (B, n), or None.
    bounds : lower and upper bounds of theta, each (B, p).
    size : (B,), weighted sum of squares of each row's values.
    """

    problem: Problem
    weights: Floats | None
    bounds: tuple[Floats, Floats]
    size: Floats

    def expand(self, theta: Floats) -> Expansion:
        """Return objective, gradient and approximate Hessian of each row at its theta (B, p)."""
        problem = self.problem
        return problem.expansion(*problem.law.jacobian(problem.inputs, theta), self.weights)

    def only(self, keep: Mask | Ints | slice) -> ProblemStack:
        """Return some of the rows."""
        problem, (low, high) = self.problem, self.bounds
        columns = cast(Mapping[str, Any], problem.law.constants)
        less = replace(
            problem,
            law=problem.law.at({name: column[keep] for name, column in columns.items()}),
            inputs=tuple(x[keep] for x in problem.inputs),
            y=problem.y[keep],
            scale=None if problem.scale is None else problem.scale[keep],
        )
        weights = None if self.weights is None else self.weights[keep]
        return ProblemStack(less, weights, (low[keep], high[keep]), self.size[keep])


def stacked(problems: Sequence[Problem], weights: Sequence[Floats | None]) -> ProblemStack:
    """Lay problems of one law, one objective and one length into one stack, a row each."""
    first = problems[0]
    whole = Problem(
        first.law.at(constants_of([problem.law for problem in problems])),
        tuple(np.stack([p.inputs[i] for p in problems]) for i in range(len(first.inputs))),
        np.stack([p.y for p in problems]),
        first.objective,
        _laid([p.scale for p in problems], first),
    )
    limits = np.array([p.limits for p in problems], dtype=float)
    bounds = limits[..., 0], limits[..., 1]
    size = np.array([p.size for p in problems])
    return ProblemStack(whole, _laid(weights, first), bounds, size)


def _laid(rows: Sequence[Floats | None], like: Problem) -> Floats | None:
    """Lay rows into one array, ones where there is none; None where there are none at all."""
    if all(row is None for row in rows):
        return None
    out = np.ones((len(rows), like.y.size))
    for i, row in enumerate(rows):
        if row is not None:
            out[i] = row
    return out


def solve_each(
    problems: Sequence[Problem],
    weights: Sequence[Floats | None] | None = None,
    *,
    alone: bool = True,
) -> list[Solved]:
    """Solve many problems, those of one law together; what cannot be solved is an error in its place.

    The optimum is the one of :func:`scalefit.fitting.solve.solve_problem` to nine digits of the objective.

    Parameters
    ----------
    weights : sequence of (n,) or None, optional; weights of each problem's points.
    alone : solve again alone what ran out of steps in a valley, for the very numbers of one fit. Who asks for the
        objective only does without, and without the search of all of a coarse grid, which are most of the time.
    """
    weights = [None] * len(problems) if weights is None else weights
    out: list[Solved | None] = [None] * len(problems)
    for part in side_by_side(problems, trusted=True):
        solved = _solve_alike([problems[i] for i in part], [weights[i] for i in part], alone)
        for i, one in zip(part, solved, strict=True):
            out[i] = one
    return cast(list[Solved], out)


def leave_one_out(solutions: Sequence[Solution]) -> list[Draws]:
    """Refit many solutions without each of their points in turn: (n, p) each.

    The numbers are those of :func:`scalefit.fitting.solve.leave_out`, curve by curve.
    """
    out: list[Draws | None] = [None] * len(solutions)
    problems = [solution.problem for solution in solutions]
    for part in side_by_side(problems, lambda n: CELLS_AT_ONCE // n**2):
        for i, draws in zip(part, _left_out([solutions[i] for i in part]), strict=True):
            out[i] = draws
    return cast(list[Draws], out)


def evaluate_each(solutions: Sequence[Solution]) -> None:
    """Work out many solutions' fitted values and their derivatives, where each one's cached property keeps them."""
    for part in side_by_side([solution.problem for solution in solutions]):
        some = [solutions[i] for i in part]
        stack = stacked([one.problem for one in some], [None] * len(some)).problem
        with np.errstate(all="ignore"):
            both = stack.law.jacobian(stack.inputs, np.array([one.theta for one in some]))
        for one, *at_points in zip(some, *both, strict=True):
            vars(one)["at_points"] = tuple(at_points)


def _left_out(solutions: Sequence[Solution]) -> list[Draws]:
    problems = [solution.problem for solution in solutions]
    n, count = problems[0].y.size, len(solutions)
    if count == 1:
        return [leave_out(solutions[0], np.arange(n))]
    without = 1 - np.eye(n)
    whole = stacked(problems, [None] * count).only(np.repeat(np.arange(count), n))
    stack = replace(whole, weights=np.tile(without, (count, 1)))
    with np.errstate(all="ignore"):
        start = [refit_starts(solution, without) for solution in solutions]
        theta, _ = polish(stack, np.concatenate(start))
    pairs = zip(problems, np.split(theta, count), strict=True)
    return [Draws(problem, part) for problem, part in pairs]


def _solve_alike(
    problems: list[Problem], weights: list[Floats | None], alone: bool
) -> list[Solved]:
    """Solve problems of one kind: starts and descents of all of them together."""
    both = [*zip(problems, weights, strict=True)]
    with np.errstate(all="ignore"):
        whole = stacked(problems, weights)
        starts = _starts(whole, problems, weights, quick=not alone)
        if not len(starts.row):
            return [_or_error(solve_problem, *pair) for pair in both]
        stack, whose = whole.only(starts.row), starts.row.tolist()
        theta = _begun(stack, starts)
        if not (
            is_ours(stack.problem.law) or _pointwise(stack, [problems[i] for i in whose], theta)
        ):
            return [_or_error(solve_problem, *pair) for pair in both]
        theta, steps = polish(stack, theta, tolerance=TOLERANCE, last=LAST)
        total, slope = slopes(stack, theta)
    total = np.where(total < np.inf, total, np.inf)
    solved = _bests(problems, starts.row, theta, total, slope, steps, alone)
    return [
        _or_error(solve_problem, *pair) if best is None else best
        for pair, best in zip(both, solved, strict=True)
    ]


def _starts(
    whole: ProblemStack,
    problems: Sequence[Problem],
    weights: Sequence[Floats | None],
    *,
    quick: bool,
) -> Starts:
    """Return the starts of all problems; none of one that has none."""
    law = problems[0].law
    if is_ours(law) and law.separable and len(law.shapes) <= FINE:
        known = {id(p.limits): p for p in problems}  # curves of the same sizes have the same
        laid_out = {i: shape_grid(p.law, p.limits) for i, p in known.items()}
        grids = [laid_out[id(p.limits)] for p in problems]
        axes = [
            np.stack(some, axis=-1) for some in zip(*(grid.axes for grid in grids), strict=True)
        ]
        block = max(1, CELLS_AT_ONCE // (grids[0].size * problems[0].y.size))
        plain = all(w is None for w in weights)
        cuts = [slice(first, first + block) for first in range(0, len(problems), block)]
        some = [(whole.only(cut), [axis[:, cut] for axis in axes]) for cut in cuts]
        laid = [project_each(s.problem, None if plain else s.weights, mine) for s, mine in some]
        return basins(axes, Projected(*(np.concatenate(v, -1) for v in zip(*laid, strict=True))))
    pairs = enumerate(zip(problems, weights, strict=True))
    parts = [one for i, pair in pairs for one in _starts_alone(i, *pair, quick)]
    if not parts:
        return Starts(np.zeros((0, 0)), np.zeros((0, 0)), np.zeros(0), np.zeros(0, dtype=np.intp))
    columns = ("theta", "cell", "cost", "row")
    return Starts(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns))


def _starts_alone(row: int, problem: Problem, weights: Floats | None, quick: bool) -> list[Starts]:
    some = _or_error(partial(starting_points, quick=quick), problem, weights)
    if isinstance(some, FitError):
        return []
    theta, cell, cost = (np.array(part, dtype=float) for part in zip(*some, strict=True))
    return [Starts(theta, cell, cost, np.full(len(cost), row))]


def _bests(
    problems: Sequence[Problem],
    row: Ints,
    theta: Floats,
    total: Floats,
    slope: Floats,
    steps: Ints,
    alone: bool,
) -> list[Solution | None]:
    """Return what :func:`best_end` makes of each problem's ends, whose ``row`` (S,) they are; None: solve it alone."""
    order = np.lexsort((total, row))
    row, steps = row[order], steps[order]
    theta, total, slope = theta[order], total[order], slope[order]
    first = np.searchsorted(row, np.arange(len(problems) + 1))
    best = first[row]
    others = np.flatnonzero(other_basins(theta, theta[best]) & (total < np.inf))
    rivals = dict(zip(row[others][::-1].tolist(), others[::-1].tolist(), strict=True))
    # A descent that ran out of steps stands somewhere along a valley, where rounding left it. Where it may be the
    # answer or its rival the problem is solved alone, so that the numbers are those of one fit; a basin far above the
    # best is neither, wherever in it a descent stopped.
    lost = alone & (steps >= MAX_STEPS) & (total <= RIVAL * total[best])
    left = {*row[lost].tolist()}
    taken = np.bincount(row, steps, len(problems)).astype(int).tolist()
    totals, slopes, out = total.tolist(), slope.tolist(), list[Solution | None]()
    for i, (problem, at, end) in enumerate(zip(problems, first, first[1:], strict=False)):
        if at == end or i in left:
            out.append(None)
            continue
        r = rivals.get(i)
        gap = inf if r is None else totals[r] / max(totals[at], 1e-300) - 1
        rival = None if r is None else theta[r]
        out.append(Solution(problem, theta[at], totals[at], slopes[at], taken[i], rival, gap))
    return out


def _or_error(
    work: Callable[[Problem, Floats | None], Answer], problem: Problem, weights: Floats | None
) -> Answer | FitError:
    try:
        return work(problem, weights)
    except FitError as error:
        return error


def _begun(stack: ProblemStack, starts: Starts) -> Floats:
    """Theta (B, p) at which each descent begins: read between the cells, or the cell where that is better."""
    total = stack.expand(np.clip(starts.theta, *stack.bounds))[0]
    worse = ~(total <= starts.cost)
    return np.where(worse[:, None], starts.cell, starts.theta)


def _pointwise(stack: ProblemStack, problems: Sequence[Problem], theta: Floats) -> bool:
    """Whether the law says the same in the stack as alone.

    A law of somebody's own may look at all of its inputs at once (``x / x.max()``): then it sees other curves'
    sizes here, and its problems are solved one by one.
    """
    inside = np.clip(theta, *stack.bounds)
    together = stack.problem.law.jacobian(stack.problem.inputs, inside)
    for row, problem in enumerate(problems):
        n = problem.y.size
        alone = problem.law.jacobian(problem.inputs, inside[row])
        for a, b in zip(together, alone, strict=True):
            if not np.allclose(a[row][..., :n], b, rtol=1e-9, atol=0.0, equal_nan=True):
                return False
    return True
