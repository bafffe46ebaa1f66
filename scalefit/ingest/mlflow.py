"""MLflow's stores on disk (a database, or folders of files), and what they share with its server: runs and values."""

from __future__ import annotations

import os
import re
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from scalefit.errors import FormatError
from scalefit.files import pipe_beside
from scalefit.rows import Row
from scalefit.table.names import KNOWN
from scalefit.units import some

from .reader import Extract, Reader, evaluation
from .source import LIMITS, Source, TooMuchError, number

_BROKEN = ("FAILED", "KILLED")
_RUNNING = ("RUNNING", "SCHEDULED")
_SHOWN = 5


@dataclass(frozen=True)
class Run:
    """One run that was not deleted.

    Attributes
    ----------
    id, name : MLflow's identifier, and the name people gave it.
    status : ``FINISHED``, ``FAILED``, ``KILLED``, ``RUNNING`` or ``SCHEDULED``; unknown ones pass.
    params : its parameters; those that are columns of the table become columns.
    """

    id: str
    name: str
    status: str
    params: Row = field(default_factory=dict)

    @property
    def broken(self) -> bool:
        """Whether the run says itself that it did not come to its end."""
        return self.status in _BROKEN

    def common(self) -> Row:
        """Return what all its rows share."""
        known = {k: v for k, v in self.params.items() if k in KNOWN and isinstance(v, str)}
        return {**known, "run": self.name, "@run": self.id}


def metric_value(raw: Any) -> float | None:
    """Return a metric's value; None for NaN and infinity, which MLflow stores as the largest float."""
    held = number(raw)
    return held if held is not None and abs(held) < sys.float_info.max else None


def conclude(name: str, extract: Extract, runs: Iterable[Run]) -> None:
    """Add the notes on runs that were left out or are not over, and on losses without a unit."""
    for told, wanted in (
        ("runs that failed or were killed left out", _BROKEN),
        ("runs that are not over give their last values so far", _RUNNING),
    ):
        names = [run.name for run in runs if run.status in wanted]
        if names:
            extract.note(f"{name}: {len(names)} {told} ({some(names, _SHOWN)})")
    extract.note(f"{name}: metrics that are no evaluation (no eval, valid, test, dev) left out")
    extract.note_losses()


_STATUS = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}


def recognises_store(source: Source) -> bool:
    """Whether it is a run's folder, an experiment's, or the store's."""
    return source.is_dir and any(True for _ in _run_folders(source))


def _run_folders(source: Source) -> Iterator[Source]:
    """Yield the run folders at most two levels down, in order."""
    if _is_run(source.path):
        yield source
        return
    for first in _folders(source.path):
        if _is_run(first):
            yield source.child(first.name)
            continue
        for second in _folders(first) if (first / "meta.yaml").is_file() else ():
            if _is_run(second):
                yield source.child(first.name, second.name)


def _is_run(path: Path) -> bool:
    return (path / "metrics").is_dir() and (path / "meta.yaml").is_file()


def _folders(path: Path) -> list[Path]:
    with os.scandir(path) as entries:
        return sorted(Path(e.path) for e in entries if e.is_dir(follow_symlinks=False))


def read_store(source: Source) -> Extract:
    """Return the evaluations of every run that was not deleted and did not fail."""
    extract, runs, deleted, broken = Extract(), list[Run](), 0, list[FormatError]()
    for folder in _run_folders(source):
        meta = folder.child("meta.yaml").text()
        if _told(meta, "lifecycle_stage") == "deleted":
            deleted += 1
            continue
        run = _run(folder, meta)
        runs.append(run)
        for file in _files(folder) if not run.broken else ():
            try:
                extract.rows += _metric(folder, file, run.common())
            except TooMuchError:
                raise
            except FormatError as error:
                broken.append(error)
                extract.note(f"left out: {error}")
    conclude(source.name, extract, runs)
    if deleted:
        extract.note(f"{source.name}: {deleted} deleted runs left out")
    if broken and not extract.rows:
        raise broken[0]
    return extract


