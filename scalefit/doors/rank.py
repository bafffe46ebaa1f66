"""``sf.rank``: which corpus to choose, where nobody has measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from scalefit.corpora.blends import blended, check_ratios, fine
from scalefit.corpora.parting import BENT, Parting, parting
from scalefit.corpora.ranking import (
    DRAWS,
    PLACES,
    Crossing,
    Ranking,
    Rankings,
    around,
    crossing,
    draws_of,
    in_order,
    standings,
    told_by,
)
from scalefit.doors.curves import Caution, Inquiry, flags, inquire
from scalefit.doors.forecast import sizes_of
from scalefit.errors import DesignError, DomainError
from scalefit.executors import Workers, working
from scalefit.forecasting.engines import check_target
from scalefit.forecasting.mixture import Mixture, reaches, values_of
from scalefit.forecasting.predictive import FARTHEST
from scalefit.groups import TELLING, group_name
from scalefit.planning.plan import Cost, check_names, paid, recorded
from scalefit.table import metric as metric_of
from scalefit.types import Floats, Renames
from scalefit.units import check_level, format_count

# Of the doubt of corpora that share no sizes: .01 to .17 in five tables, .08 to .12 with each left out in turn
# (benchmarks/shared.py).
SHARED = 0.1
NOTHING_SHARED = "corpora share fewer than two sizes: nothing tells where they cross, and differences are guessed"
AS_AN_S = (
    "the curves bend as an S, or as no law here does: who turns late may still pass, so P(best) beyond the measured "
    "sizes may be too sure; measure the contenders further out"
)
TWO_SIZES = (
    "two sizes shared: whether corpora run side by side beyond them was not measured, and P(best) takes it that most "
    "do; measure a third size"
)
MOVED = (
    "where corpora's own forecasts contradict the order in which their curves part, the estimates are moved to their "
    "mean: sf.forecast says what each curve alone promises"
)
ALL_THERE = (
    "who reaches the target at the smallest size measured may need less: smaller sizes would tell"
)
CROSSINGS = 31  # sizes at which curves are looked at, from the smallest to 1000 times the largest


def rank(
    data: Any,
    metric: str = "bleu",
    *,
    at: float | str | None = None,
    target: float | None = None,
    over: str | Sequence[str] = "corpus",
    mixture: str | Mapping[str, float] | None = None,
    cost: Cost | str | None = None,
    where: Mapping[str, Any] | None = None,
    by: Sequence[str] | None = None,
    level: float = 0.8,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
    seed: int = 0,
    executor: Workers = None,
) -> Rankings:
    """Rank corpora (or any procedure) at a size nobody has run, or by the tokens that a target takes.

    Parameters
    ----------
    data : path, Table, DataFrame or mapping of columns
    metric : str
    at : number or count such as "3B", optional
        Pretraining size at which they are compared.
    target : or a value to be reached with the fewest tokens. Give one of the two.
    over : column of what is ranked; several (a sequence, or with commas between) rank every pair, such as each corpus
        with each learning rate.
    mixture : column or mapping, optional
        Column of mixture ratios (0 to 1), or corpus -> ratio: ratios between the measured ones are ranked too.
    cost : number, mapping, column or function, optional
        Cost a token, the same for all or one a corpus; a column of what runs did cost, such as GPU-hours; or
        ``cost(corpus, tokens)``. Ranks a target by cost.
    where, by, mapping, allow
        As in :func:`scalefit.forecast`; ``by`` are the columns that make the settings and what is ranked.
    level : confidence of intervals.
    seed : of the draws.
    executor : number of processes, executor or address of a scheduler, optional
        Where the work is done, see ``docs/scale.md``; the answer is the same wherever that is.

    Returns
    -------
    Rankings
        One a setting (task, finetuning size, …): P(best), the expected loss of choosing each, where curves cross, the
        alignment verdict. A misaligned corpus comes last and is never the choice.

    Raises
    ------
    DesignError
        No setting has two corpora with a forecast, or three mixture ratios.
    DomainError
        Neither or both of ``at`` and ``target``, a size below the measured ones, a cost that is none.

    Examples
    --------
    >>> import scalefit as sf
    >>> bleu = [5.0, 9.1, 12.9, 17.0, 21.1, 4.0, 6.1, 8.0, 10.1, 12.0]
    >>> sizes, names = [1e6, 4e6, 16e6, 64e6, 256e6] * 2, ["fr"] * 5 + ["code"] * 5
    >>> table = {"corpus": names, "pretrain_tokens": sizes, "bleu": bleu}
    >>> ranking = sf.rank(table, at="4B")[0]
    >>> ranking.best.corpus, ranking.best.p_best > 0.95
    ('fr', True)
    """
    check_level(level)
    if (at is None) == (target is None):
        raise DomainError(
            "say what they are ranked by: at='1B' (a pretraining size) or target=30 (tokens for it)"
        )
    what = inquire(data, metric, where=where, by=by, mapping=mapping, allow=allow)
    if isinstance(mixture, str) and mixture not in what.by and what.table.has(mixture):
        what = replace(what, by=(*what.by, mixture))  # it follows from the corpus' name
    columns = [c if c == "corpus" else what.table.columns.called(c) for c in _columns(over)]
    columns, ratios = ([mixture], {}) if isinstance(mixture, str) else (columns, mixture)
    size = None if at is None else sizes_of(at)[0]
    if isinstance(cost, str):
        cost = recorded(what.rows, cost, columns[0])
        what = replace(what, notes=(*what.notes, cost.note))
    more = [c for c in what.by if c not in TELLING and c not in columns and ratios is None]
    if more:
        both = ",".join([*columns, *more])
        offer = (
            f"each {more[0]} is ranked by itself; over={both!r} ranks every combination together"
        )
        what = replace(what, notes=(*what.notes, offer))
    question = RankedBy(size, target, tuple(columns), cost, level, seed, ratios)
    with working(executor) as each:
        return rank_of(replace(what, each=each), what.curves.mixtures(each=each), question)


def rank_of(what: Inquiry, mixtures: Sequence[Mixture], question: RankedBy) -> Rankings:
    """Rank by the forecasts of all curves that have one."""
    name = what.metric
    for over in question.columns:
        if over not in what.by:
            raise DesignError(
                f"groups are made by {', '.join(what.by) or 'nothing'}, not by {over!r}: nothing to rank; name another "
                "column with over=, or give the table one"
            )
    failures = dict(what.curves.failures)
    if not mixtures:
        why = next(iter(failures.values()), "there are no rows with pretraining")
        raise DesignError(f"no curve can be forecast, so nothing can be ranked: {why}")
    if question.target is not None:
        check_target(question.target, name, values_of(mixtures))
    if isinstance(question.cost, Mapping):
        check_names(question.cost, {question.payer(m) for m in mixtures})
    verdicts = flags(what)
    rankings = []
    for group, each in _settings(mixtures, question):
        if len(each) < 2:
            failures[group_name(group)] = (
                f"only {question.name(each[0])} has a forecast: nothing to rank"
            )
            continue
        rankings.append(_ranking(group, each, question, verdicts, what.notes))
    if not rankings:
        why = next(iter(failures.values()), f"there is one {question.over} only")
        raise DesignError(f"no setting has two values of {question.over!r} with a forecast: {why}")
    return Rankings(tuple(rankings), failures)


def _columns(over: str | Sequence[str]) -> list[str]:
    return [c.strip() for c in over.split(",")] if isinstance(over, str) else list(over)


@dataclass(frozen=True)
class RankedBy:
    """What is ranked by what: at a size, or by the tokens of a target."""

    at: float | None
    target: float | None
    columns: tuple[str, ...] = ("corpus",)
    cost: Cost | None = None
    level: float = 0.8
    seed: int = 0
    ratios: Mapping[str, float] | None = None  # of mixtures; empty where the names are the ratios

    @property
    def over(self) -> str:
        """What is ranked, in words."""
        return " · ".join(self.columns)

    def name(self, mixture: Mixture) -> str:
        """Return what a curve is called among those that it is ranked with."""
        return " · ".join(str(mixture.group[column]) for column in self.columns)

    def payer(self, mixture: Mixture) -> str:
        """Return whom costs are named by: the first column's value."""
        return str(mixture.group.get(self.columns[0]))

    def ratio(self, each: Sequence[Mixture]) -> Floats:
        """Return the mixture ratios of curves (C,); in percent where one lies above 1."""
        ratio = np.array([self._ratio(m.group[self.columns[0]]) for m in each])
        return ratio / 100 if 1 < ratio.max() <= 100 else ratio

    def _ratio(self, name: Any) -> float:
        try:
            value = self.ratios[name] if self.ratios else name
            if isinstance(value, str) and "/" in value:  # 30/70 is three parts of ten
                one, other = map(float, value.split("/"))
                return one / (one + other)
            return float(value)
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            given = f"names {', '.join(self.ratios)}" if self.ratios else "names a column"
            raise DesignError(
                f"{self.over} {name!r} has no mixture ratio: mixture= {given}; give each corpus a number from 0 to "
                "1 or parts such as 30/70, or leave it out with where="
            ) from None

    def __str__(self) -> str:
        if self.at is not None:
            return f"at {format_count(self.at)}"
        return f"{'tokens' if self.cost is None else 'cost'} for {self.target:g}"


