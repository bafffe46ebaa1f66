"""``sf.forecast``: the main job, and ``sf.forecast_score``: how logged forecasts did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from scalefit.alignment.curve import curve_of, failed_rows
from scalefit.arguments import BLEU, LOSS
from scalefit.doors.curves import Curves, Flags, Inquiry, curves_of, flags, inquire
from scalefit.errors import TableError
from scalefit.executors import Workers, working
from scalefit.forecasting.engines import AUTO, Pool, check_target, engine_for
from scalefit.forecasting.forecast import Forecast, Outlook, Question
from scalefit.forecasting.mixture import Mixture, predictives, reaches, values_of
from scalefit.forecasting.predictive import FARTHEST, Predictive
from scalefit.forecasting.record import ForecastScore, Landed, Logged, read_log
from scalefit.forecasting.through import Way, learn_way, pair_of, through_loss
from scalefit.forecasting.tokens import TokensFor
from scalefit.groups import group_name
from scalefit.ingest import table_of
from scalefit.table import Table
from scalefit.table import metric as metric_of
from scalefit.types import Floats, Renames
from scalefit.units import amount, check_level, counted, format_count


def forecast(
    data: Any,
    metric: str = BLEU,
    *,
    target: float | None = None,
    at: float | str | Sequence[float | str] = (),
    through: str = LOSS,
    where: Mapping[str, Any] | None = None,
    by: Sequence[str] | None = None,
    level: float = 0.8,
    pool: Pool = AUTO,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
    executor: Workers = None,
) -> Forecast:
    """Say for every group of a table how a metric goes on, and what a target takes.

    Each curve is forecast by a mixture of laws and plain guesses that suits the metric's direction and range,
    weighed by what the table's own curves showed when their ends were held back. Intervals are of a new run and
    hold doubt about the law. Where the loss was measured too, quality is also forecast through it; both ways are
    shown, combined by what held-out sizes say, and this way is closed where alignment says that the loss misleads.

    Parameters
    ----------
    data : path, Table, DataFrame or mapping of columns
    metric : what is to be forecast, e.g. ``"cross_entropy"``; by default BLEU, or the one quality that a table has.
    target : a value to be reached, e.g. BLEU 20.
    at : number, count such as "3B", or sequence, optional; sizes to be forecast, beyond the measured ones.
    through : the loss shown beside the metric; by default cross-entropy, or the one loss that the table has.
    where : column -> condition: which rows.
    by : columns that make the groups; by default corpus, task and finetuning size, and others where they vary.
    level : confidence of the intervals.
    pool : {"auto", "none"} or columns
        Which curves learn from each other: all of the table, none, or those that agree in these columns.
    mapping : own name -> canonical name, for columns and metrics.
    allow : checks of the table to switch off.
    executor : a number of processes, an executor or a scheduler's address (``docs/scale.md``); answers stay the same.

    Returns Forecast: groups in the table's order; those without a forecast say why.

    Raises TableError: the data do not hold the metric, or lack a column of ``by``; DomainError: the target lies
    outside the metric's range, or nobody knows whether more of the metric is better.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
    >>> table = {
    ...     "pretrain_tokens": sizes * 2,
    ...     "corpus": ["fr"] * 6 + ["code"] * 6,
    ...     "bleu": [5.0, 9.1, 12.9, 17.0, 21.1, 25.0, 4.0, 6.1, 8.0, 10.1, 12.0, 14.0],
    ... }
    >>> forecast = sf.forecast(table, target=20.0, at="4B")
    >>> forecast["fr"].tokens.estimate < forecast["code"].tokens.estimate
    True
    """
    check_level(level)
    what = inquire(data, metric, where=where, by=by, mapping=mapping, allow=allow, beside=through)
    question = Question(metric, through, target, sizes_of(at), level)
    with working(executor) as each:
        return forecast_of(replace(what, each=each), question, pool)


def forecast_of(what: Inquiry, question: Question, pool: Pool = AUTO) -> Forecast:
    """Return the forecast of every group of what was asked; its question spells metrics as the table does."""
    loss = what.table.spelled(what.loss)
    names = [n for n in dict.fromkeys((what.metric, loss)) if n in what.table.metrics]
    table = what.table.where(metric=names)
    question = replace(question, metric=what.metric, through=loss)
    curves = {
        name: what.curves if name == what.metric else curves_of(table, name, what.by)
        for name in names
    }
    mixtures = {
        name: {group_name(m.group): m for m in c.mixtures(pool, what.each)}
        for name, c in curves.items()
    }
    tokens = _tokens(mixtures[what.metric], question)
    second = _second_way(what, mixtures, question)
    ahead = {m: _ahead(named, question.at) for m, named in mixtures.items()}
    known = _Known(question, table, curves, mixtures, ahead, tokens, second)
    groups = table.pretrained().groups(what.by)
    outlooks = tuple(known.outlook(dict(group), rows) for group, rows in groups)
    return Forecast(question, outlooks, what.by, what.notes)


def forecast_score(
    data: Any, log: str | Path, *, mapping: Renames | None = None, allow: Sequence[str] = ()
) -> ForecastScore:
    """Say how logged forecasts did: error, inside or not, calibration over all that have landed.

    Parameters
    ----------
    data : path, Table, DataFrame or mapping of columns
        Results that hold the new runs.
    log : what :meth:`Forecast.log` or ``scalefit forecast --log`` wrote.
    mapping, allow : as in :func:`forecast`.

    Raises FormatError: a line of the log is no forecast.

    Examples
    --------
    >>> import tempfile, pathlib, scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
    >>> bleu = [5.0, 9.1, 12.9, 17.0, 21.1, 25.0]
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "forecasts.jsonl"
    >>> sf.forecast({"pretrain_tokens": sizes[:5], "bleu": bleu[:5]}, at=1024e6).log(path)
    1
    >>> sf.forecast_score({"pretrain_tokens": sizes, "bleu": bleu}, path).inside(95)
    1.0
    """
    logged = read_log(log)
    table = table_of(data, mapping=mapping, allow=allow, metrics=[one.metric for one in logged])
    landed = [_landed(one, table) for one in logged]
    came = tuple(one for one in landed if one is not None)
    return ForecastScore(came, len(logged) - len(came), table.notes)


def _landed(logged: Logged, table: Table) -> Landed | None:
    """Return what came at a forecast's size: rows within one per cent of it."""
    if logged.metric not in table.metrics:
        return None
    where = {k: v for k, v in logged.group.items() if v is not None and table.has(k)}
    near = (logged.x * 0.99, logged.x * 1.01)
    try:
        rows = table.where(**where, metric=logged.metric, **{logged.column: near}).pretrained()
    except TableError:
        return None
    values = rows.column("value")
    return Landed(logged, float(np.mean(values)), int(values.size)) if values.size else None


