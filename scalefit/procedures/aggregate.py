"""One number over tasks: mean, median, interquartile mean, with intervals over seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from scalefit.errors import DesignError
from scalefit.fitting.interval import Interval
from scalefit.ingest import table_of
from scalefit.result import frame_of, html_notes, html_table
from scalefit.seeds.design import cells

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], float]


def interquartile_mean(scores: ArrayLike) -> float:
    """Mean of the middle half of all scores (Agarwal et al. 2021, NeurIPS, "rliable")."""
    return float(stats.trim_mean(np.asarray(scores, dtype=float), 0.25, axis=None))


def median_of_tasks(scores: ArrayLike) -> float:
    """Median over tasks of each task's mean over runs; scores (S, T)."""
    return float(np.median(np.asarray(scores, dtype=float).mean(0)))


def mean_of_tasks(scores: ArrayLike) -> float:
    """Mean of all scores."""
    return float(np.mean(np.asarray(scores, dtype=float)))


def optimality_gap(scores: ArrayLike, best: float = 1.0) -> float:
    """Average amount by which scores fall short of ``best``; 0 where above it."""
    return float(np.mean(np.maximum(best - np.asarray(scores, dtype=float), 0)))


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
    x = np.asarray(scores, dtype=float)
    n = len(x)
    if n < 3:
        raise DesignError(f"found {n} seeds; an aggregate's interval needs at least three")
    left = np.array([statistic(np.delete(x, i, axis=0)) for i in range(n)])
    error = float(np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum()))
    point, half = statistic(x), float(stats.t.ppf((1 + level) / 2, n - 1)) * error
    return Interval(point, point - half, point + half, level, "jackknife t over seeds")


@dataclass(frozen=True, eq=False)
class Aggregates:
    """Aggregates over tasks, one row a procedure and statistic."""

    metric: str
    entries: tuple[tuple[str, str, int, int, Interval], ...]
    notes: tuple[str, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """Return plain rows."""
        return [
            {"procedure": name, "statistic": kind, "value": i.estimate, "low": i.low,
             "high": i.high, "seeds": seeds, "tasks": tasks}
            for name, kind, seeds, tasks, i in self.entries
        ]  # fmt: skip

    def to_frame(self) -> Any:
        """Return the rows as a DataFrame."""
        return frame_of(self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"metric": self.metric, "rows": self.rows(), "notes": list(self.notes)}

    def __str__(self) -> str:
        """One line an aggregate, then notes."""
        lines = [
            f"{name}: {kind} of {self.metric} over {tasks} tasks {i} ({seeds} seeds)"
            for name, kind, seeds, tasks, i in self.entries
        ]
        return "\n".join([*lines, *(f"note: {n}" for n in self.notes)])

    def _repr_html_(self) -> str:
        return html_table(self.rows()) + html_notes(self.notes)


def aggregate_tasks(
    data: Any,
    *,
    metric: str,
    column: str = "corpus",
    where: Mapping[str, Any] | None = None,
    statistics: Sequence[str] = ("IQM", "mean", "median"),
    level: float = 0.95,
    mapping: Mapping[str, str] | None = None,
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

    Raises
    ------
    DesignError
        Fewer than three pretraining seeds were run on all tasks of a procedure.

    Examples
    --------
    >>> rows = [("fr", task, seed, 20 + seed) for task in ("en-fr", "en-de") for seed in (1, 2, 3)]
    >>> names = ("corpus", "task", "pretrain_seed", "bleu")
    >>> table = dict(zip(names, zip(*rows), strict=True)) | {"pretrain_tokens": [1e6] * 6}
    >>> aggregate_tasks(table, metric="bleu", statistics=["mean"]).rows()[0]["value"]
    22.0
    """
    table = table_of(data, mapping=mapping, where=where, allow=allow, metrics=[metric])
    metric = table.spelled(metric)
    entries, notes = [], []
    for name in table.unique(column):
        found, more = cells(table.where(**{column: name}), metric)
        seeds = [s for s in found[0].runs if all(s in c.runs for c in found)]
        scores = np.array([[np.mean(list(c.runs[s].values())) for c in found] for s in seeds])
        if len(seeds) < 3:
            notes.append(f"{name}: {len(seeds)} seeds were run on all {len(found)} tasks; left out")
            continue
        notes += list(more)
        for kind in statistics:
            interval = jackknife_t(scores, STATISTICS[kind], level)
            entries.append((str(name), kind, len(seeds), len(found), interval))
    if not entries:
        raise DesignError("; ".join(notes) + ". Needed: three seeds on all tasks")
    return Aggregates(metric, tuple(entries), tuple(dict.fromkeys(notes)))
