"""How many tokens a target takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalefit.errors import DomainError
from scalefit.fitting.result import Fit
from scalefit.forecasting.course import course_of, reaches_along
from scalefit.forecasting.engines import check_target
from scalefit.forecasting.forecasters import Given
from scalefit.forecasting.mixture import TIMES, Mixture, reaches
from scalefit.forecasting.predict import SAYS, as_numbers, check_fit
from scalefit.forecasting.predictive import FARTHEST, Reach
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.table import metric as metric_of
from scalefit.units import check_level, format_count


@dataclass(frozen=True, eq=False, repr=False)
class TokensFor(Result):
    """When a metric reaches a target: chances first, then the median and its interval.

    Attributes
    ----------
    metric, target : what is to be reached.
    column : what the sizes are, e.g. ``pretrain_tokens``.
    reach : the probability that the target is reached by each multiple of the largest size.
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

    BARE = True

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
    **others: float | str,
) -> TokensFor:
    """Tokens (or any input) at which a curve reaches ``target``, as chances, a median and an interval.

    Parameters
    ----------
    fit : Fit or Mixture
    target : wanted value of the metric's mean over runs.
    level : confidence of the interval. Ends of a 95 % interval are seldom finite, and seldom can be.
    given : {"law"}, optional; take a single law for the truth. Without it the answer holds doubt about the law too.
    allow : ``"direction"`` lets a law answer that moves away from better values.
    **others : the other inputs of a law of several, held fixed: ``N="1B"``. Of shares, their proportions are.

    Raises DomainError: the target is not finite or outside the metric's range, the law moves the wrong way, or inputs
    are missing.

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
    **others: float | str,
) -> list[TokensFor]:
    """Answer :func:`tokens_for` for several targets, all from the same bands of the curve."""
    check_level(level)
    check_fit(fit)
    for target in targets:
        check_target(target, fit.metric, fit.observations.values)
    if isinstance(fit, Mixture):
        return _of_mixture(fit, targets, level, given, others)
    held = {name: float(as_numbers(name, value)) for name, value in others.items()}
    return _of_law(fit, targets, level, given, allow, held)


def _of_mixture(
    mixture: Mixture,
    targets: Sequence[float],
    level: float,
    given: Given | None,
    others: dict[str, float | str],
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
    course = course_of(fit, others, given)
    smallest = float(np.min(course.seen))
    out = []
    for target, reach in zip(targets, reaches_along(course, targets, allow), strict=True):
        says, room = ("law", _room(fit, target)) if given else ("doubt", float("nan"))
        notes = tuple(_notes(fit, target, given))
        out.append(
            TokensFor(
                fit.metric, float(target), course.column, reach, level, says, smallest, notes, room
            )
        )
    return out


def _room(fit: Fit, target: float) -> float:
    """Return the chance that the law's floor or ceiling leaves room for the target; nan where it has neither."""
    limit = fit.law.named("floor" if fit.law.falls else "ceiling")
    names = [c.name for c in fit.law.coefficients]
    if limit is None or len(fit.law.inputs) != 1:
        return float("nan")
    weights = np.array([float(name == limit) for name in names])
    below = fit.uncertainty.below(weights, target)
    return float(below if fit.law.falls else 1 - below)


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