def _run(folder: Source, meta: str) -> Run:
    names = [n for n in KNOWN if (folder.path / "params" / n).is_file()]
    params = {n: folder.child("params", n).text().strip() for n in names}
    status = _told(meta, "status")
    name = _told(meta, "run_name") or folder.path.name
    return Run(folder.name, name, _STATUS.get(status, status), params)


def _told(meta: str, key: str) -> str:
    """Return what the flat YAML of a run says under a key, or nothing."""
    match = re.search(rf"^{key}:[ \t]*['\"]?(.*?)['\"]?[ \t]*$", meta, re.M)
    return match[1] if match else ""


def _files(run: Source) -> list[Path]:
    """Return the files of all metrics; a name such as ``eval/bleu`` makes a folder of its own."""
    every = list(islice(run.child("metrics").path.rglob("*"), LIMITS.files + 1))
    if len(every) > LIMITS.files:
        raise run.wrong(None, f"more than {LIMITS.files} metrics")
    return sorted(p for p in every if p.is_file() and not p.is_symlink())


def _metric(run: Source, file: Path, common: Row) -> list[Row]:
    """Return a metric's values; of equal steps the latest comes last, as MLflow orders them."""
    key = file.relative_to(run.path / "metrics").as_posix()
    named = run.names.split(key)
    if named is None:
        return []
    source = run.child("metrics", *key.split("/"))
    rows: list[tuple[float, float, Row]] = []
    for line, text in source.lines():
        moment, raw, step = _cells(source, line, text)
        own = evaluation(named, metric_value(raw))
        rows.append((step, moment, {**common, **own, "step": step, "source": source.at(line)}))
    return [row for _, _, row in sorted(rows, key=lambda r: r[:2])]


def _cells(source: Source, line: int, text: str) -> tuple[float, float, float]:
    """Return time, value and step; a metric with a data set has its name and digest behind them."""
    parts = text.split()
    cells = [number(part) for part in [*parts[:3], *(["0"] if len(parts) == 2 else [])]]
    known = [cell for cell in cells if cell is not None]
    if len(parts) not in (2, 3, 5) or len(known) != 3:
        raise source.wrong(line, f"found {text[:60]!r}; needed 'timestamp value step'")
    return known[0], known[1], known[2]


STORE = Reader("mlflow-store", "an MLflow file store", recognises_store, read_store, takes="folder")


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


def recognises_sqlite(source: Source) -> bool:
    """Whether it is an sqlite file that names MLflow's tables."""
    return source.head.startswith(_MAGIC) and _tables(source) >= _TABLES


def _tables(source: Source) -> set[str]:
    try:
        with closing(_open(source)) as base:
            return _names(base)
    except (sqlite3.Error, ValueError):  # a damaged name is no text
        return set()


def _names(base: sqlite3.Connection) -> set[str]:
    tables = base.execute("select name from sqlite_master where type = 'table' limit 500")
    return {str(row[0]) for row in tables}


def _open(source: Source) -> sqlite3.Connection:
    """Open the file read-only; what is packed or comes from standard input is held in memory."""
    if source.held is None and not source.packed:
        if (pipe := pipe_beside(source.path)) is not None:
            kind = pipe.name.rpartition("-")[2]
            raise source.wrong(None, f"has a {kind} beside it that is no regular file")
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


def _bound(base: sqlite3.Connection) -> None:
    end = time.monotonic() + _SECONDS
    base.set_progress_handler(lambda: time.monotonic() > end, 100_000)
    base.execute("pragma trusted_schema = off")
    base.text_factory = lambda data: data.decode("utf-8", errors="replace")


def read_sqlite(source: Source) -> Extract:
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
    extract = Extract()
    extract.rows += _evaluations(source, base, {r.id: r.common() for r in runs if not r.broken})
    conclude(source.name, extract, runs)
    return extract


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
                own = evaluation(named[key], None if bad else metric_value(raw))
                place = {"step": step, "source": f"{source.name}:metrics/{key}"}
                yield {**runs[run], **own, **place}


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


SQLITE = Reader("mlflow-sqlite", "an MLflow sqlite store", recognises_sqlite, read_sqlite)
