"""Seeds × examples: the default test where every run was scored on the same examples.

The two-way random analysis of variance of radiology's multi-reader studies, with seeds as
readers and examples as cases: a finding must hold over new seeds *and* new examples. Rejects a
true null in 3–8 % at nominal 5 % for 3 to 25 seeds, where examples alone reject up to 71 % and
seeds alone up to 46 % (docs/simulations/seeds.md).

Source: Obuchowski & Rockette (1995), Comm. Statist. Simul. 24, 285–308; degrees of freedom by
Hillis (2007), Statist. Med. 26, 596–619. Scores are (..., S, N): seeds × examples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scalefit.errors import DesignError
from scalefit.types import Floats

from .estimate import Estimate, satterthwaite


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

    ``var = (MS_S + max(MS_I − MS_R, 0)) / (SN)``,
    ``df = (MS_S + max(MS_I − MS_R, 0))² / (MS_S² / (S − 1))``.
    With one seed only examples vary: the mean of *this run*.
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
    """Difference b − a, each side with its own seeds, the examples shared.

    ``var = MS_S,a/(S_a N) + MS_S,b/(S_b N) + max(var_i(b̄_i − ā_i) − MS_R,a/S_a − MS_R,b/S_b, 0)/N``
    with Satterthwaite degrees of freedom.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    n = x.shape[-1]
    first, second = mean_squares_or_none(x), mean_squares_or_none(y)
    gap = (y.mean(-2) - x.mean(-2)).var(-1, ddof=1)
    terms, dofs, noise = [], [], np.zeros_like(gap)
    for found, runs in ((first, x.shape[-2]), (second, y.shape[-2])):
        if found is not None:
            terms.append(found.seed / (runs * n))
            dofs.append(runs - 1.0)
            noise = noise + found.rest / runs
    terms.append(np.maximum(gap - noise, 0) / n)
    stack = np.stack(terms, -1)
    dof = satterthwaite(stack, [*dofs, np.inf if dofs else n - 1.0])
    return Estimate(y.mean((-2, -1)) - x.mean((-2, -1)), stack.sum(-1), dof)


def mean_squares_or_none(scores: Floats) -> Squares | None:
    """Mean squares, or None for a single run."""
    return squares(scores) if scores.shape[-2] > 1 else None
