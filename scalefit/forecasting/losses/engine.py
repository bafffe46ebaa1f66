"""Forecasts of falling, positive metrics (loss, error, perplexity), many curves at once: quantiles and chances."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
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
from scalefit.forecasting.losses.shapes import FALLING
from scalefit.forecasting.predictive import (
    HORIZONS,
    PROBABILITIES,
    Kind,
    Predictive,
    Reach,
    reach_of,
)
from scalefit.forecasting.series import Series
from scalefit.types import Floats, Ints

TOGETHER = (
    32  # curves a batch: small arrays cost a call of numpy, and large ones fall out of the cache
)
WIDE = 64  # sizes at a time, so that memory does not grow with what is asked
LEAST_SIZES, FEW_SIZES = 2, 4
FEW_NODES, CARRIES = 10.0, 0.1


def learn_losses(curves: Sequence[Series]) -> LawShares | None:
    """Return how much each law weighs in this table before a curve is seen; None where no curve has a sibling.

    Parameters
    ----------
    curves : sequence of Series
        The curves of one table and metric.

    Raises
    ------
    DomainError
        As in :func:`forecast_losses`.
    """
    if len(curves) < 2:
        return None
    some = [curves[i] for i in asked(len(curves))]
    evidence = [_posterior([some[i] for i in chunk]).log_evidence for chunk in _chunks(some)]
    return LawShares(
        tuple(shared_laws(np.concatenate(evidence), shares_of(FALLING)).tolist()), len(some)
    )


def forecast_losses(
    curves: Sequence[Series],
    at: Sequence[Floats],
    learned: LawShares | None = None,
    *,
    kind: Kind = "run",
) -> list[Predictive]:
    """Forecast falling curves: a mixture of laws that may be wrong, integrated and not fitted.

    Parameters
    ----------
    curves : sequence of Series
        Means of a metric that falls with size and has 0 as its natural end.
    at : sequence of (Q,) float64
        Sizes to forecast, for each curve.
    learned : LawShares, optional
        What the curves' table says of the laws; without it they start alike.
    kind : {"run", "mean"}
        Distribution of what one new run will show, or of the mean over runs.

    Returns
    -------
    list of Predictive
        One a curve, in order; its weights are those of the laws.

    Raises
    ------
    DomainError
        A curve has one size only, or a size or value that is not finite, or a size that is not above 0.

    Notes
    -----
    ln y = level + law + discrepancy + noise. Level in closed form, noise and the discrepancy's strength on a grid,
    shapes on nodes that move onto their posterior, laws by a power of their evidence. Cost is linear in curves.

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit.forecasting.losses import forecast_losses
    >>> from scalefit.forecasting.series import series_of
    >>> x = np.geomspace(1e6, 1e9, 8)
    >>> (said,) = forecast_losses([series_of(x, 1.7 + 400 * x**-0.4)], [np.array([1e10])])
    >>> low, high = said.interval(0.95)
    >>> bool(low[0] < 1.7 + 400 * 1e10**-0.4 < high[0]), bool(high[0] - low[0] < 0.1)
    (True, True)
    """
    out: dict[int, Predictive] = {}
    for chunk in _chunks(curves):
        posterior = _posterior([curves[i] for i in chunk], learned)
        values = _wide(posterior, [np.log(at[i] / curves[i].x[-1]) for i in chunk], kind)
        for row, i in enumerate(chunk):
            within = np.clip(values[row, :, : at[i].size], curves[i].bottom, curves[i].top)
            weights = dict(zip(posterior.names, posterior.laws[row].tolist(), strict=True))
            notes = _notes(curves[i], posterior, row)
            out[i] = Predictive(at[i], PROBABILITIES, within, weights, notes)
    return [out[i] for i in range(len(curves))]


def reach_losses(
    curves: Sequence[Series],
    targets: Sequence[float],
    learned: LawShares | None = None,
    *,
    kind: Kind = "mean",
) -> list[Reach]:
    """Return when each curve falls to its target: a probability at each of the horizons.

    Parameters
    ----------
    curves, learned, kind
        As in :func:`forecast_losses`.
    targets : sequence of float
        One a curve, above 0.

    Raises
    ------
    DomainError
        As in :func:`forecast_losses`.

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit.forecasting.losses import reach_losses
    >>> from scalefit.forecasting.series import series_of
    >>> x = np.geomspace(1e6, 1e9, 8)
    >>> curve = series_of(x, 1.7 + 400 * x**-0.4)
    >>> (reach,) = reach_losses([curve], [1.75])  # the truth is there at 5.7e9
    >>> bool(4e9 < reach.quantile(0.5) < 8e9)
    True
    """
    out: dict[int, Reach] = {}
    for chunk in _chunks(curves):
        posterior = _posterior([curves[i] for i in chunk], learned)
        lowest = np.finfo(float).tiny
        bar = np.log([max(float(targets[i]), lowest) for i in chunk]) - posterior.batch.end
        parts = np.array_split(np.log(HORIZONS), -(-HORIZONS.size // WIDE))
        uq = [np.broadcast_to(part, (len(chunk), part.size)) for part in parts]
        chance = np.concatenate([chance_below(posterior, u, bar, kind) for u in uq], axis=1)
        for row, i in enumerate(chunk):
            out[i] = reach_of(float(curves[i].x[-1]), chance[row])
    return [out[i] for i in range(len(curves))]


def _posterior(curves: Sequence[Series], learned: LawShares | None = None) -> Posterior:
    shares = None if learned is None else np.array(learned.shares)
    return posterior_of(batch_of([_readable(curve) for curve in curves]), shares=shares)


def _chunks(curves: Sequence[Series]) -> Iterator[list[int]]:
    """Yield indices of curves of about one length, TOGETHER at a time."""
    order = sorted(range(len(curves)), key=lambda i: len(curves[i]))
    for start in range(0, len(order), TOGETHER):
        yield order[start : start + TOGETHER]


def _readable(curve: Series) -> Series:
    """Return the curve with every value above 0.

    A value of 0 (an error that was never made) is read as half the smallest value above 0: no law of a falling
    metric reaches 0, and a logarithm needs something to stand on.
    """
    if not (np.isfinite(curve.x).all() and np.isfinite(curve.y).all() and (curve.x > 0).all()):
        raise DomainError("sizes and values must be finite and sizes above 0; leave the others out")
    if len(curve) < LEAST_SIZES:
        raise DomainError(
            f"one size, {curve.x[0]:g}: a forecast needs two sizes that differ, and is worth little below "
            f"{FEW_SIZES}; measure a second size, ten times as large or as small"
        )
    above = curve.y[curve.y > 0]
    if not above.size:
        raise DomainError("no value is above 0; forecasts of losses and errors need one")
    return replace(curve, y=np.where(curve.y > 0, curve.y, above.min() / 2))


def _wide(posterior: Posterior, uq: list[Floats], kind: Kind) -> Floats:
    """Quantiles of y (B, P, Q), padded to the longest uq, WIDE sizes at a time."""
    padded = np.zeros((len(uq), max(u.size for u in uq)))
    for row, u in enumerate(uq):
        padded[row, : u.size] = u
    parts = np.array_split(padded, max(1, -(-padded.shape[1] // WIDE)), axis=1)
    said = [quantiles(posterior, part, PROBABILITIES, kind) for part in parts]
    return np.exp(np.concatenate(said, axis=2) + posterior.batch.end[:, None, None])


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


ATOMS, SLICES = 512, 4
GOLDEN = 0.6180339887498949
FREEDOM = 5.0  # of Student's t around each atom: real curves leave their laws in jumps, too


def quantiles(
    posterior: Posterior, uq: Floats, probabilities: Floats, kind: Kind = "run"
) -> Floats:
    """Quantiles of v at uq (B, Q), of a new run or of the mean: (B, P, Q).

    The mixture is cut into ATOMS bells of equal weight and each into SLICES: sorting them is cheaper than
    inverting a sum of distributions, and as good down to about a thousandth.
    """
    mean, variance = _atoms(posterior, uq, kind)
    spread = np.sqrt(np.maximum(variance, 1e-14)).swapaxes(1, 2)[..., None]
    draws = np.multiply(spread, _slices(), out=np.empty((*uq.shape, ATOMS, SLICES)))
    draws += mean.swapaxes(1, 2)[..., None]
    draws = draws.reshape(*uq.shape, -1)
    draws.sort(axis=2)
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
    """Return the probability (B, Q) that v at uq (B, Q) is at most the target (B,)."""
    mean, variance = _atoms(posterior, uq, kind)
    z = (log_target[:, None, None] - mean) / np.sqrt(np.maximum(variance, 1e-14))
    return np.asarray(_student(z).mean(axis=1))


def _student(t: Floats) -> Floats:
    """Distribution function of Student's t with 5 degrees of freedom, in closed form: a tenth of ``stdtr``'s cost."""
    share = 1 / (1 + t * t / FREEDOM)  # cos² of the angle
    tail = t / np.sqrt(FREEDOM) * share * (1 + 2 / 3 * share)
    return np.asarray(0.5 + (np.arctan(t / np.sqrt(FREEDOM)) + tail) / np.pi)


def _atoms(posterior: Posterior, uq: Floats, kind: Kind) -> tuple[Floats, Floats]:
    """Mean and variance (B, A, Q) of atoms of equal weight."""
    batch, doubt = posterior.batch, posterior.doubt
    node, pair = _chosen(posterior.weight)
    row = np.arange(len(uq))[:, None]
    with_bend = batch.bend_at(uq)
    bend = doubt.bend[row, pair]
    residual = posterior.residual[row, node]
    level = np.einsum("ban,ban->ba", residual, doubt.pull[row, :, pair])
    level /= doubt.level_precision[row, pair]
    gap = (residual - level[..., None] * batch.level[:, None]) * doubt.precision[row, :, pair]
    mean = level[..., None] + _curves(posterior, uq, node)
    mean = mean + bend[..., None] * np.matmul(gap, with_bend)
    return mean, _variance(batch, doubt, uq, with_bend, kind)[row, pair]


def _variance(batch: Batch, doubt: Doubt, uq: Floats, with_bend: Floats, kind: Kind) -> Floats:
    """Variance of ln y at uq given shapes, σ and τ: discrepancy left after the data, level, and a run's noise."""
    # The discrepancy that residuals leave open, and the level's own variance as far as the bend does not pull it.
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
    """Return h (B, A, Q) of the chosen nodes, each by its law: most nodes are nobody's choice."""
    out = np.empty((*node.shape, uq.shape[1]))
    for i, (law, theta) in enumerate(zip(posterior.falling, posterior.theta, strict=True)):
        which, place = np.divmod(node, theta.shape[1])
        row, atom = np.nonzero(which == i)
        out[row, atom] = law(theta[row, place[row, atom]][:, None], uq[row])[:, 0]
    return out
