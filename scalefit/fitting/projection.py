"""Variable projection: given the shapes, the coefficients are a bounded least-squares problem.

For a grid of G shapes and R weight vectors at once: each product of two basis columns, summed over the points
under every row of weights, is one matrix product; each small system is solved exactly under the coefficients'
bounds, by trying the sets of coefficients that sit at a bound. Callers silence numpy's warnings: a cell whose
columns overflow or are collinear is left out by its infinite cost.

Source: Golub and Pereyra 1973, SIAM J. Numer. Anal. 10(2).
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalefit.fitting.grid import Grid
from scalefit.fitting.problem import Problem
from scalefit.laws.law import combine

Array = NDArray[np.float64]
Products = list[list[Any]]
CELLS = 4_000_000


class Projected(NamedTuple):
    """What least squares gives at each cell.

    Attributes
    ----------
    coefficients : (k, G, R), within their bounds where the cell can be the best of its row of weights.
    smooth : (G, R), the objective there.
    cost : (G, R), the same, infinite at cells that were tried and left out.
    """

    coefficients: Array
    smooth: Array
    cost: Array


def project(problem: Problem, grid: Grid, weights: Array | None = None) -> Projected:
    """Solve the coefficients at every cell of the grid, for every row of weights (R, n); R is 1 without any.

    The grid is cut into blocks, so that memory stays bounded whatever n is.
    """
    block = CELLS // problem.y.size
    if grid.size <= block:
        return _project(problem, grid, weights)
    parts = [_project(problem, part, weights) for part in grid.blocks(block)]
    return Projected(
        np.concatenate([part.coefficients for part in parts], axis=1),
        np.concatenate([part.smooth for part in parts]),
        np.concatenate([part.cost for part in parts]),
    )


def _project(problem: Problem, grid: Grid, weights: Array | None) -> Projected:
    w = problem.projection_weights[:, None]
    w = w if weights is None else weights.T * w
    columns = problem.law.columns(problem.inputs, grid.split)
    products = _products((*columns, problem.target), w)
    found = bounded_solve(products, (*grid.shape, w.shape[1]), problem.limits)
    if problem.objective.plain:
        return found
    c = found.coefficients[..., 0].reshape(-1, *grid.shape, 1)
    value = problem.law.unlinked(combine(c, columns))
    total = problem.total(value, weights).reshape(-1, 1)
    smooth, cost = (np.where(np.isfinite(c), total, np.inf) for c in (found.smooth, found.cost))
    return Projected(found.coefficients, smooth, cost)


def _products(columns: tuple[Any, ...], w: Array) -> Products:
    """Upper half of the columns' products, summed under each column of w (n, R); none larger than it must be."""
    out: Products = []
    for i, a in enumerate(columns):
        pairs = columns[i:] if type(a) is float and a == 1.0 else [a * b for b in columns[i:]]
        out.append([c @ w if isinstance(c, np.ndarray) else c * w.sum(0) for c in pairs])
    return out


def bounded_solve(
    products: Products, stack: tuple[int, ...], limits: list[tuple[float, float]]
) -> Projected:
    """Solve a stack (*grid, R) of small problems under bounds.

    ``products`` are those of the columns with each other, the target last. Bounds only raise a minimum: where
    every row's best cell is within them, nothing else need be; else cells whose free minimum is above the best
    feasible one of their row of weights are left out, and so are cells with collinear columns.
    """
    k, rows = len(products) - 1, stack[-1]
    best, rss = _eliminate(products, stack)
    best, rss = best.reshape(k, -1, rows), rss.reshape(-1, rows)
    lowest = list(enumerate(rss.argmin(0).tolist()))
    if all(_within(c, lowest, *pair) for c, pair in zip(best, limits, strict=False)):
        return Projected(best, rss, rss)
    low, high = np.array(limits[:k]).T
    inside = ((best >= low[:, None, None]) & (best <= high[:, None, None])).all(0)
    feasible = np.where(inside, rss, np.inf)
    hopeful = (rss <= feasible.min(0)) & ~inside
    if hopeful.any():
        chosen = [
            [np.broadcast_to(c, stack).reshape(-1, rows)[hopeful] for c in row] for row in products
        ]
        best[:, hopeful], rss[hopeful] = _on_faces(chosen, low, high)
        feasible[hopeful] = rss[hopeful]
    return Projected(best, rss, feasible)


def _within(c: Array, cells: list[tuple[int, int]], low: float, high: float) -> bool:
    """Whether c (G, R) lies within its bounds at the given cell of every row of weights; NaN does not."""
    return all(low <= c.item(cell, row) <= high for row, cell in cells)


def held(lower: Array, upper: Array) -> list[Array]:
    """Every way to hold coefficients at finite bounds, NaN where one is free; all free comes first."""
    sides = [
        [np.nan, *(b for b in pair if np.isfinite(b))] for pair in zip(lower, upper, strict=True)
    ]
    return [np.array(fixed) for fixed in product(*sides)]


def _on_faces(products: Products, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Best feasible solution over all choices of coefficients at a bound: (k, S) and (S,)."""
    size = products[-1][0].size
    best, rss = np.full((lower.size, size), np.nan), np.full(size, np.inf)
    for at in held(lower, upper):
        free = np.isnan(at)
        trial = np.broadcast_to(np.where(free, 0.0, at)[:, None], best.shape).copy()
        trial[free], value = _eliminate(_less(products, at), (size,))
        good = ((trial >= lower[:, None]) & (trial <= upper[:, None])).all(0)
        better = good & (value < rss)
        best[:, better], rss[better] = trial[:, better], value[better]
    return best, rss


def _less(products: Products, at: Array) -> Products:
    """Products of the free columns and the target, less the columns held ``at`` (k,)."""
    free = [i for i, value in enumerate(at) if np.isnan(value)]
    fixed = [(i, value) for i, value in enumerate(at) if not np.isnan(value)]

    def pair(i: int, j: int) -> Any:
        return products[min(i, j)][abs(j - i)]

    out = [[pair(i, j) for j in free[n:]] for n, i in enumerate(free)]
    for row, i in zip(out, free, strict=True):
        row.append(pair(i, at.size) - sum(c * pair(i, j) for j, c in fixed))
    square = products[-1][0] - 2 * sum(c * pair(j, at.size) for j, c in fixed)
    return [*out, [square + sum(c * d * pair(i, j) for i, c in fixed for j, d in fixed)]]


def _eliminate(products: Products, stack: tuple[int, ...]) -> tuple[Array, Array]:
    """Solve the normal equations by elimination, each operation on the whole stack: (k, *stack) and (*stack).

    What is left of the target's square after all columns is the sum of squares.
    """
    k, left = len(products) - 1, [list(row) for row in products]
    regular: Any = True
    for i in range(k):
        row, pivot = left[i], left[i][0]
        if i:
            regular = regular & (pivot > 1e-14 * products[i][0])
        for j in range(1, k - i + 1):
            factor = row[j] / pivot
            for c in range(j, k - i + 1):
                left[i + j][c - j] = left[i + j][c - j] - factor * row[c]
            row[j] = factor
    best = np.empty((k, *stack))
    for i in reversed(range(k)):
        best[i] = left[i][-1]
        for j in range(i + 1, k):
            best[i] -= left[i][j - i] * best[j]
    rss = left[k][0]
    return best, np.where(regular & (rss < np.inf), np.maximum(rss, 0.0), np.inf)
