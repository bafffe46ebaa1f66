"""What the log does not know is added from the manifest and the pattern, and asked for by name."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, runtime_checkable

from scalefit.errors import FormatError, MissingColumnError, TableError
from scalefit.ingest.reader import Extract
from scalefit.ingest.source import Source
from scalefit.rows import Row
from scalefit.table.draft import is_missing
from scalefit.table.names import COUNTS, SEEDS
from scalefit.units import parse_count

# Path patterns: ``runs/{corpus}-{pretrain_tokens}/ft-{task}-{finetune_tokens}-s{finetune_seed}``.
#
# A pattern is matched against the end of a run's path, folder by folder; what stands in braces is a
# column. Counts may be written 1.5B or 300M. ``*`` stands for anything within one folder's name.


_FIELD = re.compile(r"\{([^{}]*)\}|(\*)")
_NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:[eE][+]?[0-9]+)?[kKmMbBgGtT]?"
_FREE = 3
"""Free-text fields that one folder name may have: more would make matching slow."""


@lru_cache(maxsize=64)
def compiled(pattern: str) -> tuple[re.Pattern[str], ...]:
    """Return one regular expression a folder of the pattern.

    Raises FormatError: for a pattern that climbs out, has no field, or has fields that touch.
    """
    parts = [part for part in pattern.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts:
        raise FormatError(f"pattern {pattern!r} climbs out with '..'; needed a path below the runs")
    if not _FIELD.search(pattern) or "{" not in pattern:
        raise FormatError(
            f"pattern {pattern!r} has no field; needed one such as {{pretrain_tokens}}"
        )
    names = re.findall(r"\{([^{}]*)\}", pattern)
    if len(set(names)) != len(names):
        raise FormatError(f"pattern {pattern!r} names a field twice")
    return tuple(_part(pattern, part) for part in parts)


def _part(pattern: str, part: str) -> re.Pattern[str]:
    built, at, free, touching = "", 0, 0, False
    for place in _FIELD.finditer(part):
        if touching and place.start() == at:
            raise FormatError(
                f"pattern {pattern!r}: two fields touch; needed something between them"
            )
        number = place[1] in COUNTS + SEEDS
        free += not number
        built += re.escape(part[at : place.start()]) + _group(pattern, place[1], number=number)
        at, touching = place.end(), True
    if free > _FREE:
        raise FormatError(f"pattern {pattern!r}: more than {_FREE} text fields in one folder name")
    return re.compile(built + re.escape(part[at:]))


def _group(pattern: str, name: str | None, *, number: bool) -> str:
    if name is None:
        return "[^/]*?"
    if not re.fullmatch(r"[A-Za-z_]\w{0,60}", name):
        raise FormatError(f"pattern {pattern!r}: {{{name}}} is no column name")
    return f"(?P<{name}>{_NUMBER if number else '[^/]+?'})"


def match(pattern: str, path: str) -> dict[str, str] | None:
    """Return the columns that a path tells, or None where it does not fit.

    Examples
    --------
    >>> match("{corpus}-{pretrain_tokens}/s{finetune_seed}", "runs/fr+en-1.5M/s3/trainer_state.json")
    {'corpus': 'fr+en', 'pretrain_tokens': '1.5M', 'finetune_seed': '3'}
    """
    parts = [part for part in path.replace("\\", "/").split("/") if part]
    shapes = compiled(pattern)
    for start in range(len(parts) - len(shapes), -1, -1):
        columns: dict[str, str] = {}
        for shape, part in zip(shapes, parts[start:], strict=False):
            fits = shape.fullmatch(part) if len(part) < 256 else None
            if fits is None:
                break
            columns.update(fits.groupdict())
        else:
            return columns
    return None


# Manifests: a table that says, path by path, what no log knows (corpus, pretraining size, seeds).
#
# Columns: ``path`` (a run's folder or file, relative to the manifest, ``*`` and ``**`` allowed), and
# any of the table's columns. ``log_eval_set`` restricts a line to one evaluation set of the log;
# cells may refer to others, as in ``{task}/synopses``.


_JOINS = ("path", "log_eval_set", "run")
_REFERENCE = re.compile(r"\{(\w+)\}")
_SPANS = {"**/": "(?:[^/]+/)*", "/": "/"}
_WILD = {"*": "[^/]*", "?": "[^/]"}
_STARS = 3
"""Wildcards that one folder's name may have: more would make matching slow."""


