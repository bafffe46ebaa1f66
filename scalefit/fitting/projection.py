"""Variable projection: given the shapes, the coefficients are a bounded least-squares problem.

For a grid of G shapes, and for one or R rows of weights at once: each product of two basis columns, summed over
the points under every row of weights, is one matrix product; each small system is solved exactly under the
coefficients' bounds, by trying the sets of coefficients that sit at a bound. Callers silence numpy's warnings: a
cell whose columns overflow or are collinear is left out by its infinite cost.

Source: Golub and Pereyra 1973, SIAM J. Numer. Anal. 10(2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import product
from operator import and_
from typing import Any, NamedTuple, cast

import numpy as np

from scalefit.fitting.grid import Grid, in_turn
from scalefit.fitting.problem import Problem
from scalefit.laws.law import combine
from scalefit.types import Floats

Products = list[list[Any]]
AT_A_TIME = 150_000


class Projected(NamedTuple):
    """What least squares gives at each cell; rows of weights (R, n) add a last axis of R to each.

    Attributes
    ----------
    coefficients : (k, G), within their bounds where the cell can be the best of its row of weights.
    smooth : (G,), the objective there.
    cost : (G,), the same, infinite at cells that were tried and left out.
    """

    coefficients: Floats
    smooth: Floats
    cost: Floats


def project(problem: Problem, grid: Grid, weights: Floats | None = None) -> Projected:
    """Solve the coefficients at every cell of the grid, under weights (n,) or every row of weights (R, n).

    Points are taken a part at a time, so that cost is linear in them and memory stays bounded.
    """
    w = problem.projection_weights if weights is None else weights * problem.projection_weights
    parts, products = problem.parts(AT_A_TIME // grid.size), None
    for part, here in parts:
        columns = part.law.columns(part.inputs, grid.split)
        products = _products((*columns, part.target), w[..., here].T, products)
    assert products is not None
    solved = bounded_solve(products, grid.shape, w.shape[:-1], problem.limits)
    if problem.objective.plain:
        return solved
    # Any other loss has no closed form: the coefficients stay those of least squares, which are near, but cells are
    # ranked by the loss itself, or an outlier would choose the basin.
    c, total = solved.coefficients.reshape(-1, *grid.shape, 1), np.zeros(grid.shape)
    for part, here in parts:
        if len(parts) > 1:  # else the columns are still at hand
            columns = part.law.columns(part.inputs, grid.split)
        value = part.law.unlinked(combine(c, columns))
        total += part.total(value, None if weights is None else weights[..., here])
    flat = total.reshape(-1)
    smooth, cost = (np.where(np.isfinite(v), flat, np.inf) for v in (solved.smooth, solved.cost))
    return Projected(solved.coefficients, smooth, cost)


def project_each(problem: Problem, weights: Floats | None, axes: Sequence[Floats]) -> Projected:
    """Solve the coefficients of B curves, the problem's vectors (B, n), over axes (g, B) of each curve's own grid.

    What comes back has a last axis of B. Points are summed along the first axis: whole rows of cells are added at
    once, and in the same order however many curves there are.
    """
    m, (curves, n) = len(axes), problem.y.shape

    def points_first(values: Floats) -> Floats:
        # Curves of one table were mostly trained at the same sizes: then their columns are worked out once.
        same = values[:1] if (values == values[0]).all() else values
        return np.ascontiguousarray(same.T).reshape(n, *[1] * m, -1)

    constants = cast(Mapping[str, Any], problem.law.constants)
    law = problem.law.at({name: cast(float, _once(v[:, 0])) for name, v in constants.items()})
    shapes = tuple(
        _once(a).reshape(-1, *[1] * (m - 1 - i), *_once(a).shape[1:]) for i, a in enumerate(axes)
    )
    inputs = tuple(points_first(x) for x in problem.inputs)
    columns = tuple(np.asarray(c) for c in law.columns(inputs, shapes))
    given = problem.projection_weights if weights is None else weights * problem.projection_weights
    w, target = points_first(given), points_first(problem.target)
    last = (
        target * w
    )  # of a curve, and not of its cells: weighted first, it costs each cell one product less
    products = [
        [*(in_turn(a * b * w) for b in columns[i:]), in_turn(a * last)]
        for i, a in enumerate(columns)
    ]
    products.append([np.broadcast_to(in_turn(target * last), (*[1] * m, curves))])
    shape = tuple(len(a) for a in axes)
    limits = [(c.lower, c.upper) for c in law.coefficients]
    solved = bounded_solve(products, shape, (curves,), limits)
    if problem.objective.plain:
        return solved
    value = law.unlinked(combine(solved.coefficients.reshape(-1, *shape, curves), columns))
    scale = None if problem.scale is None else points_first(problem.scale)
    measured = replace(problem, y=points_first(problem.y), scale=scale)
    loss = problem.objective.rho(measured.residual(value))
    if weights is not None:
        loss = points_first(weights) * loss
    flat = in_turn(np.broadcast_to(loss, (n, *shape, curves))).reshape(-1, curves)
    smooth, cost = (np.where(np.isfinite(v), flat, np.inf) for v in (solved.smooth, solved.cost))
    return Projected(solved.coefficients, smooth, cost)


def _once(values: Floats) -> Floats:
    """Return rows (g, B) or values (B,) that are the same for all curves as those of one."""
    return values[..., :1] if (values == values[..., :1]).all() else values


def _products(columns: tuple[Any, ...], w: Floats, so_far: Products | None) -> Products:
    """Upper half of the columns' products, summed under w, (n,) or (n, R), and added to those of earlier points."""
    out: Products = []
    for i, a in enumerate(columns):
        # A constant column is the number 1: most laws have one, and its products are the other columns themselves.
        pairs = columns[i:] if type(a) is float and a == 1.0 else [a * b for b in columns[i:]]
        out.append([c @ w if isinstance(c, np.ndarray) else c * w.sum(0) for c in pairs])
    if so_far is None:
        return out
    return [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(so_far, out, strict=True)]


