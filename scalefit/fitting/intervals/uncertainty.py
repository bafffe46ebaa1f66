"""What a fit does not know, and the rule that says which intervals it gets.

- several runs, each at several sizes: refits without each run, ``jackknife-t``;
- one such run: profile or Wald, longer by its drift;
- a law that misses the replicated means: their misfit is the scatter, with sizes − p degrees of freedom;
- from 60 points on, refits without blocks of points: scatter need not be alike everywhere;
- otherwise the scatter about the curve, n − p degrees of freedom, by ``profile-t``, or ``wald-t`` where the
  likelihood cannot be laid out;
- as many sizes as parameters: no interval, whatever the number of runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import special

from scalefit.fitting.intervals.jackknife import Jackknife, jackknife_error
from scalefit.fitting.intervals.optimum import (
    Ends,
    Intervals,
    Optimum,
    Wald,
    rss_of,
    standard_errors,
)
from scalefit.fitting.intervals.profile import Profile, can_be_profiled, lay, look
from scalefit.fitting.intervals.scatter import (
    Drift,
    Stretched,
    Unequal,
    drift_of,
    stretch,
    unequal_each,
)
from scalefit.fitting.lack_of_fit import LackOfFit
from scalefit.fitting.noise import PointWeights, RunSpread
from scalefit.fitting.points import Points
from scalefit.fitting.solve import Draws, Solution, leave_out
from scalefit.types import Floats, Ints, Kind
from scalefit.units import check_level

USUAL_LEVEL = 0.95
MANY, BLOCKS = 60, 30


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """What the intervals of a fit rest on.

    Attributes
    ----------
    best : the optimum as a least-squares problem with known scatter.
    noise : where the weights came from.
    values : (n,) what was measured: pseudo-values of a robust objective are clipped, and a new run is not.
    run_dof : degrees of freedom of how far a new run lies from the curve.
    refits : without each pretraining run, or without each block of many points; else None.
    missed : the optimum with the misfit of the size means as scatter, where runs do not show it; else None.
    drift : how the checkpoints of one run hang together; else None.
    """

    best: Optimum
    noise: PointWeights
    values: Floats
    run_dof: float = 0.0
    refits: Draws | None = None
    missed: Optimum | None = None
    drift: Drift | None = None

    @property
    def method(self) -> str:
        """Name of the intervals' method."""
        return self.at(USUAL_LEVEL).method

    @property
    def dof(self) -> float:
        """Degrees of freedom of the scatter."""
        return self.best.dof

    @property
    def stderr(self) -> dict[str, float]:
        """Standard errors of the quoted parameters: the jackknife's, or linearised."""
        if self.refits is not None:
            return {k: float(jackknife_error(v)) for k, v in self.refits.params.items()}
        return standard_errors(self.best)

    def at(self, level: float) -> Intervals:
        """Return the intervals at a level; what they share is computed once for one object.

        Raises DomainError: the level does not lie between 0 and 1.
        """
        check_level(level)
        if level not in self._levels:
            self._levels[level] = self._at(level)
        return self._levels[level]

    @cached_property
    def _levels(self) -> dict[float, Intervals]:
        return {}

    def _at(self, level: float) -> Intervals:
        if self.best.dof <= 0:
            return Nothing(self.best)
        if self.refits is not None:
            intervals: Intervals = Jackknife(self.best, level, self.refits)
        else:
            intervals = _plain(self.best, level)
        if self.missed is not None:
            intervals = Beside(intervals, _plain(self.missed, level), self.best)
        if self.refits is not None:
            return intervals
        return Stretched(intervals, self.best, level, self.unequal, self.drift)

    @cached_property
    def unequal(self) -> Unequal:
        """How noise may grow over the sizes; :func:`look_together` weighs that of many fits together."""
        return unequal_each([self.best], [self._slope])[0]

    @property
    def _slope(self) -> float:
        return 0.0 if self.noise.line is None else self.noise.line.slope

    def curve(
        self, inputs: tuple[Floats, ...], level: float, kind: Kind = "mean"
    ) -> tuple[Floats, Floats]:
        """Low and high, each (Q,), of the mean curve or of one new run at ``inputs`` (each (Q,))."""
        ends = self.at(level).curve(inputs)
        return ends if kind == "mean" else self.around(inputs, ends, level)

    @cached_property
    def spread(self) -> RunSpread:
        """How far a new run lies from the curve."""
        problem, (value, jac) = self.best.problem, self.best.at_points
        residual = replace(problem, y=self.values).target - value
        # One unit for both: the logarithm's where logarithms are compared, else the value's.
        if problem.objective.residual == "log" and problem.law.link != "log":
            residual = residual / value
        if problem.objective.residual != "log" and problem.law.link == "log":
            residual = residual * np.exp(value)
        rows = jac * np.sqrt(self.best.weights)
        size = np.linalg.norm(rows, axis=1)
        basis = np.linalg.qr((rows[size > 0] / size[size > 0, None]).T)[0]
        # A point that pulled the curve to itself shows less than its noise, by its leverage; one that the curve passes
        # through shows none of it, and may not be divided by.
        own = np.maximum(1 - (basis**2).sum(1), 1e-3)
        return RunSpread(problem.inputs[0], residual, own, self.run_dof, self.noise.line)

    def around(
        self, inputs: tuple[Floats, ...], ends: tuple[Floats, Floats], level: float
    ) -> tuple[Floats, Floats]:
        """Low and high of one new run, around the ends of the mean curve's interval at the same inputs and level.

        Curve and run are off independently, so that their reaches add as squares; with one scatter for both this is
        the textbook's prediction interval.
        """
        (low, high), center = ends, self.best.problem.law.value(inputs, self.best.theta)
        if self.best.dof <= 0:
            return np.full(low.shape, -np.inf), np.full(high.shape, np.inf)
        one = self.spread.reach(inputs[0], level)
        if self.best.problem.objective.residual == "log":
            one = one * np.abs(center)
        with np.errstate(invalid="ignore"):
            return center - np.hypot(center - low, one), center + np.hypot(high - center, one)

    def parameters(self, level: float) -> dict[str, Ends]:
        """Low and high of every quoted parameter."""
        return self.at(level).parameters()

    def below(self, weights: Floats, value: float) -> float:
        """Confidence that the coefficients' combination Σ a_j c_j, ``weights`` (k,), is below ``value``.

        The signed profile t (or Wald's, or the jackknife's) through Student's distribution.
        """
        best, k = self.best, weights.size
        if best.dof <= 0:
            return float("nan")
        gap = value - float(best.theta[:k] @ weights)
        if self.refits is None and can_be_profiled(best.problem):
            rise = self._wide.rise(weights, value)
            t = np.sqrt(max(rise, 0.0) / max(best.s2, 1e-300)) * np.sign(gap)
        else:
            error = self._error(weights)
            t = gap / error if error > 0 else np.sign(gap) * np.inf
        if self.refits is None and self.drift is None:
            errors = self.unequal.errors(np.pad(weights, (0, best.theta.size - k))[None])
            return float(self.unequal.weights @ special.stdtr(best.dof, t / errors[:, 0]))
        return float(special.stdtr(best.dof, t))

    @cached_property
    def _wide(self) -> Profile:
        return Profile(self.best, 0.999)

    def _error(self, weights: Floats) -> float:
        k = weights.size
        if self.refits is not None:
            return float(jackknife_error(self.refits.theta[:, :k] @ weights))
        return float(np.sqrt(self.best.variance(np.pad(weights, (0, self.best.theta.size - k)))))


