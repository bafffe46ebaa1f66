"""Bands of the metric at sizes that were not measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from scalefit.forecasting.predictive import PROBABILITIES, Predictive
from scalefit.forecasting.quality.backtest import Rows, forecasts_at, rows_of
from scalefit.forecasting.quality.doubt import FREEDOM, Band, band_of
from scalefit.forecasting.quality.learn import Learned
from scalefit.forecasting.quality.members import fit_members
from scalefit.forecasting.quality.prefixes import whole
from scalefit.forecasting.quality.scale import TOP, scale_of
from scalefit.forecasting.series import Series
from scalefit.types import Floats

Kind = Literal["run", "mean"]
LEAST_SHARE = (
    0.25  # of the variance that stays for the mean over seeds: the rest is never known so well
)
FEW = 3  # sizes that leave nothing to check a forecast with


def forecast_quality(
    curves: Sequence[Series], at: Floats, learned: Learned, *, kind: Kind = "run"
) -> list[Predictive]:
    """Return what to expect of each curve at the sizes ``at``.

    Parameters
    ----------
    curves : sequence of Series
        At least two sizes each; those that ``learned`` comes from, or others of their kind.
    at : (Q,) or (C, Q) array
        Sizes beyond the largest measured one of each curve, the same for all or a row a curve.
    learned : Learned
        What the table teaches.
    kind : {"run", "mean"}
        A new run, or the mean over seeds.
    """
    at = np.asarray(at, dtype=np.float64)
    at = np.broadcast_to(at, (len(curves), at.shape[-1] if at.ndim else 1))
    h = np.maximum(np.stack([np.log(x / c.x[-1]) for c, x in zip(curves, at, strict=True)]), 0.0)
    rows = rows_at(curves, h, learned)
    band = band_of(rows, learned.weights, learned.factors, learned.scatter)
    weights = {n: float(w) for n, w in zip(learned.names, learned.weights, strict=True)}
    return [
        Predictive(x, PROBABILITIES, _quantiles(c, _part(band, i, x.size), kind), weights, notes)
        for i, (c, x) in enumerate(zip(curves, at, strict=True))
        for notes in [_notes(c, rows.slope[i * x.size], learned, kind)]
    ]


def rows_at(curves: Sequence[Series], h: Floats, learned: Learned) -> Rows:
    """Return the members' forecasts at ``h`` = ln(size / last size) (C, Q), curve after curve."""
    p = whole(curves)
    fitted = fit_members(p)
    forecasts = forecasts_at(p, fitted, learned.slopes, h)
    origin = np.repeat(np.arange(len(p)), h.shape[1])
    return rows_of(p, fitted, forecasts.reshape(h.size, -1), h.ravel(), origin)


def _part(band: Band, i: int, q: int) -> Band:
    rows = slice(i * q, (i + 1) * q)
    return Band(band.centre[rows], band.below[rows], band.above[rows])


def _quantiles(curve: Series, band: Band, kind: Kind) -> Floats:
    """Return the quantiles (P, Q) in the metric's units, within its range."""
    scale = scale_of(curve)
    z = stdtrit(FREEDOM, PROBABILITIES)[:, None]
    seeds = _seeds(curve, kind) * (TOP / scale.unit) ** 2
    below, above = (
        np.sqrt(np.maximum(sd**2 + seeds, LEAST_SHARE * sd**2)) for sd in (band.below, band.above)
    )
    percent = band.centre + z * np.where(z < 0, below, above)
    return scale.back(np.clip(percent, scale.floor, TOP))


def _seeds(curve: Series, kind: Kind) -> float:
    """Return what seeds add to the variance that backtests of means over runs show."""
    if not np.isfinite(curve.seed_var):
        return 0.0
    averaged = float(np.mean(1.0 / curve.runs))
    return curve.seed_var * (1.0 - averaged if kind == "run" else -averaged)


def _notes(curve: Series, slope: float, learned: Learned, kind: Kind) -> tuple[str, ...]:
    notes = []
    if len(curve) <= FEW:
        notes.append(
            f"{len(curve)} sizes say little: the width comes from "
            + ("the other curves" if learned.origins > len(curve) else "public curves")
            + "; a further size says more than a further seed"
        )
    if slope <= 0:
        notes.append("no rise seen yet: the upper end leaves room for one that has not begun")
    if kind == "mean" and not np.isfinite(curve.seed_var):
        notes.append("no size has two runs: the mean's band is as wide as a new run's")
    return tuple(notes)
