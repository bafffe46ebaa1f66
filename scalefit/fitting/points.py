"""From whatever the user holds to points of one law: one metric, one group, a run at a size once.

Finetuning seeds are averaged within each pretraining run: runs that finetune one checkpoint are not independent of each
other, so they count once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from scalefit.errors import FitError, TableError
from scalefit.ingest import metric_meant, table_of
from scalefit.laws.law import Law
from scalefit.table import Observations, Table, cut, cut_each, grouping
from scalefit.types import Floats, Ints, Mask, Renames
from scalefit.units import counted, some, typed

RunDesign = Literal["unknown", "runs", "checkpoints"]


@dataclass(frozen=True, eq=False)
class Points:
    """Vectors of length n, one entry a pretraining run and size.

    Attributes
    ----------
    inputs, y : input vectors in the law's order, and values.
    stderr : test-set standard error of each value, or None.
    run : label of the pretraining run of each point.
    block : the same under the cautious reading: seeds that come back at several sizes are one.
    counts : how many rows each point averages.
    design : ``unknown`` (no seeds or runs given), ``runs`` (every point its own pretraining run)
        or ``checkpoints`` (some runs give several points).
    grain : what the values were rounded to, such as 0.1; 0 where they were not.
    """

    inputs: tuple[Floats, ...]
    y: Floats
    stderr: Floats | None
    run: Ints
    block: Ints
    counts: Ints
    design: RunDesign
    notes: tuple[str, ...] = ()
    grain: float = 0.0

    @cached_property
    def groups(self) -> Ints:
        """Label of each point's set of equal inputs: replicates share one."""
        if len(self.inputs) == 1:  # rows of a matrix cost ten times as much to tell apart
            return np.unique(self.inputs[0], return_inverse=True)[1]
        return np.unique(np.column_stack(self.inputs), axis=0, return_inverse=True)[1].reshape(-1)

    def only(self, keep: Mask, note: str) -> Points:
        """Return some of the points, and say why."""
        return replace(
            self,
            inputs=tuple(x[keep] for x in self.inputs),
            y=self.y[keep],
            stderr=None if self.stderr is None else self.stderr[keep],
            run=np.unique(self.run[keep], return_inverse=True)[1].reshape(-1),
            block=np.unique(self.block[keep], return_inverse=True)[1].reshape(-1),
            counts=self.counts[keep],
            notes=(*self.notes, note),
        )


def points_of(data: Observations) -> Points:
    """Average the rows of one run at one size; leave everything else as it is."""
    inputs = tuple(np.asarray(v, dtype=float) for v in data.inputs.values())
    n = len(data)
    if data.clusters is None or not n:
        order = np.arange(n)
        once = np.ones(n, dtype=np.int64)
        return Points(inputs, data.values, data.stderr, order, order, once, "unknown")
    keys = np.column_stack([data.clusters, *inputs])
    _, first, label = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    label = label.reshape(-1)
    counts = np.bincount(label)
    y = np.bincount(label, data.values) / counts
    variance = None if data.stderr is None else np.bincount(label, data.stderr**2) / counts
    run = data.clusters[first]
    block = run if data.blocks is None else data.blocks[first]
    notes = []
    if len(counts) < n:
        notes.append(
            f"{n} runs averaged to {len(counts)} points: finetunings of one checkpoint count once"
        )
    return Points(
        tuple(x[first] for x in inputs),
        y,
        None if variance is None else np.sqrt(variance),
        np.unique(run, return_inverse=True)[1].reshape(-1),
        np.unique(block, return_inverse=True)[1].reshape(-1),
        counts,
        "checkpoints" if len(np.unique(run)) < len(run) else "runs",
        tuple(notes),
        grain_of(data.values),
    )


def grain_of(values: Floats) -> float:
    """Return the power of ten that all values are multiples of, from 1 down to 0.001; 0 where there is none."""
    for grain in (1.0, 0.1, 0.01, 0.001):
        steps = values / grain
        if (np.abs(steps - np.round(steps)) <= 1e-6 * np.maximum(np.abs(steps), 1)).all():
            return grain
    return 0.0


