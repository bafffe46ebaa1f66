"""What a reader is, what it hands on (rows, or large tables as columns), and what many share: JSON, means."""

from __future__ import annotations

import json
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any, Literal, Self

import numpy as np

from scalefit.rows import Row
from scalefit.table.build import plain_names
from scalefit.table.draft import Cells, Draft
from scalefit.table.draft import column as column
from scalefit.table.names import KNOWN, Named, measured_column

from .source import LIMITS, Source, TooMuchError, bounded

TOKEN, BYTE = "nats/target token", "nats/byte"
LN2 = math.log(2)
_DUST = 1e-6
PLACE = "@place"
"""Field of a row that says where it stands; other fields that begin with ``@`` are for the readers alone."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """Equally long columns of cells as a reader found them.

    Attributes
    ----------
    columns : mapping of str to (n,) object; column by name; None where a row has no such cell.
    places : where each row stands: ``results.csv:12``.
    shapes : the sets of columns that rows came with -> the place of the first row of each.
    """

    columns: Mapping[str, Cells]
    places: Sequence[str]
    shapes: Mapping[tuple[str, ...], str]

    @classmethod
    def whole(cls, columns: Mapping[str, Cells], places: Sequence[str]) -> Sheet:
        """Return columns of which every row has all."""
        return cls(columns, places, {tuple(columns): places[0]} if places else {})

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Sheet:
        """Return rows as columns.

        Examples
        --------
        >>> sheet = Sheet.of([{"bleu": 21.5, "source": "a.json"}, {"ter": 60.0, "@place": "b.json:2"}])
        >>> sheet.columns["bleu"], sheet.places
        (array([21.5, None], dtype=object), ['a.json', 'b.json:2'])
        """
        places = [str(row.get(PLACE) or row.get("source", "?")) for row in rows]
        shapes: dict[tuple[str, ...], str] = {}
        for row, place in zip(rows, places, strict=True):
            shapes.setdefault(tuple(row), place)
        names = dict.fromkeys(name for shape in shapes for name in shape if name[:1] != "@")
        _check(len(names), len(rows))
        return cls({n: column([row.get(n) for row in rows]) for n in names}, places, shapes)

    @classmethod
    def joined(cls, sheets: Sequence[Sheet]) -> Sheet:
        """Return several sheets as one; a column that one of them lacks is empty there."""
        if len(sheets) == 1:
            return sheets[0]
        names = dict.fromkeys(name for sheet in sheets for name in sheet.columns)
        _check(len(names), sum(map(len, sheets)))
        columns = {
            name: np.concatenate([s.columns.get(name, np.full(len(s), None)) for s in sheets])
            for name in names
        }
        places = [place for sheet in sheets for place in sheet.places]
        shapes = dict[tuple[str, ...], str]()
        for sheet in sheets:
            shapes |= {shape: place for shape, place in sheet.shapes.items() if shape not in shapes}
        return cls(columns, places, shapes)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.places)

    def rows(self) -> Iterator[Row]:
        """Yield the rows as dictionaries, each with its place."""
        for *cells, place in zip(*self.columns.values(), self.places, strict=True):
            yield {**dict(zip(self.columns, cells, strict=True)), PLACE: place}

    @property
    def sources(self) -> list[str]:
        """What each row calls its source, its place where it names none."""
        own = self.columns.get("source", np.full(len(self), None))
        return [cell or place for cell, place in zip(own, self.places, strict=True)]

    def draft(self, notes: Sequence[str] = ()) -> Draft:
        """Return the cells as they are, for the table's checks."""
        cells = {**self.columns, "source": column(self.sources)}
        named = zip(plain_names(list(cells)), cells.values(), strict=True)
        return Draft.of(dict(named), self.places.__getitem__, notes)


def shared(cells: Sequence[str | None]) -> Cells:
    """Return texts as a column in which equal ones are one object: a million rows have few of them."""
    return column([cell and sys.intern(cell) for cell in cells])


def _check(columns: int, rows: int) -> None:
    """Refuse rows of so many different columns that their table would not fit into memory."""
    if columns > LIMITS.columns or columns * rows > 2 * LIMITS.cells:
        raise TooMuchError(
            f"{rows} rows with {columns} different columns in all; needed rows that share their "
            "columns. Try: read it in parts"
        )


