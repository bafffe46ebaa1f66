"""How far a curve strays from a smooth course over ln D: what stands in for seed noise between single runs."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from scalefit.estimate import off_neighbours
from scalefit.types import Floats

LONG, _LAGS = 12, (1, 2, 4)
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
    squares = np.max([(off_neighbours(x, y, lag) ** 2).mean(axis=-1) for lag in lags], axis=0)
    tiny = 1e-18 * (1 + (y**2).sum(axis=-1))
    return np.asarray(np.sqrt(np.maximum(squares, tiny)))


def quiet_sd(x: Floats, y: Floats) -> Floats:
    """Scatter as the neighbours have it, without the largest square, which a fall of one size makes."""
    squares = np.sort(off_neighbours(x, y) ** 2, axis=-1)
    return np.asarray(np.sqrt(squares[..., : max(len(x) - 3, 1)].mean(axis=-1)))


class Straying(NamedTuple):
    """How far a curve strays from a smooth course, and what its neighbours say of that."""

    sd: float
    quiet: float


def straying(x: Floats, y: Floats) -> Straying:
    """Return how far a curve strays, y (K,), K >= 3, over x = ln D (K,); falls and rises have the same."""
    return Straying(float(residual_sd(x, y)), float(quiet_sd(x, y)))
