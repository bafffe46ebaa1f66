"""Pieces of a table: conditions, groups, the rows without pretraining."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalefit.errors import MissingColumnError, TableError
from scalefit.groups import did_you_mean
from scalefit.types import Ints, Mask
from scalefit.units import counted

from .columns import COLUMNS, KNOWN, NO_CORPUS, Columns
from .draft import listed
from .names import meaning

_SHOWN = 12
_OF_PRETRAINING = ("corpus", "pretrain_tokens", "pretrain_run", "pretrain_seed", "unique_tokens")
_SPARED = ("corpus", "pretrain_tokens", "unique_tokens")
"""Filters on these leave the rows without pretraining, which belong to every corpus and size."""


def no_column(columns: Columns, name: str) -> MissingColumnError:
    """Return the error for a column that is not there."""
    there = list(columns.named)
    hint = did_you_mean(name, there) or f". Try mapping={{'yours': {name!r}}}"
    return MissingColumnError(f"the table has no column {name!r} (columns: {listed(there)}){hint}")


def column_of(columns: Columns, name: str) -> str:
    """Return the column that is called so, or was in the user's own table (``Dataset``); or raise."""
    if name in columns.named:
        return name
    ours = meaning(str(name))
    if ours is None or ours not in columns.named:
        raise no_column(columns, name)
    return ours


def unique(columns: Columns, name: str, rows: Ints) -> list[Any]:
    """Return the distinct non-missing values of a column, sorted."""
    column = columns.named[name]
    return [column.levels[i] for i in np.unique(column.codes[rows]) if i]


def where(columns: Columns, rows: Ints, conditions: Mapping[str, Any]) -> Ints:
    """Return the rows that meet all conditions, or raise what is there instead."""
    if not conditions:
        return rows
    kept = np.ones(len(rows), dtype=bool)
    for name, wanted in conditions.items():
        name = column_of(columns, name)
        met = columns.named[name].meets(wanted, rows)
        if not (kept & met).any():
            raise TableError(_nothing(columns, rows, conditions, name))
        kept &= met | _spared(columns, rows, name, wanted, met)
    return rows[kept]


def _spared(columns: Columns, rows: Ints, name: str, wanted: Any, met: Mask) -> Mask:
    """Return the rows without pretraining that a filter on corpus or size is not about."""
    if name not in _SPARED or "pretrain_tokens" not in columns.named:
        return np.zeros(len(rows), dtype=bool)
    unpretrained = np.asarray(columns.named["pretrain_tokens"].values[rows] == 0)
    if name == "corpus":
        return _of_corpus(columns, rows, met)
    about_none = isinstance(wanted, str) and wanted.replace(" ", "") in (">0", "!=0")
    return unpretrained & (not about_none)


def _of_corpus(columns: Columns, rows: Ints, mine: Mask) -> Mask:
    """Return the unpretrained rows of a corpus: its own and those of none; else everybody's."""
    unpretrained = np.asarray(columns.named["pretrain_tokens"].values[rows] == 0)
    corpus = columns.named["corpus"]
    of_none = np.array([v is None or str(v).lower() in NO_CORPUS for v in corpus.levels])
    near = unpretrained & (mine | of_none[corpus.codes[rows]])
    return near if near.any() else unpretrained


def _nothing(columns: Columns, rows: Ints, conditions: Mapping[str, Any], name: str) -> str:
    there = unique(columns, name, rows)
    shown = ", ".join(map(str, there[:_SHOWN])) + (", …" if len(there) > _SHOWN else "")
    asked = ", ".join(f"{k}={v!r}" for k, v in conditions.items())
    wanted = conditions[name][0] if isinstance(conditions[name], list) else conditions[name]
    hint = did_you_mean(wanted, map(str, there)) if isinstance(wanted, str) else ""
    if name == "pretrain_tokens":
        hint += ". Try: one of these sizes; for a size that nobody has run, sf.rank(data, at=…) compares forecasts"
    return f"no row has {asked}: column {name!r} holds {shown or 'nothing'}{hint}"


def groups(columns: Columns, rows: Ints, by: Sequence[str]) -> list[tuple[dict[str, Any], Ints]]:
    """Return (key, rows) pairs in sorted order."""
    names = [by] if isinstance(by, str) else list(by)
    names = [name if name in KNOWN else column_of(columns, name) for name in names]
    rows = pretrained(columns, rows) if "pretrain_tokens" not in names else rows
    labels = columns.labels(names, rows)
    order = np.argsort(labels, kind="stable")
    parts = np.split(rows[order], np.cumsum(np.bincount(labels))[:-1])
    return [(_key(columns, names, int(part[0])), part) for part in parts if len(part)]


def _key(columns: Columns, names: Sequence[str], row: int) -> dict[str, Any]:
    there = columns.named
    return {n: there[n].levels[there[n].codes[row]] if n in there else None for n in names}


def pretrained(columns: Columns, rows: Ints) -> Ints:
    """Return the rows with pretraining, or all where there are no others."""
    if "pretrain_tokens" not in columns.named:
        return rows
    above = rows[columns.named["pretrain_tokens"].values[rows] != 0]
    return above if len(above) else rows


def baseline(columns: Columns, rows: Ints, key: Mapping[str, Any]) -> Ints:
    """Return the rows without pretraining that belong to a group."""
    if "pretrain_tokens" not in columns.named:
        return rows[:0]
    rows = rows[columns.named["pretrain_tokens"].values[rows] == 0]
    for name, value in key.items():
        if name in columns.named and name not in _OF_PRETRAINING:
            column = columns.named[name]
            every = name not in COLUMNS and ~column.there[rows]  # a setting of pretraining alone
            rows = rows[column.meets(value, rows) | every]
    corpus = key.get("corpus")
    if corpus is None or "corpus" not in columns.named:
        return rows
    return rows[_of_corpus(columns, rows, columns.named["corpus"].meets(corpus, rows))]


def summary(columns: Columns, rows: Ints, notes: Sequence[str]) -> str:
    """Return one line: rows, metrics, and how many of each key column."""
    parts = [counted(len(rows), "row")]
    if "metric" in columns.named:
        parts.append("metrics " + ", ".join(unique(columns, "metric", rows)))
    for name in COLUMNS[:10]:
        if name in columns.named and len(there := unique(columns, name, rows)) > 1:
            parts.append(f"{name} × {len(there)}")
    if notes:
        parts.append(f"{len(notes)} notes")
    return "Table: " + "; ".join(parts)
