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

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np
from scipy import special

from scalefit.distributions import chi2_quantile
from scalefit.forecasting.losses.batch import (
    EARLY,
    Batch,
    Doubt,
    marginal_likelihood,
    residual_likelihood,
)
from scalefit.forecasting.losses.shapes import Falling, Laws
from scalefit.forecasting.series import Stack
from scalefit.types import Floats, Ints, Mask

_STEPS, DAMPING, EASIER, HARDER = 16, 0.1, 0.2, 5.0
# Near the top two places differ by less than their sums' rounding, yet lie √rounding apart: a comparison without
# this margin would be a toss-up there, and every node of the proposals to come would hang on it.
SAME = 1e-7
GAIN, PATIENCE = 0.05, 4  # steps that lift a curve's top by less, in a row, before its climb ends
NUDGE = 1e-3  # of a shape, for its derivative
LONGEST = 2.0  # step in any shape: the prior's width, about


@dataclass(frozen=True, eq=False)
class Hills(Stack):
    """The posteriors that are climbed: a law, a curve and its doubt a row, all laws of a batch side by side.

    A curve alone is five rows, and a call of numpy, which costs more than the arithmetic in it, serves all five.
    """

    laws: Laws
    batch: Batch
    doubt: Doubt

    def log_likelihood(self, theta: Floats) -> Floats:
        """Return (B, N) for theta (B, N, d)."""
        return marginal_likelihood(self.batch, self.doubt, self.laws(theta, self.batch.u))


def hills(falling: Sequence[Falling], batch: Batch, doubt: Doubt) -> Hills:
    """Return the posterior of every law for every curve, law by law."""
    curves = batch.slope.size
    each = np.tile(np.arange(curves), len(falling))
    which = np.repeat(np.arange(len(falling)), curves)
    early = np.where(batch.few, EARLY, 0.0)
    return Hills(Laws(tuple(falling), which, early[each]), batch[each], doubt[each])


@dataclass(frozen=True, eq=False)
class Places(Stack):
    """Places theta (B, S, d): log posterior (B, S), its gradient and minus its approximate curvature (B, S, d, d)."""

    theta: Floats
    total: Floats
    gradient: Floats
    curvature: Floats


def climb(of: Hills, starts: Floats) -> tuple[Floats, Floats]:
    """Climb from starts (B, S, d); return the highest place (B, 1, d) and the covariance (B, d, d) there."""
    here = _spot(of, starts)
    damping = np.full(here.total.shape, DAMPING)
    idle, moving = np.zeros(len(starts), np.int64), np.arange(len(starts))
    top, covariance = starts[:, :1].copy(), np.empty((*starts.shape[::2], starts.shape[2]))
    for step in range(_STEPS):
        before = here.total.max(axis=1)
        there = _spot(of, here.theta + _step(here, damping))
        better = there.total > here.total - SAME
        here = _either(better, there, here)
        damping *= np.where(better, EASIER, HARDER)
        # Only the highest place counts, and only as the centre of a proposal that is weighed afterwards.
        idle = np.where(here.total.max(axis=1) < before + GAIN, idle + 1, 0)
        # A curve that has arrived stays, however far its batch still climbs: no curve may depend on its neighbours.
        on = (idle < PATIENCE) & (step < _STEPS - 1)
        if not on.all():
            rows = np.flatnonzero(~on)
            total = here.total[rows]
            best = (total > total.max(axis=1, keepdims=True) - SAME).argmax(axis=1)
            top[moving[rows], 0] = here.theta[rows, best]
            covariance[moving[rows]] = np.linalg.inv(here.curvature[rows, best])
            of, here, damping, idle, moving = of[on], here[on], damping[on], idle[on], moving[on]
        if not moving.size:
            break
    return top, covariance


