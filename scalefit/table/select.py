"""Pieces of a table: conditions, groups, distinct values, the baseline rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scalefit.errors import MissingColumnError, TableError
from scalefit.units import parse_count

from .cells import Mask, is_missing, is_text
from .columns import COLUMNS, COUNTS, KNOWN, NO_CORPUS, SEEDS
from .problems import listed

SHOWN = 12
_NOT_BASELINE = ("corpus", "pretrain_tokens", "pretrain_run", "pretrain_seed", "unique_tokens")


def plain(name: str, value: Any) -> Any:
    """Return a cell as a plain Python value: None, int (counts, seeds), float or str."""
    if is_missing(value):
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | float | np.number):
        number = float(value)
        whole = name in COUNTS + SEEDS and number.is_integer()
        return int(number) if whole else number
    return str(value)


def rank(value: Any) -> tuple[int, float, str]:
    """Return a sort key over None, numbers and texts, in that order."""
    if value is None:
        return (0, 0.0, "")
    return (1, float(value), "") if isinstance(value, int | float) else (2, 0.0, str(value))


def unique(frame: pd.DataFrame, name: str) -> list[Any]:
    """Return the distinct non-missing values of a column, sorted."""
    found = {plain(name, v) for v in frame[name].unique()}
    return sorted(found - {None}, key=rank)


def no_column(frame: pd.DataFrame, name: str) -> str:
    """Return the message for a column that is not there."""
    there = listed(frame.columns)
    return f"the table has no column {name!r} (columns: {there}). Try mapping={{'yours': {name!r}}}"


def where(frame: pd.DataFrame, conditions: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows that meet all conditions, or raise what is there instead."""
    kept = np.ones(len(frame), dtype=bool)
    for name, wanted in conditions.items():
        if name not in frame.columns:
            raise MissingColumnError(no_column(frame, name))
        kept &= matches(frame, name, wanted)
        if not kept.any():
            raise TableError(_nothing(frame, conditions, name))
    return frame[kept].reset_index(drop=True)


def matches(frame: pd.DataFrame, name: str, wanted: Any) -> Mask:
    """Return which rows have one of the wanted values in a column."""
    series = frame[name]
    many = wanted if isinstance(wanted, list | tuple | set | frozenset | np.ndarray) else [wanted]
    values = [_wanted(name, v, text=is_text(series)) for v in many]
    found = np.asarray(series.isin([v for v in values if v is not None]), dtype=bool)
    return found | np.asarray(series.isna(), dtype=bool) if None in values else found


def _wanted(name: str, value: Any, *, text: bool) -> Any:
    if is_missing(value):
        return None
    if text:
        return str(plain(name, value))
    parsed = parse_count(value) if isinstance(value, str) else value
    return value if parsed is None else float(parsed)


def _nothing(frame: pd.DataFrame, conditions: Mapping[str, Any], name: str) -> str:
    there = unique(frame, name)
    shown = ", ".join(map(str, there[:SHOWN])) + (", …" if len(there) > SHOWN else "")
    asked = ", ".join(f"{k}={v!r}" for k, v in conditions.items())
    return f"no row has {asked}: column {name!r} holds {shown or 'nothing'}"


def groups(frame: pd.DataFrame, by: Sequence[str]) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    """Return (key, rows) pairs in sorted order."""
    names = [by] if isinstance(by, str) else list(by)
    for name in names:
        if name not in frame.columns and name not in KNOWN:
            raise MissingColumnError(no_column(frame, name))
    frame = _pretrained(frame, names)
    there = [n for n in names if n in frame.columns]
    if not there:
        return [(dict.fromkeys(names), frame)] if len(frame) else []
    found = []
    for values, part in frame.groupby(there, dropna=False, sort=False):
        key = dict.fromkeys(names) | {n: plain(n, v) for n, v in zip(there, values, strict=True)}
        found.append((key, part.reset_index(drop=True)))
    return sorted(found, key=lambda pair: [rank(pair[0][n]) for n in names])


def _pretrained(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    if "pretrain_tokens" not in frame.columns or "pretrain_tokens" in names:
        return frame
    rows = frame[frame["pretrain_tokens"] != 0]
    return rows if len(rows) else frame


def baseline(frame: pd.DataFrame, key: Mapping[str, Any]) -> pd.DataFrame | None:
    """Return the rows without pretraining that belong to a group, or None."""
    if "pretrain_tokens" not in frame.columns:
        return None
    kept = np.array(frame["pretrain_tokens"] == 0, dtype=bool)
    for name, value in key.items():
        if name in frame.columns and name not in _NOT_BASELINE:
            kept &= matches(frame, name, value)
    if "corpus" in frame.columns and key.get("corpus") is not None:
        kept &= _any_corpus(frame["corpus"]) | matches(frame, "corpus", key["corpus"])
    return frame[kept].reset_index(drop=True) if kept.any() else None


def _any_corpus(series: pd.Series[Any]) -> Mask:
    return np.array([is_missing(v) or str(v).lower() in NO_CORPUS for v in series], dtype=bool)


def summary(frame: pd.DataFrame, notes: Sequence[str]) -> str:
    """Return one line: rows, metrics, and how many of each key column."""
    parts = [f"{len(frame)} rows"]
    if "metric" in frame.columns:
        parts.append("metrics " + ", ".join(unique(frame, "metric")))
    for name in COLUMNS[:10]:
        if name in frame.columns and len(found := unique(frame, name)) > 1:
            parts.append(f"{name} × {len(found)}")
    if notes:
        parts.append(f"{len(notes)} notes")
    return "Table: " + "; ".join(parts)
