"""Cross-entropy in nats per target token, from what logs print instead."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scalefit.ingest.reader import Row

# Means of segment or sample scores with their standard errors.


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


TOKEN, BYTE = "nats/target token", "nats/byte"
LN2 = math.log(2)
_DUST = 1e-6


def cross_entropy(value: float | None) -> Row:
    """Return the row of a cross-entropy; one that is no number stays, so that it is missed."""
    return {"metric": "cross_entropy", "value": value, "unit": TOKEN}


def of_perplexity(perplexity: float) -> Row:
    """Return the row of a perplexity's logarithm.

    A perplexity that is infinite, no number or below 1 belongs to a run that diverged, or is none.

    Examples
    --------
    >>> round(of_perplexity(45.02)["value"], 3), of_perplexity(float("inf"))["value"]
    (3.807, nan)
    """
    usable = 1 - _DUST <= perplexity < math.inf
    return cross_entropy(max(0.0, math.log(perplexity)) if usable else math.nan)