class BoundedRows(list[Row]):
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
    rows : one dictionary a value (``metric``, ``value``, what else is known), each with its ``source``; or wide rows as
        a table file has them.
    sheets : rows of large tables, as columns.
    notes : what was left out or converted, and why.
    """

    rows: list[Row] = field(default_factory=BoundedRows)
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

    def note_losses(self) -> None:
        """Say that a loss came without its unit, where one did."""
        if {"loss", "nll_loss"} & {row["metric"] for row in self.rows}:
            self.notes.append(
                "a logged 'loss' has no unit and is kept as the metric 'loss'; where it is nats per target "
                "token, mapping={'loss': 'cross_entropy'} says so"
            )

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
    name : what ``format=`` calls it.
    title : what the notes call it.
    recognises : whether a source looks like this format, by name, magic bytes or first lines. Cheap.
    read : the source's measured values.
    loose : whether the format is so general that a folder search takes it only by its suffix.
    takes : {"file", "folder", "both"}; what it reads.
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
            extract = self.read(source)
        except TooMuchError as error:
            raise source.wrong(None, str(error)) from error
        except OSError as error:
            raise source.wrong(None, f"cannot be read: {error}") from error
        if not (extract.rows or extract.sheets):
            raise source.nothing("holds no evaluation (a name such as eval/bleu or val_loss)")
        return extract


def measures(names: Iterable[str]) -> bool:
    """Return whether columns of these names hold measured values.

    Examples
    --------
    >>> measures(["corpus", "BLEU"]), measures(["metric", "value"]), measures(["Notes"])
    (True, True, False)
    """
    there = set(names)
    return {"metric", "value"} <= there or any(map(measured_column, there - {*KNOWN}))


def head_of(
    first: Any, below: Iterator[Any], cells: Callable[[Any], Sequence[str]]
) -> tuple[list[str], Iterator[Any]]:
    """Return the names of a head, and the rows below it.

    Names that span columns are joined with the line below them; pandas' third line names the columns that none spans.

    Examples
    --------
    >>> lines = iter([",bleu,chrf,bleu,chrf", "tokens,,,,", "1M,1,2,3,4"])
    >>> names, rows = head_of(",fr,,en,", lines, lambda line: line.split(","))
    >>> names, list(rows)
    (['tokens', 'fr_bleu', 'fr_chrf', 'en_bleu', 'en_chrf'], ['1M,1,2,3,4'])
    """
    names = list(cells(first))
    filled = [name for name in names if name]
    spanned = len(names) <= LIMITS.columns and any(_spans(names)[1])
    if not spanned or (len({*filled}) == len(filled) and measures(names)):
        return names, below
    second = next(below, None)
    told = list(cells(second)) if second is not None else []
    above, spans = _spans([*names, *[""] * (len(told) - len(names))])
    joined = [
        f"{a}_{b}" if s else b or a for a, b, s in zip_longest(above, told, spans, fillvalue="")
    ]
    if second is None or not measures(joined):
        return names, below if second is None else chain([second], below)
    third = next(below, None)
    last = list(cells(third)) if third is not None else []
    if any(last) and not any(cell for cell, s in zip(last, spans, strict=False) if s):
        return [a or b for a, b in zip_longest(last, joined, fillvalue="")], below
    return joined, below if third is None else chain([third], below)


def _spans(names: list[str]) -> tuple[list[str], list[bool]]:
    """Return names of which empty ones are the one before, and which of them span columns."""
    above = list[str]()
    for name in names:
        above.append(name or (above or [""])[-1])
    times = Counter(above)
    return above, [name != "" and times[name] > 1 for name in above]


def evaluation(named: Named, value: float | None) -> Row:
    """Return a logged number as a row, under the evaluation set and the metric that its name means."""
    return {"eval_set": named[0], "metric": named[1], "value": value}


def mean_with_error(values: Sequence[float]) -> Row:
    """Return ``value`` and ``stderr`` of finite values; no error of one value, or of huge ones.

    Examples
    --------
    >>> mean_with_error([1.0, 3.0])
    {'value': 2.0, 'stderr': 1.0}
    """
    n = len(values)
    try:
        middle = math.fsum(values) / n
    except OverflowError:
        middle = math.fsum(v / n for v in values)
    spread = math.hypot(*(v - middle for v in values))
    error = spread / math.sqrt(n * (n - 1)) if n > 1 else math.inf
    return {"value": middle, "stderr": error if math.isfinite(error) else None}


def cross_entropy(value: float | None) -> Row:
    """Return the row of a cross-entropy; one that is no number stays, so that it is missed."""
    return {"metric": "cross_entropy", "value": value, "unit": TOKEN}


def of_perplexity(perplexity: float) -> Row:
    """Return the row of a perplexity's logarithm.

    A perplexity that is infinite, no number or below 1 belongs to a run that diverged, or is none.

    Examples
    --------
    >>> round(of_perplexity(45.02)["value"], 3), of_perplexity(float("inf"))["value"]
    (3.807, nan)
    """
    usable = 1 - _DUST <= perplexity < math.inf
    return cross_entropy(max(0.0, math.log(perplexity)) if usable else math.nan)


_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def load_json(source: Source) -> Any:
    """Return the JSON document of a file."""
    return parse(source, source.text())


def load_object(source: Source, needed: str) -> dict[str, Any]:
    """Return the JSON object of a file; anything else is not what was needed."""
    document = load_json(source)
    if not isinstance(document, dict):
        raise source.wrong(None, f"is no JSON object; needed {needed}")
    return document


def load_jsons(source: Source) -> list[Any]:
    """Return the JSON documents of a file that holds one, or several one after another."""
    text = source.text().strip()
    _bounded(source, text, 1)
    documents: list[Any] = []
    at = line = 0
    while at < len(text):
        end = _end(text, at)
        documents.append(parse(source, text[at:end], line + 1))
        after = _BETWEEN.match(text, end)
        start, at = at, after.end() if after else end
        line += text.count("\n", start, at)
    return documents


_BETWEEN = re.compile(r"[\s,]*")


def _end(text: str, at: int) -> int:
    """Return where the document that begins at a place ends; the text's end where there is none."""
    try:
        return json.JSONDecoder().raw_decode(text, at)[1]
    except (ValueError, RecursionError):
        return len(text)


