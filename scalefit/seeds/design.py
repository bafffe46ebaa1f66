"""From a results table to cells of seeds (what is replicated, and how), and their mean squares, pooled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import DesignError
from scalefit.groups import as_names, group_name
from scalefit.seeds.anova import FINETUNE, PRETRAIN, MeanSquares, crossed, nested_squares
from scalefit.table import Runs, Table, runs_of
from scalefit.table.names import IDENTITY, KNOWN, MEASURED
from scalefit.table.runs import CAUTIOUS, finetuning_seed, splitting
from scalefit.types import Floats
from scalefit.units import counted, whole

_T = TypeVar("_T")
_A = TypeVar("_A")
NOT_A_KEY = {*MEASURED, *IDENTITY, "metric", "source_blind", "unique_tokens", "unit", "step"}
BASELINE = "pretrain_tokens"
NUMBERED = "no finetune_seed: runs of one pretraining seed are numbered"
APART = ("model", "task", "domain", "eval_set")


class Replicated:
    """What has runs of several seeds: pretraining seed -> finetuning seed -> value."""

    runs: Mapping[Any, Mapping[Any, float]]

    @property
    def pretrain(self) -> int:
        """Number of pretraining seeds."""
        return len(self.runs)

    @property
    def groups(self) -> list[Floats]:
        """Runs of each pretraining seed."""
        return [np.array(list(group.values())) for group in self.runs.values()]

    @property
    def every(self) -> Floats:
        """All runs."""
        return np.concatenate(self.groups)

    @property
    def means(self) -> Floats:
        """Mean of each pretraining seed."""
        return np.array([group.mean() for group in self.groups])


@dataclass(frozen=True, eq=False)
class Cell(Replicated):
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

    def array(self) -> Floats:
        """Values as (P, F), finetuning seeds in sorted order; nan where a pair of seeds was not run."""
        names = sorted({name for group in self.runs.values() for name in group}, key=str)
        return np.array([[group.get(n, np.nan) for n in names] for group in self.runs.values()])


def cells(table: Table, metric: str) -> tuple[list[Cell], tuple[str, ...]]:
    """Return the table's cells for one metric, and notes on what was left out.

    Raises DesignError: the metric is absent, or one pair of seeds stands twice in a cell.
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
    several = any(max(c.finetune) > 1 for c in gathered)
    numbered = [NUMBERED] if seeds.numbered and several else []
    return gathered, tuple(dict.fromkeys((*part.notes, *notes, *seeds.notes, *numbered)))


def conditions(part: Table, but: Sequence[str] = ()) -> list[str]:
    """Return the columns of one metric's rows that make a condition, unknown ones that split too."""
    known = [c for c in KNOWN if c not in NOT_A_KEY and c not in but and part.has(c)]
    return [*known, *splitting(part, known, but)]


def kept_apart(table: Table, by: Sequence[str]) -> list[str]:
    """Return the columns that are kept apart, as the table calls them; those of ``APART`` need not be there.

    Raises MissingColumnError: a column that a user named is not there.
    """
    if tuple(by) == APART:
        return [c for c in by if table.has(c)]
    return [table.columns.called(c) for c in as_names(by or ())]


