"""Forecasts of falling, positive metrics (loss, error, perplexity), many curves at once: quantiles and chances."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from scalefit.errors import DomainError
from scalefit.forecasting.losses.atoms import Atoms, atoms_of
from scalefit.forecasting.losses.batch import batch_of
from scalefit.forecasting.losses.posterior import (
    LawShares,
    Posterior,
    asked,
    posterior_of,
    shared_laws,
    shares_of,
)
from scalefit.forecasting.losses.shapes import FALLING
from scalefit.forecasting.series import Series

TOGETHER = (
    32  # curves a batch: small arrays cost a call of numpy, and large ones fall out of the cache
)
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
