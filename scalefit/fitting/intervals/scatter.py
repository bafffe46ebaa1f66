"""Scatter that is not alike and independent at all points: what that does to an interval.

Noise may grow or shrink with size, and a handful of points hardly tells. With a variance that changes by a factor e^g
over the sizes the same estimates have other standard errors: every g on a grid counts by its restricted likelihood and
by how much curves usually change, from noise that is alike in the unit compared and, as likely, in the other one. Noise
that is multiplicative where values are compared, or additive where logarithms are, left 86–92 % of the exponents in
intervals that take all points for equally noisy.

Checkpoints of one run drift: neighbours miss the curve on the same side, and then n points tell as much as far fewer.
With residuals of correlation ρ between neighbours (an AR(1) process) the interval is t standard errors of the same
estimate under that correlation. One run does not tell ρ well, so that no single value is taken: every ρ on a grid
counts by its restricted likelihood, and the half-length is where the mixture of their t-distributions has the level.
A plug-in estimate is too small after a fit, which takes the slow part of the drift for the curve, and covers 60 %
where the mixture covers 95 %.

Source: Harville 1974, Biometrika 61(2) (restricted likelihood); Cheang and Reinsel 2000, JASA 95(452).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from scipy import special

from scalefit.fitting.intervals.optimum import UNSEEN, Ends, Intervals, Optimum, gradients_each
from scalefit.fitting.noise import USUAL_CHANGE
from scalefit.fitting.problem import side_by_side
from scalefit.fitting.variance_line import log_sizes
from scalefit.laws.law import one_law
from scalefit.types import Floats

# Even steps of Fisher's z: one run tells least about strong correlations, which matter most.
RHO = np.tanh(np.linspace(0.0, 2.4, 25))
# What the log variance may change by over the sizes: 3 standard deviations of what it usually does.
GROWTH = np.linspace(-6.0, 6.0, 13)


@dataclass(frozen=True, eq=False)
class Unequal:
    """How much noisier some sizes may be than others.

    Attributes
    ----------
    weights : (..., R) share of each growth of :data:`GROWTH`; they sum to 1.
    covariance : (..., R, p, p) of theta under it, from the same estimate.
    """

    weights: Floats
    covariance: Floats

    def errors(self, gradients: Floats) -> Floats:
        """Errors (..., R, Q) of what has ``gradients`` (..., Q, p) by theta, over the error where nothing grows."""
        with np.errstate(all="ignore"):
            squares = gradients[..., None] * gradients[..., None, :]
            # One product of matrices for all: x' C x is the sum of C times x x'.
            covariance, squares = (a.reshape(*a.shape[:-2], -1) for a in (self.covariance, squares))
            variance = covariance @ squares.swapaxes(-1, -2)
            errors = np.sqrt(variance / variance[..., [GROWTH.size // 2], :])
        return np.where(np.isfinite(errors), errors, 1.0)  # nan along directions that no point sees

    def times(self, gradients: Floats, level: float, dof: Any) -> Floats:
        """How many times as long an interval is: (..., Q)."""
        with np.errstate(all="ignore"):
            half = mixed_half(self.weights, self.errors(gradients), dof, level)
            times = half / special.stdtrit(dof, 0.5 + level / 2)
        return np.where(np.isfinite(times), times, 1.0)


def mixed_half(weights: Floats, errors: Floats, dof: Any, level: float, steps: int = 1) -> Floats:
    """Half-length (..., Q) where Student's t of errors (..., R, Q), each weighed (..., R), together have the level."""
    weights, logs = weights[..., None], np.log(errors)
    middle = (weights * logs).sum(-2)
    logs, even = logs - middle[..., None, :], np.asarray(dof)[..., None]

    # With errors to a power that goes from 0 to 1 the half-length starts at Student's quantile, and how fast it goes
    # is told by densities alone: the distribution function, which a search for the end needs, costs twenty of them.
    def speed(power: float, half: Any) -> Any:
        t = np.exp(half[..., None, :] - power * logs)
        density = weights * t * (1 + t**2 / even) ** (-(even + 1) / 2)
        return (density * logs).sum(-2) / density.sum(-2)

    half, step = np.log(special.stdtrit(dof, 0.5 + level / 2)) + np.zeros(middle.shape), 1 / steps
    for power in np.arange(steps) * step:  # steps of Runge and Kutta
        first = speed(power, half) if power else 0.0  # about their middle errors begin to part
        second = speed(power + step / 2, half + step / 2 * first)
        third = speed(power + step / 2, half + step / 2 * second)
        last = speed(power + step, half + step * third)
        half = half + step / 6 * (first + 2 * second + 2 * third + last)
    return np.asarray(np.exp(middle + half))


