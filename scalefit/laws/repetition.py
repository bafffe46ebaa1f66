"""Data that repeat: later epochs are worth ever less, of all the data or of one corpus in a mixture."""

from __future__ import annotations

from typing import Any

import numpy as np

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, Special, decay, fall, geometric_mean

FLAT = 1e-9  # below, the decay of worth cannot be told from none


def effective(seen: Any, unique: Any, decay: Any) -> Any:
    """Return fresh tokens that ``seen`` tokens of ``unique`` distinct ones are worth.

    ``seen`` up to one epoch; beyond, U·(1 + (1 − e^(−λ·R))/λ) with R = seen/unique − 1 repetitions.
    With R* = 1/λ this is U + U·R*·(1 − e^(−R/R*)).
    """
    again = np.maximum(seen / unique - 1, 0.0)
    return np.minimum(seen, unique) + unique * _worth(again, decay)


def effective_slope(seen: Any, unique: Any, decay: Any) -> Any:
    """Return the derivative of :func:`effective` by the decay λ."""
    again = np.maximum(seen / unique - 1, 0.0)
    z = again * decay
    # (z·e^−z − (1 − e^−z)) / z² loses all digits near 0, where it is −1/2 + z/3 − z²/8
    safe = np.where(z < 1e-3, 1.0, z)
    exact = (safe * np.exp(-safe) + np.expm1(-safe)) / safe**2
    series = -0.5 + z * (1 / 3 - z / 8)
    return unique * again * again * np.where(z < 1e-3, series, exact)


def _worth(again: Any, decay: Any) -> Any:
    """Return (1 − e^(−λ·R))/λ, continued to R at λ = 0."""
    safe = np.maximum(decay, FLAT)
    return np.where(decay < FLAT, again, -np.expm1(-again * safe) / safe)


# Chinchilla where data repeat: parameters beyond what the data can fill are worth ever less, too.
FILLED = 0.051  # parameters that one unique token can fill, of the published fit; see the page


def _sizes(N: Any, D: Any, U: Any, spare: Any, stale: Any) -> tuple[Any, Any]:
    """Return effective parameters and effective tokens."""
    return effective(N, np.minimum(N, FILLED * U), spare), effective(D, U, stale)


def _basis(N: Any, D: Any, U: Any, *shapes: Any, N_ref: float, D_ref: float) -> tuple[Any, ...]:
    alpha, beta, spare, stale = shapes
    n, d = _sizes(N, D, U, spare, stale)
    return 1.0, decay(n, alpha, N_ref), decay(d, beta, D_ref)


def _slopes(
    phi: Any, N: Any, D: Any, U: Any, *shapes: Any, N_ref: float, D_ref: float
) -> tuple[Any, ...]:
    alpha, beta, spare, stale = shapes
    n, d = _sizes(N, D, U, spare, stale)
    by_spare = -alpha * phi[1] / n * effective_slope(N, np.minimum(N, FILLED * U), spare)
    by_stale = -beta * phi[2] / d * effective_slope(D, U, stale)
    return (
        (0.0, fall(phi[1], n, N_ref), 0.0),
        (0.0, 0.0, fall(phi[2], d, D_ref)),
        (0.0, by_spare, 0.0),
        (0.0, 0.0, by_stale),
    )


def _report(E: Any, a: Any, b: Any, *shapes: Any, N_ref: float, D_ref: float) -> dict[str, Any]:
    alpha, beta, spare, stale = shapes
    with np.errstate(divide="ignore"):
        R_N, R_D = 1 / np.asarray(spare, dtype=float), 1 / np.asarray(stale, dtype=float)
    A, B = a * N_ref**alpha, b * D_ref**beta
    return {"E": E, "A": A, "B": B, "alpha": alpha, "beta": beta, "R_N": R_N, "R_D": R_D}


def _unreport(
    E: Any, A: Any, B: Any, alpha: Any, beta: Any, R_N: Any, R_D: Any, N_ref: float, D_ref: float
) -> tuple[Any, ...]:
    spare, stale = 1 / np.asarray(R_N, dtype=float), 1 / np.asarray(R_D, dtype=float)
    return E, A * N_ref**-alpha, B * D_ref**-beta, alpha, beta, spare, stale


data_constrained = Law(
    name="data_constrained",
    formula="E + A·N′^−α + B·D′^−β, D′ = U + U·R_D·(1 − e^(−(D/U − 1)/R_D)), N′ likewise",
    inputs=("N", "D", "U"),
    coefficients=(
        Coefficient("E", 0.0, meaning="irreducible loss", role="floor"),
        Coefficient("a", 0.0, meaning="the model-size term at the reference size"),
        Coefficient("b", 0.0, meaning="the data term at the reference size"),
    ),
    shapes=(
        Shape("alpha", (0.0, 3.0), "square", 9, meaning="exponent of model size", role="exponent"),
        Shape("beta", (0.0, 3.0), "square", 9, meaning="exponent of data size"),
        Shape(
            "spare", (0.0, 10.0), "fourth", 6, meaning="1/R_N: how fast spare parameters lose worth"
        ),
        Shape(
            "stale", (0.0, 10.0), "fourth", 7, meaning="1/R_D: how fast repeated tokens lose worth"
        ),
    ),
    basis=_basis,
    slopes=_slopes,
    anchor=lambda N, D, U: {"N_ref": geometric_mean(N), "D_ref": geometric_mean(D)},
    reported=("E", "A", "B", "alpha", "beta", "R_N", "R_D"),
    report=_report,
    unreport=_unreport,
    falls=True,
    special=(
        Special(
            "chinchilla", lambda **same: {**same, "R_N": np.inf, "R_D": np.inf}, inputs=("N", "D")
        ),
    ),
    source="Muennighoff et al. 2023, arXiv 2305.16264, equations of effective data and parameters",
)


# A scarce target corpus mixed with a generic one: repetition costs, and the share itself counts.


def _mixed(
    N: Any, D: Any, h: Any, U: Any, *shapes: Any, N_ref: float, U_ref: float
) -> tuple[Any, ...]:
    alpha, beta, delta, stale = shapes
    fresh = effective(h * D, U, stale)
    scarce = decay(N, -delta, N_ref) * decay(fresh, alpha, U_ref)
    return 1.0, decay(N, beta, N_ref), scarce, h


def _mixed_slopes(
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
        Coefficient("E", 0.0, meaning="irreducible loss"),
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
    basis=_mixed,
    slopes=_mixed_slopes,
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
