"""Several laws and plain guesses weighed together: what a forecast rests on unless one law is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from functools import cached_property, partial
from itertools import chain
from typing import Any

import numpy as np

from scalefit.errors import DomainError, ScalefitError
from scalefit.executors import Each, alone, here, packs
from scalefit.fitting.card import Card
from scalefit.fitting.fit import fit_observations
from scalefit.fitting.points import points_of
from scalefit.fitting.problem import Objective
from scalefit.fitting.result import Fit
from scalefit.forecasting.engines import (
    Pool,
    RatesLearned,
    check_target,
    ends_of,
    engine_for,
    pools_of,
)
from scalefit.forecasting.losses import LawShares
from scalefit.forecasting.predictive import FARTHEST, PROBABILITIES, Predictive, Reach
from scalefit.forecasting.quality import Learned
from scalefit.forecasting.series import Series, joined, measured, series_of
from scalefit.groups import group_name
from scalefit.laws import LAWS
from scalefit.result import Result, Results
from scalefit.rows import Row
from scalefit.table import Observations
from scalefit.table import metric as metric_of
from scalefit.types import Floats, Kind
from scalefit.units import counted, format_count
from scalefit.version import __version__

AHEAD = np.unique([*np.geomspace(1.0, 10.0, 13)[1:], *np.geomspace(10.0, FARTHEST, 13)])
TIMES = (2.0, 10.0, 100.0)
_TOGETHER = 32  # curves that are forecast together, whoever does it: the last bits depend on it
SHOWN = 0.05  # a member that carries less is not named in one line


@dataclass(frozen=True, eq=False, repr=False)
class Mixture(Result):
    """A forecast of one curve that no single law owns.

    Attributes
    ----------
    observations : the rows behind the curve, of one metric over one input.
    series : means over independent runs at ascending sizes.
    learned : Learned, LawShares, RatesLearned or None
        What the curves of its pool taught together; None where a loss has no siblings there.
    ahead : a new run at sizes up to 1000 times the largest.
    group : what the rows have in common.
    siblings : how many other curves of the table it learned from; 0 means shipped priors and this curve alone.

    Examples
    --------
    >>> import numpy as np, scalefit as sf
    >>> D = np.geomspace(1e6, 1e9, 7)
    >>> mixture = sf.fit({"pretrain_tokens": D, "bleu": 30 - 200 * D**-0.25}, "bleu")
    >>> mixture.best.law.name in mixture.weights
    True
    >>> bool(29 < sf.predict(mixture, 1e10).estimate[0] < 30)
    True
    """

    observations: Observations
    series: Series
    learned: Learned | LawShares | RatesLearned | None
    ahead: Predictive
    group: Mapping[str, Any] = field(default_factory=dict)
    siblings: int = 0
    notes: tuple[str, ...] = ()
    at_hand: InitVar[Any] = None

    def __post_init__(self, at_hand: Any) -> None:
        """Keep what the forecast was made from; a file holds the forecast alone, and it is made again when asked."""
        if at_hand is not None:
            vars(self)["settled"] = at_hand

    @cached_property
    def settled(self) -> Any:
        """What the engine answers from, whatever size or target is asked."""
        return engine_for(self.metric).settle([self.series], self.learned)[0]

    @property
    def metric(self) -> str:
        """Name of the metric."""
        return self.observations.metric

    @property
    def column(self) -> str:
        """The table's column that the curve runs over."""
        return next(iter(self.observations.columns.values()))

    @property
    def rises(self) -> bool:
        """Whether more of the metric is better."""
        return metric_of(self.metric).rises

    @property
    def weights(self) -> Mapping[str, float]:
        """Member -> share of the forecast; they sum to 1."""
        heavy = sorted(self.ahead.weights.items(), key=lambda pair: -pair[1])
        return {name: float(share) for name, share in heavy}

    def _alone(self) -> Iterator[Fit]:
        """Fit the members that are laws of the catalogue, each alone, heaviest first, one when it is asked for."""
        for name in self.weights:
            if name in LAWS:
                law = LAWS[name].within(self.series.bottom, self.series.top)
                try:
                    yield fit_observations(self.observations, law, Objective(), group=self.group)
                except ScalefitError:
                    continue  # too few sizes for this law alone: the mixture weighs it all the same

    @cached_property
    def fits(self) -> Mapping[str, Fit]:
        """The members that are laws of the catalogue, each fitted alone, heaviest first."""
        return {fit.law.name: fit for fit in self._alone()}

    @cached_property
    def best(self) -> Fit:
        """The heaviest member that is a law, fitted alone.

        Raises DomainError: the curve has too few sizes for any law alone.
        """
        for fit in self._alone():
            return fit
        raise DomainError(
            f"{len(self.series)} sizes are too few for any single law; ask the mixture, or measure more sizes"
        )

    def predictive(self, x: Floats, kind: Kind = "run") -> Predictive:
        """Return the distribution of a new run, or of the mean over runs, at sizes (Q,).

        Raises DomainError: a size lies below the smallest measured one, or more than 1000 times beyond the largest.
        """
        return predictives([self], [x], kind)[0]

    def reach(self, target: float) -> Reach:
        """Return when the curve reaches ``target``, measured sizes included."""
        check_target(target, self.metric, self.observations.values)
        return reaches([self], target)[0]

    @property
    def carried(self) -> str:
        """The heaviest members and their weights, in words."""
        heavy = [f"{name} {share:.0%}" for name, share in self.weights.items() if share >= SHOWN]
        return ", ".join(heavy)

    @property
    def verdict(self) -> str:
        """What carries the forecast, and what it says at ten times the largest size."""
        name = group_name(self.group)
        head = f"{name}: " if name else ""
        x = float(self.series.x[-1]) * 10
        at = self.predictive(np.array([x]))
        low, high = (float(v[0]) for v in at.interval(0.8))
        learned = f"learned with {self.siblings} siblings" if self.siblings else "shipped priors"
        return (
            f"{head}{self.metric} of {self.column} by a mixture ({self.carried}; {learned}); at "
            f"{format_count(x)} a new run gives {float(at.median[0]):.4g} [{low:.4g}, {high:.4g}] (80 %)"
        )

    def card(self, *, held_out: float | None = None) -> Card:
        """Return the law card, as of a fit: members and their weights stand where a law has parameters."""
        low, high = float(self.series.x[0]), float(self.series.x[-1])
        return Card(
            self.verdict, "mixture", self.carried, "scalefit, docs/forecasting.md", self.metric,
            metric_of(self.metric).unit, {"x": (self.column, low, high)},
            tuple({"member": name, "weight": share} for name, share in self.weights.items()),
            "nothing: members are weighed by what curves showed", "independent runs of one size, averaged",
            int(self.series.runs.sum()), self.observations.digest, self.notes, held_out, __version__, dict(self.group),
        )  # fmt: skip

    def rows(self) -> list[Row]:
        """Return the forecast of a new run at sizes up to 1000 times the largest: median, 80 and 95 % ends."""
        low80, high80 = self.ahead.interval(0.8)
        low95, high95 = self.ahead.interval(0.95)
        columns = (self.ahead.x, self.ahead.median, low80, high80, low95, high95)
        names = (self.column, self.metric, "low_80", "high_80", "low_95", "high_95")
        return [
            dict(zip(names, map(float, row), strict=True)) for row in zip(*columns, strict=True)
        ]

    def told(self) -> Mapping[str, Any]:
        """Return what JSON says: the weights and the forecast."""
        return {
            "group": self.group,
            "metric": self.metric,
            "column": self.column,
            "weights": self.weights,
            "siblings": self.siblings,
            "sizes": self.series.x,
            "values": self.series.y,
            "runs": self.series.runs,
            "data": self.observations.digest,
            "forecast": self.rows(),
        }


