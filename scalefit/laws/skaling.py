"""Skaling: Chinchilla's two terms under one power, so that model and data size can trade places otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, Special, decay, geometric_mean


def _terms(
    N: Any, D: Any, w: Any, alpha: Any, beta: Any, X_ref: float, Y_ref: float
) -> tuple[Any, Any]:
    return w * decay(N, alpha, X_ref), (1 - w) * decay(D, beta, Y_ref)


def _basis(
    N: Any, D: Any, w: Any, alpha: Any, beta: Any, k: Any, X_ref: float, Y_ref: float
) -> tuple[Any, Any]:
    n, d = _terms(N, D, w, alpha, beta, X_ref, Y_ref)
    return 1.0, (n + d) ** k


def _slopes(
    phi: Any, N: Any, D: Any, w: Any, alpha: Any, beta: Any, k: Any, X_ref: float, Y_ref: float
) -> tuple[Any, ...]:
    n, d = _terms(N, D, w, alpha, beta, X_ref, Y_ref)
    total = n + d
    steep = k * phi[1] / total
    by_w = decay(N, alpha, X_ref) - decay(D, beta, Y_ref)
    by = (by_w * steep, np.log(X_ref / N) * n * steep, np.log(Y_ref / D) * d * steep)
    return tuple((0.0, each) for each in (*by, np.log(total) * phi[1]))


def _report(
    E: Any, s: Any, w: Any, alpha: Any, beta: Any, k: Any, X_ref: float, Y_ref: float
) -> dict[str, Any]:
    unit = np.asarray(s, dtype=float) ** (1 / np.asarray(k))
    A, B = unit * w * X_ref**alpha, unit * (1 - w) * Y_ref**beta
    return {"E": E, "A": A, "B": B, "alpha": alpha, "beta": beta, "k": k}


def _unreport(
    E: Any, A: Any, B: Any, alpha: Any, beta: Any, k: Any, X_ref: float, Y_ref: float
) -> tuple[Any, ...]:
    a, b = A * X_ref**-alpha, B * Y_ref**-beta
    return E, (a + b) ** k, a / np.maximum(a + b, 1e-300), alpha, beta, k  # both may be 0


skaling = Law(
    name="skaling",
    formula="E + (A·N^−α + B·D^−β)^k",
    inputs=("N", "D"),
    coefficients=(
        Coefficient("E", 0.0, meaning="irreducible loss", role="floor"),
        Coefficient("s", 0.0, meaning="the reducible part at the reference sizes", role="scale"),
    ),
    shapes=(
        Shape("w", (0.0, 1.0), points=5, meaning="share of the model-size term at the reference"),
        Shape("alpha", (0.0, 3.0), points=9, meaning="exponent of model size", role="exponent"),
        Shape("beta", (0.0, 3.0), points=9, meaning="exponent of data size"),
        Shape("k", (0.1, 5.0), "log", points=7, meaning="power over both terms"),
    ),
    basis=_basis,
    slopes=_slopes,
    anchor=lambda N, D: {"X_ref": geometric_mean(N), "Y_ref": geometric_mean(D)},
    reported=("E", "A", "B", "alpha", "beta", "k"),
    report=_report,
    unreport=_unreport,
    falls=True,
    special=(Special("chinchilla", lambda **same: {**same, "k": 1.0}),),
    source="Videau et al. 2026, Skaling equation, as implemented in simple-scaling-laws",
)
