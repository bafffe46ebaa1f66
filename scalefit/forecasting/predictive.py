"""What a forecast says: a distribution over the metric at each size, and when a target is reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from scalefit.rows import Row, estimated
from scalefit.types import Floats

# Dense enough that any level people ask for is read between neighbours; .005 and .995 bound a 99 % interval.
PROBABILITIES = np.unique(
    np.concatenate([[0.005, 0.01, 0.025], np.linspace(0.05, 0.95, 37), [0.975, 0.99, 0.995]])
)


@dataclass(frozen=True, eq=False)
class Predictive:
    """Quantiles of the metric at each of some sizes.

    Attributes
    ----------
    x : (Q,), sizes.
    probabilities : (P,), ascending, between 0 and 1.
    values : (P, Q), the quantile at each probability and size; ascending along the first axis.
    weights : law or baseline -> its share; they sum to 1.
    notes : what a reader of these numbers should know.

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
        at = float(np.interp(probability, self.probabilities, np.arange(self.probabilities.size)))
        low = int(at)
        if at == low:  # as it stands, and no 0 × ∞ beside an end that lies nowhere
            return np.asarray(self.values[low])
        return np.asarray((low + 1 - at) * self.values[low] + (at - low) * self.values[low + 1])

    @property
    def median(self) -> Floats:
        """Return the middle of the distribution at every size: (Q,)."""
        return self.quantile(0.5)

    def interval(self, level: float) -> tuple[Floats, Floats]:
        """Return low and high of the central interval at every size: (Q,) each."""
        return self.quantile(0.5 - level / 2), self.quantile(0.5 + level / 2)

    def beside(self, other: Predictive, share: float) -> Predictive:
        """Return both as one: quantiles averaged, so that agreement narrows nothing and doubt is kept."""
        values = (1 - share) * self.values + share * other.values
        weights = {name: (1 - share) * w for name, w in self.weights.items()}
        weights |= {name: share * w for name, w in other.weights.items()}
        notes = (other if share > 0.5 else self).notes
        return replace(self, values=values, weights=weights, notes=notes)

    def first(self, sizes: int) -> Predictive:
        """Return the distributions at so many of its sizes."""
        return replace(self, x=self.x[:sizes], values=self.values[:, :sizes])

    def missing(self, top: float) -> Predictive:
        """Return the distribution of what is left to the top."""
        return replace(self, values=top - self.values[::-1])

    def columns(self, names: Iterable[str], level: float = 0.8) -> Row:
        """Return the median at every size by its name, and both ends of its interval, each in a column."""
        low, high = self.interval(level)
        each = zip(names, self.median.tolist(), low.tolist(), high.tolist(), strict=True)
        return {k: v for one in each for k, v in estimated(*one).items()}

    def reached(self, target: float, *, rises: bool) -> Floats:
        """Return the probability that the metric is at least ``target`` (at most, where it falls): (Q,)."""
        below = np.array(
            [np.interp(target, v, self.probabilities, left=0.0, right=1.0) for v in self.values.T]
        )
        return 1.0 - below if rises else below


# Beyond this multiple of the largest size nothing is known, and no number is printed.
FARTHEST = 1000.0
HORIZONS = np.geomspace(1.0, FARTHEST, 241)
HORIZONS.flags.writeable = False


@dataclass(frozen=True, eq=False)
class Reach:
    """The probability that a target is reached by each size.

    Attributes
    ----------
    largest : the largest measured size.
    horizons : (H,), multiples of it, ascending from 1 to at most 1000.
    probability : (H,) float64
        That the target is reached by then; ascending. What is missing to 1 at the end is "later, or never".

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit.forecasting.predictive import Reach
    >>> reach = Reach(1e9, np.array([1.0, 10.0, 1000.0]), np.array([0.0, 0.5, 0.7]))
    >>> reach.within(10.0), round(reach.quantile(0.5)), reach.quantile(0.9)
    (0.5, 10000000000, inf)
    """

    largest: float
    horizons: Floats
    probability: Floats

    def within(self, times: float) -> float:
        """Return the probability that the target is reached by ``times`` the largest size."""
        return float(np.interp(np.log(times), np.log(self.horizons), self.probability))

    def quantile(self, probability: float) -> float:
        """Return the size by which the target is reached with this probability; inf where that is too far to say.

        It is the largest measured size where it may have been reached before.
        """
        at = int(np.searchsorted(self.probability, probability))
        if at == self.probability.size:
            return float("inf")
        if at == 0:
            return self.largest * float(self.horizons[0])
        ends = slice(at - 1, at + 1)
        ln = np.interp(probability, self.probability[ends], np.log(self.horizons[ends]))
        return self.largest * float(np.exp(ln))


def reach_of(largest: float, probability: Floats) -> Reach:
    """Return the reach from probabilities at :data:`HORIZONS`, made ascending: a target that was met stays met."""
    rising = np.clip(np.maximum.accumulate(probability), 0.0, 1.0)
    return Reach(largest, HORIZONS, rising)
