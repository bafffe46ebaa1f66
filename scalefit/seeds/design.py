"""From a results table to cells of seeds: what is replicated, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import DesignError
from scalefit.table import Runs, Table, runs_of
from scalefit.table.apart import splitting
from scalefit.table.names import IDENTITY, KNOWN, MEASURED
from scalefit.table.runs import CAUTIOUS
from scalefit.types import Floats
from scalefit.units import counted

NOT_A_KEY = {*MEASURED, *IDENTITY, "metric", "source_blind", "unique_tokens", "unit", "step"}
BASELINE = "pretrain_tokens"


@dataclass(frozen=True, eq=False)
class Cell:
    """All runs of one condition.

    Attributes
    ----------
    key : the condition, column -> value.
    runs : pretraining seed -> finetuning seed -> value.
    units : pretraining seed -> name of its pretraining run; equal names are one run.
    stderr : test-set standard error, root mean square over runs; nan where unknown.
    """

    key: Mapping[str, Any]
    runs: Mapping[Any, Mapping[Any, float]]
    units: Mapping[Any, str]
    stderr: float = float("nan")

    @property
    def pretrain(self) -> int:
        """Number of pretraining seeds."""
        return len(self.runs)

    @property
    def finetune(self) -> tuple[int, ...]:
        """Finetuning seeds of each pretraining seed."""
        return tuple(len(group) for group in self.runs.values())

    @property
    def balanced(self) -> bool:
        """Whether all pretraining seeds have equally many finetuning seeds."""
        return len(set(self.finetune)) == 1

    @property
    def aligned(self) -> bool:
        """Whether all pretraining seeds have the *same* finetuning seeds."""
        return len({frozenset(group) for group in self.runs.values()}) == 1

    @property
    def means(self) -> Floats:
        """Mean of each pretraining seed."""
        return np.array([np.mean(list(group.values())) for group in self.runs.values()])

    def array(self) -> Floats:
        """Values as (P, F), finetuning seeds in sorted order; needs an aligned cell."""
        names = sorted(next(iter(self.runs.values())), key=str)
        return np.array([[group[name] for name in names] for group in self.runs.values()])


def cells(table: Table, metric: str) -> tuple[list[Cell], tuple[str, ...]]:
    """Return the table's cells for one metric, and notes on what was left out.

    Raises
    ------
    DesignError
        The metric is absent, or one pair of seeds stands twice in a cell.
    """
    if metric not in table.metrics:
        raise DesignError(f"no metric {metric!r}; the table has {', '.join(table.metrics)}")
    part = table.where(metric=metric)
    keys = conditions(part)
    rows = list(zip(*(part.column(c) for c in keys), strict=True)) or [()] * len(part)
    values = part.column("value")
    grouped: dict[tuple[Any, ...], list[int]] = {}
    for i, row in enumerate(rows):
        if np.isfinite(values[i]):
            grouped.setdefault(tuple(_plain(v) for v in row), []).append(i)
    kept = {k: v for k, v in grouped.items() if dict(zip(keys, k, strict=True)).get(BASELINE) != 0}
    notes = _notes(int((~np.isfinite(values)).sum()), len(grouped) - len(kept), bool(kept))
    seeds = Seeds.of(part)
    chosen = kept or grouped
    gathered = [seeds.cell(dict(zip(keys, k, strict=True)), at, values) for k, at in chosen.items()]
    return gathered, notes + seeds.notes


def conditions(part: Table, but: Sequence[str] = ()) -> list[str]:
    """Return the columns of one metric's rows that make a condition, unknown ones that split too."""
    known = [c for c in KNOWN if c not in NOT_A_KEY and c not in but and part.has(c)]
    return [*known, *splitting(part, known, but)]


def telling(labels: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Return the columns that it takes to tell labels apart, earlier ones kept first."""
    kept = list(names)
    for name in reversed(names):
        rest = [c for c in kept if c != name]
        if len({tuple(label.get(c) for c in rest) for label in labels}) == len(labels):
            kept = rest
    return kept


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value


def _notes(failed: int, baselines: int, others: bool) -> tuple[str, ...]:
    notes = [f"{failed} runs without a finite value left out"] if failed else []
    if baselines and others:
        notes.append(f"{counted(baselines, 'cell')} without pretraining left out")
    return tuple(notes)


@dataclass(frozen=True, eq=False)
class Seeds:
    """Pretraining and finetuning seed of every row, and its pretraining run, see :class:`Runs`."""

    pretrain: NDArray[Any]
    finetune: NDArray[Any]
    runs: Runs
    stderr: Floats
    numbered: bool

    @classmethod
    def of(cls, part: Table) -> Seeds:
        """Take them from a table."""
        n, runs = len(part), runs_of(part)
        first = "pretrain_seed" if part.has("pretrain_seed") else "pretrain_run"
        pretrain = part.column(first) if part.has(first) else np.zeros(n)
        finetune = part.column("finetune_seed") if part.has("finetune_seed") else np.full(n, np.nan)
        stderr = part.column("stderr") if part.has("stderr") else np.full(n, np.nan)
        return cls(pretrain, finetune, runs, stderr, not part.has("finetune_seed"))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the table does not tell."""
        notes = list(self.runs.notes)
        if self.runs.told == "nothing":
            notes.append("no pretrain_seed: all runs are taken to start from one pretraining run")
        if self.runs.returns:
            notes.append(CAUTIOUS)
        if self.numbered:
            notes.append("no finetune_seed: runs of one pretraining seed are numbered")
        return tuple(notes)

    def cell(self, key: Mapping[str, Any], rows: Sequence[int], values: Floats) -> Cell:
        """Gather one cell."""
        runs: dict[Any, dict[Any, float]] = {}
        units: dict[Any, str] = {}
        for i in rows:
            seed = seed_name(self.pretrain[i])
            group = runs.setdefault(seed, {})
            name = len(group) if self.numbered else seed_name(self.finetune[i])
            if name in group:
                raise DesignError(_twice(key, seed, name))
            group[name] = float(values[i])
            units[seed] = self.runs.names[self.runs.block[i]]
        known = self.stderr[list(rows)]
        known = known[np.isfinite(known)]
        error = float(np.sqrt(np.mean(known**2))) if len(known) else float("nan")
        return Cell(dict(key), dict(sorted(runs.items(), key=lambda r: str(r[0]))), units, error)


def seed_name(value: Any) -> Any:
    """Return a seed as people write it: 3 for 3.0, None for NaN."""
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else int(value) if float(value).is_integer() else value
    return value


def _twice(key: Mapping[str, Any], seed: Any, name: Any) -> str:
    where = ", ".join(f"{k}={v}" for k, v in key.items())
    return (
        f"pretrain_seed {seed} and finetune_seed {name} stand twice where {where}. "
        "Needed: one value a run. Try: table.where(...) on the column in which they differ"
    )
