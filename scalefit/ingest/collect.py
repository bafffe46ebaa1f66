"""From paths to rows: recognised, read, cut to the last checkpoint, completed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .complete import Context
from .find import units
from .mlflow_server import is_server, read_server
from .reader import Extract, Row, TooMuchError
from .source import NothingMeasuredError, Source

_ONE_LOG = ("@run", "run", "system", "eval_set", "metric", "filter", "signature")
_EARLIER = "evaluations before the last left out (checkpoints='all' keeps them)"
_SHOWN = 5


def collect(
    paths: list[str], format: str | None, context: Context, checkpoints: str
) -> tuple[Extract, list[Source]]:
    """Return the rows of all sources, completed, with notes on what was taken for what."""
    gathered = _Gathered(context, checkpoints)
    for address in filter(is_server, paths):
        new = read_server(address, history=checkpoints == "all")
        gathered.add(new, Source(Path(address), address), "an MLflow tracking server")
    found = gathered.found
    for source, reader, searched in units([p for p in paths if not is_server(p)], format, found):
        try:
            new = reader.extract(source)
        except NothingMeasuredError as error:
            if not searched:
                raise
            gathered.empty.append(str(error))
            continue
        gathered.add(new, source, reader.title, whole=reader.loose)
        gathered.sources.append(source)
    gathered.conclude(paths)
    return found, gathered.sources


@dataclass
class _Gathered:
    """What has been read so far."""

    context: Context
    checkpoints: str
    found: Extract = field(default_factory=Extract)
    kinds: Counter[str] = field(default_factory=Counter)
    sources: list[Source] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    earlier: Counter[str] = field(default_factory=Counter)

    def add(self, new: Extract, source: Source, title: str, *, whole: bool = False) -> None:
        """Add the rows of one source, of a log the last of each metric unless all are wanted."""
        self.kinds[title] += 1
        rows = new.rows if whole or self.checkpoints == "all" else _last(new.rows)
        if len(rows) < len(new.rows):
            self.earlier[source.name] = len(new.rows) - len(rows)
        for row in rows:
            row |= {"@unit": source.name, "@set": row.get("eval_set")}
        try:
            self.found.rows += self.context.complete(rows, source)
        except TooMuchError as error:
            raise source.wrong(None, f"with what was read before, {error}") from error
        for note in new.notes:
            self.found.note(note)

    def conclude(self, paths: Sequence[str]) -> None:
        """Add the notes on all sources together."""
        for name, gone in self.earlier.items() if len(self.earlier) == 1 else ():
            self.found.note(f"{name}: {gone} {_EARLIER}")
        if len(self.earlier) > 1:
            gone = sum(self.earlier.values())
            self.found.note(f"{gone} evaluations of {len(self.earlier)} logs {_EARLIER[12:]}")
        for error in self.empty[:_SHOWN]:
            self.found.note(f"left out: {error}")
        if len(self.empty) > _SHOWN:
            self.found.note(
                f"left out: {len(self.empty) - _SHOWN} more in which nothing is measured"
            )
        self.found.notes[:0] = [_taken(self.kinds, paths)]


def _taken(kinds: Counter[str], paths: Sequence[str]) -> str:
    if sum(kinds.values()) == 1 and len(paths) == 1:
        return f"{paths[0]}: taken for {next(iter(kinds))}"
    return "taken for: " + ", ".join(f"{title} × {n}" for title, n in sorted(kinds.items()))


def _last(rows: list[Row]) -> list[Row]:
    """Return the last evaluation of each metric, set and run of a log that has several."""
    if not any("step" in row and "metric" in row for row in rows):
        return rows
    last: dict[tuple[object, ...], Row] = {}
    for row in rows:
        key = tuple(row.get(name) for name in _ONE_LOG)
        if key not in last or _step(row) >= _step(last[key]):
            last[key] = row
    return list(last.values())


def _step(row: Row) -> float:
    step = row.get("step")
    return float(step) if isinstance(step, int | float) else float("inf")