def _step(spot: Places, damping: Floats) -> Floats:
    """Newton's step, shortened along directions of little curvature and to LONGEST."""
    diagonal = np.einsum("bsii->bsi", spot.curvature)
    damped = spot.curvature + (damping[..., None] * diagonal)[..., None] * np.eye(diagonal.shape[2])
    step = np.linalg.solve(damped, spot.gradient[..., None])[..., 0]
    return np.asarray(
        step * np.minimum(1.0, LONGEST / np.maximum(np.abs(step).max(axis=2), 1e-12))[..., None]
    )


def _either(first: Mask, a: Places, b: Places) -> Places:
    """Return a where first (B, S), else b."""
    wide, deep = first[..., None], first[..., None, None]
    return Places(
        np.where(wide, a.theta, b.theta),
        np.where(first, a.total, b.total),
        np.where(wide, a.gradient, b.gradient),
        np.where(deep, a.curvature, b.curvature),
    )


def _spot(of: Hills, theta: Floats) -> Places:
    """Evaluate log posterior, gradient and Gauss–Newton curvature, derivatives of the law by differences."""
    laws, batch, doubt = of.laws, of.batch, of.doubt
    curves, starts, d = theta.shape
    nudged = theta[:, :, None] + NUDGE * np.vstack([np.zeros(d), np.eye(d)])
    h = laws(nudged.reshape(curves, -1, d), batch.u).reshape(curves, starts, d + 1, -1)
    slopes = (h[:, :, 1:] - h[:, :, :1]) / NUDGE
    slopes = batch.turned(slopes.reshape(curves, starts * d, -1)).reshape(curves, starts, d, -1)
    log_likelihood, level, residual = residual_likelihood(batch, doubt, h[:, :, 0])
    top = log_likelihood.max(axis=2, keepdims=True)
    weight = np.exp(log_likelihood - top)
    total = top[..., 0] + np.log(weight.sum(axis=2)) + laws.log_prior(theta)
    weight /= weight.sum(axis=2, keepdims=True)
    precision = np.matmul(weight, doubt.precision.transpose(0, 2, 1))  # mean over pairs (B, S, n)
    force = precision * residual - np.matmul(weight * level, doubt.pull.transpose(0, 2, 1))
    gradient = np.matmul(slopes, force[..., None])[..., 0]
    gradient -= (theta - laws.centre) / laws.spread**2
    pulled = precision * batch.level[:, None]
    off = np.matmul(slopes, pulled[..., None]) / (pulled @ batch.level[..., None])[..., None]
    # The level follows the shapes, so what it can follow is no curvature; left in, steps are far too short.
    slopes = slopes - off * batch.level[:, None, None]
    curvature = np.matmul(slopes * precision[:, :, None], slopes.swapaxes(2, 3))
    prior = laws.spread**-2.0 * np.eye(d)
    return Places(theta, total, gradient, curvature + prior[:, None])


SCOUTS, ROUNDS = 128, 8  # nodes a round, at most so many rounds
KEPT = 256  # nodes that go on to the full grid of noise and discrepancy
_STARTS = 4  # nodes of the first round from which the top is looked for
TINY = 1e-12
_FREEDOM = 8  # Student's tails: a proposal must be wider than what it proposes for
COUNTING, ENOUGH = 10.0, 100.0  # nodes that must count for a move, and to stop


@dataclass(frozen=True, eq=False)
class Nodes(Stack):
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

    def of(self, shapes: int) -> Nodes:
        """Return them without the room that laws of more shapes need."""
        return replace(self, theta=self.theta[..., :shapes])


