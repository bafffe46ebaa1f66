"""Quality that nears a ceiling: what is missing falls as a power law."""

from __future__ import annotations

from typing import Any

from scalefit.laws.law import Law
from scalefit.laws.parts import Coefficient, Shape, decay, fall, geometric_mean


def _inverse(y: Any, c: Any, a: Any, b: Any, x_ref: float) -> Any:
    return x_ref * ((c - y) / a) ** (-1 / b)


ceiling = Law(
    name="ceiling",
    formula="c − a·x^−b",
    coefficients=(
        Coefficient("c", meaning="quality it nears", role="ceiling"),
        Coefficient("m", 0.0, meaning="what is missing at the reference input", role="scale"),
    ),
    shapes=(Shape("b", (0.0, 5.0), "square", points=65, meaning="exponent", role="exponent"),),
    basis=lambda x, b, x_ref: (1.0, -decay(x, b, x_ref)),
    slopes=lambda phi, x, b, x_ref: ((0.0, fall(phi[1], x, x_ref)),),
    anchor=lambda x: {"x_ref": geometric_mean(x)},
    reported=("c", "a", "b"),
    report=lambda c, m, b, x_ref: {"c": c, "a": m * x_ref**b, "b": b},
    unreport=lambda c, a, b, x_ref: (c, a * x_ref**-b, b),
    inverse=_inverse,
    falls=False,
    source="Hestness et al. 2017, arXiv 1712.00409, power-law equation of generalization error, turned upside down",
)
