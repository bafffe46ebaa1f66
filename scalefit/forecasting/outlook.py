"""What is known about one group: its two fits, its baseline, what a target takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.fitting import Fit
from scalefit.forecasting.tokens import TokensFor
from scalefit.groups import group_name
from scalefit.units import format_count

Points = tuple[NDArray[np.float64], NDArray[np.float64]]
OUT_OF_REACH = 1000.0


@dataclass(frozen=True, eq=False)
class Outlook:
    """What is known about one group.

    Attributes
    ----------
    group : column -> value
    loss, quality : the two fits; None where the group could not be fitted, or was not measured.
    tokens : what the target takes; None without a fit of quality.
    baselines : metric -> mean value without pretraining, where measured.
    measured : metric -> pretraining tokens and values, (n,) each.
    notes : why something is missing.
    """

    group: Mapping[str, Any]
    loss: Fit | None = None
    quality: Fit | None = None
    tokens: TokensFor | None = None
    baselines: Mapping[str, float] = field(default_factory=dict)
    measured: Mapping[str, Points] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def largest(self) -> float:
        """Largest measured size."""
        return max(float(np.max(x)) for x, _ in self.measured.values())

    @property
    def distant(self) -> bool:
        """Whether the target lies more than a thousand times beyond what was measured."""
        return self.tokens is None or not self.tokens.estimate <= OUT_OF_REACH * self.largest

    @property
    def sound(self) -> bool:
        """Whether quality was measured at two points more than its law has parameters."""
        fit = self.quality
        return fit is not None and fit.points.y.size >= len(fit.law.parameters) + 2

    @property
    def needs(self) -> str:
        """Tokens for the target, with the interval, for people."""
        found = self.tokens
        if found is None:
            return "no fit"
        ends = f"[{count(found.low)}, {count(found.high)}]"
        if not found.reachable:
            return "not reachable" if np.isinf(found.low) else f"not reachable {ends}"
        far = self.distant
        return (
            f"> {count(OUT_OF_REACH * self.largest)} {ends}"
            if far
            else f"{count(found.estimate)} {ends}"
        )

    @property
    def name(self) -> str:
        """The group in words: ``fr · en-fr · finetuned on 128k``."""
        return group_name(self.group)

    def at_largest(self, fit: Fit | None) -> float | None:
        """Value of a fitted curve at the largest measured size."""
        return None if fit is None else float(fit.value(np.array([self.largest]))[0])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data for JSON, fits included."""
        return {
            "group": dict(self.group),
            "tokens": None if self.tokens is None else self.tokens.to_dict(),
            "baselines": dict(self.baselines),
            "loss": None if self.loss is None else self.loss.to_dict(),
            "quality": None if self.quality is None else self.quality.to_dict(),
            "notes": list(self.notes),
        }


def count(value: float) -> str:
    """Write a number of tokens, which may be infinite, for people."""
    return "∞" if np.isinf(value) else format_count(value)