@dataclass(frozen=True, eq=False)
class _Tried(Stack):
    """All nodes so far: theta (B, N, d), and their log priors, log likelihoods and the proposals' densities (B, N)."""

    theta: Floats
    log_prior: Floats
    log_likely: Floats
    density: Floats

    def beside(self, other: _Tried) -> _Tried:
        """Return these nodes, then the others."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return _Tried(*(np.concatenate(pair, axis=1) for pair in pairs))

    def log_weight(self, proposals: int) -> Floats:
        """Return log (B, N) of prior × likelihood over the mean density of so many proposals, the prior included."""
        return self.log_prior + self.log_likely - np.log(self.density / proposals)


@dataclass(frozen=True, eq=False)
class Proposal(Stack):
    """Student distributions, one a row: mean (B, 1, d), root of the scale (B, d, d), height (B, 1), shapes (B,)."""

    mean: Floats
    root: Floats
    height: Floats
    shapes: Ints

    def points(self, z: Floats) -> Floats:
        """Return theta (B, N, d) for standard points z (B, N, d)."""
        return np.asarray(self.mean + z @ self.root.transpose(0, 2, 1))

    def density(self, theta: Floats) -> Floats:
        """Return (B, N) for theta (B, N, d).

        Not its logarithm: Student's tails are powers of half-integers, which square roots give at a fraction of a
        logarithm's cost, and they fall too slowly to underflow.
        """
        z = np.matmul(np.linalg.inv(self.root), (theta - self.mean).swapaxes(1, 2))
        tail = 1 / (1 + _square(z) / _FREEDOM)
        root, out = np.sqrt(tail), (tail * tail) ** 2  # (1 + z²/8)^−(8 + d)/2
        for j in range(self.root.shape[1]):
            out *= np.where((j < self.shapes)[:, None], root, 1.0)
        out *= self.height
        return np.asarray(out)


def _square(z: Floats) -> Floats:
    """Return squared lengths (B, N) of z (B, d, N): whole rows at a time, for d is 2 to 4."""
    return np.asarray(np.add.reduce(z * z, axis=1))


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
def _clouds(shapes: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return standard points of all rounds, (ROUNDS, L, SCOUTS, d), of laws of so many shapes: normal, and Student's.

    A law of fewer shapes than others keeps the rest at 0.
    """
    out = np.zeros((2, ROUNDS, len(shapes), SCOUTS, max(shapes)))
    for i, d in enumerate(shapes):
        sequence = evenly(ROUNDS * SCOUTS, d + 1)
        normal = special.ndtri(sequence[:, :d])
        heavy = normal * np.sqrt(_FREEDOM / chi2_quantile(sequence[:, d:], _FREEDOM))
        out[:, :, i, :, :d] = np.reshape([normal, heavy], (2, ROUNDS, SCOUTS, d))
    return out[0], out[1]


def settle(of: Hills, rounds: int = ROUNDS) -> Nodes:
    """Move nodes onto prior × likelihood, at most so many rounds; two are the prior and the curvature at the top."""
    normal, heavy = _clouds(of.laws.all_shapes)
    moving: Ints = np.arange(len(of.laws.which))
    theta = of.laws.from_prior(normal[0][of.laws.which])
    log_prior = of.laws.log_prior(theta)
    tried = _Tried(theta, log_prior, of.log_likelihood(theta), np.exp(log_prior))
    log_weight, proposals = tried.log_likely, list[Proposal]()
    done: list[tuple[Ints, Nodes]] = []
    for cloud in heavy[1:rounds]:
        new = (
            _proposal(of.laws, tried.theta, _tempered(log_weight))
            if proposals
            else _student_at(of.laws, *climb(of, _highest(tried.theta, log_weight)))
        )
        proposals.append(new)
        fresh = new.points(cloud[of.laws.which])
        log_prior = of.laws.log_prior(fresh)
        density = sum((one.density(fresh) for one in proposals), np.exp(log_prior))
        before = replace(tried, density=tried.density + new.density(tried.theta))
        after = _Tried(fresh, log_prior, of.log_likelihood(fresh), density)
        tried = before.beside(after)
        log_weight = tried.log_weight(len(proposals) + 1)
        # A curve with nodes enough leaves its batch: it costs no more, and no curve depends on its neighbours.
        on = (_effective(_relative(log_weight)) <= ENOUGH) & (len(proposals) < rounds - 1)
        if not on.all():
            done.append((moving[~on], _kept(tried[~on], log_weight[~on])))
            of, moving, tried, log_weight = of[on], moving[on], tried[on], log_weight[on]
            proposals = [proposal[on] for proposal in proposals]
        if not moving.size:
            break
    order = np.argsort(np.concatenate([rows for rows, _ in done]))
    kept = [[getattr(nodes, f.name) for _, nodes in done] for f in fields(Nodes)]
    return Nodes(*(np.concatenate(some)[order] for some in kept))


