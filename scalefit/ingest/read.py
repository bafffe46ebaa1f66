"""The one door: a path, a folder, a glob or standard input becomes a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from scalefit.errors import FormatError, MissingColumnError
from scalefit.table import Table
from scalefit.table.build import build
from scalefit.table.metrics import METRICS, canonical
from scalefit.table.render import frame_of

from . import manifest as manifests
from .complete import Context, ask_for_pretraining
from .delimited import CSV
from .find import beside, units
from .limits import LIMITS
from .mlflow_server import is_server, read_server
from .reader import Extract, Row
from .registry import required
from .source import Source

Checkpoints = Literal["last", "all"]
Paths = str | Path | Sequence[str | Path]


def read(
    path: Paths,
    *,
    format: str | None = None,
    mapping: Mapping[str, str] | None = None,
    allow: Sequence[str] = (),
    manifest: str | Path | None = None,
    pattern: str | None = None,
    checkpoints: Checkpoints = "last",
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
    manifest : path, optional
        A table with ``path`` and what no log knows: corpus, pretrain_tokens, task, seeds, …
    pattern : str, optional
        The same from the runs' paths:
        ``runs/{corpus}-{pretrain_tokens}/ft-{task}-{finetune_tokens}-s{finetune_seed}``.
    checkpoints : {"last", "all"}
        Of a training log's many evaluations, keep the last one of each metric and set, or all.

    Raises
    ------
    FormatError
        Where a file is not what its reader needs; names file and line.
    MissingColumnError
        Where something is missing that no log knows; names it and says how to give it.
    TableError
        Where the values break a rule; names rows, columns and values.
    """
    paths = [str(path)] if isinstance(path, str | Path) else [str(p) for p in path]
    given = beside(paths) if manifest is None else Source.of(manifest)
    found = _collect(paths, format, Context(_manifest(given), pattern), checkpoints)
    if given is not None:
        found.note(f"what no log knows is taken from the manifest {given.name}")
    if not found.rows:
        raise FormatError(f"{path}: holds no rows; needed at least one measured value")
    renamed = set((mapping or {}).values())
    if any("metric" in row for row in found.rows):
        ask_for_pretraining(
            found.rows, "pretrain_tokens" in renamed or "no_pretrain_tokens" in allow
        )
    _one_shape(found.rows)
    places = [str(row.pop("_place", None) or row.get("source", "?")) for row in found.rows]
    for row, place in zip(found.rows, places, strict=True):
        row["source"] = row.get("source") or place
        row.pop("_run", None)
    frame = frame_of(found.rows)
    try:
        made = build(frame, mapping=mapping, allow=allow, labels=places, notes=found.notes)
    except MissingColumnError as error:
        raise MissingColumnError(f"{paths[0]}: {error}") from error
    return Table(*made)


def _manifest(source: Source | None) -> manifests.Manifest | None:
    if source is None:
        return None
    reader = CSV if source.suffix in (".csv", ".tsv", ".txt") else required(source)
    return manifests.load(source, reader.extract(source).rows)


def _collect(paths: list[str], format: str | None, context: Context, checkpoints: str) -> Extract:
    """Return the rows of all sources, completed, and what was taken for what."""
    found, kinds = Extract(), Counter[str]()
    for address in filter(is_server, paths):
        _add(found, read_server(address), Source(Path(address), address), context, checkpoints)
        kinds["an MLflow tracking server"] += 1
    for source, reader in units([p for p in paths if not is_server(p)], format, found):
        _add(found, reader.extract(source), source, context, checkpoints)
        kinds[reader.title] += 1
    found.notes[:0] = [_taken(kinds, paths)]
    return found


def _taken(kinds: Counter[str], paths: Sequence[str]) -> str:
    if sum(kinds.values()) == 1 and len(paths) == 1:
        return f"{paths[0]}: taken for {next(iter(kinds))}"
    return "taken for: " + ", ".join(f"{title} × {n}" for title, n in sorted(kinds.items()))


def _add(found: Extract, new: Extract, source: Source, context: Context, checkpoints: str) -> None:
    rows = new.rows if checkpoints == "all" else _last(new, source)
    found.rows += context.complete(rows, source)
    for note in new.notes:
        found.note(note)
    if len(found.rows) > LIMITS.rows:
        raise FormatError(f"{source.name}: more than {LIMITS.rows} values; read it in parts")


def _last(new: Extract, source: Source) -> list[Row]:
    """Return the last evaluation of each metric, set and run of a log that has several."""
    if not any("step" in row and "metric" in row for row in new.rows):
        return new.rows
    last: dict[tuple[object, ...], Row] = {}
    for row in new.rows:
        key = tuple(
            row.get(k)
            for k in ("_run", "run", "system", "eval_set", "metric", "filter", "signature")
        )
        if key not in last or _step(row) >= _step(last[key]):
            last[key] = row
    gone = len(new.rows) - len(last)
    if gone:
        new.note(
            f"{source.name}: {gone} evaluations before the last left out (checkpoints='all' keeps them)"
        )
    return list(last.values())


def _step(row: Row) -> float:
    step = row.get("step")
    return float(step) if isinstance(step, int | float) else float("inf")


def _one_shape(rows: Sequence[Row]) -> None:
    """Refuse long and wide rows in one call."""
    long: Callable[[Row], bool] = lambda row: "metric" in row and "value" in row  # noqa: E731
    first = long(rows[0])
    for row in rows:
        wide = any(canonical(str(name)) in METRICS for name in row)
        if long(row) != first and (wide or not first):
            raise FormatError(
                f"{row.get('_place') or row.get('source')}: long rows (metric, value) and wide ones (a "
                "column a metric) in one call. Try: read them apart, and join the tables' frames"
            )
