"""The log-law of translation quality, in coordinates that stay finite.

f(D) = (ln(A·D^α))^β is a shifted power law in ln D. With z = ln(D / D_ref) the solver works in

    f = s · (1 + κ·z)^(b/κ),    s = f(D_ref),  b = d ln f / d ln D at D_ref,  κ = 1 / ln(D_ref / D0),

which for κ → 0 is the plain power law s·(D/D_ref)^b, where D0 → 0 and β → ∞.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, round_reference


def _warp(z: Any, kappa: Any) -> Any:
    """Return ln(1 + κz)/κ, continued through κ = 0."""
    u = 1 + kappa * z
    with np.errstate(invalid="ignore", divide="ignore"):
        # The rounding of 1 + κz is the same above and below the line: the ratio is exact (Kahan) where the logarithm
        # is not. log1p would cost twice as much, and a grid asks for millions; in place, since memory for each
        # step would cost twice the arithmetic.
        out = np.log(u)
        u -= 1
        out /= u
        out *= z
    return out if np.all(u) else np.where(u == 0, z, out)


def _basis(x: Any, b: Any, kappa: Any, D_ref: float) -> tuple[Any]:
    return (np.exp(b * _warp(np.log(x / D_ref), kappa)),)


def _slopes(
    columns: Any, x: Any, b: Any, kappa: Any, D_ref: float
) -> tuple[tuple[Any], tuple[Any]]:
    z, (phi,) = np.log(x / D_ref), columns
    t = np.asarray(kappa * z)
    with np.errstate(invalid="ignore", divide="ignore"):
        log = np.log1p(t)
        warp, bend = log / t, (t / (1 + t) - log) / (t * t)  # ln(1 + t)/t, and its derivative
    for small, value, series in (
        (1e-6, warp, (1.0, -1 / 2)),
        (1e-3, bend, (-1 / 2, 2 / 3, -3 / 4, 4 / 5)),
    ):
        near = np.abs(t) < small
        if near.any():
            value[near] = np.polynomial.polynomial.polyval(t[near], series)
    return (z * warp * phi,), (b * (z * z) * bend * phi,)


def _kappa_span(x: Any, D_ref: float) -> tuple[float, float]:
    """κ from the power law (0) to a D0 just below the smallest D."""
    reach = np.log(D_ref / np.min(x))
    return 0.0, (1 - 1e-6) / reach if reach > 0 else 10.0


def _report(s: Any, b: Any, kappa: Any, D_ref: float) -> dict[str, Any]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return {"D0": D_ref * np.exp(-1 / np.asarray(kappa)), "s": s, "beta": b / np.asarray(kappa)}


def _unreport(D0: Any, s: Any, beta: Any, D_ref: float) -> tuple[Any, Any, Any]:
    with np.errstate(divide="ignore"):
        kappa = 1 / np.log(D_ref / np.asarray(D0, dtype=float))
    return s, beta * kappa, kappa


def _derive(s: Any, b: Any, kappa: Any, D_ref: float) -> dict[str, Any]:
    """Return A and α of the published form: badly conditioned, so shown only as derived."""
    with np.errstate(all="ignore"):
        alpha = np.asarray(s) ** (np.asarray(kappa) / b) * kappa
        ln_A = alpha * (1 / np.asarray(kappa) - np.log(D_ref))
        return {"alpha": alpha, "ln_A": ln_A, "A": np.exp(ln_A), "slope": b}


def _inverse(y: Any, s: Any, b: Any, kappa: Any, D_ref: float) -> Any:
    q = np.log(y / s) / b
    small = np.abs(kappa * q) < 1e-9
    safe = np.where(small, 1.0, kappa)
    return D_ref * np.exp(np.where(small, q, np.expm1(safe * q) / safe))


def _domain(s: float, b: float, kappa: float, D_ref: float) -> tuple[float, float]:
    """Above D0, which is 0 for κ = 0."""
    return (D_ref * float(np.exp(-1 / kappa)) if kappa > 0 else 0.0), np.inf


log_law = Law(
    name="log",
    formula="s·(ln(D/D0) / ln(D_ref/D0))^β  =  (ln(A·D^α))^β",
    inputs=("D",),
    coefficients=(Coefficient("s", 0.0, meaning="quality at D_ref", role="scale"),),
    shapes=(
        Shape(
            "b",
            (0.0, 5.0),
            spacing="log",
            points=33,
            meaning="relative slope at D_ref",
            role="exponent",
        ),
        Shape(
            "kappa",
            _kappa_span,
            points=9,
            meaning="1 / ln(D_ref / D0)",
            at_ends=(
                "D0 and beta are not identified: the curve is a plain power law of D here (D0 → 0, β → ∞)",
                "D0 is not identified: it sits just below the smallest D; add smaller sizes, or leave the smallest out",
            ),
        ),
    ),
    basis=_basis,
    slopes=_slopes,
    anchor=lambda D: {"D_ref": round_reference(D)},
    reference="D_ref",
    reported=("D0", "s", "beta"),
    report=_report,
    unreport=_unreport,
    derive=_derive,
    inverse=_inverse,
    falls=False,
    domain=_domain,
    sizes=("D0",),
    limit="s·(D/D_ref)^slope",
    source="Isik et al. 2024, arXiv 2402.04177, the log-law equation of downstream translation quality",
)
