"""Power laws in one input: plain, bent at either end, towards a ceiling, two against each other, of a logarithm."""

from __future__ import annotations

from typing import Any

import numpy as np

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, Special, decay, fall, geometric_mean

ALPHA = Shape("alpha", (0.0, 5.0), spacing="square", points=65, meaning="exponent", role="exponent")
SCALE = Coefficient("a", 0.0, meaning="the falling part at the reference input", role="scale")


def _anchor(x: Any) -> dict[str, float]:
    return {"x_ref": geometric_mean(x)}


def _inverse(y: Any, E: Any, a: Any, alpha: Any, x_ref: float) -> Any:
    return x_ref * ((y - E) / a) ** (-1 / alpha)


power = Law(
    name="power",
    formula="E + A·x^−α",
    coefficients=(Coefficient("E", 0.0, meaning="irreducible loss", role="floor"), SCALE),
    shapes=(ALPHA,),
    basis=lambda x, alpha, x_ref: (1.0, decay(x, alpha, x_ref)),
    slopes=lambda phi, x, alpha, x_ref: ((0.0, fall(phi[1], x, x_ref)),),
    anchor=_anchor,
    inverse=_inverse,
    falls=True,
    special=(Special("pure_power", lambda A, alpha: {"E": 0.0, "A": A, "alpha": alpha}),),
    source="Hestness et al. 2017, arXiv 1712.00409; Isik et al. 2024, arXiv 2402.04177, eq. 3 (cross-entropy)",
).quoting(E="E", A=("a", {"x_ref": "alpha"}), alpha="alpha")

pure_power = Law(
    name="pure_power",
    formula="A·x^−α",
    coefficients=(SCALE,),
    shapes=(ALPHA,),
    basis=lambda x, alpha, x_ref: (decay(x, alpha, x_ref),),
    slopes=lambda phi, x, alpha, x_ref: ((fall(phi[0], x, x_ref),),),
    anchor=_anchor,
    inverse=lambda y, a, alpha, x_ref: _inverse(y, 0.0, a, alpha, x_ref),
    falls=True,
    source="Kaplan et al. 2020, arXiv 2001.08361, eq. 1.2",
).quoting(A=("a", {"x_ref": "alpha"}), alpha="alpha")

# Quality that nears a ceiling: what is missing falls as a power law.
ceiling = Law(
    name="ceiling",
    formula="c − a·x^−b",
    coefficients=(
        Coefficient("c", meaning="quality it nears", role="ceiling"),
        Coefficient("m", 0.0, meaning="what is missing at the reference input", role="scale"),
    ),
    # Below, the curve is a straight line in ln x to the last digit that a descent sees, and c runs off without end.
    shapes=(Shape("b", (1e-3, 5.0), "square", points=65, meaning="exponent", role="exponent"),),
    basis=lambda x, b, x_ref: (1.0, -decay(x, b, x_ref)),
    slopes=lambda phi, x, b, x_ref: ((0.0, fall(phi[1], x, x_ref)),),
    anchor=_anchor,
    inverse=lambda y, c, a, b, x_ref: x_ref * ((c - y) / a) ** (-1 / b),
    falls=False,
    source="Hestness et al. 2017, arXiv 1712.00409, power-law equation of generalization error, turned upside down",
).quoting(c="c", a=("m", {"x_ref": "b"}), b="b")

# What finetuning gains, and what it loses again by overfitting.
two_powers = Law(
    name="two_powers",
    formula="C + A·x^−a + G·x^g",
    coefficients=(
        Coefficient("C", 0.0, meaning="what neither part changes", role="floor"),
        Coefficient("fallen", 0.0, meaning="the falling part at the reference input", role="scale"),
        Coefficient("risen", 0.0, meaning="the rising part at the reference input"),
    ),
    shapes=(
        Shape(
            "a", (0.0, 5.0), "square", points=65, meaning="exponent of the fall", role="exponent"
        ),
        Shape("g", (0.0, 1.0), points=41, meaning="exponent of the rise"),
    ),
    basis=lambda x, a, g, x_ref: (1.0, decay(x, a, x_ref), decay(x, -g, x_ref)),
    slopes=lambda phi, x, a, g, x_ref: (
        (0.0, fall(phi[1], x, x_ref), 0.0),
        (0.0, 0.0, -fall(phi[2], x, x_ref)),
    ),
    anchor=_anchor,
    special=(
        Special("power", lambda E, A, alpha: {"C": E, "A": A, "a": alpha, "G": 0.0, "g": 0.5}),
    ),
    source="Baek et al. 2026, arXiv 2603.16177 (The finetuner's fallacy), equation of the overfitting law",
).quoting(C="C", A=("fallen", {"x_ref": "a"}), a="a", G=("risen", {"x_ref": "-g"}), g="g")