def sizes_of(at: float | str | Sequence[float | str]) -> tuple[float, ...]:
    """Return sizes as numbers; a count such as "3B" is one."""
    each = [at] if isinstance(at, str) or not isinstance(at, Iterable) else list(at)
    return tuple(amount(x, "at") for x in each)


def _tokens(mixtures: Mapping[str, Mixture], question: Question) -> dict[str, TokensFor]:
    """Return what the target takes for every curve, asked of all curves together."""
    target, level = question.target, question.level
    if target is None or not mixtures:
        return {}
    check_target(target, question.metric, values_of(mixtures.values()))
    each = list(mixtures.values())
    return {
        name: TokensFor(
            m.metric, float(target), m.column, reach, level, "mixture", float(m.series.x[0]), ()
        )
        for name, m, reach in zip(mixtures, each, reaches(each, target), strict=True)
    }


@dataclass(frozen=True)
class _SecondWay:
    """The way to quality through the loss, and for which groups it is closed."""

    metric: str
    through: str
    way: Way | None = None
    flags: Flags = field(default_factory=Flags)

    def said(
        self, name: str, mine: Mapping[str, Mixture], ahead: Mapping[str, Predictive]
    ) -> tuple[dict[str, Predictive], list[str]]:
        """Return what this way says of a group and both ways combined, and a note where it is closed or trusted."""
        if self.way is None or not {self.metric, self.through} <= set(ahead):
            return {}, []
        flag = self.flags[name]
        if flag.bars:
            return {}, [f"no forecast through {self.through}: alignment says {flag.verdict}"]
        pair = pair_of(mine[self.metric].series, mine[self.through].series)
        if pair is None or not np.array_equal(ahead[self.metric].x, ahead[self.through].x):
            return {}, []
        other = through_loss(pair, ahead[self.through], self.way)
        told = (
            f"{self.metric} at the sizes asked for goes by {self.through} to {self.way.share:.0%}, as "
            f"{counted(self.way.held, 'held-out size')} of the table say; what a target takes, and sf.rank, go by "
            f"{self.metric} alone"
        )
        return {
            self.metric: ahead[self.metric].beside(other, self.way.share),
            f"{self.metric} through {self.through}": other,
        }, [told] if self.way.share else []