def _bounded(source: Source, text: str, line: int) -> None:
    if sum(map(text.count, "[{,")) > LIMITS.values:
        raise source.wrong(line, f"JSON of more than {LIMITS.values} values; needed less at once")


def parse(source: Source, text: str, line: int = 1) -> Any:
    """Return a JSON document; `line` is the line at which the text begins."""
    _bounded(source, text, line)
    try:
        document = json.loads(text)
        if _HALF.search(text):  # halves of characters, which no file holds
            document = json.loads(
                json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
            )
    except json.JSONDecodeError as error:
        raise source.wrong(line + error.lineno - 1, f"no valid JSON: {error.msg}") from error
    except RecursionError as error:
        raise source.wrong(
            line, "JSON nested deeper than Python reads; this is no results file"
        ) from error
    except ValueError as error:
        raise source.wrong(line, f"JSON that cannot be held: {error}") from error
    if not _shallow(document):
        raise source.wrong(line, f"JSON nested deeper than {LIMITS.depth}; this is no results file")
    return document


def _shallow(value: Any) -> bool:
    # Level by level, for recursion would end in the very depth that is looked for.
    level = [value]
    for _ in range(LIMITS.depth):
        level = [v for item in level for v in _inside(item) if isinstance(v, dict | list)]
        if not level:
            return True
    return False


def _inside(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return list(item.values())
    return item if isinstance(item, list) else []


def load_lines(source: Source) -> Iterator[tuple[int, Any]]:
    """Yield (line number, document) for every non-empty line."""
    for number, line in source.lines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, parse(source, line, number)


def first_object(source: Source) -> dict[str, Any]:
    """Return the first line's object for recognition, or an empty one."""
    for line in source.first_lines:
        if line.strip():
            try:
                document = json.loads(line)
            except (ValueError, RecursionError):
                return {}
            return document if isinstance(document, dict) else {}
    return {}