def unequal_each(optima: Sequence[Optimum], slopes: Sequence[float]) -> list[Unequal]:
    """Weigh how noise may grow at many optima of equally many points and parameters.

    ``slopes``: of each log variance by log size, as far as the weights of the points follow it already.
    """
    root = np.sqrt([best.weights for best in optima])
    value, jac = (np.array(part) for part in zip(*(b.at_points for b in optima), strict=True))
    residual = root * (np.array([best.problem.target for best in optima]) - value)
    basis, hat = _moved(root[:, None] * jac)
    seen = (basis != 0).any(-1)
    dof = np.maximum(root.shape[1] - seen.sum(-1), 1)
    logs = np.array([log_sizes(best.problem.inputs[0])[0] for best in optima])
    place, span = logs - logs.mean(-1, keepdims=True), np.ptp(logs, axis=-1)
    place /= np.where(span > 0, span, 1.0)[:, None]  # 0 where one size is above 0
    # All growths at once, as products of rows times a variance (its geometric mean is 1 whatever the growth).
    noise = np.exp(place[..., None] * GROWTH)
    rows = np.concatenate([basis, residual[:, None]], axis=1)
    gram = _products(rows, noise[..., ::-1])  # the grid is even: 1 / noise
    # What no point sees has a pivot of its own; a residual of rounding alone leaves a pivot above 0.
    pivots = np.concatenate([~seen, np.full((len(seen), 1), 1e-300)], axis=1)
    gram += np.eye(rows.shape[1]) * pivots[:, None, None]
    gram[..., -1, -1] *= 1 + 1e-12
    # Least squares on whitened residuals is the generalised one, and the last pivot is the root of what it leaves.
    roots = np.diagonal(np.linalg.cholesky(gram), axis1=-2, axis2=-1)
    rss = roots[..., -1] ** 2
    own = GROWTH + (np.array(slopes) * span)[:, None]
    other = np.array([_otherwise(*pair) for pair in zip(optima, slopes, strict=True)])[:, None]
    usual = np.logaddexp(*(-0.5 * (g / USUAL_CHANGE) ** 2 for g in (own, own - other)))
    lost = 2 * np.log(roots[..., :-1]).sum(-1)
    shares = -0.5 * (lost + dof[:, None] * np.log(rss)) + usual
    weights = np.exp(shares - shares.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    covariance = (rss / dof[:, None])[..., None, None] * _products(hat, noise)
    return [Unequal(*pair) for pair in zip(weights, covariance, strict=True)]


def _otherwise(best: Optimum, slope: float) -> float:
    """Change of the log variance where noise is alike in the other unit: in logarithms for values, or the reverse."""
    y, x, residual = best.problem.y, best.problem.inputs[0], best.problem.objective.residual
    first, last = y[x.argmin()], y[x.argmax()]
    if slope or min(first, last) <= 0:
        return 0.0  # seeds tell how noise changes
    return float(np.clip(2 * np.log(last / first), *GROWTH[[2, -3]])) * (
        -1 if residual == "log" else 1
    )


def _products(rows: Floats, weights: Floats) -> Floats:
    """Products (B, R, p, p) of rows (B, p, n), summed over n with each of the weights (B, n, R)."""
    pairs = rows[:, :, None] * rows[:, None]
    summed = pairs.reshape(len(rows), -1, rows.shape[-1]) @ weights
    return np.ascontiguousarray(summed.swapaxes(-1, -2)).reshape(
        *summed.shape[::2], *pairs.shape[1:3]
    )


def _moved(rows: Floats) -> tuple[Floats, Floats]:
    """Orthonormal basis of what rows (B, p, n) move, and how theta follows the residuals; 0 where nothing is seen."""
    size = np.linalg.norm(rows, axis=-1, keepdims=True)
    size = np.where(size > 0, size, 1.0)
    left, values, basis = np.linalg.svd(rows / size, full_matrices=False)
    seen = values > UNSEEN * values.max(axis=-1, keepdims=True)
    inverse = np.where(seen, 1 / np.where(seen, values, 1.0), 0.0)
    return basis * seen[..., None], (left * inverse[:, None]) @ basis / size


@dataclass(frozen=True, eq=False)
class Drift:
    """How the checkpoints of one run hang together.

    Attributes
    ----------
    weights : (R,) share of each correlation of :data:`RHO`; they sum to 1.
    covariance : (R, p, p) of theta under it, from the same estimate.
    dof : degrees of freedom of its scatter.
    """

    weights: Floats
    covariance: Floats
    dof: float

    @property
    def correlation(self) -> float:
        """Correlation between neighbouring checkpoints: the mean over what the data leave open."""
        return float(self.weights @ RHO)

    @property
    def strong(self) -> bool:
        """Whether .9, beyond which intervals fall short (docs/simulations/intervals.md), is not excluded."""
        return bool(self.weights[RHO > 0.85].sum() > 0.05)

    def half(self, gradients: Floats, level: float) -> Floats:
        """Half-length (Q,) of the interval of what has ``gradients`` (Q, p) by theta."""
        cross = ((gradients @ self.covariance) * gradients).sum(axis=-1)
        spread = np.sqrt(np.maximum(cross, 1e-300))
        # Errors lie farther apart than those of noise that grows: one step would be 14 % off.
        return mixed_half(self.weights, spread, self.dof, level, steps=4)

    def times(self, gradients: Floats, level: float, best: Optimum) -> Floats:
        """How many times as long an interval is: (Q,)."""
        with np.errstate(all="ignore"):
            plain = best.t(level) * np.sqrt(best.variance(gradients))
            factor = self.half(gradients, level) / plain
        return np.where(np.isfinite(factor), factor, 1.0)


def drift_of(best: Optimum) -> Drift:
    """Weigh the correlations by the residuals at an optimum, taken in the order of the inputs."""
    residual, tangent = size_means(best)
    shares, scatter = restricted(residual, tangent)
    n, p = residual.size, tangent.shape[1]
    size = np.linalg.norm(tangent, axis=0)
    size = np.where(size > 0, size, 1.0)
    hat = np.linalg.pinv(tangent / size, rcond=1e-8) / size[:, None]
    covariance = np.array(
        [s2 * (hat @ _correlated(hat.T, rho)) for rho, s2 in zip(RHO, scatter, strict=True)]
    )
    return Drift(shares, covariance, float(n - p))


def size_means(best: Optimum) -> tuple[Floats, Floats]:
    """Weighted residuals (n,) and derivatives (n, p) of the points, by size."""
    problem, root = best.problem, np.sqrt(best.weights)
    value, jac = best.linked(problem.inputs)
    order = np.lexsort(problem.inputs[::-1])
    return (root * (problem.target - value))[order], (root * jac).T[order]


def restricted(residual: Floats, tangent: Floats) -> tuple[Floats, Floats]:
    """Share (R,) of each correlation by its restricted likelihood, and the scatter (R,) under it.

    ``residual`` (n,) and ``tangent`` (n, p) are whitened for each correlation: least squares on what is left is then
    the generalised one.
    """
    n, basis = residual.size, np.linalg.qr(tangent[:, np.linalg.norm(tangent, axis=0) > 0])[0]
    dof = max(n - basis.shape[1], 1)
    likelihood, scatter = np.empty(RHO.size), np.empty(RHO.size)
    for i, rho in enumerate(RHO):
        white, r = _whitened(basis, rho), _whitened(residual, rho)
        q, upper = np.linalg.qr(white)
        rss = max(float(r @ r - (q.T @ r) @ (q.T @ r)), 1e-300)
        lost = (n - 1) * np.log(1 - rho**2) + 2 * np.log(np.abs(np.diag(upper))).sum()
        likelihood[i], scatter[i] = -0.5 * (lost + dof * np.log(rss)), rss / dof
    shares = np.exp(likelihood - likelihood.max())
    return shares / shares.sum(), scatter


def _whitened(values: Floats, rho: float) -> Floats:
    """Rows (n, ...) of an AR(1) process of variance 1, made independent and of variance 1."""
    out = values.copy()
    out[1:] = (values[1:] - rho * values[:-1]) / np.sqrt(1 - rho**2)
    return out


def _correlated(values: Floats, rho: float) -> Floats:
    """Rows (n, p) multiplied by the process' correlation matrix, by one pass forth and one back."""
    # y_i = v_i + rho y_(i-1) is a system of two bands, linear in n; scipy.signal's filter does the same, and takes
    # longer to import than a fit takes. (scipy.linalg itself is loaded by its first use, here.)
    bands = np.vstack([np.ones(len(values)), np.full(len(values), -rho)])
    forth = scipy.linalg.solve_banded((1, 0), bands, values)
    back = scipy.linalg.solve_banded((1, 0), bands, values[::-1])[::-1]
    return np.asarray(forth + back - values)


@dataclass(frozen=True, eq=False)
class Stretched:
    """Another method's intervals, as many times as long as the scatter asks for; drift never makes them shorter."""

    inner: Intervals
    optimum: Optimum
    level: float
    unequal: Unequal
    drift: Drift | None = None

    @property
    def method(self) -> str:
        """Name of the method."""
        return f"{self.inner.method}{', correlated' if self.drift else ''}"

    def curve(self, inputs: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        """Low and high, each (Q,), of the mean curve at ``inputs``."""
        problem = self.optimum.problem
        with np.errstate(all="ignore"):
            center, jac = problem.law.jacobian(inputs, self.optimum.theta)
            times, ends = self._times(jac.T), self.inner.curve(inputs)
            logs = "log" in (problem.law.link, problem.objective.residual)
            low, high = (_longer(center, end, times, logs) for end in ends)
        return low, high

    def parameters(self, names: Sequence[str] | None = None) -> dict[str, Ends]:
        """Low and high of quoted parameters, all unless named."""
        ends, _ = self.ends
        return {name: ends[name] for name in names or ends}

    def coordinates(self) -> tuple[Floats, Floats]:
        """Low and high, each (p,), of the solver's coordinates."""
        low, high = self.ends[1]
        return low, high

    @cached_property
    def ends(self) -> tuple[dict[str, Ends], Floats]:
        """Ends of the quoted parameters, and of the coordinates (2, p); :func:`stretch` finds those of many."""
        return _ends([self])[0]

    @cached_property
    def times(self) -> Floats:
        """How many times as long, never shorter: of every quoted parameter, then of every coordinate."""
        return np.maximum(self._times(self.gradients), 1.0)

    @property
    def gradients(self) -> Floats:
        """Derivatives of every quoted parameter and of every coordinate by theta: (Q, p)."""
        return np.concatenate([[*self.optimum.gradients.values()], np.eye(self.optimum.theta.size)])

    def _times(self, gradients: Floats) -> Floats:
        times = self.unequal.times(gradients, self.level, self.optimum.dof)
        if self.drift is None:
            return times
        return np.maximum(times, self.drift.times(gradients, self.level, self.optimum))


def _longer(center: Any, end: Any, times: Any, logs: Any = False) -> Any:
    """Move an end off the center; of ``logs`` by a factor, where both are above 0: an amplitude is known to one."""
    with np.errstate(all="ignore"):
        plain = center + times * (end - center)
        far = np.where(logs & (center > 0) & (end > 0), center * (end / center) ** times, plain)
    return np.where(np.isfinite(center), far, end)


def _ends(some: Sequence[Stretched]) -> list[tuple[dict[str, Ends], Floats]]:
    law = one_law([one.optimum.problem.law for one in some])
    theta, times = (
        np.array([one.optimum.theta for one in some]),
        np.array([one.times for one in some]),
    )
    inner = [one.inner.parameters() for one in some]
    names, factors = [*inner[0]], {law.named("scale"), *law.sizes}
    with np.errstate(all="ignore"):
        params = law.params(theta[:, None])
    center = np.stack([np.broadcast_to(params[name], (len(some), 1)) for name in names], axis=1)
    logs = np.array([name in factors for name in names])[:, None]
    ends = np.array([[*own.values()] for own in inner])
    quoted = _longer(center, ends, times[:, : len(names), None], logs).tolist()
    own = np.array([one.inner.coordinates() for one in some])
    moved = _longer(theta[:, None], own, times[:, None, -theta.shape[1] :])
    named = (dict(zip(names, map(tuple, row), strict=True)) for row in quoted)
    return [*zip(named, moved, strict=True)]


def stretch(many: Sequence[Stretched]) -> None:
    """Find the intervals of many fits, where each one's cached property keeps them; those inside are known."""
    unseen = [one for one in many if one.drift is None and "times" not in vars(one)]
    gradients_each([one.optimum for one in unseen])
    alike: dict[Any, list[Stretched]] = {}
    for one in unseen:
        alike.setdefault((one.level, one.gradients.shape), []).append(one)
    for (level, _), some in alike.items():
        pairs = ((one.unequal.weights, one.unequal.covariance) for one in some)
        scatter = Unequal(*(np.array(part) for part in zip(*pairs, strict=True)))
        dof = np.array([[one.optimum.dof] for one in some])
        times = scatter.times(np.array([one.gradients for one in some]), level, dof)
        for one, own in zip(some, times, strict=True):
            # shorter, an arm would leave the bound that cut it
            vars(one)["times"] = np.maximum(own, 1.0)
    for part in side_by_side([one.optimum.problem for one in unseen]):
        some = [unseen[i] for i in part]
        for one, ends in zip(some, _ends(some), strict=True):
            vars(one)["ends"] = ends
