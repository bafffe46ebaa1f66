"""Refits by the thousand: a weight matrix, one array program, no processes.

Draws come from PCG64 through ``Generator.integers``, so one seed gives the same draws everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalefit.fitting.grid import Grid, shape_grid
from scalefit.fitting.polish import polish
from scalefit.fitting.problem import Problem
from scalefit.fitting.projection import project
from scalefit.fitting.solve import Solution

Array = NDArray[np.float64]
CELLS = 3_000_000


@dataclass(frozen=True, eq=False)
class Draws:
    """Refitted parameters: ``theta`` (R, p) in solver's coordinates, and quoted ones by name."""

    problem: Problem
    theta: Array

    @property
    def params(self) -> dict[str, Array]:
        """Quoted parameters, each of shape (R,)."""
        return {k: np.asarray(v) for k, v in self.problem.law.params(self.theta).items()}

    def stderr(self) -> dict[str, float]:
        """Return the standard deviation of each quoted parameter over the draws."""
        return {k: float(np.std(v, ddof=1)) for k, v in self.params.items()}


def multiplicities(clusters: NDArray[np.int64], resamples: int, seed: int) -> Array:
    """How often each point is drawn when whole clusters are drawn with replacement: (R, n)."""
    rng = np.random.default_rng(seed)
    groups = int(clusters.max()) + 1
    drawn = rng.integers(0, groups, size=(resamples, groups))
    flat = drawn + groups * np.arange(resamples)[:, None]
    counts = np.bincount(flat.reshape(-1), minlength=resamples * groups).reshape(resamples, groups)
    return counts[:, clusters].astype(float)


def refit(solution: Solution, weights: Array) -> Draws:
    """Refit under every row of weights (R, n), from the optimum or a better grid point."""
    problem = solution.problem
    grid = _coarse_grid(problem)
    width = max(grid.size if grid else 1, problem.y.size) * len(solution.theta)
    block = max(1, CELLS // width)
    with np.errstate(all="ignore"):
        parts = [
            _refit_block(solution, grid, weights[i : i + block])
            for i in range(0, len(weights), block)
        ]
    return Draws(problem, np.concatenate(parts))


def _coarse_grid(problem: Problem) -> Grid | None:
    """Shapes for the starts of refits; none where grid and points together would be large."""
    if not (problem.law.separable and problem.objective.plain):
        return None
    grid = shape_grid(problem, points=16 if len(problem.law.shapes) == 1 else 8)
    return grid if grid.size * problem.y.size < CELLS else None


def _refit_block(solution: Solution, grid: Grid | None, weights: Array) -> Array:
    problem = solution.problem
    start = np.tile(solution.theta, (len(weights), 1))
    if grid:
        found = project(problem, grid, weights)
        best, rows = found.cost.argmin(0), np.arange(len(weights))
        better = found.cost[best, rows] < problem.total(solution.fitted, weights)
        there = np.concatenate([found.coefficients[:, best, rows], grid.cells[:, best]])
        start = np.where(better[:, None], there.T, start)
    return polish(problem, start, weights)


def leave_out(solution: Solution, clusters: NDArray[np.int64]) -> Draws:
    """Refit without each cluster in turn: (G, p)."""
    weights = (clusters != np.arange(clusters.max() + 1)[:, None]).astype(float)
    return refit(solution, weights)
