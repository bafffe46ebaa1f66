"""CSV and TSV tables: ``#`` comments, any of four delimiters, each row with its line."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator

from scalefit.errors import FormatError

from .limits import LIMITS
from .reader import Extract, Reader, Row
from .source import Source

DELIMITERS = ",\t;|"
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
    """Return the rows of a CSV or TSV file as texts; types come with the table's checks."""
    found = Extract()
    found.rows += rows(source)
    return found


def rows(source: Source) -> Iterator[Row]:
    """Yield one dictionary of texts a row, with its place."""
    source.check_lines()
    counter = _Lines(source)
    first = next(iter(counter), None)
    if first is None:
        raise source.wrong(None, "is empty; needed a header line and rows")
    mark = delimiter(source, first)
    names = _names(source, counter.line, cells_of(first, mark))
    reader = csv.reader(counter, delimiter=mark)
    while True:
        place, counter.inside = counter.line + 1, False
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise source.wrong(counter.line, f"no valid CSV: {error}") from error
        joined = "".join(cells)
        if not joined.strip():
            continue
        place = counter.line if "\n" not in joined else place
        if len(cells) != len(names):
            raise _ragged(source, place, len(cells), len(names))
        row = dict(zip(names, cells, strict=True))
        row["@place"] = source.at(place)
        yield row


def cells_of(line: str, mark: str) -> list[str]:
    """Return the cells of one line; none where it is no line of CSV."""
    try:
        return next(csv.reader([line], delimiter=mark), [])
    except csv.Error:
        return []


class _Lines:
    """Lines without comments, for the csv module, that know where they stand.

    Asked for a second line of one record, the csv module is inside quotes: that line is text, even
    where it is empty or begins with ``#``.
    """

    def __init__(self, source: Source) -> None:
        self.line, self.inside, self.stream = 0, False, source.lines(ends=True)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        for self.line, text in self.stream:  # noqa: B020 - the number is kept on purpose
            if self.inside or (text.strip() and not text.lstrip().startswith("#")):
                self.inside = True
                return text
        raise StopIteration


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
