"""How much a reader takes in before it stops: bounded memory and time, whatever the file."""

from __future__ import annotations

from dataclasses import dataclass

from scalefit.errors import FormatError


@dataclass(frozen=True)
class Limits:
    """Bounds on what is read.

    Attributes
    ----------
    stream : int
        Bytes (after decompression) of a file that is read line by line.
    whole : int
        Bytes of a file that has to be held in memory as a whole, such as JSON.
    excel : int
        Bytes of an Excel file's parts, unpacked: its reader is slow and needs fifty times as much.
    line : int
        Bytes of one line.
    rows, cells : int
        Measured values of one call, and the cells of their rows.
    columns : int
        Columns of a table.
    values : int
        Commas and brackets of a JSON file: each value that Python makes of it takes memory.
    page : int
        Bytes of one answer of a server.
    name : int
        Characters of a logged number's name; longer ones are no metrics.
    notes : int
        Notes of one call.
    files : int
        Files that a folder is searched for.
    depth : int
        Nested folders, and nested brackets of JSON.
    """

    stream: int = 1 << 30
    whole: int = 128 << 20
    excel: int = 16 << 20
    line: int = 8 << 20
    rows: int = 2_000_000
    cells: int = 20_000_000
    columns: int = 10_000
    values: int = 3_000_000
    page: int = 32 << 20
    name: int = 200
    notes: int = 200
    files: int = 200_000
    depth: int = 64


LIMITS = Limits()


class TooMuchError(FormatError):
    """More than is ever read in one call."""


def bounded(rows: int, cells: int) -> None:
    """Raise where rows or their cells are more than fits into memory."""
    if rows > LIMITS.rows or cells > LIMITS.cells:
        raise TooMuchError(
            f"more than {LIMITS.rows} rows or {LIMITS.cells} cells. Try: read it in parts"
        )
