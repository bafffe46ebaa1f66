"""Tables as text: CSV and TSV, JSON and JSON lines, Markdown and what terminals draw, LaTeX; each row with its line."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise, zip_longest
from typing import Any

from scalefit.errors import FormatError
from scalefit.rows import Row
from scalefit.table.metrics import SETS, known
from scalefit.table.names import SEED_WORDS, bare, meaning
from scalefit.table.records import flat
from scalefit.units import counted

from .reader import (
    Extract,
    Reader,
    Sheet,
    column,
    evaluation,
    head_of,
    load_json,
    load_lines,
    measures,
)
from .source import Source, bounded

DELIMITERS = ",\t;|"
_PORTION = 256
"""Rows that become columns at once: more, and their cells would fall out of the processor's cache (twice the time)."""
_DELIMITER, _QUOTED = re.compile(f"[{DELIMITERS}]"), re.compile(r'"[^"]*"')


def recognises_csv(source: Source) -> bool:
    """Whether it ends in .csv, .tsv or .txt-like and its first line has a delimiter."""
    if b"\0" in source.head or source.suffix in (".log", ".out", ".err"):
        return False
    line = header(source.first_lines)
    return line is not None and any(line.count(d) for d in DELIMITERS)


def header(lines: list[str]) -> str | None:
    """Return the first line that is neither empty nor a comment nor a title."""
    told = (text for text in lines if text.strip() and not text.lstrip().startswith("#"))
    return next((text for text in told if not is_title(text)), None)


def is_title(line: str) -> bool:
    """Whether one cell at most is filled: spreadsheets have a title there, no table has one column."""
    return sum(map(bool, map(str.strip, _DELIMITER.split(_QUOTED.sub("quoted", line))))) <= 1


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
    first = next((line for line in lines if not is_title(line)), None)
    if first is None:
        raise source.wrong(None, "has no line of column names; needed a header line and rows")
    mark = delimiter(source, first)
    at = place.line
    own, lines = head_of(first, lines, lambda line: [*map(str.strip, cells_of_line(line, mark))])
    names = _names(source, at, own)
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
    source.check_columns(line, names)
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


_BEGINS = re.compile(rb'\s*(?:\{|\[\s*(?:[][{"]|-?[\d.]+(?:e[+-]?\d+)?\s*[,\]]|null|true|false))')
"""How JSON begins, and no log: ``[2024-05-01 …``, ``[rank0]: …``, ``[batch=100/4800]:``."""


def recognises_json(source: Source) -> bool:
    """Whether it begins like JSON and does not end in .jsonl."""
    return source.suffix not in (".jsonl", ".ndjson") and bool(_BEGINS.match(source.head))


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
    rows = [*map(flat, _json_rows(document) or ())] or _evaluations(document, source)
    if not rows:
        raise source.wrong(
            None,
            "is JSON, but no table; needed a list of objects [{…}, {…}], an object of equally "
            "long lists or of objects. Try: format= where it is the output of a tool",
        )
    extract = Extract()
    extract.rows += ({**row, "@place": f"{source.name}[{i}]"} for i, row in enumerate(rows))
    return extract


def _json_rows(document: Any) -> list[Row] | None:
    """Return a list of objects, pandas' columns and data, columns, or its one list of objects with what is beside."""
    if isinstance(document, list):
        return document if all(isinstance(r, dict) for r in document) else None
    if not isinstance(document, dict):
        return None
    names, data = document.get("columns", []), document.get("data")
    data = data if isinstance(names, list) and isinstance(data, list) else []
    if data and all(isinstance(r, list) and len(r) == len(names) for r in data):
        return [dict(zip(map(str, names), row, strict=True)) for row in data]
    lists = [v for v in document.values() if isinstance(v, list) and _json_rows(v)]
    if len(lists) != 1:
        return _columns(document) or _objects(document)
    told = {k: v for k, v in document.items() if not isinstance(v, list | dict)}
    return [{**told, **row} for row in lists[0]]


