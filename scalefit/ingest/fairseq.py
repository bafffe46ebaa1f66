"""fairseq training logs in their dialects: pipes with and without logger name, Hydra, JSON, 0.6 to 0.8.

``nll_loss`` is bits per target token and becomes nats; ``loss`` is label-smoothed and is not taken
unless the perplexity shows that it is the plain cross-entropy.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from .entropy import LN2, cross_entropy
from .jsons import number
from .reader import Extract, Reader, Row
from .source import Source

_SUBSET = re.compile(r"valid on '([^']{1,200})' subset")
_PAIR = re.compile(r"\|\s*([A-Za-z][\w-]*) ([^\s|]+)")
_JSON_KEY = re.compile(r'"(\w{1,80}?)_(?:nll_)?loss"')


def recognises(source: Source) -> bool:
    """Whether the first 64 KB look like a fairseq log (a validation, or its loggers' names)."""
    text = source.head.decode("utf-8", errors="replace")
    if _SUBSET.search(text) or ("num_updates" in text and "nll_loss" in text):
        return True
    return "fairseq_cli.train" in text or "| fairseq.trainer |" in text


def read(source: Source) -> Extract:
    """Return every validation of the log."""
    found = Extract()
    for line, text in source.lines():
        for subset, numbers in _validation(text):
            rows = list(_rows(subset, numbers, found))
            found.rows += [{**row, "source": source.at(line)} for row in rows]
    if not found.rows:
        raise source.nothing("a fairseq log without a validation line; needed one that finished")
    return found


def _validation(text: str) -> Iterator[tuple[str, dict[str, float]]]:
    subset = _SUBSET.search(text)
    if subset:
        told = _PAIR.findall(text[subset.end() :])
        pairs = {name.removeprefix("valid_"): number(value) for name, value in told}
        yield subset[1], {n: v for n, v in pairs.items() if v is not None}
    elif "_loss" in text and (start := text.find("{")) >= 0:
        yield from _json_dialect(text[start:])


def _json_dialect(text: str) -> Iterator[tuple[str, dict[str, float]]]:
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return
    named = [m for m in _JSON_KEY.findall(text) if not m.startswith("train")]
    for subset in dict.fromkeys(named):
        cut = len(subset) + 1
        pairs = {k[cut:]: number(v) for k, v in document.items() if k.startswith(f"{subset}_")}
        yield subset, {n: v for n, v in pairs.items() if v is not None}


def _rows(subset: str, numbers: dict[str, float], found: Extract) -> Iterator[Row]:
    common: Row = {"eval_set": subset, "step": numbers.get("num_updates")}
    entropy = _entropy(numbers, found)
    if entropy is not None:
        yield {**cross_entropy(entropy), **common}
    for name in ("bleu", "sacrebleu"):
        if name in numbers:
            yield {"metric": "bleu", "value": numbers[name], **common}


def _entropy(numbers: dict[str, float], found: Extract) -> float | None:
    if "nll_loss" in numbers:
        found.note("fairseq's nll_loss is in bits per target token: times ln 2 for nats")
        return numbers["nll_loss"] * LN2
    loss, ppl = numbers.get("loss"), numbers.get("ppl")
    if loss is None or ppl is None:
        return None
    if not (1 < ppl < math.inf and math.isfinite(loss)):
        return math.nan
    if abs(loss - math.log2(ppl)) > 0.02 * max(loss, 1.0):
        found.note("fairseq's loss is label-smoothed and the log has no nll_loss: not taken")
        return None
    found.note(
        "fairseq's loss is the plain cross-entropy here (2^loss is ppl): times ln 2 for nats"
    )
    return loss * LN2


READER = Reader("fairseq", "a fairseq training log", recognises, read)