def _highest(theta: Floats, log_weight: Floats) -> Floats:
    """Return the nodes (B, _STARTS, d) that weigh most."""
    index = np.argpartition(-log_weight, _STARTS, axis=1)[:, :_STARTS]
    return np.take_along_axis(theta, index[:, :, None], axis=1)


def _relative(log_weight: Floats) -> Floats:
    return np.asarray(np.exp(log_weight - log_weight.max(axis=1, keepdims=True)))


def _effective(weight: Floats) -> Floats:
    """Kish's effective number of nodes: (B,)."""
    return np.asarray(weight.sum(axis=1) ** 2 / (weight**2).sum(axis=1))


def _tempered(log_weight: Floats) -> Floats:
    """Weights (B, N) raised to the largest power ≤ 1 that leaves COUNTING nodes."""
    top = log_weight - log_weight.max(axis=1, keepdims=True)
    power = np.ones((len(top), 1))
    rows = np.flatnonzero(_effective(np.exp(top)) < COUNTING)
    if rows.size:
        power[rows, 0] = np.exp(_most(top[rows]))
    weight = np.exp(power * top)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _most(top: Floats) -> Floats:
    """Log of the largest power, by bisection."""
    low, high = np.full(len(top), -16.0), np.zeros(len(top))
    for _ in range(8):
        middle = (low + high) / 2
        enough = _effective(np.exp(np.exp(middle)[:, None] * top)) >= COUNTING
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    return low


def _proposal(laws: Laws, theta: Floats, weight: Floats) -> Proposal:
    """Student distribution with the weighted mean and covariance of theta."""
    mean = np.matmul(weight[:, None], theta)
    off = theta - mean
    covariance = np.matmul((off * weight[:, :, None]).transpose(0, 2, 1), off)
    return _student_at(laws, mean, covariance)


def _student_at(laws: Laws, mean: Floats, covariance: Floats) -> Proposal:
    """Student distribution over a law's own shapes; those it lacks have a root of 1 and stay where they are."""
    d, eye = laws.shapes, np.eye(mean.shape[2])
    own = np.arange(len(eye)) < d[:, None]
    covariance = np.where(own[:, :, None] & own[:, None], covariance + TINY * eye, eye)
    root: Floats = np.asarray(np.linalg.cholesky(covariance), float)
    log_scale = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    norm = special.gammaln((_FREEDOM + d) / 2) - special.gammaln(_FREEDOM / 2)
    norm -= d / 2 * np.log(_FREEDOM * np.pi)
    return Proposal(mean, root, np.exp(norm - log_scale)[:, None], d)


def _kept(tried: _Tried, log_weight: Floats) -> Nodes:
    """KEPT nodes, evenly spaced along the cumulated weight: equally likely, heavy ones several times."""
    top = log_weight.max(axis=1, keepdims=True)
    along = np.cumsum(np.exp(log_weight - top), axis=1)
    at = (np.arange(KEPT) + 0.5) / KEPT
    rows = [np.searchsorted(row / row[-1], at) for row in along]
    places = np.array(rows, dtype=np.intp).reshape(-1, KEPT)
    index = np.minimum(places, along.shape[1] - 1)
    log_evidence = top + np.log(along[:, -1:] / along.shape[1])
    return Nodes(
        np.take_along_axis(tried.theta, index[:, :, None], axis=1),
        log_evidence - np.log(KEPT) - np.take_along_axis(tried.log_likely, index, axis=1),
        _effective(_relative(log_weight)),
    )
