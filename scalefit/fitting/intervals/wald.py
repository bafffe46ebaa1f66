"""Wald's intervals: the curve as a plane at the optimum. For laws whose likelihood cannot be laid out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalefit.fitting.intervals.optimum import Ends, Optimum
from scalefit.types import Floats


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
