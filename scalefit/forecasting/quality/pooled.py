"""Members that a table lends its short curves: the mean slope, and one line's slope for all.

Curves of at most eight sizes say little about their own slope and gain from their siblings'; longer
ones know better themselves (finetuning curves of one model: error 1.26 times as large when pooled),
and backtests, which look at shorter prefixes, do not notice. Hence a gate by length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalefit.forecasting.quality.members import Fitted
from scalefit.forecasting.quality.prefixes import Prefixes
from scalefit.forecasting.quality.scale import TOP
from scalefit.forecasting.series import Series
from scalefit.types import Floats, Ints

POOLED = ("table's slope", "table's line")
SHORT = 8  # sizes in the longest curve
SIBLINGS = 3  # fewer curves have no table to speak of


def pools(curves: Sequence[Series]) -> bool:
    """Return whether the table's curves are short and many enough to share their slopes."""
    return len(curves) >= SIBLINGS and max(len(c) for c in curves) <= SHORT


@dataclass(frozen=True, eq=False)
class TableSlopes:
    """Slopes in ln x shared by all prefixes of equal length: index = number of sizes.

    Attributes
    ----------
    last_half : (K + 1,) float64
        Mean slope of the last halves.
    line : (K + 1,) float64
        Slope of parallel lines, one a prefix, through all of them.
    """

    last_half: Floats
    line: Floats

    def at(self, p: Prefixes, last: Floats, h: Floats) -> Floats:
        """Return the two members' forecasts at ``h``: (P, Q) -> (P, Q, 2)."""
        n = np.minimum(p.n, self.line.size - 1)
        through_last = last[:, None] + self.last_half[n][:, None] * h
        u, y = _centres(p)
        through_middle = y[:, None] + self.line[n][:, None] * (h - u[:, None])
        both = np.stack([through_last, through_middle], axis=-1)
        return np.clip(both, p.floor[:, None, None], TOP)


def table_slopes(p: Prefixes, fitted: Fitted) -> TableSlopes:
    """Return the slopes that prefixes of equal length share.

    Each prefix looks only at its siblings' prefixes of the same length, never beyond its own end.
    """
    u, _ = _centres(p)
    centred = np.where(p.used, p.u - u[:, None], 0.0)
    sxy, sxx = (centred * p.y).sum(axis=1), (centred**2).sum(axis=1)
    count = np.maximum(_by_length(p.n, np.ones(len(p))), 1.0)
    return TableSlopes(
        _by_length(p.n, fitted.slopes[:, 2]) / count,
        _by_length(p.n, sxy) / np.maximum(_by_length(p.n, sxx), 1e-300),
    )


def _by_length(n: Ints, values: Floats) -> Floats:
    return np.bincount(n, weights=values).astype(np.float64)


def _centres(p: Prefixes) -> tuple[Floats, Floats]:
    return p.u.sum(axis=1) / p.n, p.y.sum(axis=1) / p.n
