"""COMET's own output: ``comet-score --to_json``, its text lines, ``comet-compare --to_json``."""

from __future__ import annotations

import math
import re
from typing import Any

from .entropy import mean
from .jsons import load, number
from .reader import Extract, Reader, Row
from .source import Source

_SYSTEM = re.compile(r"(?P<system>.+?)\tscore: (?P<score>-?[\d.]+)")
_SEGMENT = re.compile(r"(?P<system>.+?)\tSegment (?P<segment>\d+)\tscore: (?P<score>-?[\d.]+)")


def recognises_json(source: Source) -> bool:
    """Whether it is JSON with segments that have a COMET score, or comet-compare's."""
    head = source.head
    return head.lstrip()[:1] == b"{" and (b'"COMET"' in head or b'"statistical_results"' in head)


def read_json(source: Source) -> Extract:
    """Return each system's mean segment score with its standard error."""
    document = load(source)
    if not isinstance(document, dict):
        raise source.wrong(None, "is no JSON object; needed COMET's output")
    found = Extract()
    compared = document.get("translations")
    if isinstance(compared, list):
        model = document.get("model")
        signed = {"signature": f"model:{model}"} if isinstance(model, str) else {}
        pairs = [(t.get("name"), t.get("scores"), signed) for t in compared if isinstance(t, dict)]
    else:
        pairs = [(name, _column(segments), {}) for name, segments in document.items()]
    for name, scores, signed in pairs:
        found.rows.append({**_row(source, str(name), scores), **signed, "source": source.name})
    _no_model(source, found)
    return found


def _column(segments: Any) -> Any:
    if not isinstance(segments, list):
        return None
    return [s.get("COMET") if isinstance(s, dict) else None for s in segments]


def _row(source: Source, name: str, scores: Any) -> Row:
    values = [number(s) for s in scores] if isinstance(scores, list) else []
    known = [v for v in values if v is not None and math.isfinite(v)]
    if not known or len(known) != len(values):
        raise source.wrong(None, f"system {name!r}: needed a COMET score for every segment")
    return {"metric": "comet", "system": name, **mean(known)}


def _no_model(source: Source, found: Extract) -> None:
    if not found.rows:
        raise source.nothing("holds no COMET score")
    if any("signature" not in row for row in found.rows):
        found.note(
            f"{source.name}: COMET's output does not name its model; scores of two models do not compare"
        )


def recognises_text(source: Source) -> bool:
    """Whether the first lines end in ``score: x``."""
    lines = [line for line in source.first_lines[:5] if line.strip()]
    return bool(lines) and all(
        _SYSTEM.fullmatch(line) or _SEGMENT.fullmatch(line) for line in lines
    )


def read_text(source: Source) -> Extract:
    """Return each system's score; its standard error comes from the segment lines."""
    found, segments = Extract(), dict[str, list[float]]()
    for line, text in source.lines():
        segment, system = _SEGMENT.fullmatch(text), _SYSTEM.fullmatch(text)
        if segment:
            value = number(segment["score"])
            segments.setdefault(segment["system"], []).extend([] if value is None else [value])
        elif system:
            many = segments.get(system["system"], [])
            error = mean(many)["stderr"] if len(many) > 1 else None
            row = {"metric": "comet", "value": number(system["score"]), "stderr": error}
            found.rows.append({**row, "system": system["system"], "source": source.at(line)})
    if segments and not found.rows:
        raise source.wrong(None, "has segment scores but no system line: was it cut short?")
    _no_model(source, found)
    return found


JSON = Reader("comet-json", "COMET scores (JSON)", recognises_json, read_json)
TEXT = Reader("comet-text", "COMET scores (text)", recognises_text, read_text)
