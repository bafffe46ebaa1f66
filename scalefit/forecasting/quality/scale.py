"""A metric's own units to per cent of its range and back, so that one set of constants serves them all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalefit.errors import FitError
from scalefit.forecasting.series import Series
from scalefit.types import Floats

TOP = 100.0


@dataclass(frozen=True)
class Scale:
    """Percent = 100 - (top - metric) * 100 / unit; ``floor`` is the range's lower end in per cent."""

    top: float
    unit: float
    floor: float

    def to(self, y: Floats) -> Floats:
        """Return ``y`` in per cent of the range."""
        return TOP - (self.top - y) * (TOP / self.unit)

    def back(self, percent: Floats) -> Floats:
        """Return per cent of the range in the metric's units."""
        return self.top - (TOP - percent) * (self.unit / TOP)


def scale_of(curve: Series) -> Scale:
    """Return the scale of a curve's metric.

    Without a lower end the distance from 0 to the top is 100 per cent (COMET: 1), and where the top
    is not above 0 either, the distance from the worst value to the top.
    """
    if not np.isfinite(curve.top):
        raise FitError(
            "a forecast of quality needs a metric with an upper end, found one without; "
            "give it (top=100 for BLEU and chrF, 1 for accuracy), or forecast a loss"
        )
    if np.isfinite(curve.bottom):
        return Scale(curve.top, curve.top - curve.bottom, 0.0)
    unit = curve.top if curve.top > 0 else float(curve.top - np.min(curve.y))
    return Scale(curve.top, max(unit, np.finfo(float).tiny), -np.inf)
