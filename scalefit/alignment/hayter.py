r"""Hayter's one-sided studentized range: exact distribution and critical values.

For ordered groups :math:`1 \dots K` with independent means the statistic is :math:`H = \max_{i<j} (z_i - z_j) / s`, the
largest *fall* from an earlier to a later group in units of the standard error of one mean. It holds over all pairs at
once, so it also says where the fall is.

Given the noise, the distribution follows from one recursion on the running maximum *m*:
a new value may not lie more than *h* below it,

.. math:: g_k(m) = g_{k-1}(m)\,[\Phi(m) - \Phi(m-h)] + \varphi(m) \int_{-\infty}^{m} g_{k-1},

and is then mixed over :math:`s \sim \sqrt{\chi^2_\nu / \nu}`. The tests hold it against the published table.

References
----------
Hayter, A. J. (1990). A one-sided studentized range test for testing against a simple ordered
alternative. *Journal of the American Statistical Association* 85, 778-785.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.polynomial import Chebyshev
from numpy.typing import ArrayLike
from scipy.special import ndtr

from scalefit.distributions import chi2_quantile, normal_density
from scalefit.types import Floats, Ints, Mask

_POINTS, _REACH, _NODES, _TOP, _DEGREE = 1201, 8.0, 96, 14.0, 80


@lru_cache(maxsize=64)
def later(sizes: int) -> Mask:
    """Return which pairs (K, K) are of an earlier and a later size."""
    return np.triu(np.ones((sizes, sizes), dtype=bool), 1)


def _known(heights: Floats, groups: int) -> Floats:
    """P(no fall above each height) for standard normals, the noise known."""
    grid = np.linspace(-_REACH, _REACH, _POINTS)
    step = grid[1] - grid[0]
    each = normal_density(grid)
    density = np.repeat(each[None], len(heights), axis=0)
    stay = ndtr(grid) - ndtr(grid[None] - heights[:, None])
    for _ in range(groups - 1):
        # Half of a point's own share lies below it: a plain sum would be off by the step, this by its square.
        below = np.cumsum(density, axis=1) * step - density * step / 2
        density = density * stay + each * below
    return np.asarray(density.sum(axis=1) * step)


@lru_cache(maxsize=1)
def _spread() -> tuple[Floats, Floats]:
    """Shares of a distribution at which it is read, and their weights."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    share = (nodes + 1) / 2
    # Crowds the nodes at both ends, where few degrees of freedom put their long tail.
    return share**2 * (3 - 2 * share), weights / 2 * 6 * share * (1 - share)


@lru_cache(maxsize=256)
def _mixing(nu: float) -> tuple[Floats, Floats]:
    """Nodes and weights of the law of s = sqrt(chi2_nu / nu)."""
    quantile, mass = _spread()
    return np.sqrt(chi2_quantile(quantile, nu) / nu), mass


@lru_cache(maxsize=64)
def _curve(groups: int) -> Chebyshev:
    """Return the distribution with known noise, as a polynomial in the height.

    It is analytic, so that 81 heights give it to rounding; a spline of 281 was good to eight digits, and
    ``scipy.interpolate`` takes as long to load as this module to answer.
    """
    return Chebyshev.interpolate(lambda h: _known(h, groups), _DEGREE, [0.0, _TOP])


def _equal(heights: Floats, groups: int) -> Floats:
    inside = np.clip(heights, 0.0, _TOP)
    return np.where(heights <= 0, 0.0, np.clip(_curve(groups)(inside), 0.0, 1.0))


def _tails(heights: Floats, groups: int, nu: float) -> Floats:
    """`sf` of heights (H,), each mixed over the noise."""
    if np.isinf(nu):
        return 1.0 - _equal(heights, groups)
    scale, mass = _mixing(float(nu))
    return 1.0 - np.clip(_equal(heights[:, None] * scale, groups) @ mass, 0.0, 1.0)


def sf(height: float, groups: int, nu: float) -> float:
    """Probability of a larger fall than `height` when nothing falls (the adjusted p value)."""
    return float(_tails(np.array([height]), groups, nu)[0])