def gather_rows(
    data: Any,
    metric: str,
    law: Law,
    inputs: Mapping[str, str] | None,
    where: Mapping[str, Any] | None,
    *,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
) -> Observations:
    """Cut the law's inputs and one metric out of a path, a table, a frame or a mapping of columns.

    Raises FitError: inputs that the law does not have, or groups that would be mixed up; TableError: no such rows or
    columns.
    """
    columns = input_columns(law, inputs)
    if isinstance(data, Observations):
        return data
    table = table_of(
        data, mapping=mapping, where=where, allow=allow, metrics=[metric], needs=columns.values()
    )
    name, told = metric_meant(table, metric)
    rows = table.where(metric=name)
    _refuse_mixtures(rows, columns.values(), where or {})
    cut_out = _without_baseline(cut(rows, name, columns), law)
    return replace(cut_out, notes=(*told, *cut_out.notes))


def gather_each(
    pieces: Sequence[Table], metric: str, columns: Mapping[str, str], law: Law
) -> list[Observations | TableError]:
    """Do the same for pieces that :func:`scalefit.table.grouping` set apart; one without vectors gives its error."""
    return [
        _without_baseline(one, law) if isinstance(one, Observations) else one
        for one in cut_each(pieces, metric, columns)
    ]


LETTERS = {
    "N": "parameters",
    "D": "pretrain_tokens",
    "P": "pretrain_tokens",
    "F": "finetune_tokens",
    "U": "unique_tokens",
}
"""What the letters of laws of several inputs mean, unless ``inputs=`` says otherwise."""


def input_columns(law: Law, inputs: Mapping[str, str] | None) -> dict[str, str]:
    """Return law input -> column; ``pretrain_tokens`` for a law of one input, what letters mean for one of several."""
    if inputs is None and len(law.inputs) == 1:
        return {law.inputs[0]: "pretrain_tokens"}
    if inputs is None:
        unknown = [name for name in law.inputs if name not in LETTERS]
        if unknown:
            raise FitError(
                f"law {law.name!r} takes {len(law.inputs)} inputs, and what {', '.join(unknown)} is in your table "
                f"nobody knows; say it: inputs={{{', '.join(f'{n!r}: ...' for n in law.inputs)}}}"
            )
        return {name: LETTERS[name] for name in law.inputs}
    if set(inputs) != set(law.inputs):
        raise FitError(
            f"inputs= names {sorted(inputs)}, but law {law.name!r} takes {list(law.inputs)}; "
            "give exactly these, each with its column"
        )
    return {name: inputs[name] for name in law.inputs}


def _refuse_mixtures(rows: Table, used: Collection[str], where: Mapping[str, Any]) -> None:
    """One curve is fitted to one group, unless the user names several."""
    for column in grouping(rows, (), used=used).columns:
        if column in where:
            continue
        values = rows.pretrained().unique(column)
        shown = some(map(typed, values), 5)
        raise FitError(
            f"the rows mix {len(values)} values of {column!r} ({shown}) in one curve; choose with "
            f"where={{{column!r}: {typed(values[0])}}}, or fit each with sf.fit_each(..., by=[{column!r}])"
        )


def _without_baseline(data: Observations, law: Law) -> Observations:
    """Leave out rows at input 0, where the law has no value there: most take logarithms of their inputs."""
    if law.takes != "positive":
        return data
    keep, notes = None, list(data.notes)
    for name, column in data.columns.items():
        if column.endswith("_tokens") or column == "parameters":
            above = data.inputs[name] > 0
            if not above.all():
                rows = counted(int((~above).sum()), "row")
                notes.append(f"{rows} with {column} = 0 (the baseline), not on the curve")
                keep = above if keep is None else keep & above
    return data if keep is None else replace(data.only(keep), notes=tuple(notes))
