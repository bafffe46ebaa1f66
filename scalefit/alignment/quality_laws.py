r"""Laws of a quality curve on a grid of shapes, for many noisy copies of it at once.

Quality is oriented so that more is better. Two laws are tried: the log-law
:math:`s\,(1+\kappa z)^{b/\kappa}` with :math:`z = \ln D/D_{ref}` (Isik et al. 2024, eq. 1) where
all values are positive, and a power law towards a ceiling, :math:`C - a D^{-\alpha}`, for every metric.

The best fit of one curve comes from ``scalefit.fitting.solve``; the grid is for the null
distributions and intervals, where thousands of copies are projected by one matrix product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from scalefit.fitting.solve import solve
from scalefit.laws import get_law
from scalefit.types import Floats

__all__ = ["LawFit", "fit_law", "laws_for", "shapes"]


@dataclass(frozen=True, eq=False)
class LawFit:
    """A law fitted to the oriented means of a curve.

    Attributes
    ----------
    law : name of the law.
    fitted : (K,) fitted values at the sizes.
    rss : weighted sum of squared residuals.
    theta, constants : the optimum in the solver's coordinates, and what the law holds fixed.
    """

    law: str
    fitted: Floats
    rss: float
    theta: Floats
    constants: Mapping[str, float]

    @property
    def parameters(self) -> int:
        """Number of fitted parameters."""
        return len(self.theta)

    def at(self, where: Floats) -> Floats:
        """Return the fitted values at some sizes."""
        law = replace(get_law(self.law), constants=self.constants)
        return law.value((np.asarray(where, dtype=float),), self.theta)


def laws_for(oriented: Floats) -> tuple[str, ...]:
    """Laws that can be tried on these means."""
    return ("log", "ceiling") if (oriented > 0).all() else ("ceiling",)


def fit_law(name: str, sizes: Floats, y: Floats, weights: Floats | None = None) -> LawFit:
    """Fit one law to oriented means `y` (K,) by least squares."""
    solution = solve(get_law(name), (sizes,), y, weights=weights)
    used = np.ones_like(y) if weights is None else weights

    rss = float((used * (y - solution.fitted) ** 2).sum())
    constants = solution.problem.law.constants
    return LawFit(name, solution.fitted, rss, solution.theta, constants)


@lru_cache(maxsize=128)
def _grid(name: str, x: tuple[float, ...], dense: int) -> Floats:
    """Columns of the law's shapes over x = ln D: (G, m, K), m linear coefficients."""
    D = np.exp(np.array(x))
    law = get_law(name).anchored((D,))
    axes = _rates(dense) if name == "ceiling" else _bends(D, law.constants["D_ref"], dense)
    shapes = tuple(axis.reshape(-1, 1) for axis in np.meshgrid(*axes, indexing="ij"))
    columns = np.broadcast_arrays(*law.columns((D,), shapes), shapes[0] * D)[:-1]
    return np.stack(columns, axis=1).astype(float)


def _rates(dense: int) -> tuple[Floats]:
    return (np.geomspace(0.01, 4.0, 24 * dense),)


def _bends(D: Floats, D_ref: float, dense: int) -> tuple[Floats, Floats]:
    """Slopes b and bends kappa of the log-law, up to a D0 just below the smallest size."""
    reach = float(np.log(D_ref / D.min()))
    b = np.concatenate([[0.0], np.geomspace(0.005, 5.0, 15 * dense)])
    return b, np.linspace(0.0, 0.999 / reach, 7 * dense)


def shapes(name: str, x: Floats, *, fine: bool = False) -> Floats:
    """Columns (G, m, K) of every shape of a law over x = ln D."""
    return _grid(name, tuple(float(v) for v in x), 4 if fine else 1)
