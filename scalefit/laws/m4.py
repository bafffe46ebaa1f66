"""Alabdulmohsin's M4: from the error of a model that learned nothing to the irreducible one.

(ε − E)/(E0 − ε)^a = b·x^−c is implicit in ε. With u = (ε − E)/(E0 − E) it reads ε = E·(1 − u) + E0·u, linear in E
and E0, where u solves ln u − a·ln(1 − u) = q − c·ln(x/x_ref): one equation in one unknown, and the law is separable.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, Special, geometric_mean

# Steps that all places take, that any takes, and a move after which the next, a cube of it, would be rounding.
FIRST, STEPS, CLOSE = 2, 12, 1e-8
FLATTEST = 1e-3  # a below which the asymptote on the right would be out of doubles


def _share(x: Any, a: Any, q: Any, c: Any, x_ref: float) -> Any:
    """Solve for u by Halley's method in z = logit u; over a grid of thousands of cells this is the law's whole cost."""
    right = q - c * np.log(x / x_ref)
    z = _start(a, right)
    for _ in range(FIRST):
        z, moved = _stepped(z, a, right)
    shape = np.shape(z)
    # Where the plateau is short (a near 0) u nears 1 as a logarithm does: those few places go on by themselves.
    left = np.nonzero(np.atleast_1d(moved) > CLOSE)
    if left[0].size:
        z = np.atleast_1d(z)
        a, right = (np.broadcast_to(v, z.shape) for v in (a, right))
        for _ in range(STEPS - FIRST):
            z[left], moved = _stepped(z[left], a[left], right[left])
            left = tuple(at[moved > CLOSE] for at in left)
            if not left[0].size:
                break
        z = z.reshape(shape)
    return expit(z)


def _start(a: Any, right: Any) -> Any:
    """Return the nearest bound of z: the equation is nearly two straight lines, bent up for a > 1 and else down."""
    asymptote = np.where(right < 0, right, right / np.maximum(a, FLATTEST))
    tangent = (right - (a - 1) * np.log(2)) / (0.5 * (1 + a))  # at z = 0
    return np.where(a > 1, np.minimum(asymptote, tangent), np.maximum(asymptote, tangent))


def _stepped(z: Any, a: Any, right: Any) -> tuple[Any, Any]:
    """Take one step on z + (a − 1)·ln(1 + e^z) = right; return z and how far u moved."""
    small = np.exp(-np.abs(z))
    share = np.where(z < 0, small, 1.0) / (1 + small)
    slope = np.maximum(1 + (a - 1) * share, 1e-12)
    newton = (z + (a - 1) * (np.maximum(z, 0.0) + np.log(1 + small)) - right) / slope
    steep = share * (1 - share)
    step = newton / np.maximum(1 - 0.5 * newton * (a - 1) * steep / slope, 0.5)
    # Without the clip the first step from a flat start would leave the range of doubles.
    return z - np.clip(step, -6, 6), np.abs(step) * steep


def _basis(x: Any, a: Any, q: Any, c: Any, x_ref: float) -> tuple[Any, Any]:
    u = _share(x, a, q, c, x_ref)
    return 1 - u, u


def _slopes(phi: Any, x: Any, a: Any, q: Any, c: Any, x_ref: float) -> tuple[Any, ...]:
    """By the implicit function theorem: du = (ln(1−u)·da + dq − ln(x/x_ref)·dc) / (1/u + a/(1−u))."""
    rest, u = phi
    by_q = u * rest / np.maximum(rest + a * u, 1e-300)
    by_a = by_q * np.log(np.maximum(rest, 1e-300))
    by_c = -by_q * np.log(x / x_ref)
    return tuple((-d, d) for d in (by_a, by_q, by_c))


def _inverse(y: Any, E: Any, E0: Any, a: Any, q: Any, c: Any, x_ref: float) -> Any:
    u = (y - E) / (E0 - E)
    return x_ref * np.exp((q - np.log(u) + a * np.log1p(-u)) / c)


def _report(E: Any, E0: Any, a: Any, q: Any, c: Any, x_ref: float) -> dict[str, Any]:
    gap = np.asarray(E0 - E, dtype=float)
    with np.errstate(invalid="ignore"):
        b = gap ** (1 - a) * np.exp(q) * x_ref**c
    return {"E": E, "E0": E0, "a": a, "b": b, "c": c}


def _unreport(E: Any, E0: Any, a: Any, b: Any, c: Any, x_ref: float) -> tuple[Any, ...]:
    gap = np.asarray(E0 - E, dtype=float)
    return E, E0, a, np.log(b) - (1 - a) * np.log(gap) - c * np.log(x_ref), c


def _positions(x: Any, x_ref: float) -> tuple[float, float]:
    """Ln u/(1−u)^a at the reference: from a tail of a power law to far inside the plateau."""
    return -12.0, 12.0


def _power(E: float, A: float, alpha: float) -> dict[str, float]:
    """Return M4 without a plateau: for a = 0 any E0 far above the data gives the same power law."""
    gap = 1e3 * max(A, 1.0)
    return {"E": E, "E0": E + gap, "a": 0.0, "b": A, "c": alpha}


m4 = Law(
    name="m4",
    formula="(y − E)/(E0 − y)^a = b·x^−c",
    coefficients=(
        Coefficient("E", 0.0, meaning="irreducible loss", role="floor"),
        Coefficient("E0", 0.0, meaning="loss of a model that has learned nothing", role="ceiling"),
    ),
    shapes=(
        Shape("a", (0.0, 10.0), "square", points=9, meaning="how long the plateau lasts"),
        Shape("q", _positions, points=17, meaning="where the plateau ends"),
        Shape("c", (0.0, 5.0), "square", points=13, meaning="exponent", role="exponent"),
    ),
    basis=_basis,
    slopes=_slopes,
    anchor=lambda x: {"x_ref": geometric_mean(x)},
    reported=("E", "E0", "a", "b", "c"),
    report=_report,
    unreport=_unreport,
    inverse=_inverse,
    falls=True,
    special=(Special("power", _power),),
    source="Alabdulmohsin, Neyshabur and Zhai 2022, arXiv 2209.06640, equation of M4",
)
