"""Which rows make one curve, and which metrics are judged."""

from __future__ import annotations

from collections.abc import Sequence

from scalefit.errors import DesignError, MissingColumnError
from scalefit.table import Table
from scalefit.table.metrics import canonical

__all__ = ["BY", "QUALITY", "pretrained", "quality_metrics", "split_columns"]

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


def quality_metrics(table: Table, quality: str | Sequence[str]) -> list[str]:
    """Return those of the wanted metrics that the table has."""
    wanted = [canonical(q) for q in ([quality] if isinstance(quality, str) else quality)]
    there = [q for q in dict.fromkeys(wanted) if q in table.metrics]
    if not there:
        raise DesignError(
            f"none of the quality metrics {', '.join(wanted)} is in the table; it has "
            f"{', '.join(table.metrics)}. Try: quality={table.metrics[0]!r}"
        )
    return there


def pretrained(rows: Table) -> bool:
    """Whether any row was pretrained."""
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
