"""From a problem to its verified optimum: grid, projection, polish. No start is ever needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalefit.fitting.objective import Objective
from scalefit.fitting.polish import polish
from scalefit.fitting.problem import Problem, make_problem
from scalefit.fitting.projection import project, shape_grid
from scalefit.laws.law import Law

Array = NDArray[np.float64]
BASINS = 4
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
    at_bound : coordinates that sit at a bound.
    """

    problem: Problem
    theta: Array
    objective: float
    gradient: float
    steps: int
    rival: Array | None
    gap: float
    at_bound: tuple[str, ...]

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
    return solve_problem(make_problem(law, inputs, y, objective or Objective(), scale), weights)


def solve_problem(problem: Problem, weights: Array | None = None) -> Solution:
    """Fit a checked problem."""
    ends = polish(problem, starting_points(problem, weights), weights)
    order = np.argsort(ends.objective, kind="stable")
    theta, best = ends.theta[order[0]], float(ends.objective[order[0]])
    rival = _rival(ends.theta[order], ends.objective[order])
    gap = np.inf if rival is None else float(ends.objective[order[rival]] / max(best, 1e-300) - 1)
    lower, upper = problem.bounds
    names = problem.law.coordinates
    return Solution(
        problem=problem,
        theta=theta,
        objective=best,
        gradient=float(ends.gradient[order[0]]),
        steps=ends.steps,
        rival=None if rival is None else ends.theta[order[rival]],
        gap=gap,
        at_bound=tuple(names[j] for j in np.flatnonzero((theta <= lower) | (theta >= upper))),
    )


def starting_points(problem: Problem, weights: Array | None = None) -> Array:
    """Return the best grid point of each basin, at most :data:`BASINS`, best first: (B, p)."""
    law = problem.law
    if not law.separable:
        assert law.starts is not None
        return np.atleast_2d(law.starts(problem.inputs, problem.y))
    grid = shape_grid(problem)
    found = project(problem, grid, None if weights is None else weights[None])
    theta, cost = found.theta[0], found.rss[0]
    if not problem.objective.plain:
        with np.errstate(all="ignore"):
            cost = problem.total(law.value(problem.inputs, theta), weights)
        cost = np.where(np.isfinite(cost), cost, np.inf)
    minima = _local_minima(cost.reshape([s.points for s in law.shapes] or [1]))
    ranked = minima[np.argsort(cost[minima], kind="stable")][:BASINS]
    return np.asarray(theta[ranked])


def _local_minima(cost: Array) -> NDArray[np.intp]:
    """Flat indices of grid cells no worse than their axis neighbours."""
    low = np.isfinite(cost)
    for axis in range(cost.ndim):
        line, mark = np.moveaxis(cost, axis, 0), np.moveaxis(low, axis, 0)
        mark[1:] &= line[1:] <= line[:-1]
        mark[:-1] &= line[:-1] <= line[1:]
    return np.flatnonzero(low)


def _rival(theta: Array, objective: Array) -> int | None:
    """First basin, in order of objective, that is not the best one reached again."""
    scale = np.abs(theta[0]) + 1e-6
    for i in range(1, len(theta)):
        if np.isfinite(objective[i]) and (np.abs(theta[i] - theta[0]) / scale).max() > 1e-3:
            return i
    return None


def _condition(problem: Problem, theta: Array) -> float:
    with np.errstate(all="ignore"):
        jac = problem.linearised(*problem.law.jacobian(problem.inputs, theta[None]))[0]
    norm = np.linalg.norm(jac, axis=1)
    if not np.isfinite(norm).all() or (norm == 0).any():
        return np.inf
    return float(np.linalg.cond((jac / norm[:, None]).T))