def _settings(
    mixtures: Sequence[Mixture], question: RankedBy
) -> list[tuple[dict[str, Any], list[Mixture]]]:
    """Curves that compete: those that differ in nothing but what is ranked."""
    same = {*question.columns}
    if question.ratios is not None:
        # What follows from the ratio (the mixture's name, the other corpus' share) makes no settings.
        ratio = question.ratio(mixtures).tolist()
        for column in mixtures[0].group:
            pairs = {(r, m.group.get(column)) for r, m in zip(ratio, mixtures, strict=True)}
            varied = len({value for _, value in pairs}) > 1
            if varied and len(pairs) == len(set(ratio)):
                same.add(column)
    inside: dict[str, tuple[dict[str, Any], list[Mixture]]] = {}
    for mixture in mixtures:
        group = {k: v for k, v in mixture.group.items() if k not in same}
        inside.setdefault(group_name(group), (group, []))[1].append(mixture)
    return list(inside.values())


def _ranking(
    group: dict[str, Any],
    each: Sequence[Mixture],
    question: RankedBy,
    verdicts: Mapping[str, Caution],
    notes: Sequence[str],
) -> Ranking:
    names = [question.name(m) for m in each]
    flags_ = [verdicts.get(group_name(m.group), Caution()) for m in each]
    rises = not metric_of(each[0].metric).falls
    # A misaligned corpus goes its own way: its fall would pass for the way in which all corpora part.
    kept = [i for i, flag in enumerate(flags_) if not flag.bars]
    part = parting([each[i].series for i in kept], logs=not rises)
    drawn = _drawn(names, each, question, part, kept, flags_)
    about = [NOTHING_SHARED] if part is None and len(kept) > 1 else []
    if part is not None and part.u.size < 3:
        about.append(TWO_SIZES)
    elif part is not None and part.bent > BENT:
        about.append(AS_AN_S)
    if drawn.moved:
        about.append(MOVED)
    if drawn.met:
        about.append(ALL_THERE)
    high = question.at is not None and rises
    over, best_ratio = question.over, None
    if question.ratios is not None:
        drawn, best_ratio, note = _between(drawn, each, question, high)
        over = "ratio" if question.ratios else over
        about.append(note)
    ranked = standings(
        drawn.names,
        drawn.values,
        drawn.told,
        best_high=high,
        level=question.level,
        barred=[flag.bars for flag in drawn.flags],
        alignment=[flag.verdict for flag in drawn.flags],
        cost=drawn.costs,
        factors=question.at is None,
    )
    if best_ratio:  # P(best) of one of many near ratios is small: the least loss is chosen
        ranked = tuple(sorted(ranked, key=lambda s: (s.barred, s.expected_loss)))
    crossings = () if part is None else _crossings(names, each, question, part, kept)
    return Ranking(
        each[0].metric,
        str(question),
        group,
        ranked,
        crossings,
        question.level,
        (*about, *notes),
        over,
        drawn.sight,
        best_ratio,
    )


