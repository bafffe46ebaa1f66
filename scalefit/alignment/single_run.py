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
from typing import Literal

import numpy as np
from scipy.special import ndtri

from scalefit.alignment import hayter
from scalefit.alignment.smooth import Straying, quiet_sd, residual_sd
from scalefit.types import Floats

_DRAWS, _CELLS, _SEED = 10_000, 1_000_000, 20261122
_HANGING = 0.8
"""Correlation of neighbouring checkpoints at which the level is kept."""


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
        seen = quiet_sd(self.x, self.noise)
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
        size = np.where(hayter.later(len(falls)), falls, -1.0)
        p = hayter.sf_many(size / self.reference, len(self.x), np.inf)
        if not self.known:
            p = 2 * np.minimum(np.maximum(p, self.doubt), self._null.share(size / self.sd))
        return np.where(hayter.later(len(falls)), np.minimum(p, 1.0), 1.0)

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
        out[hayter.later(sizes)] = self.sd * self._null.quantile("pairs", 1 - alpha)
        return out


def single_runs(
    x: Floats, strays: Straying, reference: float, *, trusted: bool = False, hanging: bool = False
) -> SingleRuns:
    """Return what falls of a curve (K,), K >= 3, are worth whose noise nobody knows.

    Parameters
    ----------
    x : logarithms of the sizes, (K,).
    strays : how far the curve strays from a smooth course.
    reference : the largest noise seen in published replicates.
    trusted : whether noise is surely no more than that.
    hanging : whether the sizes are checkpoints of one run.
    """
    found = SingleRuns(x, reference, strays.sd, 0.0, hanging)
    if trusted:
        return found
    levels = np.append(_LEVELS, 1.0)
    looks = strays.quiet / reference
    return replace(found, doubt=float(levels[np.searchsorted(found._null.quiet, looks)]))


def tipping_point(fall: float, sizes: int, alpha: float = 0.05) -> float:
    """Seed standard deviation at and above which noise alone explains a fall between single runs.

    Examples
    --------
    >>> round(tipping_point(1.0, 6), 2)
    0.27
    """
    return max(fall, 0.0) / hayter.critical(sizes, np.inf, alpha)
