"""Which of several corpora is best where nobody has measured: chances, what a wrong choice costs, where curves cross.

What a corpus will reach is its own forecast, here as everywhere. Who is ahead is known better: what moves all of them
cancels in a difference. Chances and losses therefore come from draws of all corpora together, whose differences follow
a model of how corpora part (``parting``): it draws them together as far as chance explains their spread, for the
highest of several noisy forecasts was picked for its luck too. Where forecasts contradict that order they are moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import ndtr

from scalefit.forecasting.predictive import Predictive
from scalefit.groups import group_name
from scalefit.result import Result, Results
from scalefit.rows import Row
from scalefit.table import metric as metric_of
from scalefit.types import Floats
from scalefit.units import format_count, parse_count, short

DRAWS = 4000
PLACES = np.arange(1, 400) / 400  # probabilities at which what is told of a corpus is kept
SURELY_REACHED = 0.995  # from it on nothing is said of the chance that a target is reached
SURELY_NEVER = 0.95  # beyond it a crossing is not worth a line


@dataclass(frozen=True)
class Standing:
    """Where one corpus stands.

    Attributes
    ----------
    corpus : its name.
    p_best : probability that it is the best of those that may be recommended.
    expected_loss : what choosing it costs on average against the best one: in the metric's units, or as the factor of
        tokens or cost (geometric mean; what is never reached counts as twice what is in sight).
    estimate, low, high : its value (or tokens) as forecast; ends at ``level`` of the ranking.
    cost : what it costs in the unit given, or nan.
    alignment : verdict on its alignment, or "".
    barred : whether it may not be recommended.
    p_reached, if_reached : of a target: the chance that it is reached in sight, and what it takes (median) where it is.
    smallest : of a target: what the smallest measured size comes to; who is there may need less.
    """

    corpus: str
    p_best: float
    expected_loss: float
    estimate: float
    low: float
    high: float
    cost: float = float("nan")
    alignment: str = ""
    barred: bool = False
    p_reached: float = 1.0
    if_reached: float = float("nan")
    smallest: float = 0.0


def no_more(value: Any, smallest: Any) -> Any:
    """Whether what a target takes is no more than what the smallest measured size comes to: less is not known."""
    return value <= smallest * (1 + 1e-9)


@dataclass(frozen=True)
class Crossing:
    """Where one corpus overtakes another, beyond what the smallest size shows.

    ``low`` to ``high`` holds the crossing given that there is one; ``never`` is the probability that there is none up
    to the largest size that forecasts reach.
    """

    overtakes: str
    overtaken: str
    size: float
    low: float
    high: float
    never: float

    @property
    def likely(self) -> bool:
        """Whether it is likelier than not; only then is it said."""
        return self.never < 0.5

    def __str__(self) -> str:
        ends = f"[{format_count(self.low)}, {format_count(self.high)}]"
        where = f"at {format_count(self.size)} {ends}"
        return f"{self.overtakes} overtakes {self.overtaken} {where}, or never (P {self.never:.2g})"


@dataclass(frozen=True, eq=False, repr=False)
class Ranking(Result):
    """The corpora of one setting, by least expected loss; misaligned ones last, and never recommended.

    Attributes
    ----------
    question : what they are ranked by: ``"at 1B"`` or ``"tokens for 30"``.
    group : the setting: task, finetuning size, …
    crossings : all pairs that may cross, P(never) ≤ .95.
    level : confidence of intervals.
    over : what is ranked, as its column is called.
    sight : up to which tokens or cost a target is looked for; inf at a size.
    best_ratio : of mixtures, the ends between which the best ratio lies.

    Examples
    --------
    >>> import scalefit as sf
    >>> bleu = [5.0, 9.1, 12.9, 17.0, 21.1, 4.0, 6.1, 8.0, 10.1, 12.0]
    >>> sizes, names = [1e6, 4e6, 16e6, 64e6, 256e6] * 2, ["fr"] * 5 + ["code"] * 5
    >>> table = {"corpus": names, "pretrain_tokens": sizes, "bleu": bleu}
    >>> [standing.corpus for standing in sf.rank(table, at="4B")[0].standings]
    ['fr', 'code']
    """

    metric: str
    question: str
    group: Mapping[str, Any]
    standings: tuple[Standing, ...]
    crossings: tuple[Crossing, ...] = ()
    level: float = 0.8
    notes: tuple[str, ...] = ()
    over: str = "corpus"
    sight: float = float("inf")
    best_ratio: tuple[float, float] | None = None

    @property
    def best(self) -> Standing | None:
        """The one to choose; None where every corpus is barred."""
        return next((s for s in self.standings if not s.barred), None)

    @property
    def verdict(self) -> str:
        """Which corpus to choose, how sure that is, and what a wrong choice costs."""
        name = group_name(self.group)
        head = f"{name}: " if name else ""
        best = self.best
        never = [s for s in self.standings if s.barred]
        barred = ", ".join(s.corpus for s in never)
        doubt = "suspected " * all(s.alignment.startswith("suspected") for s in never)
        if best is None:
            return f"{head}no corpus can be recommended: {barred} {doubt}misaligned"
        goal = self._goal
        if best.p_reached == 0:
            none = f"none reaches {goal} {self._in_sight}"
            line = f"{head}{none}, and {best.corpus} comes nearest (P {best.p_best:.2f})"
        elif self.best_ratio is not None:
            ends = ", ".join(short(end) for end in self.best_ratio)
            line = (
                f"{head}{self.over} {best.corpus} (the best lies in [{ends}]; {self._said(best)})"
            )
        else:
            line = f"{head}{best.corpus} (P(best) {best.p_best:.2f}; {self._said(best)})"
            others = [s for s in self.standings if s is not best and not s.barred]
            near = [f"{s.corpus} {s.p_best:.2f}" for s in others if s.p_best >= 0.1]
            line += f"; then {', '.join(near[:3])}" if near else ""
            there = [s.corpus for s in others if no_more(s.high, s.smallest)]
            line += f"; of {', '.join(there)} no more either" if there else ""
        return f"{line}; never {barred} ({doubt}misaligned)" if barred else line

    def rows(self) -> list[Row]:
        """Return one row a corpus: chances, expected loss, estimate with both ends, cost, alignment."""
        priced = any(np.isfinite(s.cost) for s in self.standings)
        unit = "tokens" if self.in_tokens else "cost" if self.by_target else "estimate"
        ends = ("low", "high") if unit == "estimate" else (f"{unit}_low", f"{unit}_high")
        reached = [
            {"p_reached": s.p_reached, f"{unit}_if_reached": s.if_reached} for s in self.standings
        ]
        return [
            {
                **self.group,
                self.over: s.corpus,
                "p_best": s.p_best,
                "expected_factor" if self.by_target else "expected_loss": s.expected_loss,
                unit: s.estimate,
                **dict(zip(ends, (s.low, s.high), strict=True)),
                **(there if self.by_target else {}),
                **({"cost": s.cost} if priced else {}),
                "alignment": s.alignment,
            }
            for s, there in zip(self.standings, reached, strict=True)
        ]

    def shown(self) -> list[Row]:
        """Return the rows for people: what lies beyond sight is said to."""
        if not self.by_target:
            return self.rows()
        unit = "tokens" if self.in_tokens else "cost"
        names = (unit, f"{unit}_low", f"{unit}_high", f"{unit}_if_reached")
        return [
            {k: self._bound(v, s) or v if k in names else v for k, v in row.items()}
            for s, row in zip(self.standings, self.rows(), strict=True)
        ]

    @property
    def in_tokens(self) -> bool:
        """Whether what is ranked is a number of tokens."""
        return self.question.startswith("tokens")

    @property
    def by_target(self) -> bool:
        """Whether what is ranked is what a target takes, in tokens or cost."""
        return " for " in self.question

    @property
    def asked(self) -> str:
        """What was asked, in words: ``tokens for BLEU 30``, ``BLEU at 1B pretraining tokens``."""
        title = metric_of(self.metric).title
        if self.by_target:
            return self.question.replace(" for ", f" for {title} ")
        return f"{title} {self.question} pretraining tokens"

    @property
    def _within(self) -> str:
        return self._count(self.sight)

    @property
    def _in_sight(self) -> str:
        return f"within {'' if self.in_tokens else 'a cost of '}{self._within}"

    @property
    def _goal(self) -> str:
        return f"{metric_of(self.metric).title} {self.question.partition(' for ')[2]}"

    def _count(self, value: float) -> str:
        return format_count(value) if self.by_target else short(value)

    def _bound(self, value: float, standing: Standing) -> str:
        """Return on which side a target's tokens lie, where no more is known: beyond sight, at the smallest size."""
        if np.isinf(value):
            return f"> {self._within}"
        return f"≤ {self._count(value)}" if no_more(value, standing.smallest) else ""

    def _said(self, standing: Standing) -> str:
        low, high, estimate, there = (
            self._bound(value, standing) or self._count(value)
            for value in (standing.low, standing.high, standing.estimate, standing.if_reached)
        )
        if not self.by_target:
            return f"{self._goal}{self.question}: {estimate} [{low}, {high}]"
        many = "about {} tokens" if self.in_tokens else "a cost of about {}"
        if low == high:
            return f"{self._goal} takes {many.replace('about ', '').format(estimate)}"
        if standing.p_reached >= SURELY_REACHED:
            return f"{self._goal} takes {many.format(estimate)} [{low}, {high}]"
        reached = f"{self._goal} reached {self._in_sight} with P {standing.p_reached:.2f}"
        return f"{reached}, then at {many.format(there)}; in all [{low}, {high}]"

    @property
    def overtakings(self) -> tuple[str, ...]:
        """The crossings that are likelier than not; and whether who overtakes has fallen back where they are ranked."""
        place = [s.corpus for s in self.standings]
        asked = None if self.by_target else parse_count(self.question.rpartition(" ")[2])
        return tuple(
            f"{c}; behind again {self.question}"
            if asked and c.size < asked and place.index(c.overtaken) < place.index(c.overtakes)
            else str(c)
            for c in self.crossings
            if c.likely
        )

    def beneath(self) -> tuple[str, ...]:
        """Return the crossings that are likelier than not, and why a likelier corpus is barred."""
        chance = self.best.p_reached if self.best else 1.0
        likelier = [s for s in self.standings if s.barred and s.p_reached > chance]
        return (
            *self.overtakings,
            *(
                f"{s.corpus} is {s.alignment} and not recommended, though P(reached) is {s.p_reached:.2f}: a forecast "
                "leaves any curve room to take off, and what was measured of this one speaks against it"
                for s in likelier
            ),
        )


