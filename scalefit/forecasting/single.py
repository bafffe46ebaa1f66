"""A single law as a forecaster: fitted to one curve alone, with its own band of a new run, and doubt about it.

A law's own interval assumes that the law is the truth. Beyond the data the truth drifts away from it; the drift's
standard deviation is a share of what the curve itself still moves, and it enters every interval unless somebody
asks for the law alone with ``given="law"``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from scalefit.errors import ScalefitError
from scalefit.fitting import Fit, Objective, fit_together
from scalefit.forecasting.predictive import Kind, Predictive
from scalefit.forecasting.series import Series, series_of
from scalefit.laws.law import Law
from scalefit.table import Observations
from scalefit.types import Floats

Given = Literal["law"]
# Share of the end slope by which the slope beyond the data is unknown: losses, and quality, whose laws know no
# plateau. Chosen from the table that benchmarks/learn_doubt.py prints.
TAU = {True: 0.15, False: 0.8}


def drift(fit: Fit, inputs: tuple[Floats, ...], tau: float | None = None) -> Floats:
    """Return the standard deviation of what the truth leaves the law by, at inputs (Q,) each: (Q,).

    0 within the measured range of every input. Beyond, what the law already misses the last size by, and ``tau``
    times the curve's slope in ln x at the end of the data times the distance in ln x.
    """
    share = TAU[bool(fit.law.falls)] if tau is None else tau
    total = np.zeros(inputs[0].shape)
    for i, (x, seen) in enumerate(zip(inputs, fit.points.inputs, strict=True)):
        low, high = float(np.min(seen)), float(np.max(seen))
        if not (low > 0 and high > low):
            continue
        with np.errstate(divide="ignore"):
            beyond = np.maximum(np.log(x / high), 0.0) + np.maximum(np.log(low / x), 0.0)
        missed = float(np.mean(fit.residuals[seen == high]))
        total += (share * _end_slope(fit, i) * beyond) ** 2 + np.where(beyond > 0, missed**2, 0.0)
    return np.sqrt(total)


def widened(
    fit: Fit, estimate: Floats, ends: tuple[Floats, Floats], sd: Floats, level: float
) -> tuple[Floats, Floats]:
    """Return the ends of an interval with a drift of this standard deviation added on both sides."""
    dof = max(fit.uncertainty.dof, 1.0)
    extra = stdtrit(dof, 0.5 + level / 2) * sd
    low, high = ends
    return estimate - np.hypot(estimate - low, extra), estimate + np.hypot(high - estimate, extra)


def _end_slope(fit: Fit, i: int) -> float:
    """Largest slope in ln x, of the law or of the points, at the end of input ``i``."""
    seen = fit.points.inputs[i]
    at = [np.full(2, float(np.median(v))) for v in fit.points.inputs]
    at[i] = np.max(seen) * np.array([np.exp(-0.05), 1.0])
    with np.errstate(all="ignore"):
        by_law = float(np.diff(fit.law.value(tuple(at), fit.solution.theta))[0] / 0.05)
    slopes = [abs(by_law)] if np.isfinite(by_law) else []
    if len(fit.points.inputs) == 1:
        means = series_of(seen, fit.points.y)
        k = min(max(3, (len(means) + 1) // 2), len(means))
        if k > 1:
            slopes.append(abs(float(np.polyfit(np.log(means.x[-k:]), means.y[-k:], 1)[0])))
    return max(slopes, default=0.0)


LEVELS = (0.95, 0.8)  # what a single law's band is asked for: the levels that a backtest judges


def fit_curves(
    curves: Sequence[Series], law: Law, metric: str, objective: Objective
) -> list[Fit | ScalefitError]:
    """Fit one law to the means of each curve, all as one array program; errors where a curve cannot identify it."""
    name = law.inputs[0]
    bottom, top = curves[0].bottom, curves[0].top  # of the metric, hence of every curve
    return fit_together(
        [Observations({name: c.x}, c.y, None, None, metric, {name: name}) for c in curves],
        law.within(bottom, top),
        objective=objective.function,
        delta=objective.delta,
        residual=objective.residual,
    )


def forecast_by_law(
    law: Law, metric: str, objective: Objective, curves: Sequence[Series], at: Sequence[Floats]
) -> list[Predictive | None]:
    """Return what the law says of each curve at its sizes ``at``, or None where the curve cannot identify it."""
    fits = fit_curves(curves, law, metric, objective)
    return [
        _within(curve, said_by(fit, (x,))) if isinstance(fit, Fit) else None
        for curve, fit, x in zip(curves, fits, at, strict=True)
    ]


def _within(curve: Series, said: Predictive | None) -> Predictive | None:
    if said is None:
        return None
    values = np.clip(np.nan_to_num(said.values, nan=np.inf), curve.bottom, curve.top)
    return replace(said, values=values)


def said_by(fit: Fit, at: tuple[Floats, ...], kind: Kind = "run") -> Predictive | None:
    """Return a fit's band at the inputs (each (Q,)) as quantiles; None where the law has no value there."""
    with np.errstate(all="ignore"):
        values = {0.5: fit.value(*at)}
        for level in LEVELS:
            values[0.5 - level / 2], values[0.5 + level / 2] = fit.band(at, level, kind)
    if not np.isfinite(values[0.5]).all():
        return None
    table = np.stack([values[p] for p in sorted(values)])
    return Predictive(at[0], np.array(sorted(values)), table, {fit.law.name: 1.0})
