"""Which rows are one run, one checkpoint, one copy, and what may be averaged: decided here alone.

Rows of one pretraining run at one size are finetunings of one checkpoint and may be averaged. Runs
are told apart by ``pretrain_run``, else by ``pretrain_seed``, else not at all. Whether equal seeds at
several sizes are checkpoints of one run or separate runs, a seed does not say: as ``run`` they are
separate, as ``block`` they belong together, which is right for both.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalefit.errors import TableError
from scalefit.groups import as_names, distinct, group_columns, take_turns
from scalefit.rows import Row
from scalefit.types import Ints, Mask
from scalefit.units import format_count, some, typed, whole

from .columns import Columns, compressed
from .draft import is_text
from .names import IDENTITY, KNOWN, MEASURED, SEED_WORDS

if TYPE_CHECKING:
    from .core import Table

Told = Literal["run", "seed", "nothing"]
CAUTIOUS = (
    "pretrain_seed comes back at several sizes: seeds were treated as blocks, which is right for "
    "checkpoints of one run and for separate runs; a column pretrain_run tells"
)
_BESIDE = ("corpus", "model", "parameters")


@dataclass(frozen=True, eq=False)
class Runs:
    """Which rows of a table belong together; labels count from 0.

    Attributes
    ----------
    run : (n,) int64, the pretraining run of each row, as far as the table surely tells: seeds that come back at another
        size are another run.
    block : (n,) int64; the same under the cautious reading: seeds that come back are one run.
    finetuning : (n,) int64; the finetuning seed of each row; one of its own where none is given.
    names : what each block is called, the same in every piece of a table.
    told : {"run", "seed", "nothing"}; what tells the runs apart.
    notes : what was doubtful.
    """

    run: Ints
    block: Ints
    finetuning: Ints
    names: tuple[str, ...]
    told: Told
    notes: tuple[str, ...] = ()

    @property
    def named(self) -> bool:
        """Whether the table itself says which rows share a pretraining run."""
        return self.told == "run"

    @property
    def returns(self) -> bool:
        """Whether seeds come back at several sizes, and nothing says whether as one run."""
        return self.told == "seed" and int(self.block.max()) < int(self.run.max())


def runs_of(rows: Table) -> Runs:
    """Tell the runs of a table's rows apart.

    Examples
    --------
    >>> from scalefit.table import as_table
    >>> seeds = as_table({"pretrain_tokens": [1e6, 1e6, 4e6], "pretrain_seed": [1, 2, 1],
    ...                   "bleu": [20.1, 20.7, 22.4]})
    >>> runs = runs_of(seeds)
    >>> runs.run.tolist(), runs.block.tolist(), runs.told
    ([0, 2, 1], [0, 1, 0], 'seed')
    """
    pretrained = _were_pretrained(rows)
    named, seeded = _there(rows, "pretrain_run"), _there(rows, "pretrain_seed")
    notes = []
    if named[pretrained].any() and not named[pretrained].all() and seeded[pretrained].all():
        notes.append("pretrain_run is filled in for some rows only: pretrain_seed tells runs apart")
        named = np.zeros_like(named)
    told: Told = "nothing"
    if (named | seeded)[pretrained].any():
        told = "run" if named[pretrained].all() else "seed"
        alone = int((pretrained & ~named & ~seeded).sum())
        if alone:
            notes.append(
                f"{alone} rows name no pretrain_run or pretrain_seed: each counts as a run"
            )
    name = _names(rows, named, seeded, told)
    block, names = pd.factorize(_joined([*(_texts(rows, c) for c in _BESIDE), name]))
    # A named run is one run at all its sizes; a seed alone may be another run at each.
    size = np.where(named, 0, rows.labels(["pretrain_tokens"]))
    run = compressed(block * (size.max(initial=0) + 1) + size)
    return Runs(run, block.astype(np.int64), _finetunings(rows), tuple(names), told, tuple(notes))


def _were_pretrained(rows: Table) -> Mask:
    if not rows.has("pretrain_tokens"):
        return np.ones(len(rows), dtype=bool)
    above = np.asarray(rows.column("pretrain_tokens") != 0)
    return above if above.any() else ~above


def _there(rows: Table, name: str) -> Mask:
    column = rows.columns.named.get(name)
    return np.zeros(len(rows), dtype=bool) if column is None else column.there[rows.rows]


def _texts(rows: Table, name: str) -> list[str]:
    """Return a column's cells as texts, nothing where nothing is there."""
    column = rows.columns.named.get(name)
    return [""] * len(rows) if column is None else column.words[rows.rows].tolist()