@dataclass(frozen=True)
class _Drawn:
    """Joint draws (C, draws) of what is ranked, with what is known of each corpus: told (C, P), costs, flags.

    ``moved`` says that forecasts contradicted the draws' order, ``met`` that a smallest size may meet the target,
    ``sight`` how far a target's tokens or cost are seen.
    """

    names: Sequence[str]
    values: Floats
    told: Floats
    costs: Sequence[float] | None
    flags: Sequence[Caution]
    moved: bool = False
    met: bool = False
    sight: float = np.inf


def _between(
    drawn: _Drawn, each: Sequence[Mixture], question: RankedBy, high: bool
) -> tuple[_Drawn, tuple[float, float], str]:
    """Return draws at ratios between the measured ones as well, where the best ratio lies, and what was measured."""
    ratio = question.ratio(each)
    check_ratios(ratio)
    order = np.argsort(ratio)
    ratio, asked_ = ratio[order], fine(ratio)
    values = drawn.values[order]
    logs = question.at is None  # what a target takes differs by factors
    joined = blended(ratio, np.log(values) if logs else values, asked_, question.seed)
    # A ratio between stands under the flags of both its neighbours: the one that bars.
    beside = [order[np.flatnonzero(np.abs(ratio - r) <= _next(ratio, r) + 1e-12)] for r in asked_]
    said = [max((drawn.flags[i] for i in near), key=lambda f: f.bars) for near in beside]
    costs = drawn.costs
    if costs is not None:
        costs = [float(c) for c in np.interp(asked_, ratio, np.array(costs)[order])]
    best = asked_[joined.argmax(axis=0) if high else joined.argmin(axis=0)]
    low, top = np.quantile(best, [0.5 - question.level / 2, 0.5 + question.level / 2])
    measured = ", ".join(f"{r:.3g}" for r in ratio)
    note = f"measured ratios: {measured}; between them a spline that bends as far as they say"
    names = [f"{r:.3g}" for r in asked_]
    joined = np.exp(joined) if logs else joined
    told = np.quantile(joined, PLACES, axis=1).T
    told = np.where(told > drawn.sight, np.inf, told)
    between = replace(drawn, names=names, values=joined, told=told, costs=costs, flags=said)
    return between, (float(low), float(top)), note


