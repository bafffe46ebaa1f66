"""Chinchilla where data repeat: later epochs, and parameters beyond what the data can fill, are worth ever less."""

from __future__ import annotations

from typing import Any

import numpy as np

from scalefit.laws._repeat import effective, effective_slope
from scalefit.laws._scale import decay, fall, geometric_mean
from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, Special

FILLED = 0.051  # parameters that one unique token can fill, of the published fit; see the page


def _sizes(N: Any, D: Any, U: Any, spare: Any, stale: Any) -> tuple[Any, Any]:
    """Return effective parameters and effective tokens."""
    return effective(N, np.minimum(N, FILLED * U), spare), effective(D, U, stale)


def _basis(
    N: Any,
    D: Any,
    U: Any,
    alpha: Any,
    beta: Any,
    spare: Any,
    stale: Any,
    N_ref: float,
    D_ref: float,
) -> tuple[Any, Any, Any]:
    n, d = _sizes(N, D, U, spare, stale)
    return 1.0, decay(n, alpha, N_ref), decay(d, beta, D_ref)


def _slopes(
    phi: Any,
    N: Any,
    D: Any,
    U: Any,
    alpha: Any,
    beta: Any,
    spare: Any,
    stale: Any,
    N_ref: float,
    D_ref: float,
) -> tuple[Any, ...]:
    n, d = _sizes(N, D, U, spare, stale)
    by_spare = -alpha * phi[1] / n * effective_slope(N, np.minimum(N, FILLED * U), spare)
    by_stale = -beta * phi[2] / d * effective_slope(D, U, stale)
    return (
        (0.0, fall(phi[1], n, N_ref), 0.0),
        (0.0, 0.0, fall(phi[2], d, D_ref)),
        (0.0, by_spare, 0.0),
        (0.0, 0.0, by_stale),
    )


def _report(
    E: Any,
    a: Any,
    b: Any,
    alpha: Any,
    beta: Any,
    spare: Any,
    stale: Any,
    N_ref: float,
    D_ref: float,
) -> dict[str, Any]:
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
        Shape("alpha", (0.0, 3.0), points=11, meaning="exponent of model size", role="exponent"),
        Shape("beta", (0.0, 3.0), points=11, meaning="exponent of data size"),
        Shape(
            "spare",
            (0.0, 10.0),
            "log",
            points=5,
            meaning="1/R_N: how fast spare parameters lose worth",
        ),
        Shape(
            "stale",
            (0.0, 10.0),
            "log",
            points=6,
            meaning="1/R_D: how fast repeated tokens lose worth",
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
            "chinchilla",
            lambda **same: {**same, "R_N": np.inf, "R_D": np.inf},
            inputs=("N", "D"),
        ),
    ),
    source="Muennighoff et al. 2023, arXiv 2305.16264, equations of effective data and parameters",
)
