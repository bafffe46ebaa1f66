"""How quality and cross-entropy move together: between two sizes beyond doubt, and step by step.

Two conjunctions are tested over pairs of sizes i < j. *Conflict*: quality falls and the loss improves. The p value of a
pair is the larger of the two, each already adjusted for all pairs; that of the group is the smallest over pairs. Asking
for both costs no level (an intersection-union test), and hardly any power, as the loss half is rarely in doubt.
*Underrated*: the loss gets worse while quality rises, each beyond its margin by lower bounds that hold over all pairs
at once; such a loss would throw away a corpus that helps.

Gordon, Duh & Kaplan (2021): BLEU = C exp(-k L) holds while both improve. Where quality no longer gains as cross-entropy
falls, the local slope has the wrong sign and cross-entropy misleads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scalefit.alignment.curve import Curve, common
from scalefit.alignment.margin import Scale
from scalefit.distributions import spearman
from scalefit.types import Floats, Ints, Mask

from . import Piece, tokens

if TYPE_CHECKING:
    from .fall import FallTest


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


def underrated(
    rise: FallTest, loss: FallTest, margin: float, loss_margin: float
) -> Underrated | None:
    """Find such a pair; None where there is none beyond doubt.

    Parameters
    ----------
    rise : fall test of quality with the sign turned.
    loss : fall test of what the loss gains: where it falls, the loss gets worse.
    margin, loss_margin : differences that do not matter, in each metric's units.
    """
    shared = _shared(rise, loss)
    if shared is None:
        return None
    here, there = shared
    both = np.minimum(
        _beyond(rise.at_least[here], margin), _beyond(loss.at_least[there], loss_margin)
    )
    return Underrated(*_largest(both, rise, here, loss, there)) if (both > 0).any() else None


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


def conflict(fall: FallTest, gain: FallTest) -> Conflict | None:
    """Test the conjunction; None where fewer than two sizes have both metrics.

    Parameters
    ----------
    fall : fall test of quality.
    gain : fall test of the loss itself: a falling loss improves.
    """
    shared = _shared(fall, gain)
    if shared is None:
        return None
    here, there = shared
    both = np.maximum(fall.p[here], gain.p[there])
    # Among equally sure pairs the one with the larger fall is shown.
    falls = np.nan_to_num(fall.size[here], nan=-np.inf)
    tied = np.where(both <= both.min() + 1e-12, falls, -np.inf)
    return Conflict(float(both.min()), *_largest(tied, fall, here, gain, there))


_Places = tuple[Ints, ...]


def _shared(one: FallTest, other: FallTest) -> tuple[_Places, _Places] | None:
    """Return where all pairs of common sizes stand in either test; None where fewer than two sizes are common."""
    at, beside = common(one.sizes, other.sizes)
    return None if len(at) < 2 else (np.ix_(at, at), np.ix_(beside, beside))


def _largest(
    score: Floats, one: FallTest, here: _Places, other: FallTest, there: _Places
) -> tuple[float, float, float, float]:
    """Return the pair of sizes whose score is largest, and how far either falls between them."""
    i, j = np.unravel_index(int(np.argmax(score)), score.shape)
    sizes = one.sizes[here[1][0]]
    change = one.size[here][i, j], other.size[there][i, j]
    return float(sizes[i]), float(sizes[j]), float(change[0]), float(change[1])


@dataclass(frozen=True, eq=False)
class Relation(Piece):
    """Quality against cross-entropy over the sizes that have both.

    Attributes
    ----------
    sizes, loss, quality : (K,) means at the common sizes.
    slopes : (K - 1,) change of quality for each nat gained, step by step; negative misleads.
    misleading : (K - 1,) steps where loss improves and quality worsens.
    turn : pretraining tokens at the best quality if loss goes on improving after it, else None.
    rank : Spearman correlation between quality and falling loss.
    gordon : (C, k) of quality = C exp(-k loss), or None where quality is not positive.
    residual : measured minus Gordon's curve at the largest size, in the metric's units.
    """

    sizes: Floats
    loss: Floats
    quality: Floats
    slopes: Floats
    misleading: Mask
    turn: float | None
    rank: float
    gordon: tuple[float, float] | None
    residual: float

    def line(self, scale: Scale) -> str:
        """How many steps mislead, where the relation turns, and how far off Gordon's curve it is."""
        steps = int(self.misleading.sum())
        said = f"{steps} of {len(self.slopes)} steps mislead, rank correlation {self.rank:.2f}"
        if self.turn is not None:
            said += f", best quality at {tokens(self.turn)} tokens while loss goes on improving"
        if np.isfinite(self.residual):
            said += f", {scale.digits(self.residual)} off Gordon's curve at the end"
        return f"quality against cross-entropy: {said}"


def relate(quality: Curve, loss: Curve, sign: float) -> Relation | None:
    """Relate quality and loss; None where fewer than three sizes have both."""
    at, other = common(quality.sizes, loss.sizes)
    if len(at) < 3:
        return None
    q, l_ = quality.means[at], loss.means[other]
    gained, nats = sign * np.diff(q), -np.diff(l_)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(np.abs(nats) > 1e-9, gained / nats, np.nan)
    best = int(np.argmax(sign * q))
    turned = best < len(q) - 1 and l_[-1] < l_[best]
    gordon, residual = _gordon(q, l_) if sign > 0 and (q > 0).all() else (None, float("nan"))
    varied = np.ptp(q) > 0 and np.ptp(l_) > 0
    return Relation(
        sizes=quality.sizes[at],
        loss=l_,
        quality=q,
        slopes=slopes,
        misleading=(nats > 0) & (gained < 0),
        turn=float(quality.sizes[at][best]) if turned else None,
        rank=spearman(sign * q, -l_)[0] if varied else float("nan"),
        gordon=gordon,
        residual=residual,
    )


def _gordon(q: Floats, loss: Floats) -> tuple[tuple[float, float], float]:
    slope, constant = np.polyfit(loss, np.log(q), 1)
    residual = q[-1] - np.exp(constant + slope * loss[-1])
    return (float(np.exp(constant)), float(-slope)), float(residual)
