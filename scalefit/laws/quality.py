"""Translation quality as a function of cross-entropy."""

from __future__ import annotations

import numpy as np

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape

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
            lambda L, L_ref: (0.0, 30.0 / max(float(np.ptp(L)), 1e-12)),
            spacing="log",
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
