"""What Hugging Face scripts print: ``eval_results.txt``, the Trainer's dictionaries, LlamaFactory.

``eval_results.txt`` has ``name = value`` lines; a log of the console has a dictionary a line, whose
steps it does not tell; LlamaFactory's ``trainer_log.jsonl`` has both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .hf_trainer import is_entropy, row_of
from .jsons import first_object, load_lines, number
from .reader import Extract, Reader, Row
from .source import Source

_LINE = re.compile(r"\s*((?:eval|test|predict)_\w{1,80}|perplexity)\s*=\s*(\S{1,60})\s*")
_RESULTS = re.compile(r"(eval|test|predict)\w*_results(_\w+)?\.txt")
_DICT = re.compile(r"\{'(?:eval|test|predict)_[^{}]{1,20000}\}")
_PAIR = re.compile(r"'([^']{1,200})': '?([^,'}\s]{1,60})")
Record = tuple[Row, dict[str, Any]]


def recognises_results(source: Source) -> bool:
    """Whether it is named ``eval_results….txt`` and has ``eval_… = value`` lines."""
    named = _RESULTS.fullmatch(source.basename)
    return bool(named) and any(_LINE.fullmatch(line) for line in source.first_lines)


def read_results(source: Source) -> Extract:
    """Return the numbers of the ``name = value`` lines."""
    pairs = (_LINE.fullmatch(text) for _, text in source.lines())
    numbers = {pair[1]: pair[2] for pair in pairs if pair}
    return _extract(source, [({"source": source.name}, numbers)])


def recognises_console(source: Source) -> bool:
    """Whether a line holds a dictionary that begins with an evaluation's number."""
    return any(_DICT.search(line) for line in source.first_lines) or _late(source)


def _late(source: Source) -> bool:
    """Return whether it looks like a trainer's console whose first evaluation comes later."""
    return b"{'loss': " in source.head and b"'learning_rate': " in source.head


def read_console(source: Source) -> Extract:
    """Return every evaluation that was printed; the last one of each metric comes last."""
    return _extract(source, _printed(source))


def _printed(source: Source) -> Iterator[Record]:
    for line, text in source.lines():
        for told in _DICT.findall(text):
            numbers = dict(_PAIR.findall(told))
            epoch = number(numbers.get("epoch"))
            yield {"step": None, "epoch": epoch, "source": source.at(line)}, numbers


def recognises_llamafactory(source: Source) -> bool:
    """Whether the first line's object counts ``current_steps`` of ``total_steps``."""
    return {"current_steps", "total_steps"} <= set(first_object(source))


def read_llamafactory(source: Source) -> Extract:
    """Return every evaluation of LlamaFactory's log."""
    lines = ((n, one) for n, one in load_lines(source) if isinstance(one, dict))
    return _extract(
        source,
        (({"source": source.at(n), "step": one.get("current_steps")}, one) for n, one in lines),
    )


def _extract(source: Source, records: Any) -> Extract:
    found, held = Extract(), list(records)
    entropy = is_entropy(source, [numbers for _, numbers in held], found)
    for common, numbers in held:
        named = source.names.evaluations(numbers)
        found.rows += [row_of(name, v, common, entropy=entropy) for name, v in named.items()]
    if not found.rows:
        raise source.nothing("holds no evaluation (no eval_, test_ or predict_ number)")
    return found


RESULTS = Reader("hf-results", "Hugging Face results (text)", recognises_results, read_results)
CONSOLE = Reader("hf-console", "a Hugging Face trainer's console", recognises_console, read_console)
LLAMAFACTORY = Reader(
    "llamafactory", "a LlamaFactory log", recognises_llamafactory, read_llamafactory
)
