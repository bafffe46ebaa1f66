"""The likelihood region of a separable law, and the profile interval it gives for the curve and any parameter.

Given the shapes, the weighted sum of squares is a quadratic in the coefficients. So the set of all (shapes,
coefficients) with RSS ≤ RSS_min + t²·s² is a stack of ellipsoids over a grid of shapes, and the profile-likelihood
interval of a quantity is the union over the grid of what it does on each ellipsoid. For what is linear in the
coefficients (the curve at x, a floor) that has a closed form,

    ĉ(θ) ± sqrt(v(θ) · (limit − RSS(θ))),    v = aᵀ M⁻¹ a,

taken on every face of the coefficients' bounds: no search, and asymmetric where the likelihood is. For any other
function of the coefficients the same step is repeated with its slope at the end last reached.

Source: Bates and Watts 1988, Nonlinear Regression Analysis, section 6.1 (profile t).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from scalefit.fitting.intervals.optimum import Ends, Optimum
from scalefit.fitting.problem import Problem
from scalefit.fitting.projection import held
from scalefit.laws.law import combine
from scalefit.types import Floats, Mask

RIDGE = 1e-13
# Grid points an axis by the number of shapes. The region's edge is found between the points, so that they need
# not be dense; a law of more shapes has Wald's intervals.
POINTS = {0: 1, 1: 81, 2: 21, 3: 11}
LARGE = 2_000
CELLS = 500_000
ROUNDS = 12
# Looks around an extreme of the grid: so many points an axis, so many times, each closer by this factor.
STAR, ZOOMS, CLOSER = 3, 4, 0.4


def can_be_profiled(problem: Problem) -> bool:
    """Whether the region can be laid out: separable, few shapes, not too many points."""
    law = problem.law
    return law.separable and len(law.shapes) in POINTS and problem.y.size <= LARGE


@dataclass(frozen=True, eq=False)
class Profile:
    """Profile-t intervals at one level: the extremes over the likelihood region, laid out once."""

    optimum: Optimum
    level: float
    method: str = "profile-t"

    @cached_property
    def region(self) -> tuple[Face, ...]:
        """The region, a face a way to hold coefficients at their bounds."""
        best = self.optimum
        # Exact data have no scatter; a limit of RSS itself would leave no ellipsoid to walk on.
        dust = 1e-30 * float(best.weights @ best.problem.target**2)
        return lay_region(best, best.rss + max(best.t(self.level) ** 2 * best.s2, dust))

    def curve(self, inputs: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        """Low and high, each (Q,), of the mean curve at ``inputs``."""
        law = self.optimum.problem.law
        low, high = np.full(inputs[0].shape, np.inf), np.full(inputs[0].shape, -np.inf)
        for face in self.region:
            block = max(1, CELLS // max(face.rss.size, 1))
            for i in range(0, low.size, block):
                at = slice(i, i + block)
                columns = law.columns(tuple(x[at, None] for x in inputs), tuple(face.shapes.T))
                below, above = face.linear(columns, low[at].size)
                low[at], high[at] = np.minimum(low[at], below), np.maximum(high[at], above)
        return (np.exp(low), np.exp(high)) if law.link == "log" else (low, high)

    def parameters(self, names: Sequence[str] | None = None) -> dict[str, Ends]:
        """Low and high of quoted parameters, all unless named."""
        return {name: self._quoted[name] for name in names or self.optimum.problem.law.parameters}

    @cached_property
    def _quoted(self) -> dict[str, Ends]:
        # Intervals and identification both ask, and a look costs as much as some twenty fits.
        law = self.optimum.problem.law

        def quoted(name: str, theta: Floats) -> Floats:
            return np.asarray(law.params(theta)[name], dtype=float)

        return {name: self.extremes(partial(quoted, name)) for name in law.parameters}

    def coordinates(self) -> tuple[Floats, Floats]:
        """Low and high, each (p,), of the solver's coordinates."""

        def end(j: int, side: float) -> float:
            return side * self._on_grid(lambda theta: theta[..., j], side)[0]

        coordinates = range(self.optimum.theta.size)
        low, high = (np.array([end(j, side) for j in coordinates]) for side in (-1.0, 1.0))
        return low, high

    def extremes(self, quantity: Callable[[Floats], Floats]) -> Ends:
        """Least and largest value over the region of any smooth ``quantity`` of theta (..., p)."""
        low, high = (side * self._largest(quantity, side) for side in (-1.0, 1.0))
        return low, high

    def _on_grid(self, quantity: Callable[[Floats], Floats], side: float) -> tuple[float, Floats]:
        """Largest of ``side`` times the quantity over the grid, and its shapes."""
        return max((face.largest(quantity, side) for face in self.region), key=lambda end: end[0])

    def _largest(self, quantity: Callable[[Floats], Floats], side: float) -> float:
        """Largest of ``side`` times the quantity, looked for again around the best shapes of the grid.

        A region that bends, like that of exponent and origin of the log-law, has its tips between the points.
        """
        value, at = self._on_grid(quantity, side)
        m = at.size
        if m < 2 or not np.isfinite(
            value
        ):  # a region of one shape is an interval, and its edges are known
            return value
        lower, upper = (b[-m:] for b in self.optimum.problem.bounds)
        shapes = np.vstack([face.shapes for face in self.region])
        reach = np.ptp(shapes, axis=0) / POINTS[m]
        star = np.stack(
            np.meshgrid(*[np.linspace(-1, 1, STAR)] * m, indexing="ij"), axis=-1
        ).reshape(-1, m)
        for _ in range(ZOOMS):
            near = np.clip(at + reach * star, lower, upper)
            faces = _faces(self.optimum, near, self.region[0].limit)
            ends = [face.within(face.rss <= face.limit).largest(quantity, side) for face in faces]
            best, there = max(ends, key=lambda end: end[0])
            if best > value:
                value, at = best, there
            reach = reach * CLOSER
        return value

    def rise(self, weights: Floats, value: float) -> float:
        """How much the least RSS rises when Σ_j a_j c_j, ``weights`` (k,), is held at ``value``."""
        return min(face.cost_at(weights, value) for face in self.region) - self.optimum.rss


