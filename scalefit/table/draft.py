"""A table in the making: cells as they come (text, numbers, missing marks), where each row stands, what was noted."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalefit.errors import TableError
from scalefit.types import Floats, Ints, Mask
from scalefit.units import parse_count, some, whole

Cells = NDArray[Any]
"""Numbers and truth values of one column as numpy has them, all else as objects."""

MISSING = frozenset({"", "--", "-", "n/a", "na", "null"})
"""Cells that mean "not there", compared in lower case."""
UNMEASURED = MISSING | frozenset(
    "nan none #n/a <na> n.a. — – ? tbd oom diverged failed crashed".split()  # noqa: SIM905
)
"""Cells that mean it in a column of numbers; as texts they may be names (the corpus ``none``)."""
_UNHELD = re.compile("[\0\ud800-\udfff]")
_WHOLE = 2**53
_TRUTH = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
_SHOWN = 12
"""How many problems an error spells out before it counts the rest."""


def column(cells: Sequence[Any]) -> Cells:
    """Return cells as a column, whatever they are: a list in a cell makes no second axis."""
    held = np.empty(len(cells), dtype=object)
    held[:] = cells
    return held


def plain_cells(series: pd.Series[Any] | pd.Index[Any]) -> Cells:
    """Return what a column of pandas holds.

    Everything after this works on plain arrays: a call of pandas costs as much as a thousand cells.
    """
    kind, numpys = series.dtype.kind, isinstance(series.dtype, np.dtype)
    if kind in "iufbc" and (numpys or not series.hasnans):
        return series.to_numpy(dtype=None if numpys else getattr(series.dtype, "numpy_dtype", None))
    if isinstance(series.dtype, pd.StringDtype):  # equal texts become one object
        codes, texts = pd.factorize(series)
        return np.array([*texts, None], dtype=object)[codes]
    return series.to_numpy(dtype=object)


def is_text(cells: Cells | pd.Series[Any]) -> bool:
    """Return whether a column may hold texts (neither numbers nor truth values)."""
    return cells.dtype.kind not in "iufbc"


def is_missing(value: Any, spelled: Collection[str] = MISSING) -> bool:
    """Return whether a cell means "not there"."""
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, str):
        return value.strip().lower() in spelled
    return isinstance(value, float) and value != value


def coded(cells: Cells) -> tuple[list[Any], Ints]:
    """Return cells, and which of them each row has: distinct ones where all are texts.

    What a text means is worked out once, however often it stands there; a table of a million rows
    has few tasks and seeds. Of mixed cells each stands for itself, for 1, 1.0 and True are equal.
    """
    cells = cells.astype(object, copy=False)
    try:
        codes, texts = pd.factorize(cells)
    except TypeError:  # lists and the like
        return list(cells), np.arange(len(cells))
    if len(texts) and pd.api.types.infer_dtype(texts, skipna=False) != "string":
        return list(cells), np.arange(len(cells))
    return [*texts, None], np.asarray(codes, dtype=np.int64)  # -1, what is missing, is the last


def missing(cells: Cells) -> Mask:
    """Return where a column of numbers has none."""
    if not is_text(cells):
        return np.asarray(np.isnan(cells), dtype=bool)
    values, codes = coded(cells)
    return np.array([is_missing(v, UNMEASURED) for v in values], dtype=bool)[codes]


def numbers(cells: Cells, parse: Callable[[str], float | None]) -> tuple[Floats, Mask]:
    """Return a column as floats (nan where missing), and where its cells are no numbers."""
    if cells.dtype.kind == "c":
        return np.full(len(cells), np.nan), np.ones(len(cells), dtype=bool)
    if not is_text(cells):
        return cells.astype(float), np.zeros(len(cells), dtype=bool)
    told, codes = coded(cells)
    values = [_number(v, parse) for v in told]
    bad = [v is None and not is_missing(c, UNMEASURED) for v, c in zip(values, told, strict=True)]
    return np.array(values, dtype=float)[codes], np.array(bad, dtype=bool)[codes]


def _number(value: Any, parse: Callable[[str], float | None]) -> float | None:
    if isinstance(value, str):
        return parse(value)
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def count_cell(text: str) -> float | None:
    """Return the count a cell means; ``inf`` is kept, to be refused with its row."""
    count = parse_count(text)
    return count if count is not None else number_cell(text)


def number_cell(text: str) -> float | None:
    """Return the number a cell means, or None."""
    try:
        return float(text)
    except ValueError:
        return None


def texts(cells: Cells) -> Cells:
    """Return a column as stripped texts; 3.0 becomes ``3``, and missing cells None."""
    values, codes = coded(cells)
    return column([None if is_missing(v) else plain_text(str(whole(v))) for v in values])[codes]


def plain_text(text: str) -> str:
    """Return text as every file format holds it: stripped, without NUL and halves of characters."""
    return _UNHELD.sub("\ufffd", text.strip())


def guess(cells: Cells) -> Cells:
    """Return an unknown column as floats where every cell there is one, else as texts.

    Whole numbers that no float holds (identifiers) stay texts, so that every file gives them back.
    """
    values, bad = numbers(cells, _number_or_truth)
    plain = not (bad.any() or np.isinf(values).any())
    if not is_text(cells):
        whole = cells.dtype.kind in "iu" and np.abs(values).max(initial=0) > _WHOLE
        return values if plain and not whole else texts(cells)
    told, _ = coded(cells)
    if any(isinstance(v, list | dict | tuple | set) for v in told):
        return column([None if is_missing(v) else plain_text(str(v)) for v in cells])
    if plain and not np.isnan(values).all() and not any(map(_too_whole, told)):
        return values
    return texts(cells)


def _too_whole(value: Any) -> bool:
    """Return whether a cell is a whole number beyond what floats count one by one."""
    if isinstance(value, str):
        value = value.strip()
        return value.lstrip("+-").isdecimal() and len(value) > 15 and abs(int(value[:40])) > _WHOLE
    return isinstance(value, int) and abs(value) > _WHOLE


def _number_or_truth(text: str) -> float | None:
    known = _TRUTH.get(text.strip().lower())
    return known if known is not None else number_cell(text)


@dataclass(frozen=True)
class BrokenRule:
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


@dataclass
class Draft:
    """Rows on their way into a table.

    Attributes
    ----------
    cells : dict of str to (n,) array; the columns so far, in their order.
    origin : (n,) int64; the original row of each row.
    place : where an original row stands, for messages: ``results.csv:12`` or ``row 3``.
    notes, problems : what was done to the data, and what is wrong with it.
    allow : frozenset of str; checks that the user has switched off.
    wide : metric -> the column that it was read from, of a table with one column a metric.
    """

    cells: dict[str, Cells]
    origin: Ints
    place: Callable[[int], str] = "row {}".format
    notes: list[str] = field(default_factory=list)
    problems: list[BrokenRule] = field(default_factory=list)
    allow: frozenset[str] = frozenset()
    wide: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, cells: Mapping[str, Cells], place: Callable[[int], str], notes: Iterable[str] = ()
    ) -> Draft:
        """Return columns of cells as they came, and where each row stands."""
        rows = len(next(iter(cells.values()), ()))
        return cls(dict(cells), np.arange(rows), place, list(notes))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.origin)

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
        """Note a problem for every marked row; ``told`` words its cell."""
        for i in np.flatnonzero(rows).tolist():
            theirs = column
            if column == "value" and self.wide:  # of a row that nobody has written
                theirs = self.wide.get(str(self.cells["metric"][i]), column)
            self.problems.append(BrokenRule(self.label(i), theirs, told(i), needed, hint))

    def keep(self, rows: Mask) -> None:
        """Keep the marked rows only."""
        self.cells = {name: cells[rows] for name, cells in self.cells.items()}
        self.origin = self.origin[rows]

    def has(self, column: str) -> bool:
        """Return whether the column is there."""
        return column in self.cells

    def rename(self, own: str, ours: str) -> None:
        """Call a column otherwise; it keeps its place."""
        self.cells = {ours if n == own else n: cells for n, cells in self.cells.items()}

    def some(self, rows: Mask, limit: int = 3) -> str:
        """Return the places of the marked rows, the first few of them by name."""
        return some(map(self.place, self.written(rows)), limit)

    def written(self, rows: Mask) -> list[int]:
        """Return the rows, as somebody wrote them, of the marked ones: a wide row holds several metrics."""
        return [int(row) for row in np.unique(self.origin[rows])]

    def raise_problems(self) -> None:
        """Raise one TableError that lists all problems; do nothing where there are none."""
        rules: dict[tuple[str, str, str], list[BrokenRule]] = {}
        for problem in self.problems:
            rules.setdefault((problem.column, problem.needed, problem.hint), []).append(problem)
        lines = []
        # A whole column on another scale is one mistake: told once, with its rows.
        for first, *others in list(rules.values())[:_SHOWN]:
            same = f" (and so in {some([p.row for p in others], 3)})" if others else ""
            lines.append(f"{first}{same}")
        if len(rules) > _SHOWN:
            lines.append(f"and {len(rules) - _SHOWN} more")
        if len(lines) == 1:
            raise TableError(lines[0])
        if lines:
            raise TableError(
                f"{len(self.problems)} problems in the table:\n  " + "\n  ".join(lines)
            )
