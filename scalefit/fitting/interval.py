"""An interval, and what it claims."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """``low`` to ``high`` around ``estimate``, at a confidence ``level``, by a named ``method``."""

    estimate: float
    low: float
    high: float
    level: float
    method: str

    @property
    def width(self) -> float:
        """High minus low; inf for a half-open interval."""
        return self.high - self.low

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{short(self.estimate)} [{short(self.low)}, {short(self.high)}]"


def short(value: float) -> str:
    """Four significant digits, ∞ for infinity: how numbers are shown everywhere."""
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.4g}"
