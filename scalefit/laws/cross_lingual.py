"""Chinchilla with weighted tokens: a token of another language is worth γ tokens of the one that is tested."""

from __future__ import annotations

from typing import Any

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, Special, decay, fall, geometric_mean


def _slopes(
    phi: Any, N: Any, D: Any, S: Any, alpha: Any, beta: Any, gamma: Any, N_ref: float, D_ref: float
) -> tuple[Any, ...]:
    weighted = D + gamma * S
    return (
        (0.0, fall(phi[1], N, N_ref), 0.0),
        (0.0, 0.0, fall(phi[2], weighted, D_ref)),
        (0.0, 0.0, -beta * phi[2] * S / weighted),
    )


cross_lingual = Law(
    name="cross_lingual",
    formula="E + A·N^−α + B·(D + γ·S)^−β",
    inputs=("N", "D", "S"),
    coefficients=(
        Coefficient("E", 0.0, meaning="irreducible loss", role="floor"),
        Coefficient("a", 0.0, meaning="the model-size term at the reference size"),
        Coefficient("b", 0.0, meaning="the data term at the reference size"),
    ),
    shapes=(
        Shape("alpha", (0.0, 3.0), "square", 13, meaning="exponent of model size", role="exponent"),
        Shape("beta", (0.0, 3.0), "square", 13, meaning="exponent of weighted tokens"),
        Shape(
            "gamma", (0.0, 10.0), "log", points=23, meaning="worth of a token of the other language"
        ),
    ),
    basis=lambda N, D, S, alpha, beta, gamma, N_ref, D_ref: (
        1.0,
        decay(N, alpha, N_ref),
        decay(D + gamma * S, beta, D_ref),
    ),
    slopes=_slopes,
    anchor=lambda N, D, S: {"N_ref": geometric_mean(N), "D_ref": geometric_mean(D)},
    reported=("E", "A", "B", "alpha", "beta", "gamma"),
    report=lambda E, a, b, alpha, beta, gamma, N_ref, D_ref: {
        "E": E,
        "A": a * N_ref**alpha,
        "B": b * D_ref**beta,
        "alpha": alpha,
        "beta": beta,
        "gamma": gamma,
    },
    unreport=lambda E, A, B, alpha, beta, gamma, N_ref, D_ref: (
        E,
        A * N_ref**-alpha,
        B * D_ref**-beta,
        alpha,
        beta,
        gamma,
    ),
    falls=True,
    takes="zero",
    special=(Special("chinchilla", lambda **same: {**same, "gamma": 0.0}, inputs=("N", "D")),),
    source="Longpre et al. 2025, arXiv 2510.22037 (ATLAS), equation of effective data, without its repetition term",
)