@dataclass(frozen=True, eq=False)
class Face:
    """Shapes inside the region, with some coefficients held at a bound.

    Attributes
    ----------
    shapes : (S, m).
    best, rss : (S, k) coefficients that are best there, and the sum of squares they leave (S,).
    inverse : (S, k, k) inverse of the columns' products; 0 where a coefficient is held.
    limit : largest sum of squares in the region.
    low, high : (k,) the coefficients' bounds.
    """

    shapes: Floats
    best: Floats
    rss: Floats
    inverse: Floats
    limit: float
    low: Floats
    high: Floats

    def within(self, keep: Mask) -> Face:
        """Return the face at some of its shapes."""
        rows = [v[keep] for v in (self.shapes, self.best, self.rss, self.inverse)]
        return Face(rows[0], rows[1], rows[2], rows[3], self.limit, self.low, self.high)

    @property
    def feasible(self) -> Mask:
        """Where the best coefficients are within their bounds: (S,)."""
        return self._allowed(self.best)

    @property
    def meets_a_bound(self) -> bool:
        """Whether any ellipsoid of the region crosses a bound of a coefficient."""
        inside = self.rss <= self.limit
        half = np.sqrt(self.room[:, None] * np.einsum("sii->si", self.inverse))[inside]
        best = self.best[inside]
        return bool(((best - half < self.low) | (best + half > self.high)).any())

    @cached_property
    def room(self) -> Floats:
        """How far the sum of squares may rise: (S,)."""
        return np.maximum(self.limit - self.rss, 0.0)

    def linear(self, columns: tuple[Any, ...], size: int) -> tuple[Floats, Floats]:
        """Extremes over the shapes of Σ_j a_j c_j for columns a_j (Q, S): low and high, each (Q,).

        Written out over the pairs of coefficients, of which there are few: a stack of tiny matrix products would cost
        several times as much.
        """
        k = len(columns)
        steps = [combine(columns, tuple(self.inverse[:, :, j].T)) for j in range(k)]
        v, center = combine(columns, tuple(steps)), combine(columns, tuple(self.best.T))
        with np.errstate(all="ignore"):
            reach = np.sqrt(np.where(v > 0, self.room / v, 0.0))
        low = self._ends(center, v, reach, steps, -1.0, size).min(-1, initial=np.inf)
        high = self._ends(center, v, reach, steps, 1.0, size).max(-1, initial=-np.inf)
        return low, high

    def _ends(
        self, center: Floats, v: Floats, reach: Floats, steps: list[Floats], side: float, size: int
    ) -> Floats:
        """One end of the functional at each shape, out of the way where it breaks a bound: (Q, S).

        A face whose end breaks a bound has none there: the extreme then lies on the face that holds that bound.
        """
        ends = center + side * reach * v
        good: Mask = np.broadcast_to(~np.isnan(ends), (size, self.rss.size)).copy()
        scale = 1e-9 * np.maximum(np.abs(self.best).max(-1, initial=0.0), 1e-300)
        for c, step, low, high in zip(self.best.T, steps, self.low, self.high, strict=True):
            if np.isfinite(low):
                good &= c + side * reach * step >= low - scale
            if np.isfinite(high):
                good &= c + side * reach * step <= high + scale
        return np.where(good, ends, -side * np.inf)

    def largest(self, quantity: Callable[[Floats], Floats], side: float) -> tuple[float, Floats]:
        """Largest of ``side`` times any smooth quantity of theta, and its shapes (m,).

        At each shape: walk along the quantity's slope to the ellipsoid's edge, and again. At a maximum the slope there
        points at the end reached. A quantity that has there what its first slope foretold is linear, and needs no
        second step.
        """
        if not self.rss.size:
            return -np.inf, np.zeros(self.shapes.shape[1])
        with np.errstate(all="ignore"):
            slope = self._slope(quantity, self.best)
            at = self._along(side * slope)
            foretold = self._quoted(quantity, self.best) + ((at - self.best) * slope).sum(-1)
            linear = np.allclose(self._quoted(quantity, at), foretold, rtol=1e-6, equal_nan=True)
            for _ in range(0 if linear else ROUNDS):
                at = self._along(side * self._slope(quantity, at))
            value = side * self._quoted(quantity, at)
        value = np.where(self._allowed(at) & ~np.isnan(value), value, -np.inf)
        i = int(value.argmax())
        return float(value[i]), self.shapes[i]

    def _along(self, slope: Floats) -> Floats:
        """End (S, k) of the ellipsoid in the direction that ``slope`` rises most for its length."""
        step = (self.inverse @ slope[..., None])[..., 0]
        v = (step * slope).sum(-1)
        reach = np.sqrt(np.where(v > 0, self.room / v, 0.0))
        return np.asarray(self.best + reach[:, None] * step)

    def _quoted(self, quantity: Callable[[Floats], Floats], coefficients: Floats) -> Floats:
        inside = np.clip(coefficients, self.low, self.high)
        value = quantity(np.concatenate([inside, self.shapes], axis=1))
        return np.broadcast_to(np.asarray(value, dtype=float), self.rss.shape)

    def _slope(self, quantity: Callable[[Floats], Floats], at: Floats) -> Floats:
        """Return the derivative (S, k) by the coefficients; 0 where there is none, as at the bound of a root."""
        step = 1e-6 * np.maximum(np.abs(at), 1e-12)
        out = np.empty(at.shape)
        for j in range(at.shape[1]):
            move = np.zeros(at.shape)
            move[:, j] = step[:, j]
            up, down = self._quoted(quantity, at + move), self._quoted(quantity, at - move)
            between = np.clip(at + move, self.low, self.high) - np.clip(
                at - move, self.low, self.high
            )
            out[:, j] = (up - down) / between[:, j]
        return np.nan_to_num(out, nan=0.0, posinf=0.0, neginf=0.0)

    def cost_at(self, weights: Floats, value: float) -> float:
        """Least RSS over the shapes with Σ_j a_j c_j = value, for ``weights`` (k,)."""
        step = self.inverse @ weights
        gap, v = value - self.best @ weights, step @ weights
        with np.errstate(all="ignore"):
            along = np.where(v > 0, gap / v, np.where(gap == 0, 0.0, np.inf))
            cost = self.rss + along * gap
            good = self._allowed(self.best + along[:, None] * step) & np.isfinite(cost)
        return float(cost[good].min(initial=np.inf))

    def _allowed(self, c: Floats) -> Mask:
        slack = 1e-9 * np.maximum(np.abs(c).max(-1, keepdims=True, initial=0.0), 1e-300)
        return np.asarray(((c >= self.low - slack) & (c <= self.high + slack)).all(-1))


