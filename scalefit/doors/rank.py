"""``sf.rank``: which corpus to choose, where nobody has measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalefit.corpora.ranking import (
    Ranking,
    Rankings,
    crossing,
    drawn_together,
    draws_of,
    standings,
)
from scalefit.doors.curves import Asked, asked
from scalefit.doors.flags import Flag, flags
from scalefit.doors.forecast import sizes_of
from scalefit.errors import DesignError, DomainError, ExecutorError, ScalefitError
from scalefit.executors import Each, Workers, working
from scalefit.forecasting.backtest import run_backtest
from scalefit.forecasting.engines import check_target
from scalefit.forecasting.forecasters import mixture_forecaster
from scalefit.forecasting.mixture import Mixture, reaches, values_of
from scalefit.forecasting.predictive import FARTHEST, PROBABILITIES, Predictive, Reach
from scalefit.groups import group_name
from scalefit.table import metric as metric_of
from scalefit.types import Floats, Renames
from scalefit.units import format_count

Cost = float | Mapping[str, float] | Callable[[str, float], float] | None
MOST_SHARED = 0.9
STIFF = 3.0  # errors of a curve bend over so many times its measured range: then crossings hold (benchmarks/choices.py)
CROSSINGS = 31  # sizes at which curves are looked at, from the smallest to 1000 times the largest


def rank(
    data: Any,
    metric: str = "bleu",
    *,
    at: float | str | None = None,
    target: float | None = None,
    over: str = "corpus",
    cost: Cost = None,
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
    target : float, optional
        Or a value to be reached with the fewest tokens. Give one of the two.
    over : str
        Column of what is ranked.
    cost : number, mapping or function, optional
        Cost a token, the same for all or one a corpus, or ``cost(corpus, tokens)``; ranks a target by cost.
    where, by, mapping, allow
        As in :func:`scalefit.forecast`; ``by`` are the columns that make the settings and what is ranked.
    level : float
        Confidence of intervals.
    seed : int
        Of the draws.
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
        No setting has two corpora with a forecast.
    DomainError
        Neither or both of ``at`` and ``target``, a size below the measured ones, a cost that is none.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
    >>> table = {
    ...     "pretrain_tokens": sizes * 2,
    ...     "corpus": ["fr"] * 6 + ["code"] * 6,
    ...     "bleu": [5.0, 9.1, 12.9, 17.0, 21.1, 25.0, 4.0, 6.1, 8.0, 10.1, 12.0, 14.0],
    ... }
    >>> ranking = sf.rank(table, at="4B")[0]
    >>> ranking.best.corpus, ranking.best.p_best > 0.95
    ('fr', True)
    """
    if (at is None) == (target is None):
        raise DomainError(
            "say what they are ranked by: at='1B' (a pretraining size) or target=30 (tokens for it)"
        )
    what = asked(data, metric, where=where, by=by, mapping=mapping, allow=allow)
    question = RankedBy(None if at is None else sizes_of(at)[0], target, over, cost, level, seed)
    with working(executor) as each:
        return rank_of(replace(what, each=each), what.curves.mixtures(each=each), question)


def rank_of(what: Asked, mixtures: Sequence[Mixture], question: RankedBy) -> Rankings:
    """Rank by the forecasts of all curves that have one."""
    name, over = what.metric, question.over
    if over not in what.by:
        raise DesignError(
            f"groups are made by {', '.join(what.by) or 'nothing'}, not by {over!r}: nothing to rank; name another "
            "column with over=, or give the table one"
        )
    if question.target is not None:
        check_target(question.target, name, values_of(mixtures))
    shared = _shared(mixtures, over, what.each)
    verdicts = flags(what)
    failures = dict(what.curves.failures)
    rankings = []
    for group, each in _settings(mixtures, over):
        if len(each) < 2:
            failures[group_name(group)] = (
                f"only {each[0].group[over]} has a forecast: nothing to rank"
            )
            continue
        rankings.append(_ranking(group, each, question, shared, verdicts, what.notes))
    if not rankings:
        why = next(iter(failures.values()), f"there is one {over} only")
        raise DesignError(f"no setting has two values of {over!r} with a forecast: {why}")
    return Rankings(tuple(rankings), failures)


@dataclass(frozen=True)
class RankedBy:
    """What is ranked by what: at a size, or by the tokens of a target."""

    at: float | None
    target: float | None
    over: str = "corpus"
    cost: Cost = None
    level: float = 0.8
    seed: int = 0

    def __str__(self) -> str:
        if self.at is not None:
            return f"at {format_count(self.at)}"
        return f"{'tokens' if self.cost is None else 'cost'} for {self.target:g}"


def _settings(mixtures: Sequence[Mixture], over: str) -> list[tuple[dict[str, Any], list[Mixture]]]:
    """Curves that compete: those that differ in nothing but what is ranked."""
    inside: dict[str, tuple[dict[str, Any], list[Mixture]]] = {}
    for mixture in mixtures:
        group = {k: v for k, v in mixture.group.items() if k != over}
        inside.setdefault(group_name(group), (group, []))[1].append(mixture)
    return list(inside.values())


def _ranking(
    group: dict[str, Any],
    each: Sequence[Mixture],
    question: RankedBy,
    shared: float,
    verdicts: Mapping[str, Flag],
    notes: Sequence[str],
) -> Ranking:
    names = [str(m.group[question.over]) for m in each]
    said = [verdicts.get(group_name(m.group), Flag()) for m in each]
    rises = metric_of(each[0].metric).direction != "-"
    values, costs, sight = _values(names, each, question, shared)
    ranked = standings(
        names,
        values,
        best_high=question.at is not None and rises,
        level=question.level,
        barred=[flag.bars for flag in said],
        alignment=[flag.verdict for flag in said],
        cost=costs,
        sight=sight,
    )
    about = (
        [f"errors of corpora in one setting go together: correlation {shared:.2f} in backtests"]
        if shared
        else []
    )
    return Ranking(
        each[0].metric,
        str(question),
        group,
        ranked,
        _crossings(names, each, question, shared, [flag.bars for flag in said]),
        question.level,
        (*about, *notes),
    )


