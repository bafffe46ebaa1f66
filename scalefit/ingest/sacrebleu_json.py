"""sacreBLEU's own output: one metric, several, several systems, paired tests, text; multi-bleu.perl.

The half-width that ``--confidence`` prints is 1.96 standard errors, and becomes one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from scalefit.table.names import metric_name

from .jsons import load_all, number
from .reader import Extract, Reader, Row
from .source import Source

_NAMES = re.compile(rb'"(BLEU|chrF2?(\+\+)?|chrF3|TER)"')
_TEXT = re.compile(
    r"\s*(?P<name>BLEU|chrF\d?(?:\+\+)?|TER)[|+](?P<signature>\S+) = (?P<score>[\d.]+)"
    r"(?: \(μ = [\d.]+ ± (?P<width>[\d.]+)\))?(?:.*?BP = (?P<bp>[\d.]+))?"
)
"""Version 2's lines (``BLEU|nrefs:1|…``) and version 1's (``BLEU+case.mixed+…``)."""
_MULTI_BLEU = re.compile(
    r"\s*(?P<name>BLEU) = (?P<score>[\d.]+), [\d.]+/[\d.]+.*?\(BP=(?P<bp>[\d.]+)"
)
_RESAMPLING = ("bs", "ar", "seed")
_FRACTION = re.compile(r"(^|\+)version\.1\.")
_BP = re.compile(r"BP = ([\d.]+)")


def recognises(source: Source) -> bool:
    """Whether it is JSON of sacreBLEU's shapes, or its text lines."""
    head = source.head.lstrip()
    if head[:1] in (b"{", b"["):
        shaped = b'"verbose_score"' in head or b'"system"' in head or b'"signature"' in head
        return bool(_NAMES.search(head)) and shaped
    return any(_TEXT.match(t) or _MULTI_BLEU.match(t) for t in source.first_lines[:5])


def read(source: Source) -> Extract:
    """Return all scores."""
    found = Extract()
    if source.head.lstrip()[:1] in (b"{", b"["):
        for item in _items(source):
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


def _items(source: Source) -> Iterator[Any]:
    """Yield the scores of one document, or of several that were written one after another."""
    for document in load_all(source):
        yield from document if isinstance(document, list) else [document]


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
    found = _TEXT.match(line) or _MULTI_BLEU.match(line)
    value = number(found["score"]) if found else None
    if found is None or value is None:
        return
    told = found.groupdict()
    signed = _signed(told.get("signature") or "multi-bleu.perl|tok:none")
    width, penalty = number(told.get("width")), number(told["bp"])
    error = {"stderr": width / 1.96} if width is not None else {}
    name = metric_name(found["name"])
    # Version 1 printed chrF as a fraction.
    factor = 100.0 if name.startswith("chrf") and _FRACTION.search(signed["signature"]) else 1.0
    yield {"metric": name, "value": value * factor, **error, **signed}
    if penalty is not None:
        yield {"metric": "brevity_penalty", "value": penalty, **signed}


READER = Reader("sacrebleu", "sacreBLEU scores", recognises, read)
