"""Means of segment or sample scores with their standard errors."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .reader import Row


def mean(values: Sequence[float]) -> Row:
    """Return ``value`` and ``stderr`` of finite values; no error of one value, or of huge ones.

    Examples
    --------
    >>> mean([1.0, 3.0])
    {'value': 2.0, 'stderr': 1.0}
    """
    n = len(values)
    try:
        middle = math.fsum(values) / n
    except OverflowError:
        middle = math.fsum(v / n for v in values)
    spread = math.hypot(*(v - middle for v in values))
    error = spread / math.sqrt(n * (n - 1)) if n > 1 else math.inf
    return {"value": middle, "stderr": error if math.isfinite(error) else None}
