"""A grid over the shapes of a law: the product of one axis a shape, never written out before it must be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from scalefit.laws.law import Law
from scalefit.laws.parts import Span, ticks
from scalefit.types import Floats, Ints

REACH, NEWTON = 5, 12


@dataclass(frozen=True, eq=False)
class Grid:
    """One ascending axis a shape; cells are in C order."""

    axes: tuple[Floats, ...]

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Points on each axis."""
        return tuple(a.size for a in self.axes)

    @cached_property
    def split(self) -> tuple[Floats, ...]:
        """Each axis with room for the others and for the points, so that a column costs what it varies with."""
        m = len(self.axes)
        return tuple(a.reshape(-1, *[1] * (m - i)) for i, a in enumerate(self.axes))

    @property
    def size(self) -> int:
        """Number of cells."""
        return math.prod(self.shape)

    @property
    def cells(self) -> Floats:
        """Shapes of every cell: (m, G)."""
        out = np.empty((len(self.axes), *self.shape))
        for i, axis in enumerate(self.split):
            out[i] = axis[..., 0]
        return out.reshape(len(self.axes), self.size)


def shape_grid(law: Law, limits: Sequence[Span], points: int | None = None) -> Grid:
    """Grid of the law's shapes within ``limits`` of theta, thinned to about ``points`` an axis; one object a range."""
    pairs = zip(law.shapes, limits[len(law.coefficients) :], strict=True)
    return _grid(tuple((*span, s.spacing, s.points) for s, span in pairs), points)


