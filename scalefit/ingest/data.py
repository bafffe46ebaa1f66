"""What a user has becomes a table: a path, a frame, a table or a mapping, at every door alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from scalefit.table import Table, as_table

from .read import read

PRETRAINING = ("pretrain_tokens",)


def table_of(
    data: Any,
    *,
    mapping: Mapping[str, str] | None = None,
    where: Mapping[str, Any] | None = None,
    allow: Sequence[str] = (),
    metrics: Sequence[str] = (),
    needs: Collection[str] = PRETRAINING,
) -> Table:
    """Return what a user has as a checked table, cut to the rows asked for.

    Parameters
    ----------
    data : path, DataFrame, Table or mapping of columns
        Results, long or wide. A path is read, see :func:`scalefit.read`.
    mapping : mapping, optional
        Own name -> canonical name, for columns and metrics.
    where : mapping, optional
        Column -> condition, see :meth:`scalefit.Table.where`.
    allow : sequence of str
        Checks to switch off, see :data:`scalefit.table.ALLOWABLE`.
    metrics : sequence of str
        Metrics asked for: a column of that name is one, though the registry does not know it.
    needs : collection of str
        Columns that the question needs; without ``pretrain_tokens`` among them the data may lack it.

    Raises
    ------
    TableError
        The data are no table, break a rule, or hold no such rows.
    FormatError
        The file cannot be read.

    Examples
    --------
    >>> data = {"pretrain_tokens": ["1M", "4M", "16M"], "BLEU": [21.5, 24.0, 25.2]}
    >>> len(table_of(data, where={"pretrain_tokens": ">=4M"}))
    2
    """
    free = () if "pretrain_tokens" in needs else ("no_pretrain_tokens",)
    allowed = (*([allow] if isinstance(allow, str) else allow), *free)
    if _is_path(data):
        table = read(data, mapping=mapping, allow=allowed, metrics=metrics, inputs=needs)
    else:
        table = as_table(data, mapping=mapping, allow=allowed, metrics=metrics, inputs=needs)
    return table.where(**where) if where else table


def _is_path(data: Any) -> bool:
    if isinstance(data, list | tuple):
        return bool(data) and all(isinstance(one, str | Path) for one in data)
    return isinstance(data, str | Path)
