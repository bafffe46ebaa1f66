"""Intervals from refits that leave out one unit each: a pretraining run, or a block of many points.

Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 11; Student's t over units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalefit.fitting.intervals.optimum import Ends, Optimum
from scalefit.fitting.solve import Draws
from scalefit.types import Floats


@dataclass(frozen=True, eq=False)
class Jackknife:
    """Estimate ± t jackknife errors, from ``refits`` without each unit; ``optimum.dof`` is units − 1."""

    optimum: Optimum
    level: float
    refits: Draws
    method: str = "jackknife-t"

    def curve(self, inputs: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        """Low and high, each (Q,), of the mean curve at ``inputs``."""
        law, theta = self.refits.problem.law, self.refits.theta
        center = law.value(inputs, self.optimum.theta)
        error = jackknife_error(law.value(inputs, theta))
        if len(theta) == 2:  # two refits cross somewhere: that is no knowledge
            seen = jackknife_error(law.value(self.refits.problem.inputs, theta))
            error = np.maximum(error, np.sqrt(np.mean(seen**2)))
        half = self.optimum.t(self.level) * error
        return center - half, center + half

    def parameters(self, names: Sequence[str] | None = None) -> dict[str, Ends]:
        """Low and high of quoted parameters, all unless named.

        Ends are taken on the log scale for what is positive in every refit, a floor or ceiling apart: an amplitude
        is known to a factor. What runs away has no ends.
        """
        law, t = self.refits.problem.law, self.optimum.t(self.level)
        center, levels = law.params(self.optimum.theta), {law.named("floor"), law.named("ceiling")}
        out = {}
        for name, values in self.refits.params.items():
            if names is not None and name not in names:
                continue
            middle = float(center[name])
            if not (np.isfinite(values).all() and np.isfinite(middle)):
                out[name] = (-np.inf, np.inf)
            elif name not in levels and middle > 0 and (values > 0).all():
                reach = float(np.exp(min(t * float(jackknife_error(np.log(values))), 700.0)))
                out[name] = (middle / reach, middle * reach)
            else:
                reach = t * float(jackknife_error(values))
                low = max(middle - reach, 0.0) if (values >= 0).all() else middle - reach
                out[name] = (low, middle + reach)
        return out

    def coordinates(self) -> tuple[Floats, Floats]:
        """Low and high, each (p,), of the solver's coordinates."""
        half = self.optimum.t(self.level) * jackknife_error(self.refits.theta)
        return self.optimum.theta - half, self.optimum.theta + half


def jackknife_error(values: Floats) -> Floats:
    """Return the standard error from leave-one-out values along the first axis."""
    units = len(values)
    with np.errstate(invalid="ignore", over="ignore"):
        spread = np.sum((values - values.mean(0)) ** 2, axis=0)
    return np.asarray(np.sqrt((units - 1) / units * spread))
