"""Curves in per cent of their range, cut short after each of their sizes, side by side in padded arrays.

One set of constants serves all metrics because of the scale. A backtest forecasts from every prefix of every curve:
held in one array, a thousand curves cost a handful of matrix products instead of ten thousand small fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalefit.errors import FitError
from scalefit.forecasting.series import Series, Stack
from scalefit.types import Floats, Ints, Mask

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


SHORTEST = 2  # two sizes give one slope; one size gives none


@dataclass(frozen=True, eq=False)
class Prefixes(Stack):
    """P prefixes of at most K sizes, aligned at their last size (column -1), padded on the left.

    Attributes
    ----------
    u : (P, K) float64
        ln(size / last size): 0 at the end, negative before it; 0 where padded.
    y : (P, K) float64
        Metric in per cent of its range; 0 where padded.
    used : (P, K) bool
        False where padded.
    n, curve : (P,) int64
        Sizes in the prefix; which curve it belongs to.
    floor : (P,) float64
        Lower end of the range: 0, or -inf.
    """

    u: Floats
    y: Floats
    used: Mask
    n: Ints
    curve: Ints
    floor: Floats

    def __len__(self) -> int:
        """Return the number of prefixes."""
        return self.n.size

    @property
    def last(self) -> Floats:
        """Return the value at the last size: (P,)."""
        return np.asarray(self.y[:, -1])

    @property
    def span(self) -> Floats:
        """Return ln(last size / first size): (P,)."""
        return np.asarray(-self.u.min(axis=1))

    def tail(self, k: int | Ints) -> Mask:
        """Return where the last ``k`` sizes of each prefix stand: (P, K)."""
        width = self.u.shape[1]
        return np.asarray(self.used & (np.arange(width) >= width - np.reshape(k, (-1, 1))))

    @property
    def half(self) -> Mask:
        """Return where the last half of each prefix stands, three sizes at least: (P, K)."""
        return self.tail(np.maximum(3, (self.n + 1) // 2))


def prefixes_of(curves: Sequence[Series], lengths: Sequence[Ints]) -> Prefixes:
    """Return the prefixes of ``curves`` that have ``lengths[i]`` sizes of curve i.

    Raises
    ------
    FitError
        Where a curve has fewer than two sizes, or its metric no upper end.
    """
    width = max((int(k.max()) for k in lengths if k.size), default=SHORTEST)
    rows = [(i, int(k)) for i, of_one in enumerate(lengths) for k in of_one]
    u, y = np.zeros((len(rows), width)), np.zeros((len(rows), width))
    used = np.zeros((len(rows), width), dtype=bool)
    percent = [scale_of(c).to(c.y) for c in curves]
    logs = [np.log(c.x) for c in curves]
    for row, (i, k) in enumerate(rows):
        u[row, width - k :] = logs[i][:k] - logs[i][k - 1]
        y[row, width - k :] = percent[i][:k]
        used[row, width - k :] = True
    curve, n = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    floors = np.array([scale_of(c).floor for c in curves])
    return Prefixes(u, y, used, n, curve, floors[curve])


def whole(curves: Sequence[Series]) -> Prefixes:
    """Return every curve in full length.

    Raises
    ------
    FitError
        Where there is no curve, or one of fewer than two sizes.
    """
    if not curves:
        raise FitError("a forecast needs a curve, found none; look at the filter that left no rows")
    for c in curves:
        if len(c) < SHORTEST:
            raise FitError(
                f"a forecast needs {SHORTEST} sizes of a curve, found {len(c)}: nothing says how the "
                "metric moves with size; measure one more, best at a quarter of the largest"
            )
    return prefixes_of(curves, [np.array([len(c)]) for c in curves])
