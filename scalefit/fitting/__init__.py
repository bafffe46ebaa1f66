"""From a law and observations to a frozen fit."""

from scalefit.fitting.card import Card
from scalefit.fitting.contour import Contour
from scalefit.fitting.fit import bootstrap, fit_law, fit_observations, fit_together
from scalefit.fitting.goodness import Goodness, Influence
from scalefit.fitting.intervals import Interval
from scalefit.fitting.many import FitFailure, Fits, fit_law_each
from scalefit.fitting.problem import Objective
from scalefit.fitting.result import Fit
from scalefit.fitting.solve import Solution, solve

__all__ = [
    "Card",
    "Contour",
    "Fit",
    "FitFailure",
    "Fits",
    "Goodness",
    "Influence",
    "Interval",
    "Objective",
    "Solution",
    "bootstrap",
    "fit_law",
    "fit_law_each",
    "fit_observations",
    "fit_together",
    "solve",
]