def _names(rows: Table, named: Mask, seeded: Mask, told: Told) -> list[str]:
    """Return the run's name, else its seed, else a name of each row's own."""
    runs, seeds = _texts(rows, "pretrain_run"), _texts(rows, "pretrain_seed")
    if told == "nothing":
        return [""] * len(rows)
    return [
        runs[i] if named[i] else f"seed {seeds[i]}" if seeded[i] else f"row {i}"
        for i in range(len(rows))
    ]


def _joined(parts: Sequence[Sequence[str]]) -> NDArray[Any]:
    joined = [" · ".join(filter(None, words)) for words in zip(*parts, strict=True)]
    return np.array([*joined, None], dtype=object)[:-1]


def finetuning_seed(rows: Table) -> str:
    """Return the column that names finetunings: a plain seed does, where nothing says of which run it is."""
    plain = [name for name in rows.columns.named if name.lower() in SEED_WORDS]
    return next((n for n in ("finetune_seed", *plain) if rows.has(n)), "finetune_seed")


def _finetunings(rows: Table) -> Ints:
    """Return the finetuning seed's number, or one of its own for a row that names none."""
    name = finetuning_seed(rows)
    seed = rows.labels([name])
    own = seed.max(initial=0) + 1 + np.arange(len(rows))
    return np.asarray(np.where(_there(rows, name), seed, own), dtype=np.int64)


def copies(columns: Columns) -> Mask:
    """Return the rows that repeat an earlier one, where a seed, run or source says that it is one.

    Equal values of runs that nothing names are several runs: scores of one decimal tie. Nor are
    rows copies where others under the same name have another value. A source says so only where it
    holds one row of each metric and set, as a log does.
    """
    names = [name for name in columns.named if name != "source"]
    row = columns.labels(names)
    again = _repeated(row)
    if not again.any():
        return again
    key = columns.labels([name for name in names if name not in MEASURED])
    copied = again & any_there(columns, IDENTITY) & _alone(row, key)
    if "source" in columns.named:
        log = columns.labels(["source", "metric", "eval_set", "domain"])
        twice = _repeated(columns.labels([*names, "source"]))
        copied |= twice & any_there(columns, ["source"]) & _alone(row, log)
    return copied


def _repeated(label: Ints) -> Mask:
    """Return the rows whose label an earlier one has."""
    return np.asarray(pd.Index(label).duplicated(), dtype=bool)


def any_there(columns: Columns, names: Sequence[str]) -> Mask:
    """Return the rows that hold something in any of the columns."""
    there = [columns.named[name].there for name in names if name in columns.named]
    return np.asarray(np.any([np.zeros(len(columns), dtype=bool), *there], axis=0))


def _alone(row: Ints, key: Ints) -> Mask:
    """Return where all rows under one key are the same row."""
    pairs = np.unique(np.column_stack([key, row]), axis=0)
    return np.asarray(np.bincount(pairs[:, 0])[key] == 1)


MOST_ROWS, MOST_SIZES = 40, 10
EVALUATION = ("domain", "eval_set")
"""Columns that say where a run was measured, and make no other run of it."""


