"""Checkpoints of one run: what their common drift does to an interval.

Neighbouring checkpoints of one run miss the curve on the same side, and then n points tell as much as far fewer.
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

import numpy as np
import scipy
from scipy import special

from scalefit.fitting.intervals.optimum import Ends, Intervals, Optimum
from scalefit.types import Floats

# Even steps of Fisher's z: one run tells least about strong correlations, which matter most.
RHO = np.tanh(np.linspace(0.0, 2.4, 25))


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

    def half(self, gradients: Floats, level: float) -> Floats:
        """Half-length (Q,) of the interval of what has ``gradients`` (Q, p) by theta."""
        cross = ((gradients @ self.covariance) * gradients).sum(axis=-1)
        spread = np.sqrt(np.maximum(cross, 1e-300))
        t = special.stdtrit(self.dof, 0.5 + level / 2)
        least, most = t * spread.min(0), t * spread.max(0)
        half = t * (self.weights @ spread)
        # What lies outside is convex in the half-length, so that from its second step on Newton's method comes from
        # the left and never leaves the bracket: about six steps, where halving it takes fifty.
        for _ in range(50):
            outside = self.weights @ (2 * special.stdtr(self.dof, -half / spread)) - (1 - level)
            slope = self.weights @ (2 * _density(half / spread, self.dof) / spread)
            before, half = half, np.clip(half + outside / slope, least, most)
            if np.allclose(half, before, rtol=1e-13, atol=0.0):
                break
        return np.asarray(half)


def _density(t: Floats, dof: float) -> Floats:
    """Density of Student's distribution."""
    scale = np.exp(special.gammaln((dof + 1) / 2) - special.gammaln(dof / 2))
    return np.asarray(scale / np.sqrt(dof * np.pi) * (1 + t**2 / dof) ** (-(dof + 1) / 2))


def drift_of(best: Optimum) -> Drift:
    """Weigh the correlations by the residuals at an optimum, taken in the order of the inputs."""
    residual, tangent = by_size(best)
    shares, scatter = restricted(residual, tangent)
    n, p = residual.size, tangent.shape[1]
    size = np.linalg.norm(tangent, axis=0)
    size = np.where(size > 0, size, 1.0)
    hat = np.linalg.pinv(tangent / size, rcond=1e-8) / size[:, None]
    covariance = np.array(
        [s2 * (hat @ _correlated(hat.T, rho)) for rho, s2 in zip(RHO, scatter, strict=True)]
    )
    return Drift(shares, covariance, float(n - p))


def by_size(best: Optimum) -> tuple[Floats, Floats]:
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
class Drifting:
    """Another method's intervals, longer by what the drift of one run adds; never shorter."""

    inner: Intervals
    optimum: Optimum
    drift: Drift
    level: float

    @property
    def method(self) -> str:
        """Name of the method."""
        return f"{self.inner.method}, correlated"

    def curve(self, inputs: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        """Low and high, each (Q,), of the mean curve at ``inputs``."""
        low, high = self.inner.curve(inputs)
        link = self.optimum.problem.law.link == "log"
        with np.errstate(all="ignore"):
            if link:
                low, high = np.log(low), np.log(high)
            center, jac = self.optimum.linked(inputs)
            factor = self._factor(jac.T)
            low, high = center - factor * (center - low), center + factor * (high - center)
        return (np.exp(low), np.exp(high)) if link else (low, high)

    def parameters(self, names: Sequence[str] | None = None) -> dict[str, Ends]:
        """Low and high of quoted parameters, all unless named."""
        center = self.optimum.problem.law.params(self.optimum.theta)
        slopes = self.optimum.gradients
        out = {}
        for name, (low, high) in self.inner.parameters(names).items():
            factor, middle = float(self._factor(slopes[name][None])[0]), float(center[name])
            ends = middle - factor * (middle - low), middle + factor * (high - middle)
            out[name] = ends if np.isfinite(middle) else (low, high)
        return out

    def coordinates(self) -> tuple[Floats, Floats]:
        """Low and high, each (p,), of the solver's coordinates."""
        (low, high), theta = self.inner.coordinates(), self.optimum.theta
        factor = self._factor(np.eye(theta.size))
        return theta - factor * (theta - low), theta + factor * (high - theta)

    def _factor(self, gradients: Floats) -> Floats:
        """How many times as long: (Q,), at least 1."""
        with np.errstate(all="ignore"):
            plain = self._t * np.sqrt(self.optimum.variance(gradients))
            factor = self.drift.half(gradients, self.level) / plain
        return np.where(np.isfinite(factor), np.maximum(factor, 1.0), 1.0)

    @cached_property
    def _t(self) -> float:
        return self.optimum.t(self.level)
