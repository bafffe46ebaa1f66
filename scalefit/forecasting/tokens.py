"""How many tokens a target takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

from scalefit.errors import DomainError
from scalefit.fitting import Fit
from scalefit.forecasting.engines import check_target
from scalefit.forecasting.forecasters import Given, drift, widened
from scalefit.forecasting.mixture import Mixture, reaches
from scalefit.forecasting.predict import SAYS, check_fit
from scalefit.forecasting.predictive import FARTHEST, Reach
from scalefit.result import Result, Row
from scalefit.table import metric as metric_of
from scalefit.types import Floats
from scalefit.units import check_level, format_count

TIMES = (2.0, 10.0, 100.0)
STEPS = 101
SURELY = 0.002  # below and above, the probability is looked at on the coarse grid only
ONE_SIDE = 0.8  # level at which a band is turned into a standard deviation a side


@dataclass(frozen=True, eq=False, repr=False)
class TokensFor(Result):
    """When a metric reaches a target: chances first, then the median and its interval.

    Attributes
    ----------
    metric, target : what is to be reached.
    column : what the sizes are, e.g. ``pretrain_tokens``.
    reach : Reach
        The probability that the target is reached by each multiple of the largest size.
    level : confidence of ``low`` and ``high``.
    given : what it takes for granted: ``"mixture"``, ``"doubt"`` (one law and doubt about it) or ``"law"``.
    smallest : the smallest measured size.
    notes : what to know before trusting it.
    room : chance that a law taken for the truth has room for the target; nan otherwise.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
    >>> table = {"pretrain_tokens": sizes, "cross_entropy": [4.05, 3.37, 2.93, 2.62, 2.43, 2.30]}
    >>> tokens = sf.tokens_for(sf.fit(table, "cross_entropy", "power"), 2.2)
    >>> tokens.reachable, tokens.low < tokens.estimate < tokens.high, tokens.within(100) > 0.8
    (True, True, True)
    """

    metric: str
    target: float
    column: str
    reach: Reach
    level: float
    given: str
    smallest: float
    notes: tuple[str, ...] = ()
    room: float = float("nan")

    @property
    def probability(self) -> float:
        """Chance that the target is reached at all, as far as anybody knows: by 1000 times the largest size.

        Where a law is taken for the truth: that its floor or ceiling leaves room; nan, unknown, where it has neither.
        """
        return self.room if self.given == "law" else float(self.reach.probability[-1])

    @property
    def largest(self) -> float:
        """The largest measured size."""
        return self.reach.largest

    def within(self, times: float) -> float:
        """Return the probability that the target is reached by ``times`` the largest size."""
        return self.reach.within(times)

    def _at(self, probability: float) -> float:
        """Return a quantile; 0 where the target may be met below the smallest size."""
        size = self.reach.quantile(probability)
        return 0.0 if size <= self.smallest else size

    @property
    def estimate(self) -> float:
        """The median: reached by this size as likely as not; inf beyond 1000 times the largest."""
        return self._at(0.5)

    @property
    def low(self) -> float:
        """Lower end of the interval; 0 where the target may be met below the smallest size."""
        return self._at(0.5 - self.level / 2)

    @property
    def high(self) -> float:
        """Upper end of the interval; inf where it lies beyond 1000 times the largest size, or nowhere."""
        return self._at(0.5 + self.level / 2)

    @property
    def reachable(self) -> bool:
        """Whether the target is as likely as not reached by 1000 times the largest size."""
        return bool(np.isfinite(self.estimate))

    @property
    def verdict(self) -> str:
        """Chances within 2, 10 and 100 times the largest size, the median and its interval."""
        title = f"{metric_of(self.metric).title} {self.target:g}"
        chances = ", ".join(f"{chance(self.within(t))} within {t:g}×" for t in TIMES)
        size = format_count(self.largest)
        return f"{title}: {chances} the largest size ({size}); {self.needs}; {SAYS[self.given]}"

    @property
    def needs(self) -> str:
        """The median and its interval, for people; never a number beyond 1000 times the largest size."""
        far = f"> {format_count(FARTHEST * self.largest)}"
        low, middle, high = (
            f"< {format_count(self.smallest)}"
            if v == 0
            else far
            if np.isinf(v)
            else format_count(v)
            for v in (self.low, self.estimate, self.high)
        )
        if np.isinf(self.low):
            return f"out of sight: {far} ({0.5 + self.level / 2:.0%})"
        return f"median {middle} [{low}, {high}] ({self.level:.0%})"

    def rows(self) -> list[Row]:
        """One row: the target, the chances, the median with both ends."""
        return [
            {
                "metric": self.metric,
                "target": self.target,
                "largest": self.largest,
                **{f"p_within_{t:g}x": self.within(t) for t in TIMES},
                "estimate": self.estimate,
                "low": self.low,
                "high": self.high,
                "probability": self.probability,
            }
        ]

    def shown(self) -> list[Row]:
        """Return the row for people: sizes are tokens."""
        sizes = {
            "largest": "largest_tokens",
            "estimate": "tokens",
            "low": "tokens_low",
            "high": "tokens_high",
        }
        return [{sizes.get(name, name): value for name, value in self.rows()[0].items()}]

    def lines(self) -> list[str]:
        """Nothing: the verdict holds all numbers."""
        return []

    def told(self) -> Row:
        """Return the row, and what the interval takes for granted."""
        return {**self.rows()[0], "column": self.column, "level": self.level, "given": self.given}


def chance(p: float) -> str:
    """Write a probability so that nothing uncertain reads as sure."""
    if p > 0.99:
        return "> 99 %"
    return "< 1 %" if p < 0.01 else f"{p:.0%}"


def tokens_for(
    fit: Fit | Mixture,
    target: float,
    *,
    level: float = 0.8,
    given: Given | None = None,
    allow: Sequence[str] = (),
    **others: float,
) -> TokensFor:
    """Tokens (or any input) at which a curve reaches ``target``, as chances, a median and an interval.

    Parameters
    ----------
    fit : Fit or Mixture
    target : float
        Wanted value of the metric's mean over runs.
    level : float
        Confidence of the interval. Ends of a 95 % interval are seldom finite, and seldom can be.
    given : {"law"}, optional
        Take a single law for the truth. Without it the answer holds doubt about the law too.
    allow : sequence of str
        ``"direction"`` lets a law answer that moves away from better values.
    **others
        The other inputs of a law of several, held fixed: ``N=1e9``. Of shares, their proportions are.

    Raises
    ------
    DomainError
        The target is not finite or outside the metric's range, the law moves the wrong way, or inputs are missing.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
    >>> table = {"pretrain_tokens": sizes, "bleu": [5.0, 9.1, 12.9, 17.0, 21.1, 25.0]}
    >>> tokens = sf.tokens_for(sf.fit(table, "bleu"), 28.0)
    >>> tokens.given, 0.2 < tokens.within(10) < 1.0
    ('mixture', True)
    """
    (answer,) = tokens_each(fit, [target], level=level, given=given, allow=allow, **others)
    return answer


def tokens_each(
    fit: Fit | Mixture,
    targets: Sequence[float],
    *,
    level: float = 0.8,
    given: Given | None = None,
    allow: Sequence[str] = (),
    **others: float,
) -> list[TokensFor]:
    """Answer :func:`tokens_for` for several targets, all from the same bands of the curve."""
    check_level(level)
    check_fit(fit)
    for target in targets:
        check_target(target, fit.metric, fit.observations.values)
    if isinstance(fit, Mixture):
        return _of_mixture(fit, targets, level, given, others)
    return _of_law(fit, targets, level, given, allow, others)


def _of_mixture(
    mixture: Mixture,
    targets: Sequence[float],
    level: float,
    given: Given | None,
    others: dict[str, float],
) -> list[TokensFor]:
    if given is not None or others:
        raise DomainError(
            "a mixture has one input and takes no law for the truth; name a law: sf.fit(data, metric, law=…)"
        )
    name, column, smallest = mixture.metric, mixture.column, float(mixture.series.x[0])
    notes = (f"carried by {mixture.carried}",)
    met = reaches([mixture] * len(targets), targets) if targets else []
    return [
        TokensFor(name, float(target), column, reach, level, "mixture", smallest, notes)
        for target, reach in zip(targets, met, strict=True)
    ]


def _of_law(
    fit: Fit,
    targets: Sequence[float],
    level: float,
    given: Given | None,
    allow: Sequence[str],
    others: dict[str, float],
) -> list[TokensFor]:
    _refuse_losses(fit)
    course = _Course(fit, _solved_input(fit, others), others, given)
    rises = [_direction(course, target, allow) for target in targets]
    # A band costs most where it begins: one for where to look closely, and one there for all targets.
    coarse = course.band(course.grid)
    close = [course.close_to(t, coarse.met(t, up)) for t, up in zip(targets, rises, strict=True)]
    band = coarse.with_(course.band(np.unique(np.concatenate(close))))
    largest, smallest = float(np.max(course.seen)), float(np.min(course.seen))
    column = fit.observations.columns[fit.law.inputs[course.solved]]
    out = []
    for target, up, sizes in zip(targets, rises, close, strict=True):
        mine = band.only(np.union1d(course.grid, sizes))
        reach = Reach(largest, mine.sizes / largest, np.maximum.accumulate(mine.met(target, up)))
        says, room = ("law", _room(fit, target)) if given else ("doubt", float("nan"))
        notes = tuple(_notes(fit, target, given))
        out.append(
            TokensFor(fit.metric, float(target), column, reach, level, says, smallest, notes, room)
        )
    return out


@dataclass(frozen=True, eq=False)
class _Band:
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

    def with_(self, other: _Band) -> _Band:
        """Return both bands as one."""
        sizes, at = np.unique([*self.sizes, *other.sizes], return_index=True)
        estimate = np.concatenate([self.estimate, other.estimate])[at]
        low = np.concatenate([self.low, other.low])[at]
        return _Band(sizes, estimate, low, np.concatenate([self.high, other.high])[at], self.dof)

    def only(self, sizes: Floats) -> _Band:
        """Return the band at some of its sizes."""
        at = np.searchsorted(self.sizes, sizes)
        return _Band(sizes, self.estimate[at], self.low[at], self.high[at], self.dof)


@dataclass(frozen=True, eq=False)
class _Course:
    """A law's curve along the input that is solved for."""

    fit: Fit
    solved: int
    others: dict[str, float]
    given: Given | None

    @property
    def seen(self) -> Floats:
        """Measured values of the input."""
        return self.fit.points.inputs[self.solved]

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
            return np.geomspace(max(start, 1e-3), 1.0, STEPS)
        if fit.law.takes == "zero" and start <= 0:
            start = float(np.min(seen[seen > 0]))
        return np.geomspace(start, float(np.max(seen)) * FARTHEST, STEPS)

    def band(self, sizes: Floats) -> _Band:
        """Return the curve and how far the mean may be off, with doubt about the law unless it is given."""
        fit, arrays, estimate = self.fit, self.arrays(sizes), self.value(sizes)
        with np.errstate(all="ignore"):
            ends = fit.band(arrays, ONE_SIDE, "mean")
            if self.given is None:
                ends = widened(fit, estimate, ends, drift(fit, arrays), ONE_SIDE)
        return _Band(sizes, estimate, *ends, max(fit.uncertainty.dof, 1.0))

    def close_to(self, target: float, met: Floats) -> Floats:
        """Return sizes close together where the probability moves: a sharp answer keeps its width."""
        sure = np.maximum.accumulate(met)
        low, high = np.searchsorted(sure, SURELY), np.searchsorted(sure, 1 - SURELY)
        ends = self.grid[max(int(low) - 1, 0)], self.grid[min(int(high), self.grid.size - 1)]
        return np.unique([*np.geomspace(*ends, STEPS), *self._crossing(target)])

    def _crossing(self, target: float) -> list[float]:
        """Return where the curve itself first meets the target, if it does: the median, exactly."""
        gap = self.value(self.grid) - target
        cross = np.flatnonzero(np.diff(np.sign(gap)) != 0)
        if not (cross.size and np.isfinite(gap[cross[0] : cross[0] + 2]).all()):
            return []
        low, high = np.log(self.grid[cross[0] : cross[0] + 2])
        root = brentq(lambda u: float(self.value(np.exp([u]))[0]) - target, low, high)
        return [float(np.exp(root))]


def _room(fit: Fit, target: float) -> float:
    """Return the chance that the law's floor or ceiling leaves room for the target; nan where it has neither."""
    limit = fit.law.named("floor" if fit.law.falls else "ceiling")
    names = [c.name for c in fit.law.coefficients]
    if limit is None or len(fit.law.inputs) != 1:
        return float("nan")
    weights = np.array([float(name == limit) for name in names])
    below = fit.uncertainty.below(weights, target)
    return float(below if fit.law.falls else 1 - below)


def _direction(course: _Course, target: float, allow: Sequence[str]) -> bool:
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


def _notes(fit: Fit, target: float, given: Given | None) -> list[str]:
    notes = []
    limit = fit.law.named("floor" if fit.law.falls else "ceiling")
    if given and len(fit.law.inputs) == 1 and limit is None:
        notes.append(
            f"law {fit.law.name!r} has neither floor nor ceiling, so it promises every target; whether "
            f"{fit.metric} {target:g} can be reached at all is unknown: ask a law with a ceiling, or the mixture"
        )
    if fit.lack_of_fit is not None and fit.lack_of_fit < 0.05:
        notes.append(f"the law does not follow the data (lack of fit p = {fit.lack_of_fit:.2g})")
    return notes
