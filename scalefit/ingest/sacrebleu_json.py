"""sacreBLEU's own output: one metric, several, several systems, paired tests, text lines.

The half-width that ``--confidence`` prints is 1.96 standard errors, and becomes one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from scalefit.table.names import metric_name

from .jsons import load, number
from .reader import Extract, Reader, Row
from .source import Source

_NAMES = re.compile(rb'"(BLEU|chrF2?(\+\+)?|chrF3|TER)"')
_TEXT = re.compile(
    r"\s*(?P<name>BLEU|chrF\d?(?:\+\+)?|TER)\|(?P<signature>\S+) = (?P<score>[\d.]+)"
    r"(?: \(μ = [\d.]+ ± (?P<width>[\d.]+)\))?(?:.*?BP = (?P<bp>[\d.]+))?"
)
_RESAMPLING = ("bs", "ar", "seed")
_BP = re.compile(r"BP = ([\d.]+)")


def recognises(source: Source) -> bool:
    """Whether it is JSON of sacreBLEU's shapes, or its text lines."""
    head = source.head.lstrip()
    if head[:1] in (b"{", b"["):
        shaped = b'"verbose_score"' in head or b'"system"' in head or b'"signature"' in head
        return bool(_NAMES.search(head)) and shaped
    return any(_TEXT.match(line) for line in source.first_lines[:5])


def read(source: Source) -> Extract:
    """Return all scores."""
    found = Extract()
    if source.head.lstrip()[:1] in (b"{", b"["):
        document = load(source)
        for item in document if isinstance(document, list) else [document]:
            if not isinstance(item, dict):
                raise source.wrong(
                    None, "holds something that is no score; needed sacreBLEU's output"
                )
            found.rows += [{**r, "source": source.name} for r in _scores(item, found)]
    else:
        for line, text in source.lines():
            found.rows += [{**r, "source": source.at(line)} for r in _text(text)]
    if not found.rows:
        raise source.nothing("holds no score; needed sacreBLEU's output")
    if any("signature" not in r for r in found.rows):
        found.note(
            f"{source.name}: sacreBLEU prints no signature with several systems: none is kept"
        )
    return found


def _scores(item: dict[str, Any], found: Extract) -> Iterator[Row]:
    if "system" not in item:
        yield from _score(str(item.get("name", "")), item, {})
        return
    system = str(item["system"]).removeprefix("Baseline: ")
    for name, value in item.items():
        if name == "system":
            continue
        detail = value if isinstance(value, dict) else {"score": value}
        yield from _score(name, detail, {"system": system})


def _score(name: str, detail: dict[str, Any], common: Row) -> Iterator[Row]:
    value = number(detail.get("score"))
    if value is None or not name:
        return
    signed = _signed(detail["signature"]) if isinstance(detail.get("signature"), str) else {}
    width = number(detail.get("confidence_var", detail.get("ci")))
    error = {} if width is None else {"stderr": width / 1.96}
    yield {"metric": metric_name(name), "value": value, **error, **signed, **common}
    penalty = _BP.search(str(detail.get("verbose_score", "")))
    if penalty:
        yield {"metric": "brevity_penalty", "value": number(penalty[1]), **signed, **common}


def _signed(signature: str) -> Row:
    """Return a signature without what is about the confidence interval, not the score."""
    parts = [p for p in signature.split("|") if p.split(":")[0] not in _RESAMPLING]
    return {"signature": "|".join(parts)}


def _text(line: str) -> Iterator[Row]:
    found = _TEXT.match(line)
    if found is None:
        return
    signed = _signed(found["signature"])
    error = {"stderr": float(found["width"]) / 1.96} if found["width"] else {}
    yield {"metric": metric_name(found["name"]), "value": number(found["score"]), **error, **signed}
    if found["bp"]:
        yield {"metric": "brevity_penalty", "value": number(found["bp"]), **signed}


READER = Reader("sacrebleu", "sacreBLEU scores", recognises, read)
