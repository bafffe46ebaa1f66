"""The rectified law of supervised finetuning: a flat pre-power phase, then a power law.

With z = x / x_ref the solver works in E + b / (q + z^β). The knee q = D_l / x_ref^β is what bends the curve; its
size in inputs, D_l^(1/β), runs off the grid where β is small, and a search along it missed the optimum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, Special, geometric_mean


def _basis(D: Any, q: Any, beta: Any, x_ref: float) -> tuple[Any, Any]:
    return 1.0, 1 / (q + (D / x_ref) ** beta)


def _slopes(
    phi: Any, D: Any, q: Any, beta: Any, x_ref: float
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    x, square = D / x_ref, -phi[1] * phi[1]
    # at D = 0 the rise does not depend on β: the clip keeps 0·ln 0 from becoming nan
    return (0.0, square), (0.0, square * x**beta * np.log(np.maximum(x, 1e-300)))


def _inverse(y: Any, E: Any, b: Any, q: Any, beta: Any, x_ref: float) -> Any:
    return x_ref * (b / (y - E) - q) ** (1 / beta)


def _knees(D: Any, x_ref: float) -> tuple[float, float]:
    """From none to one beyond the largest input for every β up to 3."""
    return 0.0, 10.0 * max(float(np.max(D)) / x_ref, 1.0) ** 3


rectified = Law(
    name="rectified",
    formula="B/(D_l + D^β) + E",
    inputs=("D",),
    coefficients=(
        Coefficient("E", 0.0, meaning="irreducible loss", role="floor"),
        Coefficient("b", 0.0, meaning="B in units of the reference input", role="scale"),
    ),
    shapes=(
        Shape(
            "q",
            _knees,
            spacing="log",
            points=49,
            meaning="D_l in units of the reference input to the power β",
        ),
        Shape("beta", (0.0, 5.0), "square", points=41, meaning="exponent", role="exponent"),
    ),
    basis=_basis,
    slopes=_slopes,
    anchor=lambda D: {"x_ref": geometric_mean(D)},
    reported=("B", "D_l", "beta", "E"),
    report=lambda E, b, q, beta, x_ref: {
        "B": b * x_ref**beta,
        "D_l": q * x_ref**beta,
        "beta": beta,
        "E": E,
    },
    unreport=lambda B, D_l, beta, E, x_ref: (E, B * x_ref**-beta, D_l * x_ref**-beta, beta),
    inverse=_inverse,
    falls=True,
    takes="zero",
    special=(
        Special("power", lambda E, A, alpha: {"B": A, "D_l": 0.0, "beta": alpha, "E": E}),
        Special("pure_power", lambda A, alpha: {"B": A, "D_l": 0.0, "beta": alpha, "E": 0.0}),
    ),
    source="Lin et al. 2024, arXiv 2402.02314, rectified scaling law equation",
)
