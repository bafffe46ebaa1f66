"""The one door: a path, a folder, a glob or standard input becomes a table."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from scalefit.errors import FormatError, MissingColumnError
from scalefit.result import frame_of
from scalefit.table import Table
from scalefit.table.build import build
from scalefit.table.cells import plain_text
from scalefit.table.metrics import known
from scalefit.table.recognise import meaning

from . import manifest as manifests
from .checkpoints import BEST, FINAL, Checkpoints, checked
from .collect import Request, collect
from .complete import Context, Rescorer, ask_for_pretraining
from .config import Config, as_names
from .delimited import CSV
from .find import beside
from .limits import LIMITS
from .names import Names
from .nested import COLUMN, opened
from .reader import Row
from .registry import required
from .source import Source

HIDDEN = ("@run", "@unit", "@set", BEST, FINAL)
Paths = str | Path | Sequence[str | Path]


def read(
    path: Paths,
    *,
    format: str | None = None,
    mapping: Mapping[str, str] | None = None,
    allow: Sequence[str] = (),
    metrics: Sequence[str] = (),
    inputs: Collection[str] = (),
    manifest: str | Path | None = None,
    pattern: str | None = None,
    checkpoints: Checkpoints | None = None,
    tokens_per_step: float | None = None,
    outputs: Rescorer | None = None,
    config: str | Path | None = None,
) -> Table:
    """Read results from files of any known format.

    Parameters
    ----------
    path : str, Path or sequence of them
        A file, a folder (searched), a glob, ``-`` for standard input, or the address of an MLflow
        tracking server.
    format : str, optional
        A format's name; by default it is recognised by name, magic bytes and first lines, and the
        notes say what the file was taken for.
    mapping : mapping, optional
        Own name -> canonical name, for columns and, where there is no such column, for metrics.
    allow : sequence of str
        Checks to switch off, see :data:`scalefit.table.ALLOWABLE`.
    metrics : sequence of str
        Columns that are metrics though the registry does not know them.
    inputs : collection of str
        Columns that are inputs of a law though they are named after a metric.
    manifest : path, optional
        A table with ``path`` and what no log knows: corpus, pretrain_tokens, task, seeds, …
    pattern : str, optional
        The same from the runs' paths:
        ``runs/{corpus}-{pretrain_tokens}/ft-{task}-{finetune_tokens}-s{finetune_seed}``.
    checkpoints : {"best", "last", "all"}, optional
        Of a training log's many evaluations, keep the last one of each metric and set, those at the
        best step, or all. Default: ``last``, or ``all`` with `tokens_per_step`.
    tokens_per_step : float, optional
        Tokens of one step's batch, where the log is one of pretraining: each step's
        ``pretrain_tokens`` is then step × tokens.
    outputs : Outputs, optional
        Hypotheses beside the logs, to be scored: their scores, with standard errors and
        signatures, take the place of the log's own.

    config : path, optional
        A ``scalefit.toml`` that keeps mapping, allow, manifest, pattern, checkpoints and
        tokens_per_step; by default the one beside the data. What is given here comes first.

    Raises
    ------
    FormatError
        Where a file is not what its reader needs; names file and line.
    MissingColumnError
        Where something is missing that no log knows; names it and says how to give it.
    TableError
        Where the values break a rule; names rows, columns and values.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "results.csv")
    ...     with path.open("w") as file:
    ...         print("corpus,tokens,BLEU", "fr,1M,21.5", "fr,4M,24.0", sep=chr(10), file=file)
    ...     table = read(path, mapping={"tokens": "pretrain_tokens"})
    >>> table.metrics, table.unique("corpus")
    (('bleu',), ['fr'])
    """
    paths = _paths(path)
    kept = Config.of(config, paths)
    mapping, allow = {**kept.mapping, **(mapping or {})}, (*as_names(allow), *kept.allow)
    manifest, pattern = manifest or kept.manifest, pattern or kept.pattern
    checkpoints = checkpoints or kept.checkpoints
    tokens_per_step = kept.tokens_per_step if tokens_per_step is None else tokens_per_step
    given = beside(paths) if manifest is None else Source.of(manifest)
    context = Context(_manifest(given), pattern, _tokens(tokens_per_step))
    which = checked(checkpoints or ("last" if tokens_per_step is None else "all"))
    request = Request(format, context, which, Names(mapping))
    found, sources = collect(paths, request)
    if outputs is not None:
        outputs.score(found, sources, context)
    if given is not None:
        found.note(f"what no log knows is taken from the manifest {given.name}")
    if not found.rows:
        told = "; ".join(found.notes[1:4])
        raise FormatError(f"{path}: holds no measured value; needed at least one. {told}".strip())
    renamed = {*mapping.values(), *(meaning(name) for row in found.rows[:1] for name in row)}
    if any("metric" in row for row in found.rows):
        ask_for_pretraining(
            found.rows, "pretrain_tokens" in renamed or "no_pretrain_tokens" in allow
        )
    shapes = _shapes(found.rows)
    if any(COLUMN in shape for shape in shapes):
        found.rows[:] = [opened(row) for row in found.rows]
        shapes = _shapes(found.rows)
    mapping = kept.fitting(mapping, found.rows)
    _one_shape(shapes)
    _narrow(paths[0], shapes, len(found.rows))
    places = [str(row.pop("@place", None) or row.get("source", "?")) for row in found.rows]
    for row, place in zip(found.rows, places, strict=True):
        row["source"] = row.get("source") or place
    frame = _frame(found.rows)
    try:
        made = build(
            frame,
            mapping=mapping,
            allow=allow,
            metrics=metrics,
            inputs=inputs,
            labels=places,
            notes=found.notes,
        )
    except MissingColumnError as error:
        raise MissingColumnError(f"{paths[0]}: {error}") from error
    return Table.of(*made)


def _frame(rows: list[Row]) -> pd.DataFrame:
    """Return rows as a frame of cells as they are; halves of characters, which none holds, are replaced."""
    shapes = dict.fromkeys(map(tuple, rows))
    names = dict.fromkeys(n for shape in shapes for n in shape if n not in HIDDEN)
    try:
        return frame_of(rows, list(names), as_is=True)
    except UnicodeEncodeError:
        held = [{_held(k): _held(v) for k, v in row.items()} for row in rows]
        return frame_of(held, list(dict.fromkeys(map(_held, names))), as_is=True)


def _held(cell: Any) -> Any:
    return plain_text(cell) if isinstance(cell, str) else cell


def _paths(given: Paths) -> list[str]:
    several: Any = [given] if isinstance(given, str | Path) else given
    if not isinstance(several, Sequence) or not all(isinstance(p, str | Path) for p in several):
        raise FormatError(
            f"found a {type(given).__name__}; needed a path, or a list of them. "
            "Try: scalefit.as_table for frames"
        )
    if not several or not all(map(str, several)):
        raise FormatError("found no path; needed a file, a folder, a glob or an address")
    return [str(p) for p in several]


def _tokens(given: float | None) -> float | None:
    if given is not None and not (0 < given < math.inf):
        raise FormatError(f"tokens_per_step={given}; needed the tokens of one step's batch, over 0")
    return given


def _manifest(source: Source | None) -> manifests.Manifest | None:
    if source is None:
        return None
    reader = CSV if source.suffix in (".csv", ".tsv", ".txt") else required(source)
    return manifests.load(source, reader.extract(source).rows)


def _shapes(rows: Sequence[Row]) -> dict[tuple[str, ...], Row]:
    """Return the columns that rows come with, each set of them with its first row."""
    shapes: dict[tuple[str, ...], Row] = {}
    for row in rows:
        shapes.setdefault(tuple(row), row)
    return shapes


def _narrow(name: str, shapes: Mapping[tuple[str, ...], Row], rows: int) -> None:
    """Refuse rows of so many different columns that their table would not fit into memory."""
    names = {name for shape in shapes for name in shape}
    if len(names) > LIMITS.columns or len(names) * rows > 2 * LIMITS.cells:
        raise FormatError(
            f"{name}: {rows} rows with {len(names)} different columns in all; needed rows that "
            "share their columns. Try: read it in parts"
        )


def _one_shape(shapes: Mapping[tuple[str, ...], Row]) -> None:
    """Refuse long and wide rows in one call."""
    long = [{"metric", "value"} <= set(shape) for shape in shapes]
    first = long[0]
    for is_long, (shape, row) in zip(long, shapes.items(), strict=True):
        if is_long != first and (not first or any(known(str(name)) for name in shape)):
            raise FormatError(
                f"{row.get('@place') or row.get('source')}: long rows (metric, value) and wide ones (a "
                "column a metric) in one call. Try: read them apart, and join the tables' frames"
            )
