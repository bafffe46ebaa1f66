"""MLflow's sqlite store, read directly and read-only, also while a server writes to it."""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from scalefit.table.columns import KNOWN

from .mlflow_runs import Run, conclude, value
from .reader import Extract, Reader, Row
from .source import Source

_MAGIC = b"SQLite format 3\0"
_TABLES = frozenset({"runs", "metrics", "params"})
_WAL = slice(18, 20)
"""Bytes of the header that are 2 where a write-ahead log may hold the newest pages."""
_ASKED = (
    "select run_uuid, key, value, step, is_nan from metrics where key in ({}) "
    "order by step, timestamp, value"
)
_AT_ONCE = 500
_SECONDS = 60.0
"""How long one file may take before its queries are stopped."""


def recognises(source: Source) -> bool:
    """Whether it is an sqlite file that names MLflow's tables."""
    return source.head.startswith(_MAGIC) and _tables(source) >= _TABLES


def _tables(source: Source) -> set[str]:
    try:
        with closing(_open(source)) as base:
            return _names(base)
    except (sqlite3.Error, ValueError):  # a damaged name is no text
        return set()


def _names(base: sqlite3.Connection) -> set[str]:
    found = base.execute("select name from sqlite_master where type = 'table' limit 500")
    return {str(row[0]) for row in found}


def _open(source: Source) -> sqlite3.Connection:
    """Open the file read-only; what is packed or comes from standard input is held in memory."""
    if source.held is None and not source.packed:
        _refuse_pipes(source)
        # A log that is empty or gone leaves nothing to wait for, and must not be made anew.
        log = Path(f"{source.path}-wal")
        settled = source.head[_WAL] == b"\2\2" and not (log.exists() and log.stat().st_size)
        address = f"{source.path.resolve().as_uri()}?mode=ro{'&immutable=1' if settled else ''}"
        base = sqlite3.connect(address, uri=True, timeout=30)
    else:
        data = bytearray(source.data())
        data[_WAL] = b"\1\1"
        base = sqlite3.connect(":memory:")
        base.deserialize(bytes(data))
    _bound(base)
    return base


def _refuse_pipes(source: Source) -> None:
    """Refuse a database whose journal is a pipe: sqlite would wait for it without end."""
    for end in ("-journal", "-wal", "-shm"):
        beside = Path(f"{source.path}{end}")
        if beside.exists() and not beside.is_file():
            raise source.wrong(None, f"has a {end[1:]} beside it that is no regular file")


def _bound(base: sqlite3.Connection) -> None:
    end = time.monotonic() + _SECONDS
    base.set_progress_handler(lambda: time.monotonic() > end, 100_000)
    base.execute("pragma trusted_schema = off")
    base.text_factory = lambda data: data.decode("utf-8", errors="replace")


def read(source: Source) -> Extract:
    """Return the evaluations of every run that was not deleted and did not fail."""
    if not source.head.startswith(_MAGIC):
        raise source.wrong(None, "is no sqlite file; needed MLflow's database")
    try:
        with closing(_open(source)) as base:
            return _read(source, base)
    except (sqlite3.Error, OverflowError, ValueError) as error:
        if type(error).__module__.startswith("scalefit"):
            raise
        raise source.wrong(None, f"cannot be read as MLflow's database: {error}") from error


def _read(source: Source, base: sqlite3.Connection) -> Extract:
    if not _names(base) >= _TABLES:
        raise source.wrong(None, "an sqlite file without MLflow's tables runs, metrics and params")
    runs = _runs(base)
    found = Extract()
    found.rows += _evaluations(source, base, {r.id: r.common() for r in runs if not r.broken})
    conclude(source.name, found, runs)
    if not found.rows:
        raise source.nothing("no active run has an evaluation (a metric such as eval_bleu)")
    return found


def _evaluations(source: Source, base: sqlite3.Connection, runs: dict[str, Row]) -> Iterator[Row]:
    """Yield the evaluations; of equal steps the latest comes last, as MLflow orders them."""
    keys = [row[0] for row in base.execute("select distinct key from metrics")]
    named = {key: meant for key in keys if (meant := source.names.split(str(key))) is not None}
    for start in range(0, len(named), _AT_ONCE):
        some = list(named)[start : start + _AT_ONCE]
        for run, key, raw, step, bad in base.execute(
            _ASKED.format(",".join("?" * len(some))), some
        ):
            if run in runs:
                own = {"eval_set": named[key][0], "metric": named[key][1]}
                found = None if bad else value(raw)
                place = {"step": step, "source": f"{source.name}:metrics/{key}"}
                yield {**runs[run], **own, "value": found, **place}


def _runs(base: sqlite3.Connection) -> list[Run]:
    """Return the runs that were not deleted, with those parameters that are columns."""
    params: dict[str, Row] = defaultdict(dict)
    marks = ",".join("?" * len(KNOWN))
    asked = f"select run_uuid, key, value from params where key in ({marks})"
    for run, key, told in base.execute(asked, KNOWN):
        params[run][str(key)] = told
    listed = base.execute("select run_uuid, name, status, lifecycle_stage from runs")
    return [
        Run(run, name or run, str(status), params[run])
        for run, name, status, stage in listed
        if stage != "deleted"
    ]


READER = Reader("mlflow-sqlite", "an MLflow sqlite store", recognises, read)
