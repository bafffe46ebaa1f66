"""How quality and cross-entropy move together, step by step.

Gordon, Duh & Kaplan (2021): BLEU = C exp(-k L) holds while both improve. Where quality no longer gains as cross-entropy
falls, the local slope has the wrong sign and cross-entropy misleads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalefit.alignment.curve import Curve, common
from scalefit.alignment.evidence import Piece, tokens
from scalefit.alignment.margin import Scale
from scalefit.distributions import spearman
from scalefit.types import Floats, Mask


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
