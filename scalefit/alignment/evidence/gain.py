"""What pretraining brings: a trend over the sizes, and the gain of the largest over models that were not pretrained.

The trend is one contrast, whatever the shape between its ends: the slope of the size means over ln D. A hump or a dip
does not hide it, and nothing but a trend raises it: for quality that only goes down and comes back it is zero. Where
the sizes are checkpoints of the same runs, each run has a slope of its own and these are tested by Student's t over
runs, right whatever the runs' noise does along the sizes; where every size has runs of its own, the sizes' variances
are kept apart (Welch 1947, Biometrika 34, 28-35).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalefit.alignment.curve import Curve
from scalefit.alignment.margin import Scale
from scalefit.alignment.noise import RunNoise
from scalefit.distributions import t_quantile, t_tail
from scalefit.types import Floats

from . import Piece


@dataclass(frozen=True, eq=False)
class Gain(Piece):
    """Gain over the baseline, oriented so that more is better.

    Attributes
    ----------
    baseline : mean without pretraining, in the metric's own direction.
    runs : runs behind it.
    gains : (K,) gain at each size.
    low, high : one-sided bounds of the gain at the largest size.
    p_harm, p_help : p values of "the largest size is worse / better than no pretraining".
    """

    baseline: float
    runs: int
    gains: Floats
    low: float
    high: float
    p_harm: float
    p_help: float

    @property
    def gain(self) -> float:
        """Gain at the largest size."""
        return float(self.gains[-1])

    def line(self, scale: Scale) -> str:
        """Gain at the largest size, and how many sizes lie below no pretraining."""
        said = (
            f"value: {scale.digits(self.gain)} over no pretraining at the largest size "
            f"[{scale.digits(self.low)}, {scale.digits(self.high)}], {self.runs} baseline runs"
        )
        worse = int((self.gains < 0).sum())
        return said + (f"; below it at {worse} of {len(self.gains)} sizes" if worse else "")


def gain_over_baseline(curve: Curve, sign: float, noise: RunNoise, alpha: float) -> Gain | None:
    """Compare the largest size with the baseline; None without a baseline or a noise estimate."""
    if not len(curve.baseline) or not np.isfinite(noise.sd):
        return None
    gains = sign * (curve.means - curve.baseline.mean())
    first, nu = _variance_of_last(curve, noise)
    second, mu = _variance_of_baseline(curve.baseline, noise)
    error = np.sqrt(first + second)
    # Degrees of freedom of a sum of two variances (Satterthwaite 1946, Biometrics Bulletin 2, 110–114).
    spent = first**2 / nu + second**2 / mu  # nothing where the noise is known
    df = (first + second) ** 2 / spent if spent > 0 else np.inf
    t = float(gains[-1] / max(error, 1e-12))
    reach = float(error * t_quantile(1 - alpha, df))
    return Gain(
        baseline=float(curve.baseline.mean()),
        runs=len(curve.baseline),
        gains=gains,
        low=float(gains[-1]) - reach,
        high=float(gains[-1]) + reach,
        p_harm=float(t_tail(-t, df)),
        p_help=float(t_tail(t, df)),
    )


def _variance_of_last(curve: Curve, noise: RunNoise) -> tuple[float, float]:
    """Variance of the last mean and its degrees of freedom; shared runs keep their own offset."""
    last = curve.values[-1][~np.isnan(curve.values[-1])]
    if curve.level != "single" and curve.design == "shared" and len(last) > 1:
        # Never below the common noise: two or three runs may agree by chance.
        own = float(np.var(last, ddof=1)) / len(last)
        return max(own, noise.sd**2 / len(last)), float(len(last) - 1)
    return noise.sd**2 / len(last), noise.nu


def _variance_of_baseline(baseline: Floats, noise: RunNoise) -> tuple[float, float]:
    if len(baseline) > 1:
        return float(np.var(baseline, ddof=1)) / len(baseline) + 1e-24, float(len(baseline) - 1)
    return noise.sd**2, noise.nu


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
