"""CSV and TSV tables: ``#`` comments, any of four delimiters, each row with its line."""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from scalefit.errors import FormatError

from .limits import LIMITS, bounded
from .reader import Extract, Reader, Row
from .sheet import Sheet, column
from .source import Source

DELIMITERS = ",\t;|"
_PORTION = 256
"""Rows that become columns at once: more, and their cells would fall out of the processor's cache (twice the time)."""
_QUOTED = re.compile(r'"[^"]*"')


def recognises(source: Source) -> bool:
    """Whether it ends in .csv, .tsv or .txt-like and its first line has a delimiter."""
    if b"\0" in source.head:
        return False
    line = header(source.first_lines)
    return line is not None and any(line.count(d) for d in DELIMITERS)


def header(lines: list[str]) -> str | None:
    """Return the first line that is neither empty nor a comment."""
    return next(
        (text for text in lines if text.strip() and not text.lstrip().startswith("#")), None
    )


def is_long(source: Source) -> bool:
    """Whether the header has columns metric and value."""
    line = header(source.first_lines) or ""
    if not recognises(source):
        return False
    names = cells_of(line, delimiter(source, line))
    return {"metric", "value"} <= {name.strip() for name in names}


def read(source: Source) -> Extract:
    """Return the columns of a CSV or TSV file as texts; types come with the table's checks."""
    return Extract(sheets=[sheet(source)])


def rows(source: Source) -> Iterator[Row]:
    """Yield one dictionary of texts a row, with its place."""
    return sheet(source).rows()


def sheet(source: Source) -> Sheet:
    """Return the columns of a file as texts, and each row's line."""
    source.check_lines()
    place = _Place()
    lines = _lines(source, place)
    first = next(lines, None)
    if first is None:
        raise source.wrong(None, "is empty; needed a header line and rows")
    mark = delimiter(source, first)
    names = _names(source, place.line, cells_of(first, mark))
    records = _records(source, csv.reader(lines, delimiter=mark), place, len(names))
    numbers, columns = list[int](), [list[str]() for _ in names]
    while portion := list(islice(records, _PORTION)):
        *texts, begun = zip(*portion, strict=True)
        numbers += begun
        bounded(len(numbers), len(numbers) * len(names))
        for cells, more in zip(columns, texts, strict=True):
            cells += map(sys.intern, more)
    places = list(map(source.at, numbers))
    return Sheet.whole(dict(zip(names, map(column, columns), strict=True)), places)


@dataclass
class _Place:
    """Where the csv module is: the line, the one at which its record began, and whether it is inside one.

    Asked for a second line of one record, the csv module is inside quotes: that line is text, even
    where it is empty or begins with ``#``.
    """

    line: int = 0
    begin: int = 0
    inside: bool = False


def _lines(source: Source, place: _Place) -> Iterator[str]:
    """Yield lines for the csv module, without the empty ones and the comments between records."""
    for place.line, text in source.lines(ends=True):
        if not place.inside:
            inner = text.lstrip()
            if not inner or inner[0] == "#":
                continue
            place.begin, place.inside = place.line, True
        yield text


def _records(
    source: Source, reader: Iterator[list[str]], place: _Place, width: int
) -> Iterator[list[Any]]:
    """Yield each record's cells, and after them the line at which it begins."""
    place.inside = False
    try:
        for cells in reader:
            place.inside = False
            if not "".join(cells).strip():
                continue
            if len(cells) != width:
                raise _ragged(source, place.begin, len(cells), width)
            yield [*cells, place.begin]
    except csv.Error as error:
        raise source.wrong(place.line, f"no valid CSV: {error}") from error


def cells_of(line: str, mark: str) -> list[str]:
    """Return the cells of one line; none where it is no line of CSV."""
    try:
        return next(csv.reader([line], delimiter=mark), [])
    except csv.Error:
        return []


def delimiter(source: Source, line: str) -> str:
    """Return the delimiter of a header line: TAB in .tsv, else the most frequent."""
    if source.suffix == ".tsv":
        return "\t"
    return max(DELIMITERS, key=_QUOTED.sub("", line).count)


def _names(source: Source, line: int, cells: list[str]) -> list[str]:
    names = [cell.strip() or f"column {i + 1}" for i, cell in enumerate(cells)]
    if not names:
        raise source.wrong(line, "no valid CSV; needed a header line of column names")
    if len(names) > LIMITS.columns:
        raise source.wrong(line, f"{len(names)} columns; at most {LIMITS.columns} are read")
    doubled = sorted(n for n, times in Counter(names).items() if times > 1)
    if doubled:
        raise source.wrong(line, f"column names stand twice: {', '.join(map(repr, doubled))}")
    return names


def _ragged(source: Source, line: int, found: int, needed: int) -> FormatError:
    return source.wrong(
        line,
        f"found {found} fields; needed {needed}, as the header has. Try: quote cells that hold "
        "the delimiter",
    )


CSV = Reader("csv", "a CSV table", recognises, read, loose=True)
TSV = Reader("tsv", "a TSV table", lambda s: s.suffix == ".tsv" and recognises(s), read, loose=True)
