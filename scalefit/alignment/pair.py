"""Cross-entropy improves while quality falls: an intersection-union test over pairs of sizes.

For sizes i < j both must hold: quality falls and the loss improves. The p value of a pair is the
larger of the two, each already adjusted for all pairs; that of the group is the smallest over
pairs. Asking for both costs no level, and hardly any power, as the loss half is rarely in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cells import Cells
from .falltest import FallTest
from .relation import common

__all__ = ["Pair", "pair_test"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pair:
    """The pair of sizes that speaks most against cross-entropy.

    Attributes
    ----------
    p : p value of "somewhere loss improves and quality falls".
    smaller, larger : the sizes.
    fall : how far quality falls between them.
    gain : how far loss improves between them.
    """

    p: float
    smaller: float
    larger: float
    fall: float
    gain: float


def pair_test(quality: Cells, fall: FallTest, loss: Cells, rise: FallTest) -> Pair | None:
    """Test the conjunction; None where fewer than two sizes have both metrics.

    Parameters
    ----------
    quality, loss
        The two curves.
    fall
        Fall test of quality.
    rise
        Fall test of the loss itself: a falling loss improves.
    """
    at, other = common(quality.sizes, loss.sizes)
    if len(at) < 2:
        return None
    both = np.maximum(fall.p[np.ix_(at, at)], rise.p[np.ix_(other, other)])
    # Among equally sure pairs the one with the larger fall is shown.
    falls = np.nan_to_num(fall.size[np.ix_(at, at)], nan=-np.inf)
    tied = np.where(both <= both.min() + 1e-12, falls, -np.inf)
    i, j = (int(v) for v in np.unravel_index(int(np.argmax(tied)), tied.shape))
    return Pair(
        p=float(both.min()),
        smaller=float(quality.sizes[at[i]]),
        larger=float(quality.sizes[at[j]]),
        fall=float(fall.size[at[i], at[j]]),
        gain=float(rise.size[other[i], other[j]]),
    )
