"""When a target is reached: a probability for each multiple of the largest measured size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalefit.types import Floats

FARTHEST = (
    1000.0  # beyond this multiple of the largest size nothing is known, and no number is printed
)
HORIZONS = np.geomspace(1.0, FARTHEST, 241)
HORIZONS.flags.writeable = False


@dataclass(frozen=True, eq=False)
class Reach:
    """The probability that a target is reached by each size.

    Attributes
    ----------
    largest : float
        The largest measured size.
    horizons : (H,) float64
        Multiples of it, ascending from 1 to at most 1000.
    probability : (H,) float64
        That the target is reached by then; ascending. What is missing to 1 at the end is "later, or never".

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit.forecasting.reach import Reach
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
