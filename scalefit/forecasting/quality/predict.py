"""Bands of the metric at sizes that were not measured, and when a target is reached."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit, stdtrit

from scalefit.forecasting.predictive import HORIZONS, PROBABILITIES, Predictive, Reach, reach_of
from scalefit.forecasting.quality.learn import UNCHECKED, Learned, features
from scalefit.forecasting.quality.members import TOP, fit_members, percent_of, uncut
from scalefit.forecasting.quality.origins import Rows, forecasts_at, rows_of
from scalefit.forecasting.series import Series
from scalefit.types import Floats, Kind

# Of the variance that stays for the mean over seeds: the rest is never known so well.
LEAST_SHARE = 0.25


def forecast_quality(
    curves: Sequence[Series], at: Floats, learned: Learned, *, kind: Kind = "run"
) -> list[Predictive]:
    """Return what to expect of each curve at the sizes ``at``.

    Parameters
    ----------
    curves : at least two sizes each; those that ``learned`` comes from, or others of their kind.
    at : (Q,) or (C, Q) array; sizes beyond the largest measured one of each curve, the same for all or a row a curve.
    learned : what the table teaches.
    kind : {"run", "mean"}; a new run, or the mean over seeds.
    """
    at = np.asarray(at, dtype=np.float64)
    at = np.broadcast_to(at, (len(curves), at.shape[-1] if at.ndim else 1))
    h = np.maximum(np.stack([np.log(x / c.x[-1]) for c, x in zip(curves, at, strict=True)]), 0.0)
    rows = rows_at(curves, h, learned)
    band = learned.band(rows)
    t = _of_t(band.freedom)
    weights = {n: float(w) for n, w in zip(learned.names, learned.weights, strict=True)}
    out = []
    for i, (c, x) in enumerate(zip(curves, at, strict=True)):
        of = slice(i * x.size, (i + 1) * x.size)
        values = _quantiles(c, band.centre[of], band.scale[:, of], t[:, of], kind)
        notes = _notes(c, rows, of.start, learned, kind)
        out.append(Predictive(x, PROBABILITIES, values, weights, notes))
    return out


def rows_at(curves: Sequence[Series], h: Floats, learned: Learned) -> Rows:
    """Return the members' forecasts at ``h`` = ln(size / last size) (C, Q), curve after curve."""
    p = uncut(curves)
    fitted = fit_members(p)
    forecasts = forecasts_at(p, fitted, learned.slopes, h)
    origin = np.repeat(np.arange(len(p)), h.shape[1])
    return rows_of(p, fitted, forecasts.reshape(h.size, -1), h.ravel(), origin)


def _of_t(freedom: Floats) -> Floats:
    """Return the standard quantiles (P, R) of t distributions with freedoms below and above their middles (2, R)."""
    low = PROBABILITIES < 0.5
    few, which = np.unique(freedom, axis=1, return_inverse=True)  # curves share their horizons
    below, above = (
        stdtrit(few[i], p[:, None]) for i, p in enumerate((PROBABILITIES[low], PROBABILITIES[~low]))
    )
    return np.concatenate([below, above])[:, which.ravel()]  # numpy 2.0 has another shape here


def _quantiles(curve: Series, centre: Floats, scale: Floats, t: Floats, kind: Kind) -> Floats:
    """Return the quantiles (P, Q) in the metric's units, within its range."""
    percent = percent_of(curve)
    seeds = _seeds(curve, kind) * (TOP / percent.unit) ** 2
    below, above = np.sqrt(np.maximum(scale**2 + seeds, LEAST_SHARE * scale**2))
    values = centre + t * np.where(PROBABILITIES[:, None] < 0.5, below, above)
    return percent.back(np.clip(values, percent.floor, TOP))


def _seeds(curve: Series, kind: Kind) -> float:
    """Return what seeds add to the variance that backtests of means over runs show."""
    if not np.isfinite(curve.seed_var):
        return 0.0
    averaged = float(np.mean(1.0 / curve.runs))
    return curve.seed_var * (1.0 - averaged if kind == "run" else -averaged)


def _broke_off(y: Floats) -> bool:
    """Return whether the last value has lost most of what the curve had, and far more than its bends explain."""
    if len(y) < 5:  # of three values before it, noise alone looks broken off in one curve of twenty
        return False
    lost, before = float(y[-2] - y[-1]), y[:-1]
    bends = float(np.median(np.abs(np.diff(before, 2))))
    return bool(lost > max(BREAKS * bends, float(np.ptp(before)) / 2))


def _notes(curve: Series, rows: Rows, i: int, learned: Learned, kind: Kind) -> tuple[str, ...]:
    notes = []
    if len(curve) <= UNCHECKED:
        notes.append(
            f"{len(curve)} sizes say little: the width comes from "
            + ("the other curves" if learned.origins > len(curve) else "public curves")
            + "; a further size says more than a further seed"
        )
    if _broke_off(curve.y):
        notes.append(
            "the last size lies far below the one before: where its run failed, leave it out with where=; sf.align "
            "judges falls"
        )
    elif rows.falls[i] > 0.5:
        notes.append("it surely falls: the upper end leaves no room for a rise that has not begun")
    elif rows.slope[i] <= 0:
        notes.append("no rise at its end: the upper end leaves room for one that has not begun")
    if kind == "mean" and not np.isfinite(curve.seed_var):
        notes.append("no size has two runs: the mean's band is as wide as a new run's")
    return tuple(notes)


BREAKS = 3.0  # median bends that a last fall takes to be a failure; flat noise seldom shows it
_COARSE = np.log(HORIZONS[::4])  # the chance is smooth in ln x; between these it is read linearly
SOON = 1e-3


def reach_quality(
    curves: Sequence[Series], targets: Floats | float, learned: Learned
) -> list[Reach]:
    """Return the chance that each curve reaches its target by each multiple of its largest size.

    Parameters
    ----------
    curves : at least two sizes each.
    targets : float or (C,) array; one for all curves, or one a curve, in the metric's units.
    learned : what the table teaches.
    """
    target = np.broadcast_to(np.asarray(targets, dtype=np.float64), len(curves))
    h = np.broadcast_to(np.maximum(_COARSE, SOON), (len(curves), _COARSE.size))
    rows = rows_at(curves, h, learned)
    band = learned.band(rows)
    percent = np.array([percent_of(c).to(t) for c, t in zip(curves, target, strict=True)])
    each = np.repeat(percent, _COARSE.size)[:, None]
    met = (each <= rows.last[:, None])[:, 0]
    x = features(rows, band, np.where(met[:, None], rows.last[:, None] + 1.0, each))[:, 0]
    chance = np.where(met, 1.0, expit(x @ learned.chance)).reshape(h.shape)
    return [
        reach_of(float(c.x[-1]), np.interp(np.log(HORIZONS), _COARSE, p))
        for c, p in zip(curves, chance, strict=True)
    ]