def look_together(many: Sequence[Uncertainty], level: float = USUAL_LEVEL) -> None:
    """Find the intervals of many fits' parameters at a level: the same numbers, at a fraction of the cost a fit."""
    _weigh_together(many)
    intervals = [one.at(level) for one in many]
    look([profile for one in intervals for profile in _profiles(one)])
    stretch([one for one in intervals if isinstance(one, Stretched)])


def _weigh_together(many: Sequence[Uncertainty]) -> None:
    """Work out how noise may grow at many optima, where each one's cached property keeps it."""
    alike: dict[tuple[int, ...], list[Uncertainty]] = {}
    for one in many:
        if one.best.dof > 0 and one.refits is None and "unequal" not in vars(one):
            alike.setdefault(one.best.at_points[1].shape, []).append(one)
    for some in alike.values():
        weighed = unequal_each([one.best for one in some], [one._slope for one in some])
        for one, unequal in zip(some, weighed, strict=True):
            vars(one)["unequal"] = unequal


def lay_together(many: Sequence[Uncertainty], levels: Sequence[float]) -> None:
    """Lay out what bands of many fits at some levels rest on: the same bands, at a fraction of the cost a fit."""
    _weigh_together(many)
    lay([profile for one in many for level in levels for profile in _profiles(one.at(level))])


