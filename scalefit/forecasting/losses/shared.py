"""What the curves of one table say of the laws together: how much each weighs before a curve is looked at.

A table's curves come from one task, one model, one way of measuring, and mostly follow one kind of law, but each
alone is too short to tell which. Evidences multiply, so the table tells: expectation and maximisation over the
shares of the laws, pulled to those before by a few curves' worth. Shapes are not shared: siblings as short as the
curve itself were measured to hurt there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalefit.types import Floats, Ints

PULL = 4.0  # curves that the shares before are worth
STEPS = 50
ENOUGH = 12  # curves that are asked: more tell little more and cost as much as their forecasts


@dataclass(frozen=True)
class LawShares:
    """Law -> its share before a curve is seen; they sum to 1.

    Attributes
    ----------
    shares : (L,) tuple of float
        In the order of the engine's laws.
    curves : int
        How many were asked.
    """

    shares: tuple[float, ...]
    curves: int


def shared_laws(log_evidence: Floats, before: Floats) -> Floats:
    """Return the shares (L,) that C curves with these log evidences (C, L) make likeliest, ``before`` (L,) known.

    Examples
    --------
    >>> import numpy as np
    >>> shared_laws(np.log([[0.5, 0.5]] * 3), np.array([0.5, 0.5])).tolist()
    [0.5, 0.5]
    >>> bool(shared_laws(np.log([[0.8, 0.2]] * 12), np.array([0.5, 0.5]))[0] > 0.8)
    True
    """
    likely = np.exp(log_evidence - log_evidence.max(axis=1, keepdims=True))
    shares = before
    for _ in range(STEPS):
        each = likely * shares
        each /= each.sum(axis=1, keepdims=True)
        shares = (each.sum(axis=0) + PULL * before) / (len(each) + PULL)
    return shares


def asked(curves: int) -> Ints:
    """Return which of so many curves are asked: all, or ENOUGH of them evenly spaced."""
    return np.linspace(0, curves - 1, min(curves, ENOUGH)).round().astype(np.int64)
