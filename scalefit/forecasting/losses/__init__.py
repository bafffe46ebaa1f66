"""Forecasts of falling, positive metrics: laws that may be wrong, weighed and integrated exactly."""

from scalefit.forecasting.losses.atoms import Atoms
from scalefit.forecasting.losses.engine import (
    forecast_losses,
    learn_losses,
    reach_losses,
    settle_losses,
)
from scalefit.forecasting.losses.posterior import LawShares

__all__ = [
    "Atoms",
    "LawShares",
    "forecast_losses",
    "learn_losses",
    "reach_losses",
    "settle_losses",
]
