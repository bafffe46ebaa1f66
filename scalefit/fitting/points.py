"""Observations become points: finetuning seeds are averaged within each pretraining run.

Runs that finetune one checkpoint are not independent of each other, so they count once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scalefit.table import Observations
from scalefit.types import Floats

Design = Literal["unknown", "runs", "checkpoints"]


@dataclass(frozen=True, eq=False)
class Points:
    """Vectors of length n, one entry a pretraining run and size.

    Attributes
    ----------
    inputs, y : input vectors in the law's order, and values.
    stderr : test-set standard error of each value, or None.
    run : label of the pretraining run of each point.
    block : the same under the cautious reading: seeds that come back at several sizes are one.
    counts : how many rows each point averages.
    design : ``unknown`` (no seeds or runs given), ``runs`` (every point its own pretraining run)
        or ``checkpoints`` (some runs give several points).
    grain : what the values were rounded to, such as 0.1; 0 where they were not.
    """

    inputs: tuple[Floats, ...]
    y: Floats
    stderr: Floats | None
    run: NDArray[np.int64]
    block: NDArray[np.int64]
    counts: NDArray[np.int64]
    design: Design
    notes: tuple[str, ...] = ()
    grain: float = 0.0

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """Label of each point's set of equal inputs: replicates share one."""
        if len(self.inputs) == 1:  # rows of a matrix cost ten times as much to tell apart
            return np.unique(self.inputs[0], return_inverse=True)[1]
        return np.unique(np.column_stack(self.inputs), axis=0, return_inverse=True)[1].reshape(-1)

    def only(self, keep: NDArray[np.bool_], note: str) -> Points:
        """Return some of the points, and say why."""
        return replace(
            self,
            inputs=tuple(x[keep] for x in self.inputs),
            y=self.y[keep],
            stderr=None if self.stderr is None else self.stderr[keep],
            run=np.unique(self.run[keep], return_inverse=True)[1].reshape(-1),
            block=np.unique(self.block[keep], return_inverse=True)[1].reshape(-1),
            counts=self.counts[keep],
            notes=(*self.notes, note),
        )


def points_of(data: Observations) -> Points:
    """Average the rows of one run at one size; leave everything else as it is."""
    inputs = tuple(np.asarray(v, dtype=float) for v in data.inputs.values())
    n = len(data)
    if data.clusters is None:
        order = np.arange(n)
        once = np.ones(n, dtype=np.int64)
        return Points(inputs, data.values, data.stderr, order, order, once, "unknown")
    keys = np.column_stack([data.clusters, *inputs])
    _, first, label = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    label = label.reshape(-1)
    counts = np.bincount(label)
    y = np.bincount(label, data.values) / counts
    variance = None if data.stderr is None else np.bincount(label, data.stderr**2) / counts
    run = data.clusters[first]
    block = run if data.blocks is None else data.blocks[first]
    notes = []
    if len(counts) < n:
        notes.append(
            f"{n} runs averaged to {len(counts)} points: finetunings of one checkpoint count once"
        )
    return Points(
        tuple(x[first] for x in inputs),
        y,
        None if variance is None else np.sqrt(variance),
        np.unique(run, return_inverse=True)[1].reshape(-1),
        np.unique(block, return_inverse=True)[1].reshape(-1),
        counts,
        "checkpoints" if len(np.unique(run)) < len(run) else "runs",
        tuple(notes),
        grain_of(data.values),
    )


def grain_of(values: Floats) -> float:
    """Return the power of ten that all values are multiples of, from 1 down to 0.001; 0 where there is none."""
    for grain in (1.0, 0.1, 0.01, 0.001):
        steps = values / grain
        if (np.abs(steps - np.round(steps)) <= 1e-6 * np.maximum(np.abs(steps), 1)).all():
            return grain
    return 0.0
