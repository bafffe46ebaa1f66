"""Reference points that keep a law's solver coordinates of order one, and a power law's column at one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scalefit.types import Floats


def geometric_mean(x: Floats) -> float:
    """Geometric mean of the positive finite entries, 1 where there are none."""
    total = np.log(x).sum() if x.size and x.min() > 0 else np.nan
    if not math.isfinite(total):
        x = x[(x > 0) & np.isfinite(x)]
        total = np.log(x).sum()
    return math.exp(total / x.size) if x.size else 1.0


def round_reference(x: Floats) -> float:
    """Geometric mean rounded to one significant digit: a reference that reads well."""
    return float(f"{geometric_mean(x):.0e}")


def decay(x: Any, alpha: Any, x_ref: float) -> Any:
    """Return (x / x_ref)^−α."""
    return np.exp(alpha * np.log(x_ref / x))


def fall(decayed: Any, x: Any, x_ref: float) -> Any:
    """Return the derivative by α of what :func:`decay` gave."""
    return np.log(x_ref / x) * decayed
