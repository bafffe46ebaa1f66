"""Two falling power laws: added over a floor (Chinchilla), or multiplied (finetuning)."""

from __future__ import annotations

from typing import Any

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, Special, decay, fall, geometric_mean

FLOOR = Coefficient("E", 0.0, meaning="irreducible loss", role="floor")


def _anchor(X: Any, Y: Any) -> dict[str, float]:
    return {"X_ref": geometric_mean(X), "Y_ref": geometric_mean(Y)}


def _sum_slopes(phi: Any, N: Any, D: Any, alpha: Any, beta: Any, X_ref: float, Y_ref: float) -> Any:
    return (0.0, fall(phi[1], N, X_ref), 0.0), (0.0, 0.0, fall(phi[2], D, Y_ref))


def _product_slopes(
    phi: Any, X: Any, F: Any, alpha: Any, beta: Any, X_ref: float, Y_ref: float
) -> Any:
    return (0.0, fall(phi[1], X, X_ref)), (0.0, fall(phi[1], F, Y_ref))


chinchilla = Law(
    name="chinchilla",
    formula="E + A·N^−α + B·D^−β",
    inputs=("N", "D"),
    coefficients=(
        FLOOR,
        Coefficient("a", 0.0, meaning="the model-size term at the reference size"),
        Coefficient("b", 0.0, meaning="the data term at the reference size"),
    ),
    shapes=(
        Shape("alpha", (0.0, 3.0), "square", 13, meaning="exponent of model size", role="exponent"),
        Shape("beta", (0.0, 3.0), "square", 13, meaning="exponent of data size"),
    ),
    basis=lambda N, D, alpha, beta, X_ref, Y_ref: (
        1.0,
        decay(N, alpha, X_ref),
        decay(D, beta, Y_ref),
    ),
    slopes=_sum_slopes,
    anchor=_anchor,
    reported=("E", "A", "B", "alpha", "beta"),
    report=lambda E, a, b, alpha, beta, X_ref, Y_ref: {
        "E": E,
        "A": a * X_ref**alpha,
        "B": b * Y_ref**beta,
        "alpha": alpha,
        "beta": beta,
    },
    unreport=lambda E, A, B, alpha, beta, X_ref, Y_ref: (
        E,
        A * X_ref**-alpha,
        B * Y_ref**-beta,
        alpha,
        beta,
    ),
    falls=True,
    source="Hoffmann et al. 2022, arXiv 2203.15556, eq. 2",
)

multiplicative = Law(
    name="multiplicative",
    formula="A·X^−α·F^−β + E",
    inputs=("X", "F"),
    coefficients=(
        FLOOR,
        Coefficient("a", 0.0, meaning="the product at the reference inputs", role="scale"),
    ),
    shapes=(
        Shape(
            "alpha",
            (0.0, 5.0),
            "square",
            points=17,
            meaning="exponent of X: model size, D_p or adapter size",
            role="exponent",
        ),
        Shape("beta", (0.0, 3.0), "square", 11, meaning="exponent of finetuning size"),
    ),
    basis=lambda X, F, alpha, beta, X_ref, Y_ref: (
        1.0,
        decay(X, alpha, X_ref) * decay(F, beta, Y_ref),
    ),
    slopes=_product_slopes,
    anchor=_anchor,
    reported=("A", "alpha", "beta", "E"),
    report=lambda E, a, alpha, beta, X_ref, Y_ref: {
        "A": a * X_ref**alpha * Y_ref**beta,
        "alpha": alpha,
        "beta": beta,
        "E": E,
    },
    unreport=lambda A, alpha, beta, E, X_ref, Y_ref: (
        E,
        A * X_ref**-alpha * Y_ref**-beta,
        alpha,
        beta,
    ),
    falls=True,
    special=(
        Special(
            "power",
            lambda E, A, alpha: {"A": A, "alpha": alpha, "beta": 0.0, "E": E},
            inputs=("X",),
        ),
    ),
    source="Zhang et al. 2024, arXiv 2402.17193, eq. 1 (When scaling meets LLM finetuning)",
)
