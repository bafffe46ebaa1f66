"""One seed a size: noise from the scatter of the curve, and a reference noise beside it.

Without replicates nothing measures seed noise. Two stand-ins are used, each at half the level:

scatter
    Short curves: residuals around the best of several smooth three-parameter curves in ln D (a
    parabola, so that a hump is no noise, and power laws). Long ones: second differences, that
    take any smooth shape for granted; over several lags, of which the largest counts, so that a
    run that wanders is not taken for a quiet one. The null distribution of "largest fall over
    scatter" is simulated at a constant curve on the very same sizes, the worst case.
reference
    The largest seed noise known from published replicates (see ``margin``), or the scatter where
    that is larger: a fall that not even this noise explains.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from scalefit.types import Floats

from . import hayter

__all__ = [
    "degrees",
    "pair_p_values",
    "pair_reach",
    "residual_sd",
    "smallest_fall",
    "tipping_point",
]

_DRAWS, _SEED = 10_000, 20261122
_LONG, _LAGS = 12, (1, 2, 4)
_RATES = tuple(
    float(r) for r in np.concatenate([-np.geomspace(0.3, 6, 6), np.geomspace(0.3, 12, 14)])
)


@lru_cache(maxsize=128)
def _bases(places: tuple[float, ...]) -> list[Floats]:
    """Orthonormal bases (K, p) of the smooth curves over x = ln D; at least one residual is left over."""
    # Groups of one table were measured at the same sizes, and each is asked about falls and rises of two metrics.
    x = np.array(places)
    unit = (x - x.min()) / max(float(np.ptp(x)), 1e-12)
    one = np.ones_like(unit)
    if len(x) < 5:
        return [np.linalg.qr(np.column_stack([one, unit]))[0]] if len(x) > 2 else []
    curved = [np.column_stack([one, np.exp(-rate * unit)]) for rate in _RATES]
    curved.append(np.column_stack([one, unit, unit**2]))
    return [np.linalg.qr(columns)[0] for columns in curved]


def degrees(sizes: int) -> int:
    """Residual degrees of freedom with this many sizes."""
    if sizes >= _LONG:
        return sizes // 2 - 1  # second differences share points: 18/35 of their number
    return sizes - 3 if sizes >= 5 else max(sizes - 2, 0)


def residual_sd(x: Floats, y: Floats) -> Floats:
    """Scatter of y (..., K) around the best smooth curve over x = ln D (K,)."""
    if len(x) >= _LONG:
        return _local_sd(x, y)
    bases = _bases(tuple(x.tolist()))
    if not bases:
        return np.full(y.shape[:-1], np.nan)
    centred = y - y.mean(axis=-1, keepdims=True)
    total = (centred**2).sum(axis=-1)
    rest = np.min([total - ((centred @ q) ** 2).sum(axis=-1) for q in bases], axis=0)
    return np.asarray(np.sqrt(np.maximum(rest, 1e-18 * (1 + total)) / degrees(len(x))))


def _local_sd(x: Floats, y: Floats) -> Floats:
    """Root mean square of what each point is off the line through its neighbours, per unit noise."""
    squares = []
    for lag in (lag for lag in _LAGS if 6 * lag <= len(x)):
        first, middle, last = x[: -2 * lag], x[lag:-lag], x[2 * lag :]
        share = (last - middle) / (last - first)
        off = y[..., lag:-lag] - share * y[..., : -2 * lag] - (1 - share) * y[..., 2 * lag :]
        squares.append((off**2 / (1 + share**2 + (1 - share) ** 2)).mean(axis=-1))
    tiny = 1e-18 * (1 + (y**2).sum(axis=-1))
    return np.asarray(np.sqrt(np.maximum(np.max(squares, axis=0), tiny)))


@lru_cache(maxsize=64)
def _null(x: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Sorted largest falls over scatter, and the falls of every pair, at a flat truth."""
    at = np.array(x)
    draws = min(_DRAWS, int(1e7 / len(at) ** 2))
    noise = np.random.default_rng(_SEED).standard_normal((draws, len(at)))
    differences = noise[:, :, None] - noise[:, None, :]
    pairs = differences[:, *np.triu_indices(len(at), 1)] / residual_sd(at, noise)[:, None]
    return np.sort(pairs.max(axis=1)), pairs


def pair_p_values(x: Floats, falls: Floats, sd: float, reference: float) -> Floats:
    """Family-wise p values of falls (K, K) between single runs; 1 outside i < j.

    Parameters
    ----------
    x
        Logarithms of the sizes, (K,).
    falls
        Falls between them.
    sd
        Scatter of the curve; nan: only the reference is used, at the full level.
    reference
        The largest plausible noise, at least the scatter; or the known noise.
    """
    sizes, later = len(x), np.triu(np.ones(falls.shape, dtype=bool), 1)
    p = hayter.sf_many(np.nan_to_num(falls, nan=-1.0) / reference, sizes, np.inf)
    if np.isfinite(sd):
        largest = _null(tuple(x))[0]
        below = np.searchsorted(largest, np.nan_to_num(falls, nan=-np.inf) / sd)
        p = 2 * np.minimum(p, (len(largest) - below + 1) / (len(largest) + 1))
    return np.where(later, np.minimum(p, 1.0), 1.0)


def smallest_fall(x: Floats, sd: float, reference: float, alpha: float) -> float:
    """Smallest fall between single runs that has a p value of `alpha`."""
    half = alpha / 2 if np.isfinite(sd) else alpha
    least = float(hayter.critical(len(x), np.inf, half) * reference)
    if np.isfinite(sd):
        least = min(least, sd * float(np.quantile(_null(tuple(x))[0], 1 - alpha / 2)))
    return least


@lru_cache(maxsize=64)
def _pair_heights(x: tuple[float, ...], alpha: float) -> Floats:
    """Critical value of each pair by itself, in units of the scatter."""
    return np.asarray(np.quantile(_null(x)[1], 1 - alpha, axis=0))


def pair_reach(x: Floats, sd: float, alpha: float, known: bool = False) -> Floats:
    """One-sided half-width of each difference by itself, (K, K); infinite without a noise."""
    sizes = len(x)
    reach = np.full((sizes, sizes), np.inf)
    if known:
        return np.full((sizes, sizes), sd * np.sqrt(2) * ndtri(1 - alpha))
    if np.isfinite(sd):
        reach[np.triu_indices(sizes, 1)] = sd * _pair_heights(tuple(x), alpha)
    return reach


def tipping_point(fall: float, sizes: int, alpha: float = 0.05) -> float:
    """Seed standard deviation at and above which noise alone explains a fall between single runs.

    Examples
    --------
    >>> round(tipping_point(1.0, 6), 2)
    0.27
    """
    return max(fall, 0.0) / hayter.critical(sizes, np.inf, alpha)