def _next(ratio: Floats, r: float) -> float:
    """Return how far the farther of a ratio's two measured neighbours lies; 0 where it was measured itself."""
    away = np.abs(ratio - r)
    if away.min() < 1e-12:
        return 0.0
    return float(max(away[ratio < r].min(), away[ratio > r].min()))


def _drawn(
    names: Sequence[str],
    each: Sequence[Mixture],
    question: RankedBy,
    part: Parting | None,
    kept: list[int],
    flags: Sequence[Caution],
) -> _Drawn:
    """Draw what is ranked as corpora part, those that are kept, beside what the forecast of each says of it."""
    payers = [question.payer(m) for m in each]
    if question.at is not None:
        at = question.at
        said = [m.predictive(np.array([at]), "mean") for m in each]
        told = told_by(said)
        values = draws_of(told, SHARED, question.seed)
        if part is not None:
            own = part.draws(np.array([at]), DRAWS, question.seed)
            common = [said[i] for i in kept]
            values[kept] = around(common, own, part.logs, question.seed)[:, :, 0]
        ends = each[0].series
        values = np.clip(values, ends.bottom, ends.top)
        moved = in_order(told, values, kept)
        costs = None if question.cost is None else [paid(question.cost, n, at) for n in payers]
        return _Drawn(names, values, moved, costs, flags, not np.allclose(moved, told))
    assert question.target is not None
    there = reaches(each, question.target)
    sight = max(reach.largest for reach in there) * FARTHEST
    # "Never" counts as just beyond what is forecast: twice as much.
    told = np.log([[min(reach.quantile(p), 2 * sight) for p in PLACES] for reach in there])
    never = told > np.log(sight)
    met = bool(
        (np.exp(np.median(told, axis=1)) <= [m.series.x[0] * (1 + 1e-9) for m in each]).any()
    )
    ln = draws_of(told, SHARED, question.seed)
    if part is not None:
        ln[kept] = _together([each[i] for i in kept], ln[kept], part, question)
    if question.cost is not None:
        (top,) = _price(question.cost, payers, [[np.log(sight)]] * len(payers)).max(axis=0)
        ln, told = (_price(question.cost, payers, v, sight, top) for v in (ln, told))
        sight = float(np.exp(top))
    moved = in_order(told, ln, kept)
    changed = not np.allclose(moved, told)
    moved = np.where(never, np.inf, np.exp(moved))
    return _Drawn(names, np.exp(ln), moved, None, flags, changed, met, sight)


