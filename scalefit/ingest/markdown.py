"""Tables as Markdown has them: ``| corpus | tokens | BLEU |``, a line of dashes, and rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from .limits import LIMITS
from .reader import Extract, Reader, Row
from .source import Source

_RULE = re.compile(r"\s*\|?(\s*:?-+:?\s*\|)+\s*(:?-+:?\s*)?")
_BAR = re.compile(r"(?<!\\)\|")
_MARKS = re.compile(r"^(\*\*|__|`|\*)(.+)\1$")


def recognises(source: Source) -> bool:
    """Whether a line with bars is followed by one of dashes, in a .md file or at the very start."""
    lines = [t for t in source.first_lines if t.strip()]
    if source.suffix not in (".md", ".markdown"):
        lines = lines[:2]
    return any("|" in a and _RULE.fullmatch(b) for a, b in pairwise(lines))


def read(source: Source) -> Extract:
    """Return the rows of the file's first table as texts."""
    found = Extract()
    found.rows += _rows(source)
    if not found.rows:
        raise source.nothing("has no row below a line of dashes")
    return found


def _rows(source: Source) -> Iterator[Row]:
    before, names = "", list[str]()
    for line, text in source.lines():
        if not names:
            names = _cells(before) if _RULE.fullmatch(text) and "|" in before else []
            before = text
            continue
        if "|" not in text:
            return
        cells = _cells(text)
        if len(cells) != len(names) or len(names) > LIMITS.columns:
            raise source.wrong(
                line, f"found {len(cells)} cells; needed {len(names)}, as the head has"
            )
        yield {**dict(zip(names, cells, strict=True)), "@place": source.at(line)}


def _cells(text: str) -> list[str]:
    """Return a line's cells without the marks of bold, italics and code."""
    inner = text.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    cells = (cell.strip().replace("\\|", "|") for cell in _BAR.split(inner))
    return [_MARKS.sub(r"\2", cell) for cell in cells]


READER = Reader("markdown", "a Markdown table", recognises, read, loose=True)
