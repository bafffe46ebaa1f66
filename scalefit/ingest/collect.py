"""From paths to rows: recognised, read, cut to the evaluations that count, completed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scalefit.errors import ScalefitError

from .checkpoints import choose
from .complete import Context
from .find import units
from .mlflow_server import is_server, read_server
from .names import Names
from .reader import Extract, TooMuchError
from .source import Source

_LEFT = {
    "last": "evaluations before the last left out (checkpoints='all' keeps them)",
    "best": "evaluations beside the best left out (checkpoints='all' keeps them)",
}
_SHOWN = 5


@dataclass(frozen=True)
class Request:
    """What is asked of the readers.

    Attributes
    ----------
    format : str or None
        The format's name, where it is not to be recognised.
    context : Context
        What no log knows.
    checkpoints : {"best", "last", "all"}
        Which evaluations of a log count.
    names : Names
        What logged names mean to the user.
    by_row : bool
        Whether a table's rows are looked at one by one, as a log's are.
    """

    format: str | None
    context: Context
    checkpoints: str
    names: Names
    by_row: bool = False


def collect(paths: list[str], request: Request) -> tuple[Extract, list[Source]]:
    """Return the rows of all sources, completed, with notes on what was taken for what.

    A source that was found by searching and cannot be read is left out and named: one broken run
    never stops a folder.
    """
    gathered = _Gathered(request)
    for address in filter(is_server, paths):
        new = read_server(address, request.names, history=request.checkpoints != "last")
        gathered.add(new, Source(Path(address), address), "an MLflow tracking server")
    files = [p for p in paths if not is_server(p)]
    for source, reader, searched in units(files, request.format, request.names, gathered.found):
        try:
            new = reader.extract(source)
        except ScalefitError as error:
            if not searched:
                raise
            gathered.unread.append(str(error))
            continue
        gathered.add(new, source, reader.title, whole=reader.loose)
        gathered.sources.append(source)
    gathered.conclude(paths)
    return gathered.found, gathered.sources


@dataclass
class _Gathered:
    """What has been read so far."""

    request: Request
    found: Extract = field(default_factory=Extract)
    kinds: Counter[str] = field(default_factory=Counter)
    sources: list[Source] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)

    def add(self, new: Extract, source: Source, title: str, *, whole: bool = False) -> None:
        """Add the rows of one source, of a log those evaluations that count."""
        self.kinds[title] += 1
        rows = new.records() if self.request.by_row else new.rows
        if not whole:
            rows = choose(rows, self.request.checkpoints, source.name, new)
            self.left[source.name] += sum(r["value"] is not None for r in new.rows) - len(rows)
        for row in rows:
            row |= {"@unit": source.name, "@set": row.get("eval_set")}
        try:
            self.found.rows += self.request.context.complete(rows, source)
            self.found.sheets += [] if self.request.by_row else new.sheets
            self.found.check()
        except TooMuchError as error:
            raise source.wrong(None, f"with what was read before, {error}") from error
        for note in new.notes:
            self.found.note(note)

    def conclude(self, paths: Sequence[str]) -> None:
        """Add the notes on all sources together."""
        left, told = +self.left, _LEFT.get(self.request.checkpoints)
        if told and len(left) == 1:
            self.found.note(f"{next(iter(left))}: {left.total()} {told}")
        elif told and left:
            self.found.note(f"{left.total()} evaluations of {len(left)} logs {told[12:]}")
        for error in self.unread[:_SHOWN]:
            self.found.note(f"left out: {error}")
        if len(self.unread) > _SHOWN:
            more = len(self.unread) - _SHOWN
            self.found.note(
                f"left out: {more} more that are broken or in which nothing is measured"
            )
        self.found.notes[:0] = [_taken(self.kinds, paths)]


def _taken(kinds: Counter[str], paths: Sequence[str]) -> str:
    if sum(kinds.values()) == 1 and len(paths) == 1:
        return f"{paths[0]}: taken for {next(iter(kinds))}"
    return "taken for: " + ", ".join(f"{title} × {n}" for title, n in sorted(kinds.items()))
