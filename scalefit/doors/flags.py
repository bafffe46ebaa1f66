"""Does cross-entropy mislead here? Asked once, for ranking and for forecasts through the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scalefit.alignment import Alignment, align
from scalefit.alignment.verdicts import Verdict
from scalefit.errors import ScalefitError
from scalefit.groups import group_name
from scalefit.table import Table

BARRING = (Verdict.HARMFUL, Verdict.DETERIORATING)


@dataclass(frozen=True)
class Flag:
    """A group's alignment in words, and whether it bars the corpus from being recommended or forecast by its loss."""

    verdict: str = ""
    bars: bool = False


def flags(table: Table, metric: str, by: Sequence[str]) -> dict[str, Flag]:
    """Return every group's flag by its name; nothing where alignment cannot be judged."""
    try:
        judged = align(table, by=by, quality=metric)
    except ScalefitError:
        return {}
    return {
        group_name({column: one.group.get(column) for column in by}): Flag(
            str(one.headline), _bars(one)
        )
        for one in judged
    }


def _bars(one: Alignment) -> bool:
    return one.misaligned or one.verdict in BARRING
