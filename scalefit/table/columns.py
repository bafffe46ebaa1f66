"""Checked columns, each distinct value worked out once, and pieces of them: conditions, groups, baselines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from scalefit.errors import MissingColumnError, TableError
from scalefit.groups import as_names, did_you_mean, met
from scalefit.types import Ints, Mask
from scalefit.units import counted, some

from .draft import Cells, is_text
from .names import COLUMNS, COUNTS, KNOWN, NO_CORPUS, SEED_WORDS, SEEDS, meaning

_SHOWN = 12
_OF_PRETRAINING = ("corpus", "pretrain_tokens", "pretrain_run", "pretrain_seed", "unique_tokens")
_SPARED = ("corpus", "pretrain_tokens", "unique_tokens")
"""Filters on these leave the rows without pretraining, which belong to every corpus and size."""


@dataclass(frozen=True, eq=False)
class Column:
    """The cells of one column: float64 (nan where missing), or objects (str and None).

    What is worked out once here serves every piece of the table: a group or a filter only picks
    rows, so that a thousand of them cost a thousand index look-ups and no text is compared again.
    """

    name: str
    values: Cells

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers."""
        return not is_text(self.values)

    @cached_property
    def there(self) -> Mask:
        """Which cells hold something."""
        return np.asarray(pd.notna(self.values), dtype=bool)

    @cached_property
    def _coded(self) -> tuple[Ints, list[Any]]:
        # What is missing has the code −1, and level 0 once 1 is added: it sorts first and is told apart from all.
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
    def words(self) -> Cells:
        """The cells as texts, nothing where nothing is there: an object array of str."""
        words = ["" if level is None else str(level) for level in self.levels]
        return np.array([*words, None], dtype=object)[self.codes]

    @cached_property
    def tells(self) -> bool:
        """Whether any two of its cells differ."""
        return len(self.codes) > 0 and bool(self.codes.min() < self.codes.max())

    def _plain(self, values: Cells) -> list[Any]:
        """Return distinct values as Python's own: texts, numbers, whole counts."""
        if not self.is_number:
            return list(map(str, values))
        if self.name in COUNTS + SEEDS:
            return [int(v) if v.is_integer() else v for v in values.tolist()]
        return list(values.tolist())

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {level: place for place, level in enumerate(self.levels)}

    @cached_property
    def names_none(self) -> Mask:
        """Which cells name no corpus: those of a model that was not pretrained."""
        none = [level is None or str(level).lower() in NO_CORPUS for level in self.levels]
        return np.array(none, dtype=bool)[self.codes]

    def meets(self, wanted: Any, rows: Ints) -> Mask:
        """Return which of the rows meet a condition, see :func:`scalefit.groups.met`."""
        if isinstance(wanted, str) and wanted in self._places:
            # One of many thousand is found, not searched.
            return np.asarray(self.codes[rows] == self._places[wanted])
        return met(self.levels, wanted, number=self.is_number)[self.codes[rows]]


