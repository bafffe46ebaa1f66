"""Weight files in: safetensors, numpy and torch, none of which may run code while it is read."""

from __future__ import annotations

import json
import math
import pickle
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from scalefit.errors import LandscapeError, MissingDependencyError
from scalefit.files import LFS_POINTER

# The safetensors format, read with numpy alone and mapped into memory: nothing can be executed.
#
# A file is eight bytes (header length, little endian), a JSON header (name -> dtype, shape, byte
# offsets) and the raw tensors. Source: https://github.com/huggingface/safetensors#format.


_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
HEADER_LIMIT = 100_000_000


def open_safetensors(path: Path) -> Entries:
    """Read the header of a safetensors file; tensors are mapped when they are asked for.

    Raises LandscapeError: where the file is cut short, or its header is not one of safetensors.
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
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in _DTYPES:
        raise LandscapeError(
            f"{path.name}: tensor {name!r} has dtype {entry['dtype']}; readable are "
            f"{', '.join(_DTYPES)}; convert it to float16 or float32 first"
        )
    shape = checked_shape(path.name, name, entry["shape"])
    begin, end = checked_offsets(path, name, entry["data_offsets"])
    needed = math.prod(shape) * np.dtype(_DTYPES[entry["dtype"]]).itemsize
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
    dtype, shape = _DTYPES[entry["dtype"]], tuple(entry["shape"])
    if math.prod(shape) == 0:
        raw: NDArray[Any] = np.zeros(shape, dtype)
    else:
        raw = np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape or (1,))
        raw = raw.reshape(shape)
    if entry["dtype"] == "BF16":
        return (raw.astype(np.uint32) << 16).view(np.float32)
    return raw


IN_FOLDER = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "adapter_model.safetensors",
)
SAFE_TORCH = (2, 6)
_LARGE, _PACKED = 100 << 20, 200
"""From how many bytes on, and by which factor, weights do not shrink when they are packed."""
NESTED = ("state_dict", "model_state_dict", "model")


def open_weights(path: Path) -> Entries:
    """Open a weights file, an index of shards, or a folder in the Hugging Face layout."""
    if path.is_dir():
        path = _in_folder(path)
    if not path.exists():
        raise LandscapeError(f"{path}: no such file; needed a .safetensors, .npz or torch file")
    if path.name.endswith(".index.json"):
        return _shards(path)
    opener = READERS.get(path.suffix.lower())
    if opener is None:
        raise LandscapeError(
            f"{path.name}: weights are read from {', '.join(READERS)} or a folder that holds one; "
            "other pickles are not opened, since they could run code: save as safetensors"
        )
    with path.open("rb") as file:
        if file.read(len(LFS_POINTER)) == LFS_POINTER:
            raise LandscapeError(
                f"{path.name}: is a Git-LFS pointer, not the weights themselves. Try: git lfs pull"
            )
    return opener(path)


def _in_folder(folder: Path) -> Path:
    for name in IN_FOLDER:
        if (folder / name).exists():
            return folder / name
    raise LandscapeError(f"{folder}: holds none of {', '.join(IN_FOLDER)}; name the file itself")


def _shards(index: Path) -> Entries:
    try:
        values = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise LandscapeError(
            f"{index.name}: no index of shards ({_reason(error)}); needed an object 'weight_map' of "
            "tensor -> file"
        ) from error
    odd = [v for v in values if not isinstance(v, str) or Path(v).suffix.lower() not in READERS]
    outside = [v for v in values if isinstance(v, str) and Path(v).name != v]
    if outside:
        raise LandscapeError(f"{index.name}: names a shard outside its folder: {outside[0]!r}")
    if odd:
        raise LandscapeError(f"{index.name}: names a shard that is no weights file: {odd[0]!r}")
    with _readable(index, "an index of shards"):
        return merged([open_weights(index.parent / name) for name in sorted(values)])


def open_npz(path: Path) -> Entries:
    """Open an ``.npz`` archive; each array is read when asked for, object arrays never."""
    with _readable(path, "a readable .npz file"):
        shapes, kinds = _npz_headers(path)

    def read(name: str) -> NDArray[Any]:
        with _readable(path, "a readable .npz file"), np.load(path, allow_pickle=False) as archive:
            array: NDArray[Any] = archive[name]
        return array

    return Entries(shapes, kinds, read)


@contextmanager
def _readable(path: Path, needed: str) -> Iterator[None]:
    """Turn whatever a library raises over a damaged file into our error, with the file's name."""
    try:
        yield
    except LandscapeError:
        raise
    except Exception as error:
        raise LandscapeError(f"{path.name}: not {needed} ({_reason(error)})") from error


