"""From whatever the user holds to observations and points of one law."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from scalefit.errors import FitError
from scalefit.laws.law import Law
from scalefit.table import Observations, Table, as_table, cut, digest

TELLING = ("corpus", "task", "finetune_tokens", "eval_set", "domain", "model")


def gather(
    data: Any,
    metric: str,
    law: Law,
    inputs: Mapping[str, str] | None,
    where: Mapping[str, Any] | None,
) -> Observations:
    """Cut the law's inputs and one metric out of a table, a frame or a mapping of columns.

    Raises
    ------
    FitError
        Inputs that the law does not have, or groups that would be mixed up.
    TableError
        No such rows or columns.
    """
    columns = _input_columns(law, metric, inputs)
    if isinstance(data, Observations):
        return data
    if not isinstance(data, Table) and "pretrain_tokens" not in data and "metric" not in data:
        return _plain(data, metric, columns, where)
    table = data if isinstance(data, Table) else as_table(data, metrics=_unlisted(data, metric))
    rows = table.where(**{**(where or {}), "metric": metric})
    _refuse_mixtures(rows, columns, where or {})
    return _without_baseline(cut(rows, metric, columns), law)


def _input_columns(law: Law, metric: str, inputs: Mapping[str, str] | None) -> dict[str, str]:
    if inputs is None:
        if len(law.inputs) > 1:
            raise FitError(
                f"law {law.name!r} takes {len(law.inputs)} inputs; say which columns they are: "
                f"inputs={{{', '.join(f'{name!r}: ...' for name in law.inputs)}}}"
            )
        return {law.inputs[0]: "pretrain_tokens"}
    if set(inputs) != set(law.inputs):
        raise FitError(
            f"inputs= names {sorted(inputs)}, but law {law.name!r} takes {list(law.inputs)}; "
            "give exactly these, each with its column"
        )
    return {name: inputs[name] for name in law.inputs}


def _unlisted(data: Any, metric: str) -> tuple[str, ...]:
    return (metric,) if metric in data else ()


def _plain(
    data: Any, metric: str, columns: Mapping[str, str], where: Mapping[str, Any] | None
) -> Observations:
    """Vectors straight from named columns, for frames that are no results tables."""
    missing = [c for c in (*columns.values(), metric, *(where or {})) if c not in data]
    if missing:
        raise FitError(f"no column {missing[0]!r}; there are {', '.join(map(str, data))}")
    keep = np.ones(len(np.asarray(data[metric])), dtype=bool)
    for column, wanted in (where or {}).items():
        keep &= np.isin(np.asarray(data[column]), wanted)
    vectors = {name: _numbers(data, column)[keep] for name, column in columns.items()}
    values = _numbers(data, metric)[keep]
    there = np.isfinite(values) & np.all([np.isfinite(v) for v in vectors.values()], axis=0)
    notes = () if there.all() else (f"{int((~there).sum())} rows with missing numbers left out",)
    copies = _copies(data, keep) & there
    if copies.any():
        notes = (
            *notes,
            f"{int(copies.sum())} exact duplicate rows left out (a copy adds no information)",
        )
    kept = there & ~copies
    vectors = {name: v[kept] for name, v in vectors.items()}
    values = values[kept]
    return Observations(
        vectors, values, None, None, metric, dict(columns), notes, digest(vectors, values)
    )


def _copies(data: Any, keep: Any) -> Any:
    """Which of the kept rows repeat an earlier one in every column."""
    seen: set[tuple[str, ...]] = set()
    again = []
    for row in zip(*(map(str, np.asarray(data[column])[keep]) for column in data), strict=True):
        again.append(row in seen)
        seen.add(row)
    return np.array(again, dtype=bool)


def _numbers(data: Any, column: str) -> Any:
    try:
        values = np.asarray(data[column], dtype=float)
    except (TypeError, ValueError):
        raise FitError(f"column {column!r} holds texts; a law needs numbers") from None
    if np.isinf(values).any():
        at = int(np.flatnonzero(np.isinf(values))[0])
        raise FitError(f"column {column!r} is infinite in row {at}; drop or mend it")
    return values


def _refuse_mixtures(rows: Table, columns: Mapping[str, str], where: Mapping[str, Any]) -> None:
    """One curve is fitted to one group, unless the user names several."""
    for column in TELLING:
        if column in where or column in columns.values() or not rows.has(column):
            continue
        found = _beside_baseline(rows).unique(column) if column == "corpus" else rows.unique(column)
        if column == "model" and len(columns) > 1:
            continue
        if len(found) > 1:
            shown = ", ".join(map(repr, found[:5])) + (", …" if len(found) > 5 else "")
            raise FitError(
                f"the rows mix {len(found)} values of {column!r} ({shown}) in one curve; choose with "
                f"where={{{column!r}: {found[0]!r}}}, or fit each with sf.fit_many(..., by=[{column!r}])"
            )


def _beside_baseline(rows: Table) -> Table:
    tokens = rows.unique("pretrain_tokens")
    trained = [t for t in tokens if t > 0]
    return rows.where(pretrain_tokens=trained) if trained else rows


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
                    f"{int(zero.sum())} rows with {column} = 0 (the baseline) are not on the curve"
                )
            keep &= ~zero
    if keep.all():
        return data
    inputs = {name: v[keep] for name, v in data.inputs.items()}
    values = data.values[keep]
    return replace(
        data,
        inputs=inputs,
        values=values,
        stderr=None if data.stderr is None else data.stderr[keep],
        clusters=None if data.clusters is None else _relabel(data.clusters[keep]),
        notes=tuple(notes),
        digest=digest(inputs, values),
    )


def _relabel(labels: Any) -> Any:
    return np.unique(labels, return_inverse=True)[1].reshape(-1)