def coverage(table: Table) -> list[Row]:
    """Return one row a group, one column a pretraining size, and in each cell its runs: seeds of both stages.

    Where groups are many, columns that make them are taken together from the last one on; where sizes are many, each
    group says how many and from where to where.

    Examples
    --------
    >>> from scalefit.table import as_table
    >>> seeds = as_table({"corpus": ["fr"] * 3 + ["en"], "pretrain_tokens": [1e6, 1e6, 4e6, 4e6],
    ...                   "pretrain_seed": [1, 2, 1, 1], "bleu": [20.1, 20.7, 22.4, 21.0]})
    >>> coverage(seeds)
    [{'corpus': 'en', '1M': '–', '4M': '1'}, {'corpus': 'fr', '1M': '2', '4M': '1'}]
    """
    if not table.has("pretrain_tokens"):
        return []
    columns = [
        name
        for name in group_columns(table, None)
        if name not in EVALUATION and len(table.unique(name)) > 1
    ]
    while columns and table.labels(columns).max(initial=0) >= MOST_ROWS:
        columns.pop()
    groups = table.groups([*columns, "pretrain_tokens"])
    cells: dict[tuple[Any, ...], dict[float, str]] = {}
    for key, rows in groups:
        group = tuple(key[name] for name in columns)
        size = key["pretrain_tokens"]
        if size is not None:
            cells.setdefault(group, {})[float(size)] = _seeds(rows)
    sizes = sorted({size for row in cells.values() for size in row})
    return [
        {**dict(zip(columns, group, strict=True)), **_of_sizes(row, sizes)}
        for group, row in cells.items()
    ]


def _of_sizes(row: dict[float, str], sizes: list[float]) -> Row:
    if len(sizes) <= MOST_SIZES:
        return {format_count(size): row.get(size, "–") for size in sizes}
    low, high = (format_count(end(row)) for end in (min, max))
    return {"sizes": len(row), "from": low, "to": high, "runs": _spanned(list(row.values()))}


def _spanned(counts: list[str]) -> str:
    there = list(dict.fromkeys(counts))
    return there[0] if len(there) == 1 else f"{there[0]} … {there[-1]}"


def _seeds(rows: Table) -> str:
    """Return how many pretraining runs, and times how many finetunings where there are more."""
    runs = runs_of(rows)
    pretrained = np.unique(runs.run).size
    if not rows.has("finetune_seed"):
        return str(pretrained)
    finetunings = np.unique(rows.column("finetune_seed")[rows.labels(["metric"]) == 0]).size
    return str(pretrained) if finetunings == 1 else f"{pretrained} × {finetunings}"


_SHOWN = 5
_NEAR = 1.1
_HARMLESS = frozenset(
    """source signature stderr step steps epoch epochs date time timestamp day started finished
    runtime duration seconds minutes hours elapsed path file filename folder dir directory url uri
    link log checkpoint id uuid hash commit host hostname node gpu gpus device machine worker user job
    pid comment comments note notes remark remarks unnamed index row line""".split()  # noqa: SIM905
)
_UNTELLING = frozenset("name no nr num number utc gmt s sec secs ms min mins h hr hrs".split())  # noqa: SIM905
_REPLICATE = frozenset(
    """seed seeds replicate repeat repetition rep trial fold init initialization initialisation restart rerun
    attempt""".split()  # noqa: SIM905
)
_AMOUNTS = frozenset(
    """step steps epoch epochs time runtime duration seconds minutes hours elapsed""".split()  # noqa: SIM905
)
"""Measured where runs take their own values, a condition where they were set: hours of audio, steps of training."""


@dataclass(frozen=True)
class Grouping:
    """The columns that make the groups of a table, and what was added to them and why."""

    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()


def grouping(
    table: Table, by: Sequence[str] | None = None, *, used: Collection[str] = ()
) -> Grouping:
    """Return the columns that make the groups, so that nothing unlike is averaged.

    Parameters
    ----------
    by : sequence of str, optional; columns asked for; by default see :func:`scalefit.groups.group_columns`.
    used : collection of str; columns that are inputs of the law.

    Raises TableError: rows of one run differ in a column, and kept apart they leave no curve.
    """
    rows = table.pretrained()
    asked = None if by is None else as_names(by)
    if asked is not None:
        asked = tuple(n if n in KNOWN else table.columns.called(n) for n in asked)
    columns = list(group_columns(rows, asked, used=used))
    notes = [_added(rows, name) for name in columns if asked is not None and name not in asked]
    # Values may come back only among models without pretraining: pretrained or not, at every number of layers.
    varied = [n for n in splitting(table, columns, used) if distinct(rows, [n]) > 1]
    for name in varied:
        _refuse_scatter(rows, [*columns, name], name, used)
        columns.append(name)
        notes.append(_added(rows, name))
    return Grouping(tuple(columns), tuple(notes))


