"""What a table covers: how many runs there are of each group at each size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scalefit.groups import group_columns
from scalefit.result import Row
from scalefit.units import format_count

from .runs import runs_of

if TYPE_CHECKING:
    from .core import Table

MOST_ROWS, MOST_SIZES = 40, 10
EVALUATION = ("domain", "eval_set")
"""Columns that say where a run was measured, and make no other run of it."""


def coverage(table: Table) -> list[Row]:
    """Return one row a group, one column a pretraining size, and in each cell its runs: seeds of both stages.

    Where groups are many, columns that make them are taken together from the last one on; where sizes are many, each
    group says how many and from where to where.

    Examples
    --------
    >>> from scalefit.table import as_table
    >>> seeds = as_table({"corpus": ["fr"] * 3 + ["en"], "pretrain_tokens": [1e6, 1e6, 4e6, 4e6],
    ...                   "pretrain_seed": [1, 2, 1, 1], "bleu": [20.1, 20.7, 22.4, 21.0]})
    >>> coverage(seeds)
    [{'corpus': 'en', '1M': '–', '4M': '1'}, {'corpus': 'fr', '1M': '2', '4M': '1'}]
    """
    if not table.has("pretrain_tokens"):
        return []
    columns = [
        name
        for name in group_columns(table, None)
        if name not in EVALUATION and len(table.unique(name)) > 1
    ]
    while columns and table.labels(columns).max(initial=0) >= MOST_ROWS:
        columns.pop()
    groups = table.groups([*columns, "pretrain_tokens"])
    cells: dict[tuple[Any, ...], dict[float, str]] = {}
    for key, rows in groups:
        group = tuple(key[name] for name in columns)
        size = key["pretrain_tokens"]
        if size is not None:
            cells.setdefault(group, {})[float(size)] = _seeds(rows)
    sizes = sorted({size for row in cells.values() for size in row})
    return [
        {**dict(zip(columns, group, strict=True)), **_of_sizes(row, sizes)}
        for group, row in cells.items()
    ]


def _of_sizes(row: dict[float, str], sizes: list[float]) -> Row:
    if len(sizes) <= MOST_SIZES:
        return {format_count(size): row.get(size, "–") for size in sizes}
    low, high = (format_count(end(row)) for end in (min, max))
    return {"sizes": len(row), "from": low, "to": high, "runs": _spanned(list(row.values()))}


def _spanned(counts: list[str]) -> str:
    there = list(dict.fromkeys(counts))
    return there[0] if len(there) == 1 else f"{there[0]} … {there[-1]}"


def _seeds(rows: Table) -> str:
    """Return how many pretraining runs, and times how many finetunings where there are more."""
    runs = runs_of(rows)
    pretrained = np.unique(runs.run).size
    if not rows.has("finetune_seed"):
        return str(pretrained)
    finetunings = np.unique(rows.column("finetune_seed")[rows.labels(["metric"]) == 0]).size
    return str(pretrained) if finetunings == 1 else f"{pretrained} × {finetunings}"
