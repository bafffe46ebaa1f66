"""The members of the mixture: guesses about the rest of a curve, each anchored at its last value.

Anchoring (law(x) + last value - law(last size)) matters more than the choice of the law: a curve that
no law fits exactly still goes on from where it stands. The laws are averages over a grid of their
shapes, weighed by likelihood, so that no start, no descent and no failed fit can enter.

Two more are lent by the table to its short curves: the mean slope, and one line's slope for all. Curves of at most
eight sizes say little about their own slope and gain from their siblings'; longer ones know better themselves
(finetuning curves of one model: error 1.26 times as large when pooled), and backtests, which look at shorter
prefixes, do not notice. Hence a gate by length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from scalefit.forecasting.quality.prefixes import TOP, Prefixes
from scalefit.forecasting.series import Series, Stack
from scalefit.types import Floats, Ints, Mask

NAMES = ("last value", "flattening slope", "ceiling", "logistic")
FLATTENS = 2.0  # e-folds of size
EXPONENTS = np.geomspace(0.03, 3.0, 30)
RATES = np.geomspace(0.25, 4.0, 9)
MIDPOINTS = 16  # from one e-fold below the first size to four above the last
CHUNK = 128  # prefixes at once: their grids stay in the cache


@dataclass(frozen=True, eq=False)
class Fitted(Stack):
    """What P prefixes say of themselves; everything that their forecasts need.

    Attributes
    ----------
    last, floor, span : (P,) float64
        Last value, the range's lower end, ln of the range of sizes.
    slope : (P,) float64
        Median of the slopes in ln x of the last 2, the last 3 and the last half; not below 0.
    slopes : (P, 4) float64
        Of the last 2, last 3, last half, and from the first to the last size.
    noise : (P,) float64
        Variance of the points about their smooth course.
    ceiling : (P, B) float64
        Coefficients of exp(-b h) - 1, b in EXPONENTS.
    logistic, middle : (P, S) float64
        Coefficients of the logistic curves, and their midpoints from the last size.
    """

    last: Floats
    floor: Floats
    span: Floats
    slope: Floats
    slopes: Floats
    noise: Floats
    ceiling: Floats
    logistic: Floats
    middle: Floats

    @property
    def stride(self) -> Floats:
        """Return the usual rise an e-fold, lately or from first to last, never nothing: (P,)."""
        return np.asarray(np.maximum(np.maximum(self.slope, self.slopes[:, 3]), 0.1))

    def at(self, h: Floats) -> Floats:
        """Return the members' forecasts at h = ln(size / last size): (P, Q) -> (P, Q, 4)."""
        parts = [self[i : i + CHUNK]._at(h[i : i + CHUNK]) for i in range(0, len(h), CHUNK)]
        return np.concatenate(parts) if parts else np.empty((*h.shape, len(NAMES)))

    def _at(self, h: Floats) -> Floats:
        # At first the local slope, after two e-folds little of it: curves of quality flatten.
        slope = self.slope[:, None] * FLATTENS * -np.expm1(-h / FLATTENS)
        decay = np.expm1(-EXPONENTS * h[:, :, None])
        ceiling = np.einsum("pb,pqb->pq", self.ceiling, decay)
        logistic = np.stack(
            [
                (_sigmoid(m, q[:, None]) - _sigmoid(m, 0.0)) @ a
                for m, a, q in zip(self.middle, self.logistic, h, strict=True)
            ]
        )
        rise = np.stack([np.zeros_like(h), slope, ceiling, logistic], axis=-1)
        curve = self.last[:, None, None] + rise
        return np.asarray(np.clip(curve, self.floor[:, None, None], TOP))


def fit_members(p: Prefixes) -> Fitted:
    """Return the members of every prefix: grids of shapes, coefficients in closed form."""
    parts = [_fit_members(p[i : i + CHUNK]) for i in range(0, len(p), CHUNK)]
    return Fitted(*(np.concatenate([getattr(q, f.name) for q in parts]) for f in fields(Fitted)))


