"""Tables as JSON (a list of rows, columns, or pandas' split) and as JSON lines."""

from __future__ import annotations

import json
import re
from typing import Any

from .jsons import load, load_lines
from .reader import Extract, Reader, Row
from .source import Source

_STAMP = re.compile(rb"\s*\[\d{4}-\d\d-\d\d[ T]")
"""How many logs begin: a bracket, but no JSON."""


def recognises(source: Source) -> bool:
    """Whether it begins like JSON and does not end in .jsonl."""
    if source.suffix in (".jsonl", ".ndjson") or _STAMP.match(source.head):
        return False
    return source.head.lstrip()[:1] in (b"{", b"[")


def is_long(source: Source) -> bool:
    """Whether the first row, one to a line, has metric and value."""
    start = source.head[: 1 << 15].decode("utf-8-sig", errors="replace").lstrip("[ \r\n\t")
    try:
        row = json.loads(start.partition("\n")[0].rstrip(", \r]"))
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and {"metric", "value"} <= set(row)


def read(source: Source) -> Extract:
    """Return the rows of a JSON table."""
    rows = _rows(load(source))
    if rows is None:
        raise source.wrong(
            None,
            "is JSON, but no table; needed a list of objects [{…}, {…}] or an object of equally "
            "long lists. Try: format= where it is the output of a tool",
        )
    found = Extract()
    found.rows += ({**row, "@place": f"{source.name}[{i}]"} for i, row in enumerate(rows))
    return found


def _rows(document: Any) -> list[Row] | None:
    if isinstance(document, dict) and isinstance(document.get("data"), list):
        names, data = document.get("columns"), document["data"]
        if isinstance(names, list) and all(
            isinstance(r, list) and len(r) == len(names) for r in data
        ):
            return [dict(zip(map(str, names), row, strict=True)) for row in data]
        document = data
    if isinstance(document, dict):
        return _columns(document)
    if isinstance(document, list) and document and all(isinstance(r, dict) for r in document):
        return document
    return None


def _columns(document: dict[str, Any]) -> list[Row] | None:
    if document and all(isinstance(v, list) for v in document.values()):
        if len({len(v) for v in document.values()}) != 1:
            return None
        return [
            dict(zip(document, row, strict=True)) for row in zip(*document.values(), strict=True)
        ]
    return None


def recognises_lines(source: Source) -> bool:
    """Whether it ends in .jsonl, or its first two lines are objects each."""
    lines = [t.strip() for t in source.first_lines if t.strip() and not t.lstrip().startswith("#")]
    if not lines or not lines[0].startswith("{"):
        return False
    whole = len(lines) > 1 and lines[0].endswith("}") and lines[1].startswith("{")
    return whole or source.suffix in (".jsonl", ".ndjson")


def read_lines(source: Source) -> Extract:
    """Return one row a line."""
    source.check_lines()
    found = Extract()
    for line, row in load_lines(source):
        if not isinstance(row, dict):
            raise source.wrong(line, "is no JSON object; needed one row a line")
        found.rows.append({**row, "@place": source.at(line)})
    if not found.rows:
        raise source.nothing("is empty; needed one JSON object a line")
    return found


JSON = Reader("json", "a JSON table", recognises, read, loose=True)
LINES = Reader("jsonl", "a JSON lines table", recognises_lines, read_lines, loose=True)
