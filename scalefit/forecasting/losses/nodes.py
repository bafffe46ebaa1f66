"""Nodes that move onto a posterior: adaptive importance sampling from its top, deterministic and batched over curves.

With .1 % noise the posterior fills a millionth of the prior, and nodes that only drift towards it arrive too few (of
1,024 one or two counted). Levenberg–Marquardt finds the top in a few steps, and its curvature is the first proposal.
Noise and discrepancy stay integrated: the gradient of a log of a sum over pairs (σ, τ) is the mean of their
gradients, so each step weighs the pairs anew.

Low-discrepancy points stand in for random draws, so equal data give equal forecasts. Each round proposes from a
Student distribution with the moments of all nodes so far, and every node of every round is weighed against the
*mixture* of all proposals: a node that one round would overrate is held down by the others, so ridges, bent hills and
weak data (where the prior, round 0, is the best proposal) come out alike. The weights from which the moments are
taken are tempered, not the likelihood, so that a round never rests on a few nodes. Static grids of shapes are too
coarse where the noise is small.

Source: Moré 1978 for the steps; Tierney and Kadane 1986 for the approximation at the top; Cornuet et al. 2012,
Adaptive multiple importance sampling; tempering as in Cappé et al. 2008.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special

from scalefit.distributions import chi2_quantile
from scalefit.forecasting.losses.batch import Batch, Doubt, residual_likelihood
from scalefit.forecasting.losses.shapes import Falling
from scalefit.forecasting.series import Stack
from scalefit.types import Floats, Ints, Mask

STEPS, DAMPING, EASIER, HARDER = 16, 0.1, 0.2, 5.0
GAIN, PATIENCE = 0.05, 4  # steps that lift a curve's top by less, in a row, before its climb ends
NUDGE = 1e-3  # of a shape, for its derivative
LONGEST = 2.0  # step in any shape: the prior's width, about


@dataclass(frozen=True, eq=False)
class Spot:
    """Places theta (B, S, d): log posterior (B, S), its gradient and minus its approximate curvature (B, S, d, d)."""

    theta: Floats
    total: Floats
    gradient: Floats
    curvature: Floats


def climb(law: Falling, batch: Batch, doubt: Doubt, starts: Floats) -> tuple[Floats, Floats]:
    """Climb from starts (B, S, d); return the highest place (B, 1, d) and the covariance (B, d, d) there."""
    here = _spot(law, batch, doubt, starts)
    damping = np.full(here.total.shape, DAMPING)
    idle = np.zeros(len(starts), np.int64)
    for _ in range(STEPS):
        top = here.total.max(axis=1)
        there = _spot(law, batch, doubt, here.theta + _step(here, damping))
        # A curve that has arrived stays, however far its batch still climbs: no curve may depend on its neighbours.
        better = (there.total > here.total) & (idle < PATIENCE)[:, None]
        here = _either(better, there, here)
        damping *= np.where(better, EASIER, HARDER)
        # Only the highest place counts, and only as the centre of a proposal that is weighed afterwards.
        idle = np.where(here.total.max(axis=1) < top + GAIN, idle + 1, 0)
        if (idle >= PATIENCE).all():
            break
    row, best = np.arange(len(starts)), here.total.argmax(axis=1)
    return here.theta[row, best][:, None], np.linalg.inv(here.curvature[row, best])


def _step(spot: Spot, damping: Floats) -> Floats:
    """Newton's step, shortened along directions of little curvature and to LONGEST."""
    diagonal = np.einsum("bsii->bsi", spot.curvature)
    damped = spot.curvature + (damping[..., None] * diagonal)[..., None] * np.eye(diagonal.shape[2])
    step = np.linalg.solve(damped, spot.gradient[..., None])[..., 0]
    return np.asarray(
        step * np.minimum(1.0, LONGEST / np.maximum(np.abs(step).max(axis=2), 1e-12))[..., None]
    )


def _either(first: Mask, a: Spot, b: Spot) -> Spot:
    """Return a where first (B, S), else b."""
    wide, deep = first[..., None], first[..., None, None]
    return Spot(
        np.where(wide, a.theta, b.theta),
        np.where(first, a.total, b.total),
        np.where(wide, a.gradient, b.gradient),
        np.where(deep, a.curvature, b.curvature),
    )