def _values(
    names: Sequence[str], each: Sequence[Mixture], question: RankedBy, shared: float
) -> tuple[Floats, list[float] | None, float | None]:
    """Draws (C, draws) of what is ranked, what each corpus costs, and how far a target's tokens or cost can be seen."""
    if question.at is not None:
        said = [m.predictive(np.array([question.at]), "mean") for m in each]
        drawn = draws_of(said, shared, question.seed)[:, :, 0]
        at = question.at
        costs = None if question.cost is None else [_cost(question.cost, n, at) for n in names]
        return drawn_together(drawn, shared), costs, None
    assert question.target is not None
    met = reaches(each, question.target)
    drawn = draws_of([_sizes_met(reach) for reach in met], shared, question.seed)[:, :, 0]
    tokens = np.exp(drawn)
    sight = max(reach.largest for reach in met) * FARTHEST
    if question.cost is None:
        return tokens, None, sight
    paid = [
        [_cost(question.cost, n, float(t)) for t in row]
        for n, row in zip(names, tokens, strict=True)
    ]
    return np.array(paid), None, max(_cost(question.cost, n, sight) for n in names)


def _sizes_met(reach: Reach) -> Predictive:
    """Return when a target is met as a distribution of ln tokens; "never" counts as just beyond what is forecast."""
    last = np.log(reach.largest * FARTHEST) + np.log(2.0)
    sizes = [reach.quantile(float(p)) for p in PROBABILITIES]
    ln = np.array([np.log(s) if np.isfinite(s) else last for s in sizes])
    return Predictive(np.array([reach.largest]), PROBABILITIES, ln[:, None])


def _cost(cost: Cost, name: str, tokens: float) -> float:
    if callable(cost):
        price = cost(name, tokens)
    elif isinstance(cost, Mapping):
        if name not in cost:
            raise DomainError(
                f"cost= says nothing of {name!r}; it names {', '.join(map(str, cost))}"
            )
        price = cost[name] * tokens
    else:
        assert cost is not None
        price = cost * tokens
    if not (np.isfinite(price) and price > 0):
        raise DomainError(f"the cost of {name} is {price:g}; a cost lies above 0")
    return float(price)


def _crossings(
    names: Sequence[str],
    each: Sequence[Mixture],
    question: RankedBy,
    shared: float,
    barred: Sequence[bool],
) -> tuple[Any, ...]:
    """Where curves of one setting overtake each other, those that may be recommended."""
    low = max(float(m.series.x[0]) for m in each)
    high = min(float(m.series.x[-1]) for m in each) * FARTHEST
    if not low < high:
        return ()
    sizes = np.geomspace(low, high, CROSSINGS)
    kept = [i for i in range(len(each)) if not barred[i]]
    rises = metric_of(each[0].metric).direction != "-"
    said = [each[i].predictive(sizes, "mean") for i in kept]
    # Sizes of which no two are shared count as a factor of two.
    bend = STIFF * float(np.log(max(high / FARTHEST / low, 2.0)))
    drawn = draws_of(said, shared, question.seed + 1, bend)
    out = []
    for a in range(len(kept)):
        for b in range(a + 1, len(kept)):
            pair = (names[kept[a]], names[kept[b]])
            out.append(crossing(pair, drawn[a], drawn[b], sizes, rises, question.level))
    return tuple(c for c in out if c is not None and c.never < 0.5)


def _shared(mixtures: Sequence[Mixture], over: str, each: Each) -> float:
    """Return the correlation of forecast errors within a setting, from the table's own backtest.

    A test set that is easier than thought, or a plateau that all corpora reach, moves their curves together; in a
    difference it cancels.
    """
    groups = [m.group for m in mixtures]
    try:
        tested = run_backtest(
            [m.series for m in mixtures],
            [mixture_forecaster(mixtures[0].metric)],
            metric=mixtures[0].metric,
            relative=False,
            groups=groups,
            hold_out=1,
            each=each,
        )
    except ExecutorError:
        raise
    except ScalefitError:
        return 0.0
    inside: dict[str, list[float]] = {}
    for h in tested.held:
        sd = max((h.high80 - h.low80) / 2.563, 1e-12)
        setting = group_name({k: v for k, v in groups[h.curve].items() if k != over})
        inside.setdefault(setting, []).append((h.y - h.median) / sd)
    return _intraclass([np.array(z) for z in inside.values() if len(z) > 1])


def _intraclass(errors: Sequence[Floats]) -> float:
    """Return the share of the errors' variance that a setting has in common (one-way ANOVA), within 0 to 0.9."""
    if len(errors) < 3:
        return 0.0
    sizes = np.array([e.size for e in errors])
    means = np.array([e.mean() for e in errors])
    within = sum(float(((e - e.mean()) ** 2).sum()) for e in errors) / (sizes.sum() - len(errors))
    grand = float((sizes * means).sum() / sizes.sum())
    between = float((sizes * (means - grand) ** 2).sum()) / (len(errors) - 1)
    size = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(errors) - 1)
    common = max((between - within) / size, 0.0)
    return float(min(common / max(common + within, 1e-12), MOST_SHARED))
