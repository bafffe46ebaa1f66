"""The safetensors format, read with numpy alone and mapped into memory: nothing can be executed.

A file is eight bytes (header length, little endian), a JSON header (name -> dtype, shape, byte
offsets) and the raw tensors. Source: https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import LandscapeError

from .entries import Entries, checked_shape

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
HEADER_LIMIT = 100_000_000


def open_safetensors(path: Path) -> Entries:
    """Read the header of a safetensors file; tensors are mapped when they are asked for.

    Raises
    ------
    LandscapeError
        Where the file is cut short, or its header is not one of safetensors.
    """
    header, start = _header(path)
    room = path.stat().st_size - start
    for name, entry in header.items():
        _check_entry(path, name, entry, room)

    def read(name: str) -> NDArray[Any]:
        entry = header[name]
        return _tensor(path, entry, start + entry["data_offsets"][0])

    shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
    kinds = {name: entry["dtype"].lower() for name, entry in header.items()}
    return Entries(shapes, kinds, read)


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """Return the tensors' entries and the byte at which the data begin."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, HEADER_LIMIT):
            raise LandscapeError(
                f"{path.name}: not a safetensors file, or cut short: its header claims {length} "
                f"bytes, the file has {size}; was it written completely?"
            )
        text = file.read(length)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LandscapeError(f"{path.name}: no safetensors header ({error})") from error
    if not isinstance(header, dict):
        raise LandscapeError(f"{path.name}: its safetensors header is no table of tensors")
    return {name: entry for name, entry in header.items() if name != "__metadata__"}, 8 + length


def _check_entry(path: Path, name: str, entry: Any, room: int) -> None:
    """Refuse an entry whose dtype is unknown or whose bytes are not in the file."""
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
        raise LandscapeError(f"{path.name}: tensor {name!r} lacks dtype, shape or data_offsets")
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in DTYPES:
        raise LandscapeError(
            f"{path.name}: tensor {name!r} has dtype {entry['dtype']}; readable are "
            f"{', '.join(DTYPES)}; convert it to float16 or float32 first"
        )
    shape = checked_shape(path.name, name, entry["shape"])
    begin, end = checked_offsets(path, name, entry["data_offsets"])
    needed = math.prod(shape) * np.dtype(DTYPES[entry["dtype"]]).itemsize
    if begin < 0 or end > room or end - begin != needed:
        raise LandscapeError(
            f"{path.name}: tensor {name!r} needs {needed} bytes at {begin}–{end}, the file holds "
            f"{room} bytes of tensors; it is cut short or damaged"
        )


def checked_offsets(path: Path, name: str, offsets: Any) -> tuple[int, int]:
    """Return where a tensor's bytes begin and end."""
    if not (isinstance(offsets, list) and len(offsets) == 2 and {*map(type, offsets)} == {int}):
        raise LandscapeError(
            f"{path.name}: tensor {name!r} has data_offsets {str(offsets)[:60]}; needed two numbers"
        )
    return offsets[0], offsets[1]


def _tensor(path: Path, entry: dict[str, Any], offset: int) -> NDArray[Any]:
    """Map one tensor; bfloat16 is widened to float32, for numpy has no such type."""
    dtype, shape = DTYPES[entry["dtype"]], tuple(entry["shape"])
    if math.prod(shape) == 0:
        raw: NDArray[Any] = np.zeros(shape, dtype)
    else:
        raw = np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape or (1,))
        raw = raw.reshape(shape)
    if entry["dtype"] == "BF16":
        return (raw.astype(np.uint32) << 16).view(np.float32)
    return raw
