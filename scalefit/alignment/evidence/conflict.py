"""Cross-entropy improves while quality falls: an intersection-union test over pairs of sizes.

For sizes i < j both must hold: quality falls and the loss improves. The p value of a pair is the
larger of the two, each already adjusted for all pairs; that of the group is the smallest over
pairs. Asking for both costs no level, and hardly any power, as the loss half is rarely in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalefit.alignment.curve import common
from scalefit.alignment.evidence.piece import Piece, Tested, tokens
from scalefit.alignment.margin import Scale
from scalefit.types import Floats

# Cross-entropy gets worse while quality rises: it would throw away a corpus that helps.
#
# For some sizes i < j both must exceed their margins, each by lower bounds that hold over all pairs
# at once; asking for both costs no level (an intersection-union test).


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
