"""What a fit does not know: intervals of parameters and of the curve, for the mean and for a new run."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from scalefit.fitting.interval import check_level
from scalefit.fitting.jackknife import jackknife_curve, jackknife_error, jackknife_parameters
from scalefit.fitting.noise import Noise
from scalefit.fitting.objective import Objective
from scalefit.fitting.problem import Problem
from scalefit.fitting.region import POINTS, Region, region, rss_of
from scalefit.fitting.resample import Draws

Array = NDArray[np.float64]
Kind = Literal["mean", "run"]
LARGE = 2_000
CELLS = 500_000
KEPT = 0.8  # of the length of a profile interval, at least


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """The optimum as a least-squares problem with known scatter.

    Robust and log objectives enter by their pseudo-values ŷ = f + g·ψ(r)/mean ψ', which have the
    same optimum under plain least squares and scatter that yields the M-estimator's variance
    (Huber and Ronchetti 2009, Robust Statistics, section 7.10).

    Attributes
    ----------
    problem, weights : the pseudo-problem and its least-squares weights (n,).
    theta : the optimum.
    s2, dof : variance of a point of weight 1, and its degrees of freedom.
    noise : where the weights came from.
    runs : refits without each pretraining run, where runs are the units, or without each block of many
        points; else None.
    """

    problem: Problem
    weights: Array
    theta: Array
    s2: float
    dof: float
    noise: Noise
    runs: Draws | None = None
    regions: dict[float, Region] = field(default_factory=dict, repr=False)

    @property
    def method(self) -> str:
        """Name of the interval's method."""
        if self.runs is not None:
            return "jackknife-t"
        return "profile-t" if self.profiled else "wald-t"

    @property
    def profiled(self) -> bool:
        """Whether the likelihood region can be laid out: separable, few shapes, not too many points."""
        law = self.problem.law
        return law.separable and len(law.shapes) in POINTS and self.problem.y.size <= LARGE

    def t(self, level: float) -> float:
        """Student's quantile for a two-sided interval; inf without degrees of freedom."""
        if self.dof <= 0:
            return np.inf
        return float(stats.t.ppf(0.5 + level / 2, self.dof))

    def region(self, level: float) -> Region:
        """Likelihood region for intervals of this level, laid out once."""
        if level not in self.regions:
            limit = self.rss + max(
                self.t(level) ** 2 * self.s2, 1e-30 * float(self.weights @ self.problem.y**2)
            )
            self.regions[level] = region(self.problem, self.theta, self.weights, limit)
        return self.regions[level]

    @property
    def rss(self) -> float:
        """Weighted sum of squares at the optimum."""
        fitted = self.problem.law.value(self.problem.inputs, self.theta)
        return rss_of(self.problem, fitted, self.weights)

    def curve(
        self, inputs: tuple[Array, ...], level: float, kind: Kind = "mean"
    ) -> tuple[Array, Array]:
        """Low and high, each (Q,), of the mean curve or of one new run at ``inputs`` (each (Q,))."""
        check_level(level)
        if self.dof <= 0:
            return np.full(inputs[0].shape, -np.inf), np.full(inputs[0].shape, np.inf)
        extra = self._new_run(inputs) if kind == "run" else np.zeros(inputs[0].shape)
        if self.runs is not None:
            one = None if kind == "run" and self.s2 <= 0 else self.s2 * extra
            return jackknife_curve(self.runs, self.theta, inputs, self.t(level), one)
        center, half = self._wald_curve(inputs, level, extra)
        low, high = center - half, center + half
        if self.profiled:
            low, high = cut_back(*self._profile_curve(inputs, level, extra), center, half)
        return (np.exp(low), np.exp(high)) if self.problem.law.link == "log" else (low, high)

    def _profile_curve(
        self, inputs: tuple[Array, ...], level: float, extra: Array
    ) -> tuple[Array, Array]:
        """Return the ends of the curve over the likelihood region, on the law's link scale."""
        found, law = self.region(level), self.problem.law
        split = tuple(found.shapes[:, m, None] for m in range(found.shapes.shape[1]))
        block = max(1, CELLS // (len(found.shapes) * self.theta.size))
        ends = []
        for i in range(0, inputs[0].size, block):
            here = tuple(x[i : i + block] for x in inputs)
            size = (len(found.shapes), here[0].size)
            columns = [np.broadcast_to(c, size).T for c in law.columns(here, split)]
            ends.append(found.linear(np.stack(columns, axis=-1), extra[i : i + block]))
        low, high = np.concatenate(ends, axis=1)
        return low, high

    def parameters(self, level: float) -> dict[str, tuple[float, float]]:
        """Low and high of every quoted parameter."""
        check_level(level)
        names = self.problem.law.parameters
        if self.dof <= 0:
            return dict.fromkeys(names, (-np.inf, np.inf))
        if self.runs is not None:
            return jackknife_parameters(self.runs, self.theta, self.t(level))
        if not self.profiled:
            return self._wald_parameters(level)
        return {name: self._profile_parameter(name, level) for name in names}

    def _profile_parameter(self, name: str, level: float) -> tuple[float, float]:
        """Interval of one quoted parameter, by whether it depends on the shapes alone."""
        found, law = self.region(level), self.problem.law
        k = len(law.coefficients)

        def quoted(coefficients: Array) -> Array:
            spread = np.broadcast_to(coefficients, (len(found.shapes), k))
            with np.errstate(all="ignore"):
                params = law.params(np.concatenate([spread, found.shapes], axis=1))
            return np.broadcast_to(params[name], (len(found.shapes),)).astype(float)

        once, twice = quoted(np.ones(k)), quoted(np.full(k, 2.0))
        if np.allclose(once, twice, equal_nan=True):
            inside = once[found.inside]
            return float(np.nanmin(inside)), float(np.nanmax(inside))
        weights = np.stack([quoted(row) for row in np.eye(k)], axis=-1)
        low, high = found.linear(weights[None])
        return float(low[0]), float(high[0])

    def _new_run(self, inputs: tuple[Array, ...]) -> Array:
        """Variance of one new value at the inputs, in units of s²."""
        law = self.problem.law
        unit = np.ones(inputs[0].shape)
        if self.noise.line is not None:
            unit = self.noise.line.at(inputs[0])
        elif self.noise.scale is not None:
            unit = unit * float(np.median(self.noise.scale)) ** 2
        log = self.objective.residual == "log" and law.link != "log"
        return unit * (law.value(inputs, self.theta) ** 2 if log else 1.0)

    @property
    def objective(self) -> Objective:
        """The objective that was minimised."""
        return self.problem.objective

    def _wald_curve(
        self, inputs: tuple[Array, ...], level: float, extra: Array
    ) -> tuple[Array, Array]:
        """Curve and half the length of its symmetric interval, on the law's link scale."""
        with np.errstate(invalid="ignore", divide="ignore"):  # where the law has no value
            value, jac = self._linked(inputs)
            spread = np.einsum("pn,pq,qn->n", jac, self.covariance, jac) + self.s2 * extra
        return value, self.t(level) * np.sqrt(np.maximum(spread, 0))

    def _linked(self, inputs: tuple[Array, ...]) -> tuple[Array, Array]:
        """Value (n,) and its derivative (p, n) at the optimum, on the law's link scale."""
        value, jac = self.problem.law.jacobian(inputs, self.theta)
        return (np.log(value), jac / value) if self.problem.law.link == "log" else (value, jac)

    def _wald_parameters(self, level: float) -> dict[str, tuple[float, float]]:
        out = {}
        t, center = self.t(level), self.problem.law.params(self.theta)
        for name, error in self.stderr.items():
            out[name] = (float(center[name]) - t * error, float(center[name]) + t * error)
        return out

    @cached_property
    def covariance(self) -> Array:
        """Linearised covariance (p, p) of theta."""
        jac = self._linked(self.problem.inputs)[1]
        size = np.linalg.norm(jac * np.sqrt(self.weights), axis=1)
        size = np.where(size > 0, size, 1.0)
        scaled = jac * np.sqrt(self.weights) / size[:, None]
        inverse = np.linalg.pinv(scaled @ scaled.T, rcond=1e-14, hermitian=True)
        return cast("Array", self.s2 * inverse / (size[:, None] * size))

    @property
    def stderr(self) -> dict[str, float]:
        """Linearised standard errors of the quoted parameters (jackknife's where runs are the units)."""
        law = self.problem.law
        if self.runs is not None:
            with np.errstate(invalid="ignore"):
                return {k: float(jackknife_error(v)) for k, v in self.runs.params.items()}
        step = 1e-6 * np.maximum(np.abs(self.theta), 1e-3)
        with np.errstate(all="ignore"):
            up, down = (law.params(self.theta + side * np.diag(step)) for side in (1, -1))
        slopes = {k: (np.asarray(up[k]) - np.asarray(down[k])) / (2 * step) for k in up}
        return {k: float(np.sqrt(max(g @ self.covariance @ g, 0))) for k, g in slopes.items()}

    def below(self, weights: Array, value: float) -> float:
        """Confidence that the coefficients' combination Σ a_j c_j, ``weights`` (k,), is below ``value``.

        The signed profile t (or Wald's, or the jackknife's) through Student's distribution.
        """
        if self.dof <= 0:
            return float("nan")
        k = weights.size
        center = float(self.theta[:k] @ weights)
        if self.profiled and self.runs is None:
            found = self.region(0.999)
            rise = found.cost_at(np.broadcast_to(weights, (len(found.shapes), k)), value) - self.rss
            t = np.sqrt(max(rise, 0.0) / max(self.s2, 1e-300)) * np.sign(value - center)
        else:
            error = self._coefficient_error(weights)
            t = (value - center) / error if error > 0 else np.sign(value - center) * np.inf
        return float(stats.t.cdf(t, self.dof))

    def _coefficient_error(self, weights: Array) -> float:
        k = weights.size
        if self.runs is not None:
            return float(jackknife_error(self.runs.theta[:, :k] @ weights))
        return float(np.sqrt(weights @ self.covariance[:k, :k] @ weights))


def cut_back(low: Array, high: Array, center: Array, half: Array) -> tuple[Array, Array]:
    """Cut an interval that is longer than ``2·half`` back to that length, by a fifth at most.

    The longer arm is cut until the arms are alike, then both. A profile interval of a bent curve is lopsided, and
    longer than Wald's by more than its level needs. Cut so, it keeps its level and both tails; by more, it would not
    where data are few and noisy. An end at infinity stays. Source: our simulation, docs/simulations/intervals.md.
    """
    with np.errstate(invalid="ignore"):
        length = high - low
        excess = np.fmax(length - np.maximum(2 * half, KEPT * length), 0.0)
        tilt = (high - center) - (center - low)
        both = np.fmax(excess - np.abs(tilt), 0.0) / 2
        above = np.where(tilt >= 0, excess - both, both)
    return low + (excess - above), high - above
