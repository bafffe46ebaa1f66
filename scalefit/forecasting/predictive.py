"""What a forecast says: a distribution over the metric at each size, as a table of quantiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from scalefit.types import Floats

Kind = Literal["mean", "run"]

# Dense enough that any level people ask for is read between neighbours; .005 and .995 bound a 99 % interval.
PROBABILITIES = np.unique(
    np.concatenate([[0.005, 0.01, 0.025], np.linspace(0.05, 0.95, 37), [0.975, 0.99, 0.995]])
)


@dataclass(frozen=True, eq=False)
class Predictive:
    """Quantiles of the metric at each of some sizes.

    Attributes
    ----------
    x : (Q,) float64
        Sizes.
    probabilities : (P,) float64
        Ascending, between 0 and 1.
    values : (P, Q) float64
        The quantile at each probability and size; ascending along the first axis.
    weights : mapping of str to float
        Law or baseline -> its share; they sum to 1.
    notes : tuple of str
        What a reader of these numbers should know.

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit.forecasting.predictive import Predictive
    >>> p = Predictive(np.array([1e9]), np.array([0.1, 0.5, 0.9]), np.array([[1.0], [2.0], [4.0]]))
    >>> p.median.tolist(), [v.tolist() for v in p.interval(0.8)]
    ([2.0], [[1.0], [4.0]])
    """

    x: Floats
    probabilities: Floats
    values: Floats
    weights: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def quantile(self, probability: float) -> Floats:
        """Return the quantile at every size: (Q,); linear between the probabilities of the table."""
        at = np.clip(
            np.interp(probability, self.probabilities, np.arange(self.probabilities.size)), 0, None
        )
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, self.probabilities.size - 1)
        return np.asarray(self.values[low] + (at - low) * (self.values[high] - self.values[low]))

    @property
    def median(self) -> Floats:
        """Return the middle of the distribution at every size: (Q,)."""
        return self.quantile(0.5)

    def interval(self, level: float) -> tuple[Floats, Floats]:
        """Return low and high of the central interval at every size: (Q,) each."""
        return self.quantile(0.5 - level / 2), self.quantile(0.5 + level / 2)

    def reached(self, target: float, *, rises: bool) -> Floats:
        """Return the probability that the metric is at least ``target`` (at most, where it falls): (Q,)."""
        below = np.array(
            [np.interp(target, v, self.probabilities, left=0.0, right=1.0) for v in self.values.T]
        )
        return 1.0 - below if rises else below
