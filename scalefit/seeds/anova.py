"""Mean squares of nested and crossed seed designs, and intervals of their components that hold at three seeds.

Every design is reduced to independent mean squares and to what each variance component is as a
combination of them; estimates and intervals then need no further knowledge of the design. All
functions take leading axes, so that a simulation is one call.

Which interval is used where: a single mean square, exact χ²; a difference of two (σ² of the
pretraining seed), modified large sample (coverage .946–.954 from 3 × 2 to 25 × 5 seeds, any
ICC); three or more, generalised inference; the intraclass correlation, exact F. Lower ends below 0 are kept; upper
ends are never below 0, see :func:`_upper_tail`, so that a true 0 is covered in 97.5 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalefit.distributions import chi2_quantile, f_quantile, f_share, f_tail
from scalefit.errors import DesignError
from scalefit.types import Floats

PRETRAIN, FINETUNE, REST = "pretraining seed", "finetuning seed", "rest"
EXAMPLE = "test example"


@dataclass(frozen=True, eq=False)
class MeanSquares:
    """Independent mean squares and the variance components they estimate.

    Attributes
    ----------
    names : (k,) strata.
    values : (..., k) mean squares.
    dof : (k,) degrees of freedom.
    components : component name -> (k,) coefficients; ``estimate = values @ coefficients``, unbiased.
    size : runs behind one pretraining seed's mean: F, or its harmonic mean.
    """

    names: tuple[str, ...]
    values: Floats
    dof: Floats
    components: Mapping[str, Floats]
    size: float = 1.0

    def estimate(self, component: str) -> Floats:
        """Unbiased estimate; below 0 where noise says so (60 % of the time when the truth is 0)."""
        return np.asarray(self.values @ self.components[component], dtype=float)

    def estimates(self) -> dict[str, float]:
        """Return all components' estimates, of one table."""
        return {name: float(self.estimate(name)) for name in self.components}

    def moved(self, component: str, by: float) -> MeanSquares:
        """Mean squares that speak for a component by so much more variance a run; below 0, by so much less."""
        values = self.values + by * np.sign(self.components[component])
        return replace(self, values=np.maximum(values, 0.0)) if by else self

    def of(self, name: str) -> Floats:
        """Mean square of a stratum."""
        return np.asarray(self.values[..., self.names.index(name)], dtype=float)


def nested_squares(
    between: ArrayLike, within: ArrayLike, dof: float, dof_within: float, size: float
) -> MeanSquares:
    """Mean squares of finetuning seeds within pretraining seeds, ``y = μ + a_p + e_pf``, given the two of them.

    ``size`` runs a pretraining seed. Source: Searle, Casella & McCulloch (1992), Variance Components, ch. 3.
    """
    stack = np.stack(np.broadcast_arrays(between, within), axis=-1).astype(float)
    parts = {PRETRAIN: np.array([1 / size, -1 / size]), FINETUNE: np.array([0.0, 1.0])}
    return MeanSquares((PRETRAIN, FINETUNE), stack, np.array([dof, dof_within]), parts, size)


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
    k, (subsets, labels) = len(names), _effects(names)
    shape = values.shape[values.ndim - k :]
    ms = np.stack([_mean_square(values, s, k) for s in subsets], axis=-1)
    dof = np.array([np.prod([shape[i] - 1 for i in s]) for s in subsets], dtype=float)
    # Unbiased for any sizes at once: the expectations are inverted as numbers, and no design needs formulas of its own.
    expected = np.array([[_share(s, t, shape) for t in subsets] for s in subsets])
    inverse = np.linalg.inv(expected)
    # Elimination leaves 1e-17 where a coefficient is 0, and `component` chooses the interval by what is not 0.
    return MeanSquares(labels, ms, dof, dict(zip(labels, np.round(inverse, 12), strict=True)))


def crossed(arrays: Sequence[Floats], names: Sequence[str]) -> MeanSquares:
    """Crossed random factors, one array (n_1, …, n_k) a cell, nan where a combination was not run; pooled.

    Notes
    -----
    Where all are complete and alike, as :func:`factorial`. Else an effect's square is what its columns add to all
    effects that do not contain it, and how much of those that do is in it is counted: unbiased whatever is missing.
    Source: Henderson (1953), Biometrics 9, 226–252, method 3.

    Raises DesignError: what is there does not tell an effect from the others.
    """
    if len({a.shape for a in arrays}) == 1 and all(np.isfinite(a).all() for a in arrays):
        each = [factorial(a, names) for a in arrays]
        values = np.mean([s.values for s in each], axis=0)
        return MeanSquares(each[0].names, values, each[0].dof * len(each), each[0].components)
    subsets, labels = _effects(names)
    told = np.array([[_added(a, s, subsets) for s in subsets] for a in arrays]).sum(axis=0)
    squares, dof, expected = told[:, 0], told[:, 1], told[:, 2:]
    if (dof < 1).any():
        lost = labels[int(np.argmin(dof))]
        raise DesignError(
            f"the runs that are there do not tell the part of {lost!r} from the others; needed values of each of "
            f"{', '.join(names)} that come back under several of the others"
        )
    inverse = np.linalg.inv(expected / dof[:, None])
    components = dict(zip(labels, np.round(inverse, 12), strict=True))
    return MeanSquares(labels, squares / dof, dof, components)


