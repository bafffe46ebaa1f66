"""All readers, the most particular first, and from what a user names to the single things that they read."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from scalefit.errors import FormatError
from scalefit.groups import did_you_mean
from scalefit.units import counted, some

from . import (
    columnar,
    fairseq,
    harness,
    hugging_face,
    mlflow,
    score_files,
    tensorboard,
    text_tables,
    toolkit_logs,
    wandb,
)
from .reader import Extract, Reader
from .source import LIMITS, Names, Source
from .text_tables import header

READERS: tuple[Reader, ...] = (
    columnar.POINTER,
    columnar.PARQUET,
    columnar.EXCEL,
    columnar.REFUSED,
    tensorboard.TENSORBOARD,
    tensorboard.EXPORT,
    wandb.OFFLINE,
    mlflow.SQLITE,
    mlflow.STORE,
    hugging_face.TRAINER,
    hugging_face.RESULTS,
    hugging_face.LLAMAFACTORY,
    wandb.SUMMARY,
    score_files.MT_METRICS_EVAL,
    fairseq.TRAINING,
    fairseq.GENERATION,
    toolkit_logs.MARIAN,
    toolkit_logs.JOEYNMT,
    toolkit_logs.JOEYNMT_TRAIN,
    toolkit_logs.SOCKEYE,
    toolkit_logs.OPENNMT_TF,
    toolkit_logs.OPENNMT,
    toolkit_logs.MEGATRON,
    toolkit_logs.PRETRAINING,
    hugging_face.CONSOLE,
    harness.T5X,
    harness.LIGHTEVAL,
    harness.LM_EVAL,
    harness.LM_EVAL_SAMPLES,
    score_files.SACREBLEU,
    score_files.COMET_JSON,
    score_files.COMET_TEXT,
    wandb.PANEL,
    wandb.RUNS,
    wandb.HISTORY,
    text_tables.LATEX,
    text_tables.MARKDOWN,
    text_tables.JSON_LINES,
    text_tables.JSON,
    text_tables.TSV,
    text_tables.CSV,
)
FORMATS = {reader.name: reader for reader in READERS if reader.name != "refused"}
TABLE_SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".xlsm")


def by_name(name: str) -> Reader:
    """Return the reader of a format's name."""
    if name not in FORMATS:
        raise FormatError(
            f"there is no format {name!r}; needed one of {', '.join(FORMATS)}{did_you_mean(name, FORMATS)}"
        )
    return FORMATS[name]


def recognise(source: Source) -> Reader | None:
    """Return the first reader that recognises a source, or None."""
    kind = "folder" if source.is_dir else "file"
    able = (r for r in READERS if r.takes in (kind, "both"))
    try:
        if (own := _long_table(source)) is not None:
            return own
        return next((reader for reader in able if reader.recognises(source)), None)
    except OSError as error:
        raise source.wrong(None, f"cannot be read: {error.strerror or error}") from error


def _long_table(source: Source) -> Reader | None:
    """Return the reader of a text table with columns metric and value: ours, whatever its texts say."""
    if not source.is_file or b"value" not in source.head or b"metric" not in source.head:
        return None
    if text_tables.is_long_json(source):
        return text_tables.JSON_LINES if source.head.lstrip().startswith(b"{") else text_tables.JSON
    if not text_tables.is_long_csv(source):
        return None
    return text_tables.TSV if source.suffix == ".tsv" else text_tables.CSV


def required(source: Source) -> Reader:
    """Return the reader of a source, or raise what it is not."""
    reader = recognise(source)
    if reader is not None:
        return reader
    if source.is_file and not source.head:
        source.data(limit=1 << 30) if source.held is None else None
        raise source.wrong(None, "is empty; needed a results file")
    raise source.wrong(
        None,
        "is none of the known formats: a table (CSV, TSV, JSON, JSON lines, Markdown, LaTeX, Parquet, xlsx), or what a "
        "training or evaluation tool wrote (docs/ingest). Try: save it as CSV, or format= where you know better",
    )


MANIFEST = "runs.csv"
Unit = tuple[Source, Reader, bool]
"""What to read, its reader, and whether it was found by searching rather than named."""


