"""One number over tasks: mean, median, interquartile mean, with intervals over seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike

from scalefit.errors import DesignError
from scalefit.estimate import left_out, one_sample
from scalefit.fitting.intervals import Interval
from scalefit.ingest import table_of
from scalefit.result import Result, Results
from scalefit.rows import Row
from scalefit.seeds.design import Cell, cells
from scalefit.table.metrics import metric as known_metric
from scalefit.types import Floats, Renames
from scalefit.units import check_level, counted

from .comparison import CHECKPOINTS
from .sides import procedures_column

Statistic = Callable[[Floats], float]


def interquartile_mean(scores: ArrayLike) -> float:
    """Mean of the middle half of all scores (Agarwal et al. 2021, NeurIPS, "rliable")."""
    return float(scipy.stats.trim_mean(np.asarray(scores, dtype=float), 0.25, axis=None))


def median_of_tasks(scores: ArrayLike) -> float:
    """Median over tasks of each task's mean over runs; scores (S, T)."""
    return float(np.median(np.asarray(scores, dtype=float).mean(0)))


def mean_of_tasks(scores: ArrayLike) -> float:
    """Mean of all scores."""
    return float(np.mean(np.asarray(scores, dtype=float)))


STATISTICS: dict[str, Statistic] = {
    "mean": mean_of_tasks,
    "median": median_of_tasks,
    "IQM": interquartile_mean,
}


def jackknife_t(scores: ArrayLike, statistic: Statistic, level: float = 0.95) -> Interval:
    """Interval over seeds by leaving out one seed at a time, with Student's t.

    Parameters
    ----------
    scores : (S, T): seeds × tasks, S ≥ 3; tasks are fixed.
    statistic : from (s, T) scores to a number.

    Notes
    -----
    rliable's percentile bootstrap of runs covers far less than it says at 3 to 10 seeds; this
    keeps near 95 % (docs/simulations/seeds.md). Source: Tukey's jackknife, Efron & Tibshirani
    (1993), An Introduction to the Bootstrap, ch. 11.
    """
    check_level(level)
    x = np.asarray(scores, dtype=float)
    n = len(x)
    if n < 3:
        raise DesignError(f"found {n} seeds; an aggregate's interval needs at least three")
    over = one_sample(left_out(lambda seeds: statistic(np.stack(seeds)), list(x)))
    half = float(scipy.stats.t.ppf((1 + level) / 2, n - 1) * np.sqrt(over.variance))
    point = statistic(x)  # not the pseudo-values' mean: what is quoted is the statistic itself
    return Interval(point, point - half, point + half, level, "jackknife t over seeds")


@dataclass(frozen=True)
class Aggregate:
    """One statistic of one procedure, over seeds that were run on all tasks.

    Examples
    --------
    >>> interval = Interval(17.75, 16.1, 19.4, 0.95, "jackknife t over seeds")
    >>> print(Aggregate("fr", "IQM", seeds=3, tasks=2, interval=interval).interval)
    17.75 [16.1, 19.4]
    """

    procedure: str
    statistic: str
    seeds: int
    tasks: int
    interval: Interval