# Where ranges are fixed every curve of a table asks for this very grid.
@lru_cache(maxsize=128)
def _grid(axes: tuple[tuple[float, float, str, int], ...], points: int | None) -> Grid:
    full = (ticks(*axis) for axis in axes)
    return Grid(tuple(a if points is None else a[:: max(1, a.size // points)] for a in full))


class Start(NamedTuple):
    """Where a descent begins: theta read between the cells, and the cell itself with its cost, should it be better."""

    theta: list[float]
    cell: list[float]
    cost: float


def between_cells(grid: Grid, coefficients: Floats, cost: Floats, cell: int) -> Start:
    """Coefficients, then shapes, at the minimum next to a cell: a polynomial through its neighbours on every axis.

    ``coefficients`` (k, G) and ``cost`` (G,) are those of the cells. Costs of a smooth law are so smooth that
    eleven cells give the minimum to eight digits; where an axis ends nearby, or a cost is infinite, fewer serve.
    Axes are taken one by one, so along a narrow valley of two shapes the cell may be the better start.
    For one curve a call of numpy costs more than the arithmetic in it: this is plain floats where it can be.
    """
    here, stride = coefficients[:, cell], cost.size
    # Each axis adds c(its minimum) and with it c(cell) again: so the cell's own is taken off m − 1 times.
    best, shapes, there = (1 - len(grid.axes)) * here, [], []
    for axis in grid.axes:
        stride //= axis.size
        at = cell // stride % axis.size
        first = cell - at * stride
        line = cost[first : first + axis.size * stride : stride]
        reach = _reach(line, at)
        lagrange = _vertex(line[at - reach : at + reach + 1], reach)
        near = slice(cell - reach * stride, cell + reach * stride + 1, stride)
        shapes.append(float(axis[at - reach : at + reach + 1] @ lagrange))
        there.append(float(axis[at]))
        best += coefficients[:, near] @ lagrange
    return Start([*best.tolist(), *shapes], [*here.tolist(), *there], float(cost[cell]))


def _reach(line: Floats, at: int) -> int:
    """How many cells on each side can be used."""
    # The same on both sides: a polynomial through cells of one side only has its minimum anywhere.
    reach = min(REACH, at, line.size - 1 - at)
    while reach and not math.isfinite(sum(line[at - reach : at + reach + 1].tolist())):
        reach -= 1
    return reach


def _vertex(values: Floats, reach: int) -> Floats:
    """Weights of the cells at the minimum of the polynomial through them; the middle one if it has none nearby."""
    if not reach:
        return np.ones(1)
    slopes, through = _polynomials(reach)
    coefficients = (slopes @ values).tolist()
    *_, bend, slope = coefficients
    t = step = -slope / bend if bend > 0 else math.inf
    for _ in range(NEWTON):  # it is there when the next step would be of order 1e-10
        if abs(step) <= 1e-5 or not abs(t) <= 1:
            break
        slope = bend = 0.0
        for c in coefficients:  # Horner's rule for the slope, and for its derivative
            bend = bend * t + slope
            slope = slope * t + c
        step = -slope / bend if bend > 0 else math.inf
        t += step
    at = t if abs(step) <= 1e-5 and abs(t) <= 1 else 0.0
    return np.array([at**i for i in range(2 * reach + 1)]) @ through


@dataclass(frozen=True, eq=False)
class Starts:
    """Where descents begin: theta (S, p) read between the cells, the cell's own with its cost (S,), whose (S,)."""

    theta: Floats
    cell: Floats
    cost: Floats
    row: Ints


def between_cells_each(
    axes: Sequence[Floats], coefficients: Floats, cost: Floats, cells: Sequence[Ints]
) -> Starts:
    """Coefficients, then shapes, at the minimum next to each cell: a polynomial through its neighbours on every axis.

    What :func:`between_cells` reads, for all of them at once.

    Parameters
    ----------
    axes : (g, B) each, of B curves' grids.
    coefficients, cost : (k, *grid, B) and (*grid, B), at their cells.
    cells : (S,) each: places of the minima along every axis, and the curve's.
    """
    *places, row = cells
    every: tuple[Any, ...] = (slice(None), *cells)
    here = coefficients[every]
    best, shapes, there = (1 - len(axes)) * here, [], []
    for i, (axis, at) in enumerate(zip(axes, places, strict=True)):
        near = at + np.arange(-REACH, REACH + 1)[:, None]
        out = (near < 0) | (near >= len(axis))
        near = np.clip(near, 0, len(axis) - 1)
        window = (*places[:i], near, *places[i + 1 :], row)
        line = np.where(
            out, np.inf, cost[window]
        )  # beyond the grid is as bad as a cell without a value
        lagrange = _vertices(line)
        shapes.append(_weighed(lagrange, axis[near, row]))
        there.append(axis[at, row])
        best += _weighed(lagrange, coefficients[:, *window])
    return Starts(
        np.stack([*best, *shapes], axis=-1),
        np.stack([*here, *there], axis=-1),
        cost[tuple(cells)],
        row,
    )


def _weighed(weights: Floats, values: Floats) -> Floats:
    """Σ over cells (w, S) of weight times value (..., w, S); a cell of weight 0 may hold anything."""
    return in_turn(np.moveaxis(np.where(weights == 0, 0.0, weights * values), -2, 0))


@lru_cache(maxsize=REACH + 1)
def _polynomials(reach: int) -> tuple[Floats, Floats]:
    """Turn values at −reach … reach into the slope's coefficients, highest power first, and powers into weights."""
    power = np.arange(2 * reach + 1.0)
    through = np.linalg.inv(np.vander(power - reach, increasing=True))
    return (through * power[:, None])[:0:-1].copy(), through


def _vertices(lines: Floats) -> Floats:
    """Weights (w, S) of the cells at the minimum of the polynomial through them; the middle one if none is nearby.

    The same number of cells serves on both sides of the middle, up to the first that is infinite: a polynomial through
    cells of one side only has its minimum anywhere.
    """
    sound = np.isfinite(lines[REACH:]) & np.isfinite(lines[REACH::-1])
    reaches = np.logical_and.accumulate(sound).sum(0) - 1
    out = np.zeros(lines.shape)
    out[REACH] = 1.0
    for reach in range(1, REACH + 1):
        rows = np.flatnonzero(reaches == reach)
        if rows.size:
            near = slice(REACH - reach, REACH + reach + 1)
            out[near, rows] = _least(lines[near, rows], *_polynomials(reach))
    return out


def _least(values: Floats, slopes: Floats, through: Floats) -> Floats:
    """Weights (w, S) at the minima of polynomials through values (w, S), by Newton's method on their slopes."""
    coefficients = [_dot(row, values) for row in slopes]
    *_, bend, slope = coefficients
    with np.errstate(all="ignore"):
        t = step = np.where(bend > 0, -slope / bend, np.inf)
        for _ in range(NEWTON):  # it is there when the next step would be of order 1e-10
            going = (np.abs(step) > 1e-5) & (np.abs(t) <= 1)
            if not going.any():
                break
            slope = bend = np.zeros(t.shape)
            for c in coefficients:  # Horner's rule for the slope, and for its derivative
                bend = bend * t + slope
                slope = slope * t + c
            step = np.where(going, np.where(bend > 0, -slope / bend, np.inf), step)
            t = np.where(going, t + step, t)
        at = np.where((np.abs(step) <= 1e-5) & (np.abs(t) <= 1), t, 0.0)
    powers: Floats = at ** np.arange(float(len(values)))[:, None]
    return np.stack([_dot(column, powers) for column in through.T])


def _dot(row: Floats, values: Floats) -> Floats:
    """Σ_i row_i · values_i, (w, S) each."""
    return in_turn(row[:, None] * values)


def in_turn(values: Floats) -> Floats:
    """Return the sum along the first axis, one after the other whatever the other axes are.

    Left alone, numpy adds a lone column of eight and more in pairs, and columns beside each other in turn; a product of
    matrices has an order of its own. The last digit of a curve would then hang on whether others stand beside it.
    """
    values = np.ascontiguousarray(values)
    return np.asarray(values.sum(0) if values[0].size > 1 else np.add.accumulate(values)[-1])
