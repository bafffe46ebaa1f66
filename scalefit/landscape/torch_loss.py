"""A loss(weights) from a torch module and batches of data: on the GPU in half precision if any.

torch is imported when a loss is made, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalefit.errors import LandscapeError, MissingDependencyError

from .entries import Tensors

Sums = Mapping[str, tuple[float, float]]
Score = Callable[[Any, Any], Sums]
DTYPES = ("float16", "bfloat16", "float32", "float64")


def import_torch() -> Any:
    """Import torch, or say how to install it."""
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError(
            "this loss needs torch: pip install 'transfer-scalefit[landscape]'"
        ) from error
    return torch


def classify(module: Any, batch: tuple[Any, Any]) -> Sums:
    """Score a classifier on (inputs, labels): sums of cross-entropy and of correct answers."""
    inputs, labels = batch
    return sums_of(module(inputs), labels)


def sums_of(logits: Any, labels: Any) -> Sums:
    """Return sums and counts of cross-entropy (nats) and correct answers; labels of -100 are skipped.

    Parameters
    ----------
    logits : tensor, shape (..., classes)
    labels : tensor of int, shape (...)
    """
    torch = import_torch()
    flat, wanted = logits.flatten(0, -2).float(), labels.flatten()
    entropy = torch.nn.functional.cross_entropy(flat, wanted, ignore_index=-100, reduction="sum")
    counted = wanted != -100
    right = ((flat.argmax(dim=-1) == wanted) & counted).sum()
    count = float(counted.sum())
    return {"loss": (float(entropy), count), "accuracy": (float(right), count)}


@dataclass(eq=False)
class ModuleLoss:
    """A loss(weights) that puts weights into a module and scores it on batches.

    Parameters
    ----------
    module : torch.nn.Module
        Its own weights are overwritten.
    batches : sequence
        Held on the device for as long as the loss lives.
    score : callable
        (module, batch) -> name -> (sum, count); the sums are divided at the end.
    device : str, default "auto"
        ``"auto"`` takes a GPU where there is one.
    dtype : {"auto", "float16", "bfloat16", "float32", "float64"}
        ``"auto"`` takes float16 on a GPU and float32 elsewhere.

    Raises
    ------
    LandscapeError
        Where there are no batches, or the device or the type is not to be had.
    """

    module: Any
    batches: Sequence[Any]
    score: Score = classify
    device: str = "auto"
    dtype: str = "auto"
    slots: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        torch = import_torch()
        if not len(self.batches):
            raise LandscapeError("no data to evaluate the loss on; pass at least one batch")
        self.device, self.dtype = placed(torch, self.device, self.dtype)
        kind = getattr(torch, self.dtype)
        self.module = self.module.to(device=self.device, dtype=kind).eval()
        self.batches = [moved(batch, self.device, kind) for batch in self.batches]
        self.slots = dict(self.module.state_dict())

    def __call__(self, weights: Tensors) -> dict[str, float]:
        """Return the metrics of these weights."""
        torch = import_torch()
        with torch.no_grad():
            self._fill(torch, weights)
            totals: dict[str, list[float]] = {}
            for batch in self.batches:
                for name, (total, count) in self.score(self.module, batch).items():
                    sums = totals.setdefault(name, [0.0, 0.0])
                    sums[0] += float(total)
                    sums[1] += float(count)
        return {name: total / count for name, (total, count) in totals.items()}

    def _fill(self, torch: Any, weights: Tensors) -> None:
        """Copy weights into the module; a name it lacks, or one left over, is an error."""
        unknown = [name for name in weights if name not in self.slots]
        if unknown:
            raise LandscapeError(
                f"the model has no tensor {unknown[0]!r}; it has {', '.join(list(self.slots)[:4])}"
                ", …: the checkpoints are of another architecture"
            )
        for name, values in weights.items():
            source = torch.from_numpy(np.require(values, requirements=["C", "W"]))
            self.slots[name].copy_(source.reshape(self.slots[name].shape))
        self._check_left_over(weights)

    def _check_left_over(self, weights: Tensors) -> None:
        """Refuse weights that leave a tensor as it was, unless it shares memory with one given."""
        filled = {self.slots[name].data_ptr() for name in weights}
        left = [n for n, slot in self.slots.items() if slot.data_ptr() not in filled]
        if left:
            raise LandscapeError(
                f"the checkpoints lack {len(left)} tensors of the model ({', '.join(left[:3])})"
            )


def placed(torch: Any, device: str, dtype: str) -> tuple[str, str]:
    """Return device and type with ``"auto"`` filled in, or say what is missing."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if dtype == "auto":
        dtype = "float16" if device.startswith("cuda") else "float32"
    if dtype not in DTYPES:
        raise LandscapeError(f"no type {dtype!r} to evaluate in; there are {', '.join(DTYPES)}")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise LandscapeError(
            f"device {device!r} is not to be had here ({reason}); try device='auto', which takes a "
            "GPU where there is one, or 'cpu'"
        ) from error
    return device, dtype


def moved(batch: Any, device: str, kind: Any) -> Any:
    """Move tensors, and mappings or tuples of them, to a device; floats change their type too."""
    if isinstance(batch, Mapping):
        return {name: moved(value, device, kind) for name, value in batch.items()}
    if isinstance(batch, (tuple, list)):
        return type(batch)(moved(value, device, kind) for value in batch)
    if hasattr(batch, "is_floating_point") and batch.is_floating_point():
        return batch.to(device=device, dtype=kind)
    return batch.to(device) if hasattr(batch, "to") else batch
