"""How well a law describes its points: R², typical error, AICc, and what it misses a held-out size by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalefit.fitting.points import Points
from scalefit.fitting.solve import Solution, refit
from scalefit.units import short


@dataclass(frozen=True)
class Goodness:
    """What is said of a fit beside its parameters.

    Attributes
    ----------
    r2 : share of the points' variance that the curve takes up; nan where they do not vary.
    typical_error : root mean square of the residuals with n − p degrees of freedom; nan without any.
    aicc : Akaike's criterion for few points, up to a constant that all laws of the same points share.
    held_out : root mean square error at the largest size of the same law fitted to the others; nan where they are
        too few to fix it.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
    >>> sf.fit(table, "bleu", "log").goodness.line
    'R² 0.9998; typical error 0.1228; held out, the largest size is missed by 0.3057'
    """

    r2: float
    typical_error: float
    aicc: float
    held_out: float

    @property
    def line(self) -> str:
        """Say it in one line, without what is not known."""
        told = {
            "R² ": self.r2,
            "typical error ": self.typical_error,
            "held out, the largest size is missed by ": self.held_out,
        }
        return "; ".join(f"{words}{short(v)}" for words, v in told.items() if np.isfinite(v))


def goodness_of(solution: Solution, points: Points) -> Goodness:
    """Judge an optimum by its own points, and by the largest size that a refit has not seen."""
    residuals = points.y - solution.fitted
    around = float(np.sum((points.y - points.y.mean()) ** 2))
    r2 = 1 - float(np.sum(residuals**2)) / around if around > 0 else float("nan")
    error = typical_error(solution, points)
    return Goodness(r2, error, _aicc(solution), _held_out(solution, points))


def typical_error(solution: Solution, points: Points) -> float:
    """Root mean square of the residuals with n − p degrees of freedom; nan without any."""
    dof = points.y.size - solution.theta.size
    squares = float(np.sum((points.y - solution.fitted) ** 2))
    return float(np.sqrt(squares / dof)) if dof > 0 else float("nan")


def sum_of_squares(solution: Solution) -> float:
    """Sum of squares of the scaled residuals, which all laws of one comparison share."""
    return float(np.sum(solution.problem.residual(solution.fitted) ** 2))


def _aicc(solution: Solution) -> float:
    """n·ln(SSE/n) + 2k + 2k(k+1)/(n−k−1), k counting the scatter too; inf without points to spare.

    Source: Hurvich and Tsai 1989, Biometrika 76(2).
    """
    n, k = solution.problem.y.size, solution.theta.size + 1
    if n - k - 1 <= 0:
        return float("inf")
    sse = max(sum_of_squares(solution), 1e-300)
    return float(n * np.log(sse / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1))


def _held_out(solution: Solution, points: Points) -> float:
    x = points.inputs[0]
    last = x == x.max()
    rest = np.unique(points.groups[~last]).size
    if rest <= solution.theta.size:  # then the refit would pass through every mean it has
        return float("nan")
    theta = refit(solution, (~last).astype(float)[None]).theta[0]
    with np.errstate(all="ignore"):
        said = solution.problem.law.value(points.inputs, theta)[last]
    return float(np.sqrt(np.mean((points.y[last] - said) ** 2)))
