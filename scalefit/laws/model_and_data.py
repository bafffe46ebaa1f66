"""Model size and data size: two terms over a floor (Chinchilla), under one power (Skaling, Kaplan), two languages."""

from __future__ import annotations

from typing import Any

import numpy as np

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, Special, decay, fall, geometric_mean

FLOOR = Coefficient("E", 0.0, meaning="irreducible loss", role="floor")
OF_SIZE = Coefficient("a", 0.0, meaning="the model-size term at the reference size")
OF_DATA = Coefficient("b", 0.0, meaning="the data term at the reference size")


def _anchor(X: Any, Y: Any) -> dict[str, float]:
    return {"X_ref": geometric_mean(X), "Y_ref": geometric_mean(Y)}


chinchilla = Law(
    name="chinchilla",
    formula="E + A·N^−α + B·D^−β",
    inputs=("N", "D"),
    coefficients=(FLOOR, OF_SIZE, OF_DATA),
    shapes=(
        Shape("alpha", (0.0, 3.0), "square", 13, meaning="exponent of model size", role="exponent"),
        Shape("beta", (0.0, 3.0), "square", 13, meaning="exponent of data size"),
    ),
    basis=lambda N, D, alpha, beta, X_ref, Y_ref: (
        1.0,
        decay(N, alpha, X_ref),
        decay(D, beta, Y_ref),
    ),
    slopes=lambda phi, N, D, alpha, beta, X_ref, Y_ref: (
        (0.0, fall(phi[1], N, X_ref), 0.0),
        (0.0, 0.0, fall(phi[2], D, Y_ref)),
    ),
    anchor=_anchor,
    falls=True,
    source="Hoffmann et al. 2022, arXiv 2203.15556, eq. 2",
).quoting(
    E="E", A=("a", {"X_ref": "alpha"}), B=("b", {"Y_ref": "beta"}), alpha="alpha", beta="beta"
)


# Skaling: both terms under one power, so that model and data size can trade places otherwise.


def _terms(
    N: Any, D: Any, w: Any, alpha: Any, beta: Any, X_ref: float, Y_ref: float
) -> tuple[Any, Any]:
    return w * decay(N, alpha, X_ref), (1 - w) * decay(D, beta, Y_ref)


def _skaling_basis(
    N: Any, D: Any, w: Any, alpha: Any, beta: Any, k: Any, X_ref: float, Y_ref: float
) -> tuple[Any, Any]:
    n, d = _terms(N, D, w, alpha, beta, X_ref, Y_ref)
    return 1.0, (n + d) ** k


def _skaling_slopes(
    phi: Any, N: Any, D: Any, w: Any, alpha: Any, beta: Any, k: Any, X_ref: float, Y_ref: float
) -> tuple[Any, ...]:
    n, d = _terms(N, D, w, alpha, beta, X_ref, Y_ref)
    total = n + d
    steep = k * phi[1] / total
    by_w = decay(N, alpha, X_ref) - decay(D, beta, Y_ref)
    by = (by_w * steep, np.log(X_ref / N) * n * steep, np.log(Y_ref / D) * d * steep)
    return tuple((0.0, each) for each in (*by, np.log(total) * phi[1]))


def _skaling_report(
    E: Any, s: Any, w: Any, alpha: Any, beta: Any, k: Any, X_ref: float, Y_ref: float
) -> dict[str, Any]:
    unit = np.asarray(s, dtype=float) ** (1 / np.asarray(k))
    A, B = unit * w * X_ref**alpha, unit * (1 - w) * Y_ref**beta
    return {"E": E, "A": A, "B": B, "alpha": alpha, "beta": beta, "k": k}


def _skaling_unreport(
    E: Any, A: Any, B: Any, alpha: Any, beta: Any, k: Any, X_ref: float, Y_ref: float
) -> tuple[Any, ...]:
    a, b = A * X_ref**-alpha, B * Y_ref**-beta
    return E, (a + b) ** k, a / np.maximum(a + b, 1e-300), alpha, beta, k  # both may be 0


