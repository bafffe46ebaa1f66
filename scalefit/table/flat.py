"""A frame as pandas users hold it, index and column levels included, to one with plain columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from scalefit.errors import TableError

from .cells import plain_text
from .columns import KNOWN
from .names import column
from .problems import listed


def flattened(frame: pd.DataFrame, metrics: Sequence[str] = ()) -> tuple[pd.DataFrame, list[str]]:
    """Return a frame with plain columns of distinct texts, and notes.

    Named levels of the index are columns. A pivot, whose columns are the values of a named level
    (``corpus``), becomes long again: its cells are the metric of that name, or the one metric asked
    for.

    Raises
    ------
    TableError
        Column names stand twice, or a pivot of which the metric is not known.

    Examples
    --------
    >>> wide = pd.DataFrame({"fr": [20.1, 22.4], "en": [19.0, 20.2]}, index=[1e6, 4e6])
    >>> flat, _ = flattened(wide.rename_axis("pretrain_tokens").rename_axis("corpus", axis=1), ["bleu"])
    >>> flat.columns.tolist(), len(flat)
    (['pretrain_tokens', 'corpus', 'bleu'], 4)
    """
    notes = list[str]()
    levels = [str(name) for name in frame.columns.names if name is not None]
    if levels and not set(levels) <= {"metric"}:
        frame, notes = _unpivoted(frame, metrics)
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    frame = frame.reset_index(named) if named else frame
    frame = frame.reset_index(drop=True)
    frame.columns = pd.Index(_distinct([_text(name) for name in frame.columns], frame.columns))
    return frame, notes


def _text(name: Any) -> str:
    parts = [str(part) for part in name if str(part)] if isinstance(name, tuple) else [str(name)]
    return " ".join(plain_text("_".join(parts)).split())


def _distinct(names: list[str], own: pd.Index[Any]) -> list[str]:
    """Tell names apart that are texts of different things (1 and "1"); refuse equal ones."""
    if own.duplicated().any() or any(n > 1 and name in KNOWN for name, n in Counter(names).items()):
        twice = sorted(name for name, n in Counter(names).items() if n > 1)
        raise TableError(f"column names stand twice: {listed(twice)}. Try: rename one of them")
    seen: Counter[str] = Counter()
    told = []
    for name in names:
        told.append(name if not seen[name] else f"{name}.{seen[name]}")
        seen[name] += 1
    return told


def _unpivoted(frame: pd.DataFrame, metrics: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    levels = frame.columns
    if isinstance(levels, pd.MultiIndex):
        named = [name for name in levels.names if name not in (None, "metric")]
        rest = frame.stack(named, future_stack=True)
        return _measured(pd.DataFrame(rest)), [_told(named)]
    name = str(levels.name)
    if any(column(str(c)) or str(c) in KNOWN for c in levels):
        return frame.rename_axis(None, axis=1), []  # a label of the columns, not of their values
    if len(metrics) != 1:
        raise TableError(
            f"the columns are values of {name!r} ({listed(levels, 5)}), and nothing says what their "
            "cells measure. Try: metrics=['bleu'], or frame.stack().rename('bleu').reset_index()"
        )
    stacked = pd.DataFrame({metrics[0]: frame.stack(future_stack=True)})
    return _measured(stacked), [_told([name])]


def _measured(stacked: pd.DataFrame) -> pd.DataFrame:
    return stacked.dropna(how="all").rename_axis(None, axis=1)


def _told(names: Sequence[Any]) -> str:
    return f"a pivot: its columns taken as values of {', '.join(map(str, names))}"
