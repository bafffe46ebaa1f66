"""Seeds × examples: the default test where every run was scored on the same examples.

The two-way random analysis of variance of radiology's multi-reader studies, with seeds as readers and examples as
cases: a finding must hold over new seeds *and* new examples. Rejects a true null in 3–8 % at nominal 5 % for 3 to 25
seeds, where examples alone reject up to 71 % and seeds alone up to 46 % (docs/simulations/seeds.md).

Source: Obuchowski & Rockette (1995), Comm. Statist. Simul. 24, 285–308; degrees of freedom by
Hillis (2007), Statist. Med. 26, 596–619. Scores are (..., S, N): seeds × examples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scalefit.errors import DesignError
from scalefit.estimate import Estimate, satterthwaite
from scalefit.types import Floats


@dataclass(frozen=True, eq=False)
class Squares:
    """Mean squares of seeds, examples and their interaction."""

    seed: Floats
    example: Floats
    rest: Floats


def squares(scores: ArrayLike) -> Squares:
    """Mean squares of scores (..., S, N), S ≥ 2."""
    x = np.asarray(scores, dtype=float)
    s, n = x.shape[-2:]
    by_seed, by_example = x.mean(-1), x.mean(-2)
    ss_seed = n * (s - 1) * by_seed.var(-1, ddof=1)
    ss_example = s * (n - 1) * by_example.var(-1, ddof=1)
    ss_rest = x.var((-2, -1)) * s * n - ss_seed - ss_example
    rest = np.maximum(ss_rest, 0) / ((s - 1) * (n - 1))
    return Squares(ss_seed / (s - 1), ss_example / (n - 1), rest)


def mean(scores: ArrayLike) -> Estimate:
    """Mean score of a procedure over new seeds and new examples.

    ``var = (MS_S + max(MS_I − MS_R, 0)) / (SN)``, ``df = (MS_S + max(MS_I − MS_R, 0))² / (MS_S² / (S − 1))``. With one
    seed only examples vary: the mean of *this run*.
    """
    x = np.asarray(scores, dtype=float)
    s, n = x.shape[-2:]
    value = x.mean((-2, -1))
    if s == 1 and n == 1:
        raise DesignError("one run and one score: there is nothing to test with. Try: more seeds")
    if s == 1:
        return Estimate(value, x.var(-1, ddof=1)[..., 0] / n, np.asarray(n - 1.0))
    q = squares(x)
    spread = q.seed + np.maximum(q.example - q.rest, 0)
    dof = satterthwaite(np.stack([q.seed, spread - q.seed], -1), [s - 1.0, np.inf])
    return Estimate(value, spread / (s * n), dof)


def paired(a: ArrayLike, b: ArrayLike) -> Estimate:
    """Difference b − a of runs paired by seed: the mean of the differences' table."""
    return mean(np.asarray(b, dtype=float) - np.asarray(a, dtype=float))


def unpaired(a: ArrayLike, b: ArrayLike) -> Estimate:
    """Difference b − a, each side with its own seeds, the examples shared; see :func:`parts`.

    With Satterthwaite degrees of freedom; those of the examples are known only where no seeds vary.
    """
    value, variances, dofs = parts(a, b)
    return Estimate(value, variances.sum(-1), satterthwaite(variances, dofs))


def parts(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats, list[float]]:
    """Return b − a, the parts of its variance (..., k), and the degrees of freedom (k,) of each.

    ``var = MS_S,a/(S_a N) + MS_S,b/(S_b N) + max(var_i(b̄_i − ā_i) − MS_R,a/S_a − MS_R,b/S_b, 0)/N``:
    seeds of each side that has several, then the examples.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    n = x.shape[-1]
    gap = (y.mean(-2) - x.mean(-2)).var(-1, ddof=1)
    terms, dofs, noise = list[Floats](), list[float](), np.zeros_like(gap)
    for side in (x, y):
        if (runs := side.shape[-2]) > 1:
            squared = squares(side)
            terms.append(squared.seed / (runs * n))
            dofs.append(runs - 1.0)
            noise = noise + squared.rest / runs
    # The noise of runs is in the seeds' parts already: what is left varies with the examples alone.
    terms.append(np.maximum(gap - noise, 0) / n)
    dofs.append(np.inf if dofs else n - 1.0)
    return y.mean((-2, -1)) - x.mean((-2, -1)), np.stack(terms, -1), dofs


# The multi-bootstrap: seeds and examples drawn with replacement together.
#
# Source: Sellam et al. (2022), The MultiBERTs, ICLR, §3 and their library ``multibootstrap``.
# Seeds are drawn, paired from the common ones or each side its own; one draw of examples serves
# all runs; finetuning seeds of a pretraining seed are averaged, never drawn.


_Score = Callable[[Floats], Floats]

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
    score: _Score | None = None,
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
    score : from summed statistics (..., K) to a score, as corpus BLEU needs. Default: the mean.
    draws : number of bootstrap repetitions.
    seed : of the random numbers.
    """
    sides = [_four(x, score) for x in ((a,) if b is None else (a, b))]
    rng = np.random.default_rng(seed)
    examples = sides[0].shape[2]
    value = _difference([_seeds(x, np.ones(examples), score).mean() for x in sides])
    drawn_values = np.empty(draws)
    for i in range(draws):
        # One draw of examples serves all runs, as counts: a resample is a weighted sum, and no score is copied.
        counts = np.bincount(rng.integers(0, examples, examples), minlength=examples).astype(float)
        first = rng.integers(0, len(sides[0]), len(sides[0]))
        means = []
        for j, x in enumerate(sides):
            drawn = first if j == 0 or paired else rng.integers(0, len(x), len(x))
            means.append(_seeds(x, counts, score)[drawn].mean())
        drawn_values[i] = _difference(means)
    return MultiBootstrap(float(value), drawn_values, min(len(x) for x in sides))


def _four(scores: ArrayLike, score: _Score | None) -> Floats:
    """Return scores as (S, F, N, K)."""
    x = np.asarray(scores, dtype=float)
    if score is None:
        x = x[..., None]
    return x[:, None] if x.ndim == 3 else x


def _seeds(x: Floats, counts: Floats, score: _Score | None) -> Floats:
    """Score of each pretraining seed, (S,), with examples weighted by counts (N,)."""
    sums = np.tensordot(x, counts, axes=(2, 0))
    values = sums[..., 0] / counts.sum() if score is None else score(sums)
    return np.asarray(values.mean(-1))


def _difference(means: list[float]) -> float:
    return means[0] if len(means) == 1 else means[1] - means[0]
