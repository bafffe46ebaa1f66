"""From a law and observations to a frozen fit."""

from scalefit.fitting.fit import bootstrap, fit, fit_observations
from scalefit.fitting.interval import Interval
from scalefit.fitting.many import FitFailure, FitMany, fit_many
from scalefit.fitting.objective import Objective
from scalefit.fitting.result import Fit
from scalefit.fitting.solve import Solution, solve
from scalefit.fitting.storage import from_dict, load, save, to_dict

__all__ = [
    "Fit",
    "FitFailure",
    "FitMany",
    "Interval",
    "Objective",
    "Solution",
    "bootstrap",
    "fit",
    "fit_many",
    "fit_observations",
    "from_dict",
    "load",
    "save",
    "solve",
    "to_dict",
]
