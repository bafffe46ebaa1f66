"""OpenNMT-py training logs: cross-entropy is ln(validation perplexity)."""

from __future__ import annotations

import re

from .entropy import of_perplexity
from .jsons import number
from .reader import Extract, Reader, Row
from .source import Source

_STEP = re.compile(r"\bStep\s+(\d{1,15})/\s*\d+\s*;")
_PPL = re.compile(r"[Vv]alidation perplexity:\s*(\S+)")
_ACCURACY = re.compile(r"[Vv]alidation accuracy:\s*(\S+)")
_PREAMBLE = re.compile(
    r"INFO\] (Parsed \d+ corpora from -data|Weighted corpora loaded so far|NMTModel\()"
)
_BLEU = re.compile(r"[Vv]alidation BLEU:?\s*(\S+)")


def recognises(source: Source) -> bool:
    """Whether a line reads ``Step N/M; acc: …`` or ``Validation perplexity: …``.

    What stands before the first of them may be long: the model, and a line for each round through
    a small corpus.
    """
    text = source.head.decode("utf-8", errors="replace")
    if _PPL.search(text) or (_STEP.search(text) and "ppl:" in text):
        return True
    return _PREAMBLE.search(text) is not None


def read(source: Source) -> Extract:
    """Return every validation, each at the last training step before it."""
    found, step = Extract(), None
    for line, text in source.lines():
        if train := _STEP.search(text):
            step = int(train[1])
        place = {"step": step, "eval_set": "valid", "source": source.at(line)}
        found.rows += [{**row, **place} for row in _rows(text)]
    if not found.rows:
        raise source.nothing("an OpenNMT-py log without 'Validation perplexity'")
    found.note("OpenNMT-py's cross-entropy is ln(validation perplexity)")
    return found


def _rows(text: str) -> list[Row]:
    rows: list[Row] = []
    ppl = _number(_PPL, text)
    if ppl is not None:
        rows.append(of_perplexity(ppl))
    accuracy, bleu = _number(_ACCURACY, text), _number(_BLEU, text)
    if accuracy is not None:
        rows.append({"metric": "token_accuracy", "value": accuracy / 100})
    if bleu is not None:
        rows.append({"metric": "bleu", "value": bleu})
    return rows


def _number(pattern: re.Pattern[str], text: str) -> float | None:
    found = pattern.search(text)
    return number(found[1].rstrip(";,")) if found else None


READER = Reader("opennmt", "an OpenNMT-py log", recognises, read)
