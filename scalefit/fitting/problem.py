"""A law, its observations as plain vectors, and what is minimised: one fitting problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from scalefit.errors import FitError
from scalefit.laws import is_ours
from scalefit.laws.law import Law
from scalefit.types import Floats

Function = Literal["squared", "huber", "soft_l1"]
Residual = Literal["linear", "log"]
# In a descent a point takes some 40 numbers: derivatives, bounds, two basins; 24 MB.
POINTS_AT_ONCE = 75_000


@dataclass(frozen=True)
class Objective:
    """Σ_i w_i ρ(r_i / scale_i), with r = y − f, or ln y − ln f.

    ``squared``: ρ(r) = r². ``huber``: r²/2 up to δ, then δ(``|r|`` − δ/2), as in
    ``scipy.special.huber``. ``soft_l1``: δ²(√(1 + (r/δ)²) − 1), which is r²/2 near 0.

    Raises FitError: a function or residual of another name, or a δ that is missing or not positive.

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

    def rho(self, r: Floats) -> Floats:
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

    def slope(self, r: Floats) -> Floats:
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

    def curvature(self, r: Floats) -> Floats:
        """Second derivative of :meth:`rho`, with a fiftieth of the secant beyond δ so that it stays positive."""
        if self.function == "squared":
            return np.full_like(r, 2.0)
        d = self.delta
        assert d is not None
        if self.function == "huber":
            a = np.abs(r)
            # The true 0 would leave a descent that starts far off, among outliers alone, without a length of step.
            return np.where(a <= d, 1.0, 0.02 * d / np.maximum(a, d))
        return (1 + (r / d) ** 2) ** -1.5 + 1e-3

    def bend(self, r: Floats) -> Floats:
        """Exact second derivative of :meth:`rho`: what the variance of an M-estimator needs."""
        if self.function == "squared":
            return np.full_like(r, 2.0)
        d = self.delta
        assert d is not None
        if self.function == "huber":
            return (np.abs(r) <= d).astype(float)
        return (1 + (r / d) ** 2) ** -1.5


