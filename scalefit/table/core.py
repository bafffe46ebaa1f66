"""The results table: one row is one measured value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalefit.errors import MissingColumnError, TableError
from scalefit.result import html_notes

from . import select
from .build import build
from .cells import is_text, texts
from .shape import to_wide
from .write import write


@dataclass(frozen=True, eq=False)
class Table:
    """A tidy table of measured values, checked.

    Attributes
    ----------
    frame : DataFrame
        One row a value, canonical columns first, unknown columns kept after them.
    notes : tuple of str
        What was left out, turned or renamed on the way in, and why.

    Examples
    --------
    >>> table = as_table({"pretrain_tokens": ["1M", "4M"], "bleu": [21.5, 24.0]})
    >>> table.column("pretrain_tokens")
    array([1000000., 4000000.])
    >>> table.metrics
    ('bleu',)
    """

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        mapping: Mapping[str, str] | None = None,
        allow: Sequence[str] = (),
        metrics: Sequence[str] = (),
    ) -> Table:
        """Check a wide or long frame and return it as a table.

        Parameters
        ----------
        frame : DataFrame
            Long (columns ``metric`` and ``value``) or wide (columns named after metrics).
        mapping : mapping, optional
            Own column name -> canonical name; ``{"bytes/4.2": "pretrain_tokens"}`` divides.
        allow : sequence of str
            Checks to switch off, see :data:`scalefit.table.ALLOWABLE`.
        metrics : sequence of str
            Columns of a wide frame that are metrics though the registry does not know them.

        Raises
        ------
        TableError
            With every problem's row, column, value, need and cure.
        """
        made, notes = build(frame, mapping=mapping, allow=allow, metrics=metrics)
        return cls(made, notes)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.frame)

    def __str__(self) -> str:
        """Return what the table holds, on one line."""
        return select.summary(self.frame, self.notes)

    def __repr__(self) -> str:
        """Return the summary and the first rows."""
        return f"{self}\n{self.frame.head(10).to_string()}"

    def _repr_html_(self) -> str:
        body = self.frame.head(20).to_html(index=False, na_rep="", notebook=True)
        return f"<p><strong>{self}</strong></p>{body}{html_notes(self.notes)}"

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics in the table, sorted."""
        return tuple(str(m) for m in self.unique("metric"))

    def has(self, name: str) -> bool:
        """Return whether a column is there and holds anything."""
        return name in self.frame.columns and bool(self.frame[name].notna().any())

    def column(self, name: str) -> NDArray[Any]:
        """Return a column: float64 (nan where missing), or an object array of str and None.

        Raises
        ------
        MissingColumnError
            Where there is no such column.
        """
        series = self.frame[self._known(name)]
        if not is_text(series):
            return series.to_numpy(dtype=float, na_value=np.nan)
        return np.array([*texts(series), None], dtype=object)[:-1]

    def unique(self, name: str) -> list[Any]:
        """Return a column's distinct values without the missing ones, sorted; counts are ints."""
        return select.unique(self.frame, self._known(name))

    def where(self, **conditions: Any) -> Table:
        """Return the rows that meet all conditions.

        Parameters
        ----------
        **conditions
            Column = value, or a list, tuple or set of values. None means "missing". Counts may
            be written ``"1.5B"``.

        Raises
        ------
        TableError
            For an unknown column or an empty result; says what is there.
        """
        return replace(self, frame=select.where(self.frame, conditions))

    def groups(self, by: Sequence[str]) -> list[tuple[dict[str, Any], Table]]:
        """Return the table in pieces, one for each combination of the columns' values, sorted.

        Rows that were not pretrained (``pretrain_tokens`` 0) belong to every corpus and stand in
        none of the pieces: :meth:`baseline_for` has them. They are kept where ``pretrain_tokens``
        is itself among the columns, or where there are no other rows. A missing key is None; a
        canonical column that the table lacks gives None throughout.
        """
        return [(key, replace(self, frame=part)) for key, part in select.groups(self.frame, by)]

    def baseline_for(self, key: Mapping[str, Any]) -> Table | None:
        """Return the not-pretrained rows of a group's key (any corpus), or None."""
        found = select.baseline(self.frame, key)
        return None if found is None else replace(self, frame=found)

    def wide(self) -> pd.DataFrame:
        """Return one row a run with one column a metric."""
        return to_wide(self.frame)

    def to_csv(self, path: str | Path) -> None:
        """Write the table as CSV."""
        write(self.frame, Path(path), "csv")

    def write(self, path: str | Path) -> None:
        """Write csv, tsv, json, jsonl, parquet or xlsx, by the path's suffix."""
        write(self.frame, Path(path))

    def _known(self, name: str) -> str:
        if name not in self.frame.columns:
            raise MissingColumnError(select.no_column(self.frame, name))
        return name


def as_table(
    data: Table | pd.DataFrame | Mapping[str, Any],
    *,
    mapping: Mapping[str, str] | None = None,
    allow: Sequence[str] = (),
    metrics: Sequence[str] = (),
) -> Table:
    """Return data as a checked table; a table comes back as it is.

    Parameters
    ----------
    data : Table, DataFrame or mapping of columns
        What the user has.
    mapping, allow, metrics
        See :meth:`Table.from_frame`.

    Examples
    --------
    >>> table = as_table({"tokens": ["1M", "4M"], "BLEU": [21.5, 24.0]}, mapping={"tokens": "pretrain_tokens"})
    >>> table.metrics, len(table)
    (('bleu',), 2)
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, Mapping):
        data = _frame(data)
    if not isinstance(data, pd.DataFrame):
        raise TableError(
            f"found a {type(data).__name__}; needed a Table, a DataFrame or a mapping of columns. "
            "Try: scalefit.read(path) for files"
        )
    return Table.from_frame(data, mapping=mapping, allow=allow, metrics=metrics)


def _frame(data: Mapping[str, Any]) -> pd.DataFrame:
    try:
        return pd.DataFrame(dict(data))
    except ValueError as error:
        raise TableError(f"the columns do not form a table: {error}") from error