def units(paths: list[str], format: str | None, names: Names, notes: Extract) -> Iterator[Unit]:
    """Yield what is to be read, each with its reader, in sorted order."""
    for path in paths:
        for place in _expanded(path):
            yield from _unit(Source.of(place, names), format, notes, place != path)


def _expanded(path: str) -> list[str]:
    if path == "-" or Path(path).exists():
        return [path]
    if not any(mark in path for mark in "*?["):
        raise FormatError(f"{path}: there is no such file or folder{_nearby(path)}")
    matches = sorted(islice(glob.iglob(path, recursive=True), LIMITS.files + 1))  # noqa: PTH207
    if len(matches) > LIMITS.files:
        raise FormatError(f"{path}: more than {LIMITS.files} files; needed a narrower pattern")
    if not matches:
        raise FormatError(f"{path}: no file fits this pattern")
    return matches


def _nearby(path: str) -> str:
    folder = Path(path).parent
    names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    near = did_you_mean(Path(path).name, names)
    return f"; {folder}/ has {', '.join(names[:8])}{near}" if names else ""


def _unit(source: Source, format: str | None, notes: Extract, searched: bool) -> Iterator[Unit]:
    if format is not None:
        reader: Reader | None = by_name(format)
    else:
        reader = recognise(source) if source.is_dir else required(source)
    if reader is None:
        yield from _below(source, notes)
    else:
        yield source, reader, searched


def _below(source: Source, notes: Extract) -> Iterator[Unit]:
    """Search a folder; take what is recognised for sure, and count the rest."""
    skipped: list[str] = []
    any_found = False
    for child in _walk(source, notes):
        reader = _recognised(child, notes)
        plain = reader is not None and reader.loose
        if reader is None or (plain and child.suffix not in TABLE_SUFFIXES):
            skipped += [] if child.is_dir else [child.name]
            continue
        any_found = True
        yield child, reader, True
    if skipped:
        left = f"{counted(len(skipped), 'file')} of no known format left out ({some(skipped, 3)})"
        notes.note(f"{source.name}: {left}")
    if not any_found:
        raise source.wrong(None, "a folder in which nothing is of a known format")


def beside(paths: list[str]) -> Source | None:
    """Return the manifest ``runs.csv`` that lies in a folder to be read, or None."""
    for path in paths:
        manifest = Source.of(path).child(MANIFEST) if Path(path).is_dir() else None
        if manifest is not None and is_manifest(manifest):
            return manifest
    return None


def is_manifest(source: Source) -> bool:
    """Whether it is a ``runs.csv`` with a column ``path``."""
    if source.path.name != MANIFEST or not source.is_file:
        return False
    names = [n.strip(' "') for n in (header(source.first_lines) or "").split(",")]
    return "path" in names and "metric" not in names


def _recognised(source: Source, notes: Extract) -> Reader | None:
    """Return the reader of something that was found, None where it cannot even be looked at."""
    try:
        return recognise(source)
    except FormatError as error:
        notes.note(f"left out: {error}")
        return None


def _walk(source: Source, notes: Extract) -> Iterator[Source]:
    """Yield folders that are one whole, and else the files, in sorted order; follow no links."""
    seen = 0
    folders = [(source, 0)]
    while folders:
        folder, depth = folders.pop()
        names = _names(folder) if folder is source else _names_or_note(folder, notes)
        below: list[tuple[Source, int]] = []
        for name in names:
            seen += 1
            if seen > LIMITS.files:
                raise source.wrong(None, f"more than {LIMITS.files} files; name a smaller folder")
            child = folder.child(name)
            if child.path.is_symlink() and child.is_dir:
                continue
            if not child.is_dir and is_manifest(child):
                continue
            if not child.is_dir or _recognised(child, notes) is not None:
                yield child
            elif depth < LIMITS.depth:
                below.append((child, depth + 1))
        folders += reversed(below)


def _names_or_note(folder: Source, notes: Extract) -> list[str]:
    try:
        return _names(folder)
    except FormatError as error:
        notes.note(f"left out: {error}")
        return []


def _names(folder: Source) -> list[str]:
    try:
        with os.scandir(folder.path) as entries:
            return sorted(entry.name for entry in entries)
    except OSError as error:
        raise folder.wrong(None, f"cannot be searched: {error.strerror or error}") from error
