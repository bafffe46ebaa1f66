"""Logged numbers as CSV, a line a step: Lightning's ``metrics.csv``, a W&B run's history."""

from __future__ import annotations

from .delimited import cells_of, delimiter, header, rows
from .jsons import number
from .names import loss_note
from .reader import Extract, Reader
from .source import Source

STEPS = ("step", "_step", "global_step", "trainer/global_step")
_CLOCKS = ("epoch", "_runtime", "_timestamp", "train/epoch", "trainer/global_step")


def recognises(source: Source) -> bool:
    """Whether the header has a step, a clock, and an evaluation such as ``val_loss``."""
    line = header(source.first_lines)
    if line is None or b"\0" in source.head or not any(mark in line for mark in ",\t;"):
        return False
    names = [n.strip() for n in cells_of(line, delimiter(source, line))]
    known = [one for n in names if (one := source.names.split(n)) is not None]
    clocks = set(STEPS) & set(names) and set(_CLOCKS) & set(names)
    return bool(clocks) and "pretrain_tokens" not in names and bool(known)


def read(source: Source) -> Extract:
    """Return one value an evaluation and step; empty cells were not logged."""
    found = Extract()
    for row in rows(source):
        place = row.pop("@place")
        step = next((known for n in STEPS if (known := number(row.get(n))) is not None), None)
        for (eval_set, metric), value in source.names.evaluations(row).items():
            own = {"eval_set": eval_set, "metric": metric, "value": value}
            found.rows.append({**own, "step": step, "source": place})
    if not found.rows:
        raise source.nothing("holds no evaluation (a column such as val_loss or eval/bleu)")
    found.notes += loss_note({row["metric"] for row in found.rows})
    return found


READER = Reader("history-csv", "a log of steps (Lightning, W&B)", recognises, read)
