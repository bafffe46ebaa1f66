"""The second way to quality: forecast cross-entropy, and read quality off it by a slope that corpora share.

A curve's quality goes on from its last value by the slope d quality / d loss, the median over the table's curves, times
what its loss is forecast to change. How far this way is trusted beside the direct one is what held-out sizes of the
table say. Where cross-entropy misleads (a misaligned corpus), the way is closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from scalefit.forecasting.backtest import LEAST
from scalefit.forecasting.engines import Engine
from scalefit.forecasting.predictive import Predictive
from scalefit.forecasting.series import Series
from scalefit.types import Floats

SHARES = np.linspace(0.0, 1.0, 5)
_PULL = 0.05  # of the error's own size: a quarter of trust must buy this much in held-out error


@dataclass(frozen=True, eq=False)
class _Pair:
    """The quality and the loss of one curve, at the sizes where both were measured."""

    quality: Series
    loss: Series

    def head(self, k: int) -> _Pair:
        """Return the k smallest sizes."""
        return _Pair(self.quality.head(k), self.loss.head(k))


@dataclass(frozen=True)
class Way:
    """What a table teaches about the way through the loss.

    Attributes
    ----------
    slope : d quality / d loss, the median over its curves.
    spread : variance of quality about what the slope says, from one size to the next, in quality's units squared.
    share : how far it is trusted beside the direct way, 0 to 1.
    held : how many held-out sizes set the share.
    """

    slope: float
    spread: float
    share: float
    held: int


def pair_of(quality: Series, loss: Series) -> _Pair | None:
    """Return both curves at their common sizes; None with fewer than two."""
    both, at, there = np.intersect1d(quality.x, loss.x, return_indices=True)
    if both.size < 2:
        return None
    return _Pair(quality.at(at), loss.at(there))


def learn_way(pairs: Sequence[_Pair], direct: Engine, through: Engine) -> Way | None:
    """Return what the table's pairs teach; None where no slope can be had."""
    line = _line(pairs)
    if line is None:
        return None
    slope, spread = line
    errors = [row for back in (1, 2) for row in _errors(pairs, back, direct, through)]
    if not errors:
        return Way(slope, spread, 0.0, 0)
    miss = np.array(errors)  # (held-out sizes, 2): what each way misses
    scale = float(np.mean(np.abs(miss[:, 0]))) or 1.0
    cost = [
        float(np.mean(np.abs((1 - w) * miss[:, 0] + w * miss[:, 1]))) + _PULL * scale * 4 * w
        for w in SHARES
    ]
    return Way(slope, spread, float(SHARES[int(np.argmin(cost))]), len(errors))


def through_loss(pair: _Pair, loss: Predictive, way: Way) -> Predictive:
    """Return quality at the sizes of a forecast of the loss, by the slope from the last measured pair."""
    low, high = loss.interval(0.8)
    sd = (high - low) / (2 * ndtri(0.9))
    centre = pair.quality.y[-1] + way.slope * (loss.median - pair.loss.y[-1])
    steps = np.maximum(np.log(loss.x / pair.quality.x[-1]), 0.0)
    variance = (way.slope * sd) ** 2 + way.spread * (1 + steps)
    values = centre + ndtri(loss.probabilities)[:, None] * np.sqrt(variance)
    clipped = np.clip(values, pair.quality.bottom, pair.quality.top)
    return replace(loss, values=clipped, weights={"through loss": 1.0})


def _line(pairs: Sequence[_Pair]) -> tuple[float, float] | None:
    slopes, rest = [], []
    for pair in pairs:
        k = max(3, (len(pair.quality) + 1) // 2)
        x, y = pair.loss.y[-k:], pair.quality.y[-k:]
        z = x - x.mean()
        if z.size >= 2 and z @ z > 0:
            slopes.append(float(z @ y / (z @ z)))
    if not slopes:
        return None
    slope = float(np.median(slopes))
    for pair in pairs:
        rest += (np.diff(pair.quality.y) - slope * np.diff(pair.loss.y)).tolist()
    # Over the median of χ² with one degree of freedom.
    return slope, float(np.median(np.square(rest)) / 0.455)


def _errors(
    pairs: Sequence[_Pair], back: int, direct: Engine, through: Engine
) -> list[tuple[float, float]]:
    """Return what both ways miss the first held-out size by, when ``back`` sizes are held out."""
    kept = [p for p in pairs if len(p.quality) - back >= LEAST]
    heads = [p.head(len(p.quality) - back) for p in kept]
    line = _line(heads) if heads else None
    if line is None:
        return []
    way = Way(*line, share=1.0, held=0)
    at: list[Floats] = [p.quality.x[-back:][:1] for p in kept]
    quality, loss = [h.quality for h in heads], [h.loss for h in heads]
    straight = direct.forecast(direct.settle(quality, direct.learn(quality)), at, "run")
    losses = through.forecast(through.settle(loss, through.learn(loss)), at, "run")
    return [
        (
            float(p.quality.y[-back] - s.median[0]),
            float(p.quality.y[-back] - through_loss(h, one, way).median[0]),
        )
        for p, h, s, one in zip(kept, heads, straight, losses, strict=True)
    ]