def _evaluations(document: Any, source: Source) -> list[Row]:
    """Return the numbers of one flat object, as scripts keep them: ``{"eval_bleu": 27.3, "corpus": "fr"}``."""
    if not isinstance(document, dict):
        return []
    ours = {k: v for k, v in document.items() if not isinstance(v, dict) or bare(f"{k}.x") == "x"}
    document = {bare(name): v for name, v in flat(ours).items()}
    common = {name: v for name, v in document.items() if name in SEED_WORDS or meaning(name)}
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


def _objects(document: dict[str, Any]) -> list[Row] | None:
    """Return the rows of an object of objects: pandas' columns, each by row, or each run's numbers by its name."""
    apart = (n for n in document if n.lower() in (*SETS, "train") or bare(f"{n}.x") == "x")
    if not all(isinstance(v, dict) for v in document.values()) or any(apart):
        return None
    if measures(document):
        rows = dict.fromkeys(row for cells in document.values() for row in cells)
        return [{name: cells.get(row) for name, cells in document.items()} for row in rows]
    # Of {"fr": {"1M": {"bleu": 20.1}}} nobody knows what the levels are.
    own = [{n for n in map(bare, flat(row)) if "." not in n} for row in document.values()]
    if not any(map(measures, own)):
        return None
    numbered = all(map(str.isdecimal, document))
    return [
        row if numbered else {"eval_set" if known(name) else "run": name, **row}
        for name, row in document.items()
    ]


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
        extract.rows.append({**flat(row), "@place": source.at(line)})
    if not extract.rows:
        raise source.nothing("is empty; needed one JSON object a line")
    return extract


JSON = Reader("json", "a JSON table", recognises_json, read_json, loose=True)
JSON_LINES = Reader("jsonl", "a JSON lines table", recognises_lines, read_json_lines, loose=True)


_RULE = re.compile(
    r"(?=.*[-=\u2500\u2501\u2550\u254c])(?=.*[|+\u250c-\u254b\u2551-\u256c])[\s:+|=\-\u2500-\u257f]+"
)
"""A line that only parts: dashes between bars, or whatever a terminal draws."""
_BARS = str.maketrans(dict.fromkeys("│┃║┆┊╎", "|"))
_BAR = re.compile(r"(?<!\\)\|")
_MARKS = re.compile(r"^(\*\*|__|`|\*)(.+)\1$")


def recognises_markdown(source: Source) -> bool:
    """Whether a line with bars is followed by a rule, in a .md file or at the very start."""
    lines = [t.translate(_BARS) for t in source.first_lines if t.strip()]
    if source.suffix not in (".md", ".markdown"):
        lines = lines[:3] if lines and _RULE.fullmatch(lines[0]) else lines[:2]
    return any(
        "|" in a and not _RULE.fullmatch(a) and _RULE.fullmatch(b) for a, b in pairwise(lines)
    )


def read_markdown(source: Source) -> Extract:
    """Return the rows of the file's first table as texts, and of those that have the same columns.

    What terminals draw (sacreBLEU, rich, psql) may have rules between rows, and lines that go on with the row above.
    """
    extract, before, names, left = Extract(), "", list[str](), 0
    inside = False
    for line, drawn in source.lines():
        text = drawn.translate(_BARS)
        ruled = _RULE.fullmatch(text) is not None
        if ruled and not inside and "|" in before:
            own = _names(source, line - 1, _markdown_cells(before))
            names, inside = names or own, own == (names or own)
            left += not inside
        elif not ruled and inside and "|" in text:
            row = _row(source, line, names, _markdown_cells(text))
            if text == drawn or row[names[0]] or not extract.rows:
                extract.rows.append(row)
            else:
                above = extract.rows[-1]
                above |= {name: f"{above[name]} {row[name]}".strip() for name in names}
        inside, before = inside and (ruled or "|" in text), "" if ruled else text
    if left:
        extract.note(
            f"{source.name}: {counted(left, 'table')} with other columns than the first left out"
        )
    if not extract.rows:
        raise source.nothing("has no row below a line of dashes")
    return extract


