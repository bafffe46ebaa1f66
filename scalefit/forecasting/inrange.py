"""What measured sizes say of a target: it may have been met already."""

from __future__ import annotations

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import ndtr, ndtri

from scalefit.forecasting.predictive import PROBABILITIES, Kind, Predictive
from scalefit.forecasting.reach import Reach
from scalefit.forecasting.series import Series
from scalefit.types import Floats


def noise_of(curve: Series) -> float:
    """Return the variance of one run about the curve: between its seeds, else from second differences.

    A point's distance from the line through its neighbours has no part of a smooth course, whatever its law:
    its variance is the noise times 1 + w² + (1 − w)².
    """
    if np.isfinite(curve.seed_var):
        return curve.seed_var
    u, y = np.log(curve.x), curve.y
    if u.size < 3:
        return 0.0
    w = (u[1:-1] - u[:-2]) / (u[2:] - u[:-2])
    bend = y[1:-1] - (1 - w) * y[:-2] - w * y[2:]
    return float(np.mean(bend**2 / (1 + w**2 + (1 - w) ** 2)))


def met_by(curve: Series, target: float, *, rises: bool) -> Floats:
    """Return the probability that the mean has met the target by each measured size: (K,), ascending."""
    smooth = isotonic_regression(curve.y, increasing=rises).x
    sd = np.sqrt(noise_of(curve) / curve.runs) + 1e-9 * max(float(np.ptp(curve.y)), 1e-9)
    return np.maximum.accumulate(ndtr((smooth - target if rises else target - smooth) / sd))


def measured(curve: Series, x: Floats, kind: Kind) -> Predictive:
    """Return what lies between the measured sizes: means joined in ln x, as unsure as their seeds leave them.

    No law is asked: where a size was measured its mean is the best guess, and forecasts go on from there.
    """
    u = np.log(x)
    centre = np.interp(u, np.log(curve.x), curve.y)
    noise = noise_of(curve)
    variance = np.interp(u, np.log(curve.x), noise / curve.runs) + (noise if kind == "run" else 0.0)
    values = centre + ndtri(PROBABILITIES)[:, None] * np.sqrt(variance)
    return Predictive(x, PROBABILITIES, np.clip(values, curve.bottom, curve.top))


def joined(curve: Series, target: float, beyond: Reach, *, rises: bool) -> Reach:
    """Return one reach over the measured sizes and what an engine says lies beyond them."""
    inside = met_by(curve, target, rises=rises)
    later = beyond.horizons > 1.0
    probability = np.concatenate([inside, beyond.probability[later]])
    return Reach(
        float(curve.x[-1]),
        np.concatenate([curve.x / curve.x[-1], beyond.horizons[later]]),
        np.maximum.accumulate(probability),
    )
