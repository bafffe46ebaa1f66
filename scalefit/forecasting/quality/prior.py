"""Constants that ship: what public families of curves agree on, printed by benchmarks/learn_priors.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scalefit.types import Floats

UNKNOWN_SHARE = 0.05  # of members that only some tables have


@dataclass(frozen=True, eq=False)
class Prior:
    """Where a table's weights, factors and coefficients are shrunk to.

    Attributes
    ----------
    weights : mapping of str to float
        Member -> weight.
    factors : (5,) float64
        ln of the factors of the variance's parts.
    chance : (6,) float64
        Coefficients of the chance that a target is reached.
    """

    weights: Mapping[str, float]
    factors: Floats
    chance: Floats

    def of(self, names: tuple[str, ...]) -> Floats:
        """Return the weights of ``names``, summing to 1: (M,)."""
        weights = np.array([self.weights.get(n, UNKNOWN_SHARE) for n in names])
        return np.asarray(weights / weights.sum())


SHIPPED = Prior(
    weights={"last value": 0.08, "flattening slope": 0.64, "ceiling": 0.24, "logistic": 0.05},
    factors=np.log([0.066, 0.092, 0.003, 0.031, 0.503]),
    chance=np.array([0.73, 0.05, 0.46, 0.22, -0.37, 0.04]),
)
