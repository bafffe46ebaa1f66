"""The results table: one row is one measured value."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalefit.errors import TableError
from scalefit.groups import meant, spelling
from scalefit.result import html_notes, html_verdict
from scalefit.rows import html_table, text_table
from scalefit.types import Ints

from .build import build, drafted
from .columns import Columns
from .metrics import canonical
from .metrics import metric as metric_of
from .runs import coverage
from .write import to_wide, write


@dataclass(frozen=True, eq=False)
class Table:
    """A tidy table of measured values, checked.

    Attributes
    ----------
    columns : Columns; the columns of the table that this one was cut from; pieces of a table share them.
    rows : (n,) int64; which of their rows these are.
    notes : what was left out, turned or renamed on the way in, and why.

    Examples
    --------
    >>> table = as_table({"pretrain_tokens": ["1M", "4M"], "bleu": [21.5, 24.0]})
    >>> table.column("pretrain_tokens")
    array([1000000., 4000000.])
    >>> table.metrics
    ('bleu',)
    """

    columns: Columns
    rows: Ints
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, columns: Columns, notes: Sequence[str] = ()) -> Table:
        """Return checked columns, all their rows, as a table."""
        return cls(columns, np.arange(len(columns)), tuple(notes))

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        mapping: Mapping[str, str] | None = None,
        allow: Sequence[str] = (),
        metrics: Sequence[str] = (),
        inputs: Collection[str] = (),
    ) -> Table:
        """Check a wide or long frame and return it as a table.

        Parameters
        ----------
        frame : DataFrame; long (columns ``metric`` and ``value``) or wide (columns named after metrics).
        mapping : mapping, optional; own column name -> canonical name; ``{"bytes/4.2": "pretrain_tokens"}`` divides.
        allow : checks to switch off, see :data:`scalefit.table.ALLOWABLE`.
        metrics : columns of a wide frame that are metrics though the registry does not know them.
        inputs : columns of a wide frame that are inputs of a law though they are named after a metric.

        Raises TableError: with every problem's row, column, value, need and cure.
        """
        draft = drafted(frame, metrics)
        made = build(draft, mapping=mapping, allow=allow, metrics=metrics, inputs=inputs)
        return cls.of(*made)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row a value, canonical columns first, unknown columns kept after them."""
        return self.columns.frame(self.rows)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process with the rows that it has, not with all it was cut from."""
        return Table.of, (self.columns.only(self.rows), self.notes)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def __str__(self) -> str:
        """Return what the table holds, on one line."""
        return self.columns.summary(self.rows, self.notes)

    def __repr__(self) -> str:
        """Return the summary, and how many runs there are of each group at each size."""
        covered = text_table(coverage(self))
        return "\n".join([str(self), *(f"  {line}" for line in (covered or self._head()))])

    def _repr_html_(self) -> str:
        covered = coverage(self)
        body = (
            html_table(covered, caption="runs (pretraining × finetuning seeds) by size")
            if covered
            else self.frame.head(20).to_html(index=False, na_rep="", notebook=True)
        )
        return html_verdict(str(self)) + body + html_notes(self.notes)

    def _head(self) -> list[str]:
        return self.frame.head(10).to_string().splitlines()

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Metrics in the table, sorted."""
        return tuple(str(m) for m in self.unique("metric"))

    def metric(self, name: str) -> str:
        """Return how the table spells a metric.

        Raises TableError: the table does not have it.
        """
        plain = canonical(name)
        loss = metric_of(plain).is_loss
        # Those of its kind first: who misses a loss means the other one, not BLEU.
        return meant(plain, sorted(self.metrics, key=lambda m: metric_of(m).is_loss != loss))

    def spelled(self, name: str) -> str:
        """Return how the table spells a metric, or the registry where the table lacks it."""
        plain = canonical(name)
        return next((m for m in self.metrics if spelling(m) == spelling(plain)), plain)

    def has(self, name: str) -> bool:
        """Return whether a column is there and holds anything."""
        column = self.columns.named.get(name)
        return column is not None and bool(column.there[self.rows].any())

    def column(self, name: str) -> NDArray[Any]:
        """Return a column: float64 (nan where missing), or an object array of str and None.

        Raises MissingColumnError: where there is no such column.
        """
        return self.columns.named[self.columns.called(name)].values[self.rows]

    def unique(self, name: str) -> list[Any]:
        """Return a column's distinct values without the missing ones, sorted; counts are ints."""
        return self.columns.unique(self.columns.called(name), self.rows)

    def labels(self, names: Sequence[str]) -> Ints:
        """Return one number (n,) for each combination of the columns' values, from 0 on.

        Missing cells are alike; a column that is not there tells nothing apart.
        """
        return self.columns.labels(names, self.rows)

    def where(self, **conditions: Any) -> Table:
        """Return the rows that meet all conditions.

        Rows without pretraining (``pretrain_tokens`` 0) belong to every corpus and size: filters
        on these keep them, unless the filter itself is about 0 (``pretrain_tokens=">0"``).

        Parameters
        ----------
        **conditions : column = a value; a list or set of values; a range ``(low, high)`` or ``"5B..50B"``, ends
            included; ``"<=5e9"``; ``"!=none"``. None means "missing". Counts may be written ``"1.5B"``. A metric may be
            spelled in any way.

        Raises TableError: for an unknown column or an empty result; says what is there.

        Examples
        --------
        >>> table = as_table({"pretrain_tokens": ["0", "1M", "4M"], "bleu": [9.2, 21.5, 24.0]})
        >>> table.where(pretrain_tokens="<=1M").column("value")
        array([ 9.2, 21.5])
        """
        if "metric" in conditions:
            conditions["metric"] = self._spelled(conditions["metric"])
        return self._of_rows(self.columns.where(self.rows, conditions))

    def _spelled(self, wanted: Any) -> Any:
        if isinstance(wanted, str):
            return wanted if wanted.startswith("!=") else self.metric(wanted)
        return [self._spelled(w) for w in wanted] if isinstance(wanted, Iterable) else wanted

    def groups(self, by: Sequence[str]) -> list[tuple[dict[str, Any], Table]]:
        """Return the table in pieces, one for each combination of the columns' values, sorted.

        Rows that were not pretrained (``pretrain_tokens`` 0) belong to every corpus and stand in none of the pieces:
        :meth:`baseline_for` has them. They are kept where ``pretrain_tokens`` is itself among the columns, or where
        there are no other rows. A missing key is None; a canonical column that the table lacks gives None throughout.
        """
        pieces = self.columns.groups(self.rows, by)
        return [(key, self._of_rows(rows)) for key, rows in pieces]

    def pretrained(self) -> Table:
        """Return the rows with pretraining, or all where there are no others."""
        return self._of_rows(self.columns.pretrained(self.rows))

    def baseline_for(self, key: Mapping[str, Any]) -> Table | None:
        """Return the not-pretrained rows of a group's key (any corpus), or None."""
        rows = self.columns.baseline(self.rows, key)
        return self._of_rows(rows) if len(rows) else None

    def _of_rows(self, rows: Ints) -> Table:
        return Table(self.columns, rows, self.notes)

    def wide(self) -> pd.DataFrame:
        """Return one row a run with one column a metric."""
        return to_wide(self.frame)

    def to_csv(self, path: str | Path) -> None:
        """Write the table as CSV."""
        write(self.frame, Path(path), "csv")

    def write(self, path: str | Path) -> None:
        """Write csv, tsv, json, jsonl, parquet or xlsx, by the path's suffix."""
        write(self.frame, Path(path))


