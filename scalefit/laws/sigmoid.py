"""Accuracy of a task as a function of its loss: from a ceiling down to chance."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape


def _basis(L: Any, k: Any, m: Any, L_ref: float) -> tuple[Any, Any]:
    at = k * (L - L_ref - m)
    return expit(at), expit(-at)


def _slopes(phi: Any, L: Any, k: Any, m: Any, L_ref: float) -> tuple[tuple[Any, Any], ...]:
    steep = phi[0] * phi[1]
    by_k, by_m = steep * (L - L_ref - m), -k * steep
    return (by_k, -by_k), (by_m, -by_m)


def _steepness(L: Any, L_ref: float) -> tuple[float, float]:
    spread = max(float(np.ptp(L)), 1e-12)
    return 0.1 / spread, 100.0 / spread


def _middles(L: Any, L_ref: float) -> tuple[float, float]:
    """From one measured range below the losses to the largest of them."""
    low, high = float(np.min(L)) - L_ref, float(np.max(L)) - L_ref
    return low - max(high - low, 1e-12), high


sigmoid = Law(
    name="sigmoid",
    formula="b + a/(1 + e^(k·(L − L0)))",
    inputs=("L",),
    coefficients=(
        Coefficient("b", meaning="chance: accuracy at a high loss", role="floor"),
        Coefficient("top", meaning="accuracy at a low loss", role="ceiling"),
    ),
    shapes=(
        Shape("k", _steepness, "log", points=49, meaning="steepness per nat", role="exponent"),
        Shape("m", _middles, points=65, meaning="the middle, from the reference loss"),
    ),
    basis=_basis,
    slopes=_slopes,
    anchor=lambda L: {"L_ref": float(np.mean(L))},
    reported=("a", "b", "k", "L0"),
    report=lambda b, top, k, m, L_ref: {"a": top - b, "b": b, "k": k, "L0": L_ref + m},
    unreport=lambda a, b, k, L0, L_ref: (b, a + b, k, L0 - L_ref),
    inverse=lambda y, b, top, k, m, L_ref: L_ref + m + np.log((top - y) / (y - b)) / k,
    takes="any",
    source="Bhagia et al. 2024, arXiv 2412.04403 (OLMo ladder), equation of step 2; the sign of k turned",
)