@dataclass(frozen=True)
class Line:
    """One line of a manifest: which rows it is about, and what it says of them."""

    place: str
    path: str
    log_eval_set: str | None
    run: str | None
    says: Mapping[str, Any]

    def fits(self, row: Row) -> bool:
        """Return whether the line is about a row of a file that its path fits."""
        if self.log_eval_set is not None and row.get("eval_set") != self.log_eval_set:
            return False
        return self.run is None or self.run in (row.get("run"), row.get("system"))


@dataclass(frozen=True)
class Manifest:
    """A manifest, and the folder that its paths are relative to."""

    folder: Path
    lines: tuple[Line, ...]
    known: dict[Path, tuple[str, list[Line]]] = field(default_factory=dict, repr=False)

    def columns(self, path: Path, row: Row) -> Row | None:
        """Return what the manifest says about a row of a path, or None."""
        if path not in self.known:
            self.known[path] = self._about(path)
        relative, about = self.known[path]
        lines = [line for line in about if line.fits(row)]
        if not lines:
            return None
        told: Row = {}
        for line in lines:
            for name, value in line.says.items():
                if name in told and str(told[name]) != str(value):
                    raise TableError(
                        f"{line.place}, column {name!r}: found {value!r}, but an earlier line that "
                        f"fits {relative} has {told[name]!r}; needed one value"
                    )
                told[name] = value
        return told

    def _about(self, path: Path) -> tuple[str, list[Line]]:
        """Return a path as the manifest sees it, and the lines that fit it, in their order."""
        relative = os.path.relpath(os.path.abspath(path), self.folder).replace(os.sep, "/")  # noqa: PTH100
        plain, wild = self._index
        above = [relative, *map(str, PurePosixPath(relative).parents)]
        exact = [i for folder in above for i in plain.get(folder, ())]
        globs = [i for i, shape in wild if shape.fullmatch(relative)]
        return relative, [self.lines[i] for i in sorted(exact + globs)]

    @cached_property
    def _index(self) -> tuple[dict[str, list[int]], list[tuple[int, re.Pattern[str]]]]:
        """Lines by their path where it has no wildcard, and the others with theirs compiled."""
        plain, wild = defaultdict[str, list[int]](list), list[tuple[int, re.Pattern[str]]]()
        for i, line in enumerate(self.lines):
            if set("*?") & set(line.path):
                wild.append((i, _glob(line.path)))
            else:
                plain[line.path.strip("/")].append(i)
        return plain, wild


def _glob(pattern: str) -> re.Pattern[str]:
    """Return a manifest path as a regular expression; a folder covers what lies in it.

    What a folder's name has matched is not tried again another way (``(?>…)``): a hostile path
    would otherwise take as many tries as there are ways.
    """
    parts = re.split(r"(\*\*/|/)", pattern.strip("/"))
    built = "".join(_SPANS[p] if p in _SPANS else _name(p) for p in parts)
    return re.compile(built + "(?:/.*)?", re.S)


def _name(part: str) -> str:
    if part == "**":
        return ".*"
    pieces = re.split(r"(\*+|\?)", part)
    return f"(?>{''.join(_WILD.get(p[:1], re.escape(p)) for p in pieces)}(?=/|$))" if part else ""


def manifest_of(source: Source, rows: list[Row]) -> Manifest:
    """Return a manifest from its rows, as a table reader gives them."""
    if rows and not any({"path", "run"} & set(row) for row in rows[:1]):
        raise MissingColumnError(
            f"{source.name}: the manifest has no column 'path' or 'run' "
            f"(columns: {', '.join(n for n in rows[0] if n != '@place')})"
        )
    folder = Path(os.path.abspath(source.path)).parent  # noqa: PTH100
    return Manifest(folder, tuple(_line(row, source) for row in rows))


