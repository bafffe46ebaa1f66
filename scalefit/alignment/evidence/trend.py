"""Does quality rise with size at all? One contrast, whatever the shape between its ends.

The contrast is the slope of the size means over ln D. A hump or a dip does not hide a trend, and
nothing but a trend raises it: for quality that only goes down and comes back it is zero. Where
the sizes are checkpoints of the same runs, each run has a slope of its own and these are tested
by Student's t over runs, right whatever the runs' noise does along the sizes; where every size
has runs of its own, the sizes' variances are kept apart (Welch 1947, Biometrika 34, 28-35).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalefit.alignment.curve import Curve
from scalefit.alignment.margin import Scale
from scalefit.alignment.noise import RunNoise
from scalefit.distributions import t_tail
from scalefit.types import Floats

from .piece import Piece


@dataclass(frozen=True)
class Trend(Piece):
    """Slope of quality over size, oriented so that more is better.

    Attributes
    ----------
    slope : gain for ten times the pretraining tokens.
    p : one-sided p value of "quality rises with size".
    """

    slope: float
    p: float

    def line(self, scale: Scale) -> str:
        """Gain for ten times the tokens."""
        return f"trend: {self.slope:+.3g} for ten times the tokens, p = {self.p:.2g}"


def trend_of(curve: Curve, sign: float, noise: RunNoise) -> Trend | None:
    """Test the slope; None below three sizes or without a noise estimate."""
    if len(curve.sizes) < 3 or not noise.known:
        return None
    centred = curve.x - curve.x.mean()
    weights = sign * centred / (centred @ centred)
    slope = float(weights @ curve.means)
    if curve.level != "single" and curve.design == "shared":
        variance, nu = _over_runs(curve.values, weights)
    else:
        variance, nu = _over_sizes(curve, weights, noise)
    t = slope / max(np.sqrt(variance), 1e-12)
    return Trend(slope * float(np.log(10)), float(t_tail(t, nu)))


def _over_runs(values: Floats, weights: Floats) -> tuple[float, float]:
    """Variance of the mean slope of runs that have every size."""
    whole = values[:, ~np.isnan(values).any(axis=0)]
    if whole.shape[1] < 2:
        return np.inf, 1.0
    slopes = weights @ whole
    return float(np.var(slopes, ddof=1)) / len(slopes), float(len(slopes) - 1)


def _over_sizes(curve: Curve, weights: Floats, noise: RunNoise) -> tuple[float, float]:
    """Variance by Welch and Satterthwaite; sizes with one run borrow the common noise."""
    runs = curve.runs
    several = runs > 1
    own = np.full(len(runs), noise.sd**2)
    if several.any():
        own[several] = np.nanvar(curve.values[several], axis=1, ddof=1)
    dof = np.where(several, runs - 1.0, max(noise.nu, 1.0))
    parts = weights**2 * own / runs
    total = float(parts.sum())
    spread = float((parts**2 / dof).sum())
    return total, total**2 / spread if spread > 0 else noise.nu
