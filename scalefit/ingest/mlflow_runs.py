"""What MLflow's three doors (database, file store, server) have in common: runs and values."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from scalefit.table.columns import KNOWN

from .jsons import number
from .names import loss_note
from .reader import Extract, Row

_BROKEN = ("FAILED", "KILLED")
_RUNNING = ("RUNNING", "SCHEDULED")
_SHOWN = 5


@dataclass(frozen=True)
class Run:
    """One run that was not deleted.

    Attributes
    ----------
    id, name : str
        MLflow's identifier, and the name people gave it.
    status : str
        ``FINISHED``, ``FAILED``, ``KILLED``, ``RUNNING`` or ``SCHEDULED``; unknown ones pass.
    params : dict
        Its parameters; those that are columns of the table become columns.
    """

    id: str
    name: str
    status: str
    params: Row = field(default_factory=dict)

    @property
    def broken(self) -> bool:
        """Whether the run says itself that it did not come to its end."""
        return self.status in _BROKEN

    def common(self) -> Row:
        """Return what all its rows share."""
        known = {k: v for k, v in self.params.items() if k in KNOWN and isinstance(v, str)}
        return {**known, "run": self.name, "@run": self.id}


def value(raw: Any) -> float | None:
    """Return a metric's value; None for NaN and infinity, which MLflow stores as the largest float."""
    found = number(raw)
    return found if found is not None and abs(found) < sys.float_info.max else None


def conclude(name: str, found: Extract, runs: Iterable[Run]) -> None:
    """Add the notes on runs that were left out or are not over, and on losses without a unit."""
    for told, wanted in (
        ("runs that failed or were killed left out", _BROKEN),
        ("runs that are not over give their last values so far", _RUNNING),
    ):
        names = [run.name for run in runs if run.status in wanted]
        if names:
            shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
            found.note(f"{name}: {len(names)} {told} ({shown})")
    found.note(f"{name}: metrics that are no evaluation (no eval, valid, test, dev) left out")
    found.notes += loss_note({row["metric"] for row in found.rows})