def _spot(law: Falling, batch: Batch, doubt: Doubt, theta: Floats) -> Spot:
    """Evaluate log posterior, gradient and Gauss–Newton curvature, derivatives of the law by differences."""
    curves, starts, d = theta.shape
    nudged = theta[:, :, None] + NUDGE * np.vstack([np.zeros(d), np.eye(d)])
    h = law(nudged.reshape(curves, -1, d), batch.u).reshape(curves, starts, d + 1, -1)
    slopes = (h[:, :, 1:] - h[:, :, :1]) / NUDGE
    slopes = batch.turned(slopes.reshape(curves, starts * d, -1)).reshape(curves, starts, d, -1)
    log_likelihood, level, residual = residual_likelihood(batch, doubt, h[:, :, 0])
    top = log_likelihood.max(axis=2, keepdims=True)
    weight = np.exp(log_likelihood - top)
    total = top[..., 0] + np.log(weight.sum(axis=2)) + law.log_prior(theta)
    weight /= weight.sum(axis=2, keepdims=True)
    precision = np.matmul(weight, doubt.precision.transpose(0, 2, 1))  # mean over pairs (B, S, n)
    force = precision * residual - np.matmul(weight * level, doubt.pull.transpose(0, 2, 1))
    gradient = np.matmul(slopes, force[..., None])[..., 0]
    spread = np.array(law.spread)
    gradient -= (theta - np.array(law.centre)) / spread**2
    pulled = precision * batch.level[:, None]
    off = np.matmul(slopes, pulled[..., None]) / (pulled @ batch.level[..., None])[..., None]
    # The level follows the shapes, so what it can follow is no curvature; left in, steps are far too short.
    slopes = slopes - off * batch.level[:, None, None]
    curvature = np.matmul(slopes * precision[:, :, None], slopes.swapaxes(2, 3))
    return Spot(theta, total, gradient, curvature + np.diag(spread**-2.0))


SCOUTS, ROUNDS = 128, 8  # nodes a round, at most so many rounds
KEPT = 256  # nodes that go on to the full grid of noise and discrepancy
STARTS = 4  # nodes of the first round from which the top is looked for
TINY = 1e-12
FREEDOM = 8  # Student's tails: a proposal must be wider than what it proposes for
COUNTING, ENOUGH = 10.0, 100.0  # nodes that must count for a move, and to stop


Climb = Callable[[Floats], tuple[Floats, Floats]]


@dataclass(frozen=True, eq=False)
class Nodes:
    """Equally likely nodes under a rough likelihood.

    Attributes
    ----------
    theta : (B, KEPT, d).
    log_weight : (B, KEPT); what to add to a finer log likelihood to get log posterior mass.
    effective : (B,); Kish's number of nodes that count, before they were thinned to KEPT.
    """

    theta: Floats
    log_weight: Floats
    effective: Floats

    def put(self, rows: Ints, other: Nodes) -> None:
        """Overwrite the nodes of some curves."""
        self.theta[rows], self.log_weight[rows] = other.theta, other.log_weight
        self.effective[rows] = other.effective


@dataclass(frozen=True, eq=False)
class Proposal(Stack):
    """Student distributions, one a curve: mean (B, 1, d), root of the scale (B, d, d) and its log determinant."""

    mean: Floats
    root: Floats
    log_scale: Floats

    def points(self, z: Floats) -> Floats:
        """Return theta (B, N, d) for standard points z (N, d)."""
        return np.asarray(self.mean + z @ self.root.transpose(0, 2, 1))

    def log_density(self, theta: Floats) -> Floats:
        """Return (B, N) for theta (B, N, d)."""
        d = theta.shape[2]
        z = np.matmul(theta - self.mean, np.linalg.inv(self.root).transpose(0, 2, 1))
        norm = special.gammaln((FREEDOM + d) / 2) - special.gammaln(FREEDOM / 2)
        norm -= d / 2 * np.log(FREEDOM * np.pi)
        tail = np.log1p((z**2).sum(axis=2) / FREEDOM)
        return np.asarray(norm - self.log_scale - (FREEDOM + d) / 2 * tail)


def evenly(n: int, d: int) -> Floats:
    """Return points (n, d) that fill the unit cube evenly, any stretch of them too: multiples of irrational steps.

    Every round takes the next stretch, so no round repeats the places of another. Sobol's points do as well, but
    ``scipy.stats`` takes longer to load than most commands to answer.

    Notes
    -----
    Source: Kronecker's sequence with the steps of Roberts 2018, The unreasonable effectiveness of quasirandom
    sequences: powers of 1/g, g the root of g^(d + 1) = g + 1.

    Examples
    --------
    >>> evenly(3, 1).round(3).ravel().tolist()
    [0.118, 0.736, 0.354]
    """
    g = 2.0
    for _ in range(40):  # a contraction
        g = (1 + g) ** (1 / (d + 1))
    return np.asarray((0.5 + np.arange(1, n + 1)[:, None] * g ** -np.arange(1.0, d + 1)) % 1.0)


@cache
def _clouds(d: int) -> tuple[Floats, Floats]:
    """Return standard points of all rounds, (ROUNDS, SCOUTS, d): normal, and with Student's tails."""
    sequence = evenly(ROUNDS * SCOUTS, d + 1)
    normal = special.ndtri(sequence[:, :d])
    heavy = normal * np.sqrt(FREEDOM / chi2_quantile(sequence[:, d:], FREEDOM))
    return normal.reshape(ROUNDS, SCOUTS, d), heavy.reshape(ROUNDS, SCOUTS, d)