@lru_cache(maxsize=1024)
def critical(groups: int, nu: float, alpha: float = 0.05) -> float:
    """Height that the largest fall passes with probability `alpha` when nothing falls.

    Examples
    --------
    >>> round(critical(6, 15), 2)  # Hayter (1990), table 1
    4.19
    """
    low, high = 0.0, 10.0
    while sf(high, groups, nu) > alpha:
        low, high = high, 2 * high
    for _ in range(3):  # a grid costs little more than one height; three narrow it to a line
        heights = np.linspace(low, high, 65)
        tails = _tails(heights, groups, nu)
        last = np.flatnonzero(tails > alpha)[-1]
        low, high = heights[last], heights[last + 1]
    return float(np.interp(-alpha, -tails[last : last + 2], heights[last : last + 2]))


@lru_cache(maxsize=256)
def _table(groups: int, nu: float) -> tuple[Floats, Floats]:
    heights = np.concatenate([np.linspace(0, 8, 81), np.geomspace(8.2, 200, 60)])
    # Logarithms of a tail are nearly straight, so few heights do; below 1e-9 rounding is all that is left of 1 − P.
    tail = np.maximum(_tails(heights, groups, nu), 1e-9)
    return heights, np.log(np.minimum.accumulate(tail))


def sf_many(heights: ArrayLike, groups: int, nu: float) -> Floats:
    """`sf` of many heights, interpolated in a cached table (error below 0.001 of p)."""
    at, logs = _table(groups, float(nu))
    given = np.asarray(heights, dtype=np.float64)
    return np.where(given <= 0, 1.0, np.exp(np.interp(given, at, logs)))


_FREEDOM = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 13, 17, 24, 36, 60, 120, 1e4])


@lru_cache(maxsize=64)
def _tables(groups: int) -> tuple[Floats, Floats]:
    """Log tail probabilities on the grid of :data:`_FREEDOM` (rows) and heights (columns)."""
    rows = [_table(groups, float(nu)) for nu in _FREEDOM]
    return rows[0][0], np.stack([logs for _, logs in rows])


def _between(nu: Floats) -> tuple[Ints, Floats]:
    """Row below each number of degrees of freedom, and the share of the row above, in 1/nu."""
    # In 1/ν quantiles are nearly straight, and known noise (ν = ∞) is as near as any other row.
    inverse = 1 / np.clip(nu, _FREEDOM[0], _FREEDOM[-1])
    row = np.clip(np.searchsorted(-1 / _FREEDOM, -inverse, side="right") - 1, 0, len(_FREEDOM) - 2)
    low, high = 1 / _FREEDOM[row], 1 / _FREEDOM[row + 1]
    return row, (low - inverse) / (low - high)


def critical_many(groups: int, nu: ArrayLike, alpha: float) -> Floats:
    """`critical` for many degrees of freedom, interpolated."""
    at, logs = _tables(groups)
    heights = np.array([np.interp(-np.log(alpha), -line, at) for line in logs])
    row, share = _between(np.asarray(nu, dtype=np.float64))
    return np.asarray((1 - share) * heights[row] + share * heights[row + 1])


def equivalent(heights: ArrayLike, groups: int, dof: Floats, nu: float) -> Floats:
    """Heights on `nu` degrees of freedom that are as rare as these on `dof`, fewer or equal.

    Parameters
    ----------
    heights : studentized falls; negative ones (rises) are taken by their size.
    groups : number of ordered groups.
    dof, nu : degrees of freedom of each height's own noise, and those of the common noise.
    """
    at, logs = _tables(groups)
    given = np.asarray(heights, dtype=np.float64)
    size = np.abs(np.nan_to_num(given))
    row, share = _between(dof)
    column = np.clip(np.searchsorted(at, size, side="right") - 1, 0, len(at) - 2)
    along = np.clip((size - at[column]) / (at[column + 1] - at[column]), 0.0, 1.0)
    upper, lower = (
        (1 - along) * logs[r, column] + along * logs[r, column + 1] for r in (row, row + 1)
    )
    own, common = _table(groups, float(nu))
    rare = np.interp(-((1 - share) * upper + share * lower), -common, own)
    return np.where(dof >= nu * (1 - 1e-9), given, np.sign(given) * rare)
