"""What is wrong with a table, row by row, and the error that says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scalefit.errors import TableError

SHOWN = 12
"""How many problems an error spells out before it counts the rest."""


@dataclass(frozen=True)
class Problem:
    """One broken rule: where, what was found, what was needed, what to try."""

    row: str
    column: str
    found: str
    needed: str
    hint: str = ""

    def __str__(self) -> str:
        """Return the problem on one line."""
        line = f"{self.row}, column {self.column!r}: found {self.found}; needed {self.needed}"
        return f"{line}. Try: {self.hint}" if self.hint else line


def listed(names: Iterable[object], limit: int = 24) -> str:
    """Return names as a list for a message, the rest of a long one counted."""
    found = [str(n) for n in names]
    more = f", and {len(found) - limit} more" if len(found) > limit else ""
    return ", ".join(found[:limit]) + more


def raise_all(problems: Sequence[Problem]) -> None:
    """Raise one TableError that lists all problems; do nothing where there are none."""
    if not problems:
        return
    lines = [str(p) for p in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"and {len(problems) - SHOWN} more")
    if len(problems) == 1:
        raise TableError(lines[0])
    raise TableError(f"{len(problems)} problems in the table:\n  " + "\n  ".join(lines))
