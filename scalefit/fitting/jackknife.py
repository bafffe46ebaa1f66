"""Intervals from refits that leave out one unit each: a pretraining run, or a block of many points.

Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 11; Student's t over units.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalefit.fitting.resample import Draws

Array = NDArray[np.float64]


def jackknife_error(values: Array) -> Array:
    """Return the standard error from leave-one-out values along the first axis."""
    units = len(values)
    spread = np.sum((values - values.mean(0)) ** 2, axis=0)
    return np.asarray(np.sqrt((units - 1) / units * spread))


def jackknife_curve(
    refits: Draws, theta: Array, inputs: tuple[Array, ...], t: float, one: Array | None
) -> tuple[Array, Array]:
    """Low and high, each (Q,), of the curve at ``inputs``, ± ``t`` standard errors.

    ``one`` (Q,) is the variance of a single new value: 0 for the mean curve, None where only the refits tell.
    """
    law, units = refits.problem.law, len(refits.theta)
    center = law.value(inputs, theta)
    error = jackknife_error(law.value(inputs, refits.theta))
    if units == 2:  # two refits cross somewhere: that is no knowledge
        seen = jackknife_error(law.value(refits.problem.inputs, refits.theta))
        error = np.maximum(error, np.sqrt(np.mean(seen**2)))
    error = np.sqrt(error**2 + (units * error**2 if one is None else one))
    return center - t * error, center + t * error


def jackknife_parameters(refits: Draws, theta: Array, t: float) -> dict[str, tuple[float, float]]:
    """Low and high of every quoted parameter.

    Ends are taken on the log scale for what is positive in every refit; what runs away has none.
    """
    center = refits.problem.law.params(theta)
    out = {}
    for name, values in refits.params.items():
        middle = float(center[name])
        if not (np.isfinite(values).all() and np.isfinite(middle)):
            out[name] = (-np.inf, np.inf)
        elif name != "E" and middle > 0 and (values > 0).all():
            reach = float(np.exp(min(t * float(jackknife_error(np.log(values))), 700.0)))
            out[name] = (middle / reach, middle * reach)
        else:
            reach = t * float(jackknife_error(values))
            low = max(middle - reach, 0.0) if (values >= 0).all() else middle - reach
            out[name] = (low, middle + reach)
    return out
