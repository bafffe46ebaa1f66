"""Weights & Biases CSV exports: a panel (runs are columns) and the runs table (runs are rows)."""

from __future__ import annotations

import re

from scalefit.table.names import metric_name, split

from .delimited import header, rows
from .jsons import number as plain_number
from .names import loss_note
from .reader import Extract, Reader, Row
from .source import Source

_BOUND = re.compile(r"__(MIN|MAX)$")
_STEPS = (
    "Step",
    "_step",
    "train/global_step",
    "global_step",
    "Relative Time (Process)",
    "Relative Time (Wall)",
)


_BOOKKEEPING = ("Notes", "User", "Tags", "Created", "Runtime", "Sweep", "Group", "Job Type", "ID")


def recognises_panel(source: Source) -> bool:
    """Whether the header is a step and columns named ``<run> - <key>``."""
    line = header(source.first_lines) or ""
    return line.lstrip('"').startswith(_STEPS) and " - " in line


def read_panel(source: Source) -> Extract:
    """Return one value a run and step; the smoothing bounds are left out."""
    found = Extract()
    for row in rows(source):
        place = row.pop("@place")
        step = next((row[name] for name in _STEPS if name in row), None)
        for column, cell in row.items():
            run, _, key = column.rpartition(" - ")
            value = plain_number(cell)
            if not run or not key or _BOUND.search(key) or value is None:
                continue
            named = source.names.split(key) or (None, metric_name(key))
            values = {"eval_set": named[0], "metric": named[1], "value": value, "source": place}
            found.rows.append({"run": run, "step": plain_number(step), **values})
    if not found.rows:
        raise source.nothing("a W&B panel without a value in a column '<run> - <key>'")
    found.note(f"{source.name}: the __MIN and __MAX columns of the panel left out")
    found.notes += loss_note({row["metric"] for row in found.rows})
    return found


def recognises_runs(source: Source) -> bool:
    """Whether the header has Name and State."""
    line = (header(source.first_lines) or "").replace('"', "")
    return {"Name", "State"} <= {cell.strip() for cell in re.split("[,\t]", line)}


def read_runs(source: Source) -> Extract:
    """Return the evaluations of every finished run; its other cells stay beside them."""
    found, unfinished = Extract(), list[str]()
    for row in rows(source):
        place = row.pop("@place")
        if "Name" not in row or "State" not in row:
            raise source.wrong(None, "has no columns Name and State; needed W&B's runs table")
        name, state = row.pop("Name"), str(row.pop("State")).lower()
        if state not in ("finished", ""):
            unfinished.append(f"{name} ({state})")
            continue
        values = source.names.evaluations(row)
        rest: Row = {k: v for k, v in row.items() if _is_configuration(k) and v != ""}
        for (place_set, metric), value in values.items():
            named = {"eval_set": place_set, "metric": metric, "value": value}
            found.rows.append({**rest, "run": name, **named, "source": place})
    found.note(
        f"{source.name}: W&B's own columns and logged numbers that are no evaluation left out"
    )
    if unfinished:
        found.note(f"{source.name}: runs that did not finish left out: {', '.join(unfinished[:5])}")
    if not found.rows:
        raise source.nothing("no finished run has an evaluation (a column such as eval/bleu)")
    found.notes += loss_note({row["metric"] for row in found.rows})
    return found


def _is_configuration(name: str) -> bool:
    """Return whether a column is the user's own: neither W&B's bookkeeping nor a logged number."""
    return name not in _BOOKKEEPING and "/" not in name and split(name) is None


PANEL = Reader("wandb-panel", "a W&B panel export", recognises_panel, read_panel)
RUNS = Reader("wandb-runs", "a W&B runs table", recognises_runs, read_runs)
