"""Checkpoints of one architecture, and which of their tensors are weights.

Weights are what lies on a path: all floating-point tensors except the running statistics of batch
normalisation. Those, and integer tensors, are buffers: every point of a path takes them from its
first model. Statistics taken over like that fit the endpoints better than the middle, which
inflates barriers of networks with batch normalisation (Jordan et al. 2023, REPAIR).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from scalefit.errors import LandscapeError

from .checkpoint import Checkpoint, Source, load_all

STATISTICS = re.compile(r"(^|\.)(running_mean|running_var|num_batches_tracked)$")
WEIGHTS = re.compile(r"^(torch\.|<)?b?f(loat)?(8|16|32|64)")
PERMUTATION_CAVEAT = (
    "networks are compared as they are: a barrier between runs that do not share a pretrained "
    "start may vanish after matching their hidden units (Entezari et al. 2022)"
)


@dataclass(frozen=True, eq=False)
class Family:
    """Checkpoints of one architecture.

    Parameters
    ----------
    members : tuple of Checkpoint
    weights, buffers : tuple of str
        Tensors that are interpolated, and those taken from a path's first model.
    distinct : tuple of str
        The weights without the second names of tied ones: what a distance counts.
    notes : tuple of str
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


def family(sources: Sequence[Source] | Mapping[str, Source], least: int = 2) -> Family:
    """Open checkpoints and check that they can be compared.

    Raises
    ------
    LandscapeError
        Where there are too few, their tensors differ, or a weight is not finite.
    """
    members = load_all(sources)
    if len(members) < least:
        found = f"{len(members)} checkpoint" + "s" * (len(members) != 1)
        raise LandscapeError(f"found {found}, needed at least {least}; pass more of the same task")
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
        parts.append(f"lacks {len(missing)} tensors of {first.name} ({_some(missing)})")
    if extra:
        parts.append(f"has {len(extra)} that {first.name} lacks ({_some(extra)})")
    advice = "a path needs models of one architecture; was the file saved completely?"
    for prefix in ("module.", "model.", "_orig_mod."):
        if {n.removeprefix(prefix) for n in missing} == {n.removeprefix(prefix) for n in extra}:
            advice = f"only the prefix {prefix!r} differs: use load(path, strip={prefix!r})"
    return f"{other.name} " + " and ".join(parts) + f"; {advice}"


def _some(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


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
    return bool(WEIGHTS.match(kind)) and not STATISTICS.search(name)


def _ties(members: Sequence[Checkpoint], weights: Sequence[str]) -> dict[str, str]:
    """Map the second name of a tensor to its first, where all models hold the same twice."""
    ties: dict[str, str] = {}
    seen: dict[tuple[str, ...], str] = {}
    for name in weights:
        key = tuple(m.digests[m.aliases.get(name, name)] for m in members)
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
    return [f"buffers are not mixed but taken from a path's first model: {_some(buffers)}"]


def _tie_note(ties: Mapping[str, str]) -> list[str]:
    if not ties:
        return []
    pairs = _some([f"{name} = {twin}" for name, twin in ties.items()])
    return [f"tied weights count once in distances: {pairs}"]


def _double_notes(members: Sequence[Checkpoint]) -> list[str]:
    """Name models that hold the same weights: in leave-one-out they give each other away."""
    homes: dict[str, list[str]] = {}
    for member in members:
        homes.setdefault(member.fingerprint, []).append(member.name)
    doubles = [names for names in homes.values() if len(names) > 1]
    return [f"the same weights under several names: {' = '.join(names)}" for names in doubles]