def _price(
    cost: Cost, names: Sequence[str], ln: ArrayLike, sight: float = np.inf, top: float = 0.0
) -> Floats:
    """Return ln cost of ln tokens, a row a corpus; who is beyond sight is beyond the top price, however cheap."""
    rows = zip(names, np.exp(ln), strict=True)
    priced = np.log([[paid(cost, n, float(t)) for t in row] for n, row in rows])
    beyond = np.asarray(ln) - np.log(sight)
    return np.where(beyond > 0, top + beyond, priced)


def _together(each: Sequence[Mixture], ln: Floats, part: Parting, question: RankedBy) -> Floats:
    """Return draws of ln tokens (C, draws) in the order of curves that part as the measured ones do.

    Forecast one by one, a corpus that was behind at every size may seem to get there first. Curves tell who does; when
    that is, forecasts of tokens know better. So all draws of all corpora keep their values and change their owners.
    """
    assert question.target is not None
    sizes, sign = _grid(each), -1.0 if part.logs else 1.0
    said = [m.predictive(sizes, "mean") for m in each]
    own = part.draws(sizes, DRAWS, question.seed)
    curves = around(said, own, part.logs, question.seed)
    order = np.argsort(_first(sign * curves, sign * question.target), axis=None)
    out = np.empty(ln.size)
    out[order] = np.sort(ln, axis=None) + np.linspace(
        0.0, 1e-9, ln.size
    )  # no two alike: "never" has an order too
    return out.reshape(ln.shape)


def _grid(each: Sequence[Mixture]) -> Floats:
    """Return sizes from the first that all have to the last that all can be forecast at."""
    low = max(float(m.series.x[0]) for m in each)
    high = min(float(m.series.x[-1]) for m in each) * FARTHEST
    return np.geomspace(low, max(high, low * (1 + 1e-9)), CROSSINGS)


def _first(curves: Floats, goal: float) -> Floats:
    """Return at which place of its sizes, joined, each curve (C, draws, Q) first meets a goal.

    One that never does comes after all, the later the farther it stays behind.
    """
    met = curves >= goal
    at = met.argmax(axis=2)
    before = np.maximum(at - 1, 0)
    low, high = (np.take_along_axis(curves, i[..., None], axis=2)[..., 0] for i in (before, at))
    # A goal that is met from the start was met the earlier the farther it is exceeded.
    early = -(high - goal)
    share = np.where(at > 0, (goal - low) / np.maximum(high - low, 1e-12), early)
    missed = curves.shape[2] + goal - curves.max(axis=2)
    return np.asarray(np.where(met.any(axis=2), before + share, missed))


def _crossings(
    names: Sequence[str],
    each: Sequence[Mixture],
    question: RankedBy,
    part: Parting,
    kept: list[int],
) -> tuple[Crossing, ...]:
    """Where curves of one setting overtake each other, those that may be recommended."""
    sizes = _grid(each)
    drawn = part.draws(sizes, DRAWS, question.seed + 1)
    out = [
        crossing(
            (names[kept[a]], names[kept[b]]),
            drawn[a],
            drawn[b],
            sizes,
            not part.logs,
            question.level,
        )
        for a, b in combinations(range(len(kept)), 2)
    ]
    return tuple(c for c in out if c is not None)
