"""Manifests: a table that says, path by path, what no log knows (corpus, pretraining size, seeds).

Columns: ``path`` (a run's folder or file, relative to the manifest, ``*`` and ``**`` allowed), and
any of the table's columns. ``log_eval_set`` restricts a line to one evaluation set of the log;
cells may refer to others, as in ``{task}/synopses``.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from scalefit.errors import FormatError, MissingColumnError, TableError
from scalefit.table.cells import is_missing

from .reader import Row
from .source import Source

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
        found: Row = {}
        for line in lines:
            for name, value in line.says.items():
                if name in found and str(found[name]) != str(value):
                    raise TableError(
                        f"{line.place}, column {name!r}: found {value!r}, but an earlier line that "
                        f"fits {relative} has {found[name]!r}; needed one value"
                    )
                found[name] = value
        return found

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


def load(source: Source, rows: list[Row]) -> Manifest:
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
    return {k: _filled(v, row, path) if _has_reference(v) else v for k, v in row.items()}


def _has_reference(value: Any) -> bool:
    return isinstance(value, str) and "{" in value and _REFERENCE.search(value) is not None


def _filled(value: str, row: Row, path: str) -> str:
    def of(found: re.Match[str]) -> str:
        if is_missing(row.get(found[1])):
            raise MissingColumnError(
                f"{path}: {value!r} refers to column {found[1]!r}, which nothing tells. "
                "Try: name it in the manifest or the pattern"
            )
        return str(row[found[1]])

    return _REFERENCE.sub(of, value)
