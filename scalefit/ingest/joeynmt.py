"""JoeyNMT ``validations.txt`` and ``train.log``: cross-entropy is ln(PPL); version 1's ``Loss`` is a corpus sum.

JoeyNMT gives chrF as a fraction beside BLEU in percent. Its perplexity is that of the training
loss, so it holds label smoothing where the run was trained with it, which the file does not say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .entropy import of_perplexity
from .jsons import number
from .reader import Extract, Reader, Row
from .source import Source

_LINE = re.compile(r"Steps:\s*(\d{1,15})[\t,]")
_PAIR = re.compile(r"([A-Za-z][\w-]{0,40}):\s*([^\s,]+)")
_METRICS = {"bleu": ("bleu", 1.0), "chrf": ("chrf", 100.0), "acc": ("token_accuracy", 1.0)}
"""Logged name -> metric, and what brings it to the table's unit."""
_STEP = re.compile(r"\b[Ss]tep:?\s+(\d{1,15})\b")
_RESULT = re.compile(r"(?:Validation|Evaluation) result[^:]{0,80}:\s*(.+)")
_NOTE = (
    "JoeyNMT's cross-entropy is ln(PPL), label smoothing included where the run had it; its Loss "
    "may be a corpus sum"
)


def recognises(source: Source) -> bool:
    """Whether a first line reads ``Steps: N … PPL: x``."""
    return any(_LINE.match(t) and "ppl:" in t.lower() for t in source.first_lines)


def read(source: Source) -> Extract:
    """Return every validation."""
    found = Extract()
    for line, text in source.lines():
        start = _LINE.match(text)
        if start is None:
            continue
        numbers = {name.lower(): number(value) for name, value in _PAIR.findall(text)}
        place = {"step": int(start[1]), "eval_set": "dev", "source": source.at(line)}
        ppl = numbers.get("ppl")
        if ppl is not None:
            found.rows.append({**of_perplexity(ppl), **place})
            found.note(_NOTE)
        found.rows += _scores(numbers, place)
    if not found.rows:
        raise source.nothing("has no line 'Steps: N … PPL: x' that is whole")
    return found


def _scores(numbers: dict[str, float | None], place: Row) -> Iterator[Row]:
    for name, (metric, factor) in _METRICS.items():
        value = numbers.get(name)
        if value is not None:
            yield {"metric": metric, "value": value * factor, **place}


def recognises_train(source: Source) -> bool:
    """Whether it is what JoeyNMT prints while it trains."""
    return b" - joeynmt." in source.head or b" joeynmt.training" in source.head


def read_train(source: Source) -> Extract:
    """Return every validation of a ``train.log``, each at the last step told before it."""
    found, step = Extract(), None
    for line, text in source.lines():
        told = _STEP.search(text)
        step = int(told[1]) if told else step
        result = _RESULT.search(text)
        if result is None:
            continue
        numbers = {name.lower(): number(value) for name, value in _PAIR.findall(result[1])}
        place = {"step": step, "eval_set": "dev", "source": source.at(line)}
        if (ppl := numbers.get("ppl")) is not None:
            found.rows.append({**of_perplexity(ppl), **place})
            found.note(_NOTE)
        found.rows += _scores(numbers, place)
    if not found.rows:
        raise source.nothing("a JoeyNMT log without a validation result")
    return found


TRAIN = Reader("joeynmt-train", "a JoeyNMT training log", recognises_train, read_train)
READER = Reader("joeynmt", "a JoeyNMT validation log", recognises, read)
