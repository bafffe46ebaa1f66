"""What every format yields: the tensors' names, shapes and stored types, and a way to read one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import LandscapeError

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Entries:
    """Tensors that can be read one at a time.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
    kinds : mapping of str to str
        Type as stored (``f32``, ``bf16``, ``int64`` ...), for messages.
    read : callable
        Name in, array out.
    """

    shapes: Mapping[str, tuple[int, ...]]
    kinds: Mapping[str, str]
    read: Callable[[str], NDArray[Any]]


MOST = 1 << 48
"""Numbers that no tensor has; a header that claims more is damaged or made up."""


def checked_shape(where: str, name: str, shape: Any) -> tuple[int, ...]:
    """Return a stored shape where it is one: whole sizes of 0 or more, and not absurdly many.

    Raises
    ------
    LandscapeError
        Before anything of that size is made.

    Examples
    --------
    >>> checked_shape("a.safetensors", "w", [2, 3])
    (2, 3)
    """
    sizes: list[Any] = list(shape) if isinstance(shape, list | tuple) else [None]
    whole = len(sizes) <= 32 and all(type(n) is int and 0 <= n <= MOST for n in sizes)
    if not whole or math.prod(sizes) > MOST:
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
