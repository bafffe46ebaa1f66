"""Wide and long: one column a metric, or one row a measured value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from scalefit.errors import MissingColumnError, TableError
from scalefit.groups import spelling
from scalefit.result import frame_of

from .cells import missing
from .columns import COLUMNS, KNOWN
from .draft import Draft
from .metrics import METRICS, canonical
from .names import Named, column
from .problems import listed

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
    found = {c: named for c in names if (named := column(c)) is not None}
    wanted = {spelling(name) for name in extra}
    found.update({c: (None, canonical(c)) for c in names if spelling(c) in wanted})
    doubled = [c for c in found if list(found.values()).count(found[c]) > 1]
    if doubled:
        raise TableError(
            f"columns {', '.join(map(repr, doubled))} are all read as {found[doubled[0]][1]!r}. "
            "Try: keep one of them, or turn the file into columns metric and value"
        )
    return found


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
    gaps = len(frame) * len(wide) - len(draft.frame)
    if gaps:
        draft.note(f"{gaps} empty metric cells of the wide table left out")


def _beside(frame: pd.DataFrame, column: str, name: str) -> dict[str, str]:
    """Return the columns that hold a metric's own standard error and signature."""
    found = {}
    for target in _PER_METRIC:
        for own in (f"{column}_{target}", f"{name}_{target}"):
            if own in frame.columns:
                found[target] = own
        if target not in found and target in frame.columns:
            found[target] = target
    return found


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
