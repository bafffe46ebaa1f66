r"""Where the curve surely rises, a fall is easier to tell: the refinement of Hayter's test.

Hayter's test takes a constant curve as the worst case. Where the curve rises steeply, most pairs
can never show a fall and the critical value may be smaller. Two steps make use of that and keep
the level (in the manner of Romano, Shaikh & Wolf 2014):

1. with probability :math:`1 - 2\gamma\alpha` all rises are at least their simultaneous lower
   bounds :math:`L_{ij}`, counted in the largest standard deviation the noise may have;
2. the largest fall over the steepest curve that those bounds allow is tested at
   :math:`\alpha(1 - 2\gamma)`. That curve is the shortest path from the first size when a step
   up costs :math:`L_{ij}` and a step back costs nothing.

At a plateau all :math:`L_{ij} = 0` and this is Hayter's test at :math:`\alpha(1 - 2\gamma)`.

References
----------
Romano, J. P., Shaikh, A. M. & Wolf, M. (2014). A practical two-step method for testing moment
inequalities. *Econometrica* 82, 1979-2002.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import ndtr

from . import hayter

__all__ = ["GAMMA", "sure_rises", "tail"]

Floats = NDArray[np.float64]
GAMMA = 0.03
"""Share of alpha that each of the two preliminary bounds takes."""
_NODES, _POINTS, _BATCH = 16, 121, 400


def sure_rises(heights: Floats, nu: float, alpha: float) -> Floats:
    """Steepest standardised means, (..., K), that the rises surely reach.

    Parameters
    ----------
    heights
        Studentized falls (..., K, K); nan outside i < j.
    nu
        Degrees of freedom of the noise.
    alpha
        Level of the test that will use them.
    """
    groups = heights.shape[-1]
    gamma = GAMMA * alpha
    widest = np.sqrt(nu / stats.chi2.ppf(gamma, nu))
    sure = np.nan_to_num(-heights - hayter.critical(groups, nu, gamma), nan=0.0)
    cost = np.maximum(sure, 0.0) / widest
    cost = np.where(np.triu(np.ones((groups, groups), dtype=bool), 1), cost, 0.0)
    path = cost[..., 0, :].copy()
    for _ in range(groups):
        path = np.minimum(path, (path[..., :, None] + cost).min(axis=-2))
    return path


def tail(path: Floats, height: Floats, nu: float) -> Floats:
    """P(largest studentized fall > height) for standardised means `path` (N, K), height (N,)."""
    scale, weights = _mixing(nu)
    found = np.empty(len(path))
    for at in range(0, len(path), _BATCH):
        part = slice(at, at + _BATCH)
        reach = height[part, None] * scale
        found[part] = 1 - _stays(path[part, None, :], reach) @ weights
    return found


@lru_cache(maxsize=256)
def _mixing(nu: float) -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return np.sqrt(stats.chi2.ppf((nodes + 1) / 2, nu) / nu), weights / 2


def _stays(path: Floats, reach: Floats) -> Floats:
    """P(no fall above reach), by the recursion of ``hayter`` on the running maximum."""
    unit = np.linspace(0.0, 1.0, _POINTS)
    low, top = path.min(axis=-1) - 5.5, path.max(axis=-1) + 5.5
    grid = low[..., None] + (top - low)[..., None] * unit
    step = (top - low) / (_POINTS - 1)
    density = stats.norm.pdf(grid - path[..., :1]) * np.ones_like(reach)[..., None]
    for k in range(1, path.shape[-1]):
        centre = grid - path[..., k : k + 1]
        stay = ndtr(centre) - ndtr(centre - reach[..., None])
        below = (np.cumsum(density, axis=-1) - density / 2) * step[..., None]
        density = density * stay + np.exp(-(centre**2) / 2) / np.sqrt(2 * np.pi) * below
    return np.asarray(density.sum(axis=-1) * step)
