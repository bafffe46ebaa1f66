"""Effective data transferred: how much finetuning data a pretraining run is worth."""

from __future__ import annotations

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, decay, fall, geometric_mean

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
    reported=("k", "alpha", "beta"),
    report=lambda s, alpha, beta, F_ref, N_ref: {
        "k": s * F_ref**-alpha * N_ref**-beta,
        "alpha": alpha,
        "beta": beta,
    },
    unreport=lambda k, alpha, beta, F_ref, N_ref: (k * F_ref**alpha * N_ref**beta, alpha, beta),
    falls=False,
    source="Hernandez et al. 2021, arXiv 2102.01293, eq. 1.1",
)
