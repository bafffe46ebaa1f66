"""What a fit does not know: profile, Wald and jackknife behind one interface, and the rule that chooses."""

from __future__ import annotations

from dataclasses import dataclass

from scalefit.units import short


@dataclass(frozen=True)
class Interval:
    """``low`` to ``high`` around ``estimate``, at a confidence ``level``, by a named ``method``.

    Examples
    --------
    >>> interval = Interval(2.0, 1.5, 2.75, level=0.95, method="profile-t")
    >>> str(interval), interval.width
    ('2 [1.5, 2.75]', 1.25)
    """

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
