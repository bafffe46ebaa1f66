"""A logistic curve in ln x, between a floor and a ceiling: quality that starts late and saturates."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, geometric_mean


def _position(x: Any, k: Any, m: Any, x_ref: float) -> Any:
    return k * (np.log(x / x_ref) - m)


def _basis(x: Any, k: Any, m: Any, x_ref: float) -> tuple[Any, Any]:
    at = _position(x, k, m, x_ref)
    return expit(-at), expit(at)


def _slopes(
    phi: Any, x: Any, k: Any, m: Any, x_ref: float
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    steep = phi[0] * phi[1]
    by_k, by_m = steep * (np.log(x / x_ref) - m), -k * steep
    return (-by_k, by_k), (-by_m, by_m)


def _middles(x: Any, x_ref: float) -> tuple[float, float]:
    """From one e-fold below the data to four beyond: later, only the take-off is seen."""
    return float(np.log(np.min(x) / x_ref)) - 1.0, float(np.log(np.max(x) / x_ref)) + 4.0


def _inverse(y: Any, lo: Any, hi: Any, k: Any, m: Any, x_ref: float) -> Any:
    return x_ref * np.exp(m + np.log((y - lo) / (hi - y)) / k)


logistic = Law(
    name="logistic",
    formula="lo + (hi − lo) / (1 + (x/x_mid)^−k)",
    coefficients=(
        Coefficient("lo", meaning="quality it leaves", role="floor"),
        Coefficient("hi", meaning="quality it nears", role="ceiling"),
    ),
    shapes=(
        Shape("k", (0.05, 10.0), "log", points=33, meaning="steepness in ln x", role="exponent"),
        Shape("m", _middles, points=33, meaning="ln of the middle, from the reference input"),
    ),
    basis=_basis,
    slopes=_slopes,
    anchor=lambda x: {"x_ref": geometric_mean(x)},
    reported=("lo", "hi", "k", "x_mid"),
    report=lambda lo, hi, k, m, x_ref: {"lo": lo, "hi": hi, "k": k, "x_mid": x_ref * np.exp(m)},
    unreport=lambda lo, hi, k, x_mid, x_ref: (lo, hi, k, np.log(np.asarray(x_mid) / x_ref)),
    inverse=_inverse,
    sizes=("x_mid",),
    source="Lourie et al. 2025, sigmoidal trend of downstream quality; the logistic equation in ln x",
)
