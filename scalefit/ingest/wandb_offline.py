"""Weights & Biases offline runs: ``run-<id>.wandb``, LevelDB framing around protocol buffers.

Current releases of wandb ship no reader for it, so the framing and the few fields that matter
(history, summary, configuration, name) are read here.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from scalefit.table.columns import KNOWN
from scalefit.table.names import Named

from .names import Names, loss_note
from .protobuf import WireError, fields, message, signed, text
from .reader import Extract, Reader, Row
from .source import Source

_BLOCK, _HEAD = 32768, 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_MAGIC = b":W&B\xe1\xbe"
_HISTORY, _SUMMARY, _CONFIG, _RUN = 2, 3, 5, 17


def recognises(source: Source) -> bool:
    """Whether the file begins with W&B's magic bytes."""
    return source.head.startswith(_MAGIC)


def read(source: Source) -> Extract:
    """Return the evaluations of the run's history, and of its summary where they are not there."""
    found, run = Extract(), _Run(source.names)
    for index, record in enumerate(_records(source, found)):
        try:
            run.add(record)
        except WireError as error:
            raise source.wrong(None, f"record {index} is no W&B record: {error}") from error
    common = {**run.config, "run": run.name, "source": source.name}
    for step, entry in run.history:
        found.rows += _rows(entry, {**common, "step": step})
    logged = {(r["eval_set"], r["metric"]) for r in found.rows}
    found.rows += _rows({k: v for k, v in run.summary.items() if k not in logged}, common)
    if not found.rows:
        raise source.nothing("holds no evaluation (a key such as eval/bleu or val_loss)")
    found.notes += loss_note({row["metric"] for row in found.rows})
    return found


def _rows(entry: dict[Named, float], common: Row) -> list[Row]:
    return [{"eval_set": s, "metric": m, "value": v, **common} for (s, m), v in entry.items()]


class _Run:
    """What is gathered of one run."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.name: str | None = None
        self.history: list[tuple[int | None, dict[Named, float]]] = []
        self.summary: dict[Named, float] = {}
        self.config: Row = {}

    def add(self, record: bytes) -> None:
        for number, value in fields(record):
            if number == _HISTORY:
                self._add_history(message(value))
            elif number == _SUMMARY:
                self.summary.update(self.names.evaluations(_items(message(value))))
            elif number == _CONFIG:
                self._configure(message(value))
            elif number == _RUN:
                self._add_run(message(value))

    def _add_history(self, data: bytes) -> None:
        entry, step = _items(data), None
        for number, value in fields(data):
            if number == 2:
                step = next((signed(v) for n, v in fields(message(value)) if n == 1), 0)
        logged = entry.get("_step", step)
        self.history.append(
            (logged if isinstance(logged, int) else step, self.names.evaluations(entry))
        )

    def _add_run(self, data: bytes) -> None:
        for number, value in fields(data):
            if number == 4:
                self._configure(message(value))
            elif number == 8 or (number == 1 and self.name is None):
                self.name = text(value)

    def _configure(self, data: bytes) -> None:
        """Keep the entries that are columns of the table."""
        told = {k: v for k, v in _items(data).items() if k in KNOWN}
        self.config |= {k: v for k, v in told.items() if isinstance(v, str | int | float)}


def _items(data: bytes) -> Row:
    """Return key -> value of the items (field 1: key, 2: nested key, 16: JSON)."""
    found: Row = {}
    for number, value in fields(data):
        if number != 1 or isinstance(value, int):
            continue
        key, nested, held = "", list[str](), "null"
        for inner, part in fields(value):
            if inner == 1:
                key = text(part)
            elif inner == 2:
                nested.append(text(part))
            elif inner == 16:
                held = text(part)
        found["/".join([key, *nested] if key else nested)] = _plain(held)
    return found


def _plain(held: str) -> Any:
    try:
        value = json.loads(held)
    except (ValueError, RecursionError):
        return None
    return value["value"] if isinstance(value, dict) and set(value) >= {"value"} else value


def _records(source: Source, found: Extract) -> Iterator[bytes]:
    """Yield whole records; a half-written end is noted."""
    parts: list[bytes] = []
    for kind, data in _chunks(source, found):
        if kind == _FULL:
            yield data
        elif kind == _FIRST:
            parts = [data]
        else:
            parts.append(data)
            if kind == _LAST:
                yield b"".join(parts)
                parts = []


def _chunks(source: Source, found: Extract) -> Iterator[tuple[int, bytes]]:
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
    found.note(f"{source.name}: its last record is cut short; what is whole is read")


READER = Reader("wandb-offline", "a W&B offline run", recognises, read)
