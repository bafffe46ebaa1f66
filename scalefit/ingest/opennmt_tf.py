"""OpenNMT-tf logs: ``Evaluation result for step 5000: loss = 1.83 ; perplexity = 6.2 ; bleu = 28``."""

from __future__ import annotations

import re

from scalefit.table.metrics import METRICS
from scalefit.table.names import metric_name

from .entropy import cross_entropy, of_perplexity
from .jsons import number
from .reader import Extract, Reader, Row
from .source import Source

_LINE = re.compile(r"Evaluation result for step (\d{1,15}): (.+)")
_PAIR = re.compile(r"([A-Za-z][\w-]{0,40}) = ([^\s;]{1,40})")


def recognises(source: Source) -> bool:
    """Whether a line tells an evaluation, or the log's first lines are OpenNMT-tf's."""
    text = source.head.decode("utf-8", errors="replace")
    return bool(_LINE.search(text)) or "INFO:tensorflow:Using OpenNMT-tf" in text


def read(source: Source) -> Extract:
    """Return every evaluation; its loss is nats per target token, as its perplexity shows."""
    found = Extract()
    for line, text in source.lines():
        if told := _LINE.search(text):
            place = {"step": int(told[1]), "eval_set": "eval", "source": source.at(line)}
            numbers = {
                n.lower(): v for n, s in _PAIR.findall(told[2]) if (v := number(s)) is not None
            }
            found.rows += [{**row, **place} for row in _rows(numbers)]
    if not found.rows:
        raise source.nothing("an OpenNMT-tf log without 'Evaluation result for step'")
    return found


def _rows(numbers: dict[str, float]) -> list[Row]:
    rows: list[Row] = []
    if "perplexity" in numbers:
        rows.append(of_perplexity(numbers["perplexity"]))
    elif "loss" in numbers:
        rows.append(cross_entropy(numbers["loss"]))
    for name, value in numbers.items():
        if metric_name(name) in METRICS and name != "perplexity":
            rows.append({"metric": metric_name(name), "value": value})
    return rows


READER = Reader("opennmt-tf", "an OpenNMT-tf log", recognises, read)