@dataclass(frozen=True, eq=False, repr=False)
class Mixtures(Results[Mixture]):
    """The mixtures of a table's curves; ``mixtures["fr"]`` is one or some of them.

    Attributes
    ----------
    mixtures : one a group, in the table's order.
    failures : group in words -> why it has none.
    notes : what was split or left out.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
    >>> table = {
    ...     "pretrain_tokens": sizes * 2,
    ...     "corpus": ["fr"] * 6 + ["code"] * 6,
    ...     "bleu": [5.0, 9.1, 12.9, 17.0, 21.1, 25.0, 4.0, 6.1, 8.0, 10.1, 12.0, 14.0],
    ... }
    >>> mixtures = sf.fit_each(table, "bleu")
    >>> len(mixtures), mixtures["fr"].metric
    (2, 'bleu')
    """

    MEMBERS = "mixtures"
    shown = Result.shown  # rows of its own, and none of its members

    mixtures: tuple[Mixture, ...]
    failures: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """How many curves were forecast, and what carries them."""
        if len(self) == 1:
            return self[0].verdict
        lost = f"; {len(self.failures)} without" if self.failures else ""
        carried = f", carried by {self[0].carried}" if len(self) else ""
        return f"{counted(len(self), 'curve')} forecast by mixtures{carried}{lost}"

    def rows(self) -> list[Row]:
        """Return one row a curve: measured end, weights, and a new run at 2, 10 and 100 times the largest size."""
        times = [m.series.x[-1] * np.array(TIMES) for m in self]
        return [
            _row(m, said) for m, said in zip(self, predictives(self.mixtures, times), strict=True)
        ]


