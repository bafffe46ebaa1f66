"""Tables as text: CSV and TSV, JSON and JSON lines, Markdown; each row with its line."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

from scalefit.errors import FormatError
from scalefit.rows import Row
from scalefit.table.names import KNOWN, SEED_WORDS, meaning

from .reader import Extract, Reader, Sheet, column, evaluation, load_json, load_lines
from .source import LIMITS, Source, bounded

DELIMITERS = ",\t;|"
_PORTION = 256
"""Rows that become columns at once: more, and their cells would fall out of the processor's cache (twice the time)."""
_QUOTED = re.compile(r'"[^"]*"')


def recognises_csv(source: Source) -> bool:
    """Whether it ends in .csv, .tsv or .txt-like and its first line has a delimiter."""
    if b"\0" in source.head or source.suffix in (".log", ".out", ".err"):
        return False
    line = header(source.first_lines)
    return line is not None and any(line.count(d) for d in DELIMITERS)


def header(lines: list[str]) -> str | None:
    """Return the first line that is neither empty nor a comment."""
    return next(
        (text for text in lines if text.strip() and not text.lstrip().startswith("#")), None
    )


def is_long_csv(source: Source) -> bool:
    """Whether the header has columns metric and value."""
    line = header(source.first_lines) or ""
    if not recognises_csv(source):
        return False
    names = cells_of_line(line, delimiter(source, line))
    return {"metric", "value"} <= {name.strip() for name in names}


def read_csv(source: Source) -> Extract:
    """Return the columns of a CSV or TSV file as texts; types come with the table's checks."""
    extract = Extract()
    extract.sheets.append(sheet(source, extract.notes))
    return extract


def rows(source: Source) -> Iterator[Row]:
    """Yield one dictionary of texts a row, with its place."""
    return sheet(source).rows()


def sheet(source: Source, notes: list[str] | None = None) -> Sheet:
    """Return the columns of a file as texts, and each row's line; ``notes`` are added to."""
    source.check_lines()
    place = _Place()
    lines = _lines(source, place)
    first = next(lines, None)
    if first is None:
        raise source.wrong(None, "is empty; needed a header line and rows")
    mark = delimiter(source, first)
    names = _names(source, place.line, cells_of_line(first, mark))
    records = _records(source, csv.reader(lines, delimiter=mark), place, names)
    numbers, columns = list[int](), [list[str]() for _ in names]
    while portion := list(islice(records, _PORTION)):
        *texts, begun = zip(*portion, strict=True)
        numbers += begun
        bounded(len(numbers), len(numbers) * len(names))
        for cells, more in zip(columns, texts, strict=True):
            # A million rows hold few different texts: each is kept once.
            cells += map(sys.intern, more)
    told = _with_points(source, names, columns) if mark != "," else []
    if told and notes is not None:
        notes.append(f"{source.name}: {', '.join(told)}")
    places = list(map(source.at, numbers))
    return Sheet.whole(dict(zip(names, map(column, columns), strict=True)), places)


_COMMA, _NUMBER = (
    re.compile(r"(?<!,)\b(\d+),(\d+)(?!\d*,)(?!\d)"),
    re.compile(r"(\\[a-zA-Z]+|[\W_])*\d"),
)
_THOUSANDS = re.compile(r"\s*[+-]?\d{1,3}(,\d{3})+\s*")
_POINTED = re.compile(r"\s*[+-]?[1-9]\d{0,2}(\.\d{3})+\s*")


