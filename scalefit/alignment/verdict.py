"""From evidence to a verdict, by rules that are read from top to bottom.

The first rule that holds gives the verdict:

1. ``harmful``: the largest size is surely below no pretraining.
2. ``fluctuating`` / ``deteriorating``: some fall is beyond doubt and may exceed the margin. It is
   fluctuating when quality comes back by at least half of it, else deteriorating. Both are read
   off the same test, so that naming the shape costs no error rate.
3. With "no fall beyond the margin" confirmed: ``saturated`` when the last sizes are also
   confirmed flat within the margin, ``aligned`` when quality surely rises and a law follows it.
4. ``inconclusive`` otherwise. Not having seen a fall is never called aligned.

One seed a size cannot confirm; there, rule 3 is read off the estimates and the answer is
provisional.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .evidence import Evidence

__all__ = ["VERDICTS", "Decision", "decide"]

Floats = NDArray[np.float64]
_TAIL = 8.0

VERDICTS = ("harmful", "deteriorating", "fluctuating", "inconclusive", "saturated", "aligned")
"""All verdicts, worst first."""


@dataclass(frozen=True)
class Decision:
    """A verdict, the pair's flag, and how strong both are.

    Attributes
    ----------
    verdict : one of :data:`VERDICTS`.
    flag : "misaligned", "suspected" or "".
    strength : "confirmed", "these checkpoints only", "provisional" or "open".
    scope : what the answer is about, in words.
    """

    verdict: str
    flag: str
    strength: str
    scope: str


SCOPES = {
    "procedure": "the pretraining procedure",
    "checkpoints": "these checkpoints only: one pretraining run, several finetuning seeds",
    "single": "not testable against seed noise: one run a size",
}
STRENGTHS = {
    "procedure": "confirmed",
    "checkpoints": "these checkpoints only",
    "single": "provisional",
}


def decide(found: Evidence, alpha: float) -> Decision:
    """Return the verdict of one curve at level `alpha`."""
    level = found.quality.level
    verdict = _verdict(found, alpha)
    strength = "open" if verdict == "inconclusive" else STRENGTHS[level]
    flag = ""
    if verdict in VERDICTS[:3] and found.p_misaligned <= alpha:
        flag = "misaligned" if level == "procedure" else "suspected"
    return Decision(verdict, flag, strength, SCOPES[level])


def _verdict(found: Evidence, alpha: float) -> str:
    if found.value is not None and found.value.p_harm <= alpha:
        return "harmful"
    if found.p_fall <= alpha and found.fall.upper >= found.scale.margin:
        return "fluctuating" if comes_back(found) else "deteriorating"
    if found.quality.level == "single":
        return _provisional(found)
    return _confirmed(found, alpha)


def comes_back(found: Evidence) -> bool:
    """Whether a fall beyond doubt is regained by half, and is not dwarfed by a later one."""
    y = found.scale.sign * found.quality.means
    sizes = np.nan_to_num(found.fall.size, nan=0.0)
    largest = float(np.max(np.where(found.fall.real, sizes, 0.0)))
    for i, j in np.argwhere(found.fall.real):
        regained = float(y[j:].max() - y[j])
        if regained >= 0.5 * sizes[i, j] and sizes[i, j] >= 0.5 * largest:
            return True
    return False


def _confirmed(found: Evidence, alpha: float) -> str:
    """Rules 3 and 4 with replicates."""
    if found.fall.upper >= found.scale.margin or len(found.quality.sizes) < 3:
        return "inconclusive"
    start = tail_start(found.quality.sizes)
    late = (found.rise.size + found.rise.reach)[start:, start:]
    if float(np.nanmax(late)) < found.scale.margin:
        return "saturated"
    if found.rise.p_value <= alpha and follows_law(found, alpha):
        return "aligned"
    return "inconclusive"


def _provisional(found: Evidence) -> str:
    """Rules 3 and 4 from the estimates of single runs."""
    y, margin = found.scale.sign * found.quality.means, found.scale.margin
    fall, start = max(found.fall.estimate, 0.0), tail_start(found.quality.sizes)
    at_best = y[-1] >= y.max() - margin
    if len(y) < 3 or fall > (2 * margin if at_best else margin):
        return "inconclusive"
    if start > 0 and float(np.abs(y[start:] - y[-1]).max()) <= margin:
        return "saturated"
    rises = found.rise.found or y[-1] - y[0] > found.scale.reference * 3.7
    return "aligned" if rises and at_best else "inconclusive"


def tail_start(sizes: Floats) -> int:
    """First of the last sizes whose flatness means saturation: three, over a factor of eight."""
    start = max(len(sizes) - 3, 0)
    while start > 0 and sizes[-1] / sizes[start] < _TAIL:
        start -= 1
    return start


def follows_law(found: Evidence, alpha: float) -> bool:
    """Whether some law follows the curve and, fitted to smaller sizes, does not promise too much."""
    margin = found.scale.margin
    fits = any(not fit.p <= alpha or fit.worst < margin for fit in found.lack)
    ahead = found.ahead
    kept = ahead is None or bool((ahead.low - ahead.measured < margin).all())
    return (fits or not found.lack) and kept
