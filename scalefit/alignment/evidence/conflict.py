"""Cross-entropy improves while quality falls: an intersection-union test over pairs of sizes.

For sizes i < j both must hold: quality falls and the loss improves. The p value of a pair is the
larger of the two, each already adjusted for all pairs; that of the group is the smallest over
pairs. Asking for both costs no level, and hardly any power, as the loss half is rarely in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalefit.alignment.curve import common
from scalefit.alignment.margin import Scale

from .piece import Piece, Tested, tokens

__all__ = ["Conflict", "conflict"]


@dataclass(frozen=True, eq=False)
class Conflict(Piece):
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

    def line(self, scale: Scale) -> str:
        """Where loss improves most surely while quality falls."""
        return (
            f"cross-entropy improves while quality falls: p = {self.p:.2g} "
            f"({tokens(self.smaller)} → {tokens(self.larger)})"
        )


def conflict(fall: Tested, gain: Tested) -> Conflict | None:
    """Test the conjunction; None where fewer than two sizes have both metrics.

    Parameters
    ----------
    fall
        Fall test of quality.
    gain
        Fall test of the loss itself: a falling loss improves.
    """
    at, other = common(fall.sizes, gain.sizes)
    if len(at) < 2:
        return None
    both = np.maximum(fall.p[np.ix_(at, at)], gain.p[np.ix_(other, other)])
    # Among equally sure pairs the one with the larger fall is shown.
    falls = np.nan_to_num(fall.size[np.ix_(at, at)], nan=-np.inf)
    tied = np.where(both <= both.min() + 1e-12, falls, -np.inf)
    i, j = (int(v) for v in np.unravel_index(int(np.argmax(tied)), tied.shape))
    return Conflict(
        p=float(both.min()),
        smaller=float(fall.sizes[at[i]]),
        larger=float(fall.sizes[at[j]]),
        fall=float(fall.size[at[i], at[j]]),
        gain=float(gain.size[other[i], other[j]]),
    )