def _with_points(source: Source, names: list[str], columns: list[list[str]]) -> list[str]:
    """Turn decimal commas into points, where one at least can be nothing else; return what was done.

    The points of such a file part thousands: in a column with ``1.500.000`` they are taken away; ``1.500`` alone is
    refused, for it may be either.
    """
    with_commas = [{cell for cell in cells if "," in cell} for cells in columns]
    decimal = [bool(of) and all(map(_is_decimal, of)) for of in with_commas]
    surely = [of for of, is_one in zip(with_commas, decimal, strict=True) if is_one]
    if all(all(map(_THOUSANDS.fullmatch, of)) for of in surely):
        return []
    told = []
    for name, cells, is_one in zip(names, columns, decimal, strict=True):
        points = {cell for cell in cells if "." in cell}
        if is_one:
            cells[:] = [_COMMA.sub(r"\1.\2", cell) for cell in cells]
            told.append(f"decimal commas of {name} read as points")
        elif points and all(map(_POINTED.fullmatch, points)):
            if all(cell.count(".") == 1 for cell in points):
                raise source.wrong(
                    None,
                    f"column {name!r} has {min(points)} beside decimal commas in other columns: thousands, or a "
                    "point for a comma? Try: write 1500 or 1,5",
                )
            cells[:] = [cell.replace(".", "") for cell in cells]
            told.append(f"points of {name} read as those of thousands")
    return told


def _is_decimal(cell: str) -> bool:
    return _NUMBER.match(cell) is not None and "," not in _COMMA.sub("", cell)


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
    source: Source, reader: Iterator[list[str]], place: _Place, names: list[str]
) -> Iterator[list[Any]]:
    """Yield each record's cells, and after them the line at which it begins."""
    place.inside = False
    try:
        for cells in reader:
            place.inside = False
            if not "".join(cells).strip():
                continue
            if cells[0].strip() == names[0] and [*map(str.strip, cells)] == names:
                continue  # a header once more, where files were put together
            if len(cells) != len(names):
                raise _ragged(source, place.begin, len(cells), len(names))
            yield [*cells, place.begin]
    except csv.Error as error:
        raise source.wrong(place.line, f"no valid CSV: {error}") from error


def cells_of_line(line: str, mark: str) -> list[str]:
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


def _ragged(source: Source, line: int, fields: int, needed: int) -> FormatError:
    return source.wrong(
        line,
        f"found {fields} fields; needed {needed}, as the header has. Try: quote cells that hold "
        "the delimiter",
    )


CSV = Reader("csv", "a CSV table", recognises_csv, read_csv, loose=True)
TSV = Reader(
    "tsv", "a TSV table", lambda s: s.suffix == ".tsv" and recognises_csv(s), read_csv, loose=True
)


_STAMP = re.compile(rb"\s*\[\d{4}-\d\d-\d\d[ T]")
"""How many logs begin: a bracket, but no JSON."""


def recognises_json(source: Source) -> bool:
    """Whether it begins like JSON and does not end in .jsonl."""
    if source.suffix in (".jsonl", ".ndjson") or _STAMP.match(source.head):
        return False
    return source.head.lstrip()[:1] in (b"{", b"[")


def is_long_json(source: Source) -> bool:
    """Whether the first row, one to a line, has metric and value."""
    start = source.head[: 1 << 15].decode("utf-8-sig", errors="replace").lstrip("[ \r\n\t")
    try:
        row = json.loads(start.partition("\n")[0].rstrip(", \r]"))
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and {"metric", "value"} <= set(row)


def read_json(source: Source) -> Extract:
    """Return the rows of a JSON table."""
    document = load_json(source)
    rows = _json_rows(document) or _evaluations(document, source)
    if not rows:
        raise source.wrong(
            None,
            "is JSON, but no table; needed a list of objects [{…}, {…}] or an object of equally "
            "long lists. Try: format= where it is the output of a tool",
        )
    extract = Extract()
    extract.rows += ({**row, "@place": f"{source.name}[{i}]"} for i, row in enumerate(rows))
    return extract


def _json_rows(document: Any) -> list[Row] | None:
    if isinstance(document, dict) and isinstance(document.get("data"), list):
        names, data = document.get("columns"), document["data"]
        if isinstance(names, list) and all(
            isinstance(r, list) and len(r) == len(names) for r in data
        ):
            return [dict(zip(map(str, names), row, strict=True)) for row in data]
        document = data
    if isinstance(document, dict):
        return _columns(document)
    if isinstance(document, list) and document and all(isinstance(r, dict) for r in document):
        return document
    return None


