"""Accuracy of a task straight from compute: its logarithm is a power law."""

from __future__ import annotations

from typing import Any

import numpy as np

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, decay, fall, geometric_mean


def _inverse(y: Any, a: Any, alpha: Any, x_ref: float) -> Any:
    return x_ref * (-np.log(y) / a) ** (-1 / alpha)


log_accuracy = Law(
    name="log_accuracy",
    formula="e^(−A·C^−α)",
    inputs=("C",),
    link="log",
    coefficients=(
        Coefficient("a", 0.0, meaning="−ln accuracy at the reference compute", role="scale"),
    ),
    shapes=(Shape("alpha", (0.0, 5.0), "square", points=65, meaning="exponent", role="exponent"),),
    basis=lambda C, alpha, x_ref: (-decay(C, alpha, x_ref),),
    slopes=lambda phi, C, alpha, x_ref: ((fall(phi[0], C, x_ref),),),
    anchor=lambda C: {"x_ref": geometric_mean(C)},
    reported=("A", "alpha"),
    report=lambda a, alpha, x_ref: {"A": a * x_ref**alpha, "alpha": alpha},
    unreport=lambda A, alpha, x_ref: (A * x_ref**-alpha, alpha),
    inverse=_inverse,
    falls=False,
    source="Krajewski et al. 2025, equation −log Q′ = A·C^−α of downstream accuracy",
)
