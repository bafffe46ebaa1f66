"""From a frame as it comes to a checked long table: one step after the other, each noted."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from scalefit.errors import MissingColumnError, TableError
from scalefit.units import counted

from . import checks
from .cells import (
    count_cell,
    distinct,
    guess,
    is_missing,
    is_text,
    missing,
    number_cell,
    numbers,
    texts,
)
from .columns import COUNTS, NUMBERS, REQUIRED, SEEDS, TEXTS, Columns, ordered
from .draft import Draft, listed, raise_all
from .names import rename
from .shape import flattened, to_long

_PLUS_MINUS = re.compile(
    r"\s*[*$]*\s*([+-]?[\d.]+(?:e[+-]?\d+)?)\s*[*$]*\s*"
    r"(?:(?:±|\+/-|\\pm)\s*\$?\s*[\d.]+|\(\s*(?:±\s*)?[\d.]+\s*\))\s*[*$]*\s*",
    re.I,
)
ALLOWABLE = {
    "signatures": "two scoring signatures under one metric",
    "tokenizers": "two tokenizers under one cross-entropy",
    "units": "two units under one metric, or fractions beside percentages",
    "fractions": "BLEU and its kin all at or below 1",
    "range": "values outside their metric's range",
    "conflicts": "two values under one key and the same seeds",
    "no_pretrain_tokens": "a table without pretrain_tokens",
    "direction": "a law that moves away from better values",
}
"""Checks that ``allow=`` switches off, each with what it then lets pass."""


def build(
    frame: pd.DataFrame,
    *,
    mapping: Mapping[str, str] | None = None,
    allow: Sequence[str] = (),
    metrics: Sequence[str] = (),
    inputs: Collection[str] = (),
    place: Callable[[int], str] | None = None,
    notes: Sequence[str] = (),
) -> tuple[Columns, tuple[str, ...]]:
    """Return the columns of the checked long frame and the notes; raise TableError with all problems."""
    flat, more = flattened(frame, metrics)
    place = place or (_place(frame) if len(frame) == len(flat) else "row {}".format)
    draft = Draft(flat, place, np.arange(len(flat)), _allowed(allow), [*notes, *more])
    rename(draft, mapping or {}, kept=inputs)
    _require(draft)
    to_long(draft, metrics, inputs)
    _leave_out_missing(draft)
    _type_columns(draft)
    checks.check_rows(draft)
    raise_all(draft.problems)
    draft.frame = draft.frame[ordered(list(draft.frame.columns))]
    columns = checks.check_between(draft)
    raise_all(draft.problems)
    return columns, tuple(draft.notes)


def _place(frame: pd.DataFrame) -> Callable[[int], str]:
    """Return what says where a frame's row stands: its label, and its source where it names one."""
    sources = frame["source"] if "source" in frame.columns else None

    def place(row: int) -> str:
        source = None if sources is None else sources.iloc[row]
        label = f"row {frame.index[row]}"
        return label if is_missing(source) else f"{source} ({label})"

    return place


def _allowed(allow: Sequence[str]) -> frozenset[str]:
    names = frozenset([allow] if isinstance(allow, str) else allow)
    unknown = sorted(names - set(ALLOWABLE))
    if unknown:
        listed = "; ".join(f"{k}: {v}" for k, v in ALLOWABLE.items())
        raise TableError(f"allow has {', '.join(unknown)}; needed any of {listed}")
    return names


def _require(draft: Draft) -> None:
    if not draft.has("pretrain_tokens") and "no_pretrain_tokens" not in draft.allow:
        raise MissingColumnError(
            "the table has no column 'pretrain_tokens' "
            f"(columns: {listed(draft.frame.columns)}). Needed: tokens seen in pretraining, 0 "
            "for models that were not pretrained. Try mapping={'your column': 'pretrain_tokens'}, "
            "or allow='no_pretrain_tokens' to fit other columns"
        )
    if not len(draft.frame):
        raise TableError("the table has no rows; needed at least one measured value")


def _leave_out_missing(draft: Draft) -> None:
    gone = missing(draft.frame["value"])
    if gone.any():
        draft.note(
            f"{counted(int(gone.sum()), 'row')} without a value left out: {draft.some(gone)}"
        )
        draft.keep(~gone)
    if not len(draft.frame):
        raise TableError("no row has a value; needed at least one measured value")
    for name in REQUIRED[:2]:
        if draft.has(name):
            empty = missing(draft.frame[name])
            draft.blame(
                empty, name, lambda _: "nothing", "a value", "fill it in, 0 = no pretraining"
            )


def _type_columns(draft: Draft) -> None:
    for name in map(str, draft.frame.columns):
        if name in COUNTS:
            _to_numbers(draft, name, count=True)
        elif name in NUMBERS:
            _to_numbers(draft, name, count=False)
        elif name in SEEDS:
            _seeds(draft, name)
        elif name in TEXTS:
            draft.put(name, texts(draft.frame[name]))
        else:
            draft.frame[name] = guess(draft.frame[name])


def _to_numbers(draft: Draft, name: str, *, count: bool) -> None:
    series = draft.frame[name]
    values, bad = numbers(series, count_cell if count else number_cell)
    if name == "value" and bad.any() and is_text(series):
        _without_errors(draft)
        series = draft.frame[name]
        values, bad = numbers(series, number_cell)
    needed = "a count such as 1500000, 1.5e6, 1.5M or 300M" if count else "a number"
    hint = "a decimal point instead of the comma" if not count else ""
    draft.blame(bad, name, lambda i: repr(series.iloc[i]), needed, hint)
    draft.put(name, np.asarray(values, dtype=float))


def _without_errors(draft: Draft) -> None:
    """Take the value out of cells such as ``21.3 ± 0.4``: whose spread that is, no cell says."""
    cells, codes = distinct(draft.frame["value"])
    told = [_PLUS_MINUS.fullmatch(v) if isinstance(v, str) else None for v in cells]
    if any(told):
        plain = np.array([m[1] if m else v for m, v in zip(told, cells, strict=True)], dtype=object)
        draft.put("value", plain[codes])
        rows = np.array([m is not None for m in told])[codes]
        draft.note(
            f"{rows.sum()} values stand with a ± or a bracket, which is left out (a deviation over seeds and a "
            f"standard error look alike; a column 'stderr' says it): {draft.some(rows)}"
        )


def _seeds(draft: Draft, name: str) -> None:
    values, bad = numbers(draft.frame[name], number_cell)
    if bad.any() or np.isinf(values).any():
        draft.put(name, texts(draft.frame[name]))
    else:
        draft.put(name, values)
