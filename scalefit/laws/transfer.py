"""What pretraining is worth to finetuning: two powers multiplied, the gap that stays, the data that it replaces."""

from __future__ import annotations

from typing import Any

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, Special, decay, fall, geometric_mean

multiplicative = Law(
    name="multiplicative",
    formula="A·X^−α·F^−β + E",
    inputs=("X", "F"),
    coefficients=(
        Coefficient("E", 0.0, meaning="irreducible loss", role="floor"),
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
    slopes=lambda phi, X, F, alpha, beta, X_ref, Y_ref: (
        (0.0, fall(phi[1], X, X_ref)),
        (0.0, fall(phi[1], F, Y_ref)),
    ),
    anchor=lambda X, F: {"X_ref": geometric_mean(X), "Y_ref": geometric_mean(F)},
    falls=True,
    special=(
        Special(
            "power",
            lambda E, A, alpha: {"A": A, "alpha": alpha, "beta": 0.0, "E": E},
            inputs=("X",),
        ),
    ),
    source="Zhang et al. 2024, arXiv 2402.17193, eq. 1 (When scaling meets LLM finetuning)",
).quoting(A=("a", {"X_ref": "alpha", "Y_ref": "beta"}), alpha="alpha", beta="beta", E="E")


def _basis(P: Any, F: Any, alpha: Any, beta: Any, P_ref: float, F_ref: float) -> tuple[Any, ...]:
    tuned = decay(F, beta, F_ref)
    return 1.0, decay(P, alpha, P_ref) * tuned, tuned


def _slopes(
    phi: Any, P: Any, F: Any, alpha: Any, beta: Any, P_ref: float, F_ref: float
) -> tuple[Any, ...]:
    return (
        (0.0, fall(phi[1], P, P_ref), 0.0),
        (0.0, fall(phi[1], F, F_ref), fall(phi[2], F, F_ref)),
    )


# The gap G: what no amount of pretraining takes away, only finetuning data do.
transfer_gap = Law(
    name="transfer_gap",
    formula="(A·P^−α + G)·F^−β + E",
    inputs=("P", "F"),
    coefficients=(
        Coefficient("E", 0.0, meaning="irreducible loss", role="floor"),
        Coefficient("a", 0.0, meaning="the pretraining part at the reference sizes", role="scale"),
        Coefficient("g", 0.0, meaning="the gap at the reference finetuning size"),
    ),
    shapes=(
        Shape(
            "alpha",
            (0.0, 5.0),
            "square",
            points=33,
            meaning="exponent of pretraining size",
            role="exponent",
        ),
        Shape("beta", (0.0, 5.0), "square", points=33, meaning="exponent of finetuning size"),
    ),
    basis=_basis,
    slopes=_slopes,
    anchor=lambda P, F: {"P_ref": geometric_mean(P), "F_ref": geometric_mean(F)},
    falls=True,
    special=(
        Special(
            "multiplicative",
            lambda A, alpha, beta, E: {"A": A, "alpha": alpha, "G": 0.0, "beta": beta, "E": E},
            inputs=("P", "F"),
        ),
    ),
    source="Mikami et al. 2021, arXiv 2108.11018, full equation; the floor of Barnett 2024, arXiv 2408.16947",
).quoting(
    A=("a", {"P_ref": "alpha", "F_ref": "beta"}),
    alpha="alpha",
    G=("g", {"F_ref": "beta"}),
    beta="beta",
    E="E",
)

# Effective data transferred: how much finetuning data a pretraining run is worth.
effective_data = Law(
    name="effective_data",
    formula="k·F^α·N^β",
    inputs=("F", "N"),
    coefficients=(
        Coefficient("s", 0.0, meaning="data transferred at the reference sizes", role="scale"),
    ),
    shapes=(
        Shape(
            "alpha", (0.0, 3.0), points=31, meaning="exponent of finetuning size", role="exponent"
        ),
        Shape("beta", (0.0, 3.0), points=31, meaning="exponent of model size"),
    ),
    basis=lambda F, N, alpha, beta, F_ref, N_ref: (
        decay(F, -alpha, F_ref) * decay(N, -beta, N_ref),
    ),
    slopes=lambda phi, F, N, alpha, beta, F_ref, N_ref: (
        (-fall(phi[0], F, F_ref),),
        (-fall(phi[0], N, N_ref),),
    ),
    anchor=lambda F, N: {"F_ref": geometric_mean(F), "N_ref": geometric_mean(N)},
    falls=False,
    source="Hernandez et al. 2021, arXiv 2102.01293, eq. 1.1",
).quoting(k=("s", {"F_ref": "-alpha", "N_ref": "-beta"}), alpha="alpha", beta="beta")
