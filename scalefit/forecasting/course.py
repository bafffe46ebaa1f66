"""A named law along the input that is solved for: where it meets a target, with doubt about the law or without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

from scalefit.errors import DomainError
from scalefit.fitting.result import Fit
from scalefit.forecasting.forecasters import Given, drift, widened
from scalefit.forecasting.predictive import FARTHEST, Reach
from scalefit.table import metric as metric_of
from scalefit.types import Floats

_STEPS = 101
SURELY = 0.002  # below and above, the probability is looked at on the coarse grid only
ONE_SIDE = 0.8  # level at which a band is turned into a standard deviation a side


@dataclass(frozen=True, eq=False)
class LawBand:
    """A curve at ascending sizes with the ends of its interval at :data:`ONE_SIDE`, each (Q,)."""

    sizes: Floats
    estimate: Floats
    low: Floats
    high: Floats
    dof: float

    def met(self, target: float, rises: bool) -> Floats:
        """Return the probability that the mean has met the target at each size: a t variable on each side."""
        with np.errstate(all="ignore"):
            margin = self.estimate - target if rises else target - self.estimate
            worse, better = (self.estimate - self.low, self.high - self.estimate)[
                :: 1 if rises else -1
            ]
            sd = np.where(margin > 0, worse, better) / stdtrit(self.dof, 0.5 + ONE_SIDE / 2)
            least = 1e-12 * (np.abs(self.estimate) + 1e-12)
            p = stdtr(self.dof, margin / np.maximum(sd, least))
        return np.where(np.isfinite(p), p, 0.5)

    def with_(self, other: LawBand) -> LawBand:
        """Return both bands as one."""
        sizes, at = np.unique([*self.sizes, *other.sizes], return_index=True)
        estimate = np.concatenate([self.estimate, other.estimate])[at]
        low = np.concatenate([self.low, other.low])[at]
        return LawBand(sizes, estimate, low, np.concatenate([self.high, other.high])[at], self.dof)

    def only(self, sizes: Floats) -> LawBand:
        """Return the band at some of its sizes."""
        at = np.searchsorted(self.sizes, sizes)
        return LawBand(sizes, self.estimate[at], self.low[at], self.high[at], self.dof)


@dataclass(frozen=True, eq=False)
class LawCourse:
    """A law's curve along the input that is solved for."""

    fit: Fit
    solved: int
    others: dict[str, float]
    given: Given | None

    @property
    def seen(self) -> Floats:
        """Measured values of the input."""
        return self.fit.points.inputs[self.solved]

    @property
    def largest(self) -> float:
        """The largest measured value of the input."""
        return float(np.max(self.seen))

    @property
    def column(self) -> str:
        """The input's column."""
        return self.fit.observations.columns[self.fit.law.inputs[self.solved]]

    def arrays(self, sizes: Floats) -> tuple[Floats, ...]:
        """Return all inputs where the one that is solved for has these values."""
        return _arrays(self.fit, sizes, self.solved, self.others)

    def value(self, sizes: Floats) -> Floats:
        """Return the curve itself."""
        with np.errstate(all="ignore"):
            return self.fit.law.value(self.arrays(sizes), self.fit.solution.theta)

    @cached_property
    def grid(self) -> Floats:
        """Sizes from the smallest measured one to 1000 times the largest, where the law has values."""
        fit, seen = self.fit, self.seen
        start = max(float(np.min(seen)), fit.law.reach(fit.solution.theta)[0] * 1.0001)
        if fit.law.takes == "share":  # a share ends at the whole
            return np.geomspace(max(start, 1e-3), 1.0, _STEPS)
        if fit.law.takes == "zero" and start <= 0:
            start = float(np.min(seen[seen > 0]))
        return np.geomspace(start, float(np.max(seen)) * FARTHEST, _STEPS)

    def band(self, sizes: Floats) -> LawBand:
        """Return the curve and how far the mean may be off, with doubt about the law unless it is given."""
        fit, arrays, estimate = self.fit, self.arrays(sizes), self.value(sizes)
        with np.errstate(all="ignore"):
            ends = fit.band(arrays, ONE_SIDE, "mean")
            if self.given is None:
                ends = widened(fit, estimate, ends, drift(fit, arrays), ONE_SIDE)
        return LawBand(sizes, estimate, *ends, max(fit.uncertainty.dof, 1.0))

    def close_to(self, target: float, met: Floats) -> Floats:
        """Return sizes close together where the probability moves: a sharp answer keeps its width."""
        sure = np.maximum.accumulate(met)
        low, high = np.searchsorted(sure, SURELY), np.searchsorted(sure, 1 - SURELY)
        ends = self.grid[max(int(low) - 1, 0)], self.grid[min(int(high), self.grid.size - 1)]
        return np.unique([*np.geomspace(*ends, _STEPS), *self._crossing(target)])

    def _crossing(self, target: float) -> list[float]:
        """Return where the curve itself first meets the target, if it does: the median, exactly."""
        gap = self.value(self.grid) - target
        cross = np.flatnonzero(np.diff(np.sign(gap)) != 0)
        if not (cross.size and np.isfinite(gap[cross[0] : cross[0] + 2]).all()):
            return []
        low, high = np.log(self.grid[cross[0] : cross[0] + 2])
        root = brentq(lambda u: float(self.value(np.exp([u]))[0]) - target, low, high)
        return [float(np.exp(root))]


