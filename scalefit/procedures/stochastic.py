"""The probability that a run of one procedure beats a run of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from scalefit.estimate import satterthwaite
from scalefit.types import Floats

MOST_SPLITS = 13_000
"""All ways to share out 8 and 8 seeds; with more seeds Student's t is as good."""


@dataclass(frozen=True)
class Superiority:
    """P(run of b > run of a) + ½ P(equal), with interval and p for ½."""

    probability: float
    low: float
    high: float
    p: float
    method: str


def superiority(a: Sequence[ArrayLike], b: Sequence[ArrayLike], level: float = 0.95) -> Superiority:
    """Estimate P(b > a) from runs grouped by pretraining seed.

    Parameters
    ----------
    a, b : for each pretraining seed, its run or runs; at least two seeds a side.
    level : of the interval.

    Notes
    -----
    Runs of one pretraining seed are one observation: their placements are averaged (Obuchowski
    1997, Biometrics 53, 567–578); with one run a seed this is Brunner & Munzel (2000),
    Biometrical J. 42, 17–25. Up to 8 seeds a side p and interval come from all permutations of
    the studentised statistic (Neubert & Brunner 2007, Comput. Statist. Data Anal. 51,
    5192–5204), since Student's t rejects a true null in 8 % at five seeds; at three seeds no
    result can be significant, and the interval says so. Where the sides do not overlap the
    variance is 0, and the interval Newcombe's (2006, Statist. Med. 25, 559–573).
    """
    wins = _wins([np.atleast_1d(np.asarray(g, dtype=float)) for g in (*a, *b)])
    n, m = len(a), len(b)
    value, variance, dof = _brunner_munzel(wins, np.arange(n)[None], np.arange(n, n + m)[None])
    point, error = float(value[0]), float(np.sqrt(variance[0]))
    statistic = _studentised(value, variance)[0]
    if special.comb(n + m, n) <= MOST_SPLITS:
        null = np.abs(_permuted(wins, n))
        # Rounding must not take the split that was observed out of its own null.
        p = float(np.mean(null >= abs(statistic) - 1e-9))
        critical = float(np.quantile(null, level, method="higher"))
        method = "Brunner–Munzel, all permutations"
    else:
        p = float(2 * scipy.stats.t.sf(abs(statistic), dof[0]))
        critical, method = float(scipy.stats.t.ppf((1 + level) / 2, dof[0])), "Brunner–Munzel"
    low, high = _limits(point, error, critical, (n, m), level)
    return Superiority(point, low, high, p, method)


def _wins(groups: Sequence[Floats]) -> Floats:
    """Share of pairs of runs in which seed j beats seed i, ties half: (K, K)."""
    runs, sizes = np.concatenate(groups), np.array([len(g) for g in groups], dtype=float)
    starts = np.concatenate([[0], np.cumsum(sizes[:-1])]).astype(int)
    pairs = (runs > runs[:, None]) + 0.5 * (runs == runs[:, None])
    summed = np.add.reduceat(np.add.reduceat(pairs, starts, axis=0), starts, axis=1)
    return np.asarray(summed / np.outer(sizes, sizes))


def _brunner_munzel(
    wins: Floats, first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[Floats, Floats, Floats]:
    """P(second > first), its variance and dof, for index sets (R, n) and (R, m)."""
    table = wins[first[:, :, None], second[:, None, :]]
    of_first, of_second = table.mean(2), table.mean(1)
    parts = np.stack([v.var(1, ddof=1) / v.shape[1] for v in (of_first, of_second)], axis=-1)
    dof = satterthwaite(parts, [first.shape[1] - 1, second.shape[1] - 1])
    return table.mean((1, 2)), parts.sum(-1), dof


def _studentised(value: Floats, variance: Floats) -> Floats:
    gap = np.where(np.abs(value - 0.5) < 1e-12, 0.0, value - 0.5)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = gap / np.sqrt(np.maximum(variance, 0))
    return np.where(gap == 0, 0.0, ratio)


def _permuted(wins: Floats, n: int) -> Floats:
    # A split of the seeds only picks rows and columns of the table of wins, so that all splits cost no comparison.
    total = len(wins)
    first = np.array(list(combinations(range(total), n)))
    taken = np.zeros((len(first), total), dtype=bool)
    np.put_along_axis(taken, first, values=True, axis=1)
    second = np.nonzero(~taken)[1].reshape(len(first), total - n)
    value, variance, _ = _brunner_munzel(wins, first, second)
    return _studentised(value, variance)


def _limits(
    point: float, error: float, critical: float, sizes: tuple[int, int], level: float
) -> tuple[float, float]:
    if not np.isfinite(critical):
        return 0.0, 1.0
    if error == 0:
        return _newcombe(point, sizes, level)
    ends = np.clip([point - critical * error, point + critical * error], 0, 1)
    return float(ends[0]), float(ends[1])


def _newcombe(value: float, sizes: tuple[int, int], level: float) -> tuple[float, float]:
    z = float(scipy.stats.norm.ppf((1 + level) / 2))
    n, m = sizes
    extra = (n + m) / 2 - 1

    def excess(theta: float) -> float:
        spread = 1 + extra * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return (value - theta) ** 2 - z**2 * theta * (1 - theta) * spread / (n * m)

    low = 0.0 if value <= 0.5 else optimize.brentq(excess, 1e-9, value - 1e-9)
    high = 1.0 if value >= 0.5 else optimize.brentq(excess, value + 1e-9, 1 - 1e-9)
    return float(low), float(high)
