"""The posterior of a batch: laws × nodes × (σ, τ), and what the curves of a table say of the laws together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
from scalefit.forecasting.losses.nodes import Nodes, hills, settle
from scalefit.forecasting.losses.shapes import FALLING, Falling
from scalefit.types import Floats, Ints

THIN = 3
_CACHED = 4  # curves whose pairs of nodes and doubt stay in the cache


@dataclass(frozen=True, eq=False)
class Posterior:
    """What a batch of curves says about its laws.

    Attributes
    ----------
    theta : law -> its nodes (B, N, d).
    weight : (B, L·N, M); posterior mass of each node with each pair, 1 in all.
    residual : (B, L·N, n); turned.
    laws : (B, L); weight of each law.
    log_evidence : (B, L); log of what the data alone say of each law, up to a constant of the curve: 0 where sizes
        are few, for then it is that of the priors: two flat points and a drop look like the start of a long fall.
    effective : (B, L); how many nodes of each law count.
    """

    batch: Batch
    doubt: Doubt
    falling: tuple[Falling, ...]
    theta: tuple[Floats, ...]
    weight: Floats
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
    first = falling[0]
    start = settle(hills([first], batch, coarse), rounds=2)  # enough to see how loud the noise is
    log_likelihood, *_ = residual_likelihood(batch, coarse, first(start.theta, batch.u))
    doubt = zoomed(batch, log_likelihood + start.log_weight[:, :, None], coarse)
    thin = doubt_at(batch, doubt.log_noise[:, 1::THIN], thin=True)
    settled = settle(hills(falling, batch, thin))
    curves = batch.slope.size
    rows = (slice(i * curves, (i + 1) * curves) for i in range(len(falling)))
    nodes = [settled[at].of(law.shapes) for law, at in zip(falling, rows, strict=True)]
    weight = np.empty((curves, sum(at.theta.shape[1] for at in nodes), doubt.noise.shape[1]))
    own = np.split(weight, len(falling), axis=1)
    parts = [_mass(*each, batch, doubt) for each in zip(falling, nodes, own, strict=True)]
    log_evidence = np.stack([evidence for evidence, _ in parts], axis=1)
    few = batch.few[:, None]
    log_evidence = np.where(few, 0.0, log_evidence)
    many = shares_of(falling) if shares is None else shares
    before = np.where(few, shares_of(falling, few=True), many)
    laws = before * np.exp(log_evidence - log_evidence.max(axis=1, keepdims=True))
    laws /= laws.sum(axis=1, keepdims=True)
    for mass, share in zip(own, laws.T, strict=True):
        mass *= share[:, None, None]
    return Posterior(
        batch,
        doubt,
        tuple(falling),
        tuple(at.theta for at in nodes),
        weight,
        np.concatenate([residual for _, residual in parts], axis=1),
        laws,
        log_evidence,
        np.stack([at.effective for at in nodes], axis=1),
    )


def _mass(
    law: Falling, at: Nodes, mass: Floats, batch: Batch, doubt: Doubt
) -> tuple[Floats, Floats]:
    """Fill in the masses of nodes and pairs within a law (B, N, M), 1 in all; its log evidence (B,), residuals."""
    # Law by law, so that no law's evidence underflows beside another's; and few curves at a time, for these arrays
    # are the largest of a forecast: one product gives all of the log likelihood but what the level takes up.
    residual = batch.turned(batch.v[:, None] - law(at.theta, batch.u))
    known = doubt.constant[:, None] + trusted(law.odds, batch, doubt)
    pull = doubt.pull / np.sqrt(2 * doubt.level_precision)[:, None]
    one = np.ones_like(at.log_weight)
    left = np.concatenate([residual**2, np.stack([one, at.log_weight], axis=-1)], axis=-1)
    right = np.concatenate([-0.5 * doubt.precision, known, np.ones_like(known)], axis=1)
    evidence = np.empty(len(mass))
    for i in range(0, len(mass), _CACHED):
        rows = slice(i, i + _CACHED)
        some = np.matmul(left[rows], right[rows])
        level = np.matmul(residual[rows], pull[rows])
        some += np.multiply(level, level, out=level)
        top = some.max(axis=(1, 2), keepdims=True)
        some -= top
        np.exp(some, out=some)
        total = some.sum(axis=(1, 2), keepdims=True)
        np.divide(some, total, out=mass[rows])
        evidence[rows] = (top + np.log(total))[:, 0, 0]
    return evidence, residual


def shares_of(falling: Sequence[Falling], few: bool = False) -> Floats:
    """Return the shares (L,) with which the laws start, of curves of few sizes or of others."""
    shares = np.array([law.few_share if few else law.share for law in falling])
    return np.asarray(shares / shares.sum())


PULL = 4.0  # curves that the shares before are worth
_STEPS = 50
ENOUGH = 12  # curves that are asked: more tell little more and cost as much as their forecasts


@dataclass(frozen=True)
class LawShares:
    """Law -> its share before a curve is seen; they sum to 1.

    Attributes
    ----------
    shares : (L,) tuple of float
        In the order of the engine's laws.
    curves : how many were asked.
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
    for _ in range(_STEPS):
        each = likely * shares
        each /= each.sum(axis=1, keepdims=True)
        shares = (each.sum(axis=0) + PULL * before) / (len(each) + PULL)
    return shares


def asked(curves: int) -> Ints:
    """Return which of so many curves are asked: all, or ENOUGH of them evenly spaced."""
    return np.linspace(0, curves - 1, min(curves, ENOUGH)).round().astype(np.int64)
