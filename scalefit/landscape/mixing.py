"""Weighted sums of checkpoints, and a loss evaluated on them: paths, planes and ends all do this."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import LandscapeError
from scalefit.types import Floats

from .entries import Tensors
from .family import Family

Loss = Callable[[Tensors], Any]
F = TypeVar("F", bound=Callable[..., Any])
STACK_BYTES = 1 << 28


def batched(loss: F) -> F:
    """Mark a loss that takes many models at once.

    It gets every tensor with one leading axis more, over models, and returns an array over models
    (or a mapping of such arrays).

    Examples
    --------
    >>> @batched
    ... def loss(weights):
    ...     return ((weights["w"] - 1.0) ** 2).sum(axis=-1)
    """
    loss.batched = True  # type: ignore[attr-defined]
    return loss


@dataclass(frozen=True, eq=False)
class Mixer:
    """The tensors of a few checkpoints, held in memory (or mapped) while they are mixed."""

    family: Family
    held: tuple[Tensors, ...]

    @property
    def model_bytes(self) -> int:
        """Size of one mixed model."""
        return sum(self.held[0][name].nbytes for name in self.family.weights)

    def mix(self, rows: Floats) -> dict[str, NDArray[Any]]:
        """Return one model a row of coefficients, stacked along a leading axis."""
        stacks = {name: self._mixed(name, rows) for name in self.family.weights}
        for name in self.family.buffers:
            first = self.held[0][name]
            stacks[name] = np.broadcast_to(first, (len(rows), *first.shape))
        return stacks

    def _mixed(self, name: str, rows: Floats) -> NDArray[Any]:
        parts = [held[name] for held in self.held]
        flat = np.stack([part.reshape(-1) for part in parts])
        mixed: NDArray[Any] = rows.astype(flat.dtype) @ flat
        return mixed.reshape(len(rows), *parts[0].shape)

    def products(self) -> Floats:
        """Return the Gram matrix of the differences to the first checkpoint."""
        k = len(self.held)
        gram = np.zeros((k - 1, k - 1))
        for name in self.family.distinct:
            base = self.held[0][name].reshape(-1).astype(np.float64)
            steps = [self.held[i][name].reshape(-1) - base for i in range(1, k)]
            gram += [[float(a @ b) for b in steps] for a in steps]
        return gram


def hold(family: Family, index: int) -> Tensors:
    """Read all tensors of one checkpoint."""
    member = family.members[index]
    return {name: member.read(name) for name in (*family.weights, *family.buffers)}


def mixer(family: Family, indices: Sequence[int]) -> Mixer:
    """Hold the tensors of some checkpoints."""
    return Mixer(family, tuple(hold(family, index) for index in indices))


@dataclass(eq=False)
class Meter:
    """A loss with its metrics' names, learned at the first call; the first is the loss proper."""

    loss: Loss
    metrics: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Where the loss was defined, for a store to remember."""
        where = self.loss if hasattr(self.loss, "__qualname__") else type(self.loss)
        return f"{where.__module__}:{where.__qualname__}"

    def measure(self, mix: Mixer, rows: Floats) -> Floats:
        """Return the metrics (rows × metrics) of mixed models, as many at once as memory allows."""
        if getattr(self.loss, "batched", False):
            most = max(1, STACK_BYTES // max(mix.model_bytes, 1))
            chunks = [rows[i : i + most] for i in range(0, len(rows), most)]
            return np.concatenate([self._read(self.loss(mix.mix(c)), len(c)) for c in chunks])
        singles = []
        for row in rows:
            weights = {name: stack[0] for name, stack in mix.mix(row[None]).items()}
            singles.append(self._read(self.loss(weights), 1))
        return np.concatenate(singles)

    def _read(self, found: Any, count: int) -> Floats:
        """Turn what the loss returned into numbers, in the order of the metrics' names."""
        named = found if isinstance(found, Mapping) else {"loss": found}
        if not self.metrics:
            self.metrics = tuple(sorted(named, key=lambda name: name != "loss"))
        if set(named) != set(self.metrics):
            raise LandscapeError(
                f"the loss returned {', '.join(named)}, before it returned "
                f"{', '.join(self.metrics)}; it must return the same metrics each time"
            )
        return np.stack([_numbers(named[name], name, count) for name in self.metrics], axis=1)


def _numbers(value: Any, metric: str, count: int) -> Floats:
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    array = np.asarray(value, dtype=np.float64).reshape(-1)
    if len(array) != count:
        raise LandscapeError(
            f"the loss returned {len(array)} values of {metric!r} for {count} models; "
            "one model gives one number, a loss marked @batched one a model"
        )
    return array


def check_finite(values: Floats, rows: Floats, names: Sequence[str]) -> None:
    """Refuse a loss that is NaN or infinite, and say at which mixture it was."""
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        parts = zip(rows[bad[0]], names, strict=True)
        mixture = " + ".join(f"{share:.2f} × {name}" for share, name in parts if share)
        raise LandscapeError(
            f"the loss is {values[bad[0]]} at {mixture}; a landscape needs finite losses: "
            "evaluate in float32 (float16 overflows at 65504), or look at the model alone"
        )
