"""What repeated tokens are worth: the first epoch in full, later ones ever less."""

from __future__ import annotations

from typing import Any

import numpy as np

FLAT = 1e-9  # below, the decay of worth cannot be told from none


def effective(seen: Any, unique: Any, decay: Any) -> Any:
    """Return fresh tokens that ``seen`` tokens of ``unique`` distinct ones are worth.

    ``seen`` up to one epoch; beyond, U·(1 + (1 − e^(−λ·R))/λ) with R = seen/unique − 1 repetitions.
    With R* = 1/λ this is U + U·R*·(1 − e^(−R/R*)).
    """
    again = np.maximum(seen / unique - 1, 0.0)
    return np.minimum(seen, unique) + unique * _worth(again, decay)


def effective_slope(seen: Any, unique: Any, decay: Any) -> Any:
    """Return the derivative of :func:`effective` by the decay λ."""
    again = np.maximum(seen / unique - 1, 0.0)
    z = again * decay
    # (z·e^−z − (1 − e^−z)) / z² loses all digits near 0, where it is −1/2 + z/3 − z²/8
    safe = np.where(z < 1e-3, 1.0, z)
    exact = (safe * np.exp(-safe) + np.expm1(-safe)) / safe**2
    series = -0.5 + z * (1 / 3 - z / 8)
    return unique * again * again * np.where(z < 1e-3, series, exact)


def _worth(again: Any, decay: Any) -> Any:
    """Return (1 − e^(−λ·R))/λ, continued to R at λ = 0."""
    safe = np.maximum(decay, FLAT)
    return np.where(decay < FLAT, again, -np.expm1(-again * safe) / safe)