def _row(mixture: Mixture, said: Predictive) -> Row:
    row: Row = {**mixture.group, "sizes": len(mixture.series)}
    row[f"largest_{mixture.column}"] = float(mixture.series.x[-1])
    row[mixture.metric] = float(mixture.series.y[-1])
    return row | said.columns(f"at_{times:g}x" for times in TIMES)


def series_from(rows: Sequence[Observations]) -> list[Series]:
    """Return curves' means over independent runs: finetunings of one checkpoint count once."""
    if not rows:
        return []
    points = [points_of(one) for one in rows]
    # An end that is guessed from what was measured is the metric's, not a curve's: a flat one would end below its
    # neighbours' values, and refuse a target that they have nearly reached.
    bottom, top = ends_of(rows[0].metric, np.concatenate([p.y for p in points]))
    return [series_of(p.inputs[0], p.y, bottom=bottom, top=top) for p in points]


def mixtures_of(
    rows: Sequence[Observations],
    groups: Sequence[Mapping[str, Any]],
    pool: Pool = "auto",
    each: Each = here,
) -> list[Mixture]:
    """Weigh laws and guesses for the curves of one table and one metric, each pool learning from its own curves.

    What a pool teaches is learned here; then ``each`` forecasts its curves, some at a time.

    Raises DomainError: the metric's direction is unknown; FitError: a curve has too few sizes to say anything; the
    message says what to measure; TableError: ``pool`` names a column that does not make the groups.
    """
    if not rows:
        return []
    engine = engine_for(rows[0].metric)
    curves = series_from(rows)
    out: dict[int, Mixture] = {}
    for members in pools_of(groups, pool):
        some = [curves[i] for i in members]
        learned = engine.learn(some)
        ahead = each(partial(_ahead, rows[0].metric, learned), packs(some, _TOGETHER))
        siblings = len(members) - 1
        for i, (settled, said) in zip(members, chain.from_iterable(ahead), strict=True):
            group, notes = dict(groups[i]), (*rows[i].notes, *said.notes)
            out[i] = Mixture(rows[i], curves[i], learned, said, group, siblings, notes, settled)
    return [out[i] for i in range(len(rows))]


