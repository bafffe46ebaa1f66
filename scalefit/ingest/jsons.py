"""JSON, bounded in size and depth, with errors that name file and line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .limits import LIMITS

if TYPE_CHECKING:
    from .source import Source


_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def load_json(source: Source) -> Any:
    """Return the JSON document of a file."""
    return parse(source, source.text())


def load_jsons(source: Source) -> list[Any]:
    """Return the JSON documents of a file that holds one, or several one after another."""
    text = source.text().strip()
    _bounded(source, text, 1)
    documents: list[Any] = []
    at = line = 0
    while at < len(text):
        end = _end(text, at)
        documents.append(parse(source, text[at:end], line + 1))
        after = _BETWEEN.match(text, end)
        start, at = at, after.end() if after else end
        line += text.count("\n", start, at)
    return documents


_BETWEEN = re.compile(r"[\s,]*")


def _end(text: str, at: int) -> int:
    """Return where the document that begins at a place ends; the text's end where there is none."""
    try:
        return json.JSONDecoder().raw_decode(text, at)[1]
    except (ValueError, RecursionError):
        return len(text)


def _bounded(source: Source, text: str, line: int) -> None:
    if sum(map(text.count, "[{,")) > LIMITS.values:
        raise source.wrong(line, f"JSON of more than {LIMITS.values} values; needed less at once")


def parse(source: Source, text: str, line: int = 1) -> Any:
    """Return a JSON document; `line` is the line at which the text begins."""
    _bounded(source, text, line)
    try:
        document = json.loads(text)
        if _HALF.search(text):  # halves of characters, which no file holds
            document = json.loads(
                json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
            )
    except json.JSONDecodeError as error:
        raise source.wrong(line + error.lineno - 1, f"no valid JSON: {error.msg}") from error
    except RecursionError as error:
        raise source.wrong(
            line, "JSON nested deeper than Python reads; this is no results file"
        ) from error
    except ValueError as error:
        raise source.wrong(line, f"JSON that cannot be held: {error}") from error
    if not _shallow(document):
        raise source.wrong(line, f"JSON nested deeper than {LIMITS.depth}; this is no results file")
    return document


def _shallow(value: Any) -> bool:
    # Level by level, for recursion would end in the very depth that is looked for.
    level = [value]
    for _ in range(LIMITS.depth):
        level = [v for item in level for v in _inside(item) if isinstance(v, dict | list)]
        if not level:
            return True
    return False


def _inside(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return list(item.values())
    return item if isinstance(item, list) else []


def load_lines(source: Source) -> Iterator[tuple[int, Any]]:
    """Yield (line number, document) for every non-empty line."""
    for number, line in source.lines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, parse(source, line, number)


def first_object(source: Source) -> dict[str, Any]:
    """Return the first line's object for recognition, or an empty one."""
    for line in source.first_lines:
        if line.strip():
            try:
                document = json.loads(line)
            except (ValueError, RecursionError):
                return {}
            return document if isinstance(document, dict) else {}
    return {}


def number(value: Any) -> float | None:
    """Return a JSON value as a number: numbers and number-like strings, no truth values."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
