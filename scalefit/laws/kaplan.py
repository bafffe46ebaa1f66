"""Kaplan's joint law of model and data size: two terms under one power, and no floor.

With n = N/N_ref and d = D/D_ref the solver works in s·(w·n^−γ + (1 − w)·d^−1)^k, where γ = α_N/α_D and k = α_D.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, decay, geometric_mean


def _basis(N: Any, D: Any, w: Any, gamma: Any, k: Any, N_ref: float, D_ref: float) -> tuple[Any]:
    return ((w * decay(N, gamma, N_ref) + (1 - w) * (D_ref / D)) ** k,)


def _slopes(
    phi: Any, N: Any, D: Any, w: Any, gamma: Any, k: Any, N_ref: float, D_ref: float
) -> tuple[tuple[Any], ...]:
    small, scarce = decay(N, gamma, N_ref), D_ref / D
    total = w * small + (1 - w) * scarce
    steep = k * phi[0] / total
    by_gamma = w * small * np.log(N_ref / N) * steep
    return ((small - scarce) * steep,), (by_gamma,), (np.log(total) * phi[0],)


def _report(s: Any, w: Any, gamma: Any, k: Any, N_ref: float, D_ref: float) -> dict[str, Any]:
    unit = np.asarray(s, dtype=float) ** (1 / np.asarray(k))
    with np.errstate(all="ignore"):
        N_c = N_ref * (unit * w) ** (1 / np.asarray(gamma))
    return {"alpha_N": gamma * k, "N_c": N_c, "alpha_D": k, "D_c": unit * (1 - w) * D_ref}


def _unreport(
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
    basis=_basis,
    slopes=_slopes,
    anchor=lambda N, D: {"N_ref": geometric_mean(N), "D_ref": geometric_mean(D)},
    reported=("alpha_N", "N_c", "alpha_D", "D_c"),
    report=_report,
    unreport=_unreport,
    falls=True,
    source="Kaplan et al. 2020, arXiv 2001.08361, eq. 1.5; for translation: Gordon, Duh and Kaplan 2021",
)
