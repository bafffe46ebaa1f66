r"""Laws of a quality curve on a grid of shapes, for many noisy copies of it at once.

Quality is oriented so that more is better. Two laws are tried: the log-law
:math:`s\,(1+\kappa z)^{b/\kappa}` with :math:`z = \ln D/D_{ref}` (Isik et al. 2024, eq. 1) where
all values are positive, and a power law towards a ceiling, :math:`C - a D^{-\alpha}`, for every metric.

The best fit of one curve comes from ``scalefit.fitting.solve``; the grid is for the null
distributions and intervals, where thousands of copies are projected by one matrix product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from scalefit.errors import FitError
from scalefit.fitting.problem import make_problem
from scalefit.fitting.solve import SQUARED
from scalefit.fitting.stack import Solved, solve_each
from scalefit.laws import get_law
from scalefit.types import Floats


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


@dataclass(frozen=True, eq=False)
class CurveLaws:
    """The laws of one curve: fitted to all of its sizes, and to those that are not held out; empty where too few.

    Attributes
    ----------
    whole : fits to all sizes, from three on.
    kept : number of smaller sizes, the largest third left out.
    smaller : fits to these, from four on.
    """

    whole: tuple[LawFit, ...]
    kept: int
    smaller: tuple[LawFit, ...]


class Sought(NamedTuple):
    """A law to be fitted to oriented means (K,) at sizes (K,) by weighted least squares."""

    law: str
    sizes: Floats
    y: Floats
    weights: Floats


def fit_laws(sought: Sequence[Sought]) -> list[LawFit]:
    """Fit all of them, those of one law in one array program: a table asks for over a hundred."""
    problems = [make_problem(get_law(one.law), (one.sizes,), one.y, SQUARED) for one in sought]
    solved = solve_each(problems, [one.weights for one in sought], alone=False)
    return [_law_fit(one, solution) for one, solution in zip(sought, solved, strict=True)]


def _law_fit(sought: Sought, solution: Solved) -> LawFit:
    if isinstance(solution, FitError):
        raise solution
    fitted = solution.fitted
    rss = float((sought.weights * (sought.y - fitted) ** 2).sum())
    return LawFit(sought.law, fitted, rss, solution.theta, solution.problem.law.constants)


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
