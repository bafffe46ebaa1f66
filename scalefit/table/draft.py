"""A table in the making: its frame, where each row stands, and what was noted on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from scalefit.errors import TableError
from scalefit.types import Ints, Mask

_SHOWN = 12
"""How many problems an error spells out before it counts the rest."""


@dataclass(frozen=True)
class Problem:
    """One broken rule: where, what was found, what was needed, what to try."""

    row: str
    column: str
    given: str
    needed: str
    hint: str = ""

    def __str__(self) -> str:
        """Return the problem on one line."""
        line = f"{self.row}, column {self.column!r}: found {self.given}; needed {self.needed}"
        return f"{line}. Try: {self.hint}" if self.hint else line


def listed(names: Iterable[object], limit: int = 24) -> str:
    """Return names as a list for a message, the rest of a long one counted."""
    texts = [str(n) for n in names]
    more = f", and {len(texts) - limit} more" if len(texts) > limit else ""
    return ", ".join(texts[:limit]) + more


def raise_all(problems: Sequence[Problem]) -> None:
    """Raise one TableError that lists all problems; do nothing where there are none."""
    if not problems:
        return
    lines = [str(p) for p in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"and {len(problems) - _SHOWN} more")
    if len(problems) == 1:
        raise TableError(lines[0])
    raise TableError(f"{len(problems)} problems in the table:\n  " + "\n  ".join(lines))


@dataclass
class Draft:
    """Rows on their way into a table.

    Attributes
    ----------
    frame : DataFrame
        The rows so far, with a plain range index.
    place : callable
        Where an original row stands, for messages: ``results.csv:12`` or ``row 3``.
    origin : (n,) int64
        The original row of each row.
    allow : frozenset of str
        Checks that the user has switched off.
    notes, problems : list
        What was done to the data, and what is wrong with it.
    """

    frame: pd.DataFrame
    place: Callable[[int], str]
    origin: Ints
    allow: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Keep a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def label(self, row: int) -> str:
        """Return where a row stands."""
        return self.place(int(self.origin[row]))

    def blame(
        self, rows: Mask, column: str, told: Callable[[int], str], needed: str, hint: str = ""
    ) -> None:
        """Note a problem for every marked row; ``found`` words its cell."""
        for i in np.flatnonzero(rows).tolist():
            self.problems.append(Problem(self.label(i), column, told(i), needed, hint))

    def keep(self, rows: Mask) -> None:
        """Keep the marked rows only."""
        if rows.all():
            return
        self.frame = self.frame[rows].reset_index(drop=True)
        self.origin = self.origin[rows]

    def has(self, column: str) -> bool:
        """Return whether the column is there."""
        return column in self.frame.columns

    def put(self, column: str, values: Iterable[Any]) -> None:
        """Set a column; texts keep None for missing."""
        cells = values if isinstance(values, np.ndarray) else list(values)
        number = isinstance(cells, np.ndarray) and cells.dtype != object
        self.frame[column] = pd.Series(
            cells, index=self.frame.index, dtype=None if number else object
        )

    def some(self, rows: Mask, limit: int = 3) -> str:
        """Return the places of the marked rows, the first few of them by name."""
        there = np.flatnonzero(rows)
        more = f" and {len(there) - limit} more" if len(there) > limit else ""
        return ", ".join(map(self.label, there[:limit].tolist())) + more