def _effects(names: Sequence[str]) -> tuple[list[tuple[int, ...]], tuple[str, ...]]:
    """Return the factors and all their interactions, by the factors' numbers and by name."""
    k = len(names)
    subsets = [s for size in range(1, k + 1) for s in combinations(range(k), size)]
    return subsets, tuple(REST if len(s) == k else " × ".join(names[i] for i in s) for s in subsets)


def _added(y: Floats, s: tuple[int, ...], subsets: Sequence[tuple[int, ...]]) -> list[float]:
    """Return the square that effect s adds, its degrees of freedom, and how much of each effect's variance it holds."""
    at, values = np.argwhere(np.isfinite(y)), y[np.isfinite(y)]
    columns = {t: _levels(at[:, t]) for t in subsets}
    rest = [columns[t] for t in subsets if not set(s) <= set(t)]
    before = _basis(np.hstack([np.ones((len(at), 1)), *rest]))
    # What the other effects do not span already: its square is what s adds to them, whatever is missing.
    own = columns[s] - before @ (before.T @ columns[s])
    added = _basis(own)
    holds = [float(((added.T @ columns[t]) ** 2).sum()) for t in subsets]
    return [float(((added.T @ values) ** 2).sum()), float(added.shape[1]), *holds]


def _levels(at: NDArray[np.int64]) -> Floats:
    """Return one column for each combination of levels (n, k) that is there, (n, levels)."""
    place = np.unique(at, axis=0, return_inverse=True)[1].ravel()
    return np.eye(int(place.max(initial=-1)) + 1)[place]


def _basis(columns: Floats) -> Floats:
    """Return an orthonormal basis of what columns (n, m) span, (n, rank)."""
    vectors, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(vectors[:, sizes > 1e-9 * len(columns)])