def _profiles(intervals: Intervals) -> list[Profile]:
    """Return the profiles that intervals rest on."""
    if isinstance(intervals, Beside):
        return _profiles(intervals.inner) + _profiles(intervals.other)
    if isinstance(intervals, Stretched):
        return _profiles(intervals.inner)
    return [intervals] if isinstance(intervals, Profile) else []


def _plain(best: Optimum, level: float) -> Intervals:
    return Profile(best, level) if can_be_profiled(best.problem) else Wald(best, level)


@dataclass(frozen=True, eq=False)
class Nothing:
    """No interval: nothing tells how far the curve may be off."""

    optimum: Optimum
    method: str = "none"

    def curve(self, inputs: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        """Return all numbers."""
        return np.full(inputs[0].shape, -np.inf), np.full(inputs[0].shape, np.inf)

    def parameters(self, names: Sequence[str] | None = None) -> dict[str, Ends]:
        """Return all numbers."""
        return dict.fromkeys(names or self.optimum.problem.law.parameters, (-np.inf, np.inf))

    def coordinates(self) -> tuple[Floats, Floats]:
        """Return all numbers."""
        half = np.full(self.optimum.theta.size, np.inf)
        return -half, half


@dataclass(frozen=True, eq=False)
class Beside:
    """Two independent reasons for doubt: the arms of both intervals, added as squares."""

    inner: Intervals
    other: Intervals
    optimum: Optimum

    @property
    def method(self) -> str:
        """Name of the method."""
        return self.inner.method

    def curve(self, inputs: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        """Low and high, each (Q,), of the mean curve at ``inputs``."""
        center = self.optimum.problem.law.value(inputs, self.optimum.theta)
        return _added(center, self.inner.curve(inputs), self.other.curve(inputs))

    def parameters(self, names: Sequence[str] | None = None) -> dict[str, Ends]:
        """Low and high of quoted parameters, all unless named."""
        center = self.optimum.problem.law.params(self.optimum.theta)
        other, out = self.other.parameters(names), {}
        for name, ends in self.inner.parameters(names).items():
            middle = float(center[name])
            out[name] = _added(middle, ends, other[name]) if np.isfinite(middle) else ends
        return out

    def coordinates(self) -> tuple[Floats, Floats]:
        """Low and high, each (p,), of the solver's coordinates."""
        return _added(self.optimum.theta, self.inner.coordinates(), self.other.coordinates())


def _added(center: Any, ends: tuple[Any, Any], others: tuple[Any, Any]) -> tuple[Any, Any]:
    """Add the arms of two intervals about one center as squares, each side by itself."""
    (low, high), (below, above) = ends, others
    return center - np.hypot(center - low, center - below), center + np.hypot(
        high - center, above - center
    )


def uncertainty_of(
    solution: Solution, points: Points, noise: PointWeights, lack: Callable[[], LackOfFit]
) -> Uncertainty:
    """Choose what the intervals rest on; ``lack`` is asked where runs or replicates let it count."""
    problem, weights = solution.problem.as_squares(solution.fitted, solution.theta.size)
    n, p, sizes = points.y.size, solution.theta.size, int(points.groups.max()) + 1
    if sizes <= p:
        return Uncertainty(Optimum(problem, weights, solution.theta, 0.0, 0.0), noise, points.y)
    # Weights from seeds are known no better than the variances behind them.
    dof = n - p if noise.line is None else min(n - p, noise.line.dof)
    rss = rss_of(problem, solution.fitted, weights)
    best = Optimum(problem, weights, solution.theta, rss / (n - p), float(dof))
    # Where its cached property keeps it: the law was worked out at the points already.
    vars(best)["at_points"] = best.on_link(*solution.at_points)
    runs = int(points.run.max()) + 1 if points.design == "checkpoints" else 0
    out = Uncertainty(best, noise, points.y, runs - 1.0 if runs > 1 else best.dof)
    if runs > 1:
        return _of_runs(out, solution, points, lack())
    if runs == 1:
        out = replace(out, drift=drift_of(best))
    elif sizes < n and lack().seen and lack().by == "replicates":
        return replace(out, best=replace(best, s2=lack().mean_square, dof=float(lack().dof)))
    if n >= MANY:
        blocks = leave_out(solution, _dealt(points))
        out = replace(out, best=replace(best, dof=BLOCKS - 1.0), refits=blocks)
    return out


def doubt_notes(
    uncertainty: Uncertainty, solution: Solution, points: Points, lack: LackOfFit
) -> list[str]:
    """Say what the intervals leave out."""
    n, p, sizes = points.y.size, solution.theta.size, int(points.groups.max()) + 1
    if sizes <= p:
        note = (
            f"{sizes} sizes for {p} parameters: the curve passes through their means, so that nothing tells whether "
            "the law holds, and no interval is given; measure more sizes, or take a law with fewer parameters"
        )
        return [note] if n > sizes else []
    notes = [lack.line] if lack.seen else []
    if points.design == "checkpoints" and int(points.run.max()) > 0:
        return notes
    if uncertainty.drift is not None:
        strong = (
            "; where it is .9, which they do not exclude, 91 % hold"
            if uncertainty.drift.strong
            else ""
        )
        notes.append(
            "all points are checkpoints of one run: intervals hold for this run, not for the procedure, and are longer "
            f"by what neighbours have in common (correlation about {uncertainty.drift.correlation:.1f}){strong}"
        )
    elif lack.seen and lack.by == "replicates":
        return notes
    return notes + _delta_note(solution)


def _of_runs(out: Uncertainty, solution: Solution, points: Points, lack: LackOfFit) -> Uncertainty:
    """Leave out each run; where all of them miss the law alike, that is a doubt beside theirs."""
    units = int(points.run.max())
    missed = replace(out.best, s2=lack.mean_square, dof=float(lack.dof)) if lack.seen else None
    best, refits = replace(out.best, dof=float(units)), leave_out(solution, points.run)
    return replace(out, best=best, refits=refits, missed=missed)


def _delta_note(solution: Solution) -> list[str]:
    objective = solution.problem.objective
    if objective.delta is None:
        return []
    share = float((np.abs(solution.problem.residual(solution.fitted)) > objective.delta).mean())
    if share <= 0.75:
        return []
    return [
        f"delta is smaller than {share:.0%} of the residuals: the intervals rest on the few others "
        "and can be too short; raise delta"
    ]


def _dealt(points: Points) -> Ints:
    """Deal the points into blocks, the same for the same points in any order.

    From many points the scatter can be measured where it is: leaving out blocks needs no scatter that is alike
    everywhere, as s² does. Source: Shao and Wu 1989, Annals of Statistics 17(3) (delete-d jackknife).
    """
    order = np.lexsort((points.y, *points.inputs))
    blocks = np.empty(order.size, dtype=np.int64)
    blocks[order] = np.random.default_rng(0).permutation(order.size) % BLOCKS
    return blocks