def _reason(error: BaseException) -> str:
    """Return an error's first line, or its kind where it says nothing."""
    return next(iter(str(error).splitlines()), "")[:200] or type(error).__name__


def _npz_headers(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    shapes, kinds = {}, {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            with archive.open(member) as file:
                old = npy.read_magic(file) == (1, 0)
                header = npy.read_array_header_1_0 if old else npy.read_array_header_2_0
                shape, _, dtype = header(file)
                shapes[name] = checked_shape(path.name, name, shape)
                _check_size(path, name, math.prod(shape) * dtype.itemsize, member)
            if dtype.hasobject:
                raise LandscapeError(
                    f"{path.name}: {name!r} holds Python objects, which only a pickle can restore; "
                    "it could run code and is not opened; store plain arrays"
                )
            kinds[name] = str(dtype)
    return shapes, kinds


def _check_size(path: Path, name: str, needed: int, member: zipfile.ZipInfo) -> None:
    """Refuse an array that claims more bytes than its part of the archive can hold."""
    held, packed = member.file_size, member.compress_size
    if needed > held or (held > _LARGE and held > _PACKED * max(packed, 1)):
        raise LandscapeError(
            f"{path.name}: tensor {name!r} needs {needed} bytes, but its part of the archive has "
            f"{held}, packed into {packed}; it is damaged, or made to fill the memory"
        )


def open_torch(path: Path) -> Entries:
    """Open a torch file as weights only: tensors and plain containers, nothing that can run."""
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError(
            f"{path.name}: torch files need torch: pip install 'transfer-scalefit[landscape]'"
        ) from error
    _check_version(path, str(torch.__version__))
    try:
        loaded = _torch_load(torch, path)
    except pickle.UnpicklingError as error:
        raise LandscapeError(
            f"{path.name}: refused: it holds more than weights, and opening it could run code; "
            "save the state dict alone (torch.save(model.state_dict(), ...)) or as safetensors"
        ) from error
    except Exception as error:
        raise LandscapeError(
            f"{path.name}: not a readable torch file ({_reason(error)})"
        ) from error
    tensors = state_dict(path.name, loaded)
    for name, tensor in tensors.items():
        _check_tensor(path.name, name, tensor)
    return entries_of(tensors)


def _check_tensor(where: str, name: str, tensor: Any) -> None:
    """Refuse what numpy cannot hold, and what a few bytes in the file would expand to."""
    if not hasattr(tensor, "layout"):
        return
    kind = str(tensor.dtype).removeprefix("torch.")
    special = {
        "sparse": str(tensor.layout) != "torch.strided",
        "quantised": bool(tensor.is_quantized),
        "without data (meta)": bool(tensor.is_meta),
        kind: kind.startswith("float8") or kind.startswith("float4"),
    }
    for word, true in special.items():
        if true:
            raise LandscapeError(
                f"{where}: tensor {name!r} is {word}; needed plain numbers: convert it to float16 or "
                "float32 first"
            )
    needed, held = tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()
    if needed > held:
        raise LandscapeError(
            f"{where}: tensor {name!r} needs {needed} bytes, but {held} are stored: it is one number "
            "repeated; save it with .contiguous()"
        )


def _check_version(path: Path, version: str) -> None:
    """Refuse torch before 2.6, whose `weights_only=True` could be made to run code (CVE-2025-32434)."""
    numbers = tuple(int(part) for part in version.split("+")[0].split(".")[:2] if part.isdigit())
    if numbers < SAFE_TORCH:
        raise LandscapeError(
            f"{path.name}: refused: torch {version} can be made to run code by a file even where "
            "only weights are asked for (CVE-2025-32434); needed torch 2.6 or later, or the "
            "weights as safetensors"
        )


def _torch_load(torch: Any, path: Path) -> Any:
    """Map the file into memory where it is new enough (a zip archive); read it otherwise."""
    mapped = zipfile.is_zipfile(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)


def state_dict(name: str, loaded: Any) -> dict[str, Any]:
    """Return the tensors of a saved object, one level down where training code nested them."""
    if isinstance(loaded, Mapping):
        for key in NESTED:
            if isinstance(loaded.get(key), Mapping):
                loaded = loaded[key]
                break
        tensors = {str(k): v for k, v in loaded.items() if hasattr(v, "shape")}
        if tensors and len(tensors) == len(loaded):
            return tensors
        keys = ", ".join(repr(str(key)) for key in list(loaded)[:6])
        raise LandscapeError(
            f"{name}: needed a state dict (name -> tensor), found a mapping with {keys}; "
            f"nested ones are looked for under {', '.join(NESTED)}; pass the inner one"
        )
    raise LandscapeError(
        f"{name}: needed a state dict (name -> tensor), found {type(loaded).__name__}"
    )


READERS: dict[str, Callable[[Path], Entries]] = {
    ".safetensors": open_safetensors,
    ".npz": open_npz,
    ".pt": open_torch,
    ".pth": open_torch,
    ".bin": open_torch,
    ".ckpt": open_torch,
}


Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Entries:
    """Tensors that can be read one at a time.

    Parameters
    ----------
    kinds : type as stored (``f32``, ``bf16``, ``int64`` ...), for messages.
    read : name in, array out.
    """

    shapes: Mapping[str, tuple[int, ...]]
    kinds: Mapping[str, str]
    read: Callable[[str], NDArray[Any]]


_MOST = 1 << 48
"""Numbers that no tensor has; a header that claims more is damaged or made up."""


def checked_shape(where: str, name: str, shape: Any) -> tuple[int, ...]:
    """Return a stored shape where it is one: whole sizes of 0 or more, and not absurdly many.

    Raises LandscapeError: before anything of that size is made.

    Examples
    --------
    >>> checked_shape("a.safetensors", "w", [2, 3])
    (2, 3)
    """
    sizes: list[Any] = list(shape) if isinstance(shape, list | tuple) else [None]
    whole = len(sizes) <= 32 and all(type(n) is int and 0 <= n <= _MOST for n in sizes)
    if not whole or math.prod(sizes) > _MOST:
        raise LandscapeError(
            f"{where}: tensor {name!r} has the shape {str(shape)[:60]}; needed whole sizes of 0 or "
            "more: its header is damaged"
        )
    return tuple(sizes)


def as_array(value: Any) -> NDArray[Any]:
    """Return a numpy array of an array, a number or a torch tensor (without importing torch)."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":
            value = value.float()
        value = value.numpy()
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise LandscapeError(f"a tensor holds {array.dtype}; needed floats, whole numbers or bools")
    return array


def entries_of(tensors: Mapping[str, Any]) -> Entries:
    """Wrap a mapping of arrays or torch tensors; nothing is copied."""
    shapes = {name: tuple(int(size) for size in np.shape(t)) for name, t in tensors.items()}
    kinds = {name: str(getattr(t, "dtype", type(t).__name__)) for name, t in tensors.items()}
    return Entries(shapes, kinds, lambda name: as_array(tensors[name]))


def merged(parts: list[Entries]) -> Entries:
    """Join the shards of one checkpoint."""
    home = {name: part for part in parts for name in part.shapes}
    shapes = {name: part.shapes[name] for name, part in home.items()}
    kinds = {name: part.kinds[name] for name, part in home.items()}
    return Entries(shapes, kinds, lambda name: home[name].read(name))
