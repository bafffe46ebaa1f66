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
from typing import Literal

import numpy as np

from scalefit.types import Floats

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