def as_table(
    data: Any,
    *,
    mapping: Mapping[str, str] | None = None,
    allow: Sequence[str] = (),
    metrics: Sequence[str] = (),
    inputs: Collection[str] = (),
) -> Table:
    """Return data as a checked table; a table comes back as it is, unless it is renamed.

    Parameters
    ----------
    data : Table, frame or mapping of columns
        What the user has; frames of pandas, polars, pyarrow and whatever else narwhals knows.
    mapping, allow, metrics, inputs : see :meth:`Table.from_frame`.

    Examples
    --------
    >>> table = as_table({"tokens": ["1M", "4M"], "BLEU": [21.5, 24.0]}, mapping={"tokens": "pretrain_tokens"})
    >>> table.metrics, len(table)
    (('bleu',), 2)
    """
    if isinstance(data, Table):
        if not mapping:
            return data
        again = Table.from_frame(data.frame, mapping=mapping, allow=allow)
        return replace(again, notes=tuple(dict.fromkeys((*data.notes, *again.notes))))
    return Table.from_frame(
        as_frame(data), mapping=mapping, allow=allow, metrics=metrics, inputs=inputs
    )


def as_frame(data: Any) -> pd.DataFrame:
    """Return a frame of any library, or a mapping of columns, as a frame of pandas.

    Raises TableError: it is neither.

    Examples
    --------
    >>> as_frame({"pretrain_tokens": [1e6], "bleu": [21.5]}).shape
    (1, 2)
    """
    frame = _frame(data) if isinstance(data, Mapping) else as_pandas(data)
    if frame is None:
        kind = "None" if data is None else f"a {type(data).__name__}"
        raise TableError(
            f"found {kind}; needed a Table, a DataFrame, a mapping of columns or the path of a file. "
            "Try: scalefit.read(path) for files, pandas.DataFrame(rows) for rows"
        )
    return frame


def as_pandas(data: Any) -> pd.DataFrame | None:
    """Return a frame of any library that narwhals knows as one of pandas, None where it is no frame.

    Cells come as Python holds them, so that no second library (pyarrow) is needed, and are judged like
    those of a file. What is lazy is computed.

    Examples
    --------
    >>> import pyarrow
    >>> as_pandas(pyarrow.table({"pretrain_tokens": [1e6, 4e6], "bleu": [21.5, None]}))["bleu"].tolist()
    [21.5, nan]
    >>> as_pandas([1, 2]) is None
    True
    """
    if isinstance(data, pd.DataFrame):
        return data  # as it is: other libraries have no index and no levels of columns
    import narwhals as nw  # here, for most tables need none of it

    frame = nw.from_native(data, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, nw.DataFrame):
        return None
    return pd.DataFrame({column.name: column.to_list() for column in frame.iter_columns()})


def _frame(data: Mapping[str, Any]) -> pd.DataFrame:
    alone = [name for name, cells in data.items() if np.ndim(cells) == 0]
    if alone:
        raise TableError(
            f"column {alone[0]!r} is {data[alone[0]]!r}; needed a list, one value a row"
        )
    try:
        return pd.DataFrame(dict(data))
    except ValueError as error:
        raise TableError(f"the columns do not form a table: {error}") from error
