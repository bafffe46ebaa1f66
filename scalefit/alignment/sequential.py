r"""Checkpoint by checkpoint: stop, go on, or say which run would decide.

Looking after every new size would raise false alarms far above alpha. Two ways to pay for it:

planned
    The number of sizes is planned. One nominal level is used at every look, set by simulation so
    that the chance of *any* false alarm over the whole sequence is alpha (Pocock 1977). The
    looks share their data, so this costs little.
open-ended
    Nothing is planned. Look number k spends :math:`\alpha / (k (k + 1))`; over any number of
    looks, whatever is looked at, this adds up to at most alpha.

A sequence is a group's sizes in ascending order: look k tests the first k + 1 of them. Adding
seeds after a look is another look: say so with ``looks_before``.

References
----------
Pocock, S. J. (1977). Group sequential methods in the design and analysis of clinical trials.
*Biometrika* 64, 191-199. Lan, K. K. G. & DeMets, D. L. (1983). *Biometrika* 70, 659-663.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from . import hayter
from .falls import falls
from .noise import Design, estimate

__all__ = ["nominal_level", "spent"]

_DRAWS, _SEED = 20_000, 3


def spent(look: int, alpha: float) -> float:
    """Level of look number `look` (1, 2, ...) when nothing is planned.

    Examples
    --------
    >>> round(sum(spent(k, 0.05) for k in range(1, 1000)), 3)
    0.05
    """
    return alpha / (look * (look + 1))


@lru_cache(maxsize=64)
def nominal_level(sizes: int, runs: int, design: Design, alpha: float) -> float:
    """Level of every look when `sizes` sizes with `runs` runs each are planned."""
    draws = np.random.default_rng(_SEED).standard_normal((_DRAWS, sizes, runs))
    smallest = np.ones(_DRAWS)
    for k in range(2, sizes + 1):
        found = falls(estimate(draws[:, :k], design))
        smallest = np.minimum(smallest, hayter.sf_many(found.largest, k, found.noise.nu))
    return float(np.quantile(smallest, alpha))
