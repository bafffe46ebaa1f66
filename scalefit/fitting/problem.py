"""A law, its observations as plain vectors, and what is minimised: one fitting problem."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import FitError
from scalefit.fitting.objective import Objective
from scalefit.laws.law import Law

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Problem:
    """Vectors of length n, a law whose constants are set, and an objective.

    ``scale`` divides residuals (a known standard error, or 1).
    """

    law: Law
    inputs: tuple[Array, ...]
    y: Array
    objective: Objective = field(default_factory=Objective)
    scale: Array | None = None

    def residual(self, value: Array) -> Array:
        """Scaled residuals of fitted values (..., n); +inf where a logarithm has no argument."""
        if self.objective.residual == "linear":
            r = self.y - value
        else:
            with np.errstate(invalid="ignore", divide="ignore"):
                r = np.where(
                    value > 0, np.log(self.y) - np.log(np.where(value > 0, value, 1.0)), np.inf
                )
        return r if self.scale is None else r / self.scale

    def linearised(self, value: Array, jacobian: Array) -> Array:
        """Return the derivative (..., p, n) of the fitted side of the residual."""
        if self.objective.residual == "log":
            jacobian = jacobian / value[..., None, :]
        return jacobian if self.scale is None else jacobian / self.scale

    def total(self, value: Array, weights: Array | None) -> Array:
        """Objective of fitted values (..., n): shape (...)."""
        loss = self.objective.rho(self.residual(value))
        return np.asarray(loss.sum(-1) if weights is None else (weights * loss).sum(-1))

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """Lower and upper bounds of theta, each (p,)."""
        return self.law.bounds(self.inputs)

    @cached_property
    def size(self) -> float:
        """Weighted sum of squares of the values themselves: what a residual is small against."""
        return float(self.least_squares_weights @ self.y**2)

    @cached_property
    def least_squares_weights(self) -> Array:
        """Weights that make plain least squares imitate this objective near a good fit."""
        w = np.ones_like(self.y) if self.scale is None else self.scale**-2
        return w / self.y**2 if self.objective.residual == "log" else w


def make_problem(
    law: Law,
    inputs: tuple[Array, ...],
    y: Array,
    objective: Objective,
    scale: Array | None = None,
) -> Problem:
    """Check the vectors, set the law's constants, and return the problem.

    Raises
    ------
    FitError
        Empty or unequal vectors, non-finite numbers, or a logarithm of what is not positive.
    """
    y = np.asarray(y, dtype=float)
    inputs = tuple(np.asarray(x, dtype=float) for x in inputs)
    names = [*law.inputs, "value"]
    if len(inputs) != len(law.inputs):
        raise FitError(f"law {law.name!r} takes inputs {law.inputs}; {len(inputs)} were given")
    for name, v in zip(names, (*inputs, y), strict=True):
        if v.shape != y.shape or v.ndim != 1 or v.size == 0:
            raise FitError(
                f"{name} has shape {v.shape}; all must be vectors of one length, at least 1"
            )
        if not np.isfinite(v).all():
            at = int(np.flatnonzero(~np.isfinite(v))[0])
            raise FitError(
                f"{name} is {v[at]} at point {at}; drop or mend it, every number must be finite"
            )
    if objective.residual == "log" and (y <= 0).any():
        at = int(np.flatnonzero(y <= 0)[0])
        raise FitError(
            f"value is {y[at]:g} at point {at}, and residual='log' takes its logarithm; "
            "use residual='linear', or leave the point out"
        )
    return Problem(law.anchored(inputs), inputs, y, objective, scale)