def _row(source: Source, line: int, names: list[str], cells: list[str]) -> Row:
    if len(cells) != len(names):
        raise source.wrong(line, f"found {len(cells)} cells; needed {len(names)}, as the head has")
    return {**dict(zip(names, cells, strict=True)), "@place": source.at(line)}


def _markdown_cells(text: str) -> list[str]:
    """Return a line's cells without the marks of bold, italics and code."""
    inner = text.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    cells = (cell.strip().replace("\\|", "|") for cell in _BAR.split(inner))
    return [_MARKS.sub(r"\2", cell) for cell in cells]


MARKDOWN = Reader("markdown", "a Markdown table", recognises_markdown, read_markdown, loose=True)


_TABULAR = re.compile(r"\\begin\{(tabular|longtable|tabularx|tabulary)\*?\}(.*?)\\end\{\1", re.S)
_SHAPE = re.compile(r"\s*(?:\[\w*\]|\{(?:[^{}]|\{[^{}]*\})*\}\s*)+")
_END = re.compile(r"(?<!\\)\\\\(?:\[[^\]]*\])?")
_DRAWN = re.compile(
    r"\\(?:hline|toprule|midrule|bottomrule|centering|addlinespace|(?:cmidrule|cline)(?:\([^)]*\))?\{[^}]*\})|"
    r"(?<!\\)%.*"
)
_SPAN = re.compile(
    r"\\multi(?:column\{(\d{1,3})\}|row\{[^}]*\})\s*\{[^}]*\}\s*\{((?:[^{}]|\{[^{}]*\})*)\}"
)
_MACRO = re.compile(r"\\[a-zA-Z]+\s*\{([^{}]*)\}|\\([%_&#$])|\\[,;!]")


def recognises_latex(source: Source) -> bool:
    """Whether a ``tabular`` begins in it."""
    return b"\\begin{tabular" in source.head or b"\\begin{longtable" in source.head


def read_latex(source: Source) -> Extract:
    """Return the rows of the first ``tabular``; a head that spans columns is joined with the line below it."""
    text, extract, names = source.text(), Extract(), list[str]()
    tables = list(_TABULAR.finditer(text))
    if not tables:
        raise source.nothing("has no tabular")
    shape, (start, end) = _SHAPE.match(tables[0][2]), tables[0].span(2)
    start += shape.end() if shape else 0
    begun, head = text.count("\n", 0, start) + 1, list[str]()
    for row in _END.split(text[start:end]):
        cells, spans = _latex_cells(row)
        line, begun = begun + (row.startswith("\n")), begun + row.count("\n")
        if names:
            extract.rows += [_row(source, line, names, cells)] if any(cells) else []
        elif any(cells):
            head = [f"{a} {b}".strip() for a, b in zip_longest(head, cells, fillvalue="")]
            names = [] if spans else _names(source, line, head)
    if tables[1:]:
        extract.note(f"{source.name}: {counted(len(tables) - 1, 'table')} after the first left out")
    return extract


def _latex_cells(row: str) -> tuple[list[str], bool]:
    """Return a row's cells, spanning ones as often as they span, and whether one does."""
    cells, spans = list[str](), False
    for cell in re.split(r"(?<!\\)&", _DRAWN.sub("", row)):
        span = _SPAN.search(cell)
        times = int(span[1] or 1) if span else 1
        plain = _SPAN.sub(r"\2", cell).strip()
        cells += [_MACRO.sub(r"\1\2", plain).strip()] * times
        spans |= times > 1
    return cells, spans


LATEX = Reader("latex", "a LaTeX table", recognises_latex, read_latex, loose=True)
