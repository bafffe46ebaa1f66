"""What may be averaged: the columns that make groups, known ones and those that tell runs apart."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalefit.errors import TableError
from scalefit.groups import distinct, group_columns
from scalefit.types import Ints

from .columns import compressed
from .core import Table
from .names import IDENTITY, KNOWN, MEASURED

_SHOWN = 5
NEAR = 1.1
_HARMLESS = frozenset(
    """source signature stderr step steps epoch epochs date time timestamp day started finished
    runtime duration seconds minutes hours elapsed path file filename folder dir directory url uri
    link log checkpoint id uuid hash commit host hostname node gpu gpus device machine worker user job
    pid comment comments note notes remark remarks unnamed index row line""".split()  # noqa: SIM905
)
_BESIDE = frozenset("name no nr num number utc gmt s sec secs ms min mins h hr hrs".split())  # noqa: SIM905
_REPLICATE = frozenset(
    ("seed", "seeds", "replicate", "repeat", "repetition", "rep", "trial", "fold")
)


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
    table : Table
    by : sequence of str, optional
        Columns asked for; by default see :func:`scalefit.groups.group_columns`.
    used : collection of str
        Columns that are inputs of the law.

    Raises
    ------
    TableError
        Rows of one run differ in a column, and kept apart they leave no curve.
    """
    rows = table.pretrained()
    asked = columns_asked(by)
    if asked is not None:
        asked = [n if n in KNOWN else table.columns.called(n) for n in asked]
    columns = list(group_columns(rows, asked, used=used))
    notes = [_added(rows, name) for name in columns if asked is not None and name not in asked]
    for name in splitting(rows, columns, used):
        _refuse_scatter(rows, [*columns, name], name, used)
        columns.append(name)
        notes.append(_added(rows, name))
    return Grouping(tuple(columns), tuple(notes))


def columns_asked(by: Any) -> list[str] | None:
    """Return the columns that a user groups by as a list; None stays None."""
    if by is None:
        return None
    names = [by] if isinstance(by, str) or not isinstance(by, Iterable) else list(by)
    if not all(isinstance(name, str) for name in names):
        raise TableError(f"found by={by!r}; needed names of columns, e.g. by=['corpus', 'task']")
    return names


def _added(rows: Table, name: str) -> str:
    return f"groups are split by {name} as well ({_some(rows, name)}): its values are not averaged"


def _some(rows: Table, name: str) -> str:
    there = [str(v) for v in rows.unique(name)]
    return ", ".join(there[:_SHOWN]) + (", …" if len(there) > _SHOWN else "")


def splitting(rows: Table, columns: Sequence[str], used: Collection[str] = ()) -> list[str]:
    """Return the further columns that tell rows of one size and run apart.

    A column splits where rows that agree in group, law inputs, size, seeds and run take several of
    its values, and these values come back elsewhere. What is unique to each row is a measurement.
    """
    split: list[str] = []
    fixed = {*columns, *used, *IDENTITY, *MEASURED, "metric", "pretrain_tokens"}
    names = [n for n in rows.columns.named if n not in fixed and not harmless(n)]
    for name in sorted(names, key=lambda n: distinct(rows, [n])):  # few values explain many
        cell, values = [*(fixed - set(MEASURED)), *split], rows.labels([name])
        same, near = rows.labels(cell), _near(rows, cell)
        if _splits(same, values, least=0.0) or _splits(near, values, least=0.5):
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
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    telling = [word for word in words if word not in _BESIDE]
    return bool(telling) and telling[-1] in _HARMLESS | _REPLICATE


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


def _near(rows: Table, cell: Sequence[str]) -> Ints:
    """Return the rows' cells where sizes within 10 % count as one, as data sets of one size differ."""
    if not rows.has("pretrain_tokens"):
        return rows.labels(cell)
    sizes, at = np.unique(rows.column("pretrain_tokens"), return_inverse=True)
    bins, first = np.zeros(len(sizes), dtype=np.int64), sizes[0]
    for i in range(1, len(sizes)):
        apart = not sizes[i] <= NEAR * first
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
        f"rows of one size and seed differ in {name!r} ({_some(rows, name)}), and apart they leave "
        f"no curve. Try: where={{{name!r}: {first!r}}}, or mapping={{{name!r}: 'pretrain_seed'}} if "
        "these are replicates"
    )


def _longest(rows: Table, columns: Sequence[str], inputs: Sequence[str]) -> int:
    """Return how many different inputs the group with the most of them has."""
    pairs = np.unique(np.column_stack([rows.labels(columns), rows.labels(inputs)]), axis=0)
    return int(np.bincount(pairs[:, 0]).max(initial=0))
