"""How well a law describes its points: R², typical error, AICc, the largest size held out; and what each point does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalefit.fitting.points import Points
from scalefit.fitting.solve import Draws, Solution, refit
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.types import Floats, Ints
from scalefit.units import format_count, short


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


@dataclass(frozen=True, eq=False, repr=False)
class Influence(Result):
    """A fit without each of its points, and what that changes.

    Attributes
    ----------
    metric : name of the metric.
    inputs : input's name -> (n,).
    value, fitted : (n,) what was measured, and the curve of all points.
    without : (n,) the curve there of a fit that has not seen the point.
    distance : (n,) Cook's distance, by refits and not linearised: how far the curve moves at all points, against
        what p parameters move it by chance.
    left_out : (n,) which points were left out together.
    params : parameter -> (n,) its estimate without the point.
    group : what the rows have in common.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes, bleu = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6], [5.0, 9.1, 12.9, 17.0, 21.1, 32.0]
    >>> influence = sf.fit({"pretrain_tokens": sizes, "bleu": bleu}, "bleu", "log").influence()
    >>> influence.left_out.tolist(), round(float(influence.without[5]), 1)
    ([0, 1, 2, 3, 4, 5], 25.0)
    """

    metric: str
    inputs: Mapping[str, Floats]
    value: Floats
    fitted: Floats
    without: Floats
    distance: Floats
    left_out: Ints
    params: Mapping[str, Floats]
    group: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def heaviest(self) -> int:
        """Place of the point that moves the curve most."""
        return int(np.argmax(self.distance))

    @property
    def verdict(self) -> str:
        """Which point moves the curve most, and what the fit says there without it."""
        i = self.heaviest
        at = ", ".join(f"{name} {format_count(float(x[i]))}" for name, x in self.inputs.items())
        alone = int((self.left_out == self.left_out[i]).sum()) == 1
        what = f"the point at {at}" if alone else f"run {self.left_out[i] + 1}"
        return (
            f"{self.metric}: {what} moves the curve most (Cook distance {self.distance[i]:.3g}); without it the fit "
            f"says {short(self.without[i])} at {at}, measured {short(self.value[i])}"
        )

    def rows(self) -> list[Row]:
        """Return one row a point: where, what was measured, fitted, said without it, and every parameter then."""
        columns = {
            **self.inputs,
            "value": self.value,
            "fitted": self.fitted,
            "without": self.without,
            "distance": self.distance,
            "left_out": self.left_out,
            **{f"{name}_without": values for name, values in self.params.items()},
        }
        listed = {name: np.asarray(values).tolist() for name, values in columns.items()}
        return [dict(zip(listed, row, strict=True)) for row in zip(*listed.values(), strict=True)]

    def shown(self) -> list[Row]:
        """Return the rows with inputs as counts."""
        counts = [{n: format_count(row[n]) for n in self.inputs} for row in self.rows()]
        return [{**row, **count} for row, count in zip(self.rows(), counts, strict=True)]


def influence_of(
    solution: Solution, points: Points, metric: str, refits: Draws, group: Mapping[str, Any]
) -> Influence:
    """Say what refits without each point, or without each pretraining run where these are fewer, change."""
    law, n = solution.problem.law, points.y.size
    units = np.arange(n) if len(refits.theta) == n else points.run
    with np.errstate(all="ignore"):
        curves = law.value(points.inputs, refits.theta)
        quoted = law.params(refits.theta)
    return Influence(
        metric=metric,
        inputs=dict(zip(law.inputs, points.inputs, strict=True)),
        value=points.y,
        fitted=solution.fitted,
        without=curves[units, np.arange(points.y.size)],
        distance=_distances(solution, curves)[units],
        left_out=np.asarray(units, dtype=np.int64),
        params={name: np.asarray(values)[units] for name, values in quoted.items()},
        group=dict(group),
    )


def _distances(solution: Solution, curves: Floats) -> Floats:
    """Cook's distance (G,) of curves (G, n) fitted without one unit each: Σ (ŷ − ŷ₍ᵢ₎)² / (p·s²).

    In the units that the fit compares, so that a log fit is judged by ratios.
    Source: Cook 1977, Technometrics 19(1), equation 5.
    """
    problem, p = solution.problem, solution.theta.size
    own = problem.residual(solution.fitted)
    moved = problem.residual(curves) - own
    scatter = float(np.sum(own**2)) / max(own.size - p, 1)
    return np.asarray((moved**2).sum(-1) / (p * max(scatter, 1e-300)))
