"""From a problem to its verified optimum: grid, projection, polish. No start is ever needed."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import FitError
from scalefit.fitting.descent import Spot, descend
from scalefit.fitting.grid import Start, between_cells, shape_grid
from scalefit.fitting.objective import Objective
from scalefit.fitting.problem import Problem, make_problem
from scalefit.fitting.projection import project
from scalefit.laws import LAWS
from scalefit.laws.law import Law

Array = NDArray[np.float64]
BASINS = 4
FINE = 2
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
    theta: Array
    objective: float
    gradient: float
    steps: int
    rival: Array | None
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
        return _condition(self.problem, self.theta)

    @property
    def params(self) -> dict[str, float]:
        """Parameters as people quote them."""
        return {k: float(v) for k, v in self.problem.law.params(self.theta).items()}

    @property
    def fitted(self) -> Array:
        """Fitted values, shape (n,)."""
        return self.problem.law.value(self.problem.inputs, self.theta)

    @property
    def converged(self) -> bool:
        """Whether the gradient, not an optimiser's flag, says that this is an optimum."""
        return self.gradient < CONVERGED or self.objective <= 1e-24 * float(
            np.sum(self.problem.y**2)
        )


def solve(
    law: Law,
    inputs: tuple[Array, ...],
    y: Array,
    *,
    objective: Objective | None = None,
    weights: Array | None = None,
    scale: Array | None = None,
) -> Solution:
    """Fit ``law`` to ``y`` (n,) at ``inputs`` (each (n,)), weights (n,) multiplying the loss.

    Raises
    ------
    FitError
        The vectors are malformed; see :func:`scalefit.fitting.problem.make_problem`.
    """
    return solve_problem(make_problem(law, inputs, y, objective or SQUARED, scale), weights)


def solve_problem(problem: Problem, weights: Array | None = None) -> Solution:
    """Fit a checked problem.

    Raises
    ------
    FitError
        The law has no finite value at these inputs, whatever its parameters.
    """
    with np.errstate(all="ignore"):
        starts = starting_points(problem, weights)
        if not starts:
            raise FitError(
                f"law {problem.law.name!r} has no finite value anywhere in the ranges of its parameters at these "
                "inputs; check its domain and the units of inputs and values"
            )
        ends = [descend(problem, start, weights) for start in starts]
    ranked = sorted((spot for spot, _ in ends), key=lambda spot: spot.total)
    best = ranked[0]
    rival = next((spot for spot in ranked[1:] if _apart(spot, best)), None)
    return Solution(
        problem=problem,
        theta=np.array(best.theta),
        objective=best.total,
        gradient=best.slope,
        steps=sum(steps for _, steps in ends),
        rival=None if rival is None else np.array(rival.theta),
        gap=inf if rival is None else rival.total / max(best.total, 1e-300) - 1,
    )


def starting_points(problem: Problem, weights: Array | None = None) -> list[Start]:
    """Return the minimum of each basin of the grid, at most :data:`BASINS`, best first."""
    law = problem.law
    if not law.separable:
        assert law.starts is not None
        rows = [
            [float(t) for t in row] for row in np.atleast_2d(law.starts(problem.inputs, problem.y))
        ]
        return [Start(row, row, inf) for row in rows]
    grid = shape_grid(problem)
    found = project(problem, grid, weights)
    minima = _local_minima(found.cost.reshape(grid.shape))
    if minima.size > 1:
        minima = minima[np.argsort(found.cost[minima], kind="stable")][:BASINS]
    starts = [between_cells(grid, found.coefficients, found.smooth, i) for i in minima.tolist()]
    return starts + (_contained(problem, weights) if len(law.shapes) > FINE else [])


def _contained(problem: Problem, weights: Array | None) -> list[Start]:
    """Return the optima of the laws that this one contains, in its coordinates.

    A grid over three shapes and more is coarse: a basin between its cells was lost, and a law came out worse than
    its own special case. These starts make that impossible; laws of two shapes have grids fine enough without.
    """
    law, starts = problem.law, []
    for special in law.special:
        names = special.inputs or law.inputs
        reads = tuple(problem.inputs[law.inputs.index(name)] for name in names)
        inner = make_problem(LAWS[special.law], reads, problem.y, problem.objective, problem.scale)
        theta = law.theta(special.embed(**solve_problem(inner, weights).params))
        row = np.nan_to_num(theta, posinf=1e300, neginf=-1e300).tolist()
        starts.append(Start(row, row, inf))
    return starts


def _local_minima(cost: Array) -> NDArray[np.intp]:
    """Flat indices of grid cells no worse than their axis neighbours; cell 0 where there are no axes."""
    low = cost < np.inf
    for axis in range(cost.ndim):
        line, mark = cost.swapaxes(axis, 0), low.swapaxes(axis, 0)
        mark[1:] &= line[1:] <= line[:-1]
        mark[:-1] &= line[:-1] <= line[1:]
    return low.reshape(-1).nonzero()[0]


def _apart(spot: Spot, best: Spot) -> bool:
    """Whether a basin is another one, and not the best one reached again."""
    pairs = zip(spot.theta, best.theta, strict=True)
    return spot.total < inf and any(abs(t - b) > 1e-3 * (abs(b) + 1e-6) for t, b in pairs)


def _condition(problem: Problem, theta: Array) -> float:
    with np.errstate(all="ignore"):
        jac = problem.linearised(*problem.law.jacobian(problem.inputs, theta[None]))[0]
    norm = np.linalg.norm(jac, axis=1)
    if not np.isfinite(norm).all() or (norm == 0).any():
        return np.inf
    return float(np.linalg.cond((jac / norm[:, None]).T))
