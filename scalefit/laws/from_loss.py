"""What a loss says of a task: its errors and quality as exponentials of it, another loss as a power of it."""

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


def _above(L: Any, E0: Any, L_ref: float) -> Any:
    return (L - E0) / (L_ref - E0)


def _slopes(phi: Any, L: Any, E0: Any, kappa: Any, L_ref: float) -> tuple[tuple[Any, Any], ...]:
    by_floor = kappa * phi[1] * (1 / (L_ref - E0) - 1 / (L - E0))
    return (0.0, by_floor), (0.0, phi[1] * np.log(_above(L, E0, L_ref)))


def _floors(L: Any, L_ref: float) -> tuple[float, float]:
    """From none to just below the smallest loss."""
    low, spread = float(np.min(L)), max(float(np.ptp(L)), 1e-12)
    return min(0.0, low - spread), low - 1e-3 * spread


# One loss from another: a power law between what each has above its own floor.
loss_to_loss = Law(
    name="loss_to_loss",
    formula="K·(L − E0)^κ + E1",
    inputs=("L",),
    coefficients=(
        Coefficient("E1", 0.0, meaning="floor of the loss that is read off", role="floor"),
        Coefficient(
            "s", 0.0, meaning="its part above the floor at the reference loss", role="scale"
        ),
    ),
    shapes=(
        Shape("E0", _floors, points=61, meaning="floor of the loss that is given"),
        Shape("kappa", (0.05, 10.0), "log", points=65, meaning="exponent", role="exponent"),
    ),
    basis=lambda L, E0, kappa, L_ref: (1.0, _above(L, E0, L_ref) ** kappa),
    slopes=_slopes,
    anchor=lambda L: {"L_ref": float(np.mean(L))},
    reported=("K", "E0", "kappa", "E1"),
    report=lambda E1, s, E0, kappa, L_ref: {
        "K": s * (L_ref - E0) ** -kappa,
        "E0": E0,
        "kappa": kappa,
        "E1": E1,
    },
    unreport=lambda K, E0, kappa, E1, L_ref: (E1, K * (L_ref - E0) ** kappa, E0, kappa),
    inverse=lambda y, E1, s, E0, kappa, L_ref: E0 + (L_ref - E0) * ((y - E1) / s) ** (1 / kappa),
    falls=False,
    takes="any",
    domain=lambda E1, s, E0, kappa, L_ref: (E0, np.inf),
    source="Brandfonbrener et al. 2024, arXiv 2411.12925, equation of train-to-test prediction",
)
