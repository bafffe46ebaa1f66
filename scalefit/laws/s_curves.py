"""S-curves between two levels: quality over ln x, which starts late and saturates, and accuracy over a loss."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, geometric_mean

_Pair = tuple[Any, Any]


def _rise(z: Any, k: Any, m: Any) -> _Pair:
    """Shares of the level before the middle m and of the one behind it."""
    at = k * (z - m)
    return expit(-at), expit(at)


def _rise_slopes(phi: _Pair, z: Any, k: Any, m: Any) -> tuple[_Pair, _Pair]:
    steep = phi[0] * phi[1]
    by_k, by_m = steep * (z - m), -k * steep
    return (-by_k, by_k), (-by_m, by_m)


def _take_offs(x: Any, x_ref: float) -> tuple[float, float]:
    """From one e-fold below the data to four beyond: later, only the take-off is seen."""
    return float(np.log(np.min(x) / x_ref)) - 1.0, float(np.log(np.max(x) / x_ref)) + 4.0


logistic = Law(
    name="logistic",
    formula="lo + (hi − lo) / (1 + (x/x_mid)^−k)",
    coefficients=(
        Coefficient("lo", meaning="quality it leaves", role="floor"),
        Coefficient("hi", meaning="quality it nears", role="ceiling"),
    ),
    shapes=(
        Shape("k", (0.05, 10.0), "log", points=33, meaning="steepness in ln x", role="exponent"),
        Shape("m", _take_offs, points=33, meaning="ln of the middle, from the reference input"),
    ),
    basis=lambda x, k, m, x_ref: _rise(np.log(x / x_ref), k, m),
    slopes=lambda phi, x, k, m, x_ref: _rise_slopes(phi, np.log(x / x_ref), k, m),
    anchor=lambda x: {"x_ref": geometric_mean(x)},
    reported=("lo", "hi", "k", "x_mid"),
    report=lambda lo, hi, k, m, x_ref: {"lo": lo, "hi": hi, "k": k, "x_mid": x_ref * np.exp(m)},
    unreport=lambda lo, hi, k, x_mid, x_ref: (lo, hi, k, np.log(np.asarray(x_mid) / x_ref)),
    inverse=lambda y, lo, hi, k, m, x_ref: x_ref * np.exp(m + np.log((y - lo) / (hi - y)) / k),
    sizes=("x_mid",),
    source="Lourie et al. 2025, sigmoidal trend of downstream quality; the logistic equation in ln x",
)


def _steepness(L: Any, L_ref: float) -> tuple[float, float]:
    spread = max(float(np.ptp(L)), 1e-12)
    return 0.1 / spread, 100.0 / spread


def _middles(L: Any, L_ref: float) -> tuple[float, float]:
    """From one measured range below the losses to the largest of them."""
    low, high = float(np.min(L)) - L_ref, float(np.max(L)) - L_ref
    return low - max(high - low, 1e-12), high


# Accuracy of a task as a function of its loss: from a ceiling down to chance.
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
    basis=lambda L, k, m, L_ref: _rise(L - L_ref, k, m)[::-1],
    slopes=lambda phi, L, k, m, L_ref: tuple(
        pair[::-1] for pair in _rise_slopes(phi, L - L_ref, k, m)
    ),
    anchor=lambda L: {"L_ref": float(np.mean(L))},
    reported=("a", "b", "k", "L0"),
    report=lambda b, top, k, m, L_ref: {"a": top - b, "b": b, "k": k, "L0": L_ref + m},
    unreport=lambda a, b, k, L0, L_ref: (b, a + b, k, L0 - L_ref),
    inverse=lambda y, b, top, k, m, L_ref: L_ref + m + np.log((top - y) / (y - b)) / k,
    takes="any",
    source="Bhagia et al. 2024, arXiv 2412.04403 (OLMo ladder), equation of step 2; the sign of k turned",
)
