"""Size means and their noise at the level of pretraining runs, for one table or a thousand at once.

The unit of replication is the pretraining run: finetuning seeds were averaged before (see
``curve``). Two designs need two noises:

separate
    Every size has runs of its own: the pooled variance within sizes, ``sum(n_k - 1)`` degrees
    of freedom.
shared
    The sizes are checkpoints of the same runs (or share their seeds): what a run adds to all of
    its sizes cancels in every comparison, so the noise is the seed x size interaction mean
    square with ``(K - 1)(P - 1)`` degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.special import ndtri

from scalefit.alignment import hayter
from scalefit.types import Floats

# One seed a size: noise from the scatter of the curve, and a reference noise beside it.
#
# Without replicates nothing measures seed noise. Two stand-ins are used, each at half the level:
#
# scatter
#     Short curves: residuals around the best of several smooth three-parameter curves in ln D (a
#     parabola, so that a hump is no noise, and power laws). Long ones: second differences, that
#     take any smooth shape for granted; over several lags, of which the largest counts, so that a
#     run that wanders is not taken for a quiet one. The null distribution of "largest fall over
#     scatter" is simulated at a constant curve on the very same sizes, the worst case.
# reference
#     The largest seed noise known from published replicates (see ``margin``), or the scatter where
#     that is larger: a fall that not even this noise explains.


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


Design = Literal["separate", "shared"]
_TINY = 1e-12
_PRIOR = 2.0
"""Degrees of freedom with which the common noise enters a pair's own."""


@dataclass(frozen=True)
class RunNoise:
    """Standard deviation of one run and the degrees of freedom behind it."""

    sd: float
    nu: float

    @property
    def known(self) -> bool:
        """Whether there is an estimate to divide by."""
        return bool(self.sd > 0 and np.isfinite(self.sd))


@dataclass(frozen=True, eq=False)
class Noise:
    """Estimated means and the noise of their differences.

    Attributes
    ----------
    effects : (..., K)
        Mean of each size.
    sd : (...)
        Standard deviation of one run around its size's mean, as far as it matters for
        differences between sizes.
    nu : float
        Degrees of freedom of `sd`.
    spread : (K, K)
        Half the variance of each difference of means, in units of ``sd**2``; 1/P when balanced.
    swell : (..., K, K)
        How much noisier than the average each pair of sizes looks, at least 1: its own standard
        deviation, drawn towards the pooled one, over the pooled one.
    dof : (..., K, K)
        Degrees of freedom of each pair's noise; `nu` where the pair looks no noisier.
    """

    effects: Floats
    sd: Floats
    nu: float
    spread: Floats
    swell: Floats
    dof: Floats

    @property
    def balanced(self) -> bool:
        """Whether all differences are equally precise."""
        off = self.spread[np.triu_indices(len(self.spread), 1)]
        return bool(np.allclose(off, off[0]))

    @property
    def units(self) -> float:
        """Effective number of runs behind each mean."""
        off = self.spread[np.triu_indices(len(self.spread), 1)]
        return float(1 / off.mean())

    def step(self) -> Floats:
        """Return the standard error of one mean, pair by pair: (..., K, K)."""
        return np.asarray(self.sd)[..., None, None] * np.sqrt(self.spread)


def estimate(values: Floats, design: Design) -> Noise:
    """Means and noise of run means `values` (..., K, P); nan marks a run that is not there.

    Raises
    ------
    ValueError
        Fewer than one degree of freedom; the caller checks before.
    """
    if np.isnan(values).any():
        return _gaps(values, design)
    return _complete(values, design)


def _complete(values: Floats, design: Design) -> Noise:
    sizes, runs = values.shape[-2:]
    effects = values.mean(axis=-1)
    residual = values - effects[..., None]
    if design == "shared":
        residual = residual - residual.mean(axis=-2, keepdims=True)
        nu = (sizes - 1) * (runs - 1)
    else:
        nu = sizes * (runs - 1)
    sd = _floor((residual**2).sum(axis=(-2, -1)) / nu, effects)
    cross = residual @ np.swapaxes(residual, -1, -2) / (runs - 1)
    own = np.diagonal(cross, axis1=-2, axis2=-1)
    first, second = own[..., :, None], own[..., None, :]
    dof = (runs - 1) * (first + second) ** 2 / np.maximum(first**2 + second**2, 1e-300)
    pairs = (first + second) / 2
    if design == "shared":
        # Differences within runs see runs that fan out, on few degrees of freedom; the sizes' own
        # residuals see a noisy size on twice as many. Half of each.
        pairs = (pairs - cross + pairs * sizes / (sizes - 1)) / 2
        dof = (dof + runs - 1) / 2
    ratio = pairs / np.asarray(sd)[..., None, None] ** 2
    common = nu * _evenness(own)[..., None, None]
    swell, dof = _swell(ratio, dof, np.array(2.0 * (runs - 1)), common)
    return Noise(effects, sd, float(nu), np.full((sizes, sizes), 1 / runs), swell, dof)