def _fit_members(p: Prefixes) -> Fitted:
    drift = (p.last - np.take_along_axis(p.y, (p.u.shape[1] - p.n)[:, None], 1)[:, 0]) / p.span
    slopes = np.stack([slope(p, p.tail(2)), slope(p, p.tail(3)), slope(p, p.half), drift], axis=1)
    ceiling, rough = _ceiling(p)
    logistic, middle = _logistic(p)
    steady = np.maximum(0.0, np.median(slopes[:, :3], axis=1))
    noise = _noise(p, rough)
    return Fitted(p.last, p.floor, p.span, steady, slopes, noise, ceiling, logistic, middle)


def slope(p: Prefixes, where: Mask) -> Floats:
    """Return the slope in ln x of the points at ``where``: (P,)."""
    n = where.sum(axis=1, keepdims=True)
    u = np.where(where, p.u - np.sum(p.u * where, axis=1, keepdims=True) / n, 0.0)
    return np.asarray((u * p.y).sum(axis=1) / (u * u).sum(axis=1))


def _noise(p: Prefixes, residual: Floats) -> Floats:
    """Variance about the ceiling law, or between neighbours where that is smaller."""
    between = np.diff(p.y, axis=1) ** 2 * p.used[:, :-1]
    about = np.sum(residual**2, axis=1) / np.maximum(p.n - 3, 1)
    return np.asarray(np.minimum(about, between.sum(axis=1) / (p.n - 1)))


def _ceiling(p: Prefixes) -> tuple[Floats, Floats]:
    """Fit c + a * exp(-b u), a <= 0, c <= top: coefficients, and residuals of the average."""
    z = np.exp(-EXPONENTS[:, None] * p.u[:, None, :]) * p.used[:, None, :]
    y = p.y[:, None, :]
    a, c = _line(z, y, p)
    a = np.minimum(a, 0.0)
    c = np.where(a < 0, c, _mean(y, p))
    through_top = ((y - TOP) * z).sum(-1) / (z * z).sum(-1)
    a = np.where(c > TOP, np.minimum(through_top, 0.0), a)
    fitted = np.minimum(c, TOP)[..., None] + a[..., None] * z
    weights = _shape_weights(fitted, p, p.n - 2)
    average = np.einsum("pb,pbk->pk", weights, fitted)
    return weights * a, np.where(p.used, average - p.y, 0.0)


def _logistic(p: Prefixes) -> tuple[Floats, Floats]:
    """Fit c + a * logistic(rate * (u - middle)), floor <= c, c + a <= top, a >= 0: coefficients, middles."""
    steps = np.linspace(0.0, 1.0, MIDPOINTS)
    middle = -p.span[:, None] - 1.0 + (p.span[:, None] + 5.0) * steps
    middle = np.repeat(middle, RATES.size, axis=1)
    z = _sigmoid(middle[..., None], p.u[:, None, :]) * p.used[:, None, :]
    y, floor = p.y[:, None, :], p.floor[:, None]
    a, c = _line(z, y, p)
    a = np.maximum(a, 0.0)
    c = np.where(a > 0, c, _mean(y, p))
    low = c < floor
    from_floor = ((y - np.where(np.isfinite(floor), floor, 0.0)[..., None]) * z).sum(-1)
    a = np.where(low, np.maximum(from_floor / np.maximum((z * z).sum(-1), 1e-300), 0.0), a)
    c = np.maximum(c, floor)
    a = np.where(c + a > TOP, np.maximum(TOP - c, 0.0), a)
    weights = _shape_weights(c[..., None] + a[..., None] * z, p, p.n - 3)
    return weights * a, middle


def _sigmoid(middle: Floats, u: Floats | float) -> Floats:
    """Return the logistic curves; rates run fastest along the axis of shapes."""
    rates = np.tile(RATES, MIDPOINTS)
    rates = rates[:, None] if np.ndim(middle) == 3 else rates
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(rates * (u - middle), -40.0, 40.0))))


