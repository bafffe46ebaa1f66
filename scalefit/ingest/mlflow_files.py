"""MLflow's old file store: ``mlruns/<experiment>/<run>/metrics/<name>`` and its ``params/``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from scalefit.errors import FormatError
from scalefit.table.columns import KNOWN

from .jsons import number
from .limits import LIMITS
from .mlflow_runs import Run, conclude, value
from .reader import Extract, Reader, Row, TooMuchError
from .source import Source

_STATUS = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}


def recognises(source: Source) -> bool:
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
        for second in _folders(first) if _is_experiment(first) else ():
            if _is_run(second):
                yield source.child(first.name, second.name)


def _is_run(path: Path) -> bool:
    return (path / "metrics").is_dir() and (path / "meta.yaml").is_file()


def _is_experiment(path: Path) -> bool:
    return (path / "meta.yaml").is_file()


def _folders(path: Path) -> list[Path]:
    with os.scandir(path) as entries:
        return sorted(Path(e.path) for e in entries if e.is_dir(follow_symlinks=False))


def read(source: Source) -> Extract:
    """Return the evaluations of every run that was not deleted and did not fail."""
    found, runs, deleted, broken = Extract(), list[Run](), 0, list[FormatError]()
    for folder in _run_folders(source):
        meta = folder.child("meta.yaml").text()
        if _told(meta, "lifecycle_stage") == "deleted":
            deleted += 1
            continue
        run = _run(folder, meta)
        runs.append(run)
        for file in _files(folder) if not run.broken else ():
            try:
                found.rows += _metric(folder, file, run.common())
            except TooMuchError:
                raise
            except FormatError as error:
                broken.append(error)
                found.note(f"left out: {error}")
    conclude(source.name, found, runs)
    if deleted:
        found.note(f"{source.name}: {deleted} deleted runs left out")
    if broken and not found.rows:
        raise broken[0]
    if not found.rows:
        raise source.nothing("no run has an evaluation (a metric such as eval_bleu)")
    return found


def _run(folder: Source, meta: str) -> Run:
    names = [n for n in KNOWN if (folder.path / "params" / n).is_file()]
    params = {n: folder.child("params", n).text().strip() for n in names}
    status = _told(meta, "status")
    name = _told(meta, "run_name") or folder.path.name
    return Run(folder.name, name, _STATUS.get(status, status), params)


def _told(meta: str, key: str) -> str:
    """Return what the flat YAML of a run says under a key, or nothing."""
    found = re.search(rf"^{key}:[ \t]*['\"]?(.*?)['\"]?[ \t]*$", meta, re.M)
    return found[1] if found else ""


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
        own = {"eval_set": named[0], "metric": named[1], "value": value(raw)}
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


READER = Reader("mlflow-store", "an MLflow file store", recognises, read, takes="folder")
