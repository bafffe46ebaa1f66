"""How quality moves with cross-entropy: local slopes, where the relation turns, Gordon's curve.

Gordon, Duh & Kaplan (2021): BLEU = C exp(-k L) holds while both improve. Where quality no longer
gains as cross-entropy falls, the local slope has the wrong sign and cross-entropy misleads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .cells import Cells

__all__ = ["Relation", "relate"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Relation:
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
    misleading: NDArray[np.bool_]
    turn: float | None
    rank: float
    gordon: tuple[float, float] | None
    residual: float


def relate(quality: Cells, loss: Cells, sign: float) -> Relation | None:
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
        rank=float(stats.spearmanr(sign * q, -l_).statistic) if varied else float("nan"),
        gordon=gordon,
        residual=residual,
    )


def common(
    sizes: Floats, others: Floats, near: float = 1.1
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of the sizes that both curves have, closer than 10 %."""
    pairs = [
        (i, int(j))
        for i, size in enumerate(sizes)
        if abs(np.log(others[j := np.argmin(np.abs(np.log(others / size)))] / size)) <= np.log(near)
    ]
    found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _gordon(q: Floats, loss: Floats) -> tuple[tuple[float, float], float]:
    slope, constant = np.polyfit(loss, np.log(q), 1)
    return (float(np.exp(constant)), float(-slope)), float(
        q[-1] - np.exp(constant + slope * loss[-1])
    )