def values_of(mixtures: Iterable[Mixture]) -> Floats:
    """Return all values measured of the curves of one metric."""
    return np.concatenate([m.observations.values for m in mixtures])


def _ahead(metric: str, learned: Any, curves: Sequence[Series]) -> list[tuple[Any, Predictive]]:
    engine = engine_for(metric)
    settled = engine.settle(curves, learned)
    said = engine.forecast(settled, [c.x[-1] * AHEAD for c in curves], "run")
    return list(zip(settled, said, strict=True))


def reaches(mixtures: Sequence[Mixture], target: float | Sequence[float]) -> list[Reach]:
    """Return when each curve of one table and metric reaches its ``target``, measured sizes included."""
    engine = engine_for(mixtures[0].metric)
    targets = np.broadcast_to(target, len(mixtures)).tolist()
    out: dict[int, Reach] = {}
    for members in _by_pool(mixtures):
        later = engine.reach([mixtures[i].settled for i in members], [targets[i] for i in members])
        for i, beyond in zip(members, later, strict=True):
            mixture = mixtures[i]
            out[i] = joined(mixture.series, targets[i], beyond, rises=mixture.rises)
    return [out[i] for i in range(len(mixtures))]


def predictives(
    mixtures: Sequence[Mixture], at: Sequence[Floats], kind: Kind = "run"
) -> list[Predictive]:
    """Return the distribution of each curve of one metric at its sizes (Q,), measured ones included.

    Raises DomainError: as :meth:`Mixture.predictive`.
    """
    sizes = [np.atleast_1d(np.asarray(x, dtype=float)) for x in at]
    out = [_within(m, x, kind) for m, x in zip(mixtures, sizes, strict=True)]
    beyond = [x > m.series.x[-1] for m, x in zip(mixtures, sizes, strict=True)]

    def ask(some: Sequence[int]) -> list[Predictive]:
        settled, ahead = [mixtures[i].settled for i in some], [sizes[i][beyond[i]] for i in some]
        return engine_for(mixtures[0].metric).forecast(settled, ahead, kind)

    asked = [[i for i in members if beyond[i].any()] for members in _by_pool(mixtures)]
    for some in (pack for members in asked for pack in packs(members, _TOGETHER)):
        for i, said in zip(some, alone(ask, some), strict=True):
            out[i].values[:, beyond[i]] = said.values
    return out


def _within(mixture: Mixture, x: Floats, kind: Kind) -> Predictive:
    """Return what is known at the measured sizes, with room for what lies beyond."""
    _check(mixture.series, x)
    values = np.empty((PROBABILITIES.size, x.size))
    within = x <= mixture.series.x[-1]
    if within.any():
        values[:, within] = measured(mixture.series, x[within], kind).values
    return Predictive(x, PROBABILITIES, values, mixture.ahead.weights)


def _check(curve: Series, x: Floats) -> None:
    low, high = float(curve.x[0]), float(curve.x[-1])
    outside = ~((x >= low) & (x <= high * FARTHEST))
    if not outside.any():
        return
    worst = float(x[np.argmax(outside)])
    if np.isnan(worst):
        raise DomainError("nan is no size; give numbers above 0")
    if worst < low:
        raise DomainError(
            f"{format_count(worst)} lies below the smallest measured size ({format_count(low)}); forecasts go "
            "upwards from there: name a law, sf.fit(data, metric, law=…), or measure that size"
        )
    raise DomainError(
        f"{format_count(worst)} lies more than {FARTHEST:g}× beyond the largest size measured "
        f"({format_count(high)}): nothing is known there; measure larger sizes first"
    )


def _by_pool(mixtures: Sequence[Mixture]) -> list[list[int]]:
    """Return the indices of the mixtures that learned together: one call answers for them."""
    pools: dict[int, list[int]] = {}
    for i, mixture in enumerate(mixtures):
        pools.setdefault(id(mixture.learned), []).append(i)
    return list(pools.values())
