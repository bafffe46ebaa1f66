"""``sf.rank``: which corpus to choose, where nobody has measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scalefit.arguments import BLEU
from scalefit.corpora.blends import blended, check_ratios, fine
from scalefit.corpora.parting import BENT
from scalefit.corpora.ranking import PLACES, Ranking, Rankings, no_more, standings
from scalefit.doors.curves import Flags, Inquiry, flags, inquire
from scalefit.doors.entrants import Drawn, Entrants, RankedBy
from scalefit.errors import DesignError, DomainError
from scalefit.executors import Workers, working
from scalefit.forecasting.engines import check_target
from scalefit.forecasting.mixture import Mixture, values_of
from scalefit.groups import TELLING, group_name
from scalefit.planning.plan import Cost, check_names, recorded
from scalefit.table import metric as metric_of
from scalefit.table.names import KNOWN
from scalefit.types import Renames
from scalefit.units import amount, check_level

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


def rank(
    data: Any,
    metric: str = BLEU,
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
    at : pretraining size at which they are compared, 3e9 or "3B".
    target : or a value to be reached with the fewest tokens. Give one of the two.
    over : column of what is ranked; several (a sequence, or with commas between) rank every pair, such as each corpus
        with each learning rate.
    mixture : column of mixture ratios (0 to 1), or corpus -> ratio: ratios between the measured ones are ranked too.
    cost : cost a token, the same for all or one a corpus; a column of what runs did cost, such as GPU-hours; or
        ``cost(corpus, tokens)``. Ranks a target by cost.
    where, by, mapping, allow
        As in :func:`scalefit.forecast`; ``by`` are the columns that make the settings and what is ranked.
    level : confidence of intervals.
    seed : of the draws.
    executor : a number of processes, an executor or a scheduler's address (``docs/scale.md``); answers stay the same.

    Returns Rankings: one a setting (task, finetuning size, …): P(best), the expected loss of choosing each, where
    curves cross, the alignment verdict. A misaligned corpus comes last and is never the choice.

    Raises DesignError: no setting has two corpora with a forecast, or three mixture ratios; DomainError: neither or
    both of ``at`` and ``target``, a size below the measured ones, a cost that is none.

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
    if not isinstance(mixture, str | Mapping | None):
        raise DomainError(
            f"mixture is {mixture!r}; name the column of ratios (mixture='corpus' where it is 30/70), or give each "
            "corpus its own: mixture={'fr': 1, 'half': 0.5, 'en': 0}"
        )
    what = inquire(data, metric, where=where, by=by, mapping=mapping, allow=allow)
    if isinstance(mixture, str) and mixture not in what.by and what.table.has(mixture):
        what = replace(what, by=(*what.by, mixture))  # it follows from the corpus' name
    names = [c.strip() for c in over.split(",")] if isinstance(over, str) else over
    columns = [c if c == "corpus" else what.table.columns.called(c) for c in names]
    columns, ratios = ([mixture], {}) if isinstance(mixture, str) else (columns, mixture)
    size = None if at is None else amount(at, "at")
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
            own = [name for name in what.by if name not in KNOWN]
            cure = f"Try: over={own[0]!r}" if own else "Needed a column with several values"
            raise DesignError(
                f"curves are told apart by {', '.join(what.by) or 'no column'}, not by {over!r}: nothing to rank. "
                f"{cure}"
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
    verdicts: Flags,
    notes: Sequence[str],
) -> Ranking:
    entrants = Entrants(each, [verdicts[group_name(m.group)] for m in each], question)
    drawn = entrants.drawn()
    about = _about(entrants, drawn)
    high = question.at is not None and not metric_of(each[0].metric).falls
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
        smallest=drawn.smallest,
    )
    return Ranking(
        each[0].metric,
        str(question),
        group,
        ranked,
        entrants.crossings(),
        question.level,
        (*about, *notes),
        over,
        drawn.sight,
        best_ratio,
    )


def _about(entrants: Entrants, drawn: Drawn) -> list[str]:
    """Return what a reader of the ranking should know."""
    part = entrants.part
    few = part is not None and part.u.size < 3
    said = {
        NOTHING_SHARED: part is None and len(entrants.kept) > 1,
        TWO_SIZES: few,
        AS_AN_S: part is not None and not few and part.bent > BENT,
        MOVED: drawn.moved,
        ALL_THERE: drawn.smallest is not None
        and bool(no_more(np.median(drawn.told, axis=1), np.array(drawn.smallest)).any()),
    }
    return [note for note, holds in said.items() if holds]


def _between(
    drawn: Drawn, each: Sequence[Mixture], question: RankedBy, high: bool
) -> tuple[Drawn, tuple[float, float], str]:
    """Return draws at ratios between the measured ones as well, where the best ratio lies, and what was measured."""
    ratio = question.ratio(each)
    check_ratios(ratio)
    order = np.argsort(ratio)
    ratio, asked_ = ratio[order], fine(ratio)
    values = drawn.values[order]
    logs = question.at is None  # what a target takes differs by factors
    joined = blended(ratio, np.log(values) if logs else values, asked_, question.seed)
    # A ratio between stands under the flags of both its neighbours: the one that bars.
    sides = np.searchsorted(ratio, asked_ + 1e-12) - 1, np.searchsorted(ratio, asked_ - 1e-12)
    beside = order[np.column_stack(sides)].tolist()
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
    least = None if drawn.smallest is None else [min(drawn.smallest)] * len(names)
    between = replace(
        drawn, names=names, values=joined, told=told, costs=costs, flags=said, smallest=least
    )
    return between, (float(low), float(top)), note
