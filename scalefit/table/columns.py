"""The columns of a results table: their order and kind, and their cells, each distinct value worked out once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalefit.groups import met
from scalefit.types import Ints, Mask

from .cells import is_text, texts

COLUMNS = (
    "corpus",
    "pretrain_tokens",
    "model",
    "parameters",
    "task",
    "finetune_tokens",
    "pretrain_seed",
    "finetune_seed",
    "eval_set",
    "domain",
    "metric",
    "value",
    "stderr",
    "signature",
    "source",
)
"""Canonical columns, in the order in which a table shows them."""

EXTRAS = (
    "unique_tokens",
    "pretrain_run",
    "learning_rate",
    "schedule",
    "source_blind",
    "tokenizer",
    "unit",
    "run",
    "system",
    "step",
    "filter",
    "lang_pair",
)
"""Further columns that scalefit knows the meaning of."""

REQUIRED = ("pretrain_tokens", "metric", "value")
COUNTS = ("pretrain_tokens", "finetune_tokens", "parameters", "unique_tokens")
NUMBERS = ("value", "stderr", "learning_rate")
SEEDS = ("pretrain_seed", "finetune_seed")
IDENTITY = ("pretrain_run", *SEEDS, "run")
"""Columns that say which run a row is of."""
TEXTS = (
    "corpus",
    "model",
    "task",
    "eval_set",
    "domain",
    "metric",
    "signature",
    "source",
    "pretrain_run",
    "schedule",
    "tokenizer",
    "unit",
)
KNOWN = COLUMNS + EXTRAS
MEASURED = ("value", "stderr", "signature", "source")
"""Columns that say what came out and where it stands; all the others are the row's key."""

NO_CORPUS = frozenset({"none", "scratch", "no pretraining"})
"""Names under which the not-pretrained baseline's corpus goes."""


def ordered(names: list[str]) -> list[str]:
    """Return column names with the canonical ones first, in canonical order."""
    return [c for c in COLUMNS if c in names] + [c for c in names if c not in COLUMNS]


@dataclass(frozen=True, eq=False)
class Column:
    """The cells of one column.

    What is worked out once here serves every piece of the table: a group or a filter only picks
    rows, so that a thousand of them cost a thousand index look-ups and no text is compared again.
    """

    name: str
    series: pd.Series[Any]

    @cached_property
    def is_number(self) -> bool:
        """Whether it holds numbers (or truth values)."""
        return not is_text(self.series)

    @cached_property
    def values(self) -> NDArray[Any]:
        """The cells: float64 (nan where missing), or an object array of str and None."""
        if self.is_number:
            return self.series.to_numpy(dtype=float, na_value=np.nan)
        if self.series.dtype == object:
            return np.asarray(self.series.to_numpy(), dtype=object)
        return texts(self.series)

    @cached_property
    def there(self) -> Mask:
        """Which cells hold something."""
        return np.asarray(pd.notna(self.values), dtype=bool)

    @cached_property
    def _coded(self) -> tuple[Ints, list[Any]]:
        codes, distinct = pd.factorize(self.values, sort=True)
        return np.asarray(codes + 1, dtype=np.int64), [None, *self._plain(distinct)]

    @property
    def codes(self) -> Ints:
        """Place (n,) of each cell among the levels."""
        return self._coded[0]

    @property
    def levels(self) -> list[Any]:
        """None, for what is missing, and the distinct values in ascending order."""
        return self._coded[1]

    @cached_property
    def words(self) -> NDArray[Any]:
        """The cells as texts, nothing where nothing is there: an object array of str."""
        words = ["" if level is None else str(level) for level in self.levels]
        return np.array([*words, None], dtype=object)[self.codes]

    @cached_property
    def tells(self) -> bool:
        """Whether any two of its cells differ."""
        return len(self.codes) > 0 and bool(self.codes.min() < self.codes.max())

    def _plain(self, values: NDArray[Any]) -> list[Any]:
        """Return distinct values as Python's own: texts, truth values, numbers, whole counts."""
        if not self.is_number:
            return list(map(str, values))
        if self.series.dtype == bool:
            return list(map(bool, values))
        if self.name in COUNTS + SEEDS:
            return [int(v) if v.is_integer() else v for v in values.tolist()]
        return list(values.tolist())

    def meets(self, wanted: Any, rows: Ints) -> Mask:
        """Return which of the rows meet a condition, see :func:`scalefit.groups.met`."""
        return met(self.levels, wanted, number=self.is_number)[self.codes[rows]]


@dataclass(frozen=True, eq=False)
class Columns:
    """All columns of a checked frame."""

    frame: pd.DataFrame

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.frame)

    @cached_property
    def named(self) -> Mapping[str, Column]:
        """Column by name, in the frame's order."""
        return {str(name): Column(str(name), self.frame[name]) for name in self.frame.columns}

    def labels(self, names: Sequence[str], rows: Ints | None = None) -> Ints:
        """Return the number (n,) of each row's combination of values, counted from 0 in their order."""
        rows = np.arange(len(self)) if rows is None else rows
        label = np.zeros(len(rows), dtype=np.int64)
        for name in names:
            column = self.named.get(name)
            if column is not None and column.tells:
                # Compressed after every column: the product of many columns' levels would leave 64 bits.
                label = compressed(label * len(column.levels) + column.codes[rows])
        return label


def compressed(label: Ints) -> Ints:
    """Return labels counted from 0 without gaps, in their order.

    Where they are not much larger than there are rows, counting beats sorting.
    """
    most = int(label.max(initial=0))
    if most > 8 * len(label) + 1024:
        return np.asarray(pd.factorize(label, sort=True)[0], dtype=np.int64)
    there = np.zeros(most + 1, dtype=np.int64)
    there[label] = 1
    return np.asarray((np.cumsum(there) - 1)[label])
