"""How the seed variance changes with pretraining size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalefit.errors import FitError
from scalefit.fitting.variance_line import VarianceLine, smoothed_variance

from .design import Cell


@dataclass(frozen=True)
class SizeSpread:
    """Seed variance at one pretraining size, pooled over the cells there.

    ``variance`` is that of pretraining seeds' means; of finetuning seeds where every cell has
    one pretraining seed.
    """

    tokens: float
    mean: float
    variance: float
    dof: float


def by_size(cells: Sequence[Cell]) -> tuple[SizeSpread, ...]:
    """Pool the variances of cells of one size."""
    replicated = any(c.pretrain > 1 for c in cells)
    found: dict[float, list[tuple[float, float, float]]] = {}
    for cell in cells:
        tokens = cell.key.get("pretrain_tokens")
        values = cell.means if replicated else np.concatenate(
            [np.array(list(g.values())) for g in cell.runs.values()]
        )  # fmt: skip
        if tokens and len(values) > 1:
            row = float(values.mean()), float(values.var(ddof=1)), len(values) - 1.0
            found.setdefault(float(tokens), []).append(row)
    return tuple(_pooled(tokens, found[tokens]) for tokens in sorted(found))


def _pooled(tokens: float, rows: Sequence[tuple[float, float, float]]) -> SizeSpread:
    mean, variance, dof = np.array(rows).T
    pooled = float(np.average(variance, weights=dof))
    return SizeSpread(tokens, float(mean.mean()), pooled, float(dof.sum()))


def line(sizes: Sequence[SizeSpread]) -> VarianceLine | None:
    """Smooth the variances by a line in log size; None where there is nothing to smooth."""
    if not sizes:
        return None
    columns = ([getattr(s, n) for s in sizes] for n in ("tokens", "mean", "variance", "dof"))
    try:
        return smoothed_variance(*columns)
    except FitError:
        return None
