"""Everything that can forecast a table's curves, behind one call: the mixture, single laws, and four plain guesses.

The plain guesses are what every law must beat, each with the interval it implies.

A single law's own interval assumes that the law is the truth. Beyond the data the truth drifts away from it; the
drift's standard deviation is a share of what the curve itself still moves, and it enters every interval unless
somebody asks for the law alone with ``given="law"``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from scalefit.errors import ScalefitError
from scalefit.executors import packs
from scalefit.fitting.fit import fit_together
from scalefit.fitting.intervals.uncertainty import lay_together
from scalefit.fitting.problem import Objective
from scalefit.fitting.result import Fit
from scalefit.forecasting.engines import engine_for
from scalefit.forecasting.predictive import PROBABILITIES, Predictive
from scalefit.forecasting.series import Series, series_of
from scalefit.laws.law import Law
from scalefit.table import Observations
from scalefit.types import Floats

_TINY = 1e-12


def last_value(curve: Series, at: Floats) -> Predictive:
    """Say that it stays as it is; the interval is a random walk's, whose steps have mean 0."""
    u, h = np.log(curve.x), np.log(at / curve.x[-1])
    rate = np.diff(curve.y) ** 2 / np.diff(u)
    return _spread(curve, at, np.full_like(h, curve.y[-1]), rate.mean() * h, rate.size)


def random_walk(curve: Series, at: Floats) -> Predictive:
    """Say that it goes on as it did from the first to the last size: a random walk with drift in ln x."""
    u, h = np.log(curve.x), np.log(at / curve.x[-1])
    span = u[-1] - u[0]
    drift = (curve.y[-1] - curve.y[0]) / span
    steps = np.diff(u)
    rate = (np.diff(curve.y) - drift * steps) ** 2 / steps
    dof = max(rate.size - 1, 1)
    variance = rate.sum() / dof * (h + h**2 / span)
    return _spread(curve, at, curve.y[-1] + drift * h, variance, dof)


def line(curve: Series, at: Floats) -> Predictive:
    """Return the straight line in ln x through the last half of the sizes, three at least."""
    return _spread(curve, at, *_line(np.log(curve.x), curve.y, np.log(at)))


def log_log_line(curve: Series, at: Floats) -> Predictive:
    """Return the straight line of ln y in ln x through the last half: a pure power law of late sizes."""
    y = np.maximum(curve.y, _TINY)
    centre, variance, dof = _line(np.log(curve.x), np.log(y), np.log(at))
    inner = _spread(curve, at, centre, variance, dof, clip=False)
    return Predictive(
        at, inner.probabilities, _within(curve, np.exp(np.minimum(inner.values, 700)))
    )


BASELINES: dict[str, Callable[[Series, Floats], Predictive]] = {
    "last value": last_value,
    "line in ln x": line,
    "log-log line": log_log_line,
    "random walk": random_walk,
}


