"""Did quality get worse? Falls between all pairs of sizes, with bounds that hold at once.

The test is Hayter's one-sided studentized range on run means, refined where the curve surely
rises (``steep``). It speaks about every pair, so it also says where the fall is.

The upper bound of the largest fall is an intersection-union: it is below a margin when *every*
pair is, each tested at level alpha, so it needs no correction for their number.

References
----------
Hayter, A. J. (1990). Journal of the American Statistical Association 85, 778-785.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from . import hayter
from .noise import Noise
from .steep import GAMMA, sure_rises, tail

__all__ = ["Falls", "confirmed", "falls", "lower", "p_values", "passes"]

Floats = NDArray[np.float64]
_FLAT, _SMALL = 0.05, 1e-5


@dataclass(frozen=True, eq=False)
class Falls:
    """Falls from earlier to later sizes, for one table or many.

    Attributes
    ----------
    size : (..., K, K)
        ``effects[i] - effects[j]`` for i < j; nan elsewhere.
    height : (..., K, K)
        The same in standard errors of one mean.
    """

    size: Floats
    height: Floats
    noise: Noise

    @property
    def largest(self) -> Floats:
        """Largest studentized fall, (...)."""
        return np.asarray(np.nanmax(self.height, axis=(-2, -1)))

    def upper(self, alpha: float) -> Floats:
        """Upper bound of the largest fall, (...), right with probability 1 - alpha."""
        return np.asarray(np.nanmax(self.size + self.reach(alpha), axis=(-2, -1)))

    def reach(self, alpha: float) -> Floats:
        """One-sided half-width of each difference by itself, (..., K, K)."""
        return np.asarray(_pair_height(self.noise.nu, alpha) * self.noise.step())

    @property
    def heights(self) -> Floats:
        """`height`, below zero outside i < j."""
        return np.nan_to_num(self.height, nan=-1.0)

    def path(self, alpha: float) -> Floats:
        """Standardised means that the curve surely reaches, (..., K)."""
        return sure_rises(self.height, self.noise.nu, alpha)


def falls(noise: Noise, sign: float = 1.0) -> Falls:
    """Falls of `sign` x effects between all pairs of sizes; sign -1 gives the rises."""
    effects = sign * noise.effects
    size = effects[..., :, None] - effects[..., None, :]
    later = np.triu(np.ones(size.shape[-2:], dtype=bool), 1)
    size = np.where(later, size, np.nan)
    return Falls(size, size / noise.step(), noise)


def _pair_height(nu: float, alpha: float) -> float:
    """Critical height of one pair by itself: a t test in units of one mean's error."""
    return float(np.sqrt(2) * stats.t.ppf(1 - alpha, nu))


def passes(found: Falls, alpha: float) -> NDArray[np.bool_]:
    """Whether any pair falls beyond doubt, (...); quicker than ``confirmed``."""
    careful = found.heights / found.noise.swell
    top = careful >= careful.max(axis=(-2, -1), keepdims=True)
    plain = found.largest > hayter.critical(found.height.shape[-1], found.noise.nu, _level(alpha))
    only = Falls(
        found.size, np.where(top & ~plain[..., None, None], found.height, -1.0), found.noise
    )
    return np.asarray(plain | _refined(only, found, alpha).any(axis=(-2, -1)))


def _level(alpha: float) -> float:
    """Level that is left after both preliminary bounds."""
    return alpha * (1 - 2 * GAMMA)


def confirmed(found: Falls, alpha: float) -> NDArray[np.bool_]:
    """Which pairs fall beyond doubt at family level alpha, (..., K, K)."""
    heights = found.heights
    groups, nu = heights.shape[-1], found.noise.nu
    if not found.noise.balanced:
        return np.asarray(heights > hayter.critical(groups, nu, alpha))
    yes = heights > hayter.critical(groups, nu, _level(alpha))
    return yes | _refined(
        Falls(found.size, np.where(yes, -1.0, heights), found.noise), found, alpha
    )


def _refined(asked: Falls, found: Falls, alpha: float) -> NDArray[np.bool_]:
    """Which of the asked pairs fall beyond doubt given the sure rises of the whole curve."""
    groups, nu = found.height.shape[-1], found.noise.nu
    path = found.path(alpha)
    careful = asked.heights / found.noise.swell
    floor = _pair_height(nu, alpha)
    yes = (careful > floor) & (path[..., -1] > _FLAT)[..., None, None]
    if yes.any():
        paths = np.broadcast_to(path[..., None, None, :], (*yes.shape, groups))[yes]
        yes[yes] = tail(paths, careful[yes], nu) < _level(alpha)
    return yes


def p_values(found: Falls) -> Floats:
    """Smallest family level at which each pair's fall is confirmed, (K, K), for one table."""
    plain = hayter.sf_many(found.heights, found.height.shape[-1], found.noise.nu)
    if not found.noise.balanced:
        return plain
    plain = np.minimum(plain / _level(1.0), 1.0)
    careful = found.heights / found.noise.swell
    if found.path(0.3)[-1] < _FLAT:
        return plain
    for pair in zip(*np.nonzero((careful > 0) & (plain > _SMALL) & (plain < 0.3)), strict=True):
        plain[pair] = min(plain[pair], _refined_p(found, float(careful[pair])))
    return plain


def _refined_p(found: Falls, height: float) -> float:
    """Solve ``tail(path(alpha), height) = alpha (1 - 2 gamma)`` for alpha by bisection in its log."""
    nu = found.noise.nu
    low, high = np.log(_SMALL), 0.0
    for _ in range(14):
        level = float(np.exp((low + high) / 2))
        path = found.path(level)[None]
        real = height > _pair_height(nu, level) and tail(path, np.array([height]), nu)[0] < _level(
            level
        )
        low, high = (low, float(np.log(level))) if real else (float(np.log(level)), high)
    return float(np.exp(high))


def lower(found: Falls, alpha: float) -> float:
    """Lower bound of the largest fall of one table, right with probability 1 - alpha."""
    step, level = found.noise.step(), _level(alpha)
    if not found.noise.balanced:
        level = alpha
    plain = hayter.critical(found.height.shape[-1], found.noise.nu, level)
    best = float(np.nanmax(found.size - plain * step))
    if not found.noise.balanced or found.path(alpha)[-1] < _FLAT:
        return best
    refined = _refined_critical(found, alpha) * found.noise.swell * step
    return max(best, float(np.nanmax(found.size - refined)))


def _refined_critical(found: Falls, alpha: float) -> float:
    nu, level = found.noise.nu, _level(alpha)
    path = found.path(alpha)[None]
    low = _pair_height(nu, alpha)
    high = hayter.critical(found.height.shape[-1], nu, level)
    for _ in range(16):
        middle = (low + high) / 2
        enough = tail(path, np.array([middle]), nu)[0] < level
        low, high = (low, middle) if enough else (middle, high)
    return high
