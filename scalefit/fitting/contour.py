"""Parameters together: how far two may move before the law leaves the data, and draws of all of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import special

from scalefit.errors import DomainError
from scalefit.fitting.descent import Expansion, polish
from scalefit.fitting.intervals.optimum import Optimum, correlation
from scalefit.fitting.intervals.uncertainty import Uncertainty
from scalefit.fitting.problem import Problem
from scalefit.fitting.solve import Solution
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.types import Floats, Mask
from scalefit.units import short

SWEEPS = 2


@dataclass(frozen=True, eq=False, repr=False)
class Contour(Result):
    """The least misfit with two parameters held, on a grid of both.

    Attributes
    ----------
    metric : name of the metric.
    names : the two parameters.
    first, second : (A,) and (B,) their values on the grid.
    rise : (B, A) what the sum of squares grows by where both are held there and all others are free, in units of
        the scatter's variance; inf where the law cannot take these values.
    best : their estimates.
    dof : degrees of freedom of the scatter.
    correlation : of the two estimates, linearised; nan where the data do not see one of them.
    group : what the rows have in common.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes, losses = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6], [4.05, 3.37, 2.93, 2.62, 2.43, 2.30]
    >>> fit = sf.fit({"pretrain_tokens": sizes, "cross_entropy": losses}, "cross_entropy", "power")
    >>> contour = fit.contour("alpha", "E", points=9)
    >>> contour.rise.shape, contour.verdict
    ((9, 9), 'alpha and E trade against each other (correlation 0.95): read them together')
    """

    metric: str
    names: tuple[str, str]
    first: Floats
    second: Floats
    rise: Floats
    best: tuple[float, float]
    dof: float
    correlation: float
    group: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def confidence(self) -> Floats:
        """Level of the region whose edge runs through each cell: (B, A), by the F distribution of both parameters."""
        with np.errstate(invalid="ignore"):
            return np.where(
                np.isfinite(self.rise), special.fdtr(2, self.dof, self.rise / 2), 1.0
            ).astype(float)

    @property
    def verdict(self) -> str:
        """Whether the two can be read one by one."""
        a, b = self.names
        if np.isnan(self.correlation):
            return f"{a} and {b}: the data do not see both"
        said = f"correlation {short(round(self.correlation, 2))}"
        if abs(self.correlation) > 0.9:
            return f"{a} and {b} trade against each other ({said}): read them together"
        return f"{a} and {b}: {said}"

    def rows(self) -> list[Row]:
        """Return one row a cell: both parameters, the rise of the misfit, and the level of the region there."""
        a, b = np.meshgrid(self.first, self.second)
        cells = (a.ravel(), b.ravel(), self.rise.ravel(), self.confidence.ravel())
        names = (*self.names, "rise", "confidence")
        return [dict(zip(names, map(float, row), strict=True)) for row in zip(*cells, strict=True)]


def contour_of(
    best: Optimum,
    spans: Mapping[str, tuple[float, float]],
    points: int,
    *,
    metric: str,
    group: Mapping[str, Any],
) -> Contour:
    """Profile the sum of squares over a grid of two quoted parameters, ``name -> (low, high)``.

    Raises DomainError: a parameter is unknown, the same one is asked for twice, or its interval has no end to draw to.
    """
    center = {k: float(v) for k, v in best.problem.law.params(best.theta).items()}
    _check(spans, center, best.dof)
    names = tuple(spans)
    first, second = (_ticks(*spans[name], center[name], points) for name in names)
    a, b = np.meshgrid(first, second)
    with np.errstate(all="ignore"):
        rss = _profiled(best, center, {names[0]: a, names[1]: b})
    return Contour(
        metric=metric,
        names=(names[0], names[1]),
        first=first,
        second=second,
        rise=np.maximum(rss - best.rss, 0.0) / max(best.s2, 1e-300),
        best=(center[names[0]], center[names[1]]),
        dof=best.dof,
        correlation=correlation(best)[names[0]][names[1]],
        group=dict(group),
    )


def _check(
    spans: Mapping[str, tuple[float, float]], center: Mapping[str, float], dof: float
) -> None:
    unknown = [name for name in spans if name not in center]
    if unknown or len(spans) != 2:
        asked = ", ".join(map(repr, spans))
        raise DomainError(
            f"found parameters {asked}; needed two different ones of {', '.join(center)}"
        )
    ends = [v for name, span in spans.items() for v in (*span, center[name])]
    if dof <= 0 or not np.isfinite(ends).all():
        open_ = [n for n, span in spans.items() if not np.isfinite([*span, center[n]]).all()]
        raise DomainError(
            f"the interval of {' and '.join(open_) or 'both parameters'} has no end to draw to: the data do not "
            "fix it. Try another pair, or a law with fewer parameters"
        )


def _ticks(low: float, high: float, center: float, points: int) -> Floats:
    """Values a little beyond the interval, in equal ratios where it spans decades."""
    if low > 0 and high > 20 * low:
        return np.geomspace(low / 1.3, high * 1.3, points)
    room = 0.25 * max(high - low, 1e-9 * max(abs(center), 1.0))
    return np.linspace(low - room, high + room, points)


@dataclass(frozen=True, eq=False)
class _Held:
    """The cells of a grid (C,), flat: two quoted parameters held in each, the others descend together."""

    best: Optimum
    held: Mapping[str, Floats]
    free: tuple[str, ...]

    @property
    def bounds(self) -> tuple[Floats, Floats]:
        """Bounds (F,) of the free parameters, as far as they are the solver's own coordinates."""
        problem = self.best.problem
        limits = dict(zip(problem.law.coordinates, problem.limits, strict=True))
        pairs = [limits.get(name, (-np.inf, np.inf)) for name in self.free]
        low, high = np.array(pairs, dtype=float).reshape(len(pairs), 2).T
        return low, high

    @property
    def size(self) -> float:
        """Weighted sum of squares of the values."""
        return float(self.best.weights @ self.best.problem.target**2)

    def only(self, keep: Mask) -> _Held:
        """Return the cells that still move."""
        held = {name: values[keep] for name, values in self.held.items()}
        return _Held(self.best, held, self.free)

    def residuals(self, w: Floats) -> Floats:
        """Weighted residuals (C, n) at free parameters w (C, F), on the link scale; inf where the law takes none."""
        params = {**{name: w[:, j] for j, name in enumerate(self.free)}, **self.held}
        return _curve(self.best, params) - self.best.problem.target * np.sqrt(self.best.weights)

    def expand(self, w: Floats) -> Expansion:
        """Sum of squares (C,), gradient (C, F) and approximate Hessian (C, F, F) at free parameters w (C, F)."""
        residual = self.residuals(w)
        slopes = np.empty((*residual.shape, len(self.free)))
        for j in range(len(self.free)):
            moved = w.copy()
            # A parameter that is 0 has no size of its own to be moved by.
            moved[:, j] += 1e-6 * np.where(np.abs(w[:, j]) > 1e-3, np.abs(w[:, j]), 0.1)
            slopes[..., j] = (self.residuals(moved) - residual) / (moved - w)[:, j, None]
        # A cell at the edge of the law's domain has no slope on one side: it stays until a neighbour's answer comes.
        slopes[~np.isfinite(slopes)] = 0.0
        turned = slopes.swapaxes(-1, -2)
        gradient = 2 * (turned @ np.where(np.isfinite(residual), residual, 0.0)[..., None])[..., 0]
        return (residual**2).sum(-1), gradient, 2 * turned @ slopes

    def descended(self, w: Floats) -> tuple[Floats, Floats]:
        """Where all cells end from w (C, F), and the cost there (C,)."""
        there = polish(self, w)[0] if self.free else w
        return there, (self.residuals(there) ** 2).sum(-1)


