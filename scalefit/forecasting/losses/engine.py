"""Forecasts of falling, positive metrics (loss, error, perplexity), many curves at once.

A curve's posterior is cut into atoms of equal weight: all that its forecast needs, at any size and for any target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy import special

from scalefit.errors import DomainError
from scalefit.forecasting.losses.batch import Batch, Doubt, batch_of, covariance
from scalefit.forecasting.losses.posterior import (
    LawShares,
    Posterior,
    asked,
    posterior_of,
    shared_laws,
    shares_of,
)
from scalefit.forecasting.losses.shapes import FALLING, Falling
from scalefit.forecasting.predictive import HORIZONS, PROBABILITIES, Predictive, Reach, reach_of
from scalefit.forecasting.series import Series
from scalefit.types import Floats, Ints, Kind

ATOMS, SLICES = 512, 4
GOLDEN = 0.6180339887498949
_FREEDOM = 5.0  # of Student's t around each atom: real curves leave their laws in jumps, too
WIDE = 64  # sizes at a time, so that memory does not grow with what is asked
_COARSE = 4  # horizons a step
STEEP = 0.03  # rise in chance over a step from which it is looked at closely
LEAST_VARIANCE = 1e-14
HIGHEST = 4.0  # a loss that goes back goes hardly beyond its first values; few noisy sizes would send it anywhere


@dataclass(frozen=True, eq=False)
class Atoms:
    """Equal pieces of one curve's posterior, each a node with a pair (σ, τ).

    A tenth of the posterior in memory, so a curve can keep it: what is asked later needs no second integration.

    Attributes
    ----------
    batch, doubt : the curve alone, B = 1.
    nodes : law, which atoms are its own, and their shapes (A', d).
    pair : (A,)
    level : (A,); v at the largest size.
    force : (A, n); by how much the discrepancy along each direction moves the mean, a unit of covariance.
    weights : law -> weight.
    notes : what a reader of its forecasts should know.
    """

    curve: Series
    batch: Batch
    doubt: Doubt
    nodes: tuple[tuple[Falling, Ints, Floats], ...]
    pair: Ints
    level: Floats
    force: Floats
    weights: Mapping[str, float]
    notes: tuple[str, ...]

    def forecast(self, at: Floats, kind: Kind = "run") -> Predictive:
        """Return the distribution of a new run, or of the mean over runs, at sizes (Q,)."""
        u = np.log(at / self.curve.x[-1])
        parts = np.array_split(u, max(1, -(-u.size // WIDE)))
        v = np.concatenate([self.quantiles(part, PROBABILITIES, kind) for part in parts], axis=1)
        highest = min(self.curve.top, HIGHEST * float(self.curve.y.max()))
        values = np.clip(np.exp(v + self.batch.end), self.curve.bottom, highest)
        return Predictive(at, PROBABILITIES, values, self.weights, self.notes)

    def reach(self, target: float, kind: Kind = "mean") -> Reach:
        """Return when the curve falls to a target."""
        bar = np.log(max(float(target), np.finfo(float).tiny)) - self.batch.end[0]
        u, at = np.log(HORIZONS), np.arange(0, HORIZONS.size, _COARSE)
        chance = self.chance_below(u[at], bar, kind)
        # A broad answer is straight between the coarse horizons; an exact law's is a step, and keeps its width.
        steep = at[:-1][np.abs(np.diff(chance)) > STEEP]
        fine = (steep[:, None] + np.arange(1, _COARSE)).ravel()
        if fine.size:
            at = np.append(at, fine)
            chance = np.append(chance, self.chance_below(u[fine], bar, kind))
            order = np.argsort(at)
            at, chance = at[order], chance[order]
        return reach_of(float(self.curve.x[-1]), np.interp(u, u[at], chance))

    def quantiles(self, u: Floats, probabilities: Floats, kind: Kind = "run") -> Floats:
        """Return quantiles (P, Q) of v at u (Q,).

        Each bell is cut into SLICES: sorting them is cheaper than inverting a sum of distributions, and as good down
        to about a thousandth.
        """
        mean, variance = self._bells(u, kind)
        draws = mean.T[..., None] + np.sqrt(variance).T[..., None] * _slices()
        draws = draws.reshape(u.size, -1)
        draws.sort(axis=1)
        place = np.clip(probabilities * draws.shape[1] - 0.5, 0, draws.shape[1] - 1)
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, draws.shape[1] - 1)
        values = draws[:, low] + (place - low) * (draws[:, high] - draws[:, low])
        return np.asarray(values.T)

    def chance_below(self, u: Floats, bar: float, kind: Kind = "mean") -> Floats:
        """Return the probability (Q,) that v at u (Q,) is at most the bar."""
        mean, variance = self._bells(u, kind)
        return np.asarray(_student((bar - mean) / np.sqrt(variance)).mean(axis=0))

    def _bells(self, u: Floats, kind: Kind) -> tuple[Floats, Floats]:
        """Mean and variance (A, Q) of v at u (Q,) in each atom."""
        with_bend = self.batch.bend_at(u[None])
        mean = self.level[:, None] + self.force @ with_bend[0]
        for law, atoms, theta in self.nodes:
            mean[atoms] += law(theta[None], u[None])[0]
        variance = _variance(self.batch, self.doubt, u[None], with_bend, kind)[0, self.pair]
        return mean, np.maximum(variance, LEAST_VARIANCE)


@cache
def _slices() -> Floats:
    """Quantiles of the bell (ATOMS, SLICES), a different place within each slice for every atom."""
    # With the same few places for all atoms no draw would lie beyond the outermost one, and where noise is most of the
    # variance a band of 95 % would end there, at 1.6 standard deviations. Multiples of the golden ratio fill the slices
    # evenly whichever atoms lie side by side.
    within = (np.arange(ATOMS)[:, None] + 0.5) * GOLDEN % 1.0
    return np.asarray(special.stdtrit(_FREEDOM, (np.arange(SLICES) + within) / SLICES))


def _student(t: Floats) -> Floats:
    """Distribution function of Student's t with 5 degrees of freedom, in closed form: a tenth of ``stdtr``'s cost."""
    share = 1 / (1 + t * t / _FREEDOM)  # cos² of the angle
    tail = t / np.sqrt(_FREEDOM) * share * (1 + 2 / 3 * share)
    return np.asarray(0.5 + (np.arctan(t / np.sqrt(_FREEDOM)) + tail) / np.pi)


def _variance(batch: Batch, doubt: Doubt, uq: Floats, with_bend: Floats, kind: Kind) -> Floats:
    """Variance of ln y at uq given shapes, σ and τ: discrepancy left after the data, level, and a run's noise."""
    # The discrepancy that residuals leave open, and the level's own variance as far as the bend does not pull it.
    bend = doubt.bend[:, :, None]
    told = np.matmul(doubt.precision.transpose(0, 2, 1), with_bend**2)
    pulled = 1 - bend * np.matmul(doubt.pull.transpose(0, 2, 1), with_bend)
    left = bend * covariance(uq, uq)[:, None] - bend**2 * told
    noise = doubt.noise[:, :, None] if kind == "run" else 0.0
    return np.asarray(noise + left + pulled**2 / doubt.level_precision[:, :, None])


def atoms_of(posterior: Posterior, i: int, curve: Series, notes: tuple[str, ...]) -> Atoms:
    """Cut the posterior of the batch's curve ``i``."""
    batch, doubt = posterior.batch[i : i + 1], posterior.doubt[i : i + 1]
    node, pair = _chosen(posterior.weight[i])
    residual = posterior.residual[i, node]
    level = np.einsum("an,an->a", residual, doubt.pull[0, :, pair])
    level /= doubt.level_precision[0, pair]
    gap = (residual - level[:, None] * batch.level) * doubt.precision[0, :, pair]
    which, place = np.divmod(node, posterior.theta[0].shape[1])
    owned = [np.flatnonzero(which == law) for law in range(len(posterior.falling))]
    each = zip(posterior.falling, posterior.theta, owned, strict=True)
    return Atoms(
        curve,
        batch,
        doubt,
        tuple((law, own, theta[i, place[own]]) for law, theta, own in each if own.size),
        pair,
        level,
        doubt.bend[0, pair, None] * gap,
        dict(zip(posterior.names, posterior.laws[i].tolist(), strict=True)),
        notes,
    )


def _chosen(weight: Floats) -> tuple[Ints, Ints]:
    """Node and pair (A,) of every atom: evenly spaced along the cumulated weight, so without luck."""
    flat = np.cumsum(weight)
    place = np.searchsorted(flat / flat[-1], (np.arange(ATOMS) + 0.5) / ATOMS)
    return np.divmod(np.minimum(place, flat.size - 1), weight.shape[1])


# Curves a batch: small arrays cost a call of numpy, and large ones fall out of the cache.
TOGETHER = 32
LEAST_SIZES, FEW_SIZES = 2, 4
FEW_NODES, CARRIES = 10.0, 0.1


def learn_losses(curves: Sequence[Series]) -> LawShares | None:
    """Return how much each law weighs in this table before a curve is seen; None where no curve has a sibling.

    Parameters
    ----------
    curves : the curves of one table and metric.

    Raises DomainError: as in :func:`settle_losses`.
    """
    if len(curves) < 2:
        return None
    some = [curves[i] for i in asked(len(curves))]
    evidence = [_posterior([some[i] for i in chunk]).log_evidence for chunk in _chunks(some)]
    return LawShares(
        tuple(shared_laws(np.concatenate(evidence), shares_of(FALLING)).tolist()), len(some)
    )


def settle_losses(curves: Sequence[Series], learned: LawShares | None = None) -> list[Atoms]:
    """Integrate over laws that may be wrong; what is returned answers every size and every target of its curve.

    Parameters
    ----------
    curves : means of a metric that falls with size and has 0 as its natural end.
    learned : what the curves' table says of the laws; without it they start alike.

    Raises DomainError: a curve has one size only, or a size or value that is not finite, or a size that is not above
    0.

    Notes
    -----
    ln y = level + law + discrepancy + noise. Level in closed form, noise and the discrepancy's strength on a grid,
    shapes on nodes that move onto their posterior, laws by their evidence. Cost is linear in curves.

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit.forecasting.series import series_of
    >>> x = np.geomspace(1e6, 1e9, 8)
    >>> (atoms,) = settle_losses([series_of(x, 1.7 + 400 * x**-0.4)])
    >>> low, high = atoms.forecast(np.array([1e10])).interval(0.95)
    >>> bool(low[0] < 1.7 + 400 * 1e10**-0.4 < high[0]), bool(high[0] - low[0] < 0.1)
    (True, True)
    >>> bool(4e9 < atoms.reach(1.75).quantile(0.5) < 8e9)  # the truth is there at 5.7e9
    True
    """
    settled: dict[int, Atoms] = {}
    for chunk in _chunks(curves):  # a chunk's posterior in memory at a time
        posterior = _posterior([curves[i] for i in chunk], learned)
        for row, i in enumerate(chunk):
            settled[i] = atoms_of(posterior, row, curves[i], _notes(curves[i], posterior, row))
    return [settled[i] for i in range(len(curves))]


def _posterior(curves: Sequence[Series], learned: LawShares | None = None) -> Posterior:
    shares = None if learned is None else np.array(learned.shares)
    return posterior_of(batch_of([_readable(curve) for curve in curves]), shares=shares)


def _chunks(curves: Sequence[Series]) -> Iterator[list[int]]:
    """Yield indices of curves of about one length, TOGETHER at a time."""
    order = sorted(range(len(curves)), key=lambda i: len(curves[i]))
    for start in range(0, len(order), TOGETHER):
        yield order[start : start + TOGETHER]


def _readable(curve: Series) -> Series:
    """Return the curve with every value above 0."""
    if not (np.isfinite(curve.x).all() and np.isfinite(curve.y).all() and (curve.x > 0).all()):
        raise DomainError("sizes and values must be finite and sizes above 0; leave the others out")
    if len(curve) < LEAST_SIZES:
        raise DomainError(
            f"one size, {curve.x[0]:g}: a forecast needs two sizes that differ, and is worth little below "
            f"{FEW_SIZES}; measure a second size, ten times as large or as small"
        )
    # An error that was never made: no law of a falling metric reaches 0, and a logarithm needs something to stand on.
    above = curve.y[curve.y > 0]
    if not above.size:
        raise DomainError("no value is above 0; forecasts of losses and errors need one")
    return replace(curve, y=np.where(curve.y > 0, curve.y, above.min() / 2))


def _notes(curve: Series, posterior: Posterior, row: int) -> tuple[str, ...]:
    notes = []
    if len(curve) < FEW_SIZES:
        notes.append(
            f"{len(curve)} sizes: the forecast rests on what curves usually do; measure at least {FEW_SIZES}"
        )
    if (curve.y <= 0).any():
        notes.append(
            f"{int((curve.y <= 0).sum())} values of 0 are read as half the smallest above 0"
        )
    rough = (posterior.laws[row] > CARRIES) & (posterior.effective[row] < FEW_NODES)
    if rough.any():
        names = " and ".join(np.array(posterior.names)[rough])
        least = float(posterior.effective[row][rough].min())
        notes.append(f"the integral over {names} rests on {least:.0f} nodes: intervals are rough")
    return tuple(notes)
