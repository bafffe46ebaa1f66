"""What a fit minimises: a function of residuals, summed over points, never averaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import FitError

Array = NDArray[np.float64]
Function = Literal["squared", "huber", "soft_l1"]
Residual = Literal["linear", "log"]


@dataclass(frozen=True)
class Objective:
    """Σ_i w_i ρ(r_i / scale_i), with r = y − f, or ln y − ln f.

    ``squared``: ρ(r) = r². ``huber``: r²/2 up to δ, then δ(``|r|`` − δ/2), as in
    ``scipy.special.huber``. ``soft_l1``: δ²(√(1 + (r/δ)²) − 1), which is r²/2 near 0.

    Raises
    ------
    FitError
        A function or residual of another name, or a δ that is missing or not positive.

    Examples
    --------
    >>> Objective("huber", delta=1e-3, residual="log").delta
    0.001
    """

    function: Function = "squared"
    delta: float | None = None
    residual: Residual = "linear"

    def __post_init__(self) -> None:
        if self.function not in ("squared", "huber", "soft_l1"):
            raise FitError(
                f"objective is {self.function!r}; it must be 'squared', 'huber' or 'soft_l1'"
            )
        if self.residual not in ("linear", "log"):
            raise FitError(f"residual is {self.residual!r}; it must be 'linear' or 'log'")
        if self.function != "squared" and not (self.delta is not None and self.delta > 0):
            raise FitError(
                f"objective={self.function!r} needs a positive delta=, in units of the residual "
                f"(found {self.delta!r}); 1e-3 is usual for log cross-entropy, 0.1 for log BLEU"
            )

    @property
    def plain(self) -> bool:
        """Whether this is ordinary least squares of the values themselves."""
        return self.function == "squared" and self.residual == "linear"

    def __str__(self) -> str:
        function = self.function if self.delta is None else f"{self.function}({self.delta:g})"
        return f"residual:{self.residual}|objective:{function}"

    def rho(self, r: Array) -> Array:
        """Loss of each residual."""
        if self.function == "squared":
            return r * r
        d = self.delta
        assert d is not None
        if self.function == "huber":
            a = np.abs(r)
            near = np.minimum(a, d)
            return near * (a - 0.5 * near)
        return d * d * (np.sqrt(1 + (r / d) ** 2) - 1)

    def slope(self, r: Array) -> Array:
        """First derivative of :meth:`rho`."""
        if self.function == "squared":
            return 2 * r
        d = self.delta
        assert d is not None
        return (
            np.minimum(np.maximum(r, -d), d)
            if self.function == "huber"
            else r / np.sqrt(1 + (r / d) ** 2)
        )

    def curvature(self, r: Array) -> Array:
        """Second derivative of :meth:`rho`, with a fiftieth of the secant beyond δ so that it stays positive."""
        if self.function == "squared":
            return np.full_like(r, 2.0)
        d = self.delta
        assert d is not None
        if self.function == "huber":
            a = np.abs(r)
            return np.where(a <= d, 1.0, 0.02 * d / np.maximum(a, d))
        return (1 + (r / d) ** 2) ** -1.5 + 1e-3

    def bend(self, r: Array) -> Array:
        """Exact second derivative of :meth:`rho`: what the variance of an M-estimator needs."""
        if self.function == "squared":
            return np.full_like(r, 2.0)
        d = self.delta
        assert d is not None
        if self.function == "huber":
            return (np.abs(r) <= d).astype(float)
        return (1 + (r / d) ** 2) ** -1.5