def _complete(y: ArrayLike, factors: int) -> Floats:
    values = np.asarray(y, dtype=float)
    shape = values.shape[max(values.ndim - factors, 0) :]
    if values.ndim < factors or min(shape, default=0) < 2:
        size = " × ".join(map(str, shape))
        raise DesignError(
            f"found a {size} design; every seed needs at least two values to have a variance"
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
    # What E[mean square of s] has of t's variance: none unless t holds s, else as often as a level of t is repeated
    # (Cornfield & Tukey 1956, Ann. Math. Statist. 27, 907–949).
    if not set(s) <= set(t):
        return 0.0
    return float(np.prod([n for i, n in enumerate(shape) if i not in t]))


_Limits = tuple[Floats, Floats]
_DRAWS = 20_000


def chi_square(ms: Floats, dof: float, level: float = 0.95) -> _Limits:
    """Exact interval for the expectation of one mean square."""
    tail = (1 - level) / 2
    up, down = (float(chi2_quantile(q, dof)) / dof for q in (1 - tail, tail))
    return ms / up, ms / down


def _upper_tail(ratio: Floats, dof: tuple[float, float], tail: float) -> tuple[Floats, Floats]:
    """Return a ratio of mean squares, and the share of ratios that an upper end may leave below it.

    A ratio far below 1, which chance alone seldom leaves, would exclude every variance from 0 on: an empty
    interval, "0 to 0 %" from five runs. There the share is taken of what a true 0 leaves as small (the CLs rule),
    so that the upper end is what these runs could have seen; from 1 on nothing changes. The limit for a ratio of 0
    is reached long before 1e-3, where the quantiles are still numbers.

    Source: Read (2002), J. Phys. G 28, 2693–2704.
    """
    seen = np.maximum(np.nan_to_num(ratio, nan=1.0), 1e-3)
    return seen, tail * np.minimum(f_share(seen, *dof) / f_share(1.0, *dof), 1)


def difference(ms: tuple[Floats, Floats], dof: tuple[float, float], level: float = 0.95) -> _Limits:
    """Return the modified large-sample interval for ``E[ms₁] − E[ms₂]``; its upper end is never below 0.

    Source: Ting, Burdick, Graybill, Jeyaratnam & Lu (1990), J. Statist. Comput. Simul. 35,
    135–143; Burdick & Graybill (1992), Confidence Intervals on Variance Components, eq. 3.3.1.
    """
    tail = (1 - level) / 2
    a, b = (np.asarray(m, dtype=float) for m in ms)
    low = a - b - np.sqrt(np.maximum(_below(a, b, dof, tail), 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        seen, rest = _upper_tail(a / b, dof, tail)
    a = np.where(b > 0, seen * b, a)
    return low, a - b + np.sqrt(np.maximum(_above(a, b, dof, rest), 0))


def _below(a: Floats, b: Floats, dof: tuple[float, float], tail: float) -> Floats:
    """Square of the lower half width, exact where one mean square is 0 and where the ratio is F's own quantile."""
    g, h = 1 - dof[0] / chi2_quantile(1 - tail, dof[0]), dof[1] / chi2_quantile(tail, dof[1]) - 1
    up = f_quantile(1 - tail, *dof)
    both = ((up - 1) ** 2 - g**2 * up**2 - h**2) / up
    return np.asarray(g**2 * a**2 + h**2 * b**2 + both * a * b)


def _above(a: Floats, b: Floats, dof: tuple[float, float], tail: ArrayLike) -> Floats:
    """Square of the upper half width, by the same demands."""
    h, g = (
        dof[0] / chi2_quantile(tail, dof[0]) - 1,
        1 - dof[1] / chi2_quantile(1 - np.asarray(tail), dof[1]),
    )
    down = f_quantile(tail, *dof)
    both = ((1 - down) ** 2 - h**2 * down**2 - g**2) / down
    return np.asarray(h**2 * a**2 + g**2 * b**2 + both * a * b)


def generalised(squares: MeanSquares, component: str, level: float = 0.95) -> _Limits:
    """Generalised confidence interval for any component; Monte Carlo with a fixed seed.

    Source: Weerahandi (1993), J. Amer. Statist. Assoc. 88, 899–905.
    """
    # One seed for all: equal data have equal intervals.
    rng = np.random.default_rng(20261122)
    draws = rng.chisquare(squares.dof, (_DRAWS, len(squares.dof))) / squares.dof
    weights = squares.components[component] / draws
    pivots = squares.values @ weights.T
    tail = (1 - level) / 2
    low, high = np.quantile(pivots, [tail, 1 - tail], axis=-1)
    return low, high


def component(squares: MeanSquares, name: str, level: float = 0.95) -> tuple[Floats, Floats, str]:
    """Interval for a component by the method that fits its form; with the method's name."""
    weights = squares.components[name]
    used = np.flatnonzero(weights)
    signs = weights[used]
    if len(used) == 1:
        low, high = chi_square(squares.values[..., used[0]] * signs[0], squares.dof[used[0]], level)
        return low, high, "exact χ²"
    if len(used) == 2 and signs.prod() < 0:
        first, second = used if signs[0] > 0 else used[::-1]
        pair = squares.values[..., first] * abs(weights[first]), squares.values[..., second]
        pair = pair[0], pair[1] * abs(weights[second])
        return *difference(pair, (squares.dof[first], squares.dof[second]), level), "MLS"
    return *generalised(squares, name, level), "generalised"


def icc(squares: MeanSquares, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Intraclass correlation of a nested design: estimate, low, high; exact F, estimate and low may be < 0.

    Source: Searle (1971), Linear Models, p. 414; Burdick & Graybill (1992), §3.4.
    """
    size, tail, dof = squares.size, (1 - level) / 2, (squares.dof[0], squares.dof[1])
    between, within = squares.of(PRETRAIN), squares.of(FINETUNE)
    with np.errstate(divide="ignore", invalid="ignore"):
        seen, rest = _upper_tail(between / within, dof, tail)
        most = np.where(within > 0, seen * within, between) / f_quantile(rest, *dof)
        scaled = [between, between / float(f_quantile(1 - tail, *dof)), most]
        point, low, high = ((b - within) / (b + (size - 1) * within) for b in scaled)
    return point, low, high


def f_test(squares: MeanSquares, upper: str, lower: str) -> tuple[float, float, float, float]:
    """F statistic, its two degrees of freedom and p for "the upper stratum adds no variance"."""
    i, j = squares.names.index(upper), squares.names.index(lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.divide(squares.values[..., i], squares.values[..., j]))
    dof = float(squares.dof[i]), float(squares.dof[j])
    return ratio, *dof, float(f_tail(ratio, *dof))
