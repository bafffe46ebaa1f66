"""Curves cut short after each of their sizes, and the members of the mixture: guesses about the rest of each.

Curves stand in per cent of their range, so that one set of constants serves all metrics, and their prefixes side by
side in padded arrays: a thousand curves cost a handful of matrix products instead of ten thousand small fits.

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
from scipy.special import stdtr

from scalefit.errors import FitError
from scalefit.estimate import off_neighbours
from scalefit.forecasting.series import Series, Stack
from scalefit.types import Floats, Ints, Mask

TOP = 100.0


@dataclass(frozen=True)
class Percent:
    """Percent = 100 - (top - metric) * 100 / unit; ``floor`` is the range's lower end in per cent."""

    top: float
    unit: float
    floor: float

    def to(self, y: Floats) -> Floats:
        """Return ``y`` in per cent of the range."""
        return TOP - (self.top - y) * (TOP / self.unit)

    def back(self, percent: Floats) -> Floats:
        """Return per cent of the range in the metric's units."""
        return self.top - (TOP - percent) * (self.unit / TOP)


def percent_of(curve: Series) -> Percent:
    """Return the scale of a curve's metric.

    Without a lower end the distance from 0 to the top is 100 per cent (COMET: 1), and where the top
    is not above 0 either, the distance from the worst value to the top.
    """
    if not np.isfinite(curve.top):
        raise FitError(
            "a forecast of quality needs a metric with an upper end, found one without; "
            "give it (top=100 for BLEU and chrF, 1 for accuracy), or forecast a loss"
        )
    if np.isfinite(curve.bottom):
        return Percent(curve.top, curve.top - curve.bottom, 0.0)
    unit = curve.top if curve.top > 0 else float(curve.top - np.min(curve.y))
    return Percent(curve.top, max(unit, np.finfo(float).tiny), -np.inf)


SHORTEST = 2  # two sizes give one slope; one size gives none