def _line(u: Floats, y: Floats, at: Floats) -> tuple[Floats, Floats, int]:
    """Least squares through the last half: centre and variance of a new value at ``at``, degrees of freedom."""
    k = min(max(3, (u.size + 1) // 2), u.size)
    u, y = u[-k:], y[-k:]
    z = u - u.mean()
    slope = z @ y / (z @ z)
    residual = y - y.mean() - slope * z
    dof = max(k - 2, 1)
    away = at - u.mean()
    variance = residual @ residual / dof * (1 + 1 / k + away**2 / (z @ z))
    return y.mean() + slope * away, variance, dof


def _spread(
    curve: Series, at: Floats, centre: Floats, variance: Floats, dof: int, clip: bool = True
) -> Predictive:
    z = stdtrit(dof, PROBABILITIES)[:, None]
    values = centre + z * np.sqrt(np.maximum(variance, 0.0) + _TINY)
    return Predictive(at, PROBABILITIES, _within(curve, values) if clip else values)


def _within(curve: Series, values: Floats) -> Floats:
    return np.asarray(np.clip(values, curve.bottom, curve.top))


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


_TOGETHER = 64  # curves that are fitted, and their regions laid out, at once: regions are large
_LEVELS = (0.95, 0.8)  # what a single law's band is asked for: the levels that a backtest judges


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
        alone=False,  # what a law says ahead is the same wherever in a valley its parameters stand
    )


def forecast_by_law(
    law: Law, metric: str, objective: Objective, curves: Sequence[Series], at: Sequence[Floats]
) -> list[Predictive | None]:
    """Return what the law says of each curve at its sizes ``at``, or None where the curve cannot identify it."""
    out: list[Predictive | None] = []
    for some in packs(zip(curves, at, strict=True), _TOGETHER):
        fits = fit_curves([curve for curve, _ in some], law, metric, objective)
        known = [fit.uncertainty for fit in fits if isinstance(fit, Fit)]
        lay_together(known, _LEVELS)
        out += [
            _clipped(curve, said_by(fit, (x,))) if isinstance(fit, Fit) else None
            for (curve, x), fit in zip(some, fits, strict=True)
        ]
    return out


def _clipped(curve: Series, said: Predictive | None) -> Predictive | None:
    if said is None:
        return None
    values = np.clip(np.nan_to_num(said.values, nan=np.inf), curve.bottom, curve.top)
    return replace(said, values=values)


def said_by(fit: Fit, at: tuple[Floats, ...]) -> Predictive | None:
    """Return a fit's band of a new run at inputs (each (Q,)) as quantiles; None where the law has no value there."""
    with np.errstate(all="ignore"):
        values = {0.5: fit.value(*at)}
        for level in _LEVELS:
            values[0.5 - level / 2], values[0.5 + level / 2] = fit.band(at, level, "run")
    if not np.isfinite(values[0.5]).all():
        return None
    table = np.stack([values[p] for p in sorted(values)])
    return Predictive(at[0], np.array(sorted(values)), table, {fit.law.name: 1.0})


MIXTURE, ALONE = "mixture", "alone"
Forecasts = list[Predictive | None]


@dataclass(frozen=True)
class Forecaster:
    """A name, and what forecasts curves of one table at sizes beyond theirs; None where it cannot."""

    name: str
    forecast: Callable[[Sequence[Series], Sequence[Floats]], Forecasts]


def mixture_forecaster(metric: str) -> Forecaster:
    """Return the mixture that suits the metric; it learns from the curves it is given, and from nothing later."""
    return Forecaster(MIXTURE, partial(_by_mixture, metric))


def alone_forecaster(metric: str) -> Forecaster:
    """Return the mixture of each curve by itself: beside the mixture it says what sharing a table buys."""

    def forecast(curves: Sequence[Series], at: Sequence[Floats]) -> Forecasts:
        return [_by_mixture(metric, [c], [x])[0] for c, x in zip(curves, at, strict=True)]

    return Forecaster(ALONE, forecast)


def baseline_forecaster(name: str) -> Forecaster:
    """Return a baseline by its name."""
    return Forecaster(name, partial(_by_baseline, name))


def law_forecaster(law: Law, metric: str, objective: Objective) -> Forecaster:
    """Return a single law, fitted to each curve alone, with its own band of a new run."""
    return Forecaster(law.name, partial(forecast_by_law, law, metric, objective))


# Functions with a name travel to other processes; closures do not.
def _by_mixture(metric: str, curves: Sequence[Series], at: Sequence[Floats]) -> Forecasts:
    engine = engine_for(metric)
    return [*engine.forecast(engine.settle(curves, engine.learn(curves)), at, "run")]


def _by_baseline(name: str, curves: Sequence[Series], at: Sequence[Floats]) -> Forecasts:
    return [BASELINES[name](c, x) for c, x in zip(curves, at, strict=True)]
