"""What a law is made of: coefficients, and shapes with the grid they are searched on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Span = tuple[float, float]


@dataclass(frozen=True)
class Coefficient:
    """A parameter that enters linearly behind the link, with its bounds."""

    name: str
    lower: float = -np.inf
    upper: float = np.inf
    meaning: str = ""


@dataclass(frozen=True)
class Shape:
    """A parameter that enters nonlinearly, with the range it is searched and bounded in.

    ``span`` is ``(low, high)``, or a function of the inputs and constants that returns it.
    With ``spacing="log"`` a low of 0 is allowed: the grid then holds 0 itself and eight
    decades below the high end. ``spacing="square"`` is densest at the low end: steps grow linearly.
    """

    name: str
    span: Span | Callable[..., Span]
    spacing: Literal["linear", "square", "log"] = "linear"
    points: int = 33
    meaning: str = ""

    def bounds(self, inputs: tuple[Array, ...], constants: Mapping[str, float]) -> Span:
        """Lowest and highest value for these inputs."""
        low, high = self.span(*inputs, **constants) if callable(self.span) else self.span
        return float(low), float(high)

    def grid(self, inputs: tuple[Array, ...], constants: Mapping[str, float]) -> Array:
        """Candidate values, ascending, bounds included: read-only."""
        low, high = self.bounds(inputs, constants)
        return ticks(low, high, self.spacing, self.points)


@lru_cache(maxsize=256)
def ticks(low: float, high: float, spacing: str, points: int) -> Array:
    """Values from low to high, read-only."""
    if spacing == "linear":
        out = np.linspace(low, high, points)
    elif spacing == "square":
        out = low + (high - low) * np.linspace(0, 1, points) ** 2
    elif low > 0:
        out = np.geomspace(low, high, points)
    else:
        out = np.concatenate([[low], np.geomspace(high * 1e-8, high, points - 1)])
    out.flags.writeable = False
    return out