def telling(labels: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Return the columns that it takes to tell labels apart, earlier ones kept first."""
    kept = list(names)
    for name in reversed(names):
        rest = [c for c in kept if c != name]
        if len({tuple(label.get(c) for c in rest) for label in labels}) == len(labels):
            kept = rest
    return kept


def told_apart(
    things: Iterable[tuple[Mapping[str, Any], _T]], names: Sequence[str]
) -> list[tuple[dict[str, Any], list[_T]]]:
    """Group things by these columns of their keys, in order, each group under the columns that tell it from others."""
    groups: dict[tuple[Any, ...], list[_T]] = {}
    for key, thing in things:
        groups.setdefault(tuple(key.get(c) for c in names), []).append(thing)
    order = sorted(groups, key=lambda k: [str(v) for v in k])
    kept = telling([dict(zip(names, k, strict=True)) for k in order], names)
    return [({c: k[names.index(c)] for c in kept}, groups[k]) for k in order]


def answered(
    groups: Iterable[tuple[Mapping[str, Any], _T]], answer: Callable[[Mapping[str, Any], _T], _A]
) -> tuple[list[_A], list[str]]:
    """Return the answers of all groups that have one, and why the others have none.

    Raises DesignError: no group has one; what the first lacks.
    """
    answers, reasons, first = [], [], None
    for label, inside in groups:
        try:
            answers.append(answer(label, inside))
        except DesignError as error:
            first = first or error
            reasons.append(f"{group_name(label) or 'all'}: {error}")
    if first is not None and not answers:
        raise first
    return answers, reasons


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
        second = finetuning_seed(part)
        finetune = part.column(second) if part.has(second) else np.full(n, np.nan)
        stderr = part.column("stderr") if part.has("stderr") else np.full(n, np.nan)
        return cls(pretrain, finetune, runs, stderr, not part.has(second))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the table does not tell."""
        notes = list(self.runs.notes)
        if self.runs.told == "nothing":
            notes.append("no pretrain_seed: all runs are taken to start from one pretraining run")
        if self.runs.returns:
            notes.append(CAUTIOUS)
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
    return None if value != value else whole(value)


def _twice(key: Mapping[str, Any], seed: Any, name: Any) -> str:
    where = ", ".join(f"{k}={v}" for k, v in key.items())
    return (
        f"pretrain_seed {seed} and finetune_seed {name} stand twice where {where}. "
        "Needed: one value a run. Try: table.where(...) on the column in which they differ"
    )


BOTH_SEEDS = f"{PRETRAIN} + {FINETUNE}"


def nested_cells(cells: Sequence[Cell]) -> MeanSquares:
    """Mean squares over cells with finetuning seeds nested in pretraining seeds.

    Balanced cells give the ordinary mean squares, pooled. Where numbers of finetuning seeds differ, seed means count
    equally and F is their harmonic mean (unweighted sums of squares: Thomas & Hultquist 1978, Ann. Statist. 6,
    582–587), which keeps the intervals near nominal. What a design cannot tell apart stands as one component.
    """
    within, dof_within = _within(cells)
    replicated = [c for c in cells if c.pretrain > 1]
    if not replicated and not dof_within:
        raise DesignError(_no_seeds(cells))
    if not replicated:
        return _single(FINETUNE, within, dof_within)
    weights = np.array([c.pretrain - 1.0 for c in replicated])
    variance = float(np.average([c.means.var(ddof=1) for c in replicated], weights=weights))
    dof = between_dof(replicated)
    if not dof_within:
        return _single(BOTH_SEEDS, variance, dof)
    # A seed mean holds the noise of its own F finetunings, so 1/F is what averages, and not F.
    inverse = float(
        np.average([np.mean(1 / np.array(c.finetune)) for c in replicated], weights=weights)
    )
    return nested_squares(variance / inverse, within, dof, dof_within, 1 / inverse)


def _single(name: str, value: float, dof: float) -> MeanSquares:
    return MeanSquares((name,), np.array([value]), np.array([dof]), {name: np.ones(1)})


def _within(cells: Iterable[Cell]) -> tuple[float, float]:
    groups = [group for cell in cells for group in cell.groups if len(group) > 1]
    dof = float(sum(len(g) - 1 for g in groups))
    squares = sum(float(((g - g.mean()) ** 2).sum()) for g in groups)
    return (squares / dof if dof else 0.0), dof


def between_dof(cells: Sequence[Cell]) -> float:
    """Degrees of freedom between pretraining runs.

    Cells that share pretraining runs (checkpoints, or one run finetuned on many tasks) may move together: variances
    whose seeds correlate by r correlate by r², so that what is alike counts once and what is not counts in full. Few
    seeds show too much of r², which errs towards once; two seeds always.
    """
    place = {name: i for i, name in enumerate({u for c in cells for u in c.units.values()})}
    off, there = np.zeros((2, len(place), len(cells)))
    for k, cell in enumerate(cells):
        rows = [place[cell.units[seed]] for seed in cell.runs]
        off[rows, k], there[rows, k] = cell.means - cell.means.mean(), 1.0
    common, n = there.T @ there, np.array([c.pretrain for c in cells], dtype=float)
    squares = (off**2).T @ there  # of a cell's seeds that the other has, too
    with np.errstate(divide="ignore", invalid="ignore"):
        alike = np.nan_to_num((off.T @ off) ** 2 / (squares * squares.T), nan=1.0)
    alike = np.where(common > 2, np.minimum(alike, 1.0), 1.0)
    alike *= common * (1 - np.add.outer(1 / n, 1 / n) + common / np.outer(n, n))
    np.fill_diagonal(alike, n - 1)  # what it is, without the dust
    return float((n - 1).sum() ** 2 / alike.sum())


def crossed_cells(cells: Sequence[Cell]) -> MeanSquares:
    """Mean squares over cells in which pretraining seeds share finetuning seeds, most of them at least."""
    try:
        squares = crossed([c.array() for c in cells], (PRETRAIN, FINETUNE))
    except DesignError as error:
        raise DesignError(f"{error}. Try: design='nested'") from error
    dof = np.array([between_dof(cells), squares.dof[1] / len(cells), squares.dof[2]])
    return replace(squares, dof=dof, size=float(np.mean([np.mean(c.finetune) for c in cells])))


def _no_seeds(cells: Sequence[Cell]) -> str:
    return (
        f"found {counted(len(cells), 'cell')} with one run each: no spread over seeds can be measured. "
        "Needed: two finetuning seeds of one checkpoint (for the finetuning part), or two "
        "pretraining seeds (for all of it) in at least one cell"
    )
