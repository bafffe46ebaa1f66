"""The posterior of a batch: laws × nodes × (σ, τ)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from scalefit.forecasting.losses.batch import Batch
from scalefit.forecasting.losses.doubt import (
    Doubt,
    doubt_at,
    first_grid,
    residual_likelihood,
    zoomed,
)
from scalefit.forecasting.losses.modes import climb
from scalefit.forecasting.losses.nodes import ROUNDS, Nodes, settle
from scalefit.forecasting.losses.shapes import FALLING, Falling
from scalefit.types import Floats

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

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the laws, in the order of their weights."""
        return tuple(law.name for law in self.falling)


def posterior_of(batch: Batch, falling: Sequence[Falling] = FALLING) -> Posterior:
    """Integrate over shapes, level, noise, discrepancy and law."""
    coarse = first_grid(batch, thin=True)
    start = _settled(falling[0], batch, coarse, rounds=2)  # enough to see how loud the noise is
    log_likelihood, *_ = residual_likelihood(batch, coarse, falling[0](start.theta, batch.u))
    doubt = zoomed(batch, log_likelihood + start.log_weight[:, :, None], coarse)
    thin = doubt_at(batch, doubt.log_noise[:, 1::THIN], thin=True)
    nodes = [_settled(law, batch, thin) for law in falling]
    parts = [
        residual_likelihood(batch, doubt, law(at.theta, batch.u))
        for law, at in zip(falling, nodes, strict=True)
    ]
    mass = [p[0] + at.log_weight[:, :, None] for p, at in zip(parts, nodes, strict=True)]
    weight, laws = _weighed(np.stack(mass, axis=1))
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


def _settled(law: Falling, batch: Batch, doubt: Doubt, rounds: int = ROUNDS) -> Nodes:
    def marginal(theta: Floats) -> Floats:
        log_likelihood, *_ = residual_likelihood(batch, doubt, law(theta, batch.u))
        return _log_sum(log_likelihood)

    return settle(law, batch.slope.size, marginal, partial(climb, law, batch, doubt), rounds)


def _log_sum(log_mass: Floats) -> Floats:
    top = log_mass.max(axis=-1, keepdims=True)
    return np.asarray(top[..., 0] + np.log(np.exp(log_mass - top).sum(axis=-1)))


def _weighed(log_mass: Floats) -> tuple[Floats, Floats]:
    """Masses (B, L·N, M) and weights of laws (B, L), from log masses (B, L, N, M).

    Laws start alike: the evidence alone decides between them.
    """
    mass = np.exp(log_mass - log_mass.max(axis=(1, 2, 3), keepdims=True))
    mass /= mass.sum(axis=(1, 2, 3), keepdims=True)
    return mass.reshape(len(mass), -1, mass.shape[3]), mass.sum(axis=(2, 3))
