"""Everything that can forecast a table's curves, behind one call: the mixture, single laws, and four plain guesses.

The plain guesses are what every law must beat, each with the interval it implies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import stdtrit

from scalefit.fitting import Objective
from scalefit.forecasting.engines import engine_for
from scalefit.forecasting.predictive import PROBABILITIES, Predictive
from scalefit.forecasting.series import Series
from scalefit.forecasting.single import forecast_by_law
from scalefit.laws.law import Law
from scalefit.types import Floats

TINY = 1e-12


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
    y = np.maximum(curve.y, TINY)
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
    values = centre + z * np.sqrt(np.maximum(variance, 0.0) + TINY)
    return Predictive(at, PROBABILITIES, _within(curve, values) if clip else values)


def _within(curve: Series, values: Floats) -> Floats:
    return np.asarray(np.clip(values, curve.bottom, curve.top))


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
    engine = engine_for(metric)

    def forecast(curves: Sequence[Series], at: Sequence[Floats]) -> Forecasts:
        return [
            engine.forecast([c], [x], engine.learn([c]), "run")[0]
            for c, x in zip(curves, at, strict=True)
        ]

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
    return [*engine.forecast(curves, at, engine.learn(curves), "run")]


def _by_baseline(name: str, curves: Sequence[Series], at: Sequence[Floats]) -> Forecasts:
    return [BASELINES[name](c, x) for c, x in zip(curves, at, strict=True)]
