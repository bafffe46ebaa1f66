"""From paths to rows: recognised, read, cut to the last checkpoint, completed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from scalefit.errors import FormatError

from .complete import Context
from .find import units
from .limits import LIMITS
from .mlflow_server import is_server, read_server
from .reader import Extract, Row
from .source import NothingMeasuredError, Source


def collect(
    paths: list[str], format: str | None, context: Context, checkpoints: str
) -> tuple[Extract, list[Source]]:
    """Return the rows of all sources, completed, with notes on what was taken for what."""
    found, kinds, sources = Extract(), Counter[str](), list[Source]()
    for address in filter(is_server, paths):
        new = read_server(address, history=checkpoints == "all")
        _add(found, new, Source(Path(address), address), context, checkpoints)
        kinds["an MLflow tracking server"] += 1
    for source, reader, searched in units([p for p in paths if not is_server(p)], format, found):
        try:
            new = reader.extract(source)
        except NothingMeasuredError as error:
            if not searched:
                raise
            found.note(f"left out: {error}")
            continue
        _add(found, new, source, context, "all" if reader.loose else checkpoints)
        kinds[reader.title] += 1
        sources.append(source)
    found.notes[:0] = [_taken(kinds, paths)]
    return found, sources


def _taken(kinds: Counter[str], paths: Sequence[str]) -> str:
    if sum(kinds.values()) == 1 and len(paths) == 1:
        return f"{paths[0]}: taken for {next(iter(kinds))}"
    return "taken for: " + ", ".join(f"{title} × {n}" for title, n in sorted(kinds.items()))


def _add(found: Extract, new: Extract, source: Source, context: Context, checkpoints: str) -> None:
    rows = new.rows if checkpoints == "all" else _last(new, source)
    for row in rows:
        row |= {"@unit": source.name, "@set": row.get("eval_set")}
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
            for k in ("@run", "run", "system", "eval_set", "metric", "filter", "signature")
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
