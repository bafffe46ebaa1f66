"""A power law with one smooth break: two slopes over a floor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, Special, geometric_mean

HALF, HALVINGS = 100.0, 60  # e^±100 times the reference, halved to the last digit


def bend(z: Any, d: Any, f: Any) -> Any:
    """Return f·ln(1 + e^((z − d)/f)): 0 before the break at d, z − d after it, round over a width f."""
    return f * np.logaddexp(0.0, (z - d) / f)


def _basis(x: Any, c0: Any, c1: Any, d: Any, f: Any, x_ref: float) -> tuple[Any, Any]:
    z = np.log(x / x_ref)
    return 1.0, np.exp(-c0 * z - c1 * bend(z, d, f))


def _slopes(phi: Any, x: Any, c0: Any, c1: Any, d: Any, f: Any, x_ref: float) -> tuple[Any, ...]:
    z = np.log(x / x_ref)
    past, bent = expit((z - d) / f), bend(z, d, f)
    by = (-z, -bent, c1 * past, -c1 * (bent / f - past * (z - d) / f))
    return tuple((0.0, phi[1] * each) for each in by)


def breaks(x: Any, x_ref: float) -> tuple[float, float]:
    """Within the data: a break beyond them cannot be seen."""
    low, high = float(np.log(np.min(x) / x_ref)), float(np.log(np.max(x) / x_ref))
    return low, high if high > low else low + 1.0


def crossing(exponent: Callable[[Any], Any], goal: Any) -> Any:
    """Halve an interval of ln x: no closed form exists, and while the curve falls there is one crossing."""
    low, high = np.full_like(goal, -HALF), np.full_like(goal, HALF)
    for _ in range(HALVINGS):
        z = (low + high) / 2
        below = exponent(z) < goal
        low, high = np.where(below, z, low), np.where(below, high, z)
    return (low + high) / 2


def _inverse(y: Any, E: Any, b: Any, c0: Any, c1: Any, d: Any, f: Any, x_ref: float) -> Any:
    goal = np.log(b / (np.asarray(y, dtype=float) - E))
    return x_ref * np.exp(crossing(lambda z: c0 * z + c1 * bend(z, d, f), goal))


broken = Law(
    name="broken",
    formula="E + B·x^−c0·(1 + (x/x_d)^(1/f))^(−c1·f)",
    coefficients=(
        Coefficient("E", 0.0, meaning="irreducible loss", role="floor"),
        Coefficient("b", 0.0, meaning="B in units of the reference input", role="scale"),
    ),
    shapes=(
        Shape(
            "c0",
            (0.0, 5.0),
            "square",
            points=9,
            meaning="exponent before the break",
            role="exponent",
        ),
        Shape("c1", (-2.0, 12.0), points=15, meaning="how much steeper it is after the break"),
        Shape("d", breaks, points=9, meaning="ln of the break, from the reference input"),
        Shape("f", (0.05, 3.0), "log", points=3, meaning="width of the break in ln x"),
    ),
    basis=_basis,
    slopes=_slopes,
    anchor=lambda x: {"x_ref": geometric_mean(x)},
    reported=("E", "B", "c0", "c1", "x_d", "f"),
    report=lambda E, b, c0, c1, d, f, x_ref: {
        "E": E,
        "B": b * x_ref**c0,
        "c0": c0,
        "c1": c1,
        "x_d": x_ref * np.exp(d),
        "f": f,
    },
    inverse=_inverse,
    sizes=("x_d",),
    unreport=lambda E, B, c0, c1, x_d, f, x_ref: (
        E,
        B * x_ref**-c0,
        c0,
        c1,
        np.log(np.asarray(x_d) / x_ref),
        f,
    ),
    special=(
        Special(
            "power",
            lambda E, A, alpha: {"E": E, "B": A, "c0": alpha, "c1": 0.0, "x_d": 1.0, "f": 1.0},
        ),
    ),
    source="Caballero et al. 2023, arXiv 2210.14891, equation of the broken neural scaling law, one break",
)