def _added(rows: Table, name: str) -> str:
    return f"groups are split by {name} as well ({_some(rows, name)}): its values are not averaged"


def _some(rows: Table, name: str) -> str:
    return some(map(whole, rows.unique(name)), _SHOWN)


def splitting(rows: Table, columns: Sequence[str], used: Collection[str] = ()) -> list[str]:
    """Return the further columns that tell rows of one size and run apart.

    A column splits where rows that agree in group, law inputs, size, seeds and run take several of
    its values, and these values come back elsewhere. What is unique to each row is a measurement.
    Where every condition has seeds of its own, it splits if its values hold several runs each.
    """
    split: list[str] = []
    fixed = {*columns, *used, *IDENTITY, *MEASURED, "metric", "pretrain_tokens"}
    run = sorted(fixed - set(MEASURED))
    names = [
        n
        for n in rows.columns.named
        if n not in fixed
        and (not harmless(n) or _was_set(rows, run, n) or _starts_from_models(rows, n))
    ]
    for name in sorted(names, key=lambda n: distinct(rows, [n])):  # few values explain many
        cell = [*(fixed - set(MEASURED)), *split]
        # A run's own name comes back in each metric of the run, which is no other run.
        values = rows.labels([name, *(c for c in ("metric", *EVALUATION) if c in cell)])
        same, near = rows.labels(cell), _near(rows, cell)
        if (
            _splits(same, values, least=0.0)
            or _splits(near, values, least=0.5)
            or _parts_runs(rows, [c for c in cell if c not in IDENTITY], name, values)
            or _own_curves(rows, columns, used, name)
        ):
            split.append(name)
    return split


def harmless(name: str) -> bool:
    """Return whether a column's name says that it tells no conditions apart: times, places, seeds.

    The last word that is no unit says what the cells are: ``wall_time_s`` holds times, but ``step_size``
    sizes and ``source_language`` languages, which no curve may mix.

    Examples
    --------
    >>> harmless("Host Name"), harmless("trainRuntime"), harmless("source_language")
    (True, True, False)
    """
    return _tells(name) in _HARMLESS | _REPLICATE


def _tells(name: str) -> str:
    """Return the last word of a name that is no unit, in small letters."""
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    return next((word for word in reversed(words) if word not in _UNTELLING), "")


def _starts_from_models(rows: Table, name: str) -> bool:
    """Whether ``init`` names what runs started from (``bert``, ``scratch``); numbers count restarts."""
    return _tells(name).startswith("init") and is_text(rows.columns.named[name].values)


def _was_set(rows: Table, cell: Sequence[str], name: str) -> bool:
    """Return whether an amount was set and not measured: runs have most of its values, and all of them equally often.

    So are the checkpoints of a course; a best epoch, or hours that a run took, each run has for itself.
    """
    if _tells(name) not in _AMOUNTS:
        return False
    there = rows.columns.named[name].there[rows.rows]
    at = np.column_stack([rows.labels(cell), rows.labels([name])])[there]
    pairs, count = np.unique(at, axis=0, return_counts=True)
    several = np.bincount(pairs[:, 0])[pairs[:, 0]] > 1
    if not several.any():
        return False
    cells, values = (np.unique(pairs[several, i]).size for i in (0, 1))
    usual = np.median(count[several])
    return bool(
        several.sum() > 0.5 * cells * values
        and (count[several] == usual).mean() > 0.9
        and (cells > 1 or usual > 1)
    )


