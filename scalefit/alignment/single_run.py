"""Falls between single runs: nothing measures seed noise, so two stand-ins are used, each at half the level.

scatter
    Short curves: residuals around the best of several smooth three-parameter curves in ln D (a parabola, so that a
    hump is no noise, and power laws). Long ones: second differences, that take any smooth shape for granted; over
    several lags, of which the largest counts. The null distribution of "largest fall over scatter" is simulated at a
    constant curve on the very same sizes, the worst case; it is right whatever the noise. Where the sizes are
    checkpoints of one run, neighbours hang together, and noise that does stands in: a run that wanders seems to fall.
reference
    The largest seed noise known from published replicates (see ``margin``): a fall that not even this noise explains.
    It counts as far as the curve looks no noisier than that. What it looks like is told by second differences without
    the largest, which one fall makes: how quiet noise of any size may seem at this level is simulated too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import ndtri

from scalefit.alignment import hayter
from scalefit.types import Floats, Mask

_DRAWS, _CELLS, _SEED = 10_000, 1_000_000, 20261122
LONG, _LAGS = 12, (1, 2, 4)
_HANGING = 0.8
"""Correlation of neighbouring checkpoints at which the level is kept."""
_RATES = tuple(
    float(r) for r in np.concatenate([-np.geomspace(0.3, 6, 6), np.geomspace(0.3, 12, 14)])
)


@lru_cache(maxsize=128)
def _bases(places: tuple[float, ...]) -> Floats:
    """Orthonormal bases of the smooth curves over x = ln D, (K, 3 C); at least one residual is left over."""
    # Groups of one table were measured at the same sizes, and each is asked about falls and rises of two metrics.
    x = np.array(places)
    unit = (x - x.min()) / max(float(np.ptp(x)), 1e-12)
    one = np.ones_like(unit)
    curved = [np.column_stack([one, np.exp(-rate * unit)]) for rate in _RATES]
    curved.append(np.column_stack([one, unit, unit**2]))
    if len(x) < 5:
        curved = [np.column_stack([one, unit])] if len(x) > 2 else []
    bases = np.zeros((len(x), len(curved), 3))
    for i, columns in enumerate(curved):
        bases[:, i, : columns.shape[1]] = np.linalg.qr(columns)[0]
    return bases.reshape(len(x), -1)


def degrees(sizes: int) -> int:
    """Residual degrees of freedom with this many sizes."""
    if sizes >= LONG:
        return sizes // 2 - 1  # second differences share points: 18/35 of their number
    return sizes - 3 if sizes >= 5 else max(sizes - 2, 0)


def residual_sd(x: Floats, y: Floats) -> Floats:
    """Scatter of y (..., K) around the best smooth curve over x = ln D (K,)."""
    if len(x) >= LONG:
        return _local_sd(x, y)
    bases = _bases(tuple(x.tolist()))
    if not bases.size:
        return np.full(y.shape[:-1], np.nan)
    centred = y - y.mean(axis=-1, keepdims=True)
    total = (centred**2).sum(axis=-1)
    taken = ((centred @ bases).reshape(*total.shape, -1, 3) ** 2).sum(axis=-1)
    rest = total - taken.max(axis=-1)
    return np.asarray(np.sqrt(np.maximum(rest, 1e-18 * (1 + total)) / degrees(len(x))))


def _local_sd(x: Floats, y: Floats) -> Floats:
    """Root mean square of what each point is off the line through its neighbours, per unit noise."""
    lags = (lag for lag in _LAGS if 6 * lag <= len(x))
    squares = np.max([_off_line(x, y, lag).mean(axis=-1) for lag in lags], axis=0)
    tiny = 1e-18 * (1 + (y**2).sum(axis=-1))
    return np.asarray(np.sqrt(np.maximum(squares, tiny)))


def _off_line(x: Floats, y: Floats, lag: int) -> Floats:
    """Squares (..., K - 2 lag) of what points are off the line through their neighbours, per unit noise."""
    first, middle, last = x[: -2 * lag], x[lag:-lag], x[2 * lag :]
    share = (last - middle) / (last - first)
    off = y[..., lag:-lag] - share * y[..., : -2 * lag] - (1 - share) * y[..., 2 * lag :]
    return np.asarray(off**2 / (1 + share**2 + (1 - share) ** 2))


def _quiet_sd(x: Floats, y: Floats) -> Floats:
    """Scatter as the neighbours have it, without the largest square, which a fall of one size makes."""
    squares = np.sort(_off_line(x, y, 1), axis=-1)
    return np.asarray(np.sqrt(squares[..., : max(len(x) - 3, 1)].mean(axis=-1)))


_LEVELS = np.geomspace(1e-4, 0.25, 20)
_LOUDER = np.geomspace(1.0, 60.0, 20)
"""How many times noisier than the reference a curve may be and still look quiet."""


@dataclass(frozen=True, eq=False)
class _Null:
    """What noise of one does to a constant curve on these sizes: no fall, though some are seen.

    Attributes
    ----------
    x : (K,) logarithms of the sizes.
    noise : (draws, K) curves.
    """

    x: Floats
    noise: Floats

    @cached_property
    def sd(self) -> Floats:
        """Scatter of each curve, (draws,)."""
        return residual_sd(self.x, self.noise)

    @cached_property
    def fall(self) -> Floats:
        """Largest fall of each curve, (draws,)."""
        return np.asarray((np.maximum.accumulate(self.noise, axis=1) - self.noise).max(axis=1))

    @cached_property
    def largest(self) -> Floats:
        """Sorted largest falls over the scatter, (draws,)."""
        return np.sort(self.fall / self.sd)

    @cached_property
    def pairs(self) -> Floats:
        """Falls over the scatter, one a pair of sizes i < j; of fewer curves where pairs are many."""
        first, second = np.triu_indices(len(self.x), 1)
        some = slice(_CELLS // len(first))
        falls = self.noise[some, first] - self.noise[some, second]
        return np.asarray(falls / self.sd[some, None])

    def share(self, heights: Floats) -> Floats:
        """Share of curves with a fall of at least these heights over the scatter."""
        below = np.searchsorted(self.largest, heights)
        return np.asarray((len(self.largest) - below + 1) / (len(self.largest) + 1))

    @cached_property
    def quiet(self) -> Floats:
        """How quiet a curve must look, in reference noises, to be read by it at each of ``_LEVELS``.

        Noise u times the reference passes for quiet and shows a fall beyond it in no more than that share, whatever u.
        """
        seen = _quiet_sd(self.x, self.noise)
        order = np.argsort(seen)
        seen, largest = seen[order], self.fall[order]
        heights = np.array([hayter.critical(len(self.x), np.inf, float(a)) for a in _LEVELS])
        most = np.full(len(_LEVELS), np.inf)
        for louder in _LOUDER:
            count = (largest > heights[:, None] / louder).cumsum(axis=1)
            over = count > _LEVELS[:, None] * len(seen)
            first = np.where(over.any(axis=1), louder * seen[over.argmax(axis=1)], np.inf)
            most = np.minimum(most, first)
        return np.minimum.accumulate(most[::-1])[::-1]

    def quantile(self, of: Literal["largest", "pairs"], level: float) -> Floats:
        """Quantile of the largest falls, or one a pair: every curve of these sizes asks for the same."""
        if (of, level) not in self._quantiles:
            self._quantiles[of, level] = np.quantile(getattr(self, of), level, axis=0)
        return self._quantiles[of, level]

    @cached_property
    def _quantiles(self) -> dict[tuple[str, float], Floats]:
        return {}


@lru_cache(maxsize=64)
def _null(x: tuple[float, ...], hanging: bool) -> _Null:
    draws = min(_DRAWS, int(1e7 / len(x) ** 2))
    noise = np.random.default_rng(_SEED).standard_normal((draws, len(x)))
    if hanging:
        for k in range(1, len(x)):
            noise[:, k] = _HANGING * noise[:, k - 1] + np.sqrt(1 - _HANGING**2) * noise[:, k]
    return _Null(np.array(x), noise)


@lru_cache(maxsize=64)
def later(sizes: int) -> Mask:
    """Return which pairs (K, K) are of an earlier and a later size."""
    return np.triu(np.ones((sizes, sizes), dtype=bool), 1)


@dataclass(frozen=True, eq=False)
class SingleRuns:
    """What falls between single runs are worth.

    Attributes
    ----------
    x : (K,) logarithms of the sizes.
    reference : the largest plausible noise; or the noise itself, where it is known.
    sd : scatter of the curve; nan where noise is known.
    doubt : level from which the curve looks no noisier than the reference; 0 where that is taken for granted.
    hanging : whether neighbours hang together.
    """

    x: Floats
    reference: float
    sd: float = float("nan")
    doubt: float = 0.0
    hanging: bool = False

    @property
    def known(self) -> bool:
        """Whether noise is known."""
        return bool(np.isnan(self.sd))

    @cached_property
    def _null(self) -> _Null:
        return _null(tuple(self.x.tolist()), self.hanging)

    def p_values(self, falls: Floats) -> Floats:
        """Family-wise p values of falls (K, K); 1 outside i < j."""
        size = np.where(later(len(falls)), falls, -1.0)
        p = hayter.sf_many(size / self.reference, len(self.x), np.inf)
        if not self.known:
            p = 2 * np.minimum(np.maximum(p, self.doubt), self._null.share(size / self.sd))
        return np.where(later(len(falls)), np.minimum(p, 1.0), 1.0)

    def smallest(self, alpha: float) -> float:
        """Smallest fall that has a p value of `alpha`."""
        half = alpha if self.known else alpha / 2
        least = float(hayter.critical(len(self.x), np.inf, half) * self.reference)
        if self.known:
            return least
        scattered = float(self.sd * self._null.quantile("largest", 1 - half))
        return min(least, scattered) if self.doubt <= half else scattered

    def reach(self, alpha: float) -> Floats:
        """One-sided half-width of each difference by itself, (K, K)."""
        sizes = len(self.x)
        if self.known:
            return np.full((sizes, sizes), self.reference * np.sqrt(2) * ndtri(1 - alpha))
        out = np.full((sizes, sizes), np.inf)
        out[later(sizes)] = self.sd * self._null.quantile("pairs", 1 - alpha)
        return out


class Scatter(NamedTuple):
    """How far a curve strays from a smooth course, and what its neighbours say of that."""

    sd: float
    quiet: float


def scatter_of(x: Floats, y: Floats) -> Scatter:
    """Return the scatter of a curve y (K,), K >= 3, over x = ln D (K,); falls and rises have the same."""
    return Scatter(float(residual_sd(x, y)), float(_quiet_sd(x, y)))


def single_runs(
    x: Floats, scatter: Scatter, reference: float, *, trusted: bool = False, hanging: bool = False
) -> SingleRuns:
    """Return what falls of a curve (K,), K >= 3, are worth whose noise nobody knows.

    Parameters
    ----------
    x : logarithms of the sizes, (K,).
    scatter : of the curve.
    reference : the largest noise seen in published replicates.
    trusted : whether noise is surely no more than that.
    hanging : whether the sizes are checkpoints of one run.
    """
    found = SingleRuns(x, reference, scatter.sd, 0.0, hanging)
    if trusted:
        return found
    levels = np.append(_LEVELS, 1.0)
    looks = scatter.quiet / reference
    return replace(found, doubt=float(levels[np.searchsorted(found._null.quiet, looks)]))


def tipping_point(fall: float, sizes: int, alpha: float = 0.05) -> float:
    """Seed standard deviation at and above which noise alone explains a fall between single runs.

    Examples
    --------
    >>> round(tipping_point(1.0, 6), 2)
    0.27
    """
    return max(fall, 0.0) / hayter.critical(sizes, np.inf, alpha)
