"""Student's t, Fisher's F, chi-squared and ranks: the same numbers as ``scipy.stats``.

They come from ``scipy.special``: importing ``scipy.stats`` costs most of a second, more than many a command. What is
not here is written ``scipy.stats.levene`` after ``import scipy``, which loads it at the first use.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from scalefit.types import Floats


def t_quantile(share: ArrayLike, freedom: ArrayLike) -> Any:
    """Return the value below which a share of Student's t lies.

    Examples
    --------
    >>> round(float(t_quantile(0.975, 4)), 4)
    2.7764
    """
    return special.stdtrit(freedom, share)


def t_tail(value: ArrayLike, freedom: ArrayLike) -> Any:
    """Return the share of Student's t above a value.

    Examples
    --------
    >>> round(float(t_tail(2.7764, 4)), 4)
    0.025
    """
    return special.stdtr(freedom, -np.asarray(value, dtype=float))


def f_tail(ratio: ArrayLike, above: ArrayLike, below: ArrayLike) -> Any:
    """Return the share of Fisher's F above a ratio of variances.

    Examples
    --------
    >>> round(float(f_tail(6.5914, 3, 4)), 4)
    0.05
    """
    return special.fdtrc(above, below, ratio)


def f_share(ratio: ArrayLike, above: ArrayLike, below: ArrayLike) -> Any:
    """Return the share of Fisher's F below a ratio of variances, right to the last digit where it is tiny.

    Examples
    --------
    >>> round(float(f_share(6.5914, 3, 4)), 4)
    0.95
    """
    return special.fdtr(above, below, ratio)


def f_quantile(share: ArrayLike, above: ArrayLike, below: ArrayLike) -> Any:
    """Return the ratio below which a share of Fisher's F lies.

    Examples
    --------
    >>> round(float(f_quantile(0.95, 3, 4)), 4)
    6.5914
    """
    return special.fdtri(above, below, share)


def chi2_quantile(share: ArrayLike, freedom: ArrayLike) -> Any:
    """Return the value below which a share of chi-squared lies.

    Examples
    --------
    >>> round(float(chi2_quantile(0.95, 4)), 4)
    9.4877
    """
    return 2 * special.gammaincinv(np.asarray(freedom, dtype=float) / 2, share)


def normal_density(value: Floats) -> Floats:
    """Return the density of the standard normal."""
    return np.asarray(np.exp(-(value**2) / 2) / np.sqrt(2 * np.pi))


def ranks(values: Floats) -> Floats:
    """Return ranks (n,) from 1 on; equal values share the mean of theirs.

    Examples
    --------
    >>> ranks(np.array([3.0, 1.0, 3.0]))
    array([2.5, 1. , 2.5])
    """
    at, counts = np.unique(values, return_inverse=True, return_counts=True)[1:]
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[at.reshape(-1)])


def spearman(x: Floats, y: Floats) -> tuple[float, float]:
    """Return the correlation of the ranks and its two-sided p; nan where one does not vary.

    Examples
    --------
    >>> [round(v, 4) for v in spearman(np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 1, 4, 3, 5]))]
    [0.8, 0.1041]
    """
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan, np.nan
    rho = float(np.corrcoef(ranks(x), ranks(y))[0, 1])
    freedom = len(x) - 2
    least = 1e-300  # a perfect order has no spread
    # (1 + ρ)(1 − ρ), not 1 − ρ²: near a perfect order the square has lost the digits that are left.
    t = rho * np.sqrt(freedom / max((1 + rho) * (1 - rho), least))
    return rho, float(2 * t_tail(abs(t), freedom))