def settle(
    law: Falling,
    curves: int,
    log_likelihood: Callable[[Floats, Ints], Floats],
    climb: Climb,
    rounds: int = ROUNDS,
) -> Nodes:
    """Move nodes onto prior × likelihood.

    Parameters
    ----------
    log_likelihood : from theta (C, N, d) of the curves (C,) to (C, N).
    climb : from starts (B, S, d) to the posterior's top (B, 1, d) and its covariance there (B, d, d).
    rounds : at most so many; two are the prior and the curvature at the top.
    """
    normal, heavy = _clouds(len(law.centre))
    moving: Ints = np.arange(curves)
    theta = np.repeat(law.from_prior(normal[0])[None], curves, axis=0)
    log_likely, log_prior = log_likelihood(theta, moving), law.log_prior(theta)
    log_sum, log_weight = (
        log_prior,
        log_likely,
    )  # of the densities of all proposals so far; of the nodes
    proposals: list[Proposal] = []
    out = _kept(theta, log_likely, log_weight)
    for cloud in heavy[1:rounds]:
        new = (
            _proposal(theta, _tempered(log_weight))
            if proposals
            else _student_at(*climb(_highest(theta, log_weight)))
        )
        fresh = new.points(cloud)
        fresh_prior = law.log_prior(fresh)
        fresh_sum = np.logaddexp(fresh_prior, new.log_density(fresh))
        for old in proposals:
            fresh_sum = np.logaddexp(fresh_sum, old.log_density(fresh))
        log_sum = np.concatenate([np.logaddexp(log_sum, new.log_density(theta)), fresh_sum], axis=1)
        theta = np.concatenate([theta, fresh], axis=1)
        log_prior = np.concatenate([log_prior, fresh_prior], axis=1)
        log_likely = np.concatenate([log_likely, log_likelihood(fresh, moving)], axis=1)
        proposals.append(new)
        log_weight = log_prior + log_likely - log_sum + np.log(len(proposals) + 1)
        now = _kept(theta, log_likely, log_weight)
        out.put(moving, now)
        # A curve with nodes enough leaves its batch: it costs no more, and no curve depends on its neighbours.
        on = now.effective <= ENOUGH
        if not on.any():
            break
        moving, proposals = moving[on], [proposal[on] for proposal in proposals]
        theta, log_prior, log_likely = theta[on], log_prior[on], log_likely[on]
        log_sum, log_weight = log_sum[on], log_weight[on]
    return out


def _highest(theta: Floats, log_weight: Floats) -> Floats:
    """Return the STARTS nodes (B, STARTS, d) that weigh most."""
    index = np.argpartition(-log_weight, STARTS, axis=1)[:, :STARTS]
    return np.take_along_axis(theta, index[:, :, None], axis=1)


def _relative(log_weight: Floats) -> Floats:
    return np.asarray(np.exp(log_weight - log_weight.max(axis=1, keepdims=True)))


def _effective(weight: Floats) -> Floats:
    """Kish's effective number of nodes: (B,)."""
    return np.asarray(weight.sum(axis=1) ** 2 / (weight**2).sum(axis=1))


def _tempered(log_weight: Floats) -> Floats:
    """Weights (B, N) raised to the largest power ≤ 1 that leaves COUNTING nodes."""
    top = log_weight - log_weight.max(axis=1, keepdims=True)
    low, high = np.full(len(top), -16.0), np.zeros(len(top))
    low[_effective(np.exp(top)) >= COUNTING] = 0.0
    for _ in range(8):
        middle = (low + high) / 2
        enough = _effective(np.exp(np.exp(middle)[:, None] * top)) >= COUNTING
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    weight = np.exp(np.exp(low)[:, None] * top)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _proposal(theta: Floats, weight: Floats) -> Proposal:
    """Student distribution with the weighted mean and covariance of theta."""
    mean = np.matmul(weight[:, None], theta)
    off = theta - mean
    covariance = np.matmul((off * weight[:, :, None]).transpose(0, 2, 1), off)
    return _student_at(mean, covariance)


def _student_at(mean: Floats, covariance: Floats) -> Proposal:
    root: Floats = np.asarray(np.linalg.cholesky(covariance + TINY * np.eye(mean.shape[2])), float)
    log_scale = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1, keepdims=True)
    return Proposal(mean, root, log_scale)


def _kept(theta: Floats, log_likely: Floats, log_weight: Floats) -> Nodes:
    """KEPT nodes, evenly spaced along the cumulated weight: equally likely, heavy ones several times."""
    top = log_weight.max(axis=1, keepdims=True)
    along = np.cumsum(np.exp(log_weight - top), axis=1)
    at = (np.arange(KEPT) + 0.5) / KEPT
    index: Ints = np.stack([np.searchsorted(row / row[-1], at) for row in along])
    index = np.minimum(index, theta.shape[1] - 1)
    log_evidence = top + np.log(along[:, -1:] / theta.shape[1])
    return Nodes(
        np.take_along_axis(theta, index[:, :, None], axis=1),
        log_evidence - np.log(KEPT) - np.take_along_axis(log_likely, index, axis=1),
        _effective(_relative(log_weight)),
    )
