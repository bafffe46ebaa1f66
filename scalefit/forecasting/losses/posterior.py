"""The posterior of a batch: laws × nodes × (σ, τ), and what the curves of a table say of the laws together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from scalefit.forecasting.losses.batch import (
    Batch,
    Doubt,
    doubt_at,
    first_grid,
    residual_likelihood,
    trusted,
    zoomed,
)
from scalefit.forecasting.losses.nodes import ROUNDS, Nodes, climb, settle
from scalefit.forecasting.losses.shapes import FALLING, Falling
from scalefit.types import Floats, Ints, Mask

THIN = 3
# Laws of as many parameters as there are sizes pass through every point, and then their evidence is that of their
# priors: two flat points and a drop look like the start of a long fall. So with four sizes a part of the weight stays
# with the first law, which the sizes outnumber.
CROWDED, SPARED = 4, 0.2


@dataclass(frozen=True, eq=False)
class Posterior:
    """What a batch of curves says about its laws.

    Attributes
    ----------
    theta : law -> its nodes (B, N, d).
    weight : (B, L·N, M); posterior mass of each node with each pair, 1 in all.
    level, residual : (B, L·N, M) and (B, L·N, n).
    laws : (B, L); weight of each law.
    log_evidence : (B, L); log of what the data alone say of each law, up to a constant of the curve.
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
    log_evidence: Floats
    effective: Floats

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the laws, in the order of their weights."""
        return tuple(law.name for law in self.falling)


def posterior_of(
    batch: Batch, falling: Sequence[Falling] = FALLING, shares: Floats | None = None
) -> Posterior:
    """Integrate over shapes, level, noise, discrepancy and law; laws start with ``shares`` (L,) or their own."""
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
    mass = [
        p[0] + at.log_weight[:, :, None] + trusted(law.odds, doubt)
        for law, p, at in zip(falling, parts, nodes, strict=True)
    ]
    within, log_evidence = _normalised(np.stack(mass, axis=1))
    before = shares_of(falling) if shares is None else shares
    laws = _law_weights(log_evidence, before, batch.real.sum(axis=1) == CROWDED)
    return Posterior(
        batch,
        doubt,
        tuple(falling),
        tuple(at.theta for at in nodes),
        (within * laws[:, :, None, None]).reshape(len(laws), -1, within.shape[3]),
        np.concatenate([p[1] for p in parts], axis=1),
        np.concatenate([p[2] for p in parts], axis=1),
        laws,
        log_evidence,
        np.stack([at.effective for at in nodes], axis=1),
    )


def shares_of(falling: Sequence[Falling]) -> Floats:
    """Return the shares (L,) with which the laws start."""
    shares = np.array([law.share for law in falling])
    return np.asarray(shares / shares.sum())


def _settled(law: Falling, batch: Batch, doubt: Doubt, rounds: int = ROUNDS) -> Nodes:
    def marginal(theta: Floats, rows: Ints) -> Floats:
        some = batch[rows]
        log_likelihood, *_ = residual_likelihood(some, doubt[rows], law(theta, some.u))
        return _log_sum(log_likelihood)

    return settle(law, batch.slope.size, marginal, partial(climb, law, batch, doubt), rounds)


def _log_sum(log_mass: Floats) -> Floats:
    top = log_mass.max(axis=-1, keepdims=True)
    return np.asarray(top[..., 0] + np.log(np.exp(log_mass - top).sum(axis=-1)))


def _normalised(log_mass: Floats) -> tuple[Floats, Floats]:
    """Masses within each law (B, L, N, M), 1 in all, and log evidence (B, L), from log masses.

    Law by law, so that no law's evidence underflows beside another's.
    """
    top = log_mass.max(axis=(2, 3), keepdims=True)
    mass = np.exp(log_mass - top)
    total = mass.sum(axis=(2, 3), keepdims=True)
    return mass / total, (top + np.log(total))[:, :, 0, 0]


def _law_weights(log_evidence: Floats, shares: Floats, crowded: Mask) -> Floats:
    """Weights of laws (B, L): what they start with times their evidence."""
    weight = shares * np.exp(log_evidence - log_evidence.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    spared = np.where(crowded, SPARED, 0.0)[:, None]
    return np.asarray((1 - spared) * weight + spared * (np.arange(weight.shape[1]) == 0))


PULL = 4.0  # curves that the shares before are worth
STEPS = 50
ENOUGH = 12  # curves that are asked: more tell little more and cost as much as their forecasts


@dataclass(frozen=True)
class LawShares:
    """Law -> its share before a curve is seen; they sum to 1.

    Attributes
    ----------
    shares : (L,) tuple of float
        In the order of the engine's laws.
    curves : int
        How many were asked.
    """

    shares: tuple[float, ...]
    curves: int


def shared_laws(log_evidence: Floats, before: Floats) -> Floats:
    """Return the shares (L,) that C curves with these log evidences (C, L) make likeliest, ``before`` (L,) known.

    Examples
    --------
    >>> import numpy as np
    >>> shared_laws(np.log([[0.5, 0.5]] * 3), np.array([0.5, 0.5])).tolist()
    [0.5, 0.5]
    >>> bool(shared_laws(np.log([[0.8, 0.2]] * 12), np.array([0.5, 0.5]))[0] > 0.8)
    True
    """
    likely = np.exp(log_evidence - log_evidence.max(axis=1, keepdims=True))
    shares = before
    for _ in range(STEPS):
        each = likely * shares
        each /= each.sum(axis=1, keepdims=True)
        shares = (each.sum(axis=0) + PULL * before) / (len(each) + PULL)
    return shares


def asked(curves: int) -> Ints:
    """Return which of so many curves are asked: all, or ENOUGH of them evenly spaced."""
    return np.linspace(0, curves - 1, min(curves, ENOUGH)).round().astype(np.int64)
