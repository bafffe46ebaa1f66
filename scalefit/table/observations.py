"""Plain vectors for the fitters, cut from a table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import TableError
from scalefit.types import Floats
from scalefit.units import counted

from .core import Table
from .metrics import canonical
from .runs import runs_of


@dataclass(frozen=True, eq=False)
class Observations:
    """What a law is fitted to: inputs, values, and how the values hang together.

    Attributes
    ----------
    inputs : mapping of str to (n,) float64; law input name -> numbers.
    values : (n,) float64; measured values of the metric.
    stderr : (n,) float64 or None; standard error of each value over the test set; None where any row lacks it.
    clusters : (n,) int64 or None
        Number of the pretraining run each row comes from; None where the table does not tell.
    blocks : (n,) int64 or None; the same under the cautious reading, see :class:`scalefit.table.Runs`.
    metric : name of the metric.
    columns : law input name -> table column.
    notes : notes of the table and of this cut.
    """

    KEPT = ("digest",)

    inputs: Mapping[str, Floats]
    values: Floats
    stderr: Floats | None
    clusters: NDArray[np.int64] | None
    metric: str
    columns: Mapping[str, str]
    notes: tuple[str, ...] = ()
    blocks: NDArray[np.int64] | None = None

    @cached_property
    def digest(self) -> str:
        """``sha256:`` and 16 hex digits over the sorted rows: equal data, equal digest."""
        return digest(self.inputs, self.values)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values)

    def only(self, keep: NDArray[np.bool_]) -> Observations:
        """Return some of the rows, (n,); runs and blocks are numbered anew, the notes stay."""
        return replace(
            self,
            inputs={name: x[keep] for name, x in self.inputs.items()},
            values=self.values[keep],
            stderr=None if self.stderr is None else self.stderr[keep],
            clusters=_relabelled(self.clusters, keep),
            blocks=_relabelled(self.blocks, keep),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by fields, whose read-only views are none that pickle knows."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        views = {name: dict(v) for name, v in plain.items() if isinstance(v, Mapping)}
        return _unpickled, ({**plain, **views},)


def cut(rows: Table, metric: str, inputs: Mapping[str, str]) -> Observations:
    """Cut the vectors out of rows that all hold one metric.

    Raises TableError: where no row has all inputs, or an input column holds text.
    """
    vectors = {name: _numbers(rows, column) for name, column in inputs.items()}
    there = np.all([np.isfinite(v) for v in vectors.values()], axis=0)
    if not np.any(there):
        raise TableError(f"no row of {metric!r} has all of {', '.join(inputs.values())}")
    notes = list(rows.notes)
    if not np.all(there):
        gone = int(len(rows) - there.sum())
        notes.append(f"{counted(gone, 'row')} without {' or '.join(inputs.values())} left out")
    there = np.broadcast_to(there, len(rows))
    vectors = {name: _frozen(v[there]) for name, v in vectors.items()}
    values = _frozen(rows.column("value")[there])
    stderr, runs = _stderr(rows, there, notes), runs_of(rows)
    known = runs.told != "nothing"
    return Observations(
        inputs=MappingProxyType(vectors),
        values=values,
        stderr=stderr,
        clusters=_frozen(runs.run[there]) if known else None,
        metric=canonical(metric),
        columns=MappingProxyType(dict(inputs)),
        notes=(*notes, *runs.notes),
        blocks=_frozen(runs.block[there]) if known else None,
    )


def cut_each(
    pieces: Sequence[Table], metric: str, inputs: Mapping[str, str]
) -> list[Observations | TableError]:
    """Cut the vectors out of every piece of one table; a piece that has none gives its error.

    Where no piece has seeds, runs, errors or gaps, the columns are read once and each piece is a view of them: a
    hundred thousand curves then cost what their vectors cost.
    """
    plain = _plain(pieces, inputs) if pieces else None
    if plain is None:
        return [_cut_or_error(piece, metric, inputs) for piece in pieces]
    vectors, values, ends = plain
    name, columns = canonical(metric), MappingProxyType(dict(inputs))
    out: list[Observations | TableError] = []
    for piece, end in zip(pieces, ends, strict=True):
        here = slice(end - len(piece), end)
        cut_out = MappingProxyType({key: v[here] for key, v in vectors.items()})
        out.append(
            Observations(cut_out, values[here], None, None, name, columns, tuple(piece.notes))
        )
    return out


def _plain(
    pieces: Sequence[Table], inputs: Mapping[str, str]
) -> tuple[dict[str, Floats], Floats, list[int]] | None:
    """Return all pieces' vectors in one, and where each ends; None where a piece needs a look of its own."""
    rows = np.concatenate([piece.rows for piece in pieces])
    whole = replace(pieces[0], rows=rows)
    if any(map(whole.has, ("pretrain_run", "pretrain_seed", "stderr"))):
        return None
    if not all(map(whole.has, inputs.values())):
        return None
    vectors = {name: whole.column(column) for name, column in inputs.items()}
    if any(v.dtype == object or not np.isfinite(v).all() for v in vectors.values()):
        return None
    ends = np.cumsum([len(piece) for piece in pieces]).tolist()
    return {name: _frozen(v) for name, v in vectors.items()}, _frozen(whole.column("value")), ends


def _cut_or_error(
    piece: Table, metric: str, inputs: Mapping[str, str]
) -> Observations | TableError:
    try:
        return cut(piece, metric, inputs)
    except TableError as error:
        return error


def _unpickled(values: Mapping[str, Any]) -> Observations:
    """Return what was pickled, read-only as it was."""
    inputs = MappingProxyType({name: _frozen(v) for name, v in values["inputs"].items()})
    kept = {n: _frozen(v) if isinstance(v, np.ndarray) else v for n, v in values.items()}
    columns = MappingProxyType(dict(values["columns"]))
    return Observations(**{**kept, "inputs": inputs, "columns": columns})


def _numbers(table: Table, column: str) -> Floats:
    cells = table.column(column)
    if cells.dtype == object:
        raise TableError(f"column {column!r} holds texts such as {cells[0]!r}; needed numbers")
    return cells


def _frozen(values: Any) -> Any:
    values = np.array(values)
    values.flags.writeable = False
    return values


def _stderr(table: Table, there: NDArray[np.bool_], notes: list[str]) -> Floats | None:
    if not table.has("stderr"):
        return None
    errors = table.column("stderr")[there]
    known = np.isfinite(errors)
    if known.all():
        return _frozen(errors)  # type: ignore[no-any-return]
    if known.any():
        notes.append(f"{int((~known).sum())} rows lack a standard error: none is used")
    return None


def _relabelled(
    labels: NDArray[np.int64] | None, keep: NDArray[np.bool_]
) -> NDArray[np.int64] | None:
    return None if labels is None else np.unique(labels[keep], return_inverse=True)[1].reshape(-1)


def digest(inputs: Mapping[str, Floats], values: Floats) -> str:
    """Return a digest of the rows that does not depend on their order."""
    names = sorted(inputs)
    # −0.0 and 0.0 are equal, but not their bytes; nor are those of one number on all machines.
    rows = np.column_stack([*(inputs[n] for n in names), values]).astype("<f8") + 0.0
    rows = rows[np.lexsort(rows.T[::-1])]
    hashed = hashlib.sha256("|".join(names).encode() + np.ascontiguousarray(rows).tobytes())
    return f"sha256:{hashed.hexdigest()[:16]}"
