"""Cells in columns: what all readers' rows become, in one place, before a table is made of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalefit.table.cells import whole_text

from .limits import LIMITS, TooMuchError

Row = dict[str, Any]
Cells = NDArray[Any]
PLACE = "@place"
"""Field of a row that says where it stands; other fields that begin with ``@`` are for the readers alone."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """Equally long columns of cells as a reader found them.

    Attributes
    ----------
    columns : mapping of str to (n,) object
        Column by name; None where a row has no such cell.
    places : sequence of str
        Where each row stands: ``results.csv:12``.
    shapes : mapping
        The sets of columns that rows came with -> the place of the first row of each.
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

    def frame(self) -> pd.DataFrame:
        """Return the cells as they are, with each row's place as its ``source`` where it names none."""
        own = self.columns.get("source", np.full(len(self), None))
        source = column([cell or place for cell, place in zip(own, self.places, strict=True)])
        cells = {**self.columns, "source": source}
        return pd.DataFrame({whole_text(n): c for n, c in cells.items()}, dtype=object)


def column(cells: Sequence[Any]) -> Cells:
    """Return cells as a column, whatever they are: a list in a cell makes no second axis."""
    held = np.empty(len(cells), dtype=object)
    held[:] = cells
    return held


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
