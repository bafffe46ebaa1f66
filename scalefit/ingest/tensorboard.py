"""TensorBoard event files, read directly: all points, scalars of TF1, TF2 and PyTorch writers.

Records are TFRecords (length, checksum, data, checksum); a scalar is a ``simple_value`` or a tensor of one number.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from .reader import Extract, Reader, evaluation
from .source import LIMITS, Source
from .source import number as as_number
from .text_tables import rows

_Value = int | bytes
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class WireError(ValueError):
    """The bytes are no protocol buffer."""


def fields(data: bytes) -> Iterator[tuple[int, _Value]]:
    """Yield (field number, value) pairs of a message; fixed-width values stay bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        size, at = _width(data, at, kind)
        if at + size > len(data):
            raise WireError("a field runs past the end of its message")
        yield number, data[at : at + size]
        at += size


def _width(data: bytes, at: int, kind: int) -> tuple[int, int]:
    if kind == BYTES:
        return _varint(data, at)
    if kind in (FIXED64, FIXED32):
        return (8 if kind == FIXED64 else 4), at
    raise WireError(f"wire type {kind} is not in use")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise WireError("a number is cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise WireError("a number is longer than ten bytes")


def signed(value: _Value) -> int:
    """Return a varint as the signed 64-bit integer it stands for."""
    if isinstance(value, bytes):
        raise WireError("found bytes where an integer was expected")
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value


def text(value: _Value) -> str:
    """Return a text field."""
    if isinstance(value, int):
        raise WireError("found an integer where a text was expected")
    return value.decode("utf-8", errors="replace")


def message(value: _Value) -> bytes:
    """Return an embedded message's bytes."""
    if isinstance(value, int):
        raise WireError("found an integer where a message was expected")
    return value


def floats(data: bytes, code: str) -> tuple[float, ...]:
    """Return packed little-endian numbers (``f`` or ``d``)."""
    width = struct.calcsize(f"<{code}")
    if len(data) % width:
        raise WireError("packed numbers of uneven length")
    return struct.unpack(f"<{len(data) // width}{code}", data)


_HEADER = struct.Struct("<QI")
_NAME = re.compile(r"(^|\.)tfevents\.")
_SPLITS = re.compile(r"(train|valid|test|eval|validation|val|dev)(_inner|\d+)?", re.I)
"""Folders that fairseq, Keras and the like write the sets' events into, each its own."""
_POLYNOMIAL = 0x82F63B78
Scalar = tuple[str, int, float]


def recognises_tensorboard(source: Source) -> bool:
    """Whether the name has ``tfevents``, or the first record says ``brain.Event``."""
    return source.is_file and bool(
        _NAME.search(source.basename) or b"brain.Event:" in source.head[:64]
    )


def read_tensorboard(source: Source) -> Extract:
    """Return every evaluation scalar; what is no evaluation is counted in the notes."""
    extract, others, above = Extract(), set[str](), _above(source)
    for tag, step, value in scalars(source, extract):
        named = source.names.split(tag) if tag in source.names.mapping else None
        named = named or source.names.split(above + tag)
        if named is None:
            others |= {tag} if len(others) < LIMITS.columns else set()
            continue
        place = {"step": step, "source": source.name}
        extract.rows.append({**evaluation(named, value), **place})
    if others:
        shown = ", ".join(sorted(tag[: LIMITS.name] for tag in others)[:5])
        extract.note(f"{source.name}: {len(others)} tags that are no evaluation left out ({shown})")
    extract.note_losses()
    return extract


def _above(source: Source) -> str:
    """Return the folders that say which set is measured: ``valid/``, ``inference_eval/task/``."""
    if source.held is not None:
        return ""
    parent, grand = source.path.parent.name, source.path.parent.parent.name
    if grand.lower() in ("inference_eval", "training_eval"):
        return f"{'train' if grand.lower().startswith('train') else 'eval'}/{parent}/"
    return f"{parent}/" if _SPLITS.fullmatch(parent) else ""


def scalars(source: Source, extract: Extract) -> Iterator[Scalar]:
    """Yield (tag, step, value) of every scalar in the file; note where it is cut short."""
    for index, data in enumerate(records(source, extract)):
        try:
            yield from _event(data)
        except WireError as error:
            raise source.wrong(None, f"record {index} is no TensorBoard event: {error}") from error


def records(source: Source, extract: Extract) -> Iterator[bytes]:
    """Yield the records of a TFRecord file."""
    seen = total = 0
    with source.open() as stream:
        while header := stream.read(12):
            size = _size(source, header, seen)
            if size is None or len(body := stream.read(size + 4)) < size + 4:
                extract.note(
                    f"{source.name}: its last record is cut short; {seen} whole ones are read"
                )
                return
            if len(body) < 4096 and _masked(body[:-4]) != struct.unpack("<I", body[-4:])[0]:
                raise source.wrong(None, f"record {seen} is damaged (its checksum is wrong)")
            seen, total = seen + 1, total + size
            if total > LIMITS.stream:
                raise source.wrong(None, f"more than {LIMITS.stream} bytes of records")
            yield body[:-4]
    if not seen:
        raise source.wrong(None, "is empty; needed TensorBoard events")


def _size(source: Source, header: bytes, seen: int) -> int | None:
    if len(header) < 12:
        return None
    size, check = _HEADER.unpack(header)
    if _masked(header[:8]) != check:
        raise source.wrong(None, f"record {seen} is no TFRecord (its length's checksum is wrong)")
    if size > LIMITS.whole:
        raise source.wrong(None, f"record {seen} claims {size} bytes; more than is ever read")
    return int(size)


def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return table


_CRC = _table()


def _masked(data: bytes) -> int:
    """Return TFRecord's masked CRC-32C."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _event(data: bytes) -> Iterator[Scalar]:
    step, summaries = 0, []
    for number, value in fields(data):
        if number == 2:
            step = signed(value)
        elif number == 5:
            summaries.append(message(value))
    for summary in summaries:
        for number, value in fields(summary):
            if number == 1:
                yield from ((tag, step, v) for tag, v in _value(message(value)))


def _value(data: bytes) -> Iterator[tuple[str, float]]:
    tag, scalar = "", None
    for number, value in fields(data):
        if number == 1:
            tag = text(value)
        elif number == 2 and isinstance(value, bytes) and len(value) == 4:
            scalar = floats(value, "f")[0]
        elif number == 8:
            scalar = _tensor(message(value))
    if scalar is not None:
        yield tag, scalar


def _tensor(data: bytes) -> float | None:
    """Return a tensor's number where it is one float or double."""
    kind, numbers = 0, list[float]()
    for number, value in fields(data):
        if number == 1:
            kind = signed(value)
        elif number == 2 and any(n == 2 for n, _ in fields(message(value))):
            return None
        elif number in (4, 5, 6) and isinstance(value, bytes) and len(value) in (4, 8):
            numbers += floats(value, "d" if kind == 2 else "f")
    return numbers[0] if kind in (1, 2) and len(numbers) == 1 else None


TENSORBOARD = Reader(
    "tensorboard", "a TensorBoard event file", recognises_tensorboard, read_tensorboard
)


_EXPORT = re.compile(r"run-(.+?)-tag-(.+)\.csv", re.I)


def recognises_export(source: Source) -> bool:
    """Whether the dashboard's download button wrote it: what it is of stands in its name."""
    named = _EXPORT.fullmatch(source.path.name.removesuffix(".gz"))
    return bool(named) and source.head.startswith(b"Wall time,Step,Value")


def read_export(source: Source) -> Extract:
    """Return one value a step."""
    told, extract = _EXPORT.fullmatch(source.path.name.removesuffix(".gz")), Extract()
    named = source.names.split(told[2]) if told else None
    if told is None or named is None:
        raise source.nothing(
            "needed a name such as run-fr-1B-tag-eval_bleu.csv, which says what is measured"
        )
    for row in rows(source):
        own = {"run": told[1], "step": as_number(row.get("Step")), "source": row["@place"]}
        extract.rows.append({**evaluation(named, as_number(row.get("Value"))), **own})
    extract.note_losses()
    return extract


EXPORT = Reader("tensorboard-csv", "a TensorBoard download", recognises_export, read_export)
