"""A grid over the shapes of a law: the product of one axis a shape, never written out before it must be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from scalefit.laws.law import Law
from scalefit.laws.parts import ticks
from scalefit.types import Floats

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


def shape_grid(law: Law, inputs: tuple[Floats, ...], points: int | None = None) -> Grid:
    """Grid of the law's shapes, thinned to about ``points`` an axis; the same object for the same ranges."""
    axes = ((*s.bounds(inputs, law.constants), s.spacing, s.points) for s in law.shapes)
    return _grid(tuple(axes), points)


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
    """
    here, stride = coefficients[:, cell], cost.size
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


@lru_cache(maxsize=REACH + 1)
def _polynomials(reach: int) -> tuple[Floats, Floats]:
    """Turn values at −reach … reach into the slope's coefficients, highest power first, and powers into weights."""
    power = np.arange(2 * reach + 1.0)
    through = np.linalg.inv(np.vander(power - reach, increasing=True))
    return (through * power[:, None])[:0:-1].copy(), through


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
