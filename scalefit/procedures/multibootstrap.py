"""The multi-bootstrap: seeds and examples drawn with replacement together.

Source: Sellam et al. (2022), The MultiBERTs, ICLR, §3 and their library ``multibootstrap``.
Seeds are drawn, paired from the common ones or each side its own; one draw of examples serves
all runs; finetuning seeds of a pretraining seed are averaged, never drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scalefit.types import Floats

Score = Callable[[Floats], Floats]

FALSE_POSITIVES = {
    False: {3: (0.004, 0.14), 5: (0.003, 0.10), 10: (0.001, 0.06), 25: (0.001, 0.05)},
    True: {3: (0.005, 0.21), 5: (0.002, 0.13), 10: (0.003, 0.09), 25: (0.002, 0.06)},
}
"""Paired? -> seeds -> range of false-positive rates at nominal 5 % (docs/simulations/seeds.md)."""


@dataclass(frozen=True, eq=False)
class MultiBootstrap:
    """Draws of a procedure's score, or of the difference of two.

    Attributes
    ----------
    value : the estimate on all seeds and examples.
    draws : (B,) bootstrap values.
    seeds : the smaller number of seeds drawn from.
    """

    value: float
    draws: Floats
    seeds: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the percentile interval."""
        tail = (1 - level) / 2
        low, high = np.quantile(self.draws, [tail, 1 - tail])
        return float(low), float(high)

    @property
    def p_one_sided(self) -> float:
        """Share of draws at or below 0: the published p-value for "b is no better than a"."""
        return float(np.mean(self.draws <= 0))

    @property
    def p(self) -> float:
        """Two-sided p: twice the smaller tail."""
        tails = np.mean(self.draws <= 0), np.mean(self.draws >= 0)
        return min(1.0, 2 * min(float(t) for t in tails))


def warning(seeds: int, *, paired: bool = False) -> str:
    """Say how often the multi-bootstrap rejects a true null at this many seeds."""
    rates = FALSE_POSITIVES[paired]
    known = min(rates, key=lambda s: abs(s - seeds))
    low, high = rates[known]
    return (
        f"multi-bootstrap on {seeds} {'paired ' if paired else ''}seeds: rejects a true null in "
        f"{100 * low:.2g}–{100 * high:.2g} % at nominal 5 % (simulated at {known} seeds); "
        "test='crossed' stays within 3–8 %"
    )


def multibootstrap(
    a: ArrayLike,
    b: ArrayLike | None = None,
    *,
    paired: bool = False,
    score: Score | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> MultiBootstrap:
    """Bootstrap over seeds and examples.

    Parameters
    ----------
    a, b : (S, N) scores, (S, F, N) with F finetuning runs each, or (S, F, N, K) with ``score``
        Per-example scores, or K sufficient statistics an example. The value is b − a, or a
        alone where there is no b.
    paired : draw one set of seeds for both sides; needs equal S, in the same order.
    score : callable, optional
        From summed statistics (..., K) to a score, as corpus BLEU needs. Default: the mean.
    draws : number of bootstrap repetitions.
    seed : of the random numbers.
    """
    sides = [_four(x, score) for x in ((a,) if b is None else (a, b))]
    rng = np.random.default_rng(seed)
    examples = sides[0].shape[2]
    value = _difference([_seeds(x, np.ones(examples), score).mean() for x in sides])
    found = np.empty(draws)
    for i in range(draws):
        counts = np.bincount(rng.integers(0, examples, examples), minlength=examples).astype(float)
        first = rng.integers(0, len(sides[0]), len(sides[0]))
        means = []
        for j, x in enumerate(sides):
            drawn = first if j == 0 or paired else rng.integers(0, len(x), len(x))
            means.append(_seeds(x, counts, score)[drawn].mean())
        found[i] = _difference(means)
    return MultiBootstrap(float(value), found, min(len(x) for x in sides))


def _four(scores: ArrayLike, score: Score | None) -> Floats:
    """Return scores as (S, F, N, K)."""
    x = np.asarray(scores, dtype=float)
    if score is None:
        x = x[..., None]
    return x[:, None] if x.ndim == 3 else x


def _seeds(x: Floats, counts: Floats, score: Score | None) -> Floats:
    """Score of each pretraining seed, (S,), with examples weighted by counts (N,)."""
    sums = np.tensordot(x, counts, axes=(2, 0))
    values = sums[..., 0] / counts.sum() if score is None else score(sums)
    return np.asarray(values.mean(-1))


def _difference(means: list[float]) -> float:
    return means[0] if len(means) == 1 else means[1] - means[0]


def pseudovalues(statistics: ArrayLike, score: Score) -> Floats:
    """Jackknife pseudovalues (..., N) of a score of sums, from statistics (..., N, K).

    They turn a corpus score into per-example scores whose mean is the score, so that
    the crossed analysis applies (Dorfman, Berbaum & Metz 1992, Invest. Radiol. 27, 723–731).
    """
    x = np.asarray(statistics, dtype=float)
    n = x.shape[-2]
    total = x.sum(-2, keepdims=True)
    return np.asarray(n * score(total) - (n - 1) * score(total - x))
