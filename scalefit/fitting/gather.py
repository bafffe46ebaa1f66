"""From whatever the user holds to observations of one law: one metric, one group."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scalefit.errors import FitError, TableError
from scalefit.ingest import table_of
from scalefit.laws.law import Law
from scalefit.table import Observations, Table, cut, cut_each, grouping
from scalefit.types import Renames
from scalefit.units import counted


def gather(
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

    Raises
    ------
    FitError
        Inputs that the law does not have, or groups that would be mixed up.
    TableError
        No such rows or columns.
    """
    columns = input_columns(law, inputs)
    if isinstance(data, Observations):
        return data
    table = table_of(
        data, mapping=mapping, where=where, allow=allow, metrics=[metric], needs=columns.values()
    )
    name = table.metric(metric)
    rows = table.where(metric=name)
    _refuse_mixtures(rows, columns.values(), where or {})
    return gather_group(rows, name, columns, law)


def gather_group(rows: Table, metric: str, columns: Mapping[str, str], law: Law) -> Observations:
    """Cut the law's inputs (law input -> column) out of rows that :func:`scalefit.table.grouping` has set apart."""
    return _without_baseline(cut(rows, metric, columns), law)


def gather_each(
    pieces: Sequence[Table], metric: str, columns: Mapping[str, str], law: Law
) -> list[Observations | TableError]:
    """Do the same for many pieces; one that has no such vectors gives its error."""
    return [
        _without_baseline(one, law) if isinstance(one, Observations) else one
        for one in cut_each(pieces, metric, columns)
    ]


USUAL = {
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
        unknown = [name for name in law.inputs if name not in USUAL]
        if unknown:
            raise FitError(
                f"law {law.name!r} takes {len(law.inputs)} inputs, and what {', '.join(unknown)} is in your table "
                f"nobody knows; say it: inputs={{{', '.join(f'{n!r}: ...' for n in law.inputs)}}}"
            )
        return {name: USUAL[name] for name in law.inputs}
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
        shown = ", ".join(map(repr, values[:5])) + (", …" if len(values) > 5 else "")
        raise FitError(
            f"the rows mix {len(values)} values of {column!r} ({shown}) in one curve; choose with "
            f"where={{{column!r}: {values[0]!r}}}, or fit each with sf.fit_each(..., by=[{column!r}])"
        )


def _without_baseline(data: Observations, law: Law) -> Observations:
    """Leave out rows at input 0, where the law has no value there: most take logarithms of their inputs."""
    if law.takes != "positive":
        return data
    keep = np.ones(len(data), dtype=bool)
    notes = list(data.notes)
    for name, column in data.columns.items():
        if column.endswith("_tokens") or column == "parameters":
            zero = data.inputs[name] <= 0
            if zero.any():
                notes.append(
                    f"{counted(int(zero.sum()), 'row')} with {column} = 0 (the baseline), not on the curve"
                )
            keep &= ~zero
    if keep.all():
        return data
    return replace(data.only(keep), notes=tuple(notes))
