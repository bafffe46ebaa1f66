"""Power laws over a floor with smooth breaks: one break and two slopes, or two breaks and three slopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, Special, geometric_mean

HALF, HALVINGS = 100.0, 60  # e^±100 times the reference, halved to the last digit
AWAY, WIDTH = 60.0, 0.4  # of the second break, seen from the first, where it changes nothing
COEFFICIENTS = (
    Coefficient("E", 0.0, meaning="irreducible loss", role="floor"),
    Coefficient("b", 0.0, meaning="B in units of the reference input", role="scale"),
)


def _bend(z: Any, d: Any, f: Any) -> Any:
    """Return f·ln(1 + e^((z − d)/f)): 0 before the break at d, z − d after it, round over a width f."""
    return f * np.logaddexp(0.0, (z - d) / f)


def _each(shapes: tuple[Any, ...]) -> list[tuple[Any, Any, Any]]:
    """Return every break's steepening, place and width from shapes c0, c1 …, d1 …, f1 …."""
    count = len(shapes) // 3
    places, widths = shapes[1 + count : 1 + 2 * count], shapes[1 + 2 * count :]
    return list(zip(shapes[1 : 1 + count], places, widths, strict=True))


def _exponent(z: Any, shapes: tuple[Any, ...]) -> Any:
    total = shapes[0] * z
    for c, d, f in _each(shapes):
        total = total + c * _bend(z, d, f)
    return total


def _basis(x: Any, *shapes: Any, x_ref: float) -> tuple[Any, Any]:
    return 1.0, np.exp(-_exponent(np.log(x / x_ref), shapes))


def _slopes(phi: Any, x: Any, *shapes: Any, x_ref: float) -> tuple[Any, ...]:
    z = np.log(x / x_ref)
    seen = [(c, d, f, expit((z - d) / f), _bend(z, d, f)) for c, d, f in _each(shapes)]
    by: list[Any] = [-z, *(-bent for *_, bent in seen)]
    by += [c * past for c, _, _, past, _ in seen]
    by += [-c * (bent / f - past * (z - d) / f) for c, d, f, past, bent in seen]
    return tuple((0.0, phi[1] * each) for each in by)


def _breaks(x: Any, x_ref: float) -> tuple[float, float]:
    """Within the data: a break beyond them cannot be seen."""
    low, high = float(np.log(np.min(x) / x_ref)), float(np.log(np.max(x) / x_ref))
    return low, high if high > low else low + 1.0


def _crossing(exponent: Callable[[Any], Any], goal: Any) -> Any:
    """Halve an interval of ln x: no closed form exists, and while the curve falls there is one crossing."""
    low, high = np.full_like(goal, -HALF), np.full_like(goal, HALF)
    for _ in range(HALVINGS):
        z = (low + high) / 2
        below = exponent(z) < goal
        low, high = np.where(below, z, low), np.where(below, high, z)
    return (low + high) / 2


def _inverse(y: Any, E: Any, b: Any, *shapes: Any, x_ref: float) -> Any:
    goal = np.log(b / (np.asarray(y, dtype=float) - E))
    return x_ref * np.exp(_crossing(lambda z: _exponent(z, shapes), goal))


broken = Law(
    name="broken",
    formula="E + B·x^−c0·(1 + (x/x_d)^(1/f))^(−c1·f)",
    coefficients=COEFFICIENTS,
    shapes=(
        Shape("c0", (0.0, 5.0), "square", 9, meaning="exponent before the break", role="exponent"),
        Shape("c1", (-2.0, 12.0), points=15, meaning="how much steeper it is after the break"),
        Shape("d", _breaks, points=9, meaning="ln of the break, from the reference input"),
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


def _report_twice(
    E: Any, b: Any, c0: Any, c1: Any, c2: Any, d1: Any, d2: Any, f1: Any, f2: Any, x_ref: float
) -> dict[str, Any]:
    """Quote the breaks in their order: which one a search calls the first is chance."""
    turned = np.asarray(d1) > np.asarray(d2)
    c1, c2 = np.where(turned, c2, c1), np.where(turned, c1, c2)
    f1, f2 = np.where(turned, f2, f1), np.where(turned, f1, f2)
    d1, d2 = np.minimum(d1, d2), np.maximum(d1, d2)
    quoted = {"E": E, "B": b * x_ref**c0, "c0": c0, "c1": c1, "x_1": x_ref * np.exp(d1), "f1": f1}
    return {**quoted, "c2": c2, "x_2": x_ref * np.exp(d2), "f2": f2}


def _unreport_twice(
    E: Any, B: Any, c0: Any, c1: Any, x_1: Any, f1: Any, c2: Any, x_2: Any, f2: Any, x_ref: float
) -> tuple[Any, ...]:
    d1, d2 = (np.log(np.asarray(x) / x_ref) for x in (x_1, x_2))
    return E, B * x_ref**-c0, c0, c1, c2, d1, d2, f1, f2


def _flat_second(
    E: float, B: float, c0: float, c1: float, x_d: float, f: float
) -> dict[str, float]:
    """Return the law of one break, with a second, far from it, that changes nothing."""
    first = {"E": E, "B": B, "c0": c0, "c1": c1, "x_1": x_d, "f1": f}
    return {**first, "c2": 0.0, "x_2": x_d * AWAY, "f2": WIDTH}


broken_twice = Law(
    name="broken_twice",
    formula="E + B·x^−c0·(1 + (x/x_1)^(1/f1))^(−c1·f1)·(1 + (x/x_2)^(1/f2))^(−c2·f2)",
    coefficients=COEFFICIENTS,
    shapes=(
        Shape("c0", (0.0, 5.0), "square", 3, meaning="exponent before the breaks", role="exponent"),
        Shape("c1", (-2.0, 12.0), points=4, meaning="how much steeper it is after the first break"),
        Shape(
            "c2", (-2.0, 12.0), points=4, meaning="how much steeper it is after the second break"
        ),
        Shape("d1", _breaks, points=4, meaning="ln of the first break, from the reference input"),
        Shape("d2", _breaks, points=4, meaning="ln of the second break, from the reference input"),
        Shape("f1", (0.05, 3.0), "log", points=2, meaning="width of the first break in ln x"),
        Shape("f2", (0.05, 3.0), "log", points=2, meaning="width of the second break in ln x"),
    ),
    basis=_basis,
    slopes=_slopes,
    anchor=lambda x: {"x_ref": geometric_mean(x)},
    reported=("E", "B", "c0", "c1", "x_1", "f1", "c2", "x_2", "f2"),
    report=_report_twice,
    unreport=_unreport_twice,
    inverse=_inverse,
    special=(Special("broken", _flat_second),),
    source="Caballero et al. 2023, arXiv 2210.14891, equation of the broken neural scaling law, two breaks",
)
