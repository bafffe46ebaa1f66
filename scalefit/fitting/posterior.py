"""Draws from a fit's posterior: shapes on a fine grid, coefficients exactly, no chains and nothing to tune.

Under normal noise of unknown size, and priors that are flat in shapes and coefficients and 1/σ in the noise, the
coefficients integrate out: the posterior of the shapes is |X'X|^(−1/2) · RSS^(−(n − k)/2), and given the shapes the
coefficients have a multivariate t distribution. What lies outside a bound is drawn again.

Source: Gelman et al. 2013, Bayesian Data Analysis, section 14.2 (regression) and 10.1 (grids).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from scalefit.errors import DomainError
from scalefit.fitting.intervals.uncertainty import Uncertainty
from scalefit.fitting.problem import Problem
from scalefit.fitting.solve import Solution
from scalefit.types import Floats

_CELLS = 4000
_WIDE = 0.999  # the grid spans the fit's interval of every shape at this level
TRIES = 50


def posterior_draws(
    solution: Solution, uncertainty: Uncertainty, draws: int, seed: int
) -> dict[str, Floats]:
    """Return draws of the quoted parameters, each (1, draws): one chain, as ArviZ reads them.

    Raises DomainError: the law is not separable, or there are no more points than parameters.
    """
    problem, law = solution.problem, solution.problem.law
    n, k = problem.y.size, len(law.coefficients)
    if not law.separable or law.link == "log" or n <= k + len(law.shapes):
        raise DomainError(
            f"law {law.name!r} with {n} points: draws need a separable law behind no link and more points than "
            "parameters. Try: fit.to_lmfit().emcee()"
        )
    quoted = law.params(_drawn(_Cells.of(solution, uncertainty), draws, seed))
    return {name: np.broadcast_to(v, (1, draws)).astype(float) for name, v in quoted.items()}


@dataclass(frozen=True, eq=False)
class _Cells:
    """Cells (G, m) over the shapes, each cell's width (m,), and the posterior's share of each (G,)."""

    problem: Problem
    grid: Floats
    width: Floats
    share: Floats

    @staticmethod
    def of(solution: Solution, uncertainty: Uncertainty) -> _Cells:
        problem = solution.problem
        grid, width = _grid(solution, uncertainty)
        dof = problem.y.size - len(problem.law.coefficients)
        fitted = [_given(problem, cell) for cell in grid]
        logs = [-0.5 * det - dof / 2 * np.log(max(rss, 1e-300)) for *_, det, rss in fitted]
        # Less the largest: exp of a few hundred alone is already infinite.
        share = np.exp(np.array(logs) - max(logs))
        return _Cells(problem, grid, width, share / share.sum())

    def shapes(self, rng: np.random.Generator) -> Floats:
        """Draw a cell, and a place within it: (m,)."""
        cell = self.grid[rng.choice(self.share.size, p=self.share)]
        return np.asarray(cell + self.width * (rng.random(self.width.size) - 0.5))


def _grid(solution: Solution, uncertainty: Uncertainty) -> tuple[Floats, Floats]:
    """Return cells (G, m) over the shapes, and each cell's width (m,)."""
    law = solution.problem.law
    k, m = len(law.coefficients), len(law.shapes)
    if m == 0:
        return np.empty((1, 0)), np.empty(0)
    lower, upper = (b[k:] for b in solution.problem.bounds)
    low, high = (np.asarray(v)[k:] for v in uncertainty.at(_WIDE).coordinates())
    low, high = (
        np.maximum(np.nan_to_num(low, neginf=-1e300), lower),
        np.minimum(np.nan_to_num(high, posinf=1e300), upper),
    )
    points = max(3, int(_CELLS ** (1 / m)))
    width = (high - low) / points
    axes = [a + w * (np.arange(points) + 0.5) for a, w in zip(low, width, strict=True)]
    return np.array(list(itertools.product(*axes))), width


def _given(problem: Problem, shapes: Floats) -> tuple[Floats, Floats, float, float]:
    """Return the best coefficients, the inverse of X'X, ln det X'X and the sum of squares at these shapes."""
    columns = problem.law.columns(problem.inputs, tuple(shapes.tolist()))
    weight = np.sqrt(problem.projection_weights)
    X = np.column_stack([np.broadcast_to(c, problem.y.shape) * weight for c in columns])
    inverse = np.linalg.pinv(X.T @ X)
    best = inverse @ (X.T @ (problem.y * weight))
    rest = problem.y * weight - X @ best
    return best, inverse, float(np.linalg.slogdet(X.T @ X)[1]), float(rest @ rest)


def _drawn(cells: _Cells, draws: int, seed: int) -> Floats:
    """Draw shapes, and coefficients there; again where a bound is crossed."""
    rng, problem, law = np.random.default_rng(seed), cells.problem, cells.problem.law
    k, n = len(law.coefficients), problem.y.size
    low, high = problem.bounds
    out: list[Floats] = []
    for _ in range(TRIES * draws):
        shapes = cells.shapes(rng)
        best, inverse, _, rss = _given(problem, shapes)
        scale = np.sqrt(rss / rng.chisquare(n - k))
        c = best + scale * (
            np.linalg.cholesky(inverse + 1e-300 * np.eye(k)) @ rng.standard_normal(k)
        )
        theta = np.concatenate([c, shapes])
        if ((theta >= low) & (theta <= high)).all():
            out.append(theta)
            if len(out) == draws:
                return np.array(out)
    raise DomainError(
        f"only {len(out)} of {TRIES * draws} draws lie within the bounds of law {law.name!r}: its optimum sits at one. "
        "Take a law with fewer parameters"
    )
