"""Just enough of the protocol buffers wire format to read scalars out of event files."""

from __future__ import annotations

import struct
from collections.abc import Iterator

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
        size, at = _size(data, at, kind)
        if at + size > len(data):
            raise WireError("a field runs past the end of its message")
        yield number, data[at : at + size]
        at += size


def _size(data: bytes, at: int, kind: int) -> tuple[int, int]:
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
