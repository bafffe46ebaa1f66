"""Sockeye's ``metrics``: a line a checkpoint, ``1<TAB>epoch=0<TAB>perplexity-val=12.1<TAB>…``.

BLEU and chrF are fractions there and become percentages; cross-entropy is ln(perplexity).
"""

from __future__ import annotations

import re

from .entropy import of_perplexity
from .jsons import number
from .reader import Extract, Reader
from .source import Source

_START = re.compile(r"(\d{1,9})\t(?=[\w-]+=)")
_PAIR = re.compile(r"([A-Za-z][\w-]{0,40})=([^\t]{0,60})")
_FRACTIONS = {"bleu-val": "bleu", "chrf-val": "chrf", "rouge1-val": "rouge"}


def recognises(source: Source) -> bool:
    """Whether a first line is a checkpoint's number and values on the validation set."""
    return any(_START.match(t) and "-val=" in t for t in source.first_lines[:5])


def read(source: Source) -> Extract:
    """Return every checkpoint's evaluation; its number stands for the step."""
    found = Extract()
    for line, text in source.lines():
        start = _START.match(text)
        if start is None:
            continue
        numbers = {name: number(value) for name, value in _PAIR.findall(text)}
        place = {"step": int(start[1]), "eval_set": "valid", "source": source.at(line)}
        if (ppl := numbers.get("perplexity-val")) is not None:
            found.rows.append({**of_perplexity(ppl), **place})
        for name, metric in _FRACTIONS.items():
            if (value := numbers.get(name)) is not None:
                found.rows.append({"metric": metric, "value": 100 * value, **place})
    if not found.rows:
        raise source.nothing("has no checkpoint with perplexity-val or bleu-val")
    found.note(
        "Sockeye's cross-entropy is ln(perplexity-val), its BLEU and chrF were fractions; its steps "
        "are checkpoints"
    )
    return found


READER = Reader("sockeye", "a Sockeye metrics file", recognises, read)
