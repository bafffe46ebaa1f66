"""The likelihood region of a separable law, and the interval it gives for anything linear.

Given the shapes, the weighted sum of squares is a quadratic in the coefficients. So the set of
all (shapes, coefficients) with RSS ≤ RSS_min + t²·s² is a stack of ellipsoids over a grid of
shapes, and the profile-likelihood interval of any quantity that is linear in the coefficients (the
curve at x, the floor, a quoted parameter) is the union over the grid of closed-form intervals:

    ĉ(θ) ± sqrt(v(θ) · (limit − RSS(θ))),    v = aᵀ M⁻¹ a,

taken on every face of the coefficients' bounds. No search, no iteration, asymmetric where the
likelihood is. Source: Bates and Watts 1988, Nonlinear Regression Analysis, section 6.1 (profile t).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scalefit.fitting.problem import Problem
from scalefit.fitting.projection import held

Array = NDArray[np.float64]
RIDGE = 1e-13
POINTS = {0: 1, 1: 161, 2: 45, 3: 17}


@dataclass(frozen=True, eq=False)
class Face:
    """Solutions with some coefficients fixed at a bound: best ones (G, k), RSS (G,), inverse Gram (G, k, k)."""

    coefficients: Array
    rss: Array
    inverse: Array


@dataclass(frozen=True, eq=False)
class Region:
    """Shapes (G, m) whose best RSS is under ``limit``, with the faces of the coefficients' bounds."""

    problem: Problem
    shapes: Array
    faces: tuple[Face, ...]
    limit: float

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which shapes have a feasible solution within the limit: (G,)."""
        return self.profile <= self.limit

    @property
    def profile(self) -> Array:
        """Best feasible RSS at each shape: (G,)."""
        low, high = _coefficient_bounds(self.problem)
        costs = [np.where(_feasible(f.coefficients, low, high), f.rss, np.inf) for f in self.faces]
        return np.asarray(np.min(costs, axis=0))

    def linear(self, weights: Array, extra: Array | float = 0.0) -> tuple[Array, Array]:
        """Interval of Σ_j a_j c_j for ``weights`` (Q, G, k): low and high, each (Q,).

        ``extra`` (Q,) is added to v: the variance of a new observation in units of s².
        """
        low, high = np.full(len(weights), np.inf), np.full(len(weights), -np.inf)
        for face in self.faces:
            low = np.minimum(low, self._end(face, weights, np.asarray(extra), -1.0).min(-1))
            high = np.maximum(high, self._end(face, weights, np.asarray(extra), 1.0).max(-1))
        return low, high

    def _end(self, face: Face, weights: Array, extra: Array, side: float) -> Array:
        """Extreme of the functional at each shape, ∓inf where the face does not reach it: (Q, G)."""
        room = np.maximum(self.limit - face.rss, 0)
        direction = (face.inverse @ weights[..., None])[..., 0]
        v = (direction * weights).sum(-1)
        spread = v + np.reshape(extra, (-1, 1)) if np.ndim(extra) else v + extra
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(spread > 0, np.sqrt(room / spread), 0.0)
        ends = face.coefficients + side * reach[..., None] * direction
        bounds = _coefficient_bounds(self.problem)
        good = _feasible(ends, *bounds) & (face.rss <= self.limit)
        value = (face.coefficients * weights).sum(-1) + side * reach * spread
        return np.where(good, value, -side * np.inf)

    def cost_at(self, weights: Array, value: float) -> float:
        """Least RSS with Σ_j a_j c_j = value, for ``weights`` (G, k), over the grid and the faces."""
        low, high = _coefficient_bounds(self.problem)
        best = np.inf
        for face in self.faces:
            direction = (face.inverse @ weights[..., None])[..., 0]
            v = (direction * weights).sum(-1)
            gap = value - (face.coefficients * weights).sum(-1)
            with np.errstate(divide="ignore", invalid="ignore"):
                step = np.where(v > 0, gap / v, np.where(gap == 0, 0.0, np.inf))
                ends = face.coefficients + step[:, None] * direction
                cost = np.where(_feasible(ends, low, high), face.rss + step * gap, np.inf)
            best = min(best, float(np.min(np.where(np.isfinite(cost), cost, np.inf))))
        return best


def region(problem: Problem, theta: Array, weights: Array, limit: float) -> Region:
    """Lay a grid over all shapes whose RSS can be under ``limit``, around the optimum ``theta``.

    ``weights`` (n,) are those of plain least squares. The grid follows the principal axes at the
    optimum, grows until the region's edge or a bound is inside it, then shrinks to fit.
    """
    k = len(problem.law.coefficients)
    centre, m = theta[k:], theta.size - k
    axes = _principal_axes(problem, theta, weights, limit)
    box = np.array([[-1.2, 1.2]] * m)
    found = _lay(problem, centre, axes, box, weights, limit)
    for _ in range(24):
        wider = _fit_box(found[1], box, grow=True)
        if wider is None:
            break
        box = wider
        found = _lay(problem, centre, axes, box, weights, limit)
    for _ in range(3):
        tight = _fit_box(found[1], box, grow=False)
        if tight is None:
            break
        box = tight
        found = _lay(problem, centre, axes, box, weights, limit)
    return found[0]


def _lay(
    problem: Problem, centre: Array, axes: Array, box: Array, weights: Array, limit: float
) -> tuple[Region, NDArray[np.bool_]]:
    """Return the region on the grid of this box, and which cells (as a cube) are inside."""
    m = len(centre)
    count = POINTS[m]
    ticks = [np.linspace(lo, hi, count) for lo, hi in box]
    mesh = (
        np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1).reshape(-1, m)
        if m
        else np.zeros((1, 0))
    )
    lower, upper = (b[-m:] if m else b[:0] for b in problem.bounds)
    raw = centre + mesh @ axes.T
    shapes = np.vstack([np.clip(raw, lower, upper), centre])
    out = Region(problem, shapes, _faces(problem, shapes, weights), limit)
    out = replace(out, limit=max(limit, float(out.profile[-1]) * (1 + 1e-9)))  # keep the optimum in
    clipped = ((raw < lower) | (raw > upper)).any(-1)
    cells = (out.inside[:-1] & ~clipped).reshape([count] * m)
    return out, cells


def _fit_box(cells: NDArray[np.bool_], box: Array, *, grow: bool) -> Array | None:
    """Box that is larger where the region touches an edge, or tight around it; None if it is fine."""
    out, changed = box.copy(), False
    for axis in range(cells.ndim):
        others = tuple(a for a in range(cells.ndim) if a != axis)
        line = np.flatnonzero(cells.any(axis=others))
        width, step = (
            box[axis, 1] - box[axis, 0],
            (box[axis, 1] - box[axis, 0]) / (cells.shape[axis] - 1),
        )
        if grow and line.size:
            for side, edge in ((0, 0), (1, cells.shape[axis] - 1)):
                if line[0 if side == 0 else -1] == edge and abs(box[axis, side]) < 1e6:
                    out[axis, side] += (2 * side - 1) * width * 0.8
                    changed = True
        elif not grow:
            first, last = (line[0], line[-1]) if line.size else (len(cells) // 2,) * 2
            if last - first < 0.6 * (cells.shape[axis] - 1):
                out[axis] = box[axis, 0] + step * (first - 1.5), box[axis, 0] + step * (last + 1.5)
                changed = True
    return out if changed else None


def _principal_axes(problem: Problem, theta: Array, weights: Array, limit: float) -> Array:
    """Half-axes (m, m) of the region's linear approximation in the shapes."""
    k = len(problem.law.coefficients)
    value, jac = problem.law.jacobian(problem.inputs, theta[None])
    root = np.sqrt(weights)
    if problem.law.link == "log":
        jac = jac / value[:, None, :]
    inner, outer = (jac[0, :k] * root).T, (jac[0, k:] * root).T
    m = outer.shape[1]
    if m == 0:
        return np.zeros((0, 0))
    inner = inner / np.maximum(np.linalg.norm(inner, axis=0), 1e-300)
    rest = outer - inner @ np.linalg.lstsq(inner, outer, rcond=None)[0]
    room = max(limit - rss_of(problem, value[0], weights), 1e-300)
    size = np.maximum(np.linalg.norm(outer, axis=0), 1e-300)
    values, vectors = np.linalg.eigh((rest / size).T @ (rest / size))
    values = np.maximum(values, 1e-10)
    lower, upper = (b[-m:] for b in problem.bounds)
    axes: Array = vectors * np.sqrt(room / values) / size[:, None]
    widest = np.abs(axes) / (upper - lower)[:, None]
    return np.asarray(axes / np.maximum(widest.max(axis=0), 1.0))


