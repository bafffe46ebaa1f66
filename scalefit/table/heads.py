"""Heads that are values: columns ``seed 1``, ``run 2``, ``100M`` or ``en-fr`` of one metric are rows of it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping

import numpy as np

from scalefit.arguments import Unasked
from scalefit.groups import spelling
from scalefit.units import parse_count, some

from .draft import Draft, column
from .metrics import is_language_pair, known
from .names import meanings_in, measured_column

_REPEATS = r"(seed|run|rep|repetition|replicate|trial|init)[\s_#-]*(\d{1,6})"
_REPEATED = re.compile(rf"(?:(.+?)[\s_.:/-]+)?[(\[]?{_REPEATS}[)\]]?", re.I)
_REPEATED_FIRST = re.compile(rf"{_REPEATS}[\s_.:/-]+(.+)", re.I)
_SMALLEST = 1e4
"""Columns of smaller numbers are years, layers and the like, and no sizes."""


def headed(name: str) -> tuple[str, str, str] | None:
    """Return the column that a head is a value of, the value, and the metric beside it, where it has one.

    Examples
    --------
    >>> headed("bleu_seed3"), headed("run 2"), headed("1.5B"), headed("en→de"), headed("bleu_2")
    (('seed', '3', 'bleu'), ('run', '2', ''), ('pretrain_tokens', '1.5B', ''), ('eval_set', 'en→de', ''), None)
    """
    if told := _REPEATED.fullmatch(name):
        return told[2].lower(), told[3], told[1] or ""
    if told := _REPEATED_FIRST.fullmatch(name):
        return told[1].lower(), told[2], told[3]
    if (parse_count(name) or 0.0) >= _SMALLEST:
        return "pretrain_tokens", name, ""
    return ("eval_set", name, "") if is_language_pair(name) else None


def melt(draft: Draft, metrics: Collection[str], kept: Collection[str]) -> None:
    """Make rows of columns that are seeds, sizes or language pairs of the metric that they name, or was asked for."""
    asked = next((str(name) for name in metrics if not isinstance(name, Unasked)), "")
    names = [name for name in draft.cells if name not in kept]
    heads = {name: told for name in names if (told := headed(name))}
    heads = {n: told for n, told in heads.items() if known(told[2]) or (asked and not told[2])}
    rest = [n for n in names if n not in heads]
    if any(measured_column(n) or spelling(n) == spelling(asked) for n in rest) or "value" in names:
        # Beside values of their own, columns of seeds hold seeds.
        heads = {name: told for name, told in heads.items() if told[2]}
    kinds = {told[0] for told in heads.values()}
    if len(heads) < 2 or len(kinds) > 1 or kinds & meanings_in(draft.cells):
        return
    columns = defaultdict[str, dict[str, str]](dict)
    for name, (_, value, metric) in heads.items():
        columns[value][metric or asked] = name
    into = kinds.pop()
    _lay_below(draft, into, columns)
    draft.note(f"columns {some(heads, 4)} taken as values of {into!r}" + (asked and f" of {asked}"))


def _lay_below(draft: Draft, into: str, columns: Mapping[str, Mapping[str, str]]) -> None:
    """Make a row for each value of a column that heads stand for; ``columns``: value -> name -> own column."""
    names = dict.fromkeys(name for own in columns.values() for name in own)
    gone = {own for of in columns.values() for own in of.values()}
    empty, times = np.full(len(draft), None), len(columns)
    cells = {n: np.repeat(held, times) for n, held in draft.cells.items() if n not in gone}
    cells[into] = np.tile(column(list(columns)), len(draft))
    for name in names:
        held = [draft.cells[of[name]] if name in of else empty for of in columns.values()]
        cells[name] = np.column_stack([one.astype(object) for one in held]).ravel()
    draft.cells, draft.origin = cells, np.repeat(draft.origin, times)