def _splits(cells: Ints, values: Ints, least: float) -> bool:
    """Return whether values differ within cells of more than a share of rows, and come back.

    They come back in another cell or in another row of their own: a table of one size has one cell.
    """
    pairs, count = np.unique(np.column_stack([cells, values]), axis=0, return_counts=True)
    several = np.bincount(pairs[:, 0])[pairs[:, 0]] > 1
    back = (np.bincount(pairs[:, 1])[pairs[:, 1]] > 1) | (count > 1)
    if not several.any() or count[several].sum() <= least * len(cells):
        return False
    return bool(back[several].mean() > 0.5)


def _parts_runs(rows: Table, place: Sequence[str], name: str, values: Ints) -> bool:
    """Return whether a column parts the runs of one place into conditions: 0–2 trained one way, 3–5 another.

    Its values hold several runs each, for another name of the run holds one; a run keeps its value at every size, for
    a measurement moves; and values come back at other places.
    """
    there = rows.columns.named[name].there[rows.rows]
    at, run = rows.labels(place)[there], rows.labels(IDENTITY)[there]
    value = values[there]
    of = [c for c in place if c != "pretrain_tokens"]
    kept = np.unique(np.column_stack([rows.labels([*of, *IDENTITY])[there], value]), axis=0)
    if np.bincount(kept[:, 0]).max(initial=0) > 1:
        return False
    runs_at = np.unique(np.column_stack([at, value, run]), axis=0)
    pairs, runs = np.unique(runs_at[:, :2], axis=0, return_counts=True)
    several = np.bincount(pairs[:, 0])[pairs[:, 0]] > 1
    if not several.any() or runs[several].mean() < 2:
        return False
    if np.unique(pairs[several, 0]).size == 1:
        return bool(runs[several].min() > 1)
    return bool((np.bincount(pairs[:, 1])[pairs[several, 1]] > 1).mean() > 0.5)


def _own_curves(rows: Table, columns: Sequence[str], used: Collection[str], name: str) -> bool:
    """Return whether a column of names parts a curve into several, each of three sizes or more, that take turns."""
    inputs = [column for column in used if rows.has(column)]
    if not is_text(rows.columns.named[name].values) or len(inputs) != 1:
        return False
    there = np.column_stack([rows.labels([*columns, name]), rows.labels(inputs)])
    sizes = np.bincount(np.unique(there, axis=0)[:, 0])
    return int(sizes.min()) >= 3 and take_turns(rows, columns, name, inputs[0])


def _near(rows: Table, cell: Sequence[str]) -> Ints:
    """Return the rows' cells where sizes within 10 % count as one, as data sets of one size differ."""
    if not rows.has("pretrain_tokens"):
        return rows.labels(cell)
    sizes, at = np.unique(rows.column("pretrain_tokens"), return_inverse=True)
    bins, first = np.zeros(len(sizes), dtype=np.int64), sizes[0]
    for i in range(1, len(sizes)):
        apart = not sizes[i] <= _NEAR * first
        bins[i], first = bins[i - 1] + apart, sizes[i] if apart else first
    rest = rows.labels([c for c in cell if c != "pretrain_tokens"])
    return compressed(rest * len(sizes) + bins[at])


def _refuse_scatter(rows: Table, columns: Sequence[str], name: str, used: Collection[str]) -> None:
    """Raise where groups apart would be single points, though together they make a curve."""
    inputs = [*used] or ["pretrain_tokens"]
    most = [_longest(rows, names, inputs) for names in (columns[:-1], columns)]
    if most[1] >= min(3, most[0]):
        return
    first = rows.unique(name)[0]
    raise TableError(
        f"rows of one size differ in {name!r} ({_some(rows, name)}), and apart they leave "
        f"no curve. Try: where={{{name!r}: {typed(first)}}}, or mapping={{{name!r}: 'pretrain_seed'}} if "
        "these are replicates"
    )


def _longest(rows: Table, columns: Sequence[str], inputs: Sequence[str]) -> int:
    """Return how many different inputs the group with the most of them has."""
    pairs = np.unique(np.column_stack([rows.labels(columns), rows.labels(inputs)]), axis=0)
    return int(np.bincount(pairs[:, 0]).max(initial=0))
