"""Likelihood regions seen from two sides: face by face over a grid of shapes, and along the edge in all coordinates.

At given shapes the region is an ellipsoid in the coefficients. What is linear in them (the curve at x, a floor) has
its extremes there in closed form,

    ĉ(θ) ± sqrt(v(θ) · (limit − RSS(θ))),    v = aᵀ M⁻¹ a:

no search, and asymmetric where the likelihood is. A face is a way to hold coefficients at their bounds. The end of
anything else, and what lies between the shapes of the grid, is followed from there along the edge: with the curve's
plane at hand the region is an ellipsoid in all of theta. Axes are those of :mod:`scalefit.fitting.intervals.region`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from scalefit.laws.law import Law, combine
from scalefit.types import Floats, Ints, Mask

SIDES = np.array([-1.0, 1.0]).reshape(2, 1, 1)
RIDGE = 1e-13
# Steps along the edge, each shorter by this where it is no better, down to the least; how little is still gained at the
# end, of its distance; and how far outside, of what the sum of squares may rise, still counts as the edge.
STEPS, SHORTER, LEAST, CLOSE, SLACK = 40, 0.4, 0.02, 5e-4, 1e-4


@dataclass(frozen=True, eq=False)
class EndsAsked:
    """Ends that are searched together: a quoted parameter each, and its side (L, 1, 1), −1 for the least value."""

    names: tuple[str, ...]
    side: Floats

    def of(self, law: Law, theta: Floats) -> Floats:
        """Return side times parameter (L, B, C) at theta (L or 1, B, C, p)."""
        params, (count, *stack) = law.params(theta), theta.shape[:-1]
        out = np.empty((len(self.names), *stack))
        for i, name in enumerate(self.names):
            value = np.broadcast_to(params[name], theta.shape[:-1])
            out[i] = value[i if count > 1 else 0]
        return np.multiply(out, self.side, out=out)


@dataclass(frozen=True, eq=False)
class Face:
    """Shapes in and around the regions, with some coefficients held at a bound.

    Attributes
    ----------
    law : the law, its constants (B, 1).
    rows : (B,) whose curves these are.
    shapes : (m, L, B, C).
    best, rss : coefficients (k, L, B, C) that are best there, and the sum of squares they leave (L, B, C).
    inverse : (k, k, L, B, C) inverse of the columns' products; 0 where a coefficient is held.
    limit : (B, 1) largest sum of squares in the region.
    """

    law: Law
    rows: Ints
    shapes: Floats
    best: Floats
    rss: Floats
    inverse: Floats
    limit: Floats

    def inside(self, row: int) -> Face:
        """Return the cells (1, 1, S) of one curve's region."""
        keep = (self.rss <= self.limit)[0, row]
        every = (self.shapes, self.best, self.rss, self.inverse)
        shapes, best, rss, inverse = (v[..., row, :][..., keep][..., None, :] for v in every)
        return Face(self.law, self.rows[[row]], shapes, best, rss, inverse, self.limit[[row]])

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Bounds of the coefficients."""
        return [(c.lower, c.upper) for c in self.law.coefficients]

    @cached_property
    def feasible(self) -> Mask:
        """Where the best coefficients are within their bounds: (L, B, C)."""
        return self._allowed(self.best)

    @property
    def meets_a_bound(self) -> Mask:
        """Of which curves (B,) any ellipsoid of the region crosses a bound of a coefficient."""
        crossed = np.zeros(self.rss.shape, dtype=bool)
        for j, (low, high) in enumerate(self.bounds):
            half = np.sqrt(self.room * self.inverse[j, j])
            crossed |= (self.best[j] - half < low) | (self.best[j] + half > high)
        return np.asarray((crossed & (self.rss <= self.limit)).any((0, -1)))

    @cached_property
    def room(self) -> Floats:
        """How far the sum of squares may rise: (L, B, C)."""
        return np.maximum(self.limit - self.rss, 0.0)

    def linear(self, columns: tuple[Any, ...], size: int) -> tuple[Floats, Floats]:
        """Extremes of Σ_j a_j c_j for columns a_j (Q, S) over the cells of one curve: low and high, each (Q,).

        Written out over the pairs of coefficients, of which there are few: a stack of tiny matrix products would cost
        several times as much.
        """
        k, best, inverse = len(columns), self.best[:, 0, 0], self.inverse[:, :, 0, 0]
        steps = [combine(columns, tuple(inverse[:, j])) for j in range(k)]
        # On the ellipsoid (c − ĉ)ᵀH(c − ĉ) ≤ room, aᵀc ends at aᵀĉ ± √(room · aᵀH⁻¹a): here v = aᵀH⁻¹a.
        v, center = combine(columns, tuple(steps)), combine(columns, tuple(best))
        with np.errstate(all="ignore"):
            reach = np.sqrt(np.where(v > 0, self.room[0, 0] / v, 0.0))
        low = self._ends(center, v, reach, steps, -1.0, size).min(-1, initial=np.inf)
        high = self._ends(center, v, reach, steps, 1.0, size).max(-1, initial=-np.inf)
        return low, high

    def _ends(
        self, center: Floats, v: Floats, reach: Floats, steps: list[Floats], side: float, size: int
    ) -> Floats:
        """One end of the functional at each shape, out of the way where it breaks a bound: (Q, S).

        A face whose end breaks a bound has none there: the extreme then lies on the face that holds that bound.
        """
        ends, best = center + side * reach * v, self.best[:, 0, 0]
        # With slack: by rounding alone the free face and the held one would both refuse an end at the bound.
        good: Mask = np.broadcast_to(~np.isnan(ends), (size, best.shape[-1])).copy()
        scale = 1e-9 * np.maximum(np.abs(best).max(0, initial=0.0), 1e-300)
        for c, step, (low, high) in zip(best, steps, self.bounds, strict=True):
            if np.isfinite(low):
                good &= c + side * reach * step >= low - scale
            if np.isfinite(high):
                good &= c + side * reach * step <= high + scale
        return np.where(good, ends, -side * np.inf)

    def cost_at(self, weights: Floats, value: float) -> float:
        """Least RSS over the shapes with Σ_j a_j c_j = value, for ``weights`` (k,)."""
        step = np.einsum("ij...,j->i...", self.inverse, weights)
        gap = value - np.einsum("j...,j->...", self.best, weights)
        v = np.einsum("j...,j->...", step, weights)
        with np.errstate(all="ignore"):
            along = np.where(v > 0, gap / v, np.where(gap == 0, 0.0, np.inf))
            cost = self.rss + along * gap
            good = self._allowed(self.best + along * step) & np.isfinite(cost)
        return float(cost[good].min(initial=np.inf))

    def extremes(self, asked: EndsAsked) -> tuple[Floats, Floats]:
        """Largest of each asked end (L, B), and its theta (p, L, B).

        At each shape along the quantity's slope to the ellipsoid's edge: there is the extreme of what is linear.
        """
        with np.errstate(all="ignore"):
            at = self._along(self._slope(asked, self.best))
            return self._largest(self._quoted(asked, at), at)

    def coordinate(self, j: int) -> tuple[Floats, Floats]:
        """Largest of −1 and of 1 times the solver's coordinate ``j`` (2, B), and its theta (p, 2, B)."""
        k = len(self.best)
        with np.errstate(all="ignore"):
            if j >= k:
                value = SIDES * self.shapes[j - k]
                return self._largest(value, self.best)
            # The end of a linear quantity in closed form: along the inverse's own row.
            far = np.sqrt(self.room / self.inverse[j, j])
            far = SIDES * np.where(np.isfinite(far), far, 0.0)
            at = self.best + far * self.inverse[j]
            low, high = self.bounds[j]
            return self._largest(SIDES * np.clip(at[j], low, high), at)

    def _largest(self, value: Floats, at: Floats) -> tuple[Floats, Floats]:
        """Largest value (L, B) in the region where its coefficients are allowed, and its theta (p, L, B)."""
        good = self._allowed(at) & (self.rss <= self.limit) & ~np.isnan(value)
        value = np.where(good, value, -np.inf)
        ends, curves = value.shape[:2]
        here = np.arange(ends)[:, None], np.arange(curves), value.argmax(-1)
        parts = (np.broadcast_to(v, (len(v), *value.shape))[:, *here] for v in (at, self.shapes))
        return value[here], np.concatenate([*parts])

    def _along(self, slope: Floats) -> Floats:
        """End (k, L, B, C) of the ellipsoid in the direction that ``slope`` rises most for its length."""
        step = np.stack([combine(slope, tuple(row)) for row in self.inverse])
        v = (step * slope).sum(0)
        return np.asarray(self.best + np.sqrt(np.where(v > 0, self.room / v, 0.0)) * step)

    def _quoted(self, asked: EndsAsked, coefficients: Floats) -> Floats:
        """Return what is asked (L, B, C) at coefficients (k, L or 1, B, C), within their bounds."""
        theta = np.empty((len(coefficients) + len(self.shapes), *coefficients.shape[1:]))
        for j, (low, high) in enumerate(self.bounds):
            np.minimum(np.maximum(coefficients[j], low), high, out=theta[j])
        theta[len(coefficients) :] = self.shapes
        return asked.of(self.law, np.moveaxis(theta, 0, -1))

    def _slope(self, asked: EndsAsked, at: Floats) -> Floats:
        """Return the derivative (k, L, B, C) by the coefficients; 0 where there is none, as at the bound of a root."""
        out = np.empty((len(at), len(asked.names), *at.shape[2:]))
        for j, (low, high) in enumerate(self.bounds):
            step = 1e-6 * np.maximum(np.abs(at[j]), 1e-12)
            up, down = at.copy(), at.copy()
            up[j], down[j] = np.minimum(at[j] + step, high), np.maximum(at[j] - step, low)
            # A best coefficient may lie outside of its bounds, and so would both sides of its difference.
            np.maximum(up[j], low, out=up[j])
            np.minimum(down[j], high, out=down[j])
            rise = self._quoted(asked, up) - self._quoted(asked, down)
            out[j] = rise / (up[j] - down[j])
        out[~np.isfinite(out)] = 0.0
        return out

    def _allowed(self, c: Floats) -> Mask:
        slack = 1e-9 * np.maximum(np.abs(c).max(0, initial=0.0), 1e-300)
        good = np.ones(c.shape[1:], dtype=bool)
        for value, (low, high) in zip(c, self.bounds, strict=True):
            good &= (value >= low - slack) & (value <= high + slack)
        return good


