r"""Laws of a quality curve on a grid of shapes, for many noisy copies of it at once.

Quality is oriented so that more is better. Two laws are tried: the log-law
:math:`s\,(1+\kappa z)^{b/\kappa}` with :math:`z = \ln D/D_{ref}` (Isik et al. 2024, eq. 1) where
all values are positive, and a power law towards a ceiling, :math:`C - a D^{-\alpha}` (their
eq. 3 turned over), for every metric.

The best fit of one curve comes from ``scalefit.fitting.solve``; the grid is for the null
distributions and intervals, where thousands of copies are projected by one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.fitting.solve import solve
from scalefit.laws import Coefficient, Law, Shape, get_law

__all__ = ["Curve", "ceiling", "fit_curve", "laws_for", "shapes"]

Floats = NDArray[np.float64]


def _decay(D: Any, alpha: Any, D_ref: float) -> Any:
    return np.exp(-alpha * np.log(D / D_ref))


ceiling = Law(
    name="ceiling",
    formula="C − A·D^−α",
    inputs=("D",),
    coefficients=(Coefficient("C"), Coefficient("a", -np.inf, 0.0)),
    shapes=(Shape("alpha", (0.01, 4.0), spacing="log", points=41),),
    basis=lambda D, alpha, D_ref: (1.0, _decay(D, alpha, D_ref)),
    anchor=lambda D: {"D_ref": float(np.exp(np.mean(np.log(D))))},
    falls=False,
    source="Isik et al. 2024, arXiv 2402.04177, eq. 3, turned over for quality",
)


@dataclass(frozen=True, eq=False)
class Curve:
    """A law fitted to the oriented means of a curve.

    Attributes
    ----------
    law : name of the law.
    fitted : (K,) fitted values at the sizes.
    rss : weighted sum of squared residuals.
    parameters : number of fitted parameters.
    at : function of sizes that gives the fitted values.
    """

    law: str
    fitted: Floats
    rss: float
    parameters: int
    at: Callable[[Floats], Floats]


def laws_for(oriented: Floats) -> tuple[str, ...]:
    """Laws that can be tried on these means."""
    return ("log", "ceiling") if (oriented > 0).all() else ("ceiling",)


def fit_curve(name: str, sizes: Floats, y: Floats, weights: Floats | None = None) -> Curve:
    """Fit one law to oriented means `y` (K,) by least squares."""
    law = ceiling if name == "ceiling" else get_law(name)
    found = solve(law, (sizes,), y, weights=weights)
    used = np.ones_like(y) if weights is None else weights

    def at(where: Floats) -> Floats:
        return np.asarray(found.problem.law.value((np.asarray(where, dtype=float),), found.theta))

    rss = float((used * (y - found.fitted) ** 2).sum())
    return Curve(name, found.fitted, rss, len(found.theta), at)


@lru_cache(maxsize=128)
def _grid(name: str, x: tuple[float, ...], dense: int) -> Floats:
    """Columns of the law's shapes over x = ln D: (G, m, K), m linear coefficients."""
    at = np.array(x)
    z = at - at.mean()
    if name == "ceiling":
        rates = np.geomspace(0.01, 4.0, 24 * dense)[:, None]
        return np.stack([np.ones((24 * dense, len(z))), np.exp(-rates * (z - z.min()))], axis=1)
    reach = -z.min()
    b = np.concatenate([[0.0], np.geomspace(0.005, 5.0, 15 * dense)])
    kappa = np.linspace(0.0, 0.999 / reach, 7 * dense)
    slope, bend = (m.reshape(-1, 1) for m in np.meshgrid(b, kappa, indexing="ij"))
    safe = np.where(bend > 0, bend, 1.0)
    warp = np.where(bend > 0, np.log1p(bend * z) / safe, z)
    return np.asarray(np.exp(np.clip(slope * warp, -50, 50))[:, None, :])


def shapes(name: str, x: Floats, *, fine: bool = False) -> Floats:
    """Columns (G, m, K) of every shape of a law over x = ln D."""
    return _grid(name, tuple(float(v) for v in x), 4 if fine else 1)