@dataclass(frozen=True, eq=False)
class Columns:
    """All columns of a checked table, in their order. ``rows`` are which of the rows a piece has."""

    cells: Mapping[str, Cells]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.cells.values()), ()))

    @cached_property
    def named(self) -> Mapping[str, Column]:
        """Column by name."""
        return {name: Column(name, cells) for name, cells in self.cells.items()}

    def only(self, rows: Ints) -> Columns:
        """Return some of the rows, apart from the others."""
        return Columns({name: cells[rows] for name, cells in self.cells.items()})

    def frame(self, rows: Ints) -> pd.DataFrame:
        """Return some of the rows as a frame of pandas; texts keep None for missing."""
        return pd.DataFrame({
            name: pd.Series(cells, dtype=object if is_text(cells) else None)
            for name, cells in self.only(rows).cells.items()
        })  # fmt: skip

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

    def called(self, name: str) -> str:
        """Return the column that is called so, or was in the user's own table (``Dataset``); or raise."""
        if name in self.named:
            return name
        plain = re.sub(r"[\s-]+", "_", str(name).strip().lower())
        # A plain seed is pretraining's where the table was read so: it is then the only one there.
        alone = plain in SEED_WORDS and "finetune_seed" not in self.named
        for ours in (plain, meaning(str(name)), "pretrain_seed" if alone else None):
            if ours is not None and ours in self.named:
                return ours
        # A column of ours that is there is itself, and no misspelling of another one.
        others = [own for own in self.named if name not in KNOWN or own not in KNOWN]
        hint = did_you_mean(name, others) or f". Try mapping={{'yours': {name!r}}}"
        there = some(self.named)
        raise MissingColumnError(f"the table has no column {name!r} (columns: {there}){hint}")

    def unique(self, name: str, rows: Ints) -> list[Any]:
        """Return the distinct non-missing values of a column, sorted."""
        column = self.named[name]
        return [column.levels[i] for i in np.unique(column.codes[rows]) if i]

    def where(self, rows: Ints, conditions: Mapping[str, Any]) -> Ints:
        """Return the rows that meet all conditions, or raise what is there instead."""
        kept = np.ones(len(rows), dtype=bool)
        for name, wanted in conditions.items():
            name = self.called(name)
            met = self.named[name].meets(wanted, rows)
            if not (kept & met).any():
                raise TableError(self._nothing(rows, conditions, name))
            kept &= met | self._spared(rows, name, wanted, met)
        return rows[kept]

    def _spared(self, rows: Ints, name: str, wanted: Any, met: Mask) -> Mask:
        """Return the rows without pretraining that a filter on corpus or size is not about."""
        if name not in _SPARED or "pretrain_tokens" not in self.named:
            return np.zeros(len(rows), dtype=bool)
        if name == "corpus":
            return self._of_corpus(rows, met)
        about_none = isinstance(wanted, str) and wanted.replace(" ", "") in (">0", "!=0")
        return self._unpretrained(rows) & (not about_none)

    def _unpretrained(self, rows: Ints) -> Mask:
        return np.asarray(self.named["pretrain_tokens"].values[rows] == 0)

    def _of_corpus(self, rows: Ints, mine: Mask) -> Mask:
        """Return the unpretrained rows of a corpus: its own and those of none; else everybody's."""
        unpretrained, corpus = self._unpretrained(rows), self.named["corpus"]
        if not unpretrained.any():
            return unpretrained
        near = unpretrained & (mine | corpus.names_none[rows])
        return near if near.any() else unpretrained

    def _nothing(self, rows: Ints, conditions: Mapping[str, Any], name: str) -> str:
        there = self.unique(name, rows)
        shown = some(there, _SHOWN)
        asked = ", ".join(f"{k}={v!r}" for k, v in conditions.items())
        wanted = conditions[name][0] if isinstance(conditions[name], list) else conditions[name]
        hint = did_you_mean(wanted, map(str, there)) if isinstance(wanted, str) else ""
        if name == "pretrain_tokens":
            hint += ". Try: one of these sizes; for a size that nobody has run, sf.rank(data, at=…) compares forecasts"
        return f"no row has {asked}: column {name!r} holds {shown or 'nothing'}{hint}"

    def groups(self, rows: Ints, by: Sequence[str]) -> list[tuple[dict[str, Any], Ints]]:
        """Return (key, rows) pairs in sorted order."""
        names = [name if name in KNOWN else self.called(name) for name in as_names(by)]
        rows = self.pretrained(rows) if "pretrain_tokens" not in names else rows
        labels = self.labels(names, rows)
        order = np.argsort(labels, kind="stable")
        parts = np.split(rows[order], np.cumsum(np.bincount(labels))[:-1])
        return [(self._key(names, int(part[0])), part) for part in parts if len(part)]

    def _key(self, names: Sequence[str], row: int) -> dict[str, Any]:
        there = self.named
        return {n: there[n].levels[there[n].codes[row]] if n in there else None for n in names}

    def pretrained(self, rows: Ints) -> Ints:
        """Return the rows with pretraining, or all where there are no others."""
        if "pretrain_tokens" not in self.named:
            return rows
        above = rows[~self._unpretrained(rows)]
        return above if len(above) else rows

    def baseline(self, rows: Ints, key: Mapping[str, Any]) -> Ints:
        """Return the rows without pretraining that belong to a group."""
        if "pretrain_tokens" not in self.named:
            return rows[:0]
        rows = rows[self._unpretrained(rows)]
        for name, value in key.items():
            if name in self.named and name not in _OF_PRETRAINING:
                column = self.named[name]
                of_pretraining = name not in COLUMNS and ~column.there[rows]
                rows = rows[column.meets(value, rows) | of_pretraining]
        corpus = key.get("corpus")
        if corpus is None or "corpus" not in self.named:
            return rows
        return rows[self._of_corpus(rows, self.named["corpus"].meets(corpus, rows))]

    def summary(self, rows: Ints, notes: Sequence[str]) -> str:
        """Return one line: rows, metrics, and how many of each key column."""
        parts = [counted(len(rows), "row")]
        if "metric" in self.named:
            parts.append("metrics " + ", ".join(self.unique("metric", rows)))
        for name in COLUMNS[:10]:
            if name in self.named and len(there := self.unique(name, rows)) > 1:
                parts.append(f"{name} × {len(there)}")
        if notes:
            parts.append(counted(len(notes), "note"))
        return "Table: " + "; ".join(parts)


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
