"""What a reader is, and what it hands on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, Self

from .limits import LIMITS, bounded
from .limits import TooMuchError as TooMuchError
from .sheet import Row as Row
from .sheet import Sheet
from .source import Source


class Rows(list[Row]):
    """Rows that never become more than fits into memory, whatever the file."""

    cells = 0

    def append(self, row: Row) -> None:
        """Add a row, or raise."""
        self.extend([row])

    def extend(self, rows: Iterable[Row]) -> None:
        """Add rows, or raise."""
        for row in rows:
            self.cells += len(row)
            bounded(len(self) + 1, self.cells)
            super().append(row)

    def __iadd__(self, rows: Iterable[Row]) -> Self:  # type: ignore[override,misc]
        """Add rows, or raise."""
        self.extend(rows)
        return self


@dataclass
class Extract:
    """Measured values as a reader found them.

    Attributes
    ----------
    rows : list of dict
        One dictionary a value (``metric``, ``value``, what else is known), each with its
        ``source``; or wide rows as a table file has them.
    sheets : list of Sheet
        Rows of large tables, as columns.
    notes : list of str
        What was left out or converted, and why.
    """

    rows: list[Row] = field(default_factory=Rows)
    sheets: list[Sheet] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def records(self) -> list[Row]:
        """Return all rows as dictionaries."""
        return [*self.rows, *(row for sheet in self.sheets for row in sheet.rows())]

    def check(self) -> None:
        """Raise where there is more than fits into memory."""
        rows = sum(map(len, self.sheets))
        cells = sum(len(sheet) * len(sheet.columns) for sheet in self.sheets)
        bounded(rows + len(self.rows), cells)

    def note(self, text: str) -> None:
        """Keep a note, once; a flood of them ends with a word that there are more."""
        if len(self.notes) == LIMITS.notes:
            text = "… and more notes"
        if len(self.notes) <= LIMITS.notes and text not in self.notes:
            self.notes.append(text)


@dataclass(frozen=True)
class Reader:
    """One source format.

    Attributes
    ----------
    name : str
        What ``format=`` calls it.
    title : str
        What the notes call it.
    recognises : callable
        Whether a source looks like this format, by name, magic bytes or first lines. Cheap.
    read : callable
        The source's measured values.
    loose : bool
        Whether the format is so general that a folder search takes it only by its suffix.
    takes : {"file", "folder", "both"}
        What it reads.
    """

    name: str
    title: str
    recognises: Callable[[Source], bool]
    read: Callable[[Source], Extract]
    loose: bool = False
    takes: Literal["file", "folder", "both"] = "file"

    def extract(self, source: Source) -> Extract:
        """Read a source that is what the reader takes; trouble with the disk is our error."""
        kind = "folder" if source.is_dir else "file"
        if self.takes not in (kind, "both"):
            other = "give its files, as in folder/*" if kind == "folder" else "give the folder"
            raise source.wrong(None, f"is a {kind}; {self.name} reads a {self.takes}. Try: {other}")
        if source.is_pointer:
            raise source.wrong(
                None,
                "is a Git-LFS pointer, not the file itself; needed the file. Try: git lfs pull",
            )
        try:
            return self.read(source)
        except TooMuchError as error:
            raise source.wrong(None, str(error)) from error
        except OSError as error:
            raise source.wrong(None, f"cannot be read: {error}") from error
