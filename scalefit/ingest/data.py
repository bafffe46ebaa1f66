"""What a user has becomes a table: a path, a frame, a table or a mapping, at every door alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scalefit.arguments import Unasked
from scalefit.errors import MissingColumnError, TableError
from scalefit.groups import as_names
from scalefit.table import ALLOWABLE, Observations, Table, as_table, cut
from scalefit.table import metric as metric_of
from scalefit.table.core import as_frame
from scalefit.table.metrics import Metric, canonical
from scalefit.table.names import IDENTITY
from scalefit.types import Renames
from scalefit.units import parse_count, some

from .config import Config, names_in
from .read import read

_PRETRAINING = ("pretrain_tokens",)
_ENTROPY, _PERPLEXITY = "cross_entropy", "perplexity"


def table_of(
    data: Any,
    *,
    mapping: Renames | None = None,
    where: Mapping[str, Any] | None = None,
    allow: Sequence[str] = (),
    metrics: Sequence[str] = (),
    needs: Collection[str] = _PRETRAINING,
    config: str | Path | None = None,
) -> Table:
    """Return what a user has as a checked table, cut to the rows asked for.

    Parameters
    ----------
    data : results, long or wide. A path is read, see :func:`scalefit.read`.
    mapping : own name -> canonical name, for columns and metrics; or a ``scalefit.toml`` that keeps them.
    where : mapping, optional; column -> condition, see :meth:`scalefit.Table.where`.
    allow : checks to switch off, see :data:`scalefit.table.ALLOWABLE`.
    metrics : metrics asked for: a column of that name is one, though the registry does not know it.
    needs : columns that the question needs; without ``pretrain_tokens`` among them the data may lack it.
    config : a ``scalefit.toml`` beside a mapping, which comes first; for files, by default the one beside them.

    Raises TableError: the data are no table, break a rule, or hold no such rows.
    Raises FormatError: the file cannot be read.

    Examples
    --------
    >>> data = {"pretrain_tokens": ["1M", "4M", "16M"], "BLEU": [21.5, 24.0, 25.2]}
    >>> len(table_of(data, where={"pretrain_tokens": ">=4M"}))
    2
    """
    renames, config = (None, mapping) if isinstance(mapping, str | Path) else (mapping, config)
    allowed = as_names(allow)
    if isinstance(data, str) and not data.strip():
        raise TableError("found an empty path; needed a file, a folder, or the results themselves")
    if _is_path(data):
        table = read(
            data, mapping=renames, allow=allowed, metrics=metrics, inputs=needs, config=config
        )
    else:
        if config is not None:
            kept, data = Config.of(config, ()), data if isinstance(data, Table) else as_frame(data)
            frame = data.frame if isinstance(data, Table) else data
            levels = map(str, (*frame.columns.names, *frame.index.names))
            there = {*names_in(dict(frame.items())), *levels}
            renames = kept.fitting({**kept.mapping, **(renames or {})}, there)
            allowed = (*allowed, *kept.allow)
        table = as_table(data, mapping=renames, allow=allowed, metrics=metrics, inputs=needs)
    sized = table.has("pretrain_tokens") or "no_pretrain_tokens" in allowed
    if "pretrain_tokens" in needs and not sized:
        raise MissingColumnError(_unsized(table, f"{data}: " if _is_path(data) else ""))
    table = _with_entropy(table, metrics)
    return table.where(**{str(name): wanted for name, wanted in (where or {}).items()})


def _unsized(table: Table, place: str) -> str:
    """Say that nothing tells how far the models were pretrained, and what would."""
    names = [name for name in table.columns.named if name not in ("metric", "value", "source")]
    grow = [n for n in names if n not in IDENTITY and _grows(table.unique(n))]
    near = next((name for name in names if "tok" in name.lower()), None)
    near = near or (grow[0] if len(grow) == 1 else "your column")
    steps = (
        "where steps are pretraining's, of 2e6 tokens, mapping={'step*2e6': 'pretrain_tokens'}; "
    )
    return (
        f"{place}the table has no column 'pretrain_tokens' (columns: {some(names)}). Needed: tokens seen in "
        f"pretraining, 0 for models that were not pretrained. Try mapping={{{near!r}: 'pretrain_tokens'}}; "
        f"{steps if 'step' in names else ''}for logs a path pattern such as '{{corpus}}-{{pretrain_tokens}}', or a "
        "manifest; inputs={'x': 'your column'} for a law of another column"
    )


def _grows(values: Sequence[object]) -> bool:
    """Return whether values may be sizes: counts, the largest of them four times the smallest or more."""
    counts = [parse_count(str(value)) for value in values]
    there = [count for count in counts if count]
    return None not in counts and len(there) > 1 and max(there) >= 4 * min(there)


def _with_entropy(table: Table, metrics: Sequence[str]) -> Table:
    """Return the table with the cross-entropy that was asked for, where perplexity alone was written down.

    Its logarithm is the same measurement.
    """
    if _ENTROPY in table.metrics or _ENTROPY not in map(canonical, metrics):
        return table
    if _PERPLEXITY in table.metrics:
        rows = table.where(metric=_PERPLEXITY).frame
        more = rows.assign(metric=_ENTROPY, value=np.log(rows["value"]))
        if "stderr" in more:
            more["stderr"] = rows["stderr"] / rows["value"]
        both = pd.concat([table.frame, more.drop(columns="unit", errors="ignore")])
        made = as_table(both, metrics=(*table.metrics, _ENTROPY), allow=tuple(ALLOWABLE))
        return replace(made, notes=(*table.notes, f"{_ENTROPY} is the logarithm of {_PERPLEXITY}"))
    return table


def loss_beside(table: Table, qualities: Collection[str], loss: str) -> tuple[Table, str]:
    """Return the table with the loss on the qualities' evaluation sets, where it stands on one of its own alone.

    ``val_loss`` beside ``test_bleu`` is the loss of the same runs; kept apart, nothing would say that it misleads.
    Where any quality was measured on a set of the loss, sets stay as they are. The loss is returned too: where nobody
    named one and there is no cross-entropy, it is the only loss of the table.
    """
    names = {table.spelled(name) for name in qualities} & set(table.metrics)
    table, loss = _told_loss(table, names, loss)
    metric, sets = table.column("metric"), table.labels(["eval_set"])
    wanted = set(sets[np.isin(metric, sorted(names - {loss}))])
    own = set(sets[metric == loss])
    if len(own) != 1 or not wanted or own & wanted:
        return table, loss
    frame = table.frame
    called = [frame["eval_set"].iloc[int(np.argmax(sets == code))] for code in sorted(wanted)]
    of_loss = metric == loss
    copies = [frame[of_loss].assign(eval_set=name) for name in called]
    both = pd.concat([frame[~of_loss], *copies], ignore_index=True)
    made = as_table(both, metrics=table.metrics, allow=tuple(ALLOWABLE))
    note = f"{loss} was measured on a set of its own and stands beside {', '.join(sorted(names - {loss}))}"
    return replace(made, notes=(*table.notes, note)), loss


def _told_loss(table: Table, names: Collection[str], loss: str) -> tuple[Table, str]:
    """Return the loss as the table spells it, or its only loss where nobody named one; the table says so."""
    spelled = table.spelled(loss)
    if not isinstance(loss, Unasked) or spelled in table.metrics:
        return table, spelled
    known = [metric_of(name) for name in table.metrics if name not in names]
    there = [m.name for m in known if _tells_loss(m)]
    if not there:
        return table, spelled
    if there[1:]:
        note = f"no {loss} in the table but {some(there)}: loss={there[0]!r} says which should tell quality"
        return replace(table, notes=(*table.notes, note)), spelled
    note = f"no {loss} in the table: its {there[0]} is taken for the loss that should tell quality"
    return replace(table, notes=(*table.notes, note)), there[0]


def metric_meant(table: Table, metric: str) -> tuple[str, tuple[str, ...]]:
    """Return the metric asked for; the only one of its kind, or else the only one, where nobody named it; and notes."""
    if isinstance(metric, Unasked) and metric not in table.metrics:
        known = map(metric_of, table.metrics)
        alike = [
            m.name
            for m in known
            if m.direction and _tells_loss(m) is _tells_loss(metric_of(metric))
        ]
        one = alike or table.metrics
        if len(one) == 1:
            told = f"no metric was named, and {one[0]} is taken: the table has no {metric}"
            return one[0], (told,)
    return table.metric(metric), ()


def _tells_loss(metric: Metric) -> bool:
    return metric.is_loss or metric.is_perplexity


def observations(
    data: Any,
    metric: str,
    inputs: Mapping[str, str],
    *,
    where: Mapping[str, Any] | None = None,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
) -> Observations:
    """Cut the vectors of one metric out of results.

    Parameters
    ----------
    data : path, DataFrame, Table or mapping of columns
        Where the values come from.
    metric : which values.
    inputs : law input name -> numeric column.
    where, mapping, allow : as in :func:`table_of`.

    Raises TableError: where nothing is left, or an input column holds text.

    Examples
    --------
    >>> data = {"pretrain_tokens": ["1M", "4M"], "BLEU": [21.5, 24.0]}
    >>> observations(data, "bleu", {"D": "pretrain_tokens"}).values
    array([21.5, 24. ])
    """
    needs = inputs.values()
    table = table_of(data, mapping=mapping, where=where, allow=allow, metrics=[metric], needs=needs)
    name, told = metric_meant(table, metric)
    rows = cut(table.where(metric=name), name, inputs)
    return replace(rows, notes=(*told, *rows.notes))


def _is_path(data: Any) -> bool:
    if isinstance(data, list | tuple):
        return bool(data) and all(isinstance(one, str | Path) for one in data)
    return isinstance(data, str | Path)