@dataclass(frozen=True, eq=False, repr=False)
class Rankings(Results[Ranking]):
    """One ranking a setting; ``rankings["en-fr"]`` is one or some of them.

    Examples
    --------
    >>> import scalefit as sf
    >>> bleu = [5.0, 9.1, 12.9, 17.0, 21.1, 4.0, 6.1, 8.0, 10.1, 12.0]
    >>> sizes, names = [1e6, 4e6, 16e6, 64e6, 256e6] * 2, ["fr"] * 5 + ["code"] * 5
    >>> table = {"corpus": names, "pretrain_tokens": sizes, "bleu": bleu}
    >>> rankings = sf.rank(table, at="4B")
    >>> len(rankings), rankings[0].best.corpus
    (1, 'fr')
    """

    MEMBERS, TOLD_EACH = "rankings", True

    rankings: tuple[Ranking, ...]
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the rankings say besides, and groups without a forecast."""
        said = [note for ranking in self for note in ranking.notes]
        return (*dict.fromkeys(said), *(f"{name}: {why}" for name, why in self.failures.items()))

    @property
    def verdict(self) -> str:
        """The choice of every setting in one line where there are few."""
        if len(self) == 1:
            return self[0].verdict
        sure = sum(r.best is not None and r.best.p_best >= 0.9 for r in self)
        return f"{len(self)} settings ranked; the best corpus is sure (P ≥ .9) in {sure}"


def told_by(said: Sequence[Predictive]) -> Floats:
    """Return the quantiles (C, P) of forecasts of one size each at :data:`PLACES`."""
    return np.array([np.interp(PLACES, s.probabilities, s.values[:, 0]) for s in said])


def drawn_together(told: Floats, shared: float, seed: int) -> Floats:
    """Draw values of corpora, of whom quantiles (C, P) are told, whose errors have a correlation: (C, DRAWS)."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((len(told), DRAWS))
    # A Gaussian copula: one normal that all share and one of each place a draw among each forecast's own quantiles, so
    # a forecast keeps its skew (room to take off, a top it cannot pass) and only the errors go together.
    place = ndtr(np.sqrt(shared) * rng.standard_normal(DRAWS) + np.sqrt(1 - shared) * own)
    return np.array([np.interp(p, PLACES, one) for p, one in zip(place, told, strict=True)])


