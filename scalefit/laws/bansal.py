"""Bansal's law of neural machine translation (M3): a power law that bends to a plateau."""

from __future__ import annotations

from typing import Any

import numpy as np

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, Special, geometric_mean


def _slopes(
    columns: Any, x: Any, gamma: Any, alpha: Any, x_ref: float
) -> tuple[tuple[Any], tuple[Any]]:
    inner, (phi,) = x_ref / x + gamma, columns
    return (alpha * phi / inner,), (np.log(inner) * phi,)


def _inverse(y: Any, a: Any, gamma: Any, alpha: Any, x_ref: float) -> Any:
    return x_ref / ((y / a) ** (1 / alpha) - gamma)


bansal = Law(
    name="bansal",
    formula="A·(1/x + γ)^α",
    coefficients=(
        Coefficient("a", 0.0, meaning="A in units of the reference input", role="scale"),
    ),
    shapes=(
        Shape(
            "g",
            lambda x, x_ref: (0.0, 10.0 * x_ref / float(np.min(x))),
            spacing="log",
            points=33,
            meaning="γ in units of the reference input",
        ),
        Shape("alpha", (0.0, 5.0), points=26, meaning="exponent", role="exponent"),
    ),
    basis=lambda x, g, alpha, x_ref: ((x_ref / x + g) ** alpha,),
    slopes=_slopes,
    anchor=lambda x: {"x_ref": geometric_mean(x)},
    reported=("A", "gamma", "alpha"),
    report=lambda a, g, alpha, x_ref: {"A": a * x_ref**alpha, "gamma": g / x_ref, "alpha": alpha},
    unreport=lambda A, gamma, alpha, x_ref: (A * x_ref**-alpha, gamma * x_ref, alpha),
    inverse=_inverse,
    falls=True,
    special=(Special("pure_power", lambda A, alpha: {"A": A, "gamma": 0.0, "alpha": alpha}),),
    source="Bansal et al. 2022, arXiv 2202.01994, data scaling equation; M3 of Alabdulmohsin et al. 2022",
)