@dataclass(frozen=True, eq=False)
class Edge:
    """The edges of many regions: theta is (L, B, p) here, and points (B, n) come last.

    ``root`` is that of the points' weights, ``best`` (B, p) the optima, ``limit`` (B,) the largest sum of squares.
    """

    law: Law
    inputs: tuple[Floats, ...]
    target: Floats
    root: Floats
    best: Floats
    bounds: tuple[Floats, Floats]
    limit: Floats

    def _off(self, value: Floats) -> Floats:
        value = np.log(value) if self.law.link == "log" else value
        return np.asarray(self.root * (self.target - value))

    def rss(self, theta: Floats) -> Floats:
        """Weighted sum of squares (L, B)."""
        return np.asarray((self._off(self.law.value(self.inputs, theta)) ** 2).sum(-1))

    @cached_property
    def room(self) -> Floats:
        """How far the sum of squares may rise above that of the optimum (B,)."""
        return self.limit - self.rss(self.best)

    def holds(self, theta: Floats) -> Mask:
        """Which theta (L, B) lie in their region, or as good as."""
        return np.asarray(self.rss(theta) <= self.limit + SLACK * self.room)

    def drawn_in(self, theta: Floats) -> Floats:
        """Bring back what lies outside: along a line from the optimum the sum of squares is nearly a parabola."""
        share = 1 + (self.rss(theta) - self.limit) / self.room
        return np.asarray(self.best + (theta - self.best) / np.sqrt(np.fmax(share, 1))[..., None])

    def step(self, asked: EndsAsked, theta: Floats) -> tuple[Floats, Floats]:
        """Way (L, B, p) to the farthest point of the ellipsoid that the region is if the curve is a plane at theta.

        What would leave a bound that it lies at is held there, and nothing goes beyond the first bound that it meets.
        Beside it what is gained (L, B), as a part of how far the end is from the optimum.
        """
        low, high = self.bounds
        slope = self._slope(asked, theta)
        way = self._farthest(slope, theta)
        gap = np.where(way < 0, low - theta, high - theta)
        share = np.where(way != 0, gap / way, np.inf).min(-1, keepdims=True)
        way = np.clip(theta + np.minimum(share, 1.0) * way, low, high) - theta
        return way, (slope * way).sum(-1) / np.abs((slope * (theta - self.best)).sum(-1))

    def _farthest(self, slope: Floats, theta: Floats) -> Floats:
        """Way (L, B, p) to where what has this slope is largest on the ellipsoid."""
        low, high = self.bounds
        value, jac = self.law.jacobian(self.inputs, theta)
        jac *= self.root[:, None] / (value[..., None, :] if self.law.link == "log" else 1.0)
        size = np.linalg.norm(jac, axis=-1)
        size = np.where(size > 0, size, 1.0)
        jac, off, one = jac / size[..., None], self._off(value), np.eye(size.shape[-1])
        squares = jac @ jac.swapaxes(-1, -2) + RIDGE * one
        sides = np.stack([(jac @ off[..., None])[..., 0], slope / size], axis=-1)
        free = np.ones(theta.shape, dtype=bool)
        for _ in range(len(one)):
            matrix = np.where(free[..., None] & free[..., None, :], squares, one)
            sides *= free[..., None]
            (middle, way) = np.moveaxis(np.linalg.solve(matrix, sides), -1, 0)
            pull, rise = np.moveaxis(sides, -1, 0)
            room = np.fmax(self.limit - (off**2).sum(-1) + (pull * middle).sum(-1), 0.0)
            length = (rise * way).sum(-1)
            far = np.sqrt(np.where(length > 0, room / length, 0.0))[..., None]
            step = (middle + far * way) / size
            out = ((theta <= low) & (step < 0)) | ((theta >= high) & (step > 0))
            if not out.any():
                break
            free &= ~out
        return np.where(np.isfinite(step) & free, step, 0.0)

    def _slope(self, asked: EndsAsked, theta: Floats) -> Floats:
        """Return the derivative (L, B, p) of what is asked; 0 where there is none."""
        low, high = (bound[:, None] for bound in self.bounds)
        apart = np.eye(theta.shape[-1]) * (1e-6 * np.maximum(np.abs(theta), 1e-3))[..., None]
        up, down = (
            np.minimum(theta[..., None, :] + apart, high),
            np.maximum(theta[..., None, :] - apart, low),
        )
        rise = asked.of(self.law, up) - asked.of(self.law, down)
        out = rise / np.diagonal(up - down, axis1=-2, axis2=-1)
        return np.where(np.isfinite(out), out, 0.0)


def follow(
    edges: Callable[[Ints], Edge], asked: EndsAsked, values: Floats, theta: Floats
) -> Floats:
    """Follow the ends (L, B) from where a grid has them, theta (L, B, p), along the edges of their regions.

    A step that is no better is taken back, and the next one is shorter. Curves whose ends are there need no more.
    """
    pace, going = np.ones((*values.shape, 1)), np.arange(values.shape[1])
    for _ in range(STEPS):
        edge, was, at = edges(going), values[:, going], theta[:, going]
        step, gain = edge.step(asked, at)
        there = edge.drawn_in(at + pace[:, going] * step)
        value = asked.of(edge.law, there[:, :, None])[..., 0]
        finite = np.isfinite(was)  # nothing is farther out than an end at infinity
        better = (finite & (value > was) & edge.holds(there))[..., None]
        values[:, going] = np.where(better[..., 0], value, was)
        theta[:, going] = np.where(better, there, at)
        pace[:, going] = np.minimum(pace[:, going] * np.where(better, 1 / SHORTER, SHORTER), 1.0)
        going = going[(finite & (gain > CLOSE) & (pace[:, going, 0] > LEAST)).any(0)]
        if not going.size:
            break
    return values