skaling = Law(
    name="skaling",
    formula="E + (A·N^−α + B·D^−β)^k",
    inputs=("N", "D"),
    coefficients=(
        FLOOR,
        Coefficient("s", 0.0, meaning="the reducible part at the reference sizes", role="scale"),
    ),
    shapes=(
        Shape("w", (0.0, 1.0), points=5, meaning="share of the model-size term at the reference"),
        Shape("alpha", (0.0, 3.0), points=9, meaning="exponent of model size", role="exponent"),
        Shape("beta", (0.0, 3.0), points=9, meaning="exponent of data size"),
        Shape("k", (0.1, 5.0), "log", points=7, meaning="power over both terms"),
    ),
    basis=_skaling_basis,
    slopes=_skaling_slopes,
    anchor=_anchor,
    reported=("E", "A", "B", "alpha", "beta", "k"),
    report=_skaling_report,
    unreport=_skaling_unreport,
    falls=True,
    special=(Special("chinchilla", lambda **same: {**same, "k": 1.0}),),
    source="Videau et al. 2026, Skaling equation, as implemented in simple-scaling-laws",
)


# Kaplan has no floor. With n = N/N_ref and d = D/D_ref the solver works in s·(w·n^−γ + (1 − w)·d^−1)^k, where
# γ = α_N/α_D and k = α_D.


def _kaplan_basis(
    N: Any, D: Any, w: Any, gamma: Any, k: Any, N_ref: float, D_ref: float
) -> tuple[Any]:
    return ((w * decay(N, gamma, N_ref) + (1 - w) * (D_ref / D)) ** k,)


def _kaplan_slopes(
    phi: Any, N: Any, D: Any, w: Any, gamma: Any, k: Any, N_ref: float, D_ref: float
) -> tuple[tuple[Any], ...]:
    small, scarce = decay(N, gamma, N_ref), D_ref / D
    total = w * small + (1 - w) * scarce
    steep = k * phi[0] / total
    by_gamma = w * small * np.log(N_ref / N) * steep
    return ((small - scarce) * steep,), (by_gamma,), (np.log(total) * phi[0],)


def _kaplan_report(
    s: Any, w: Any, gamma: Any, k: Any, N_ref: float, D_ref: float
) -> dict[str, Any]:
    unit = np.asarray(s, dtype=float) ** (1 / np.asarray(k))
    with np.errstate(all="ignore"):
        N_c = N_ref * (unit * w) ** (1 / np.asarray(gamma))
    return {"alpha_N": gamma * k, "N_c": N_c, "alpha_D": k, "D_c": unit * (1 - w) * D_ref}


def _kaplan_unreport(
    alpha_N: Any, N_c: Any, alpha_D: Any, D_c: Any, N_ref: float, D_ref: float
) -> tuple[Any, ...]:
    gamma = alpha_N / alpha_D
    n, d = (np.asarray(N_c) / N_ref) ** gamma, np.asarray(D_c) / D_ref
    return (n + d) ** alpha_D, n / (n + d), gamma, alpha_D


kaplan = Law(
    name="kaplan",
    formula="((N_c/N)^(α_N/α_D) + D_c/D)^α_D",
    inputs=("N", "D"),
    coefficients=(Coefficient("s", 0.0, meaning="loss at the reference sizes", role="scale"),),
    shapes=(
        Shape("w", (0.0, 1.0), "ends", 15, meaning="share of the model-size term at the reference"),
        Shape("gamma", (0.0, 5.0), "square", points=17, meaning="α_N/α_D", role="exponent"),
        Shape("k", (0.02, 5.0), "log", points=15, meaning="α_D, exponent of data size"),
    ),
    basis=_kaplan_basis,
    slopes=_kaplan_slopes,
    anchor=lambda N, D: {"N_ref": geometric_mean(N), "D_ref": geometric_mean(D)},
    reported=("alpha_N", "N_c", "alpha_D", "D_c"),
    report=_kaplan_report,
    unreport=_kaplan_unreport,
    falls=True,
    source="Kaplan et al. 2020, arXiv 2001.08361, eq. 1.5; for translation: Gordon, Duh and Kaplan 2021",
)


# Cross-lingual: a token of another language is worth γ tokens of the one that is tested.


def _weighted_slopes(
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
    coefficients=(FLOOR, OF_SIZE, OF_DATA),
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
    slopes=_weighted_slopes,
    anchor=lambda N, D, S: {"N_ref": geometric_mean(N), "D_ref": geometric_mean(D)},
    falls=True,
    takes="zero",
    special=(Special("chinchilla", lambda **same: {**same, "gamma": 0.0}, inputs=("N", "D")),),
    source="Longpre et al. 2025, arXiv 2510.22037 (ATLAS), equation of effective data, without its repetition term",
).quoting(
    E="E",
    A=("a", {"N_ref": "alpha"}),
    B=("b", {"D_ref": "beta"}),
    alpha="alpha",
    beta="beta",
    gamma="gamma",
)
