"""A checkpoint is a name and tensors read one at a time: a hundred need not fit in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import LandscapeError

from .formats import Entries, entries_of, open_weights

Loadable = Any  # a path, a mapping of arrays or torch tensors, or a Checkpoint


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The weights of one model, read lazily.

    Parameters
    ----------
    entries : Entries; names, shapes, and how to read a tensor.
    aliases : tensors that another model lists under a second name (tied weights).
    opened : (path, str), optional
        The file, and the prefix that was taken off its tensors' names: what another process opens again.
    """

    name: str
    entries: Entries
    aliases: Mapping[str, str]
    opened: tuple[Path, str] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as the file's name where there is one, else as the tensors."""
        if self.opened is not None:
            return _opened_again, (self.name, self.aliases, *self.opened)
        tensors = {name: self.entries.read(name) for name in self.entries.shapes}
        return _of_tensors, (self.name, self.aliases, tensors)

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every tensor, aliases included."""
        own = self.entries.shapes
        return {**own, **{alias: own[name] for alias, name in self.aliases.items()}}

    @property
    def size(self) -> int:
        """Number of stored values."""
        return sum(int(np.prod(shape)) for shape in self.entries.shapes.values())

    def read(self, name: str) -> NDArray[Any]:
        """Return one tensor; floats narrower than 32 bits come widened to float32."""
        array = self.entries.read(self.aliases.get(name, name))
        if array.dtype.kind == "f" and array.dtype.itemsize < 4:
            return array.astype(np.float32)
        return array

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """A digest of every tensor; one that is constant (all zeros, all ones) has none.

        Raises LandscapeError: where a weight is NaN or infinite.
        """
        return {name: self._digest(name) for name in self.entries.shapes}

    def _digest(self, name: str) -> str:
        array = self.read(name)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise LandscapeError(_not_finite(self.name, name, array))
        if array.size == 0 or array.min() == array.max():
            return f"constant {array.shape} {array.ravel()[:1]}"
        stamp = hashlib.sha256(repr((array.dtype.str, array.shape)).encode())
        stamp.update(np.ascontiguousarray(array).data)
        return stamp.hexdigest()

    @cached_property
    def fingerprint(self) -> str:
        """A digest of all names and values, whatever the file and its order."""
        lines = [f"{name} {digest}" for name, digest in sorted(self.digests.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:24]


def _not_finite(model: str, name: str, array: NDArray[Any]) -> str:
    bad = ~np.isfinite(array)
    place = [int(i) for i in np.argwhere(bad)[0]]
    value = array[tuple(place)]
    return (
        f"{model}: tensor {name!r} holds {int(bad.sum())} values of {array.size} that are not "
        f"finite, the first {value} at {place}; a run that diverged has no place in a landscape: "
        "leave it out and count it as failed"
    )


def load(source: Loadable, name: str | None = None, *, strip: str = "") -> Checkpoint:
    """Open a checkpoint safely and lazily.

    Parameters
    ----------
    source : path, mapping or Checkpoint
        A ``.safetensors``, ``.npz`` or torch file (read as weights only), a folder that holds one,
        or a state dict of numpy arrays or torch tensors.
    name : what to call it; by default the file's name.
    strip : a prefix to take off every tensor's name, such as ``"module."``.

    Raises LandscapeError: where the source is no weights file, could run code, or holds no tensors.
    """
    if isinstance(source, Checkpoint):
        return replace(source, name=name) if name else source
    opened = None
    if isinstance(source, Mapping):
        entries, default = entries_of(source), "model"
    elif isinstance(source, (str, Path)):
        entries, default = open_weights(Path(source)), Path(source).name
        opened = Path(source).resolve(), strip
    else:
        raise LandscapeError(
            f"a checkpoint is a path or a state dict; found {type(source).__name__}"
            + ("; call .state_dict() on it" if hasattr(source, "state_dict") else "")
        )
    if not entries.shapes:
        raise LandscapeError(f"{name or default}: holds no tensors")
    return Checkpoint(name or default, _stripped(entries, strip), {}, opened)


def _opened_again(name: str, aliases: Mapping[str, str], path: Path, strip: str) -> Checkpoint:
    return Checkpoint(name, _stripped(open_weights(path), strip), aliases, (path, strip))


def _of_tensors(
    name: str, aliases: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]
) -> Checkpoint:
    return Checkpoint(name, entries_of(tensors), aliases)


def _stripped(entries: Entries, prefix: str) -> Entries:
    if not prefix:
        return entries
    old = {name.removeprefix(prefix): name for name in entries.shapes}
    return Entries(
        {new: entries.shapes[name] for new, name in old.items()},
        {new: entries.kinds[name] for new, name in old.items()},
        lambda new: entries.read(old[new]),
    )


def load_all(sources: Sequence[Loadable] | Mapping[str, Loadable]) -> list[Checkpoint]:
    """Open several checkpoints under different names."""
    if isinstance(sources, Mapping):
        return [load(source, str(name)) for name, source in sources.items()]
    if isinstance(sources, (str, Path)):
        raise LandscapeError(f"needed a list of checkpoints, found the single path {sources}")
    named = zip(sources, short_names(sources), strict=True)
    opened = [load(source, name) for source, name in named]
    names = [checkpoint.name for checkpoint in opened]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LandscapeError(f"two checkpoints are called {twice[0]!r}; pass a dict name -> source")
    return opened


def short_names(sources: Sequence[Loadable]) -> list[str]:
    """Name paths by what tells them apart, and mappings by their number."""
    paths = [Path(s).resolve() for s in sources if isinstance(s, (str, Path))]
    depth = 1
    while len({_tail(p, depth) for p in paths}) < len(set(paths)):
        depth += 1
    return [_name(source, number, depth) for number, source in enumerate(sources, 1)]


def _name(source: Loadable, number: int, depth: int) -> str:
    if isinstance(source, Checkpoint):
        return source.name
    return (
        f"model {number}" if isinstance(source, Mapping) else _tail(Path(source).resolve(), depth)
    )


def _tail(path: Path, depth: int) -> str:
    stem = path.parent if path.stem in ("model", "pytorch_model") else path.with_suffix("")
    return "/".join(stem.parts[-depth:])
