"""What a reader is, and what it hands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from .source import Source

Row = dict[str, Any]


@dataclass
class Extract:
    """Measured values as a reader found them.

    Attributes
    ----------
    rows : list of dict
        One dictionary a value (``metric``, ``value``, what else is known), each with its
        ``source``; or wide rows as a table file has them.
    notes : list of str
        What was left out or converted, and why.
    """

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Keep a note, once."""
        if text not in self.notes:
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
        try:
            return self.read(source)
        except OSError as error:
            raise source.wrong(None, f"cannot be read: {error}") from error
