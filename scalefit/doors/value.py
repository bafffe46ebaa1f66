"""``sf.value``: what pretraining is worth over none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalefit.corpora.value import Cell, Values, value_of
from scalefit.doors.curves import asked
from scalefit.errors import DesignError, ScalefitError
from scalefit.fitting.points import points_of
from scalefit.forecasting.series import noise_of, series_of
from scalefit.groups import group_name
from scalefit.table import Table, cut
from scalefit.table import metric as metric_of
from scalefit.types import Floats, Renames

ENOUGH = 3  # degrees of freedom below which a group borrows the noise of the table
FEW = 3.0  # degrees of freedom granted to a noise that curves alone tell
SIZES = {"pretrain": "pretrain_tokens", "finetune": "finetune_tokens"}


def value(
    data: Any,
    metric: str = "bleu",
    *,
    where: Mapping[str, Any] | None = None,
    by: Sequence[str] | None = None,
    level: float = 0.8,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
    seed: int = 0,
) -> Values:
    """Say what pretraining is worth: its gain, the finetuning data it replaces, where it fades and where it harms.

    Parameters
    ----------
    data : path, Table, DataFrame or mapping of columns
        Rows with ``pretrain_tokens`` 0 are the models without pretraining; without them there is nothing to compare.
    metric : str
    where, by, mapping, allow
        As in :func:`scalefit.forecast`; ``by`` are the columns that make the groups, besides both sizes.
    level : float
        Confidence of intervals.
    seed : int
        Of the draws behind effective data and exchange rates.

    Returns
    -------
    Values
        One a group: a cell for each pair of measured sizes, with P(helps), P(worthless), P(harms).

    Raises
    ------
    DesignError
        No rows without pretraining, or none at the finetuning sizes of the others.
    MissingColumnError
        The table has no finetuning sizes.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {
    ...     "corpus": ["none"] * 3 + ["fr"] * 3,
    ...     "pretrain_tokens": [0] * 3 + [1e8] * 3,
    ...     "finetune_tokens": [1e5, 1e6, 1e7] * 2,
    ...     "bleu": [4.0, 12.0, 20.0, 12.1, 18.0, 24.0],
    ... }
    >>> first = sf.value(table, "bleu")["fr"].cells[0]
    >>> 0.8e6 < first.effective < 1.2e6
    True
    """
    what = asked(
        data, metric, where=where, by=by, mapping=mapping, allow=allow, used=tuple(SIZES.values())
    )
    name, rows = what.metric, what.rows
    drafts, failures = _drafts(rows, what.by)
    if not drafts:
        why = next(iter(failures.values()), "there are no rows with pretraining")
        raise DesignError(f"nothing can be valued: {why}")
    values = tuple(
        value_of(
            draft.cells,
            draft.below,
            metric=name,
            group=draft.group,
            rises=metric_of(name).direction != "-",
            noise=noise,
            dof=dof,
            level=level,
            seed=seed,
        )
        for draft, (noise, dof) in zip(drafts, _noise(drafts), strict=True)
    )
    return Values(values, failures, what.notes)


@dataclass(frozen=True)
class _Draft:
    """One group's cells, those without pretraining, and the squares within them with their degrees of freedom."""

    group: Mapping[str, Any]
    cells: tuple[Cell, ...]
    below: tuple[Cell, ...]
    within: tuple[float, int]


def _drafts(rows: Table, by: Sequence[str]) -> tuple[list[_Draft], dict[str, str]]:
    drafts, failures = [], {}
    for key, part in rows.pretrained().groups(by):
        group = dict(key)
        try:
            drafts.append(_draft(rows, group, part))
        except ScalefitError as error:
            failures[group_name(group)] = str(error)
    return drafts, failures


def _draft(rows: Table, group: Mapping[str, Any], part: Table) -> _Draft:
    base = rows.baseline_for(group)
    if base is None:
        raise DesignError(
            "there are no rows without pretraining (pretrain_tokens 0): nothing tells what it adds; finetune a "
            "model from scratch at the same sizes"
        )
    points = points_of(cut(part, part.metrics[0], SIZES))
    cells, inner = cells_of(points.inputs[0], points.inputs[1], points.y)
    f, y = base.column("finetune_tokens"), base.column("value")
    below, outer = cells_of(np.zeros_like(f), f, y)
    there = {c.finetune for c in below}
    kept = tuple(c for c in cells if c.finetune in there)
    if not kept:
        raise DesignError(
            "the models without pretraining were finetuned on other sizes than the rest; measure both at one size"
        )
    return _Draft(group, kept, tuple(below), (inner[0] + outer[0], inner[1] + outer[1]))


def cells_of(pretrain: Floats, finetune: Floats, y: Floats) -> tuple[list[Cell], tuple[float, int]]:
    """Return the mean of every pair of sizes, and the sum of squares within them with its degrees of freedom."""
    pairs, at, runs = np.unique(
        np.column_stack([pretrain, finetune]), axis=0, return_inverse=True, return_counts=True
    )
    at = at.reshape(-1)
    means = np.bincount(at, y) / runs
    within = float(((y - means[at]) ** 2).sum())
    cells = [
        Cell(float(p), float(f), float(m), int(r))
        for (p, f), m, r in zip(pairs, means, runs, strict=True)
    ]
    return cells, (within, int((runs - 1).sum()))


def _noise(drafts: Sequence[_Draft]) -> list[tuple[float, float]]:
    """Return each group's standard deviation of one run and its degrees of freedom.

    From its own replicates where there are enough, else from those of the whole table, else from how curves bend.
    """
    squares = sum(d.within[0] for d in drafts)
    dof = sum(d.within[1] for d in drafts)
    bends = [b for d in drafts for b in _bends(d)]
    out = []
    for draft in drafts:
        own, free = draft.within
        if free < ENOUGH:
            own, free = squares, dof
        if free:
            out.append((float(np.sqrt(own / free)), float(free)))
        elif bends:
            out.append((float(np.sqrt(np.median(bends))), FEW))
        else:
            raise DesignError(
                "no cell has two runs and no curve three sizes, so nothing tells noise from gain; finetune once more "
                "with another seed"
            )
    return out


def _bends(draft: _Draft) -> list[float]:
    """Return what second differences say of the noise, along every line of the grid."""
    both = [*draft.cells, *draft.below]
    lines = [
        ([c.pretrain for c in row], [c.mean for c in row])
        for row in _lines(draft.cells, "finetune")
    ]
    lines += [
        ([c.finetune for c in row], [c.mean for c in row]) for row in _lines(both, "pretrain")
    ]
    return [noise_of(series_of(np.array(x), np.array(y))) for x, y in lines if min(x) > 0]


def _lines(cells: Sequence[Cell], held: str) -> list[list[Cell]]:
    by: dict[float, list[Cell]] = {}
    for cell in cells:
        by.setdefault(getattr(cell, held), []).append(cell)
    return [row for row in by.values() if len(row) > 2]
