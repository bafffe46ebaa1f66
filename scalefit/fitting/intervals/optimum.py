"""The optimum of a least-squares problem and the scatter about it, which every interval starts from; and Wald's.

Wald's intervals take the curve for a plane at the optimum: for laws whose likelihood cannot be laid out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy import special

from scalefit.fitting.problem import Problem, side_by_side
from scalefit.laws.law import one_law
from scalefit.types import Floats

Ends = tuple[float, float]
# A direction that moves the curve less than this part of what the strongest one does is not seen by the data:
# derivatives taken by differences are no better than 1e-9.
UNSEEN = 1e-8


class Intervals(Protocol):
    """Intervals at one level, by one method: of the mean curve and of the quoted parameters."""

    @property
    def method(self) -> str:
        """Name of the method."""
        ...

    def curve(self, inputs: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        """Low and high, each (Q,), of the mean curve at ``inputs`` (each (Q,))."""
        ...

    def parameters(self, names: Sequence[str] | None = None) -> dict[str, Ends]:
        """Low and high of quoted parameters, all unless named."""
        ...

    def coordinates(self) -> tuple[Floats, Floats]:
        """Low and high, each (p,), of the solver's coordinates."""
        ...


@dataclass(frozen=True, eq=False)
class Optimum:
    """The optimum as a least-squares problem with known scatter.

    Attributes
    ----------
    problem, weights : the problem as plain squares (:meth:`Problem.as_squares`), and its weights (n,).
    theta : (p,) solver's coordinates of the optimum.
    s2, dof : variance of a point of weight 1, and its degrees of freedom.
    """

    problem: Problem
    weights: Floats
    theta: Floats
    s2: float
    dof: float

    def t(self, level: float) -> float:
        """Student's quantile for a two-sided interval; inf without degrees of freedom."""
        return float(special.stdtrit(self.dof, 0.5 + level / 2)) if self.dof > 0 else np.inf

    @cached_property
    def rss(self) -> float:
        """Weighted sum of squares at the optimum."""
        return float(np.sum(self.weights * (self.problem.target - self.at_points[0]) ** 2))

    @cached_property
    def at_points(self) -> tuple[Floats, Floats]:
        """Value (n,) and its derivative (p, n) at the points, on the law's link scale."""
        return self.linked(self.problem.inputs)

    def linked(self, inputs: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        """Value (n,) and its derivative (p, n) at the optimum, on the law's link scale."""
        return self.on_link(*self.problem.law.jacobian(inputs, self.theta))

    def on_link(self, value: Floats, jac: Floats) -> tuple[Floats, Floats]:
        """Turn values (n,) and their derivative (p, n) to the law's link scale."""
        return (np.log(value), jac / value) if self.problem.law.link == "log" else (value, jac)

    @cached_property
    def gradients(self) -> dict[str, Floats]:
        """Derivative (p,) of every quoted parameter by theta, by central differences."""
        return _gradients([self])[0]

    def variance(self, gradients: Floats) -> Floats:
        """Linearised variance of what has ``gradients`` (..., p) by theta: (...).

        It is infinite for whatever moves along a direction that the data do not see. A pseudo-inverse would give
        such a direction no variance at all, and of two parameters that trade places both would look known.
        """
        along = (gradients / self._axes[0]) @ self._axes[2]
        seen = self._axes[1] > UNSEEN * self._axes[1].max(initial=0.0)
        size = np.linalg.norm(along, axis=-1)
        lost = (np.abs(along[..., ~seen]) > 1e-6 * size[..., None]).any(-1)
        known = ((along[..., seen] / self._axes[1][seen]) ** 2).sum(-1)
        return np.asarray(np.where(lost, np.inf, self.s2 * known))

    def covariance(self, gradients: Floats) -> Floats:
        """Linearised covariance (Q, Q) of what has ``gradients`` (Q, p) by theta; nan along unseen directions."""
        along = (gradients / self._axes[0]) @ self._axes[2]
        with np.errstate(all="ignore"):
            scaled = along / self._axes[1]
        lost = ~np.isfinite(self.variance(gradients))
        scaled[lost] = np.nan
        return np.asarray(self.s2 * scaled @ scaled.T)

    @cached_property
    def _axes(self) -> tuple[Floats, Floats, Floats]:
        """Sizes of the Jacobian's columns (p,), singular values (p,) and directions (p, p) of the rest."""
        jac = self.at_points[1] * np.sqrt(self.weights)
        size = np.linalg.norm(jac, axis=1)
        size = np.where(size > 0, size, 1.0)
        left, values, _ = np.linalg.svd(jac / size[:, None], full_matrices=True)
        return size, np.pad(values, (0, left.shape[1] - values.size)), left


def gradients_each(optima: Sequence[Optimum]) -> None:
    """Find the derivatives of many optima's parameters, where each one's cached property keeps them."""
    for part in side_by_side([best.problem for best in optima]):
        some = [optima[i] for i in part]
        for best, gradients in zip(some, _gradients(some), strict=True):
            vars(best)["gradients"] = gradients


def _gradients(optima: Sequence[Optimum]) -> list[dict[str, Floats]]:
    law = one_law([best.problem.law for best in optima])
    theta = np.array([best.theta for best in optima])
    step = 1e-6 * np.maximum(np.abs(theta), 1e-3)
    apart = step[:, None] * np.eye(theta.shape[1])
    with np.errstate(all="ignore"):
        up, down = (law.params(theta[:, None] + side * apart) for side in (1, -1))
        slopes = {k: (np.asarray(up[k]) - np.asarray(down[k])) / (2 * step) for k in up}
    slopes = {k: np.broadcast_to(slope, step.shape) for k, slope in slopes.items()}
    return [dict(zip(slopes, own, strict=True)) for own in zip(*slopes.values(), strict=True)]


def rss_of(problem: Problem, value: Floats, weights: Floats) -> float:
    """Weighted sum of squares of fitted values (n,), on the law's link scale."""
    fitted = np.log(value) if problem.law.link == "log" else value
    return float(np.sum(weights * (problem.target - fitted) ** 2))


@dataclass(frozen=True, eq=False)
class Wald:
    """Estimate ± t standard errors, on the law's link scale."""

    optimum: Optimum
    level: float
    method: str = "wald-t"

    def curve(self, inputs: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        """Low and high, each (Q,), of the mean curve at ``inputs``."""
        best = self.optimum
        with np.errstate(all="ignore"):  # where the law has no value
            value, jac = best.linked(inputs)
            half = best.t(self.level) * np.sqrt(best.variance(jac.T))
            low, high = value - half, value + half
            return (np.exp(low), np.exp(high)) if best.problem.law.link == "log" else (low, high)

    def parameters(self, names: Sequence[str] | None = None) -> dict[str, Ends]:
        """Low and high of quoted parameters, all unless named."""
        best = self.optimum
        t, center = best.t(self.level), best.problem.law.params(best.theta)
        halves = {name: t * error for name, error in standard_errors(best).items()}
        return {
            name: (float(center[name]) - h, float(center[name]) + h)
            for name, h in halves.items()
            if names is None or name in names
        }

    def coordinates(self) -> tuple[Floats, Floats]:
        """Low and high, each (p,), of the solver's coordinates."""
        best = self.optimum
        half = best.t(self.level) * np.sqrt(best.variance(np.eye(best.theta.size)))
        return best.theta - half, best.theta + half


def standard_errors(best: Optimum) -> dict[str, float]:
    """Linearised standard errors of the quoted parameters; inf for what the data do not see."""
    with np.errstate(all="ignore"):
        errors = {k: float(np.sqrt(best.variance(g))) for k, g in best.gradients.items()}
    return {k: np.inf if np.isnan(error) else error for k, error in errors.items()}


def correlation(best: Optimum) -> dict[str, dict[str, float]]:
    """Linearised correlation of the quoted parameters' estimates; nan for what the data do not see."""
    gradients = best.gradients
    with np.errstate(all="ignore"):
        covariance = best.covariance(np.stack(list(gradients.values())))
        size = np.sqrt(np.diag(covariance))
        table = covariance / size / size[:, None]
    rows = zip(gradients, table.tolist(), strict=True)
    return {name: dict(zip(gradients, row, strict=True)) for name, row in rows}