def bounded_solve(
    products: Products,
    grid: tuple[int, ...],
    rows: tuple[int, ...],
    limits: list[tuple[float, float]],
) -> Projected:
    """Solve a stack (*grid, *rows) of small problems under bounds.

    ``products`` are those of the columns with each other, the target last. Bounds only raise a minimum: where a
    row's best cell is within them, none of its others need be; else cells whose free minimum is above the best
    feasible one of their row are left out, and so are cells with collinear columns. Rows know nothing of each other.
    """
    k, stack = len(products) - 1, (*grid, *rows)
    best, rss = _eliminate(products, stack)
    best, rss = best.reshape(k, -1, *rows), rss.reshape(-1, *rows)
    lowest = rss.argmin(0)
    if not rows:  # one curve: a call of numpy costs more than the arithmetic in it
        pairs = zip(best[:, lowest].tolist(), limits, strict=False)
        if all(low <= c <= high for c, (low, high) in pairs):
            return Projected(best, rss, rss)
    low, high = np.array(limits[:k]).T.reshape(2, k, *[1] * rss.ndim)
    inside = ((best >= low) & (best <= high)).all(0)
    fine = np.take_along_axis(inside, lowest[None], 0)[0]
    if fine.all():
        return Projected(best, rss, rss)
    feasible = np.where(inside | fine, rss, np.inf)
    # A bound can only raise a cell's minimum: cells that are worse even without bounds need no face tried, and of a
    # large grid a few dozen remain.
    hopeful = (rss <= feasible.min(0)) & ~inside & ~fine
    if hopeful.any():
        chosen = [
            [np.broadcast_to(c, stack).reshape(rss.shape)[hopeful] for c in row] for row in products
        ]
        best[:, hopeful], rss[hopeful] = _on_faces(chosen, low.reshape(k), high.reshape(k))
        feasible[hopeful] = rss[hopeful]
    return Projected(best, rss, feasible)


def held(lower: Floats, upper: Floats) -> list[Floats]:
    """Every way to hold coefficients at finite bounds, NaN where one is free; all free comes first."""
    sides = [
        [np.nan, *(b for b in pair if np.isfinite(b))] for pair in zip(lower, upper, strict=True)
    ]
    return [np.array(fixed) for fixed in product(*sides)]


def _on_faces(products: Products, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """Best feasible solution over all choices of coefficients at a bound: (k, S) and (S,)."""
    size = products[-1][0].size
    best, rss = np.full((lower.size, size), np.nan), np.full(size, np.inf)
    # The problem is convex: its optimum is the free minimum of one of these few faces, and no iteration is needed.
    for at in held(lower, upper):
        free = np.isnan(at)
        trial = np.broadcast_to(np.where(free, 0.0, at)[:, None], best.shape).copy()
        trial[free], value = _eliminate(_less(products, at), (size,))
        good = ((trial >= lower[:, None]) & (trial <= upper[:, None])).all(0)
        better = good & (value < rss)
        best[:, better], rss[better] = trial[:, better], value[better]
    return best, rss


def _less(products: Products, at: Floats) -> Products:
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


def _eliminate(products: Products, stack: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Solve the normal equations by elimination, each operation on the whole stack: (k, *stack) and (*stack).

    What is left of the target's square after all columns is the sum of squares.
    """
    # np.linalg.solve calls LAPACK once a system, and these are 2 × 2 or 3 × 3: calls would cost more than arithmetic.
    k, left = len(products) - 1, [list(row) for row in products]
    regular = []
    for i in range(k):
        row, pivot = left[i], left[i][0]
        if i:
            # A pivot that lost 14 digits is rounding: the column is a sum of those before it, and its coefficient
            # would be anything.
            regular.append(pivot > 1e-14 * products[i][0])
        for j in range(1, k - i + 1):
            factor = row[j] / pivot
            for c in range(j, k - i + 1):
                left[i + j][c - j] = left[i + j][c - j] - factor * row[c]
            row[j] = factor
    best = np.empty((k, *stack))
    for i in reversed(range(k)):
        c = left[i][-1]
        for j in range(i + 1, k):
            c = c - left[i][j - i] * best[j]
        best[i] = c
    rss = left[k][0]
    sound = reduce(and_, regular, rss < np.inf)
    return best, np.where(sound, np.maximum(rss, 0.0), np.inf)