def in_order(told: Floats, values: Floats, kept: Sequence[int]) -> Floats:
    """Return what is told of corpora (C, P), moved so that medians of those kept have the order of draws (C, D).

    Those that contradict it keep their mean, and lie as far apart as the draws do.
    """
    drawn, middle = np.median(values[kept], axis=1), np.median(told[kept], axis=1)
    order = np.argsort(drawn, kind="stable")
    met = isotonic_regression(middle[order])
    of = np.repeat(np.arange(met.blocks.size - 1), np.diff(met.blocks))
    apart = drawn[order] - (np.bincount(of, drawn[order]) / np.bincount(of))[of]
    move = np.zeros(len(told))
    move[np.array(kept, dtype=int)[order]] = isotonic_regression(met.x + apart).x - middle[order]
    return np.asarray(told + move[:, None])


def around(said: Sequence[Predictive], own: Floats, logs: bool, seed: int) -> Floats:
    """Draw values of corpora: a level that all share, from the mean of their forecasts, and own parts (C, draws, Q)."""
    values = np.array([s.values for s in said])
    common = (np.log(np.maximum(values, 1e-12)) if logs else values).mean(axis=0)
    place = ndtr(np.random.default_rng(seed).standard_normal(own.shape[1]))
    level = np.stack([np.interp(place, said[0].probabilities, one) for one in common.T], axis=-1)
    drawn = level - np.median(own, axis=1).mean(axis=0) + own
    return np.asarray(np.exp(drawn) if logs else drawn)