def _profiled(best: Optimum, center: Mapping[str, float], held: Mapping[str, Floats]) -> Floats:
    """Least sum of squares (B, A) with two quoted parameters held at values (B, A), the others free.

    Every cell starts from where a linear law would have the others, then from its neighbours' answers: a valley
    that bends away from the tangent is followed cell by cell.
    """
    shape = next(iter(held.values())).shape
    free = tuple(name for name in best.problem.law.parameters if name not in held)
    cells = _Held(best, {name: values.ravel() for name, values in held.items()}, free)
    w = np.clip(_linear_guess(cells, center), *cells.bounds)
    lost = np.isinf(cells.residuals(w)).any(axis=-1)
    middle = np.array([center[name] for name in free])
    w, cost = cells.descended(np.where(np.atleast_1d(lost)[:, None], middle, w))
    for axis, way in ((0, 1), (0, -1), (1, 1), (1, -1)) * SWEEPS if free else ():
        near = np.roll(w.reshape(*shape, -1), way, axis=axis).reshape(w.shape)
        other, there = cells.descended(near)
        w, cost = np.where((there < cost)[:, None], other, w), np.minimum(cost, there)
    return cost.reshape(shape)


def _linear_guess(cells: _Held, center: Mapping[str, float]) -> Floats:
    """Where the free parameters (C, F) would be if the law were a plane at the optimum."""
    middle = np.array([center[name] for name in cells.free])
    moved = np.stack([values - center[name] for name, values in cells.held.items()], axis=-1)
    jac = _quoted_slopes(cells.best, center, [*cells.free, *cells.held])
    if not np.isfinite(jac).all():
        return np.broadcast_to(middle, (len(moved), middle.size)).copy()
    inner, outer = jac[:, : middle.size], jac[:, middle.size :]
    size = np.maximum(np.linalg.norm(inner, axis=0), 1e-300)
    turn = -np.linalg.lstsq(inner / size, outer, rcond=None)[0] / size[:, None]
    return np.asarray(middle + moved @ turn.T)


