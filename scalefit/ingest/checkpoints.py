"""Which of a log's evaluations count: the last, the best, or all; one rule for all readers.

A run whose last evaluation is no number has diverged: that evaluation is missing, and the run is
named; an earlier one never takes its place.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal, get_args

from scalefit.errors import FormatError
from scalefit.rows import Row
from scalefit.table.metrics import metric

from .reader import Extract
from .source import number

Checkpoints = Literal["best", "last", "all"]
BEST = "@best"
"""Field of a row with the step that the training itself calls its best."""
FINAL = "@final"
"""Field of a row that was measured after training, whatever step it belongs to."""
_RUN = ("@run", "run", "system")
_SERIES = (*_RUN, "eval_set", "metric", "filter", "signature", "pretrain_tokens")
_CRITERIA = ("cross_entropy", "loss", "nll_loss", "perplexity")
_Key = tuple[object, ...]


def checked(checkpoints: str) -> str:
    """Return the rule's name, or raise which there are."""
    if checkpoints not in get_args(Checkpoints):
        raise FormatError(f"checkpoints={checkpoints!r}; needed one of {get_args(Checkpoints)}")
    return checkpoints


def choose(rows: list[Row], which: str, name: str, notes: Extract) -> list[Row]:
    """Return the evaluations that count of one source's rows; name the runs that diverged.

    Parameters
    ----------
    rows : all that a reader read; a missing value is a number that is not finite, or none.
    which : {"best", "last", "all"}; ``last`` takes each series' last evaluation, ``best`` all series at the step that
        the training calls its best, else where its loss is least (its score best, if it logs no loss).
    name : of the source, for notes.
    notes : Extract; where notes go.
    """
    for row in rows:
        value = number(row.get("value"))
        row["value"] = value if value is not None and math.isfinite(value) else None
    last = _last(rows)
    diverged = [row for row in last if row["value"] is None]
    if which == "all" and (gone := sum(row["value"] is None for row in rows)):
        notes.note(f"{name}: {gone} evaluations whose value is no number left out")
    for row in diverged:
        notes.note(
            f"{_who(row, name)}: its last {row.get('metric')}{_at(row)} is no number: {_GONE}"
        )
    if not any("step" in row and "metric" in row for row in rows) or which == "all":
        kept = rows
    else:
        kept = last if which == "last" else _best(rows, name, notes)
    return [row for row in kept if row["value"] is not None]


_GONE = "the run diverged, and the value is missing"


def _last(rows: Iterable[Row]) -> list[Row]:
    last: dict[_Key, Row] = {}
    for row in rows:
        key = tuple(row.get(part) for part in _SERIES)
        if key not in last or _order(row) >= _order(last[key]):
            last[key] = row
    return list(last.values())


def _order(row: Row) -> float:
    """Return where an evaluation stands in time: what has no step came after training."""
    step = number(row.get("step"))
    return math.inf if step is None or row.get(FINAL) else step


def _best(rows: list[Row], name: str, notes: Extract) -> list[Row]:
    runs = defaultdict[_Key, list[Row]](list)
    for row in rows:
        runs[tuple(row.get(part) for part in _RUN)].append(row)
    return [row for one in runs.values() for row in _best_of_run(one, name, notes)]


def _best_of_run(rows: list[Row], name: str, notes: Extract) -> list[Row]:
    step = next((row[BEST] for row in rows if row.get(BEST) is not None), None)
    if step is not None:
        notes.note(f"{_who(rows[0], name)}: the training's own best step, {step:g}, is taken")
    else:
        step = _best_step(rows, name, notes)
    there = [row for row in rows if number(row.get("step")) in (step, None)]
    return _last(there)


def _best_step(rows: list[Row], name: str, notes: Extract) -> float | None:
    """Return the step of the best value of the metric that decides."""
    stepped = [r for r in rows if number(r.get("step")) is not None and r["value"] is not None]
    told = dict.fromkeys(str(row["metric"]) for row in stepped)
    names = [m for m in (*_CRITERIA, *told) if m in told and (_sign(m) or m in _CRITERIA)]
    if not names:
        return max((float(row["step"]) for row in stepped), default=None)
    deciding = [row for row in stepped if row["metric"] == names[0]]
    sign = _sign(names[0]) or -1.0
    mine = [row for row in deciding if row.get("eval_set") == deciding[0].get("eval_set")]
    best = max(mine, key=lambda row: sign * float(row["value"]))
    notes.note(f"{_who(best, name)}: the best {names[0]}{_at(best)} decides which step is taken")
    return number(best["step"])


def _sign(name: str) -> float:
    known = metric(name)
    return float(known.rises) - float(known.falls)


def _who(row: Row, name: str) -> str:
    run = row.get("run") or row.get("system")
    return f"{name}, run {run}" if run else name


def _at(row: Row) -> str:
    place = f" on {row['eval_set']}" if row.get("eval_set") else ""
    step = number(row.get("step"))
    return place + (f" (step {step:g})" if step is not None else "")