def lay_region(best: Optimum, limit: float) -> tuple[Face, ...]:
    """Lay a grid over all shapes whose RSS can be under ``limit``, around the optimum.

    The grid follows the principal axes at the optimum: along the axes of the shapes themselves, two that trade
    places would leave all but a sliver of the grid outside. It grows until the region's edge or a bound is inside
    it, then shrinks to fit; a region that is much longer than its linear approximation is thus found whole.
    """
    m = len(best.problem.law.shapes)
    # Rounding may put the optimum itself outside of a region of exact data.
    limit = max(
        limit,
        _profile(_faces(best, best.theta[None, -m:] if m else np.zeros((1, 0)), limit))[0]
        * (1 + 1e-9),
    )
    axes = _principal_axes(best, limit)
    box = np.array([[-1.2, 1.2]] * m).reshape(m, 2)
    grid = _lay(best, axes, box, limit)
    for grow, times in ((True, 24), (False, 3)):
        for _ in range(times):
            other = _fit_box(grid[2], box, grow=grow)
            if other is None:
                break
            box = other
            grid = _lay(best, axes, box, limit)
    shapes, cost, _ = grid
    shapes = np.vstack(
        [
            shapes[cost <= limit],
            _edge(shapes, cost, m, limit),
            best.theta[None, best.theta.size - m :],
        ]
    )
    faces = _faces(best, shapes, limit)
    return tuple(face.within(face.rss <= limit) for face in faces)


