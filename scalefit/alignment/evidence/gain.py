"""What pretraining brings: a trend over the sizes, and the gain of the largest over models that were not pretrained.

The trend is one contrast, whatever the shape between its ends: the slope of the size means over ln D. A hump or a dip
does not hide it, and nothing but a trend raises it: for quality that only goes down and comes back it is zero. Where
the sizes are checkpoints of the same runs, each run has a slope of its own and these are tested by Student's t over
runs, right whatever the runs' noise does along the sizes; where every size has runs of its own, the sizes' variances
are kept apart (Welch 1947, Biometrika 34, 28-35).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from scalefit.alignment.curve import Curve
from scalefit.alignment.margin import Scale
from scalefit.alignment.noise import RunNoise, estimate
from scalefit.distributions import t_quantile, t_tail
from scalefit.types import Floats
from scalefit.units import counted

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
    level : of both together.
    p_harm, p_help : p values of "the largest size is worse / better than no pretraining".
    explained : SD of a run without pretraining from which on noise would explain the gain or loss.
    """

    baseline: float
    runs: int
    gains: Floats
    low: float
    high: float
    level: float
    p_harm: float
    p_help: float
    explained: float

    @property
    def gain(self) -> float:
        """Gain at the largest size."""
        return float(self.gains[-1])

    def line(self, scale: Scale) -> str:
        """Gain at the largest size, and how many sizes lie below no pretraining."""
        said = (
            f"value: {scale.digits(self.gain)} over no pretraining at the largest size "
            f"[{scale.digits(self.low)}, {scale.digits(self.high)}] ({100 * self.level:.3g} %), "
            f"{counted(self.runs, 'baseline run')}"
        )
        worse = int((self.gains < 0).sum())
        return said + (f"; below it at {worse} of {len(self.gains)} sizes" if worse else "")


def gain_over_baseline(curve: Curve, sign: float, noise: RunNoise, alpha: float) -> Gain | None:
    """Compare the largest size with the baseline; None without a baseline or a noise estimate."""
    if not len(curve.baseline) or not np.isfinite(noise.sd):
        return None
    gains = sign * (curve.means - curve.baseline.mean())
    error, df = _error_of_gain(curve, noise)
    t = float(gains[-1] / max(error, 1e-12))
    height = float(t_quantile(1 - alpha, df))
    reach, rest = error * height, error**2 - noise.sd**2 / len(curve.baseline)
    enough = max((float(gains[-1]) / height) ** 2 - max(rest, 0.0), 0.0)
    return Gain(
        baseline=float(curve.baseline.mean()),
        runs=len(curve.baseline),
        gains=gains,
        low=float(gains[-1]) - reach,
        high=float(gains[-1]) + reach,
        level=1 - 2 * alpha,
        p_harm=float(t_tail(-t, df)),
        p_help=float(t_tail(t, df)),
        explained=float(np.sqrt(enough * len(curve.baseline))),
    )


def _error_of_gain(curve: Curve, noise: RunNoise) -> tuple[float, float]:
    """Return the standard error of the gain at the largest size, and its degrees of freedom.

    The baseline stands beside the sizes as one more, and the two are a pair as any other: a noisy one counts by its
    own noise, and a single run borrows the common noise with its degrees of freedom. Checkpoints of the same runs keep
    what each run adds to all of them, so only the largest size tells how far runs lie apart.
    """
    last = curve.values[-1][~np.isnan(curve.values[-1])]
    if curve.level == "single" or len(last) + len(curve.baseline) < 3:
        return noise.sd * float(np.sqrt(1 / len(last) + 1 / len(curve.baseline))), noise.nu
    rows = (curve.baseline, *(curve.values if curve.design == "separate" else last[None]))
    beside = estimate(np.array(list(zip_longest(*rows, fillvalue=np.nan))).T, "separate")
    error = np.sqrt(2) * beside.step()[0, -1] * beside.swell[0, -1]
    return float(error), float(beside.dof[0, -1])


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
