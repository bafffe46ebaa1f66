"""The probability that a run of one procedure beats a run of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from .estimate import Estimate, satterthwaite

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Superiority:
    """P(run of b > run of a) + ½ P(equal), with interval and p for ½."""

    probability: float
    low: float
    high: float
    p: float
    method: str


def superiority(a: Sequence[Floats], b: Sequence[Floats], level: float = 0.95) -> Superiority:
    """Estimate P(b > a) from runs grouped by pretraining seed.

    Parameters
    ----------
    a, b : for each pretraining seed, its runs; at least two seeds a side.
    level : of the interval.

    Notes
    -----
    Runs of one pretraining seed are one observation: their placements are averaged (Obuchowski
    1997, Biometrics 53, 567–578); with one run a seed this is Brunner & Munzel (2000),
    Biometrical J. 42, 17–25. Where no run of one side beats one of the other the variance is 0
    and says nothing; the interval is then Newcombe's (2006, Statist. Med. 25, 559–573) and p
    the permutation test's smallest.
    """
    x, y = (np.concatenate([np.atleast_1d(g) for g in side]) for side in (a, b))
    of_a = np.array([_placement(np.atleast_1d(g), y, below=False) for g in a])
    of_b = np.array([_placement(np.atleast_1d(g), x, below=True) for g in b])
    weights = [np.array([np.size(g) for g in side], dtype=float) for side in (a, b)]
    value = float(np.average(of_b, weights=weights[1]))
    parts = [v.var(ddof=1) / len(v) for v in (of_a, of_b)]
    if sum(parts) == 0:
        return _separated(value, len(a), len(b), level)
    dof = satterthwaite(parts, [len(a) - 1, len(b) - 1])
    found = Estimate(np.asarray(value - 0.5), np.asarray(sum(parts)), dof)
    low, high = (float(np.clip(v + 0.5, 0, 1)) for v in found.interval(level))
    return Superiority(value, low, high, float(found.p), "Brunner–Munzel")


def _placement(own: Floats, others: Floats, *, below: bool) -> float:
    gap = own[:, None] - others if below else others - own[:, None]
    return float(np.mean((gap > 0) + 0.5 * (gap == 0)))


def _separated(value: float, n: int, m: int, level: float) -> Superiority:
    z = float(stats.norm.ppf((1 + level) / 2))
    extra = (n + m) / 2 - 1

    def excess(theta: float) -> float:
        spread = 1 + extra * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return (value - theta) ** 2 - z**2 * theta * (1 - theta) * spread / (n * m)

    low = 0.0 if value <= 0.5 else optimize.brentq(excess, 1e-9, value - 1e-9)
    high = 1.0 if value >= 0.5 else optimize.brentq(excess, value + 1e-9, 1 - 1e-9)
    orders = 1 / float(special.comb(n + m, n))
    p = 1.0 if value == 0.5 else min(1.0, 2 * orders)
    return Superiority(value, float(low), float(high), p, "separated: Newcombe, permutation p")
