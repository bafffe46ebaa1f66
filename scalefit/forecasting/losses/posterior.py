"""The posterior of a batch: laws × nodes × (σ, τ), and the quantiles it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from scalefit.forecasting.losses.batch import Batch
from scalefit.forecasting.losses.bend import covariance
from scalefit.forecasting.losses.doubt import Doubt, doubt_at, first_grid, residual_likelihood, zoomed
from scalefit.forecasting.losses.nodes import Nodes, settle
from scalefit.forecasting.losses.shapes import FALLING, Falling
from scalefit.types import Floats, Ints

Kind = Literal["run", "mean"]
TRUST = 0.7  # power of the evidence that weighs laws: none of them is the truth
ATOMS, SLICES = 512, 9
THIN = 3


@dataclass(frozen=True, eq=False)
class Posterior:
    """What a batch of curves says about its laws.

    Attributes
    ----------
    theta : law -> its nodes (B, N, d).
    weight : (B, L·N, M); posterior mass of each node with each pair, 1 in all.
    level, residual : (B, L·N, M) and (B, L·N, n).
    laws : (B, L); weight of each law.
    effective : (B, L); how many nodes of each law count.
    """

    batch: Batch
    doubt: Doubt
    falling: tuple[Falling, ...]
    theta: tuple[Floats, ...]
    weight: Floats
    level: Floats
    residual: Floats
    laws: Floats
    effective: Floats


def posterior_of(batch: Batch, falling: Sequence[Falling] = FALLING) -> Posterior:
    """Integrate over shapes, level, noise, discrepancy and law."""
    coarse = first_grid(batch, thin=True)
    start = _settled(falling[0], batch, coarse)
    log_likelihood, *_ = residual_likelihood(batch, coarse, falling[0](start.theta, batch.u))
    doubt = zoomed(batch, log_likelihood + start.log_weight[:, :, None], coarse)
    thin = doubt_at(batch, doubt.log_noise[:, 1::THIN], thin=True)
    nodes = [_settled(law, batch, thin) for law in falling]
    parts = [
        residual_likelihood(batch, doubt, law(at.theta, batch.u))
        for law, at in zip(falling, nodes, strict=True)
    ]
    mass = [p[0] + at.log_weight[:, :, None] for p, at in zip(parts, nodes, strict=True)]
    weight, laws = _weighed(np.stack(mass, axis=1), np.array([law.weight for law in falling]))
    return Posterior(
        batch,
        doubt,
        tuple(falling),
        tuple(at.theta for at in nodes),
        weight,
        np.concatenate([p[1] for p in parts], axis=1),
        np.concatenate([p[2] for p in parts], axis=1),
        laws,
        np.stack([at.effective for at in nodes], axis=1),
    )


def _settled(law: Falling, batch: Batch, doubt: Doubt) -> Nodes:
    def marginal(theta: Floats) -> Floats:
        log_likelihood, *_ = residual_likelihood(batch, doubt, law(theta, batch.u))
        return _log_sum(log_likelihood)

    return settle(law, batch.slope.size, marginal)


def _log_sum(log_mass: Floats) -> Floats:
    top = log_mass.max(axis=-1, keepdims=True)
    return np.asarray(top[..., 0] + np.log(np.exp(log_mass - top).sum(axis=-1)))


def _weighed(log_mass: Floats, prior: Floats) -> tuple[Floats, Floats]:
    """Masses (B, L·N, M) and weights of laws (B, L), from log masses (B, L, N, M).

    Within a law mass is exact; between laws the evidence counts by its power TRUST.
    """
    mass = np.exp(log_mass - log_mass.max(axis=(1, 2, 3), keepdims=True))
    evidence = np.maximum(mass.sum(axis=(2, 3)), 1e-300)
    laws = prior * (evidence / evidence.sum(axis=1, keepdims=True)) ** TRUST
    laws /= laws.sum(axis=1, keepdims=True)
    mass *= (laws / evidence)[:, :, None, None]
    mass = mass.reshape(len(mass), -1, mass.shape[3])
    return mass / mass.sum(axis=(1, 2), keepdims=True), laws


def quantiles(
    posterior: Posterior, uq: Floats, probabilities: Floats, kind: Kind = "run"
) -> Floats:
    """Quantiles of ln y at uq (B, Q), of a new run or of the mean: (B, P, Q).

    The mixture is cut into ATOMS normals of equal weight and each into SLICES: sorting them is cheaper than
    inverting a sum of normal distributions, and as good down to about a thousandth.
    """
    mean, variance = _atoms(posterior, uq, kind)
    slices = special.ndtri((np.arange(SLICES) + 0.5) / SLICES)
    slices /= slices.std()
    draws = mean[..., None] + np.sqrt(np.maximum(variance, 1e-14))[..., None] * slices
    draws = np.sort(draws.transpose(0, 2, 1, 3).reshape(*uq.shape, -1), axis=2)
    place = np.clip(probabilities * draws.shape[2] - 0.5, 0, draws.shape[2] - 1)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, draws.shape[2] - 1)
    values = draws[..., low] + (place - low) * (draws[..., high] - draws[..., low])
    return np.asarray(values.transpose(0, 2, 1))


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
    return noise + left + pulled**2 / doubt.level_precision[:, :, None]


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
