"""A way to hold coefficients at their bounds, over the shapes of regions: how far it reaches in any direction.

At given shapes the region is an ellipsoid in the coefficients. What is linear in them (the curve at x, a floor) has
its extremes there in closed form,

    ĉ(θ) ± sqrt(v(θ) · (limit − RSS(θ))),    v = aᵀ M⁻¹ a:

no search, and asymmetric where the likelihood is. For any other function of the coefficients the same step is repeated
with its slope at the end last reached. Axes are those of :mod:`scalefit.fitting.intervals.region`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from scalefit.laws.law import Law, combine
from scalefit.types import Floats, Ints, Mask

ROUNDS = 12
SIDES = np.array([-1.0, 1.0]).reshape(2, 1, 1)


@dataclass(frozen=True, eq=False)
class EndsAsked:
    """Ends that are searched together: a quoted parameter each, and its side (L, 1, 1), −1 for the least value."""

    names: tuple[str, ...]
    side: Floats

    def only(self, rows: Ints) -> EndsAsked:
        """Return some of the ends."""
        return EndsAsked(tuple(self.names[i] for i in rows), self.side[rows])

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

    def part(self, rows: Ints) -> Face:
        """Return some of the searches; all of them share their cells before they part."""
        if len(self.rss) == 1:
            return self
        best, inverse = self.best[:, rows], self.inverse[:, :, rows]
        return Face(
            self.law, self.rows, self.shapes[:, rows], best, self.rss[rows], inverse, self.limit
        )

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
        """Largest of each asked end (L, B), and its shapes (m, L, B).

        At each shape: walk along the quantity's slope to the ellipsoid's edge, and again. At a maximum the slope there
        points at the end reached. A quantity that has there what its first slope foretold is linear, and needs no
        second step.
        """
        with np.errstate(all="ignore"):
            slope = self._slope(asked, self.best)
            at = self._along(slope)
            value = self._quoted(asked, at)
            foretold = self._quoted(asked, self.best) + ((at - self.best) * slope).sum(0)
            apart = np.abs(value - foretold) > 1e-8 + 1e-6 * np.abs(foretold)
            bent = apart.any(-1, keepdims=True)
            if bent.any():
                rows = np.flatnonzero(bent.any((1, 2)))
                walked = self.part(rows)._walked(asked.only(rows), at[:, rows])
                at[:, rows] = np.where(bent[rows], walked, at[:, rows])
                value = self._quoted(asked, at)
            return self._largest(value, self._allowed(at))

    def coordinate(self, j: int) -> tuple[Floats, Floats]:
        """Largest of −1 and of 1 times the solver's coordinate ``j`` (2, B), and its shapes (m, 2, B)."""
        k = len(self.best)
        with np.errstate(all="ignore"):
            if j >= k:
                value = SIDES * self.shapes[j - k]
                return self._largest(value, self.feasible)
            # The end of a linear quantity in closed form: along the inverse's own row.
            far = np.sqrt(self.room / self.inverse[j, j])
            far = SIDES * np.where(np.isfinite(far), far, 0.0)
            at = self.best + far * self.inverse[j]
            low, high = self.bounds[j]
            return self._largest(SIDES * np.clip(at[j], low, high), self._allowed(at))

    def _largest(self, value: Floats, good: Mask) -> tuple[Floats, Floats]:
        """Largest value (L, B) in the region where it is allowed, and its shapes (m, L, B)."""
        value = np.where(good & (self.rss <= self.limit) & ~np.isnan(value), value, -np.inf)
        ends, curves = value.shape[:2]
        here = np.arange(ends)[:, None], np.arange(curves), value.argmax(-1)
        return value[here], np.broadcast_to(self.shapes, (len(self.shapes), *value.shape))[:, *here]

    def _walked(self, asked: EndsAsked, at: Floats) -> Floats:
        for _ in range(ROUNDS):
            at = self._along(self._slope(asked, at))
        return at

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
