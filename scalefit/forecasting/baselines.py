"""The four plain guesses that every law must beat, with the interval each of them implies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import stdtrit

from scalefit.forecasting.predictive import PROBABILITIES, Predictive
from scalefit.forecasting.series import Series
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
