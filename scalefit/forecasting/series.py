"""One curve as a forecast sees it: a mean a size, runs behind it, and what measured sizes say of a target."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import ndtr, ndtri

from scalefit.estimate import off_neighbours
from scalefit.forecasting.predictive import PROBABILITIES, Predictive, Reach
from scalefit.types import Floats, Ints, Kind, Mask


@dataclass(frozen=True, eq=False)
class Stack:
    """Arrays side by side whose first axis is the same: curves, or prefixes of curves."""

    def __getitem__(self, rows: slice | Ints | Floats | Mask) -> Self:
        """Return some of the curves."""
        return type(self)(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True, eq=False)
class Series:
    """Means over runs at ascending sizes.

    Attributes
    ----------
    x : (K,), sizes, ascending and distinct, above 0.
    y : (K,), mean of the metric over the independent runs of each size.
    runs : (K,) int64, how many independent runs each mean is made of.
    seed_var : variance between runs of the largest size, all sizes asked; nan where no size has two runs.
    seed_trend : slope of its logarithm in ln x: small sizes mostly differ more.
    bottom, top : ends of the metric's range; infinite where it has none.

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit.forecasting.series import series_of
    >>> one = series_of(np.array([1e6, 1e6, 1e7]), np.array([3.1, 3.3, 2.8]), top=np.inf)
    >>> one.y.tolist(), one.runs.tolist(), round(one.seed_var, 3)
    ([3.2, 2.8], [2, 1], 0.015)
    """

    x: Floats
    y: Floats
    runs: Ints
    seed_var: float = float("nan")
    bottom: float = 0.0
    top: float = float("inf")
    seed_trend: float = 0.0

    def __len__(self) -> int:
        """Return the number of sizes."""
        return self.x.size

    @property
    def worth(self) -> Floats:
        """How many runs of the largest size tell as much as those behind each mean: (K,)."""
        return np.asarray(self.runs / (self.x / self.x[-1]) ** self.seed_trend)

    def at(self, which: Ints) -> Series:
        """Return some of the sizes; how much runs differ is known from all of them."""
        x = self.x[which]
        there = self.seed_var * (x[-1] / self.x[-1]) ** self.seed_trend
        return replace(self, x=x, y=self.y[which], runs=self.runs[which], seed_var=there)

    @property
    def missing(self) -> Series:
        """The curve of what is left to the top: the error beside an accuracy, and the other way round."""
        # Rounded, so that the other way round it is the same to the last bit.
        return replace(self, y=np.round(self.top - self.y, 12))

    def head(self, k: int) -> Series:
        """Return the k smallest sizes."""
        return self.at(np.arange(k))


def series_of(x: Floats, y: Floats, *, bottom: float = 0.0, top: float = float("inf")) -> Series:
    """Return the series of single runs: ``x`` and ``y`` of shape (n,), in any order.

    Runs of one size count as independent; checkpoints of one run belong averaged before.
    """
    sizes, at, runs = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(at, weights=y) / runs
    # A loss, which has no top, differs by parts of itself: at 10 more than at 2.
    falls = np.isinf(top) and (means[:1] > means[-1:]).any() and means.min() > 0
    unit = means / means[-1:] if falls else np.ones_like(means)
    squares = np.bincount(at, weights=((y - means[at]) / unit[at]) ** 2).astype(float)
    between, trend = between_runs(np.log(sizes / sizes[-1:]), squares, (runs - 1).astype(float))
    return Series(sizes, means, runs.astype(np.int64), between, bottom, top, trend)


TRENDS = np.linspace(-2.0, 2.0, 81)
USUAL_TREND = 0.5  # sd of the trend over tables, before their runs are looked at


def between_runs(u: Floats, squares: Floats, free: Floats) -> tuple[float, float]:
    """Return the variance between runs of the largest size and its trend in ln x: means of their posterior."""
    if not free.any() or not squares.any():
        return 0.0 if free.any() else float("nan"), 0.0
    last = np.log(np.exp(-np.outer(TRENDS, u)) @ squares / free.sum())
    log = -(free.sum() * last + TRENDS * (free @ u) + (TRENDS / USUAL_TREND) ** 2) / 2
    variance, trend = np.average([last, TRENDS], axis=1, weights=np.exp(log - log.max()))
    return float(np.exp(variance)), float(trend)


def noise_of(curve: Series) -> float:
    """Return the variance of one run about the curve: between its seeds, else from second differences.

    A point's distance from the line through its neighbours has next to no part of a smooth course in one of three
    units: the values, their logarithms, those of the distance to the top.
    """
    if np.isfinite(curve.seed_var):
        return curve.seed_var
    u, y = np.log(curve.x), curve.y
    if u.size < 3:
        return 0.0
    bent = [off_neighbours(u, y)]
    for v in (y, curve.top - y) if u.size > 3 else ():  # of one bend the least would be luck
        if 0 < v.min() < v.max() < np.inf:
            bent.append(v[1:-1] * off_neighbours(u, np.log(v)))
    return float(min(np.mean(bend**2) for bend in bent))


def met_by(curve: Series, target: float, *, rises: bool) -> Floats:
    """Return the probability that the mean has met the target by each measured size: (K,), ascending."""
    smooth = isotonic_regression(curve.y, increasing=rises).x
    sd = np.sqrt(noise_of(curve) / curve.worth) + 1e-9 * max(float(np.ptp(curve.y)), 1e-9)
    at_each = ndtr((smooth - target if rises else target - smooth) / sd)
    # A mean that stays where it has come to was not there while a later, better known one is not: a loud small size
    # alone would have every target met by chance.
    return np.minimum.accumulate(at_each[::-1])[::-1]


def measured(curve: Series, x: Floats, kind: Kind) -> Predictive:
    """Return what lies between the measured sizes: means joined in ln x, as unsure as their seeds leave them.

    No law is asked: where a size was measured its mean is the best guess, and forecasts go on from there.
    """
    u = np.log(x)
    centre = np.interp(u, np.log(curve.x), curve.y)
    of_means = noise_of(curve) / curve.worth
    variance = of_means * (1 + curve.runs) if kind == "run" else of_means
    variance = np.interp(u, np.log(curve.x), variance)
    values = centre + ndtri(PROBABILITIES)[:, None] * np.sqrt(variance)
    return Predictive(x, PROBABILITIES, np.clip(values, curve.bottom, curve.top))


def joined(curve: Series, target: float, beyond: Reach, *, rises: bool) -> Reach:
    """Return one reach over the measured sizes and what an engine says lies beyond them."""
    inside = met_by(curve, target, rises=rises)
    later = beyond.horizons > 1.0
    probability = np.concatenate([inside, beyond.probability[later]])
    return Reach(
        float(curve.x[-1]),
        np.concatenate([curve.x / curve.x[-1], beyond.horizons[later]]),
        np.maximum.accumulate(probability),
    )
