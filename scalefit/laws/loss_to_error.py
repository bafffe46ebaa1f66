"""Quality and errors of tasks as exponentials of a loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape


def _steepness(L: Any, L_ref: float) -> tuple[float, float]:
    """From a straight line over the measured losses to a fall within a thirtieth of them."""
    return 0.0, 30.0 / max(float(np.ptp(L)), 1e-12)


loss_to_error = Law(
    name="loss_to_error",
    formula="ε − k·e^(−γ·L)",
    inputs=("L",),
    coefficients=(
        Coefficient("epsilon", 0.0, 1.0, meaning="error without any skill", role="ceiling"),
        Coefficient("gain", 0.0, meaning="what the reference loss takes off it", role="scale"),
    ),
    shapes=(
        Shape("gamma", _steepness, "log", points=97, meaning="steepness per nat", role="exponent"),
    ),
    basis=lambda L, gamma, L_ref: (1.0, -np.exp(gamma * (L_ref - L))),
    slopes=lambda phi, L, gamma, L_ref: ((0.0, (L_ref - L) * phi[1]),),
    anchor=lambda L: {"L_ref": float(np.mean(L))},
    reported=("epsilon", "k", "gamma"),
    report=lambda epsilon, gain, gamma, L_ref: {
        "epsilon": epsilon,
        "k": gain * np.exp(gamma * L_ref),
        "gamma": gamma,
    },
    unreport=lambda epsilon, k, gamma, L_ref: (epsilon, k * np.exp(-gamma * L_ref), gamma),
    inverse=lambda y, epsilon, gain, gamma, L_ref: L_ref - np.log((epsilon - y) / gain) / gamma,
    falls=False,
    takes="any",
    source="Gadre et al. 2024, arXiv 2403.08540, equation of downstream error",
)

# Translation quality: its logarithm is a straight line in cross-entropy.
ce_to_bleu = Law(
    name="ce_to_bleu",
    formula="C·e^(−k·L)",
    inputs=("L",),
    coefficients=(
        Coefficient("c", 0.0, meaning="quality at the reference cross-entropy", role="scale"),
    ),
    shapes=(
        Shape(
            "k",
            _steepness,
            "log",
            points=65,
            meaning="relative loss of quality per nat",
            role="exponent",
        ),
    ),
    basis=lambda L, k, L_ref: (np.exp(k * (L_ref - L)),),
    slopes=lambda phi, L, k, L_ref: (((L_ref - L) * phi[0],),),
    anchor=lambda L: {"L_ref": float(np.mean(L))},
    reported=("C", "k"),
    report=lambda c, k, L_ref: {"C": c * np.exp(k * L_ref), "k": k},
    unreport=lambda C, k, L_ref: (C * np.exp(-k * L_ref), k),
    inverse=lambda y, c, k, L_ref: L_ref - np.log(y / c) / k,
    falls=True,
    takes="any",
    source="Gordon, Duh and Kaplan 2021, Data and Parameter Scaling Laws for NMT, BLEU–cross-entropy equation",
)