@dataclass(frozen=True, eq=False)
class Prefixes(Stack):
    """P prefixes of at most K sizes, aligned at their last size (column -1), padded on the left.

    Attributes
    ----------
    u : (P, K), ln(size / last size): 0 at the end, negative before it; 0 where padded.
    y : (P, K), metric in per cent of its range; 0 where padded.
    used : (P, K) bool, false where padded.
    n, curve : (P,) int64, sizes in the prefix; which curve it belongs to.
    floor : (P,), lower end of the range: 0, or -inf.
    """

    u: Floats
    y: Floats
    used: Mask
    n: Ints
    curve: Ints
    floor: Floats

    def __len__(self) -> int:
        """Return the number of prefixes."""
        return self.n.size

    @property
    def last(self) -> Floats:
        """Return the value at the last size: (P,)."""
        return np.asarray(self.y[:, -1])

    @property
    def span(self) -> Floats:
        """Return ln(last size / first size): (P,)."""
        return np.asarray(-self.u.min(axis=1))

    def tail(self, k: int | Ints) -> Mask:
        """Return where the last ``k`` sizes of each prefix stand: (P, K)."""
        width = self.u.shape[1]
        return np.asarray(self.used & (np.arange(width) >= width - np.reshape(k, (-1, 1))))

    @property
    def half(self) -> Mask:
        """Return where the last half of each prefix stands, three sizes at least: (P, K)."""
        return self.tail(np.maximum(3, (self.n + 1) // 2))


def prefixes_of(curves: Sequence[Series], lengths: Sequence[Ints]) -> Prefixes:
    """Return the prefixes of ``curves`` that have ``lengths[i]`` sizes of curve i.

    Raises FitError: where a curve has fewer than two sizes, or its metric no upper end.
    """
    width = max((int(k.max()) for k in lengths if k.size), default=SHORTEST)
    rows = [(i, int(k)) for i, of_one in enumerate(lengths) for k in of_one]
    u, y = np.zeros((len(rows), width)), np.zeros((len(rows), width))
    used = np.zeros((len(rows), width), dtype=bool)
    percent = [percent_of(c).to(c.y) for c in curves]
    logs = [np.log(c.x) for c in curves]
    for row, (i, k) in enumerate(rows):
        u[row, width - k :] = logs[i][:k] - logs[i][k - 1]
        y[row, width - k :] = percent[i][:k]
        used[row, width - k :] = True
    curve, n = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    floors = np.array([percent_of(c).floor for c in curves])
    return Prefixes(u, y, used, n, curve, floors[curve])


def uncut(curves: Sequence[Series]) -> Prefixes:
    """Return every curve in full length.

    Raises FitError: where there is no curve, or one of fewer than two sizes.
    """
    if not curves:
        raise FitError("a forecast needs a curve, found none; look at the filter that left no rows")
    for c in curves:
        if len(c) < SHORTEST:
            raise FitError(
                f"a forecast needs {SHORTEST} sizes of a curve, found {len(c)}: nothing says how the "
                "metric moves with size; measure one more, best at a quarter of the largest"
            )
    return prefixes_of(curves, [np.array([len(c)]) for c in curves])


NAMES = ("last value", "flattening slope", "ceiling", "logistic")
FLATTENS = 2.0  # e-folds of size
YOUNG = 20.0  # per cent of the range from which on a curve is of age
# Share of its slope that a straight curve may lose an e-fold, and the doubt about it at which it is half believed.
STRAIGHT, STRAIGHT_SD = 0.1, 0.05
UNSURE = 0.005  # chance of such a fall in noise from which on it says nothing
_EXPONENTS = np.geomspace(0.03, 3.0, 30)
_RATES = np.geomspace(0.25, 4.0, 9)
MIDPOINTS = 16  # from one e-fold below the first size to four above the last
_ALL_RATES = np.tile(_RATES, MIDPOINTS)
CHUNK = 128  # prefixes at once: their grids stay in the cache


class Slopes:
    """What prefixes' slopes in ln x say: of the last 2 sizes, the last 3, the last half, from first to last (P, 4)."""

    slopes: Floats
    last: Floats

    @property
    def young(self) -> Floats:
        """Return how far below a fifth of the range the last value lies: 0 of age, 1 at its lower end (P,).

        Public curves of BLEU keep their slope or gain below that, and flatten above it, however long they rose.
        """
        return np.clip(1.0 - self.last / YOUNG, 0.0, 1.0)

    @property
    def trend(self) -> Floats:
        """Return the median of the last three kinds, below 0 where the curve falls: (P,)."""
        return np.asarray(np.median(self.slopes[:, :3], axis=1))

    @property
    def slope(self) -> Floats:
        """Return the trend, 0 where it falls: (P,)."""
        return np.maximum(self.trend, 0.0)

    @property
    def stride(self) -> Floats:
        """Return the usual rise an e-fold, lately or from first to last, never nothing: (P,)."""
        return np.maximum(np.maximum(self.slope, self.slopes[:, 3]), 0.1)


@dataclass(frozen=True, eq=False)
class Fitted(Slopes, Stack):
    """What P prefixes say of themselves; everything that their forecasts need.

    Attributes
    ----------
    last, floor, span : (P,), last value, the range's lower end, ln of the range of sizes.
    slopes : (P, 4), see :class:`Slopes`.
    noise, jitter : (P,), variance of the points about their smooth course, and about their neighbours where smaller.
    flattens, falls : (P,), how far each is believed to flatten as public curves do, see :func:`flattening`; how surely
        it falls, see :func:`falling`.
    ceiling : (P, B), coefficients of exp(-b h) - 1, b in _EXPONENTS.
    logistic, middle : (P, S), coefficients of the logistic curves, and their midpoints from the last size.
    """

    last: Floats
    floor: Floats
    span: Floats
    slopes: Floats
    noise: Floats
    jitter: Floats
    flattens: Floats
    falls: Floats
    ceiling: Floats
    logistic: Floats
    middle: Floats

    def at(self, h: Floats) -> Floats:
        """Return the members' forecasts at h = ln(size / last size): (P, Q) -> (P, Q, 4)."""
        parts = [self[i : i + CHUNK]._at(h[i : i + CHUNK]) for i in range(0, len(h), CHUNK)]
        return np.concatenate(parts) if parts else np.empty((*h.shape, len(NAMES)))

    def _at(self, h: Floats) -> Floats:
        # At first the local slope, after two e-folds little of it: curves of quality flatten, unless surely straight
        # or young.
        rate = np.maximum(self.flattens * (1.0 - self.young), 1e-6)[:, None] / FLATTENS
        slope = self.slope[:, None] * -np.expm1(-h * rate) / rate
        decay = np.expm1(-_EXPONENTS * h[:, :, None])
        ceiling = np.einsum("pb,pqb->pq", self.ceiling, decay)
        # One prefix at a time: the grids of all of them would fall out of the cache.
        grown = (
            (_sigmoid(m, q[:, None]) - m0) @ a
            for m, m0, a, q in zip(
                self.middle, _sigmoid(self.middle, 0.0), self.logistic, h, strict=True
            )
        )
        logistic = np.stack(list(grown))
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
    straight, falls = flattening(p), falling(p)
    noise = _noise(p, rough, falls)
    jitter = np.minimum(noise, _jitter(p))
    of = (noise, jitter, straight, falls, ceiling, logistic, middle)
    return Fitted(p.last, p.floor, p.span, slopes, *of)


def flattening(p: Prefixes) -> Floats:
    """Return how far each prefix is believed to flatten as public curves do: 1, less where it is surely straight (P,).

    A parabola in ln x says what share of its mean slope a curve loses an e-fold, and how surely. Bent either way it
    keeps the 1, for an S gathers speed before it flattens; so do fewer than five sizes, which cannot be sure.
    """
    line, y = (_centred(v, p.used) for v in (p.u, p.y))
    square = _centred(line**2, p.used)
    square -= _along(line, square)[:, None] * line
    mean, curving = _along(line, y), _along(square, y)
    rest = y - mean[:, None] * line - curving[:, None] * square
    freedom = np.maximum(p.n - 3.0, 1.0)
    noise = (rest**2).sum(axis=1) / freedom * (1 + 2 / freedom)  # of few points it is a guess
    rises = np.maximum(mean, 1e-6)
    doubt = 4 * noise / np.maximum((square**2).sum(axis=1), 1e-12) / rises**2
    straight = np.maximum(1.0 - np.abs(2 * curving / rises) / STRAIGHT, 0.0)
    sure = STRAIGHT_SD**2 / (STRAIGHT_SD**2 + doubt)
    return np.where((p.n >= 5) & (mean > 0.1), 1.0 - sure * straight, 1.0)


def falling(p: Prefixes) -> Floats:
    """Return how surely each prefix falls, all along or all along its last half: 0 where noise might, to 1 (P,).

    Both halves of what falls must fall. A flat start and a late dip do not: so do finetuning curves before they rise.
    """
    return np.maximum(_falls(p, p.n, 5), _falls(p, p.n // 2, 6))


def _falls(p: Prefixes, k: Ints, fewest: int) -> Floats:
    """Return how surely both halves of the last ``k`` sizes fall, by their noise about one line: (P,)."""
    halves = p.tail((k + 1) // 2), p.tail(k) & ~p.tail(k // 2)
    noise = _about_line(p, k)
    clear = [slope(p, h) * np.sqrt((_centred(p.u, h) ** 2).sum(axis=1) / noise) for h in halves]
    one = stdtr(np.maximum(k - 2, 1), np.max(clear, axis=0))
    return np.where(k >= fewest, np.clip(1.0 - one**2 / UNSURE, 0.0, 1.0), 0.0)


def _about_line(p: Prefixes, k: Ints) -> Floats:
    """Return the variance of the last ``k`` sizes about a line in ln x: (P,)."""
    u, y = (_centred(v, p.tail(k)) for v in (p.u, p.y))
    rest = y - _along(u, y)[:, None] * u
    return np.asarray(np.maximum((rest**2).sum(axis=1) / np.maximum(k - 2, 1), 1e-6))


def _centred(v: Floats, where: Mask) -> Floats:
    """Return ``v`` about its mean over ``where``, 0 elsewhere: (P, K)."""
    n = np.maximum(where.sum(axis=1, keepdims=True), 1)
    return np.where(where, v - np.sum(v * where, axis=1, keepdims=True) / n, 0.0)


def _along(x: Floats, y: Floats) -> Floats:
    """Return the slope of y on x, both about their means: (P, K) -> (P,)."""
    return np.asarray((x * y).sum(axis=1) / np.maximum((x * x).sum(axis=1), 1e-12))


def slope(p: Prefixes, where: Mask) -> Floats:
    """Return the slope in ln x of the points at ``where``: (P,)."""
    return _along(_centred(p.u, where), p.y)


def _noise(p: Prefixes, residual: Floats, falls: Floats) -> Floats:
    """Variance about the ceiling law, which never falls, or between neighbours or about what falls where smaller."""
    between = np.diff(p.y, axis=1) ** 2 * p.used[:, :-1]
    about = np.sum(residual**2, axis=1) / np.maximum(p.n - 3, 1)
    noise = np.minimum(about, between.sum(axis=1) / (p.n - 1))
    return np.asarray(noise - falls * np.maximum(noise - _about_line(p, p.n), 0.0))


def _jitter(p: Prefixes) -> Floats:
    """Variance about the line through both neighbours: a smooth course has next to no part in it."""
    bent = np.where(p.used[:, :-2], off_neighbours(p.u, p.y), 0.0)
    return np.asarray((bent**2).sum(axis=1) / np.maximum(p.n - 2, 1))


def _ceiling(p: Prefixes) -> tuple[Floats, Floats]:
    """Fit c + a * exp(-b u), a <= 0, c <= top: coefficients, and residuals of the average."""
    z = np.exp(-_EXPONENTS[:, None] * p.u[:, None, :]) * p.used[:, None, :]
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
    middle = np.repeat(middle, _RATES.size, axis=1)
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
    rates = _ALL_RATES[:, None] if np.ndim(middle) == 3 else _ALL_RATES
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
    """Likelihood of each shape, (mean square)^(-freedom / 2), summing to 1 over the shapes."""
    y, used = p.y[:, None, :], p.used[:, None, :]
    error = (np.where(used, fitted - y, 0.0) ** 2).sum(-1) / p.n[:, None]
    spread = np.where(used, y - _mean(y, p)[..., None], 0.0)
    variance = (spread[:, 0] ** 2).sum(-1, keepdims=True) / p.n[:, None]
    # A grid is too coarse to be believed closer than a hundredth of the spread: two or three points would leave a
    # single shape.
    error = error + 1e-4 * np.maximum(variance, 1e-3) + 1e-6
    score = -0.5 * np.maximum(freedom, 0)[:, None] * np.log(error)
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


POOLED = ("table's slope", "table's line")
SHORT = 8  # sizes in the longest curve
SIBLINGS = 2  # a single curve's slope would count twice


def pools(curves: Sequence[Series]) -> bool:
    """Return whether the table's curves are short and many enough to share their slopes."""
    return len(curves) >= SIBLINGS and max(len(c) for c in curves) <= SHORT


@dataclass(frozen=True, eq=False)
class TableSlopes:
    """Slopes in ln x shared by all prefixes of equal length: index = number of sizes.

    Attributes
    ----------
    last_half : (K + 1,), mean slope of the last halves.
    line : (K + 1,), slope of parallel lines, one a prefix, through all of them.
    """

    last_half: Floats
    line: Floats

    def at(self, p: Prefixes, last: Floats, h: Floats) -> Floats:
        """Return the two members' forecasts at ``h``: (P, Q) -> (P, Q, 2)."""
        n = np.minimum(p.n, self.line.size - 1)
        through_last = last[:, None] + self.last_half[n][:, None] * h
        u, y = p.u.sum(axis=1) / p.n, p.y.sum(axis=1) / p.n
        through_middle = y[:, None] + self.line[n][:, None] * (h - u[:, None])
        both = np.stack([through_last, through_middle], axis=-1)
        return np.asarray(np.clip(both, p.floor[:, None, None], TOP))


def table_slopes(p: Prefixes, fitted: Fitted) -> TableSlopes:
    """Return the slopes that prefixes of equal length share.

    Each prefix looks only at its siblings' prefixes of the same length, never beyond its own end.
    """
    centred = _centred(p.u, p.used)
    sxy, sxx = (centred * p.y).sum(axis=1), (centred**2).sum(axis=1)
    count = np.maximum(_by_length(p.n, np.ones(len(p))), 1.0)
    return TableSlopes(
        _by_length(p.n, fitted.slopes[:, 2]) / count,
        _by_length(p.n, sxy) / np.maximum(_by_length(p.n, sxx), 1e-300),
    )


def _by_length(n: Ints, values: Floats) -> Floats:
    return np.bincount(n, weights=values).astype(np.float64)