def _mean(y: Floats, p: Prefixes) -> Floats:
    return np.asarray((y * p.used[:, None, :]).sum(-1) / p.n[:, None])


def _line(z: Floats, y: Floats, p: Prefixes) -> tuple[Floats, Floats]:
    """Least squares of y = c + a z over the used points of each shape: a, c."""
    used = p.used[:, None, :]
    middle, level = _mean(z, p), _mean(y, p)
    centred = np.where(used, z - middle[..., None], 0.0)
    a = (centred * y).sum(-1) / np.maximum((centred**2).sum(-1), 1e-12)
    return a, level - a * middle


def _shape_weights(fitted: Floats, p: Prefixes, freedom: Ints) -> Floats:
    """Likelihood of each shape, (mean square)^(-freedom / 2), summing to 1 over the shapes.

    The mean square gets a floor of a hundredth of the spread: a grid is too coarse to be believed
    closer, and without it two or three points would leave a single shape.
    """
    y, used = p.y[:, None, :], p.used[:, None, :]
    error = (np.where(used, fitted - y, 0.0) ** 2).sum(-1) / p.n[:, None]
    spread = np.where(used, y - _mean(y, p)[..., None], 0.0)
    variance = (spread[:, 0] ** 2).sum(-1, keepdims=True) / p.n[:, None]
    error = error + 1e-4 * np.maximum(variance, 1e-3) + 1e-6
    score = -0.5 * np.maximum(freedom, 0)[:, None] * np.log(error)
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


POOLED = ("table's slope", "table's line")
SHORT = 8  # sizes in the longest curve
SIBLINGS = 3  # fewer curves have no table to speak of


def pools(curves: Sequence[Series]) -> bool:
    """Return whether the table's curves are short and many enough to share their slopes."""
    return len(curves) >= SIBLINGS and max(len(c) for c in curves) <= SHORT


@dataclass(frozen=True, eq=False)
class TableSlopes:
    """Slopes in ln x shared by all prefixes of equal length: index = number of sizes.

    Attributes
    ----------
    last_half : (K + 1,) float64
        Mean slope of the last halves.
    line : (K + 1,) float64
        Slope of parallel lines, one a prefix, through all of them.
    """

    last_half: Floats
    line: Floats

    def at(self, p: Prefixes, last: Floats, h: Floats) -> Floats:
        """Return the two members' forecasts at ``h``: (P, Q) -> (P, Q, 2)."""
        n = np.minimum(p.n, self.line.size - 1)
        through_last = last[:, None] + self.last_half[n][:, None] * h
        u, y = _centres(p)
        through_middle = y[:, None] + self.line[n][:, None] * (h - u[:, None])
        both = np.stack([through_last, through_middle], axis=-1)
        return np.clip(both, p.floor[:, None, None], TOP)


def table_slopes(p: Prefixes, fitted: Fitted) -> TableSlopes:
    """Return the slopes that prefixes of equal length share.

    Each prefix looks only at its siblings' prefixes of the same length, never beyond its own end.
    """
    u, _ = _centres(p)
    centred = np.where(p.used, p.u - u[:, None], 0.0)
    sxy, sxx = (centred * p.y).sum(axis=1), (centred**2).sum(axis=1)
    count = np.maximum(_by_length(p.n, np.ones(len(p))), 1.0)
    return TableSlopes(
        _by_length(p.n, fitted.slopes[:, 2]) / count,
        _by_length(p.n, sxy) / np.maximum(_by_length(p.n, sxx), 1e-300),
    )


def _by_length(n: Ints, values: Floats) -> Floats:
    return np.bincount(n, weights=values).astype(np.float64)


def _centres(p: Prefixes) -> tuple[Floats, Floats]:
    return p.u.sum(axis=1) / p.n, p.y.sum(axis=1) / p.n
