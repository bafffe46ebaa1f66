"""Failed runs: far below their size's median, and what remains without them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .cells import Cells

__all__ = ["failed_rows"]

Floats = NDArray[np.float64]
_TIMES = 5.0


def failed_rows(cells: Cells, sign: float) -> NDArray[np.int64]:
    """Rows (places in the group's rows of this metric) below median - 5 MAD of their size.

    The median absolute deviation is pooled over the sizes with three rows or more; the rows that
    are themselves the median are left out of it, as they would make few rows look too much alike.
    """
    residual = np.full(len(cells.score), np.nan)
    for k in range(len(cells.sizes)):
        here = cells.bins == k
        if here.sum() >= 3:
            residual[here] = sign * (cells.score[here] - np.median(cells.score[here]))
    spread = np.abs(residual[np.isfinite(residual) & (residual != 0)])
    if len(spread) < 6:
        return np.empty(0, dtype=np.int64)
    with np.errstate(invalid="ignore"):
        return np.asarray(cells.rows[residual < -_TIMES * np.median(spread)])