def standings(
    corpora: Sequence[str],
    values: Floats,
    told: Floats,
    *,
    best_high: bool,
    level: float,
    barred: Sequence[bool],
    alignment: Sequence[str],
    cost: Sequence[float] | None = None,
    smallest: Sequence[float] | None = None,
) -> tuple[Standing, ...]:
    """Rank corpora by joint draws (C, draws) of their values; those barred come last and cannot be the best.

    What is ``told`` of each (C, P) are quantiles at :data:`PLACES`, infinite where a target is never reached. With what
    each one's ``smallest`` size comes to, values are what a target takes, and losses are factors.
    """
    factors = smallest is not None
    allowed = np.flatnonzero(~np.asarray(barred))
    signed = values if best_high else -(np.log(values) if factors else values)
    loss = np.full(values.shape[0], np.nan)
    p = np.zeros(values.shape[0])
    if allowed.size:
        top = signed[allowed].max(axis=0)
        loss = (top - signed).mean(axis=1)
        loss[loss < 1e-9 * np.abs(top).max()] = 0.0  # equal, but for how a computer adds
        loss = np.exp(loss) if factors else loss
        winner = allowed[signed[allowed].argmax(axis=0)]
        p = np.bincount(winner, minlength=values.shape[0]) / values.shape[1]
    at = np.rint(np.array([0.5 - level / 2, 0.5, 0.5 + level / 2]) * (PLACES.size + 1)).astype(int)
    low, middle, high = told.T[np.clip(at, 1, PLACES.size) - 1]
    costs = cost if cost is not None else [float("nan")] * len(corpora)
    made = [
        Standing(
            name, float(p[i]), float(loss[i]), float(middle[i]), float(low[i]), float(high[i]), float(costs[i]),
            alignment[i], bool(barred[i]), *(() if smallest is None else (*_reached(told[i]), float(smallest[i]))),
        )
        for i, name in enumerate(corpora)
    ]  # fmt: skip
    return tuple(sorted(made, key=lambda s: (s.barred, s.expected_loss, -s.p_best)))


def _reached(told: Floats) -> tuple[float, float]:
    """Return the chance that a target is reached in sight, and what it takes where it is."""
    there = told[np.isfinite(told)]
    return there.size / told.size, float(np.median(there)) if there.size else float("nan")


def crossing(
    names: tuple[str, str],
    first: Floats,
    second: Floats,
    sizes: Floats,
    best_high: bool,
    level: float,
) -> Crossing | None:
    """Return where one of two curves overtakes the other, from draws (draws, Q) of both at ascending sizes.

    The one that is ahead at the smallest size is overtaken, or is not.
    """
    gap = (first - second) * (1 if best_high else -1)
    ahead = float(np.median(gap[:, 0]))
    if ahead < 0:
        return crossing((names[1], names[0]), second, first, sizes, best_high, level)
    # Where a draw has the other one ahead from the start, nobody overtakes: it counts as "never", not as a crossing at
    # the smallest size, which would call every pair of near and parallel curves a likely crossing.
    behind = gap < 0
    crosses = ~behind[:, 0] & behind.any(axis=1)  # one that falls back later has overtaken
    never = 1.0 - float(crosses.mean())
    if never > SURELY_NEVER:
        return None
    rows = np.flatnonzero(crosses)
    at = np.argmax(behind[rows], axis=1)
    before, after = gap[rows, at - 1], gap[rows, at]
    share = before / np.maximum(before - after, 1e-300)
    ln = np.log(sizes[at - 1]) + share * (np.log(sizes[at]) - np.log(sizes[at - 1]))
    low, middle, high = np.exp(np.quantile(ln, [0.5 - level / 2, 0.5, 0.5 + level / 2]))
    return Crossing(names[1], names[0], float(middle), float(low), float(high), never)