def _evenness(own: Floats) -> Floats:
    """Share of its degrees of freedom that the common noise keeps when sizes look unequal.

    Satterthwaite's share is right for unequal sizes and takes a third of the degrees of freedom
    when three runs a size only look so. Its root keeps the level of one group, and most of the
    power of equal noise (docs/simulations/alignment.md, "Unequal noise").
    """
    square = (own**2).mean(axis=-1)
    share = own.mean(axis=-1) ** 2 / np.where(square > 0, square, 1.0)
    return np.asarray(np.sqrt(np.where(square > 0, np.minimum(share, 1.0), 1.0)))


def _swell(ratio: Floats, dof: Floats, weight: Floats, nu: Floats) -> tuple[Floats, Floats]:
    """Swell and degrees of freedom of pairs whose own variance is `ratio` of the common one.

    Sizes may differ in noise by a factor that nobody knows. The common variance alone would let
    a noisy size pass for a fall, a pair's own alone has too few degrees of freedom to see
    anything. So the own variance (on `dof`) is drawn towards the common one (on `nu`), and counts
    where it is the larger; Satterthwaite (1946) gives the degrees of freedom of the mixture.
    """
    share = weight / (weight + _PRIOR)
    mixed = share * ratio + (1 - share)
    spread = (share * ratio) ** 2 / np.maximum(dof, 1e-9) + (1 - share) ** 2 / nu
    noisier = mixed > 1
    return (
        np.sqrt(np.where(noisier, mixed, 1.0)),
        np.asarray(np.where(noisier, np.minimum(mixed**2 / spread, nu), nu)),
    )


def _gaps(values: Floats, design: Design) -> Noise:
    if values.ndim > 2:
        raise ValueError("missing cells are handled one table at a time")
    there = ~np.isnan(values)
    at = np.argwhere(there)
    columns = np.eye(values.shape[0])[at[:, 0]]
    if design == "shared" and values.shape[1] > 1:
        columns = np.hstack([columns, np.eye(values.shape[1])[at[:, 1]][:, 1:]])
    inverse = np.linalg.pinv(columns.T @ columns)
    fitted = inverse @ columns.T @ values[there]
    nu = float(len(at) - np.linalg.matrix_rank(columns))
    square = ((values[there] - columns @ fitted) ** 2).sum() / max(nu, 1.0)
    size_part = inverse[: len(values), : len(values)]
    variances = np.diag(size_part)[:, None] + np.diag(size_part)[None] - 2 * size_part
    spread = np.where(np.eye(len(values), dtype=bool), 1.0, variances / 2)
    sd = _floor(square, fitted)
    ratio, dof, weight = _own_pairs(values, design, float(sd), nu)
    swell, dof = _swell(ratio, dof, weight, np.array(max(nu, 1.0)))
    return Noise(_means(values, fitted, design), sd, nu, spread, swell, dof)


def _own_pairs(
    values: Floats, design: Design, sd: float, nu: float
) -> tuple[Floats, Floats, Floats]:
    """Each pair's own variance over the common one, its degrees of freedom, and its weight."""
    ratio, dof = np.ones((2, len(values), len(values)))
    weight = np.zeros_like(ratio)
    for i, j in zip(*np.triu_indices(len(values), 1), strict=True):
        if design == "shared":
            parts = [values[i] - values[j]]
            common = 2 * sd**2
        else:
            parts, common = [values[i], values[j]], sd**2
        parts = [part[~np.isnan(part)] for part in parts]
        free = np.array([len(part) - 1.0 for part in parts])
        if (free < 1).any():
            continue  # a pair that says nothing of its own noise takes the common one
        own = np.array([np.var(part, ddof=1) for part in parts]) / common
        error = own / (free + 1)
        pooled = float((1 / (free + 1)).sum())
        ratio[i, j] = error.sum() / pooled
        dof[i, j] = error.sum() ** 2 / max(float((error**2 / free).sum()), 1e-300)
        weight[i, j] = 2 * free[0] if design == "shared" else free.sum()
    return ratio, np.maximum(dof, 1.0), weight


def _means(values: Floats, fitted: Floats, design: Design) -> Floats:
    """Size means at the level of the average run."""
    sizes = values.shape[0]
    if design == "separate" or values.shape[1] == 1:
        return fitted[:sizes]
    return np.asarray(fitted[:sizes] + np.append(fitted[sizes:], 0.0).mean())


def _floor(square: Floats, scale: Floats) -> Floats:
    """Return a standard deviation that is never quite zero, so that it can divide."""
    return np.asarray(np.sqrt(square) + _TINY * (1 + np.abs(scale).max(axis=-1)))
