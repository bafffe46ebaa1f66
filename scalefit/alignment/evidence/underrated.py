"""Cross-entropy gets worse while quality rises: it would throw away a corpus that helps.

For some sizes i < j both must exceed their margins, each by lower bounds that hold over all pairs
at once; asking for both costs no level (an intersection-union test).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalefit.alignment.curve import common
from scalefit.alignment.margin import Scale
from scalefit.types import Floats

from .piece import Piece, Tested, tokens

__all__ = ["Underrated", "underrated"]


@dataclass(frozen=True)
class Underrated(Piece):
    """The pair of sizes over which quality surely rises while the loss surely gets worse.

    Attributes
    ----------
    smaller, larger : the sizes.
    rise : how far quality rises between them.
    loss : how far the loss gets worse between them.
    """

    smaller: float
    larger: float
    rise: float
    loss: float

    def line(self, scale: Scale) -> str:
        """Where, and by how much."""
        return (
            f"cross-entropy gets worse by {self.loss:.2g} while quality rises by "
            f"{scale.digits(self.rise)} ({tokens(self.smaller)} → {tokens(self.larger)})"
        )


def underrated(rise: Tested, loss: Tested, margin: float, loss_margin: float) -> Underrated | None:
    """Find such a pair; None where there is none beyond doubt.

    Parameters
    ----------
    rise
        Fall test of quality with the sign turned.
    loss
        Fall test of what the loss gains: where it falls, the loss gets worse.
    margin, loss_margin
        Differences that do not matter, in each metric's units.
    """
    at, other = common(rise.sizes, loss.sizes)
    if len(at) < 2:
        return None
    here, there = np.ix_(at, at), np.ix_(other, other)
    both = np.minimum(
        _beyond(rise.at_least[here], margin), _beyond(loss.at_least[there], loss_margin)
    )
    i, j = (int(v) for v in np.unravel_index(int(np.argmax(both)), both.shape))
    if not both[i, j] > 0:
        return None
    return Underrated(
        smaller=float(rise.sizes[at[i]]),
        larger=float(rise.sizes[at[j]]),
        rise=float(rise.size[at[i], at[j]]),
        loss=float(loss.size[other[i], other[j]]),
    )


def _beyond(at_least: Floats, margin: float) -> Floats:
    """Lower bounds in excess of the margin, in margins; below 0 outside i < j."""
    return np.asarray(np.nan_to_num(at_least / margin - 1, nan=-1.0))