@dataclass(frozen=True, eq=False)
class Problem:
    """Vectors of length n, a law whose constants are set, and an objective.

    ``scale`` divides residuals (a known standard error, or 1).
    """

    law: Law
    inputs: tuple[Floats, ...]
    y: Floats
    objective: Objective = field(default_factory=Objective)
    scale: Floats | None = None

    def of(self, y: Floats, objective: Objective, scale: Floats | None) -> Problem:
        """Return the problem of other values at the same sizes; what is known of these is asked once."""
        other = Problem(self.law, self.inputs, y, objective, scale)
        vars(other)["limits"] = self.limits
        return other

    def parts(self, points: int) -> list[tuple[Problem, slice]]:
        """Cut the problem into parts of at most ``points`` points, or of one; each with where it lies."""
        n, step = self.y.size, max(points, 1)
        if n <= step:
            return [(self, slice(None))]
        return [(self._at(slice(i, i + step)), slice(i, i + step)) for i in range(0, n, step)]

    def _at(self, here: slice) -> Problem:
        inputs = tuple(x[here] for x in self.inputs)
        scale = None if self.scale is None else self.scale[here]
        return replace(self, inputs=inputs, y=self.y[here], scale=scale)

    def residual(self, value: Floats) -> Floats:
        """Scaled residuals of fitted values (..., n); +inf where a logarithm has no argument."""
        if self.objective.residual == "linear":
            r = self.y - value
        else:
            # A value at or below 0 is infinitely far off, which a descent turns from; nan would compare with nothing.
            with np.errstate(divide="ignore"):
                r = self.log_y - np.log(np.maximum(value, 0.0))
        return r if self.scale is None else r / self.scale

    def met(self, value: Floats) -> bool:
        """Whether the points lie on fitted values (n,): what is left is dust of the arithmetic, not scatter."""
        return bool(np.abs(self.y - value).max() <= 1e-9 * np.abs(self.y).max())

    def linearised(self, value: Floats, jacobian: Floats) -> Floats:
        """Return the derivative (..., p, n) of the fitted side of the residual."""
        if self.objective.residual == "log":
            jacobian = jacobian / value[..., None, :]
        return jacobian if self.scale is None else jacobian / self.scale[..., None, :]

    def total(self, value: Floats, weights: Floats | None) -> Floats:
        """Objective of fitted values (..., n): shape (...)."""
        loss = self.objective.rho(self.residual(value))
        return np.asarray(loss.sum(-1) if weights is None else (weights * loss).sum(-1))

    def expansion(
        self, value: Floats, jacobian: Floats, weights: Floats | None
    ) -> tuple[Floats, Floats, Floats]:
        """Objective (...), its gradient (..., p) and approximate Hessian (..., p, p) by theta."""
        r, jac, objective = self.residual(value), self.linearised(value, jacobian), self.objective
        # Most fits are plain squares, whose slope and curvature are known: no pass over the points for each.
        if objective.function == "squared" and weights is None:
            return _along(r, r), _along(jac, -2 * r), 2 * (jac @ jac.swapaxes(-1, -2))
        loss, slope, curvature = objective.rho(r), objective.slope(r), objective.curvature(r)
        if weights is not None:
            loss, slope, curvature = weights * loss, weights * slope, weights * curvature
        hessian = (jac * curvature[..., None, :]) @ jac.swapaxes(-1, -2)
        return np.asarray(loss.sum(-1)), -_along(jac, slope), hessian

    @cached_property
    def limits(self) -> list[tuple[float, float]]:
        """Lower and upper bound of each coordinate of theta, as plain numbers."""
        return self.law.limits(self.inputs)

    @cached_property
    def bounds(self) -> tuple[Floats, Floats]:
        """Lower and upper bounds of theta, each (p,)."""
        low, high = np.array(self.limits, dtype=float).T
        return low, high

    @cached_property
    def log_y(self) -> Floats:
        """Logarithms of the values."""
        return np.log(self.y)

    @property
    def target(self) -> Floats:
        """Values on the law's link scale: what the basis columns add up to."""
        return self.log_y if self.law.link == "log" else self.y

    @cached_property
    def size(self) -> float:
        """Weighted sum of squares of the values themselves: what a residual is small against."""
        y = self.y / self.unit
        return float(y @ y)

    def as_squares(self, value: Floats, p: int) -> tuple[Problem, Floats]:
        """Return plain least squares with the same optimum, of p parameters and these fitted values, and its weights.

        Intervals then know one objective only. The pseudo-values ŷ = f + g·ψ(r) / mean ψ' have the gradient of the
        real objective there, and a scatter that yields the M-estimator's variance. A clipped outlier pulls as far as
        Huber lets it, and no further; without the mean ψ' a loss that clips much would look precise, and
        without K = 1 + p/n · var ψ' / (mean ψ')² so would one that clips much in few points.
        Source: Huber and Ronchetti 2009, Robust Statistics, section 7.6 (their K) and 7.10.
        """
        r = self.residual(value)
        unit = np.ones_like(value) if self.scale is None else self.scale
        if self.objective.residual == "log":
            unit = unit * value
        if self.objective.function != "squared":  # whose slope is the residual already
            bends = self.objective.bend(r)
            bend = max(float(bends.mean()), 1e-12)
            few = 1 + p / r.size * float(bends.var()) / bend**2
            r = few * self.objective.slope(r) / bend
        pseudo = value + unit * r
        if self.law.link == "log":
            pseudo = value * np.exp((pseudo - value) / value)
            unit = unit / value
        plain = Objective(residual=self.objective.residual)
        return replace(self, y=pseudo, objective=plain, scale=None), unit**-2.0

    @property
    def unit(self) -> Floats | float:
        """What a residual is measured in: its scale, times the value where logarithms are compared."""
        scale = 1.0 if self.scale is None else self.scale
        return scale * self.y if self.objective.residual == "log" else scale

    @cached_property
    def projection_weights(self) -> Floats:
        """Weights (n,) that make least squares on the law's link scale imitate this objective near a good fit."""
        unit = self.unit / self.y if self.law.link == "log" else self.unit
        weights = np.empty_like(self.y)
        weights[:] = unit**-2.0
        return weights


def _along(a: Floats, b: Floats) -> Floats:
    """Σ over points of a (..., n) or (..., p, n) times b (..., n)."""
    if b.ndim == 1:
        return np.asarray(a @ b)
    if a.ndim == b.ndim:
        return np.asarray((a * b).sum(-1))
    return np.asarray((a @ b[..., None])[..., 0])


def side_by_side(
    problems: Sequence[Problem],
    room: Callable[[int], int] = lambda n: POINTS_AT_ONCE // n,
    *,
    trusted: bool = False,
) -> Iterator[list[int]]:
    """Yield places of problems that can be worked out as one array: of one law, objective and length n.

    As many at a time as there is ``room`` for, given n. A law of somebody's own comes alone unless ``trusted``: it may
    look at all of its inputs at once (``x / x.max()``), and would see other curves' sizes.
    """
    alike: dict[Any, list[int]] = {}
    for i, problem in enumerate(problems):
        law = problem.law
        # Laws at other constants share their parts, and the hash of a part costs as much as a look at its curve.
        parts = (
            law.basis,
            law.slopes,
            law.function,
            law.link,
            id(law.coefficients),
            id(law.shapes),
        )
        kind = (law.name, problem.y.size, *parts, *sorted(law.constants), problem.objective)
        alike.setdefault(kind if trusted or is_ours(law) else i, []).append(i)
    for members in alike.values():
        step = max(1, room(problems[members[0]].y.size))
        yield from (members[i : i + step] for i in range(0, len(members), step))


def make_problem(
    law: Law,
    inputs: tuple[Floats, ...],
    y: Floats,
    objective: Objective,
    scale: Floats | None = None,
) -> Problem:
    """Check the vectors, set the law's constants, and return the problem.

    Raises FitError: empty or unequal vectors, non-finite numbers, or a logarithm of what is not positive.
    """
    y = np.asarray(y, dtype=float)
    inputs = tuple([np.asarray(x, dtype=float) for x in inputs])
    names = (*law.inputs, "value")
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
