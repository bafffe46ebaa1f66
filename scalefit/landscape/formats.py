"""Weight files in: safetensors, numpy and torch, none of which may run code while it is read."""

from __future__ import annotations

import json
import pickle
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from scalefit.errors import LandscapeError, MissingDependencyError

from .entries import Entries, entries_of, merged
from .safetensors_file import open_safetensors

IN_FOLDER = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "adapter_model.safetensors",
)
SAFE_TORCH = (2, 6)
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
    return opener(path)


def _in_folder(folder: Path) -> Path:
    for name in IN_FOLDER:
        if (folder / name).exists():
            return folder / name
    raise LandscapeError(f"{folder}: holds none of {', '.join(IN_FOLDER)}; name the file itself")


def _shards(index: Path) -> Entries:
    names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    outside = [name for name in names if Path(name).name != name]
    if outside:
        raise LandscapeError(f"{index.name}: names a shard outside its folder: {outside[0]!r}")
    return merged([open_weights(index.parent / name) for name in names])


def open_npz(path: Path) -> Entries:
    """Open an ``.npz`` archive; each array is read when asked for, object arrays never."""
    try:
        shapes, kinds = _npz_headers(path)
    except (ValueError, zipfile.BadZipFile, OSError) as error:
        raise LandscapeError(f"{path.name}: not a readable .npz file ({error})") from error

    def read(name: str) -> NDArray[Any]:
        with np.load(path, allow_pickle=False) as archive:
            array: NDArray[Any] = archive[name]
        return array

    return Entries(shapes, kinds, read)


def _npz_headers(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    shapes, kinds = {}, {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            name = member.removesuffix(".npy")
            with archive.open(member) as file:
                old = npy.read_magic(file) == (1, 0)
                header = npy.read_array_header_1_0 if old else npy.read_array_header_2_0
                shapes[name], _, dtype = header(file)
            if dtype.hasobject:
                raise LandscapeError(
                    f"{path.name}: {name!r} holds Python objects, which only a pickle can restore; "
                    "it could run code and is not opened; store plain arrays"
                )
            kinds[name] = str(dtype)
    return shapes, kinds


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
        found = _torch_load(torch, path)
    except pickle.UnpicklingError as error:
        raise LandscapeError(
            f"{path.name}: refused: it holds more than weights, and opening it could run code; "
            "save the state dict alone (torch.save(model.state_dict(), ...)) or as safetensors"
        ) from error
    except (RuntimeError, EOFError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise LandscapeError(f"{path.name}: not a readable torch file ({reason})") from error
    return entries_of(state_dict(path.name, found))


def _check_version(path: Path, version: str) -> None:
    """Refuse torch before 2.6, whose `weights_only=True` could be made to run code (CVE-2025-32434)."""
    found = tuple(int(part) for part in version.split("+")[0].split(".")[:2] if part.isdigit())
    if found < SAFE_TORCH:
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


def state_dict(name: str, found: Any) -> dict[str, Any]:
    """Return the tensors of a saved object, one level down where training code nested them."""
    if isinstance(found, Mapping):
        for key in NESTED:
            if isinstance(found.get(key), Mapping):
                found = found[key]
                break
        tensors = {str(k): v for k, v in found.items() if hasattr(v, "shape")}
        if tensors and len(tensors) == len(found):
            return tensors
        keys = ", ".join(repr(str(key)) for key in list(found)[:6])
        raise LandscapeError(
            f"{name}: needed a state dict (name -> tensor), found a mapping with {keys}; "
            f"nested ones are looked for under {', '.join(NESTED)}; pass the inner one"
        )
    raise LandscapeError(
        f"{name}: needed a state dict (name -> tensor), found {type(found).__name__}"
    )


READERS: dict[str, Callable[[Path], Entries]] = {
    ".safetensors": open_safetensors,
    ".npz": open_npz,
    ".pt": open_torch,
    ".pth": open_torch,
    ".bin": open_torch,
    ".ckpt": open_torch,
}
