"""MLflow's old file store: ``mlruns/<experiment>/<run>/metrics/<name>`` and its ``params/``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from scalefit.table.columns import KNOWN

from .jsons import number
from .limits import LIMITS
from .names import loss_note, split
from .reader import Extract, Reader, Row
from .source import Source

_DELETED = re.compile(r"^lifecycle_stage:\s*['\"]?deleted", re.M)
_NAME = re.compile(r"^run_name:\s*['\"]?(.+?)['\"]?\s*$", re.M)


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
    """Return the evaluations of every run that was not deleted."""
    found = Extract()
    for run in _run_folders(source):
        meta = run.child("meta.yaml").text()
        if _DELETED.search(meta):
            found.note(f"{run.name}: a deleted run left out")
            continue
        name = _NAME.search(meta)
        common: Row = {**_params(run), "run": name[1] if name else run.path.name, "@run": run.name}
        for file in _files(run.child("metrics")):
            found.rows += _metric(run, file, common)
    if not found.rows:
        raise source.nothing("no run has an evaluation (a metric such as eval_bleu)")
    found.notes += loss_note({row["metric"] for row in found.rows})
    return found


def _files(folder: Source) -> list[Path]:
    found = [p for p in folder.path.rglob("*") if p.is_file() and not p.is_symlink()]
    return sorted(found)[: LIMITS.files]


def _params(run: Source) -> Row:
    names = [n for n in KNOWN if (run.path / "params" / n).is_file()]
    return {n: run.child("params", n).text().strip() for n in names}


def _metric(run: Source, file: Path, common: Row) -> Iterator[Row]:
    key = file.relative_to(run.path / "metrics").as_posix()
    named = split(key)
    if named is None:
        return
    source = run.child("metrics", *key.split("/"))
    for line, text in source.lines():
        cells = text.split()
        value = number(cells[1]) if len(cells) in (2, 3) else None
        if value is None:
            raise source.wrong(line, f"found {text[:60]!r}; needed 'timestamp value step'")
        step = number(cells[2]) if len(cells) == 3 else None
        place = {"eval_set": named[0], "step": step, "source": source.at(line)}
        yield {**common, "metric": named[1], "value": value, **place}


READER = Reader("mlflow-store", "an MLflow file store", recognises, read, takes="folder")