def _lay(best: Optimum, axes: Floats, box: Floats, limit: float) -> tuple[Floats, Floats, Mask]:
    """Return the grid of this box (G, m), its profile of the RSS (G,), and which cells (as a cube) are inside."""
    m = len(box)
    ticks = [np.linspace(low, high, POINTS[m]) for low, high in box]
    mesh = (
        np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1).reshape(-1, m)
        if m
        else np.zeros((1, 0))
    )
    lower, upper = (b[b.size - m :] for b in best.problem.bounds)
    raw = best.theta[best.theta.size - m :] + mesh @ axes.T
    shapes = np.clip(raw, lower, upper)
    cost = _profile(_faces(best, shapes, limit))
    clipped = ((raw < lower) | (raw > upper)).any(-1)
    return shapes, cost, ((cost <= limit) & ~clipped).reshape([POINTS[m]] * m)


def _profile(faces: tuple[Face, ...]) -> Floats:
    """Best feasible RSS at each shape: (G,)."""
    return np.asarray(np.min([np.where(f.feasible, f.rss, np.inf) for f in faces], axis=0))


def _edge(shapes: Floats, cost: Floats, m: int, limit: float) -> Floats:
    """Shapes (E, m) where the profile crosses the limit between neighbours: without them ends fall a cell short."""
    cube, points = cost.reshape([POINTS[m]] * m), shapes.reshape([*[POINTS[m]] * m, m])
    out = [np.zeros((0, m))]
    for axis in range(m):
        line, place = np.moveaxis(cube, axis, 0), np.moveaxis(points, axis, 0)
        for inner, outer in ((slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))):
            crossed = (line[inner] <= limit) & (line[outer] > limit) & np.isfinite(line[outer])
            a, b = line[inner][crossed], line[outer][crossed]
            share = ((limit - a) / (b - a))[:, None]
            # The profile bends upwards, so the chord crosses the limit a little inside of the region.
            out.append(place[inner][crossed] * (1 - share) + place[outer][crossed] * share)
    return np.vstack(out)


