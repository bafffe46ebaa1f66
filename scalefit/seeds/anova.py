"""Mean squares of nested and crossed seed designs, in closed form.

Every design is reduced to independent mean squares and to what each variance component is as a
combination of them; estimates and intervals then need no further knowledge of the design. All
functions take leading axes, so that a simulation is one call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from scalefit.errors import DesignError
from scalefit.types import Floats

PRETRAIN, FINETUNE, REST = "pretraining seed", "finetuning seed", "rest"


@dataclass(frozen=True, eq=False)
class MeanSquares:
    """Independent mean squares and the variance components they estimate.

    Attributes
    ----------
    names : (k,) strata.
    values : (..., k) mean squares.
    dof : (k,) degrees of freedom.
    components
        Component name -> (k,) coefficients; ``estimate = values @ coefficients``, unbiased.
    size
        Runs behind one pretraining seed's mean: F, or its harmonic mean.
    """

    names: tuple[str, ...]
    values: Floats
    dof: Floats
    components: Mapping[str, Floats]
    size: float = 1.0

    def estimate(self, component: str) -> Floats:
        """Unbiased estimate; below 0 where noise says so (60 % of the time when the truth is 0)."""
        return np.asarray(self.values @ self.components[component], dtype=float)

    def of(self, name: str) -> Floats:
        """Mean square of a stratum."""
        return np.asarray(self.values[..., self.names.index(name)], dtype=float)


def nested(y: ArrayLike) -> MeanSquares:
    """Finetuning seeds within pretraining seeds: ``y = μ + a_p + e_pf``.

    Parameters
    ----------
    y : (..., P, F), P ≥ 2, F ≥ 2.

    Source: Searle, Casella & McCulloch (1992), Variance Components, ch. 3.
    """
    values = _complete(y)
    p, f = values.shape[-2:]
    means = values.mean(-1)
    between = f * means.var(-1, ddof=1)
    within = values.var(-1, ddof=1).mean(-1)
    return nested_squares(between, within, p - 1, p * (f - 1), f)


def nested_squares(
    between: ArrayLike, within: ArrayLike, dof: float, dof_within: float, size: float
) -> MeanSquares:
    """Mean squares of a nested design, given the two of them (``size`` runs a pretraining seed)."""
    stack = np.stack(np.broadcast_arrays(between, within), axis=-1).astype(float)
    parts = {PRETRAIN: np.array([1 / size, -1 / size]), FINETUNE: np.array([0.0, 1.0])}
    return MeanSquares((PRETRAIN, FINETUNE), stack, np.array([dof, dof_within]), parts, size)


def from_spread(
    between: float, within: float, pretrain: int, finetune: int, *, ddof: int = 1
) -> MeanSquares:
    """Mean squares from published standard deviations.

    Parameters
    ----------
    between : SD of the pretraining seeds' means.
    within : SD of the runs within a pretraining seed.
    pretrain, finetune : numbers of seeds, P and F.
    ddof : 0 where the SDs divide by n (numpy's default), 1 where by n − 1.
    """
    if min(pretrain, finetune) < 2:
        raise DesignError(f"found {pretrain} × {finetune} seeds; two of each have a variance")
    up_between = (pretrain - ddof) / (pretrain - 1)
    up_within = (finetune - ddof) / (finetune - 1)
    ms = finetune * between**2 * up_between, within**2 * up_within
    dof = (pretrain - 1, pretrain * (finetune - 1))
    return nested_squares(ms[0], ms[1], *dof, finetune)


def factorial(y: ArrayLike, names: Sequence[str]) -> MeanSquares:
    """Completely crossed random factors, one run a cell.

    Parameters
    ----------
    y : (..., n_1, …, n_k), one axis a factor, k ≤ 3; every n ≥ 2.
    names : the factors' names; interactions are called ``a × b``, the highest one "rest".

    Notes
    -----
    ``E[MS_S] = Σ_{T ⊇ S} (Π_{i ∉ T} n_i) σ²_T``; inverted over subsets.
    Source: Searle, Casella & McCulloch (1992), ch. 4.
    """
    values = _complete(y, len(names))
    k = len(names)
    shape = values.shape[values.ndim - k :]
    subsets = [s for size in range(1, k + 1) for s in combinations(range(k), size)]
    ms = np.stack([_mean_square(values, s, k) for s in subsets], axis=-1)
    dof = np.array([np.prod([shape[i] - 1 for i in s]) for s in subsets], dtype=float)
    expected = np.array([[_share(s, t, shape) for t in subsets] for s in subsets])
    inverse = np.linalg.inv(expected)
    labels = tuple(REST if len(s) == k else " × ".join(names[i] for i in s) for s in subsets)
    return MeanSquares(labels, ms, dof, dict(zip(labels, np.round(inverse, 12), strict=True)))


def crossed(y: ArrayLike) -> MeanSquares:
    """Pretraining × finetuning seeds, each finetuning seed used with all pretraining seeds."""
    return factorial(y, (PRETRAIN, FINETUNE))


def _complete(y: ArrayLike, factors: int = 2) -> Floats:
    values = np.asarray(y, dtype=float)
    shape = values.shape[max(values.ndim - factors, 0) :]
    if values.ndim < factors or min(shape, default=0) < 2:
        found = " × ".join(map(str, shape))
        raise DesignError(
            f"found a {found} design; every seed needs at least two values to have a variance"
        )
    if not np.isfinite(values).all():
        raise DesignError("runs are missing; needed a complete design, or sf.variance on a table")
    return values


def _mean_square(values: Floats, subset: tuple[int, ...], k: int) -> Floats:
    """Mean square of an effect: its size, by inclusion and exclusion of marginal means."""
    first = values.ndim - k
    effect = np.zeros((1,) * values.ndim)
    for size in range(len(subset) + 1):
        for kept in combinations(subset, size):
            axes = tuple(first + i for i in range(k) if i not in kept)
            effect = effect + (-1) ** (len(subset) - size) * values.mean(axes, keepdims=True)
    shape = values.shape[first:]
    repeats = np.prod([shape[i] for i in range(k) if i not in subset])
    dof = np.prod([shape[i] - 1 for i in subset])
    return np.asarray((effect**2).sum(tuple(range(first, values.ndim))) * repeats / dof)


def _share(s: tuple[int, ...], t: tuple[int, ...], shape: tuple[int, ...]) -> float:
    if not set(s) <= set(t):
        return 0.0
    return float(np.prod([n for i, n in enumerate(shape) if i not in t]))
