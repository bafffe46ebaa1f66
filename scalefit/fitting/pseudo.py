"""Any objective as plain least squares: the same optimum, and scatter that yields the M-estimator's variance.

Source: Huber and Ronchetti 2009, Robust Statistics, section 7.10.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scalefit.fitting.objective import Objective
from scalefit.fitting.problem import Problem

Array = NDArray[np.float64]


def pseudo_problem(problem: Problem, theta: Array) -> tuple[Problem, Array]:
    """Return the plain least-squares problem with the same optimum, and its weights (n,)."""
    value = problem.law.value(problem.inputs, theta)
    r = problem.residual(value)
    unit = np.ones_like(value) if problem.scale is None else problem.scale
    if problem.objective.residual == "log":
        unit = unit * value
    slope = problem.objective.slope(r)
    curve = float(np.mean(_second(problem.objective, r)))
    pseudo = value + unit * slope / max(curve, 1e-12)
    if problem.law.link == "log":
        pseudo = value * np.exp((pseudo - value) / value)
        unit = unit / value
    plain = replace(
        problem, y=pseudo, objective=Objective(residual=problem.objective.residual), scale=None
    )
    return plain, unit**-2.0


def _second(objective: Objective, r: Array) -> Array:
    """Exact second derivative of the loss."""
    if objective.loss == "huber":
        assert objective.delta is not None
        return (np.abs(r) <= objective.delta).astype(float)
    if objective.loss == "soft_l1":
        assert objective.delta is not None
        return (1 + (r / objective.delta) ** 2) ** -1.5
    return np.full_like(r, 2.0)