def _line(row: Row, source: Source) -> Line:
    place = str(row.get("@place", source.name))
    told = {k: v for k, v in row.items() if k != "@place" and not is_missing(v)}
    path = str(told.get("path", "**"))
    if ".." in Path(path).parts or Path(path).is_absolute():
        raise FormatError(
            f"{place}: path {path!r} climbs out; needed a path below the manifest's folder"
        )
    stars = [part.count("*") for part in path.replace("**/", "").split("/")]
    if max(stars) > _STARS or path.count("**/") > _STARS:
        raise FormatError(f"{place}: path {path!r} has more than {_STARS} wildcards in one name")
    says = {k: v for k, v in told.items() if k not in _JOINS}
    joins = {k: str(told[k]) if k in told else None for k in _JOINS[1:]}
    return Line(place, path.removeprefix("./"), joins["log_eval_set"], joins["run"], says)


def resolved(row: Row, path: str) -> Row:
    """Return a row whose cells' references to other columns are filled in."""
    return {k: _filled(v, row, path) if isinstance(v, str) else v for k, v in row.items()}


def _filled(value: str, row: Row, path: str) -> str:
    def of(reference: re.Match[str]) -> str:
        if is_missing(row.get(reference[1])):
            raise MissingColumnError(
                f"{path}: {value!r} refers to column {reference[1]!r}, which nothing tells. "
                "Try: name it in the manifest or the pattern"
            )
        return str(row[reference[1]])

    return _REFERENCE.sub(of, value)


@dataclass(frozen=True)
class Context:
    """Where the columns come from that no log knows.

    Attributes
    ----------
    manifest : Manifest or None; a table of runs.
    pattern : columns in the runs' paths.
    tokens_per_step : float or None; tokens of one step's batch, where the steps are those of pretraining:
        ``pretrain_tokens`` is then step × tokens.
    """

    manifest: Manifest | None = None
    pattern: str | None = None
    tokens_per_step: float | None = None

    @property
    def knows(self) -> bool:
        """Whether there is anything to add."""
        return (self.manifest, self.pattern, self.tokens_per_step) != (None, None, None)

    def complete(self, rows: list[Row], source: Source) -> list[Row]:
        """Return the rows of one source with what pattern and manifest say about it."""
        if self.manifest is not None or self.pattern is not None:
            rows = [self._row(row, source) for row in rows]
        if self.tokens_per_step is not None:
            rows = [self._counted(row) for row in rows]
        return rows

    def _counted(self, row: Row) -> Row:
        step = parse_count(str(row.get("step")))
        if step is None or not is_missing(row.get("pretrain_tokens")):
            return row
        return {**row, "pretrain_tokens": step * (self.tokens_per_step or 0.0)}

    def _row(self, row: Row, source: Source) -> Row:
        run = str(row.get("run") or row.get("system") or "")
        path = f"{source.path.as_posix()}/{run}" if run else source.path.as_posix()
        told = self._from_pattern(path) | self._from_manifest(row, source)
        replaced = {"model", "eval_set"} if self.manifest is not None else {"model"}
        completed = {**row}
        for name, value in told.items():
            own = row.get(name)
            if name not in replaced and not is_missing(own) and not _same(own, value):
                raise TableError(
                    f"{source.name}, column {name!r}: the file says {own!r}, the manifest or "
                    f"pattern {value!r}; needed one. Try: take {name} out of one of them"
                )
            completed[name] = value
        return resolved(completed, source.name)

    def _from_pattern(self, path: str) -> Row:
        if self.pattern is None:
            return {}
        told = match(self.pattern, path)
        if told is None and self.manifest is None:
            raise MissingColumnError(
                f"{path} does not fit the pattern {self.pattern!r}, so what the pattern would tell "
                "is missing. Try: a narrower path, or a manifest (runs.csv) beside the pattern"
            )
        return dict(told or {})

    def _from_manifest(self, row: Row, source: Source) -> Row:
        if self.manifest is None:
            return {}
        told = self.manifest.columns(source.path, row)
        if told is None and self.pattern is None:
            raise MissingColumnError(
                f"{source.name}: no line of the manifest fits it, so its corpus, pretraining size "
                "and seeds are missing. Try: add a line with its path"
            )
        return told or {}


def _same(own: object, told: object) -> bool:
    counts = [parse_count(str(v)) for v in (own, told)]
    return str(own) == str(told) or (counts[0] is not None and counts[0] == counts[1])


@runtime_checkable
class Rescorer(Protocol):
    """What scores the hypotheses beside the logs: :class:`scalefit.Outputs`, which stands above the readers."""

    def score(self, extract: Extract, units: Sequence[Source], context: Context) -> None:
        """Put new scores in the place of the logs' own."""
