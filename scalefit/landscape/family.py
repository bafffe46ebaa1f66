"""Checkpoints of one architecture, and which of their tensors are weights.

Weights are what lies on a path: all floating-point tensors except the running statistics of batch
normalisation. Those, and integer tensors, are buffers: every point of a path takes them from its
first model. Statistics taken over like that fit the endpoints better than the middle, which
inflates barriers of networks with batch normalisation (Jordan et al. 2023, REPAIR).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import LandscapeError
from scalefit.landscape.checkpoint import Checkpoint, Loadable, load_all
from scalefit.landscape.formats import Tensors
from scalefit.types import Floats
from scalefit.units import some

STATISTICS = re.compile(r"(^|\.)(running_mean|running_var|num_batches_tracked)$")
_WEIGHTS = re.compile(r"^(torch\.|<)?b?f(loat)?(8|16|32|64)")
PERMUTATION_CAVEAT = (
    "networks are compared as they are: a barrier between runs that do not share a pretrained "
    "start may vanish after matching their hidden units (Entezari et al. 2022)"
)


@dataclass(frozen=True, eq=False)
class Family:
    """Checkpoints of one architecture.

    Parameters
    ----------
    weights, buffers : tensors that are interpolated, and those taken from a path's first model.
    distinct : the weights without the second names of tied ones: what a distance counts.
    """

    members: tuple[Checkpoint, ...]
    weights: tuple[str, ...]
    buffers: tuple[str, ...]
    distinct: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the models."""
        return tuple(member.name for member in self.members)


def family(sources: Sequence[Loadable] | Mapping[str, Loadable], least: int = 2) -> Family:
    """Open checkpoints and check that they can be compared.

    Raises LandscapeError: where there are too few, their tensors differ, or a weight is not finite.
    """
    members = load_all(sources)
    if len(members) < least:
        said = f"{len(members)} checkpoint" + "s" * (len(members) != 1)
        raise LandscapeError(f"found {said}, needed at least {least}; pass more of the same task")
    first, rest = members[0], members[1:]
    members = [first, *(_agreeing(first, other) for other in rest)]
    return _sorted_out(members)


def _agreeing(first: Checkpoint, other: Checkpoint) -> Checkpoint:
    """Return the other checkpoint with its tied names filled in, or say how it differs."""
    missing = [name for name in first.shapes if name not in other.shapes]
    aliases = {name: twin for name in missing if (twin := _twin(first, other, name))}
    extra = [name for name in other.shapes if name not in first.shapes]
    if len(aliases) < len(missing) or extra:
        lost = [name for name in missing if name not in aliases]
        raise LandscapeError(_other_names(first, other, lost, extra))
    different = [n for n in first.shapes if n not in aliases and first.shapes[n] != other.shapes[n]]
    if different:
        name = different[0]
        raise LandscapeError(
            f"{other.name} and {first.name} are of different architectures: {name!r} has shape "
            f"{other.shapes[name]} against {first.shapes[name]}, as have {len(different) - 1} more "
            "tensors; a path needs models of one architecture and one vocabulary"
        )
    return replace(other, aliases=aliases) if aliases else other


def _twin(first: Checkpoint, other: Checkpoint, name: str) -> str | None:
    """Find the tensor that `first` stores twice and `other` once (tied weights)."""
    digest = first.digests[name]
    if digest.startswith("constant"):
        return None
    twins = (n for n, d in first.digests.items() if n != name and d == digest)
    return next((twin for twin in twins if twin in other.entries.shapes), None)


def _other_names(first: Checkpoint, other: Checkpoint, missing: list[str], extra: list[str]) -> str:
    parts = []
    if missing:
        parts.append(f"lacks {len(missing)} tensors of {first.name} ({some(missing, 3)})")
    if extra:
        parts.append(f"has {len(extra)} that {first.name} lacks ({some(extra, 3)})")
    advice = "a path needs models of one architecture; was the file saved completely?"
    for prefix in ("module.", "model.", "_orig_mod."):
        if {n.removeprefix(prefix) for n in missing} == {n.removeprefix(prefix) for n in extra}:
            advice = f"only the prefix {prefix!r} differs: use load(path, strip={prefix!r})"
    return f"{other.name} " + " and ".join(parts) + f"; {advice}"


def _sorted_out(members: list[Checkpoint]) -> Family:
    """Tell weights from buffers, find ties and doubles, and write down what was found."""
    names = list(members[0].shapes)
    weights = tuple(n for n in names if _is_weight(members[0], n))
    buffers = tuple(n for n in names if n not in set(weights))
    if not weights:
        raise LandscapeError(f"{members[0].name}: no floating-point tensors, so nothing to mix")
    ties = _ties(members, weights)
    distinct = tuple(n for n in weights if n not in ties)
    notes = [*_buffer_note(buffers), *_tie_note(ties), *_double_notes(members)]
    return Family(tuple(members), weights, buffers, distinct, (*notes, PERMUTATION_CAVEAT))


def _is_weight(checkpoint: Checkpoint, name: str) -> bool:
    kind = checkpoint.entries.kinds.get(checkpoint.aliases.get(name, name), "")
    return bool(_WEIGHTS.match(kind)) and not STATISTICS.search(name)


def _ties(members: Sequence[Checkpoint], weights: Sequence[str]) -> dict[str, str]:
    """Map the second name of a tensor to its first, where all models hold the same twice."""
    ties: dict[str, str] = {}
    seen: dict[tuple[str, ...], str] = {}
    for name in weights:
        key = tuple(m.digests[m.aliases.get(name, name)] for m in members)
        # Biases of zeros are equal without being tied.
        if all(part.startswith("constant") for part in key):
            continue
        if key in seen:
            ties[name] = seen[key]
        else:
            seen[key] = name
    return ties


def _buffer_note(buffers: Sequence[str]) -> list[str]:
    if not buffers:
        return []
    return [f"buffers are not mixed but taken from a path's first model: {some(buffers, 3)}"]


def _tie_note(ties: Mapping[str, str]) -> list[str]:
    if not ties:
        return []
    pairs = some((f"{name} = {twin}" for name, twin in ties.items()), 3)
    return [f"tied weights count once in distances: {pairs}"]


def _double_notes(members: Sequence[Checkpoint]) -> list[str]:
    """Name models that hold the same weights: in leave-one-out they give each other away."""
    homes: dict[str, list[str]] = {}
    for member in members:
        homes.setdefault(member.fingerprint, []).append(member.name)
    doubles = [names for names in homes.values() if len(names) > 1]
    return [f"the same weights under several names: {' = '.join(names)}" for names in doubles]


# Weighted sums of checkpoints, and a loss evaluated on them: paths, planes and ends all do this.


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
        # In the weights' own precision: float64 coefficients would make every mixed model twice as large.
        mixed: NDArray[Any] = rows.astype(flat.dtype) @ flat
        return mixed.reshape(len(rows), *parts[0].shape)

    def products(self) -> Floats:
        """Return the Gram matrix of the differences to the first checkpoint."""
        k = len(self.held)
        gram = np.zeros((k - 1, k - 1))
        for name in self.family.distinct:
            # Finetunings differ by little of their weights: sums of squares in float32 would lose the distance.
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

    def _read(self, returned: Any, count: int) -> Floats:
        """Turn what the loss returned into numbers, in the order of the metrics' names."""
        named = returned if isinstance(returned, Mapping) else {"loss": returned}
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
