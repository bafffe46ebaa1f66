"""Everything that can forecast a table's curves, behind one call: the mixture, single laws, baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from scalefit.fitting import Objective
from scalefit.forecasting.baselines import BASELINES
from scalefit.forecasting.engines import engine_for
from scalefit.forecasting.predictive import Predictive
from scalefit.forecasting.series import Series
from scalefit.forecasting.single import forecast_by_law
from scalefit.laws import get_law
from scalefit.laws.law import Law
from scalefit.types import Floats

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


def law_forecaster(law: str | Law, metric: str, objective: Objective) -> Forecaster:
    """Return a single law, fitted to each curve alone, with its own band of a new run."""
    chosen = get_law(law)
    return Forecaster(chosen.name, partial(_by_law, chosen, metric, objective))


# Functions with a name travel to other processes; closures do not.
def _by_mixture(metric: str, curves: Sequence[Series], at: Sequence[Floats]) -> Forecasts:
    engine = engine_for(metric)
    return [*engine.forecast(curves, at, engine.learn(curves), "run")]


def _by_baseline(name: str, curves: Sequence[Series], at: Sequence[Floats]) -> Forecasts:
    return [BASELINES[name](c, x) for c, x in zip(curves, at, strict=True)]


def _by_law(
    law: Law, metric: str, objective: Objective, curves: Sequence[Series], at: Sequence[Floats]
) -> Forecasts:
    return [forecast_by_law(law, metric, objective, c, x) for c, x in zip(curves, at, strict=True)]
