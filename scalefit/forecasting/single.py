"""A single law as a forecaster: fitted to one curve alone, with its own band of a new run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scalefit.errors import ScalefitError
from scalefit.fitting import Fit, Objective, fit_observations
from scalefit.forecasting.predictive import Kind, Predictive
from scalefit.forecasting.series import Series
from scalefit.laws.law import Law
from scalefit.table import Observations, digest
from scalefit.types import Floats

LEVELS = (0.95, 0.8)  # what a single law's band is asked for: the levels that a backtest judges


def fit_series(curve: Series, law: Law, metric: str, objective: Objective) -> Fit:
    """Fit one law to the means of a curve.

    Raises
    ------
    FitError
        The curve cannot identify the law.
    """
    name = law.inputs[0]
    inputs = {name: curve.x}
    data = Observations(
        inputs, curve.y, None, None, metric, {name: name}, (), digest(inputs, curve.y)
    )
    return fit_observations(data, law.within(curve.bottom, curve.top), objective)


def forecast_by_law(
    law: Law, metric: str, objective: Objective, curve: Series, at: Floats
) -> Predictive | None:
    """Return what the law says at sizes ``at``, or None where the curve cannot identify it."""
    try:
        fit = fit_series(curve, law, metric, objective)
    except ScalefitError:
        return None
    said = said_by(fit, (at,))
    if said is None:
        return None
    within = np.clip(np.nan_to_num(said.values, nan=np.inf), curve.bottom, curve.top)
    return replace(said, values=within)


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