def rss_of(problem: Problem, value: Array, weights: Array) -> float:
    """Weighted sum of squares of fitted values (n,), on the law's link scale."""
    y = np.log(problem.y) if problem.law.link == "log" else problem.y
    fitted = np.log(value) if problem.law.link == "log" else value
    return float(np.sum(weights * (y - fitted) ** 2))


def _design(problem: Problem, shapes: Array) -> Array:
    """Basis columns at each row of shapes (G, m), on the law's link scale: (G, k, n)."""
    columns = problem.law.columns(
        problem.inputs, tuple(shapes[:, m, None] for m in range(shapes.shape[1]))
    )
    phi = np.empty((len(shapes), len(columns), problem.y.size))
    for j, column in enumerate(columns):
        phi[:, j] = column
    return phi


def _faces(problem: Problem, shapes: Array, weights: Array) -> tuple[Face, ...]:
    """Every way to hold coefficients at finite bounds, the free one first."""
    phi, y = _design(problem, shapes), problem.target
    weighted = phi * weights
    gram, moment = weighted @ phi.transpose(0, 2, 1), weighted @ y
    low, high = _coefficient_bounds(problem)
    return tuple(_face(phi, y, weights, gram, moment, fixed) for fixed in held(low, high))


def _face(phi: Array, y: Array, weights: Array, gram: Array, moment: Array, fixed: Array) -> Face:
    free = np.isnan(fixed)
    full = np.zeros_like(gram)
    best = np.broadcast_to(np.where(free, 0.0, fixed), moment.shape).copy()
    if free.any():
        block = gram[:, free][:, :, free]
        norm = np.sqrt(np.einsum("gii->gi", block))
        norm = np.where(norm > 0, norm, 1.0)
        block = block / (norm[:, :, None] * norm[:, None])
        inverse = np.linalg.inv(block + RIDGE * np.eye(block.shape[1]))
        inverse /= norm[:, :, None] * norm[:, None]
        where = np.ix_(np.arange(len(gram)), np.flatnonzero(free), np.flatnonzero(free))
        full[where] = inverse
        rest = moment[:, free] - gram[:, free][:, :, ~free] @ fixed[~free]
        solved = inverse @ rest[..., None]
        solved += inverse @ (rest[..., None] - gram[:, free][:, :, free] @ solved)
        best[:, free] = solved[..., 0]
    misfit = y - (best[:, None] @ phi)[:, 0]
    return Face(best, (weights * misfit**2).sum(-1), full)


def _coefficient_bounds(problem: Problem) -> tuple[Array, Array]:
    k = len(problem.law.coefficients)
    low, high = problem.bounds
    return low[:k], high[:k]


def _feasible(c: Array, low: Array, high: Array) -> NDArray[np.bool_]:
    slack = 1e-9 * np.maximum(np.abs(c).max(-1, keepdims=True), 1e-300)
    return np.asarray(((c >= low - slack) & (c <= high + slack)).all(-1))
