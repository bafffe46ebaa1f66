"""Forecasts of falling, positive metrics: laws that may be wrong, weighed and integrated exactly."""

from scalefit.forecasting.losses.engine import Atoms, learn_losses, settle_losses
from scalefit.forecasting.losses.posterior import LawShares

__all__ = ["Atoms", "LawShares", "learn_losses", "settle_losses"]
