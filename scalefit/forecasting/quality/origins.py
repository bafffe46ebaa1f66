"""Rolling origins: from each prefix of each curve, every later point is forecast once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from scalefit.forecasting.quality.members import (
    NAMES,
    POOLED,
    SHORTEST,
    Fitted,
    Prefixes,
    Slopes,
    TableSlopes,
    fit_members,
    pools,
    prefixes_of,
    table_slopes,
    uncut,
)
from scalefit.forecasting.series import Series
from scalefit.types import Floats, Ints, Mask


@dataclass(frozen=True, eq=False)
class Rows(Slopes):
    """R forecasts of the members, and what they are judged by.

    Attributes
    ----------
    forecasts : (R, M), the members' forecasts, in per cent of the range.
    slopes : (R, 4), of the prefix.
    last, noise, jitter, flattens, falls, span, h : (R,), of the prefix: last value, noise, noise about neighbours, how
        far it is believed to flatten, how surely it falls, ln of its range of sizes; and ln(size / last size).
    n, curve : (R,) int64, sizes in the prefix; which curve.
    """

    forecasts: Floats
    slopes: Floats
    last: Floats
    noise: Floats
    jitter: Floats
    flattens: Floats
    falls: Floats
    span: Floats
    h: Floats
    n: Ints
    curve: Ints


@dataclass(frozen=True, eq=False)
class Origins:
    """What the table's own curves showed when their ends were held back.

    Attributes
    ----------
    rows : one a held-back point and origin.
    actual, reached : (R,), what was measured there; and the highest level that the curve had risen to for good.
    age : (R,) int64, how many sizes of the curve lay behind the origin's next one: 0 for the latest origin.
    share : (R,), one over the number of points held back at that origin.
    noise : (C,), mean noise of each curve's prefixes.
    slopes : TableSlopes or None
        Where short curves share them.
    """

    rows: Rows
    actual: Floats
    reached: Floats
    age: Ints
    share: Floats
    noise: Floats
    slopes: TableSlopes | None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the members' names, in the order of the forecasts."""
        return NAMES + (POOLED if self.slopes else ())

    def recency(self, memory: float) -> Floats:
        """Return the weight of each row: e^(-age / memory) an origin, so that the latest weighs 1.

        Forecasts from long prefixes are what is asked for; early origins see a steeper part.
        """
        return np.asarray(np.exp(-self.age / memory) * self.share)


def origins_of(curves: Sequence[Series]) -> Origins:
    """Return the forecasts of every later point from every prefix of ``curves``."""
    full = uncut(curves)
    p = prefixes_of(curves, [np.arange(SHORTEST, len(c) + 1) for c in curves])
    fitted = fit_members(p)
    slopes = table_slopes(p, fitted) if pools(curves) else None
    noise = np.bincount(p.curve, weights=fitted.noise) / np.bincount(p.curve)
    ahead = full.n[p.curve] - p.n
    cut = ahead > 0
    p, fitted, ahead = p[cut], fitted[cut], ahead[cut]
    held = np.arange(max(int(ahead.max(initial=0)), 1)) < ahead[:, None]
    h, actual, reached = _later(full, p.curve, ahead, held)
    origin = np.nonzero(held)[0]
    rows = rows_of(p, fitted, forecasts_at(p, fitted, slopes, h)[held], h[held], origin)
    return Origins(
        rows, actual[held], reached[held], ahead[origin] - 1, 1.0 / ahead[origin], noise, slopes
    )


def forecasts_at(p: Prefixes, fitted: Fitted, slopes: TableSlopes | None, h: Floats) -> Floats:
    """Return the forecasts of all members at ``h`` beyond each prefix: (P, Q) -> (P, Q, M)."""
    own = fitted.at(h)
    if slopes is None:
        return own
    return np.concatenate([own, slopes.at(p, fitted.last, h)], axis=-1)


def rows_of(p: Prefixes, fitted: Fitted, forecasts: Floats, h: Floats, origin: Ints) -> Rows:
    """Return one row a forecast (R, M) at ``h`` (R,), made from the prefixes ``origin`` (R,)."""
    f = fitted
    of = (v[origin] for v in (f.slopes, f.last, f.noise, f.jitter, f.flattens, f.falls, f.span))
    slopes, last, noise, jitter, bends, falls, span = of
    n, curve = p.n[origin], p.curve[origin]
    return Rows(forecasts, slopes, last, noise, jitter, bends, falls, span, h, n, curve)


def _later(full: Prefixes, curve: Ints, ahead: Ints, held: Mask) -> tuple[Floats, Floats, Floats]:
    """Return ln(size / last size), value and risen level of the points after each prefix: (P, Q)."""
    width = full.u.shape[1]
    column = np.minimum(width - ahead[:, None] + np.arange(held.shape[1]), width - 1)
    origin = full.u[curve, width - ahead - 1]
    level = np.zeros_like(full.y)
    for row, n in enumerate(full.n):
        level[row, width - n :] = isotonic_regression(full.y[row, width - n :]).x
    at = curve[:, None], column
    return np.where(held, full.u[at] - origin[:, None], 1.0), full.y[at], level[at]