def course_of(fit: Fit, others: dict[str, float], given: Given | None) -> LawCourse:
    """Return a law's curve along the one input that is not held."""
    _refuse_losses(fit)
    return LawCourse(fit, _solved_input(fit, others), others, given)


def reaches_along(course: LawCourse, targets: Sequence[float], allow: Sequence[str]) -> list[Reach]:
    """Return the chance of each target by each multiple of the largest size, all from the same bands."""
    rises = [_direction(course, target, allow) for target in targets]
    # A band costs most where it begins: one for where to look closely, and one there for all targets.
    coarse = course.band(course.grid)
    close = [course.close_to(t, coarse.met(t, up)) for t, up in zip(targets, rises, strict=True)]
    band = coarse.with_(course.band(np.unique(np.concatenate(close))))
    out = []
    for target, up, sizes in zip(targets, rises, close, strict=True):
        mine = band.only(np.union1d(course.grid, sizes))
        met = np.maximum.accumulate(mine.met(target, up))
        out.append(Reach(course.largest, mine.sizes / course.largest, met))
    return out


def _direction(course: LawCourse, target: float, allow: Sequence[str]) -> bool:
    """Return whether the target is met from below; refuse a law that moves away from better values."""
    fit = course.fit
    first, last = course.value(np.array([np.min(course.seen), np.max(course.seen)]))
    wanted = metric_of(fit.metric).direction
    if (
        fit.law.falls is None
        and wanted is None
        and not min(first, last) <= target <= max(first, last)
    ):
        return bool(target > last)  # nobody says which way is better: the target does
    known = fit.law.falls if course.solved == 0 else None  # a law speaks of its first input
    rises = known is False or (known is None and last >= first)
    if wanted is not None and rises != (wanted == "+") and "direction" not in allow:
        raise DomainError(
            f"law {fit.law.name!r} {'rises' if rises else 'falls'}, but more {fit.metric} is "
            f"{'better' if wanted == '+' else 'worse'}: it never reaches a better target. Take a law that "
            f"{'rises (log, ceiling)' if wanted == '+' else 'falls (power)'}, or allow='direction'"
        )
    return bool(rises)


def _refuse_losses(fit: Fit) -> None:
    """Say where to ask instead: a loss is no size that one could buy more of."""
    if fit.law.takes == "any":
        column = fit.observations.columns[fit.law.inputs[0]]
        raise DomainError(
            f"law {fit.law.name!r} reads {fit.metric} off {column}, which nobody sets; needed a law of sizes. Try: "
            f"sf.chain(data, [sf.Step({column!r}, 'power'), sf.Step({fit.metric!r}, {fit.law.name!r})]), or "
            "law.inverse for the loss itself"
        )


def _solved_input(fit: Fit, others: dict[str, float]) -> int:
    """Index of the input to solve for: the one that is not held."""
    columns = fit.observations.columns
    shown = ", ".join(f"{name} ({columns[name]})" for name in fit.law.inputs)
    for name in set(others) - set(columns) - set(columns.values()):
        raise DomainError(f"the fit has no input {name!r}; its inputs are {shown}")
    free = [i for i, n in enumerate(fit.law.inputs) if n not in others and columns[n] not in others]
    if len(free) != 1:
        raise DomainError(f"hold all inputs but one, of {shown}; {len(free)} are free")
    return free[0]


def _arrays(fit: Fit, x: Floats, solved: int, others: dict[str, float]) -> tuple[Floats, ...]:
    columns = fit.observations.columns
    held = [others.get(name, others.get(columns[name], np.nan)) for name in fit.law.inputs]
    if fit.law.takes == "share":
        # The rest of the whole is split as the others were given: their proportions stay.
        rest = sum(v for i, v in enumerate(held) if i != solved)
        return tuple(x if i == solved else (1 - x) * v / rest for i, v in enumerate(held))
    return tuple(x if i == solved else np.full_like(x, v) for i, v in enumerate(held))
