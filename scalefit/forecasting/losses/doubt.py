"""Noise σ and discrepancy τ on a grid of pairs, and the likelihood of residuals for every pair at once."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from scalefit.forecasting.losses.batch import Batch
from scalefit.types import Floats, Ints

# Three quarters of the weight say that the law is right: a law that the data prove must be trusted. Half of it for
# laws that describe rather than explain, see shapes.FALLING.
BENDS = np.array([0.0, 0.05, 0.1, 0.2, 0.4, 0.8])  # τ: sd of the slope's error over the end slope
BEND_WEIGHTS = np.array([0.75, 0.03, 0.06, 0.06, 0.06, 0.04])
# Three sizes prove no law: a quarter. Chosen on curves of all families cut after three sizes.
FEW_WEIGHTS = np.array([0.25, 0.09, 0.18, 0.18, 0.18, 0.12])
# Of them, those that move the nodes. They must reach as far as the tails do, or bands end early and at another place
# for every choice of points; and the one between is a step from a sharp top (precise data, no discrepancy) to a wide
# foot: without it one or two nodes of a thousand count.
THIN_BENDS = (0, 2, 4)
USUAL_NOISE, NOISE_SPREAD = 0.015, 1.3  # σ relative, median and sd of its logarithm
LEVELS = 12
FAINTEST, LOUDEST = 3e-4, 0.35
SEED_FREEDOM = 8.0  # what repeated runs may weigh at most: sizes differ by more than seeds do


@dataclass(frozen=True, eq=False)
class Doubt:
    """M pairs (σ, τ) of each of B curves, σ the slower index.

    Attributes
    ----------
    log_noise : (B, S); ln σ of the levels.
    noise, bend : (B, M); σ² with what rounding adds, and (τ·slope)².
    precision : (B, n, M); of each direction.
    level_precision : (B, M); of the level, which is integrated out under a flat prior.
    constant : (B, M); prior and determinants: all of the log likelihood that no residual changes.
    pull : (B, n, M); what one unit along a direction does to the level, times its precision.
    """

    log_noise: Floats
    noise: Floats
    bend: Floats
    precision: Floats
    level_precision: Floats
    constant: Floats
    pull: Floats

    def only(self, rows: Ints) -> Doubt:
        """Return the pairs of some curves."""
        return Doubt(*(getattr(self, f.name)[rows] for f in fields(self)))


def trusted(odds: float, doubt: Doubt) -> Floats:
    """Return log factors (M,) of the pairs for a law whose odds to be exactly right are ``odds`` times the usual."""
    exact = np.arange(doubt.noise.shape[1]) % BENDS.size == 0
    share = BEND_WEIGHTS[0]
    return np.asarray(np.where(exact, np.log(odds), 0.0) - np.log(odds * share + 1 - share))


def first_grid(batch: Batch, thin: bool = False) -> Doubt:
    """Every noise that curves have."""
    levels = np.linspace(np.log(FAINTEST), np.log(LOUDEST), LEVELS)
    return doubt_at(batch, np.broadcast_to(levels, (batch.slope.size, LEVELS)), thin)


def zoomed(batch: Batch, log_likelihood: Floats, before: Doubt) -> Doubt:
    """Move the levels to where the noise weighs, from log likelihoods (B, N, M) of one law.

    Further down than up, for another law may leave less unexplained.
    """
    flat = np.exp(log_likelihood - log_likelihood.max(axis=(1, 2), keepdims=True))
    weight = flat.sum(axis=1).reshape(*before.log_noise.shape, -1).sum(axis=2)
    weight /= weight.sum(axis=1, keepdims=True)
    mean = (weight * before.log_noise).sum(axis=1, keepdims=True)
    spread = np.sqrt((weight * (before.log_noise - mean) ** 2).sum(axis=1, keepdims=True))
    spread = np.clip(spread, 0.12, 1.2)
    low, high = mean - 3 * spread - 0.5, mean + 2.5 * spread
    return doubt_at(batch, low + (high - low) * np.linspace(0, 1, LEVELS))


def doubt_at(batch: Batch, log_noise: Floats, thin: bool = False) -> Doubt:
    """Return the grid at these ln σ (B, S); a thin one has three τ."""
    kept = [*THIN_BENDS] if thin else [*range(BENDS.size)]
    bends = BENDS[kept]
    weights = np.where(batch.few[:, None], FEW_WEIGHTS[kept], BEND_WEIGHTS[kept])
    noise = np.repeat(np.exp(2 * log_noise) + batch.rounding[:, None], bends.size, axis=1)
    bend = np.tile((batch.slope[:, None] * bends) ** 2, (1, log_noise.shape[1]))
    variance = noise[:, None] + bend[:, None] * batch.strength[:, :, None]
    real = batch.real[:, :, None]
    precision = np.where(real, 1 / variance, 0.0)
    pull = batch.level[:, :, None] * precision
    level_precision = (batch.level[:, :, None] * pull).sum(axis=1)
    determinant = np.where(real, np.log(variance), 0.0).sum(axis=1) + np.log(level_precision)
    prior = np.repeat(_noise_prior(batch, log_noise), bends.size, axis=1)
    prior = prior + np.tile(np.log(weights), (1, log_noise.shape[1]))
    return Doubt(
        log_noise, noise, bend, precision, level_precision, prior - 0.5 * determinant, pull
    )


def _noise_prior(batch: Batch, log_noise: Floats) -> Floats:
    """Log prior mass of each level: a bell over ln σ, times what repeated runs say of it (χ²)."""
    bell = -0.5 * ((log_noise - np.log(USUAL_NOISE)) / NOISE_SPREAD) ** 2
    freedom = np.minimum(batch.freedom, SEED_FREEDOM)[:, None]
    ratio = batch.seed_var[:, None] * np.exp(-2 * log_noise)
    seeds = 0.5 * freedom * (np.log(ratio) - ratio)
    return np.asarray(bell + seeds + np.log(log_noise[:, 1:2] - log_noise[:, :1]))


def residual_likelihood(batch: Batch, doubt: Doubt, h: Floats) -> tuple[Floats, Floats, Floats]:
    """Log likelihood (B, N, M), level (B, N, M) and turned residuals (B, N, n) of curves h (B, N, n)."""
    residual = batch.turned(batch.v[:, None] - h)
    level = np.matmul(residual, doubt.pull) / doubt.level_precision[:, None]
    squares = np.matmul(residual**2, doubt.precision)
    squares -= level**2 * doubt.level_precision[:, None]
    return doubt.constant[:, None] - 0.5 * squares, level, residual
