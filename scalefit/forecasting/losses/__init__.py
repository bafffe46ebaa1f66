"""Forecasts of falling, positive metrics: laws that may be wrong, weighed and integrated exactly."""

from scalefit.forecasting.losses.engine import forecast_losses, reach_losses

__all__ = ["forecast_losses", "reach_losses"]
