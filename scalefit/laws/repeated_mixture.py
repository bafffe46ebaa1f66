"""A scarce target corpus mixed with a generic one: repetition costs, and the share itself counts."""

from __future__ import annotations

from typing import Any

from scalefit.laws.data_constrained import effective, effective_slope
from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, decay, fall, geometric_mean


def _basis(
    N: Any, D: Any, h: Any, U: Any, *shapes: Any, N_ref: float, U_ref: float
) -> tuple[Any, ...]:
    alpha, beta, delta, stale = shapes
    fresh = effective(h * D, U, stale)
    scarce = decay(N, -delta, N_ref) * decay(fresh, alpha, U_ref)
    return 1.0, decay(N, beta, N_ref), scarce, h


def _slopes(
    phi: Any, N: Any, D: Any, h: Any, U: Any, *shapes: Any, N_ref: float, U_ref: float
) -> tuple[Any, ...]:
    alpha, _, _, stale = shapes
    fresh = effective(h * D, U, stale)
    by_stale = -alpha * phi[2] / fresh * effective_slope(h * D, U, stale)
    return (
        (0.0, 0.0, fall(phi[2], fresh, U_ref), 0.0),
        (0.0, fall(phi[1], N, N_ref), 0.0, 0.0),
        (0.0, 0.0, -fall(phi[2], N, N_ref), 0.0),
        (0.0, 0.0, by_stale, 0.0),
    )


repeated_mixture = Law(
    name="repeated_mixture",
    formula="E + C·N^−β + B·N^δ·D_e^−α + γ·h, D_e = U·(1 + r·(1 − e^(−(h·D/U − 1)/r)))",
    inputs=("N", "D", "h", "U"),
    coefficients=(
        Coefficient("E", meaning="irreducible loss"),
        Coefficient("c", 0.0, meaning="the model-size term at the reference size"),
        Coefficient("b", 0.0, meaning="the target-data term at the references", role="scale"),
        Coefficient("gamma", meaning="what the target's share itself adds"),
    ),
    shapes=(
        Shape("alpha", (0.0, 2.0), points=9, meaning="exponent of target data", role="exponent"),
        Shape("beta", (0.0, 2.0), points=8, meaning="exponent of model size"),
        Shape("delta", (0.0, 2.0), points=7, meaning="how much more data a larger model wants"),
        Shape(
            "stale", (1e-3, 10.0), "log", points=7, meaning="1/r: how fast repetitions lose worth"
        ),
    ),
    basis=_basis,
    slopes=_slopes,
    anchor=lambda N, D, h, U: {"N_ref": geometric_mean(N), "U_ref": geometric_mean(U)},
    reported=("E", "C", "beta", "B", "delta", "alpha", "r", "gamma"),
    report=lambda E, c, b, gamma, alpha, beta, delta, stale, N_ref, U_ref: {
        "E": E,
        "C": c * N_ref**beta,
        "beta": beta,
        "B": b * N_ref**-delta * U_ref**alpha,
        "delta": delta,
        "alpha": alpha,
        "r": 1 / stale,
        "gamma": gamma,
    },
    unreport=lambda E, C, beta, B, delta, alpha, r, gamma, N_ref, U_ref: (
        E,
        C * N_ref**-beta,
        B * N_ref**delta * U_ref**-alpha,
        gamma,
        alpha,
        beta,
        delta,
        1 / r,
    ),
    source="Sedova et al. 2026, arXiv 2605.12715, repetition-aware mixture equation, as read in Marin's code",
)