def _quoted_slopes(best: Optimum, center: Mapping[str, float], names: list[str]) -> Floats:
    """Slope (n, p) of the weighted curve by quoted parameters, by central differences."""
    columns = []
    for name in names:
        step = 1e-5 * max(abs(center[name]), 1e-6)
        up, down = (
            _curve(best, {k: np.array([v + side * step * (k == name)]) for k, v in center.items()})
            for side in (1, -1)
        )
        columns.append((up - down)[0] / (2 * step))
    return np.stack(columns, axis=-1)


def _curve(best: Optimum, params: Mapping[str, Floats]) -> Floats:
    """Weighted curve (C, n) on the link scale at quoted parameters, each (C,); inf outside of their bounds."""
    problem = best.problem
    theta = problem.law.theta(params)
    value = problem.law.value(problem.inputs, theta)
    linked = np.log(value) if problem.law.link == "log" else value
    low, high = problem.bounds
    # An estimate at its bound comes back from its quoted parameters off by rounding, and must not count as outside.
    slack = 1e-9 * np.maximum(np.abs(theta), 1e-12)
    inside = np.logical_and(theta >= low - slack, theta <= high + slack).all(axis=-1, keepdims=True)
    return np.asarray(
        np.where(inside & np.isfinite(linked), linked, np.inf) * np.sqrt(best.weights)
    )


_CELLS = 4000
_WIDE = 0.999  # the grid spans the fit's interval of every shape at this level
TRIES = 50


def posterior_draws(
    solution: Solution, uncertainty: Uncertainty, draws: int, seed: int
) -> dict[str, Floats]:
    """Return draws of the quoted parameters, each (1, draws): one chain, as ArviZ reads them.

    Shapes on a fine grid, coefficients exactly, no chains and nothing to tune. Under normal noise of unknown size, and
    priors that are flat in shapes and coefficients and 1/σ in the noise, the coefficients integrate out: the posterior
    of the shapes is |X'X|^(−1/2) · RSS^(−(n − k)/2), and given the shapes the coefficients have a multivariate t
    distribution. What lies outside a bound is drawn again.
    Source: Gelman et al. 2013, Bayesian Data Analysis, section 14.2 (regression) and 10.1 (grids).

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
