"""MLflow's sqlite store, read directly and read-only."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from contextlib import closing
from typing import Any

from scalefit.table.columns import KNOWN

from .limits import LIMITS
from .names import loss_note, split
from .reader import Extract, Reader, Row
from .source import Source

_MAGIC = b"SQLite format 3\0"
_TABLES = frozenset({"runs", "metrics", "params"})
_WORK = 200_000_000
"""Steps of sqlite's machine before a query is stopped."""


def recognises(source: Source) -> bool:
    """Whether it is an sqlite file that names MLflow's tables."""
    return source.head.startswith(_MAGIC) and source.held is None and _tables(source) >= _TABLES


def _tables(source: Source) -> set[str]:
    try:
        with closing(_open(source)) as base:
            names = base.execute("select name from sqlite_master where type = 'table' limit 500")
            return {str(row[0]) for row in names}
    except sqlite3.Error:
        return set()


def _open(source: Source) -> sqlite3.Connection:
    base = sqlite3.connect(f"{source.path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    left = [_WORK // 10_000]

    def stop() -> bool:
        left[0] -= 1
        return left[0] < 0

    base.set_progress_handler(stop, 10_000)
    base.execute("pragma trusted_schema = off")
    base.text_factory = lambda data: data.decode("utf-8", errors="replace")
    return base


def read(source: Source) -> Extract:
    """Return the evaluations of every run that was not deleted."""
    if source.held is not None or not source.head.startswith(_MAGIC):
        raise source.wrong(None, "is no sqlite file on disk; needed MLflow's database")
    try:
        with closing(_open(source)) as base:
            return _read(source, base)
    except (sqlite3.Error, OverflowError, ValueError) as error:
        if type(error).__module__.startswith("scalefit"):
            raise
        raise source.wrong(None, f"cannot be read as MLflow's database: {error}") from error


def _read(source: Source, base: sqlite3.Connection) -> Extract:
    if not _tables(source) >= _TABLES:
        raise source.wrong(None, "an sqlite file without MLflow's tables runs, metrics and params")
    found, runs = Extract(), _runs(base)
    for run, key, value, step, bad in _query(base, "run_uuid, key, value, step, is_nan", "metrics"):
        named = split(str(key))
        if named is None or run not in runs or bad or not isinstance(value, int | float):
            continue
        place = {"eval_set": named[0], "step": step, "source": f"{source.name}:metrics/{key}"}
        found.rows.append({**runs[run], "metric": named[1], "value": value, **place})
    if not found.rows:
        raise source.nothing("no active run has an evaluation (a metric such as eval_bleu)")
    found.note(
        f"{source.name}: metrics that are no evaluation (no eval, valid, test, dev) left out"
    )
    found.notes += loss_note({row["metric"] for row in found.rows})
    return found


def _query(base: sqlite3.Connection, columns: str, table: str) -> Any:
    return base.execute(f"select {columns} from {table} limit {LIMITS.rows}")


def _runs(base: sqlite3.Connection) -> dict[str, Row]:
    """Return run id -> its name and those of its parameters that are columns of the table."""
    params: dict[str, Row] = defaultdict(dict)
    for run, key, value in _query(base, "run_uuid, key, value", "params"):
        if key in KNOWN and isinstance(value, str):
            params[run][str(key)] = value
    listed = _query(base, "run_uuid, name, lifecycle_stage", "runs")
    active = {run: name for run, name, stage in listed if stage != "deleted"}
    return {run: {**params[run], "run": name or run, "@run": run} for run, name in active.items()}


READER = Reader("mlflow-sqlite", "an MLflow sqlite store", recognises, read)
