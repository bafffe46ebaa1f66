"""The one door: a path, a folder, a glob or standard input becomes a table.

Sources are recognised, read, cut to the evaluations that count and completed with what no log knows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scalefit.errors import FormatError, MissingColumnError, ScalefitError
from scalefit.groups import as_names
from scalefit.rows import Row
from scalefit.table import Table
from scalefit.table.build import build
from scalefit.table.names import meaning, measured_column

from .checkpoints import Checkpoints, checked, choose
from .complete import Context, Manifest, Rescorer, manifest_of
from .config import Config, names_in
from .mlflow_server import is_server, read_server
from .reader import Extract, Sheet
from .registry import beside, required, units
from .source import Names, Source, TooMuchError
from .text_tables import CSV

_LEFT = {
    "last": "evaluations before the last left out (checkpoints='all' keeps them)",
    "best": "evaluations beside the best left out (checkpoints='all' keeps them)",
}
_NAMED = 5


@dataclass(frozen=True)
class Request:
    """What is asked of the readers.

    Attributes
    ----------
    format : the format's name, where it is not to be recognised.
    context : Context; what no log knows.
    checkpoints : {"best", "last", "all"}; which evaluations of a log count.
    names : Names; what logged names mean to the user.
    by_row : whether a table's rows are looked at one by one, as a log's are.
    """

    format: str | None
    context: Context
    checkpoints: str
    names: Names
    by_row: bool = False


def collect(paths: list[str], request: Request) -> tuple[Extract, list[Source]]:
    """Return the rows of all sources, completed, with notes on what was taken for what.

    A source that was found by searching and cannot be read is left out and named: one broken run never stops a folder.
    """
    gathered = _Gathered(request)
    for address in filter(is_server, paths):
        new = read_server(address, request.names, history=request.checkpoints != "last")
        gathered.add(new, Source(Path(address), address), "an MLflow tracking server")
    files = [p for p in paths if not is_server(p)]
    for source, reader, searched in units(files, request.format, request.names, gathered.extract):
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
    return gathered.extract, gathered.sources


@dataclass
class _Gathered:
    """What has been read so far."""

    request: Request
    extract: Extract = field(default_factory=Extract)
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
        rows = self.request.context.complete(rows, source)
        if rows and not whole:
            self._ask(rows[0])
        try:
            self.extract.rows += rows
            self.extract.sheets += [] if self.request.by_row else new.sheets
            self.extract.check()
        except TooMuchError as error:
            raise source.wrong(None, f"with what was read before, {error}") from error
        for note in new.notes:
            self.extract.note(note)

    def _ask(self, row: Row) -> None:
        told = {*map(meaning, row), *self.request.names.mapping.values()}
        if "pretrain_tokens" not in told:
            self.extract.note(
                "no log knows how many tokens its model was pretrained on: a manifest, or a pattern such as "
                "'runs/{corpus}-{pretrain_tokens}', tells"
            )

    def conclude(self, paths: Sequence[str]) -> None:
        """Add the notes on all sources together."""
        left, told = +self.left, _LEFT.get(self.request.checkpoints)
        if told and len(left) == 1:
            self.extract.note(f"{next(iter(left))}: {left.total()} {told}")
        elif told and left:
            self.extract.note(f"{left.total()} evaluations of {len(left)} logs {told[12:]}")
        for error in self.unread[:_NAMED]:
            self.extract.note(f"left out: {error}")
        if len(self.unread) > _NAMED:
            more = len(self.unread) - _NAMED
            self.extract.note(
                f"left out: {more} more that are broken or in which nothing is measured"
            )
        self.extract.notes[:0] = _taken(self.kinds, paths)


def _taken(kinds: Counter[str], paths: Sequence[str]) -> list[str]:
    """Say what files were taken for, but of one whose name says so itself."""
    if sum(kinds.values()) == 1 and len(paths) == 1:
        (title,) = kinds
        told = f"a {Path(paths[0]).suffix[1:].upper()} table" == title
        return [] if told else [f"{paths[0]}: taken for {title}"]
    return ["taken for: " + ", ".join(f"{title} × {n}" for title, n in sorted(kinds.items()))]


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
    format : a format's name; by default it is recognised by name, magic bytes and first lines, and the notes say what
        the file was taken for.
    mapping : own name -> canonical name, for columns and, where there is no such column, for metrics.
    allow : checks to switch off, see :data:`scalefit.table.ALLOWABLE`.
    metrics : columns that are metrics though the registry does not know them.
    inputs : columns that are inputs of a law though they are named after a metric.
    manifest : a table with ``path`` and what no log knows: corpus, pretrain_tokens, task, seeds, …
    pattern : the same from the runs' paths:
        ``runs/{corpus}-{pretrain_tokens}/ft-{task}-{finetune_tokens}-s{finetune_seed}``.
    checkpoints : {"best", "last", "all"}, optional; of a training log's many evaluations, keep the last one of each
        metric and set, those at the best step, or all. Default: ``last``, or ``all`` with `tokens_per_step`.
    tokens_per_step : tokens of one step's batch, where the log is one of pretraining: each step's ``pretrain_tokens``
        is then step × tokens.
    outputs : hypotheses beside the logs, to be scored: their scores, with standard errors and signatures, take the
        place of the log's own.

    config : a ``scalefit.toml`` that keeps mapping, allow, manifest, pattern, checkpoints and tokens_per_step; by
        default the one beside the data. What is given here comes first.

    Raises FormatError: where a file is not what its reader needs; names file and line; MissingColumnError: where
    something is missing that no log knows; names it and says how to give it; TableError: where the values break a
    rule; names rows, columns and values.

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
    by_row = context.knows or outputs is not None
    extract, sources = collect(paths, Request(format, context, which, Names(mapping), by_row))
    if outputs is not None:
        outputs.score(extract, sources, context)
    if given is not None:
        extract.note(f"what no log knows is taken from the manifest {given.name}")
    try:
        own = [Sheet.of(extract.rows)] if extract.rows else []
        sheet = Sheet.joined([*own, *extract.sheets])
    except TooMuchError as error:
        raise FormatError(f"{paths[0]}: {error}") from error
    if not len(sheet):
        told = "; ".join(extract.notes[1:4])
        raise FormatError(f"{path}: holds no measured value; needed at least one. {told}".strip())
    _one_shape(sheet)
    try:
        made = build(
            sheet.draft(extract.notes),
            mapping=kept.fitting(mapping, names_in(sheet.columns)),
            allow=allow,
            metrics=metrics,
            inputs=inputs,
        )
    except MissingColumnError as error:
        raise MissingColumnError(f"{paths[0]}: {error}") from error
    return Table.of(*made)


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


def _manifest(source: Source | None) -> Manifest | None:
    if source is None:
        return None
    reader = CSV if source.suffix in (".csv", ".tsv", ".txt") else required(source)
    return manifest_of(source, reader.extract(source).records())


def _one_shape(sheet: Sheet) -> None:
    """Refuse long and wide rows in one call."""
    long = [{"metric", "value"} <= set(shape) for shape in sheet.shapes]
    for is_long, (shape, place) in zip(long, sheet.shapes.items(), strict=True):
        if is_long != long[0] and (not long[0] or any(map(measured_column, map(str, shape)))):
            raise FormatError(
                f"{place}: long rows (metric, value) and wide ones (a column a metric) in one call. "
                "Try: read them apart, and join the tables' frames"
            )
