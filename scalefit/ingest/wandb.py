"""Weights & Biases: offline runs, summaries and exports; logs of steps as CSV, Lightning's ``metrics.csv`` too."""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from scalefit.rows import Row
from scalefit.table.names import KNOWN, SEED_WORDS, Named, meaning, metric_name, split

from .reader import Extract, Reader, evaluation, load_object
from .source import Names, Source, number
from .tensorboard import WireError, fields, message, signed, text
from .text_tables import cells_of_line, delimiter, header, rows

_BLOCK, _HEAD = 32768, 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_MAGIC = b":W&B\xe1\xbe"
_HISTORY, _SUMMARY, _CONFIG, _RUN = 2, 3, 5, 17


def recognises_offline(source: Source) -> bool:
    """Whether the file begins with W&B's magic bytes."""
    return source.head.startswith(_MAGIC)


def read_offline(source: Source) -> Extract:
    """Return the evaluations of the run's history, and of its summary where they are not there."""
    extract, run = Extract(), _Run(source.names)
    for index, record in enumerate(_records(source, extract)):
        try:
            run.add(record)
        except WireError as error:
            raise source.wrong(None, f"record {index} is no W&B record: {error}") from error
    common = {**run.config, "run": run.name, "source": source.name}
    for step, entry in run.history:
        extract.rows += _rows(entry, {**common, "step": step})
    logged = {(r["eval_set"], r["metric"]) for r in extract.rows}
    extract.rows += _rows({k: v for k, v in run.summary.items() if k not in logged}, common)
    extract.note_losses()
    return extract


def _rows(entry: dict[Named, float], common: Row) -> list[Row]:
    return [{**evaluation(named, value), **common} for named, value in entry.items()]


class _Run:
    """What is gathered of one run."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.name: str | None = None
        self.history: list[tuple[int | None, dict[Named, float]]] = []
        self.summary: dict[Named, float] = {}
        self.config: Row = {}

    def add(self, record: bytes) -> None:
        for field, value in fields(record):
            if field == _HISTORY:
                self._add_history(message(value))
            elif field == _SUMMARY:
                self.summary.update(self.names.evaluations(_items(message(value))))
            elif field == _CONFIG:
                self._configure(message(value))
            elif field == _RUN:
                self._add_run(message(value))

    def _add_history(self, data: bytes) -> None:
        entry, step = _items(data), None
        for field, value in fields(data):
            if field == 2:
                step = next((signed(v) for n, v in fields(message(value)) if n == 1), 0)
        logged = entry.get("_step", step)
        self.history.append(
            (logged if isinstance(logged, int) else step, self.names.evaluations(entry))
        )

    def _add_run(self, data: bytes) -> None:
        for field, value in fields(data):
            if field == 4:
                self._configure(message(value))
            elif field == 8 or (field == 1 and self.name is None):
                self.name = text(value)

    def _configure(self, data: bytes) -> None:
        """Keep the entries that are columns of the table."""
        told = {k: v for k, v in _items(data).items() if k in KNOWN}
        self.config |= {k: v for k, v in told.items() if isinstance(v, str | int | float)}


def _items(data: bytes) -> Row:
    """Return key -> value of the items (field 1: key, 2: nested key, 16: JSON)."""
    items: Row = {}
    for field, value in fields(data):
        if field != 1 or isinstance(value, int):
            continue
        key, nested, held = "", list[str](), "null"
        for inner, part in fields(value):
            if inner == 1:
                key = text(part)
            elif inner == 2:
                nested.append(text(part))
            elif inner == 16:
                held = text(part)
        items["/".join([key, *nested] if key else nested)] = _plain(held)
    return items


def _plain(held: str) -> Any:
    try:
        value = json.loads(held)
    except (ValueError, RecursionError):
        return None
    return value["value"] if isinstance(value, dict) and set(value) >= {"value"} else value


def _records(source: Source, extract: Extract) -> Iterator[bytes]:
    """Yield whole records; a half-written end is noted."""
    parts: list[bytes] = []
    for kind, data in _chunks(source, extract):
        if kind == _FULL:
            yield data
        elif kind == _FIRST:
            parts = [data]
        else:
            parts.append(data)
            if kind == _LAST:
                yield b"".join(parts)
                parts = []


def _chunks(source: Source, extract: Extract) -> Iterator[tuple[int, bytes]]:
    data = source.data()
    at = _HEAD
    while at + _HEAD <= len(data):
        left = _BLOCK - at % _BLOCK
        if left < _HEAD:
            at += left
            continue
        check, size, kind = struct.unpack("<IHB", data[at : at + _HEAD])
        if kind == 0 and size == 0:
            at += left
            continue
        body = data[at + _HEAD : at + _HEAD + size]
        if len(body) < size:
            break
        if not _FULL <= kind <= _LAST or zlib.crc32(bytes([kind]) + body) != check:
            raise source.wrong(None, f"the chunk at byte {at} is damaged (its checksum is wrong)")
        yield kind, body
        at += _HEAD + size
    else:
        return
    extract.note(f"{source.name}: its last record is cut short; what is whole is read")


OFFLINE = Reader("wandb-offline", "a W&B offline run", recognises_offline, read_offline)


def recognises_summary(source: Source) -> bool:
    """Whether it is named so."""
    return source.basename == "wandb-summary.json" and source.is_file


def read_summary(source: Source) -> Extract:
    """Return the run's evaluations, as they were at its last step."""
    document = load_object(source, "W&B's summary")
    extract, step = Extract(), number(document.get("_step"))
    common: Row = {"step": step, "source": source.name}
    extract.rows += _rows(source.names.evaluations(document), common)
    extract.note_losses()
    return extract


