"""How much seed noise in a fit's sizes moves its token forecast."""

from __future__ import annotations

import numpy as np

from scalefit.errors import DesignError
from scalefit.fitting.result import Fit
from scalefit.forecasting.tokens import tokens_for


def leverage(fit: Fit, target: float) -> tuple[float, int]:
    """Return the standard error of log10 tokens per unit of SD at each size, and the sizes.

    By the delta method on the fitted law: ``√(gᵀ (JᵀJ)⁻¹ g) / |df/d log10 D|`` where J holds
    the law's derivatives at the distinct sizes and g those at the forecast.

    Raises
    ------
    DesignError
        The law has several inputs, or its curve does not reach the target.
    """
    if len(fit.law.inputs) != 1:
        raise DesignError(f"law {fit.law.name!r} has several inputs; needed one that is tokens")
    tokens = tokens_for(fit, target).estimate
    if not np.isfinite(tokens) or tokens <= 0:
        raise DesignError(f"the fitted curve does not reach {fit.metric} {target:g}")
    sizes = np.unique(fit.points.inputs[0])
    theta = fit.solution.theta
    _, at_sizes = fit.law.jacobian((sizes,), theta)
    _, there = fit.law.jacobian((np.array([tokens]),), theta)
    jacobian, g = at_sizes.T, there[:, 0]
    variance = float(g @ np.linalg.pinv(jacobian.T @ jacobian, rcond=1e-12) @ g)
    ends = fit.law.value((tokens * np.array([0.99, 1.01]),), theta)
    slope = float(ends[1] - ends[0]) / float(np.log10(1.01 / 0.99))
    if slope == 0:
        raise DesignError(f"the fitted curve is flat at {fit.metric} {target:g}")
    return float(np.sqrt(variance)) / abs(slope), len(sizes)
