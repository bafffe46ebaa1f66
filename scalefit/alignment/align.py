"""``align``: tell whether a corpus helps the task, or only cross-entropy says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scalefit.errors import DesignError, MissingColumnError
from scalefit.table import Table, as_table
from scalefit.table.metrics import canonical

from .evidence import Question
from .family import AlignmentTable
from .judge import judge_groups
from .result import Alignment
from .scale import scale_of
from .verdict import VERDICTS

__all__ = ["align", "quality_metrics", "split_columns"]

BY = ("corpus", "task", "finetune_tokens", "model")
QUALITY = ("bleu", "comet")
_APART = (
    "eval_set",
    "domain",
    "parameters",
    "learning_rate",
    "schedule",
    "source_blind",
    "tokenizer",
    "unit",
)
_RUN = ("pretrain_tokens", "pretrain_run", "pretrain_seed", "finetune_seed", "metric")


def align(
    table: Any,
    by: Sequence[str] = BY,
    quality: str | Sequence[str] = QUALITY,
    loss: str = "cross_entropy",
    margin: float | Mapping[str, float] = 0.5,
    alpha: float = 0.05,
    seed_sd: float | Mapping[str, float] | None = None,
) -> AlignmentTable:
    """Judge whether quality grows with pretraining, group by group.

    Finetuning seeds are averaged within each pretraining run before anything is tested; the
    pretraining run is the unit. See ``docs/alignment.md`` for the verdicts, and
    ``docs/simulations/alignment.md`` for error rates and power.

    Parameters
    ----------
    table : Table, DataFrame or mapping of columns
        Results, one value a row (or one run a row with a column for each metric).
    by
        Columns that make a group. Columns that still vary within a run's key (``eval_set``,
        ``domain``, ``learning_rate`` ...) split the group further, and a note says so.
    quality
        Quality metrics; those that a group lacks are skipped.
    loss
        The loss that is thought to tell quality.
    margin
        Largest fall that does not matter, in BLEU points; scaled for other metrics and noted. A
        mapping gives metrics their own margins in their own units.
    alpha
        Level: the false-alarm rate of a group and metric.
    seed_sd
        Standard deviation of one run, known from elsewhere, in the metric's units (or a mapping
        of metrics). Used only for groups with one run a size.

    Returns
    -------
    AlignmentTable
        Verdicts, worst first.

    Raises
    ------
    DesignError
        No quality metric is there, or a metric's direction is unknown.
    MissingColumnError
        A column of `by` does not exist.

    Examples
    --------
    >>> bleu = [20.0, 20.3, 19.9, 22.1, 21.8, 22.0, 23.2, 22.9, 23.1, 21.0, 21.3, 20.9]
    >>> loss = [3.0, 3.01, 2.99, 2.9, 2.91, 2.89, 2.8, 2.81, 2.79, 2.7, 2.71, 2.69]
    >>> sizes = [size for size in (1e6, 4e6, 16e6, 64e6) for seed in range(3)]
    >>> table = {"pretrain_tokens": sizes, "pretrain_seed": [1, 2, 3] * 4,
    ...          "bleu": bleu, "cross_entropy": loss}
    >>> align(table)[0].headline
    'MISALIGNED, deteriorating'
    """
    whole = as_table(table)
    if not 0 < alpha < 0.5:
        raise DesignError(f"alpha is {alpha:g}; needed a level between 0 and 0.5, e.g. 0.05")
    metrics = quality_metrics(whole, quality)
    names, notes = split_columns(whole, [by] if isinstance(by, str) else list(by))
    groups = [(key, rows) for key, rows in whole.groups(names) if _pretrained(rows)]
    if not groups:
        raise DesignError("no row has pretrain_tokens above 0, so there is no curve to judge")
    results, scaled = [], dict[str, None]()
    for name in metrics:
        values = whole.where(metric=name).column("value")
        scale = scale_of(name, values, margin)
        scaled.update({scale.note: None} if scale.note else {})
        question = Question(scale, alpha, _known_sd(name, seed_sd))
        results += judge_groups(whole, groups, name, canonical(loss), question)
    return AlignmentTable(
        results=tuple(sorted(results, key=_worst_first)),
        alpha=alpha,
        notes=(*notes, *scaled),
    )


def _known_sd(name: str, seed_sd: float | Mapping[str, float] | None) -> float | None:
    if isinstance(seed_sd, Mapping):
        return {canonical(k): float(v) for k, v in seed_sd.items()}.get(name)
    return seed_sd


def quality_metrics(table: Table, quality: str | Sequence[str]) -> list[str]:
    """Return those of the wanted metrics that the table has."""
    wanted = [canonical(q) for q in ([quality] if isinstance(quality, str) else quality)]
    found = [q for q in dict.fromkeys(wanted) if q in table.metrics]
    if not found:
        raise DesignError(
            f"none of the quality metrics {', '.join(wanted)} is in the table; it has "
            f"{', '.join(table.metrics)}. Try: quality={table.metrics[0]!r}"
        )
    return found


def _pretrained(rows: Table) -> bool:
    return bool((rows.column("pretrain_tokens") > 0).any())


def split_columns(table: Table, by: list[str]) -> tuple[list[str], list[str]]:
    """Add the columns that still tell rows of one run apart, so that nothing unlike is averaged."""
    for name in by:
        if not table.has(name) and name not in BY:
            raise MissingColumnError(
                f"the table has no column {name!r} to group by; it has "
                f"{', '.join(n for n in (*BY, *_APART) if table.has(n))}"
            )
    names, notes = list(by), []
    for name in _APART:
        key = [n for n in (*names, *_RUN) if table.has(n) and n != name]
        if name not in names and table.has(name) and _varies(table, key, name):
            names.append(name)
            notes.append(f"groups are split by {name} as well: it differs within single runs")
    return names, notes


def _varies(table: Table, key: list[str], name: str) -> bool:
    """Whether rows that agree in `key` differ in `name`."""
    rows = list(zip(*(map(str, table.column(n)) for n in key), strict=True))
    seen: dict[tuple[str, ...], str] = {}
    values = map(str, table.column(name))
    return any(seen.setdefault(row, v) != v for row, v in zip(rows, values, strict=True))


def _worst_first(result: Alignment) -> tuple[int, int, float]:
    flags = {"misaligned": 0, "suspected": 1, "": 2}
    return flags[result.flag], VERDICTS.index(result.verdict), result.p