def _second_way(
    what: Inquiry, mixtures: Mapping[str, Mapping[str, Mixture]], question: Question
) -> _SecondWay:
    """Learn the way through the loss where sizes were asked for, from the corpora whose loss does not mislead."""
    closed = _SecondWay(question.metric, question.through)
    rises = metric_of(question.metric).rises
    if not question.at or not rises or question.through not in mixtures:
        return closed
    told = flags(what)
    quality, loss = mixtures[question.metric], mixtures[question.through]
    open_ = [n for n in quality if n in loss and not told[n].bars]
    pairs = [pair_of(quality[n].series, loss[n].series) for n in open_]
    kept = [pair for pair in pairs if pair is not None]
    way = learn_way(kept, engine_for(question.metric), engine_for(question.through))
    return replace(closed, way=way, flags=told)


@dataclass(frozen=True, eq=False)
class _Known:
    """What is known of all groups: by metric and by name of the group."""

    question: Question
    table: Table
    curves: Mapping[str, Curves]
    mixtures: Mapping[str, Mapping[str, Mixture]]
    ahead: Mapping[str, Mapping[str, Predictive]]
    tokens: Mapping[str, TokensFor]
    second: _SecondWay

    def outlook(self, group: dict[str, Any], rows: Table) -> Outlook:
        """Return what one group will do."""
        name, question = group_name(group), self.question
        baseline = self.table.baseline_for(group)
        mine = {m: named[name] for m, named in self.mixtures.items() if name in named}
        ahead = {m: named[name] for m, named in self.ahead.items() if name in named}
        both, note = self.second.said(name, mine, ahead)
        lost = [c.failures[name] for c in self.curves.values() if name in c.failures]
        return Outlook(
            group,
            question.metric,
            question.through,
            mine,
            self.tokens.get(name),
            ahead | both,
            {} if baseline is None else {m: _mean(baseline, m) for m in baseline.metrics},
            {m: _measured(rows, m) for m in rows.metrics},
            (*lost, *note, *self._failed(rows), *self._out_of_sight(mine)),
            question.level,
        )

    def _failed(self, rows: Table) -> list[str]:
        metric = self.question.metric
        x, y = _measured(rows, metric) if metric in rows.metrics else (np.empty(0),) * 2
        # Cheap before dear: of two runs nobody knows which failed.
        curve = curve_of(rows, metric, None) if x.size > np.unique(x).size + 1 else None
        sign = 1 if metric_of(metric).rises else -1
        bad = () if curve is None else failed_rows(curve, sign).tolist()
        why = "lies far off the other runs of its size; where it failed, leave it out with where="
        return [f"{format_count(x[i])}: a run of {metric} {y[i]:g} {why}" for i in bad]

    def _out_of_sight(self, mine: Mapping[str, Mixture]) -> list[str]:
        if self.question.metric not in mine:
            return []
        seen = _in_sight(mine[self.question.metric], self.question.at)
        far = ", ".join(format_count(x) for x in self.question.at if x not in seen)
        why = f"not within {FARTHEST:g} times the largest measured size, or below it: nothing is forecast there"
        return [f"{far}: {why}"] if far else []


def _in_sight(mixture: Mixture, at: Sequence[float]) -> list[float]:
    largest = float(mixture.series.x[-1])
    return [x for x in at if largest < x <= FARTHEST * largest]


def _ahead(mixtures: Mapping[str, Mixture], at: Sequence[float]) -> dict[str, Predictive]:
    """Return what every curve will do at those of the sizes that lie ahead of it, asked of all curves together."""
    asked = {name: there for name, m in mixtures.items() if (there := _in_sight(m, at))}
    some = [mixtures[name] for name in asked]
    return dict(zip(asked, predictives(some, [*map(np.array, asked.values())]), strict=True))


def _mean(rows: Table, metric: str) -> float:
    return float(np.nanmean(rows.where(metric=metric).column("value")))


def _measured(rows: Table, metric: str) -> tuple[Floats, Floats]:
    chosen = rows.where(metric=metric)
    return chosen.column("pretrain_tokens"), chosen.column("value")
