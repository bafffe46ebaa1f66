"""Wide and long: one column a metric, or one row a measured value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scalefit.errors import MissingColumnError, TableError
from scalefit.groups import TELLING, spelling
from scalefit.result import frame_of
from scalefit.table.cells import missing, plain_text
from scalefit.table.columns import COLUMNS, KNOWN
from scalefit.table.draft import Draft, listed
from scalefit.table.metrics import METRICS, canonical
from scalefit.table.names import Named, measured_column
from scalefit.units import counted


def flattened(frame: pd.DataFrame, metrics: Sequence[str] = ()) -> tuple[pd.DataFrame, list[str]]:
    """Return a frame with plain columns of distinct texts, and notes.

    Named levels of the index are columns. A pivot, whose columns are the values of a named level
    (``corpus``), becomes long again: its cells are the metric of that name, or the one metric asked
    for.

    Raises
    ------
    TableError
        Column names stand twice, or a pivot of which the metric is not known.

    Examples
    --------
    >>> wide = pd.DataFrame({"fr": [20.1, 22.4], "en": [19.0, 20.2]}, index=[1e6, 4e6])
    >>> flat, _ = flattened(wide.rename_axis("pretrain_tokens").rename_axis("corpus", axis=1), ["bleu"])
    >>> flat.columns.tolist(), len(flat)
    (['pretrain_tokens', 'corpus', 'bleu'], 4)
    """
    notes = list[str]()
    levels = [str(name) for name in frame.columns.names if name is not None]
    if levels and not set(levels) <= {"metric"}:
        frame, notes = _unpivoted(frame, metrics)
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    frame = frame.reset_index(named) if named else frame
    frame = frame.reset_index(drop=True)
    frame.columns = pd.Index(_distinct([_text(name) for name in frame.columns], frame.columns))
    return frame, notes


def _text(name: Any) -> str:
    parts = [str(part) for part in name if str(part)] if isinstance(name, tuple) else [str(name)]
    return " ".join(plain_text("_".join(parts)).split())


def _distinct(names: list[str], own: pd.Index[Any]) -> list[str]:
    """Tell names apart that are texts of different things (1 and "1"); refuse equal ones."""
    if own.duplicated().any() or any(n > 1 and name in KNOWN for name, n in Counter(names).items()):
        twice = sorted(name for name, n in Counter(names).items() if n > 1)
        raise TableError(f"column names stand twice: {listed(twice)}. Try: rename one of them")
    seen: Counter[str] = Counter()
    told = []
    for name in names:
        told.append(name if not seen[name] else f"{name}.{seen[name]}")
        seen[name] += 1
    return told


def _unpivoted(frame: pd.DataFrame, metrics: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    levels = frame.columns
    if isinstance(levels, pd.MultiIndex):
        named = [name for name in levels.names if name not in (None, "metric")]
        rest = frame.stack(named, future_stack=True)
        return _measured(pd.DataFrame(rest)), [_told(named)]
    name = str(levels.name)
    if any(measured_column(str(c)) or str(c) in KNOWN for c in levels):
        return frame.rename_axis(None, axis=1), []  # a label of the columns, not of their values
    if len(metrics) != 1:
        raise TableError(
            f"the columns are values of {name!r} ({listed(levels, 5)}), and nothing says what their "
            "cells measure. Try: metrics=['bleu'], or frame.stack().rename('bleu').reset_index()"
        )
    stacked = pd.DataFrame({metrics[0]: frame.stack(future_stack=True)})
    return _measured(stacked), [_told([name])]


def _measured(stacked: pd.DataFrame) -> pd.DataFrame:
    return stacked.dropna(how="all").rename_axis(None, axis=1)


def _told(names: Sequence[Any]) -> str:
    return f"a pivot: its columns taken as values of {', '.join(map(str, names))}"


# Frames of other libraries (polars, pyarrow, modin, DuckDB, dask, …) as the one that tables are made of.


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


_PER_METRIC = ("stderr", "signature")


def to_long(draft: Draft, metrics: Sequence[str] = (), inputs: Collection[str] = ()) -> None:
    """Turn a wide draft into a long one; leave a long one as it is.

    Columns among ``metrics`` are metrics, whatever they are called; those among ``inputs`` are none.
    """
    if draft.has("metric") and draft.has("value"):
        return
    if draft.has("metric") or draft.has("value"):
        there, absent = ("metric", "value") if draft.has("metric") else ("value", "metric")
        raise MissingColumnError(
            f"the table has a column {there!r} but none named {absent!r} "
            f"(columns: {listed(draft.frame.columns)}). "
            f"Try mapping={{'your column': '{absent}'}}"
        )
    wide = wide_metrics(draft.frame.drop(columns=list(inputs), errors="ignore"), metrics)
    if not wide:
        raise MissingColumnError(_no_metric(draft.frame))
    _turn(draft, wide)


def wide_metrics(frame: pd.DataFrame, extra: Sequence[str] = ()) -> dict[str, Named]:
    """Return the metric columns of a wide frame, as column name -> (evaluation set, metric)."""
    names = [str(c) for c in frame.columns if str(c) not in KNOWN]
    metrics = {c: named for c in names if (named := measured_column(c)) is not None}
    wanted = {spelling(name) for name in extra}
    metrics.update({c: (None, canonical(c)) for c in names if spelling(c) in wanted})
    doubled = [c for c in metrics if list(metrics.values()).count(metrics[c]) > 1]
    if doubled:
        raise TableError(
            f"columns {', '.join(map(repr, doubled))} are all read as {metrics[doubled[0]][1]!r}. "
            "Try: keep one of them, or turn the file into columns metric and value"
        )
    return metrics


def _no_metric(frame: pd.DataFrame) -> str:
    return (
        "the table has neither columns 'metric' and 'value' nor a column named after a metric "
        f"(columns: {listed(frame.columns)}). Needed: metric and value, or one of "
        f"{', '.join(METRICS)}. Try mapping={{'loss': 'cross_entropy'}} where loss is in nats per "
        "target token"
    )


def _turn(draft: Draft, wide: Mapping[str, Named]) -> None:
    frame = draft.frame
    beside = {c: _beside(frame, c, m) for c, (_, m) in wide.items()}
    taken = {*wide, *(c for columns in beside.values() for c in columns.values())}
    rest = frame[[c for c in frame.columns if c not in taken and c not in _PER_METRIC]]
    parts, places = [], []
    for own_name, (place, name) in wide.items():
        there = ~missing(frame[own_name])
        part = rest[there].assign(metric=name, value=frame[own_name][there])
        if place is not None and not draft.has("eval_set"):
            part = part.assign(eval_set=place)
        for target, own in beside[own_name].items():
            part = part.assign(**{target: frame[own][there]})
        parts.append(part)
        places.append(np.flatnonzero(there))
    order = np.argsort(np.concatenate(places), kind="stable")
    draft.frame = pd.concat(parts, ignore_index=True).iloc[order].reset_index(drop=True)
    draft.origin = draft.origin[np.concatenate(places)[order]]
    draft.note(f"wide table: columns {', '.join(wide)} turned into rows of metric and value")
    for own_name, part in zip(wide, parts, strict=True):
        if len(part) < len(frame):
            gaps = counted(len(frame) - len(part), "empty cell")
            draft.note(f"{gaps} of column {own_name!r} left out{_bare(rest, part)}")


def _bare(rows: pd.DataFrame, measured: pd.DataFrame) -> str:
    """Say which corpora, tasks or models have rows but none of a metric: no answer would name them."""
    told = []
    for column in filter(rows.columns.__contains__, TELLING):
        without = set(rows[column].dropna()) - set(measured[column])
        if without:
            told.append(f"; {column} {listed(sorted(map(str, without)), 4)} has none at all")
    return "".join(told)


def _beside(frame: pd.DataFrame, column: str, name: str) -> dict[str, str]:
    """Return the columns that hold a metric's own standard error and signature."""
    columns = {}
    for target in _PER_METRIC:
        for own in (f"{column}_{target}", f"{name}_{target}"):
            if own in frame.columns:
                columns[target] = own
        if target not in columns and target in frame.columns:
            columns[target] = target
    return columns


def to_wide(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a long frame with one column a metric (and ``<metric>_stderr`` where known)."""
    keys = [
        c for c in frame.columns if c not in ("metric", "value", "stderr", "signature", "source")
    ]
    rows: dict[tuple[object, ...], dict[str, object]] = {}
    for record in frame.to_dict("records"):
        key = tuple(None if pd.isna(record[k]) else record[k] for k in keys)
        row = rows.setdefault(key, dict(zip(map(str, keys), key, strict=True)))
        name = str(record["metric"])
        if name in row:
            raise TableError(
                f"{name!r} stands twice under one key "
                f"({', '.join(f'{k}={v}' for k, v in row.items() if k in COLUMNS)}): "
                "a wide table has room for one. Try: add the seeds, or average first"
            )
        row[name] = record["value"]
        if "stderr" in record and not pd.isna(record["stderr"]):
            row[f"{name}_stderr"] = record["stderr"]
    return frame_of(rows.values())