def _bansal_slopes(
    columns: Any, x: Any, gamma: Any, alpha: Any, x_ref: float
) -> tuple[tuple[Any], tuple[Any]]:
    inner, (phi,) = x_ref / x + gamma, columns
    return (alpha * phi / inner,), (np.log(inner) * phi,)


# Neural machine translation (M3): a power law that bends to a plateau.
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
        Shape("alpha", (0.0, 5.0), "log", meaning="exponent", role="exponent"),
    ),
    basis=lambda x, g, alpha, x_ref: ((x_ref / x + g) ** alpha,),
    slopes=_bansal_slopes,
    anchor=_anchor,
    inverse=lambda y, a, gamma, alpha, x_ref: x_ref / ((y / a) ** (1 / alpha) - gamma),
    falls=True,
    special=(Special("pure_power", lambda A, alpha: {"A": A, "gamma": 0.0, "alpha": alpha}),),
    source="Bansal et al. 2022, arXiv 2202.01994, data scaling equation; M3 of Alabdulmohsin et al. 2022",
).quoting(A=("a", {"x_ref": "alpha"}), gamma=("g", {"x_ref": -1}), alpha="alpha")

# Accuracy of a task straight from compute: its logarithm is a power law.
log_accuracy = Law(
    name="log_accuracy",
    formula="e^(−A·C^−α)",
    inputs=("C",),
    link="log",
    coefficients=(
        Coefficient("a", 0.0, meaning="−ln accuracy at the reference compute", role="scale"),
    ),
    shapes=(ALPHA,),
    basis=lambda C, alpha, x_ref: (-decay(C, alpha, x_ref),),
    slopes=lambda phi, C, alpha, x_ref: ((fall(phi[0], C, x_ref),),),
    anchor=_anchor,
    inverse=lambda y, a, alpha, x_ref: _inverse(-np.log(y), 0.0, a, alpha, x_ref),
    falls=False,
    source="Krajewski et al. 2025, equation −log Q′ = A·C^−α of downstream accuracy",
).quoting(A=("a", {"x_ref": "alpha"}), alpha="alpha")


# Supervised finetuning: a flat pre-power phase, then a power law. With z = x / x_ref the solver works in
# E + b / (q + z^β). The knee q = D_l / x_ref^β is what bends the curve; its size in inputs, D_l^(1/β), runs off the
# grid where β is small, and a search along it missed the optimum.


def _knee(D: Any, q: Any, beta: Any, x_ref: float) -> tuple[Any, Any]:
    return 1.0, 1 / (q + (D / x_ref) ** beta)


def _knee_slopes(
    phi: Any, D: Any, q: Any, beta: Any, x_ref: float
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    x, square = D / x_ref, -phi[1] * phi[1]
    # at D = 0 the rise does not depend on β: the clip keeps 0·ln 0 from becoming nan
    return (0.0, square), (0.0, square * x**beta * np.log(np.maximum(x, 1e-300)))


def _knee_inverse(y: Any, E: Any, b: Any, q: Any, beta: Any, x_ref: float) -> Any:
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
    basis=_knee,
    slopes=_knee_slopes,
    anchor=_anchor,
    inverse=_knee_inverse,
    falls=True,
    takes="zero",
    special=(
        Special("power", lambda E, A, alpha: {"B": A, "D_l": 0.0, "beta": alpha, "E": E}),
        Special("pure_power", lambda A, alpha: {"B": A, "D_l": 0.0, "beta": alpha, "E": 0.0}),
    ),
    source="Lin et al. 2024, arXiv 2402.02314, rectified scaling law equation",
).quoting(B=("b", {"x_ref": "beta"}), D_l=("q", {"x_ref": "beta"}), beta="beta", E="E")
