"""From cells as they come (text, numbers, missing marks) to columns of numbers or texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalefit.types import Floats, Ints, Mask
from scalefit.units import parse_count

MISSING = frozenset({"", "--", "-", "n/a", "na", "null"})
"""Cells that mean "not measured", compared in lower case."""
_UNHELD = re.compile("[\0\ud800-\udfff]")
_WHOLE = 2**53
_TRUTH = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}


def is_text(series: pd.Series[Any]) -> bool:
    """Return whether a column may hold texts (neither numbers nor truth values)."""
    return not (pd.api.types.is_numeric_dtype(series) or pd.api.types.is_bool_dtype(series))


def is_missing(value: Any) -> bool:
    """Return whether a cell means "not there"."""
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, str):
        return value.strip().lower() in MISSING
    return isinstance(value, float) and value != value


def distinct(series: pd.Series[Any]) -> tuple[list[Any], Ints]:
    """Return cells, and which of them each row has: distinct ones where all are texts.

    What a text means is worked out once, however often it stands there; a table of a million rows
    has few tasks and seeds. Of mixed cells each stands for itself, for 1, 1.0 and True are equal.
    """
    cells = series.to_numpy(dtype=object)
    try:
        codes, texts = pd.factorize(cells)
    except TypeError:  # lists and the like
        return list(cells), np.arange(len(cells))
    if len(texts) and pd.api.types.infer_dtype(texts, skipna=False) != "string":
        return list(cells), np.arange(len(cells))
    return [*texts, None], np.asarray(codes, dtype=np.int64)  # -1, what is missing, is the last


def missing(series: pd.Series[Any]) -> Mask:
    """Return where a column has nothing."""
    if not is_text(series):
        return np.asarray(series.isna(), dtype=bool)
    cells, codes = distinct(series)
    return np.array([is_missing(v) for v in cells], dtype=bool)[codes]


def numbers(series: pd.Series[Any], parse: Callable[[str], float | None]) -> tuple[Floats, Mask]:
    """Return a column as floats (nan where missing), and where its cells are no numbers."""
    if series.dtype.kind == "c":
        return np.full(len(series), np.nan), np.ones(len(series), dtype=bool)
    if not is_text(series):
        plain = series.to_numpy(dtype=float, na_value=np.nan)
        return plain, np.zeros(len(series), dtype=bool)
    cells, codes = distinct(series)
    values = [_number(v, parse) for v in cells]
    bad = [v is None and not is_missing(c) for v, c in zip(values, cells, strict=True)]
    return np.array(values, dtype=float)[codes], np.array(bad, dtype=bool)[codes]


def _number(value: Any, parse: Callable[[str], float | None]) -> float | None:
    if isinstance(value, str):
        return parse(value)
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def count_cell(text: str) -> float | None:
    """Return the count a cell means; ``nan`` and ``inf`` are kept, to be refused with their row."""
    count = parse_count(text)
    return count if count is not None else number_cell(text)


def number_cell(text: str) -> float | None:
    """Return the number a cell means, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return np.inf if value != value else value


def texts(series: pd.Series[Any]) -> NDArray[Any]:
    """Return a column as stripped texts; 3.0 becomes ``3``, and missing cells None."""
    cells, codes = distinct(series)
    told = [None if is_missing(v) else _as_text(v) for v in cells]
    return np.array([*told, None], dtype=object)[:-1][codes]


def _as_text(value: Any) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return plain_text(str(value))


def plain_text(text: str) -> str:
    """Return text as every file format holds it: stripped, without NUL and halves of characters."""
    return whole_text(text.strip())


def whole_text(text: str) -> str:
    """Return text without NUL and halves of characters, which no file holds."""
    return _UNHELD.sub("\ufffd", text)


def guess(series: pd.Series[Any]) -> pd.Series[Any]:
    """Return an unknown column as floats where every cell there is one, else as texts.

    Whole numbers that no float holds (identifiers) stay texts, so that every file gives them back.
    """
    if not is_text(series):
        values, bad = numbers(series, number_cell)
        held = not bad.any() and not np.isinf(values).any()
        if held and (series.dtype.kind not in "iu" or np.abs(values).max(initial=0) <= _WHOLE):
            return pd.Series(values, index=series.index)
        return pd.Series(texts(series), index=series.index, dtype=object)
    cells, _ = distinct(series)
    if any(isinstance(v, list | dict | tuple | set) for v in cells):
        held_as = [None if is_missing(v) else plain_text(str(v)) for v in series]
        return pd.Series(held_as, index=series.index, dtype=object)
    values, bad = numbers(series, _number_or_truth)
    held = not (bad.any() or np.isinf(values).any() or np.isnan(values).all())
    if held and not any(map(_too_whole, cells)):
        return pd.Series(values, index=series.index)
    return pd.Series(texts(series), index=series.index, dtype=object)


def _too_whole(value: Any) -> bool:
    """Return whether a cell is a whole number beyond what floats count one by one."""
    if isinstance(value, str):
        value = value.strip()
        return value.lstrip("+-").isdecimal() and len(value) > 15 and abs(int(value[:40])) > _WHOLE
    return isinstance(value, int) and abs(value) > _WHOLE


def _number_or_truth(text: str) -> float | None:
    known = _TRUTH.get(text.strip().lower())
    return known if known is not None else number_cell(text)
