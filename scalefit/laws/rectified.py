"""The rectified law of supervised finetuning: a flat pre-power phase, then a power law."""

from __future__ import annotations

from typing import Any

import numpy as np

from scalefit.laws._scale import geometric_mean
from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape


def _basis(D: Any, d: Any, beta: Any, x_ref: float) -> tuple[Any, Any]:
    return 1.0, 1 / (d**beta + (D / x_ref) ** beta)


def _slopes(
    phi: Any, D: Any, d: Any, beta: Any, x_ref: float
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    x = D / x_ref
    positive = np.where(np.asarray(d) > 0, d, 1.0)
    knee, rise = d**beta, x**beta
    square = -phi[1] * phi[1]
    by_d = square * beta * np.where(np.asarray(d) > 0, knee / positive, 0.0)
    by_beta = square * (knee * np.log(positive) + rise * np.log(x))
    return (0.0, by_d), (0.0, by_beta)


def _inverse(y: Any, E: Any, b: Any, d: Any, beta: Any, x_ref: float) -> Any:
    return x_ref * (b / (y - E) - d**beta) ** (1 / beta)


rectified = Law(
    name="rectified",
    formula="B/(D_l + D^β) + E",
    inputs=("D",),
    coefficients=(
        Coefficient("E", 0.0, meaning="irreducible loss"),
        Coefficient("b", 0.0, meaning="B in units of the reference input"),
    ),
    shapes=(
        Shape(
            "d",
            lambda D, x_ref: (0.0, 10.0 * float(np.max(D)) / x_ref),
            spacing="log",
            points=33,
            meaning="where the flat phase ends, in units of the reference input",
        ),
        Shape("beta", (0.01, 5.0), points=41, meaning="exponent"),
    ),
    basis=_basis,
    slopes=_slopes,
    anchor=lambda D: {"x_ref": geometric_mean(D)},
    reported=("B", "D_l", "beta", "E"),
    report=lambda E, b, d, beta, x_ref: {
        "B": b * x_ref**beta,
        "D_l": (d * x_ref) ** beta,
        "beta": beta,
        "E": E,
    },
    unreport=lambda B, D_l, beta, E, x_ref: (
        E,
        B * x_ref**-beta,
        D_l ** (1 / np.asarray(beta)) / x_ref,
        beta,
    ),
    inverse=_inverse,
    falls=True,
    source="Lin et al. 2024, arXiv 2402.02314, rectified scaling law equation",
)