@dataclass(frozen=True, eq=False, repr=False)
class Aggregates(Results[Aggregate]):
    """Aggregates over tasks, one a procedure and statistic; ``aggregates["fr", "IQM"]`` is one of them.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"corpus": ["fr"] * 6, "task": ["en-fr", "en-de"] * 3, "pretrain_seed": [1, 1, 2, 2, 3, 3],
    ...          "pretrain_tokens": [1e9] * 6, "bleu": [20.0, 15.0, 21.0, 15.5, 20.5, 14.5]}
    >>> aggregates = sf.aggregate_tasks(table, metric="bleu")
    >>> print(round(aggregates["fr", "mean"].interval.estimate, 2))
    17.75
    """

    MEMBERS = "entries"
    shown = Result.shown  # rows of its own, and none of its members

    metric: str
    entries: tuple[Aggregate, ...]
    notes: tuple[str, ...] = ()

    def labels(self, member: Aggregate) -> Mapping[str, Any]:
        """Return by what an aggregate is found: procedure and statistic."""
        return {"procedure": member.procedure, "statistic": member.statistic}

    @property
    def verdict(self) -> str:
        """Which procedure is highest by the first statistic, and whether its interval is apart."""
        first = [e for e in self if e.statistic == self.entries[0].statistic]
        falls = known_metric(self.metric).falls
        best, *others = sorted(first, key=lambda e: e.interval.estimate, reverse=not falls)
        what = f"{best.statistic} of {self.metric} over {best.tasks} tasks"
        apart = all(
            e.interval.high < best.interval.low or e.interval.low > best.interval.high
            for e in others
        )
        tail = "" if not others or apart else "; intervals overlap"
        return f"{what}: {best.procedure} {best.interval} is {'lowest' if falls else 'highest'} of {len(first)}{tail}"

    def rows(self) -> list[Row]:
        """One row a procedure and statistic: estimate, low, high."""
        return [
            {
                "procedure": e.procedure,
                "statistic": e.statistic,
                "estimate": e.interval.estimate,
                "low": e.interval.low,
                "high": e.interval.high,
                "seeds": e.seeds,
                "tasks": e.tasks,
            }
            for e in self
        ]

    def told(self) -> dict[str, Any]:
        """Return metric and rows."""
        return {"metric": self.metric, "rows": self.rows()}


def aggregate_tasks(
    data: Any,
    metric: str,
    *,
    column: str = "corpus",
    where: Mapping[str, Any] | None = None,
    statistics: Sequence[str] = ("IQM", "mean", "median"),
    level: float = 0.95,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
) -> Aggregates:
    """Aggregate each procedure over tasks (and evaluation sets), with intervals over seeds.

    Parameters
    ----------
    data : path, DataFrame, Table or mapping of columns.
    metric : one metric, on one scale for all tasks.
    column : whose values are the procedures.
    where, mapping, allow : as in :func:`scalefit.fit`.
    statistics : of "IQM", "mean", "median".

    Raises DesignError: fewer than three seeds were run on all tasks of every procedure. One pretraining seed's
    finetunings count where there are no others: the interval is then that checkpoint's, and a note says so.

    Examples
    --------
    >>> rows = [("fr", task, seed, 20 + seed) for task in ("en-fr", "en-de") for seed in (1, 2, 3)]
    >>> names = ("corpus", "task", "pretrain_seed", "bleu")
    >>> table = dict(zip(names, zip(*rows), strict=True)) | {"pretrain_tokens": [1e6] * 6}
    >>> aggregate_tasks(table, metric="bleu", statistics=["mean"]).rows()[0]["estimate"]
    22.0
    """
    check_level(level)
    table = table_of(data, mapping=mapping, where=where, allow=allow, metrics=[metric], needs=())
    metric = table.spelled(metric)
    entries, notes = [], []
    column = procedures_column(table, column)
    for name in table.unique(column):
        tasks, more = cells(table.where(**{column: name}), metric)
        scores, of = _by_seed(tasks)
        if len(scores) < 3:
            notes.append(
                f"{name}: {counted(len(scores), 'seed')} run on all {len(tasks)} tasks; left out"
            )
            continue
        notes += [of] if of else []
        notes += list(more)
        for kind in statistics:
            interval = jackknife_t(scores, STATISTICS[kind], level)
            entries.append(Aggregate(str(name), kind, len(scores), len(tasks), interval))
    if not entries:
        raise DesignError("; ".join(notes) + ". Needed: three seeds on all tasks")
    return Aggregates(metric, tuple(entries), tuple(dict.fromkeys(notes)))


def _by_seed(tasks: Sequence[Cell]) -> tuple[Floats, str]:
    """Return scores (seeds, tasks) of seeds run on all tasks, and what they speak of where one run was pretrained."""
    runs: list[Mapping[Any, float]] = [
        {s: float(np.mean(list(tuned.values()))) for s, tuned in c.runs.items()} for c in tasks
    ]
    one = {s for c in tasks for s in c.runs}
    if len(one) == 1:
        runs = [c.runs[next(iter(one))] for c in tasks]
    seeds = [s for s in runs[0] if all(s in task for task in runs)]
    scores = np.array([[task[s] for task in runs] for s in seeds])
    return scores, CHECKPOINTS if len(one) == 1 else ""
