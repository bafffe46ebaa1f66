"""Size means and their noise at the level of pretraining runs, for one table or a thousand at once.

The unit of replication is the pretraining run: finetuning seeds were averaged before (see
``cells``). Two designs need two noises:

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

__all__ = ["Noise", "RunNoise", "estimate"]

Design = Literal["separate", "shared"]
_TINY, _PRIOR = 1e-12, 2.0


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
    """

    effects: Floats
    sd: Floats
    nu: float
    spread: Floats
    swell: Floats

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
    cross = residual @ np.swapaxes(residual, -1, -2)
    own = np.diagonal(cross, axis1=-2, axis2=-1)
    pairs = (own[..., :, None] + own[..., None, :]) / 2
    if design == "shared":
        pairs = pairs - cross
    swell = _swell(pairs / (runs - 1), sd, runs)
    return Noise(effects, sd, float(nu), np.full((sizes, sizes), 1 / runs), swell)


def _swell(own: Floats, sd: Floats, runs: int) -> Floats:
    """Pair standard deviations relative to the pooled one, shrunk by `_PRIOR` degrees of freedom."""
    ratio = own / np.asarray(sd)[..., None, None] ** 2
    weight = 2 * (runs - 1)
    return np.sqrt(np.maximum((weight * ratio + _PRIOR) / (weight + _PRIOR), 1.0))


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
    return Noise(
        _means(values, fitted, design), _floor(square, fitted), nu, spread, np.ones_like(spread)
    )


def _means(values: Floats, fitted: Floats, design: Design) -> Floats:
    """Size means at the level of the average run."""
    sizes = values.shape[0]
    if design == "separate" or values.shape[1] == 1:
        return fitted[:sizes]
    return np.asarray(fitted[:sizes] + np.append(fitted[sizes:], 0.0).mean())


def _floor(square: Floats, scale: Floats) -> Floats:
    """Return a standard deviation that is never quite zero, so that it can divide."""
    return np.asarray(np.sqrt(square) + _TINY * (1 + np.abs(scale).max(axis=-1)))
