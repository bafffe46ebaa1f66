"""Which metrics are judged, and which groups have a curve."""

from __future__ import annotations

from collections.abc import Sequence

from scalefit.errors import DesignError
from scalefit.table import Table

__all__ = ["QUALITY", "asked", "pretrained", "quality_metrics"]

QUALITY = ("bleu", "comet")


def asked(quality: str | Sequence[str], loss: str) -> list[str]:
    """Return all metrics that are asked for."""
    return [*([quality] if isinstance(quality, str) else quality), loss]


def quality_metrics(table: Table, quality: str | Sequence[str]) -> list[str]:
    """Return those of the wanted metrics that the table has."""
    wanted = [table.spelled(q) for q in ([quality] if isinstance(quality, str) else quality)]
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
