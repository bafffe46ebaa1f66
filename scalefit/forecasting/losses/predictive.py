"""What a posterior says at sizes that were not measured: quantiles, and the chance of being below a target."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import special

from scalefit.forecasting.losses.batch import Batch, covariance
from scalefit.forecasting.losses.doubt import Doubt
from scalefit.forecasting.losses.posterior import Posterior
from scalefit.forecasting.predictive import Kind
from scalefit.types import Floats, Ints

ATOMS, SLICES = 512, 4
GOLDEN = 0.6180339887498949
FREEDOM = 5.0  # of Student's t around each atom: real curves leave their laws in jumps, too


def quantiles(
    posterior: Posterior, uq: Floats, probabilities: Floats, kind: Kind = "run"
) -> Floats:
    """Quantiles of ln y at uq (B, Q), of a new run or of the mean: (B, P, Q).

    The mixture is cut into ATOMS bells of equal weight and each into SLICES: sorting them is cheaper than
    inverting a sum of distributions, and as good down to about a thousandth.
    """
    mean, variance = _atoms(posterior, uq, kind)
    spread = np.sqrt(np.maximum(variance, 1e-14))[..., None]
    draws = mean[..., None] + spread * _slices()[:, None]
    draws = np.sort(draws.transpose(0, 2, 1, 3).reshape(*uq.shape, -1), axis=2)
    place = np.clip(probabilities * draws.shape[2] - 0.5, 0, draws.shape[2] - 1)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, draws.shape[2] - 1)
    values = draws[..., low] + (place - low) * (draws[..., high] - draws[..., low])
    return np.asarray(values.transpose(0, 2, 1))


@cache
def _slices() -> Floats:
    """Quantiles of the bell (ATOMS, SLICES), a different place within each slice for every atom.

    With the same few places for all atoms no draw would lie beyond the outermost one, and where noise is most of
    the variance a band of 95 % would end there, at 1.6 standard deviations. Multiples of the golden ratio fill
    the slices evenly whichever atoms lie side by side.
    """
    within = (np.arange(ATOMS)[:, None] + 0.5) * GOLDEN % 1.0
    return np.asarray(special.stdtrit(FREEDOM, (np.arange(SLICES) + within) / SLICES))


def chance_below(posterior: Posterior, uq: Floats, log_target: Floats, kind: Kind) -> Floats:
    """Return the probability (B, Q) that ln y at uq (B, Q) is at most the target (B,)."""
    mean, variance = _atoms(posterior, uq, kind)
    z = (log_target[:, None, None] - mean) / np.sqrt(np.maximum(variance, 1e-14))
    return np.asarray(special.stdtr(FREEDOM, z).mean(axis=1))


def _atoms(posterior: Posterior, uq: Floats, kind: Kind) -> tuple[Floats, Floats]:
    """Mean and variance (B, A, Q) of atoms of equal weight."""
    batch, doubt = posterior.batch, posterior.doubt
    node, pair = _chosen(posterior.weight)
    row = np.arange(len(uq))[:, None]
    with_bend = batch.bend_at(uq)
    bend = doubt.bend[row, pair]
    level = posterior.level[row, node, pair]
    gap = posterior.residual[row, node] - level[..., None] * batch.level[:, None]
    gap = gap * doubt.precision[row, :, pair]
    mean = level[..., None] + _curves(posterior, uq, node)
    mean = mean + bend[..., None] * np.matmul(gap, with_bend)
    return mean, _variance(batch, doubt, uq, with_bend, kind)[row, pair]


def _variance(batch: Batch, doubt: Doubt, uq: Floats, with_bend: Floats, kind: Kind) -> Floats:
    """Variance of ln y at uq given shapes, σ and τ: discrepancy left after the data, level, and a run's noise."""
    bend = doubt.bend[:, :, None]
    told = np.matmul(doubt.precision.transpose(0, 2, 1), with_bend**2)
    pulled = 1 - bend * np.matmul(doubt.pull.transpose(0, 2, 1), with_bend)
    left = bend * covariance(uq, uq)[:, None] - bend**2 * told
    noise = doubt.noise[:, :, None] if kind == "run" else 0.0
    return np.asarray(noise + left + pulled**2 / doubt.level_precision[:, :, None])


def _chosen(weight: Floats) -> tuple[Ints, Ints]:
    """Node and pair (B, ATOMS) of every atom: evenly spaced along the cumulated weight, so without luck."""
    flat = np.cumsum(weight.reshape(len(weight), -1), axis=1)
    at = (np.arange(ATOMS) + 0.5) / ATOMS
    place = np.stack([np.searchsorted(row / row[-1], at) for row in flat])
    return np.divmod(np.minimum(place, flat.shape[1] - 1), weight.shape[2])


def _curves(posterior: Posterior, uq: Floats, node: Ints) -> Floats:
    """Return h (B, A, Q) of the chosen nodes."""
    curves = [law(at, uq) for law, at in zip(posterior.falling, posterior.theta, strict=True)]
    return np.take_along_axis(np.concatenate(curves, axis=1), node[..., None], axis=1)