def _fit_box(cells: Mask, box: Floats, *, grow: bool) -> Floats | None:
    """Box that is larger where the region touches an edge, or tight around it; None if it is fine."""
    out, changed = box.copy(), False
    for axis in range(cells.ndim):
        others = tuple(a for a in range(cells.ndim) if a != axis)
        line = np.flatnonzero(cells.any(axis=others))
        last_cell = cells.shape[axis] - 1
        width = box[axis, 1] - box[axis, 0]
        step = width / last_cell
        if grow and line.size:
            for side, edge in ((0, 0), (1, last_cell)):
                if line[-side] == edge and abs(box[axis, side]) < 1e6:
                    out[axis, side] += (2 * side - 1) * width * 0.8
                    changed = True
        elif not grow:
            first, last = (line[0], line[-1]) if line.size else (last_cell // 2,) * 2
            if last - first < 0.6 * last_cell:
                out[axis] = box[axis, 0] + step * (first - 1.5), box[axis, 0] + step * (last + 1.5)
                changed = True
    return out if changed else None


def _principal_axes(best: Optimum, limit: float) -> Floats:
    """Half-axes (m, m) of the region's linear approximation in the shapes, none longer than the shapes' ranges."""
    m = len(best.problem.law.shapes)
    if m == 0:
        return np.zeros((0, 0))
    jac = best.linked(best.problem.inputs)[1] * np.sqrt(best.weights)
    inner, outer = jac[:-m].T, jac[-m:].T
    inner = inner / np.maximum(np.linalg.norm(inner, axis=0), 1e-300)
    rest = outer - inner @ np.linalg.lstsq(inner, outer, rcond=None)[0]
    room = max(limit - best.rss, 1e-300)
    size = np.maximum(np.linalg.norm(outer, axis=0), 1e-300)
    values, vectors = np.linalg.eigh((rest / size).T @ (rest / size))
    # A shape of no effect has no curvature; its axis is as long as its range.
    axes = vectors * np.sqrt(room / np.maximum(values, 1e-10)) / size[:, None]
    lower, upper = (b[-m:] for b in best.problem.bounds)
    widest = np.abs(axes) / (upper - lower)[:, None]
    return np.asarray(axes / np.maximum(widest.max(axis=0), 1.0))


def _faces(best: Optimum, shapes: Floats, limit: float) -> tuple[Face, ...]:
    """Every way to hold coefficients at finite bounds; the free one alone where no ellipsoid meets a bound."""
    problem, k = best.problem, len(best.problem.law.coefficients)
    phi = np.empty((len(shapes), k, problem.y.size))
    for j, column in enumerate(problem.law.columns(problem.inputs, tuple(shapes.T[..., None]))):
        phi[:, j] = column
    weighted = phi * best.weights
    gram, moment = weighted @ phi.transpose(0, 2, 1), weighted @ problem.target
    low, high = (b[:k] for b in problem.bounds)
    out = []
    for fixed in held(low, high):
        c, inverse = _solved(gram, moment, fixed)
        misfit = problem.target - (c[:, None] @ phi)[:, 0]
        out.append(Face(shapes, c, (best.weights * misfit**2).sum(-1), inverse, limit, low, high))
        if len(out) == 1 and not out[0].meets_a_bound:
            break  # then every held face leaves more than the limit
    return tuple(out)


def _solved(gram: Floats, moment: Floats, fixed: Floats) -> tuple[Floats, Floats]:
    """Best coefficients (G, k) with some fixed, and the inverse of the free ones' products (G, k, k).

    Columns are brought to length 1 and a ridge of rounding's size added, so that collinear ones give a long
    ellipsoid instead of an error; a second step of the solution takes the ridge's bias out again.
    """
    free = np.isnan(fixed)
    full, c = np.zeros_like(gram), np.broadcast_to(np.where(free, 0.0, fixed), moment.shape).copy()
    if free.any():
        block = gram[:, free][:, :, free]
        norm = np.sqrt(np.einsum("gii->gi", block))
        norm = np.where(norm > 0, norm, 1.0)
        inverse = np.linalg.inv(
            block / (norm[:, :, None] * norm[:, None]) + RIDGE * np.eye(free.sum())
        )
        inverse /= norm[:, :, None] * norm[:, None]
        full[np.ix_(np.arange(len(gram)), np.flatnonzero(free), np.flatnonzero(free))] = inverse
        rest = moment[:, free] - gram[:, free][:, :, ~free] @ fixed[~free]
        solved = inverse @ rest[..., None]
        solved += inverse @ (rest[..., None] - gram[:, free][:, :, free] @ solved)
        c[:, free] = solved[..., 0]
    return c, full
