"""Many tests at once: Holm keeps the family, Benjamini-Hochberg the share of errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from scalefit.types import Floats


def holm(p: ArrayLike) -> Floats:
    """Holm's adjusted p values: the chance of any false alarm in the family stays below alpha.

    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian
    Journal of Statistics 6, 65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * (len(values) - np.arange(len(values)))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def adjust(p: ArrayLike, method: str) -> Floats:
    """Adjust p values over a family.

    Parameters
    ----------
    p
        P values, (n,).
    method
        ``"holm"``; ``"bh"``, Benjamini & Hochberg (1995), Journal of the Royal Statistical
        Society B 57, 289-300; or ``"none"``.

    Raises
    ------
    ValueError
        The method is none of these.

    Examples
    --------
    >>> adjust([0.01, 0.04, 0.03], "bh").round(2).tolist()
    [0.03, 0.04, 0.04]
    """
    values = np.asarray(p, dtype=float)
    if method not in ("holm", "bh", "none"):
        raise ValueError(f"method is {method!r}; needed 'holm', 'bh' or 'none'")
    if method == "none" or not len(values):
        return values
    return holm(values) if method == "holm" else _benjamini_hochberg(values)


def _benjamini_hochberg(values: Floats) -> Floats:
    # Not scipy.stats.false_discovery_control, which a test compares it with: loading scipy.stats takes as long as
    # judging the lab.
    order = np.argsort(values, kind="stable")[::-1]
    scaled = values[order] * len(values) / np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return adjusted
