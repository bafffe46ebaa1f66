"""Power laws in one input, with and without a floor."""

from __future__ import annotations

from typing import Any

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, Special, decay, fall, geometric_mean

ALPHA = Shape("alpha", (0.0, 5.0), spacing="square", points=65, meaning="exponent", role="exponent")
SCALE = Coefficient("a", 0.0, meaning="the falling part at the reference input", role="scale")


def _anchor(x: Any) -> dict[str, float]:
    return {"x_ref": geometric_mean(x)}


def _inverse(y: Any, E: Any, a: Any, alpha: Any, x_ref: float) -> Any:
    return x_ref * ((y - E) / a) ** (-1 / alpha)


power = Law(
    name="power",
    formula="E + A·x^−α",
    coefficients=(Coefficient("E", 0.0, meaning="irreducible loss", role="floor"), SCALE),
    shapes=(ALPHA,),
    basis=lambda x, alpha, x_ref: (1.0, decay(x, alpha, x_ref)),
    slopes=lambda phi, x, alpha, x_ref: ((0.0, fall(phi[1], x, x_ref)),),
    anchor=_anchor,
    reported=("E", "A", "alpha"),
    report=lambda E, a, alpha, x_ref: {"E": E, "A": a * x_ref**alpha, "alpha": alpha},
    unreport=lambda E, A, alpha, x_ref: (E, A * x_ref**-alpha, alpha),
    inverse=_inverse,
    falls=True,
    special=(Special("pure_power", lambda A, alpha: {"E": 0.0, "A": A, "alpha": alpha}),),
    source="Hestness et al. 2017, arXiv 1712.00409; Isik et al. 2024, arXiv 2402.04177, eq. 3 (cross-entropy)",
)

pure_power = Law(
    name="pure_power",
    formula="A·x^−α",
    coefficients=(SCALE,),
    shapes=(ALPHA,),
    basis=lambda x, alpha, x_ref: (decay(x, alpha, x_ref),),
    slopes=lambda phi, x, alpha, x_ref: ((fall(phi[0], x, x_ref),),),
    anchor=_anchor,
    reported=("A", "alpha"),
    report=lambda a, alpha, x_ref: {"A": a * x_ref**alpha, "alpha": alpha},
    unreport=lambda A, alpha, x_ref: (A * x_ref**-alpha, alpha),
    inverse=lambda y, a, alpha, x_ref: _inverse(y, 0.0, a, alpha, x_ref),
    falls=True,
    source="Kaplan et al. 2020, arXiv 2001.08361, eq. 1.2",
)