def _evaluations(document: Any, source: Source) -> list[Row]:
    """Return the numbers of one flat object, as scripts keep them: ``{"eval_bleu": 27.3, "corpus": "fr"}``."""
    if not isinstance(document, dict):
        return []
    common = {
        name: v for name, v in document.items() if name in (*KNOWN, *SEED_WORDS) or meaning(name)
    }
    named = source.names.evaluations({n: v for n, v in document.items() if n not in common})
    return [{**common, **evaluation(name, value)} for name, value in named.items()]


def _columns(document: dict[str, Any]) -> list[Row] | None:
    if document and all(isinstance(v, list) for v in document.values()):
        if len({len(v) for v in document.values()}) != 1:
            return None
        return [
            dict(zip(document, row, strict=True)) for row in zip(*document.values(), strict=True)
        ]
    return None


def recognises_lines(source: Source) -> bool:
    """Whether it ends in .jsonl, or its first two lines are objects each."""
    lines = [t.strip() for t in source.first_lines if t.strip() and not t.lstrip().startswith("#")]
    if not lines or not lines[0].startswith("{"):
        return False
    whole = len(lines) > 1 and lines[0].endswith("}") and lines[1].startswith("{")
    return whole or source.suffix in (".jsonl", ".ndjson")


def read_json_lines(source: Source) -> Extract:
    """Return one row a line."""
    source.check_lines()
    extract = Extract()
    for line, row in load_lines(source):
        if not isinstance(row, dict):
            raise source.wrong(line, "is no JSON object; needed one row a line")
        extract.rows.append({**row, "@place": source.at(line)})
    if not extract.rows:
        raise source.nothing("is empty; needed one JSON object a line")
    return extract


JSON = Reader("json", "a JSON table", recognises_json, read_json, loose=True)
JSON_LINES = Reader("jsonl", "a JSON lines table", recognises_lines, read_json_lines, loose=True)


_RULE = re.compile(r"\s*\|?(\s*:?-+:?\s*\|)+\s*(:?-+:?\s*)?")
_BAR = re.compile(r"(?<!\\)\|")
_MARKS = re.compile(r"^(\*\*|__|`|\*)(.+)\1$")


def recognises_markdown(source: Source) -> bool:
    """Whether a line with bars is followed by one of dashes, in a .md file or at the very start."""
    lines = [t for t in source.first_lines if t.strip()]
    if source.suffix not in (".md", ".markdown"):
        lines = lines[:2]
    return any("|" in a and _RULE.fullmatch(b) for a, b in pairwise(lines))


def read_markdown(source: Source) -> Extract:
    """Return the rows of the file's first table as texts."""
    extract = Extract()
    extract.rows += _markdown_rows(source)
    if not extract.rows:
        raise source.nothing("has no row below a line of dashes")
    return extract


def _markdown_rows(source: Source) -> Iterator[Row]:
    before, names = "", list[str]()
    for line, text in source.lines():
        if not names:
            names = _markdown_cells(before) if _RULE.fullmatch(text) and "|" in before else []
            before = text
            continue
        if "|" not in text:
            return
        cells = _markdown_cells(text)
        if len(cells) != len(names) or len(names) > LIMITS.columns:
            raise source.wrong(
                line, f"found {len(cells)} cells; needed {len(names)}, as the head has"
            )
        yield {**dict(zip(names, cells, strict=True)), "@place": source.at(line)}


def _markdown_cells(text: str) -> list[str]:
    """Return a line's cells without the marks of bold, italics and code."""
    inner = text.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    cells = (cell.strip().replace("\\|", "|") for cell in _BAR.split(inner))
    return [_MARKS.sub(r"\2", cell) for cell in cells]


MARKDOWN = Reader("markdown", "a Markdown table", recognises_markdown, read_markdown, loose=True)
