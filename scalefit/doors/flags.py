"""Does cross-entropy mislead here? What ranking and forecasts through the loss make of the answer."""

from __future__ import annotations

from dataclasses import dataclass

from scalefit.alignment import Alignment
from scalefit.alignment.verdicts import Verdict
from scalefit.doors.curves import Asked
from scalefit.groups import group_name

BARRING = (Verdict.HARMFUL, Verdict.DETERIORATING)


@dataclass(frozen=True)
class Flag:
    """A group's alignment in words, and whether it bars the corpus from being recommended or forecast by its loss."""

    verdict: str = ""
    bars: bool = False


def flags(what: Asked) -> dict[str, Flag]:
    """Return every group's flag by its name; nothing where alignment cannot be judged."""
    return {
        group_name({column: one.group.get(column) for column in what.by}): Flag(
            str(one.headline), _bars(one)
        )
        for one in what.judged or ()
    }


def _bars(one: Alignment) -> bool:
    return one.misaligned or one.verdict in BARRING
