"""What a law is made of: coefficients, and shapes with the grid they are searched on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from scalefit.types import Floats

# Reference points that keep a law's solver coordinates of order one, and a power law's column at one.


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


Span = tuple[float, float]
Role = Literal["", "floor", "ceiling", "scale", "exponent"]


@dataclass(frozen=True)
class Coefficient:
    """A parameter that enters linearly behind the link, with its bounds.

    ``role`` says what it does to the curve, so that nobody has to read that off its name: a ``floor`` or
    ``ceiling`` is a value that the curve nears and never crosses, a ``scale`` is the size of what moves.

    Examples
    --------
    >>> from scalefit import Coefficient
    >>> Coefficient("E", 0.0, meaning="irreducible loss", role="floor").role
    'floor'
    """

    name: str
    lower: float = -np.inf
    upper: float = np.inf
    meaning: str = ""
    role: Role = ""


@dataclass(frozen=True)
class Shape:
    """A parameter that enters nonlinearly, with the range it is searched and bounded in.

    ``span`` is ``(low, high)``, or a function of the inputs and constants that returns it. With ``spacing="log"`` a low
    of 0 is allowed: the grid then holds 0 itself and eight decades below the high end. ``"square"`` is densest at the
    low end, ``"fourth"`` more so; ``"ends"`` at both, as a share needs. ``role`` is ``"exponent"`` for one that
    says how steep the curve is.
    ``at_ends`` says in words what the curve has become where the optimum lies at the low end, and at the high end.

    Examples
    --------
    >>> from scalefit import Shape
    >>> Shape("alpha", (0.0, 5.0), role="exponent").bounds((), {})
    (0.0, 5.0)
    """

    name: str
    span: Span | Callable[..., Span]
    spacing: Literal["linear", "square", "fourth", "log", "ends"] = "linear"
    points: int = 33
    meaning: str = ""
    role: Role = ""
    at_ends: tuple[str, str] = ("", "")

    def bounds(self, inputs: tuple[Floats, ...], constants: Mapping[str, float]) -> Span:
        """Lowest and highest value for these inputs."""
        low, high = self.span(*inputs, **constants) if callable(self.span) else self.span
        return float(low), float(high)

    def grid(self, inputs: tuple[Floats, ...], constants: Mapping[str, float]) -> Floats:
        """Candidate values, ascending, bounds included: read-only."""
        low, high = self.bounds(inputs, constants)
        return ticks(low, high, self.spacing, self.points)


@dataclass(frozen=True)
class Special:
    """A law that another one contains.

    ``embed`` takes the contained law's quoted parameters by name and returns the container's; ``inputs`` names
    the container's inputs that the contained law reads, where it has more than that law.
    """

    law: str
    embed: Callable[..., dict[str, float]]
    inputs: tuple[str, ...] = ()


@lru_cache(maxsize=256)
def ticks(low: float, high: float, spacing: str, points: int) -> Floats:
    """Values from low to high, read-only."""
    if spacing == "linear":
        out = np.linspace(low, high, points)
    elif spacing == "ends":
        inner = np.sin(np.pi / 2 * np.linspace(0, 1, points)) ** 2
        out = low + (high - low) * np.sin(np.pi / 2 * inner) ** 2
    elif spacing in ("square", "fourth"):
        out = low + (high - low) * np.linspace(0, 1, points) ** (2 if spacing == "square" else 4)
    elif low > 0:
        out = np.geomspace(low, high, points)
    else:
        out = np.concatenate([[low], np.geomspace(high * 1e-8, high, points - 1)])
    out.flags.writeable = False
    return out
