"""Scores, groups and permutations on which every predictor is judged alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalefit.types import Floats, Ints

from .loo import correlation, group_mean, share_as_large
from .verdict import Predictor

FEWEST_GROUPS = 5
"""Groups that can be swapped whole: of 2⁵ ways to swap, the best has p = 1/32."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What all predictors share.

    Parameters
    ----------
    scores : array, shape (n,)
    codes : array of int, shape (n,)
        Group of every model.
    orders : array of int, shape (permutations, n)
        Permutations of the models that stay within groups.
    """

    scores: Floats
    codes: Ints
    orders: NDArray[np.int64]

    def predictor(self, name: str, weights: Floats, *, baseline: bool) -> Predictor:
        """Measure one predictor, and what it would do on shuffled scores."""
        predicted = weights @ self.scores
        shuffled = self.scores[self.orders]
        r = float(correlation(predicted, self.scores, self.codes))
        null = correlation(shuffled @ weights.T, shuffled, self.codes)
        blind = self._error(group_mean(self.codes)).sum()
        skill = 1 - float(self._error(weights).sum() / blind)
        high = float(np.quantile(null, 0.95))
        return Predictor(name, r, skill, share_as_large(r, null), high, baseline)

    def _error(self, weights: Floats) -> Floats:
        result: Floats = (weights @ self.scores - self.scores) ** 2
        return result

    def beaten(self, main: Floats, rival: Predictor, weights: Floats) -> Predictor:
        """Add the p-value of "the rival is as good as the first"."""
        gains = self._error(weights) - self._error(main)
        return rival.against(p_swapped(gains, self.codes, len(self.orders)))


def p_swapped(gains: Floats, codes: Ints, count: int) -> float:
    """Return how often swapping two predictors at random favours the first as much.

    Parameters
    ----------
    gains : array, shape (n,)
        Squared error of the rival less that of the first, for every model.
    codes : array of int, shape (n,)
    count : int
        Random swaps.

    Notes
    -----
    Models of one group are predicted from one another, so their errors are not independent:
    swapping them one by one rejects a true null in 6–12 % at nominal 5 %. Whole groups are
    independent, and are swapped where there are five or more; below, p is doubled, which
    simulation shows to hold (docs/simulations/landscape.md).
    """
    whole = codes.max() + 1 >= FEWEST_GROUPS
    units = np.bincount(codes, weights=gains) if whole else gains
    signs = np.random.default_rng(units.size).choice([-1.0, 1.0], (count, units.size))
    p = share_as_large(float(units.sum()), signs @ units)
    return p if whole else min(1.0, 2 * p)