SUMMARY = Reader("wandb-summary", "a W&B summary", recognises_summary, read_summary)


_BOUND = re.compile(r"__(MIN|MAX)$")
_BOOKKEEPING = ("Notes", "User", "Tags", "Created", "Runtime", "Sweep", "Group", "Job Type", "ID")


def recognises_panel(source: Source) -> bool:
    """Whether the header is an axis and columns named ``<run> - <key>``."""
    line = header(source.first_lines) or ""
    axis, *columns = cells_of_line(line, delimiter(source, line)) or [""]
    stepped = axis.rpartition("/")[2].lower() in _AXES or axis.startswith("Relative Time")
    named = [column for column in columns if " - " in column]
    return bool(named) and (stepped or any(map(_BOUND.search, columns)))


_AXES = ("step", "_step", "global_step", "epoch")


def read_panel(source: Source) -> Extract:
    """Return one value a run and step; the smoothing bounds are left out."""
    extract, groups = Extract(), set[str]()
    for row in rows(source):
        place = row.pop("@place")
        axis = next(iter(row))
        sized = meaning(axis.rpartition("/")[2]) == "pretrain_tokens"
        at = "pretrain_tokens" if sized else "step"
        for column, cell in row.items():
            run, _, key = column.rpartition(" - ")
            value = number(cell)
            if not run or key in ("", "_step") or _BOUND.search(key) or value is None:
                continue
            named = source.names.split(key) or (None, metric_name(key))
            step = number(row.get(f"{run} - _step"))
            own = {**_of_group(run), "step": step, "source": place, at: number(row[axis])}
            extract.rows.append({**evaluation(named, value), **own})
            groups |= {run} - {own["run"]}
    extract.note(f"{source.name}: the __MIN and __MAX columns of the panel left out")
    if groups:
        extract.note(f"{source.name}: values of groups are means, of how many runs no panel tells")
    extract.note_losses()
    return extract


def _of_group(run: str) -> Row:
    """Return whose a panel's column is: a run's, or that of the runs with one value: ``Group: a``, ``corpus: fr``."""
    name, _, value = run.partition(": ")
    if not value or " " in name:
        return {"run": run}
    own = name.rpartition(".")[2]
    return {"run": value} if name == "Group" else {meaning(own) or own: value, "run": value}


def recognises_runs(source: Source) -> bool:
    """Whether the header has Name and State."""
    line = (header(source.first_lines) or "").replace('"', "")
    return {"Name", "State"} <= {cell.strip() for cell in re.split("[,\t]", line)}


def read_runs(source: Source) -> Extract:
    """Return the evaluations of every finished run; its other cells stay beside them."""
    extract, unfinished = Extract(), list[str]()
    for row in rows(source):
        place = row.pop("@place")
        if "Name" not in row or "State" not in row:
            raise source.wrong(None, "has no columns Name and State; needed W&B's runs table")
        name, state = row.pop("Name"), str(row.pop("State")).lower()
        if state not in ("finished", ""):
            unfinished.append(f"{name} ({state})")
            continue
        rest: Row = {k: v for k, v in row.items() if _is_configuration(k) and v != ""}
        common = {**rest, "run": name, "source": place}
        extract.rows += _rows(source.names.evaluations(row), common)
    extract.note(
        f"{source.name}: W&B's own columns and logged numbers that are no evaluation left out"
    )
    if unfinished:
        extract.note(
            f"{source.name}: runs that did not finish left out: {', '.join(unfinished[:5])}"
        )
    extract.note_losses()
    return extract


def _is_configuration(name: str) -> bool:
    """Return whether a column is the user's own: neither W&B's bookkeeping nor a logged number."""
    return name not in _BOOKKEEPING and "/" not in name and split(name) is None


PANEL = Reader("wandb-panel", "a W&B panel export", recognises_panel, read_panel)
RUNS = Reader("wandb-runs", "a W&B runs table", recognises_runs, read_runs)


_STEPS = ("step", "_step", "global_step", "trainer/global_step", "epoch")
_CLOCKS = ("epoch", "_runtime", "_timestamp", "train/epoch", "trainer/global_step")


def recognises_history(source: Source) -> bool:
    """Whether the header has a step, a clock, and an evaluation such as ``val_loss``, and names no runs or sizes."""
    line = header(source.first_lines)
    if line is None or b"\0" in source.head or not any(mark in line for mark in ",\t;"):
        return False
    names = [n.strip() for n in cells_of_line(line, delimiter(source, line))]
    known = [one for n in names if (one := source.names.split(n)) is not None]
    clocks = set(_STEPS) & set(names) and set(_CLOCKS) & set(names)
    return bool(clocks) and not any(map(_tells_run, names)) and bool(known)


def _tells_run(name: str) -> bool:
    """Return whether a column says which run, or which size, its row is of: a log is of one run."""
    return name.lower() in SEED_WORDS or meaning(name) not in (
        None,
        "learning_rate",
        "step",
        "unit",
    )


def read_history(source: Source) -> Extract:
    """Return one value an evaluation and step; empty cells were not logged."""
    extract = Extract()
    for row in rows(source):
        place = row.pop("@place")
        step = next((known for n in _STEPS if (known := number(row.get(n))) is not None), None)
        extract.rows += _rows(source.names.evaluations(row), {"step": step, "source": place})
    extract.note_losses()
    return extract


HISTORY = Reader("history-csv", "a log of steps (Lightning, W&B)", recognises_history, read_history)
