"""Did quality get worse? Falls between all pairs of sizes, with bounds that hold at once.

The test is Hayter's one-sided studentized range on run means. It speaks about every pair, so it
also says where the fall is. Hayter takes a constant curve as the worst case; where the curve
rises steeply, most pairs can never show a fall and the critical value may be smaller. Two steps
make use of that and keep the level (in the manner of Romano, Shaikh & Wolf 2014):

1. with probability 1 - 2 gamma alpha all rises are at least their simultaneous lower bounds L_ij,
   counted in the largest standard deviation that the noise may have;
2. the largest fall over the steepest curve that those bounds allow is tested at
   alpha (1 - 2 gamma). That curve is the shortest path from the first size when a step up costs
   L_ij and a step back costs nothing.

At a plateau all L_ij = 0 and this is Hayter's test at alpha (1 - 2 gamma).

The upper bound of the largest fall is an intersection-union: it is below a margin when *every*
pair is, each tested at level alpha, so it needs no correction for their number.

References
----------
Hayter, A. J. (1990). Journal of the American Statistical Association 85, 778-785.
Romano, J. P., Shaikh, A. M. & Wolf, M. (2014). A practical two-step method for testing moment
inequalities. Econometrica 82, 1979-2002.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from scalefit.alignment import hayter
from scalefit.alignment.noise import Noise
from scalefit.distributions import chi2_quantile, normal_density, t_quantile
from scalefit.types import Floats, Mask

_FLAT, _SMALL = 0.05, 1e-5


@dataclass(frozen=True, eq=False)
class Falls:
    """Falls from earlier to later sizes, for one table or many.

    Attributes
    ----------
    size : (..., K, K), ``effects[i] - effects[j]`` for i < j; nan elsewhere.
    swelled : (..., K, K), the same in standard errors of one mean, larger ones where a pair looks noisier.
    height : (..., K, K), the height that is as rare on the common noise's degrees of freedom as `swelled` on the pair's
        own.
    """

    size: Floats
    swelled: Floats
    height: Floats
    noise: Noise

    @property
    def largest(self) -> Floats:
        """Largest studentized fall, (...)."""
        return np.asarray(np.nanmax(self.height, axis=(-2, -1)))

    def upper(self, alpha: float) -> Floats:
        """Upper bound of the largest fall, (...), right with probability 1 - alpha."""
        return np.asarray(np.nanmax(self.size + self.reach(alpha), axis=(-2, -1)))

    def reach(self, alpha: float) -> Floats:
        """One-sided half-width of each difference by itself, (..., K, K)."""
        return np.asarray(_pair_height(self.noise.nu, alpha) * self.noise.step())

    def at_least(self, alpha: float) -> Floats:
        """Lower bounds of all falls, (..., K, K), that hold at once with probability 1 - alpha."""
        level = _level(alpha) if self.noise.balanced else alpha
        height = hayter.critical(self.height.shape[-1], self.noise.nu, level)
        return np.asarray(self.size - self.needed(height))

    def needed(self, height: float) -> Floats:
        """Falls (..., K, K) that come to this height, each by its own noise."""
        groups, noise = self.height.shape[-1], self.noise
        rare = max(hayter.sf(height, groups, noise.nu), 1e-9)
        own = hayter.critical_many(groups, noise.dof, rare)
        own = np.where(noise.dof >= noise.nu * (1 - 1e-9), height, own)
        return np.asarray(own * noise.swell * noise.step())

    @property
    def heights(self) -> Floats:
        """`height`, below zero outside i < j."""
        return np.nan_to_num(self.height, nan=-1.0)

    def path(self, alpha: float) -> Floats:
        """Standardised means that the curve surely reaches, (..., K)."""
        return _sure_rises(self.height, self.noise.nu, alpha)


def falls(noise: Noise, sign: float = 1.0) -> Falls:
    """Falls of `sign` x effects between all pairs of sizes; sign -1 gives the rises."""
    effects = sign * noise.effects
    size = effects[..., :, None] - effects[..., None, :]
    size = np.where(hayter.later(size.shape[-1]), size, np.nan)
    swelled = size / noise.step() / noise.swell
    height = hayter.equivalent(swelled, size.shape[-1], noise.dof, noise.nu)
    return Falls(size, swelled, height, noise)


def _pair_height(nu: float, alpha: float) -> float:
    """Critical height of one pair by itself: a t test in units of one mean's error."""
    return float(np.sqrt(2) * t_quantile(1 - alpha, nu))


def passes(seen: Falls, alpha: float) -> Mask:
    """Whether any pair falls beyond doubt at family level alpha, (...): the one that stands highest is asked."""
    top = seen.swelled >= np.nanmax(seen.swelled, axis=(-2, -1), keepdims=True)
    groups = seen.height.shape[-1]
    if not seen.noise.balanced:
        return np.asarray(seen.largest > hayter.critical(groups, seen.noise.nu, alpha))
    plain = seen.largest > hayter.critical(groups, seen.noise.nu, _level(alpha))
    return np.asarray(
        plain | _refined(seen, top & ~plain[..., None, None], alpha).any(axis=(-2, -1))
    )


def _level(alpha: float) -> float:
    """Level that is left after both preliminary bounds."""
    return alpha * (1 - 2 * _GAMMA)


def _refined(seen: Falls, asked: Mask, alpha: float) -> Mask:
    """Which of the asked pairs fall beyond doubt given the sure rises of the whole curve.

    Heights are taken on the common noise's degrees of freedom: few pairs can fall here, and the
    level holds without the pairs' own (docs/simulations/alignment.md, "Unequal noise").
    """
    groups, nu = seen.height.shape[-1], seen.noise.nu
    path, swelled = seen.path(alpha), np.nan_to_num(seen.swelled, nan=-1.0)
    yes = asked & (swelled > _pair_height(nu, alpha)) & (path[..., -1] > _FLAT)[..., None, None]
    if yes.any():
        paths = np.broadcast_to(path[..., None, None, :], (*yes.shape, groups))[yes]
        yes[yes] = _tail(paths, swelled[yes], nu) < _level(alpha)
    return yes


def p_values(seen: Falls) -> Floats:
    """Smallest family level at which each pair's fall is confirmed, (K, K), for one table."""
    plain = hayter.sf_many(seen.heights, seen.height.shape[-1], seen.noise.nu)
    if not seen.noise.balanced:
        return plain
    plain = np.minimum(plain / _level(1.0), 1.0)
    if seen.path(0.3)[-1] < _FLAT:
        return plain
    open_ = (seen.heights > 0) & (plain > _SMALL) & (plain < 0.5)
    for pair in zip(*np.nonzero(open_), strict=True):
        plain[pair] = min(plain[pair], _refined_p(seen, float(seen.swelled[pair])))
    return plain


def _refined_p(seen: Falls, height: float) -> float:
    """Solve ``_tail(path(alpha), height) = alpha (1 - 2 gamma)`` for alpha by bisection in its log."""
    nu = seen.noise.nu
    low, high = np.log(_SMALL), 0.0
    for _ in range(14):
        level = float(np.exp((low + high) / 2))
        path = seen.path(level)[None]
        # As in ``_refined``: without a sure rise at this level, pairs answer for their own noise.
        rises = path[0, -1] > _FLAT and height > _pair_height(nu, level)
        real = rises and _tail(path, np.array([height]), nu)[0] < _level(level)
        low, high = (low, float(np.log(level))) if real else (float(np.log(level)), high)
    return float(np.exp(high))


def lower(seen: Falls, alpha: float) -> float:
    """Lower bound of the largest fall of one table, right with probability 1 - alpha."""
    best = float(np.nanmax(seen.at_least(alpha)))
    if not seen.noise.balanced or seen.path(alpha)[-1] < _FLAT:
        return best
    refined = _refined_critical(seen, alpha) * seen.noise.swell * seen.noise.step()
    return max(best, float(np.nanmax(seen.size - refined)))


def _refined_critical(seen: Falls, alpha: float) -> float:
    nu, level = seen.noise.nu, _level(alpha)
    path = seen.path(alpha)[None]
    low = _pair_height(nu, alpha)
    high = hayter.critical(seen.height.shape[-1], nu, level)
    for _ in range(16):
        middle = (low + high) / 2
        enough = _tail(path, np.array([middle]), nu)[0] < level
        low, high = (low, middle) if enough else (middle, high)
    return high


_GAMMA = 0.03
"""Share of alpha that each of the two preliminary bounds takes."""
_NODES, _POINTS, _BATCH = 16, 121, 400


def _sure_rises(heights: Floats, nu: float, alpha: float) -> Floats:
    """Steepest standardised means, (..., K), that the rises surely reach.

    Parameters
    ----------
    heights : studentized falls (..., K, K); nan outside i < j.
    nu : degrees of freedom of the noise.
    alpha : level of the test that will use them.
    """
    groups = heights.shape[-1]
    gamma = _GAMMA * alpha
    widest = np.sqrt(nu / chi2_quantile(gamma, nu))
    sure = np.nan_to_num(-heights - hayter.critical(groups, nu, gamma), nan=0.0)
    cost = np.maximum(sure, 0.0) / widest
    cost = np.where(np.triu(np.ones((groups, groups), dtype=bool), 1), cost, 0.0)
    path = cost[..., 0, :].copy()
    for _ in range(groups):
        path = np.minimum(path, (path[..., :, None] + cost).min(axis=-2))
    return path


def _tail(path: Floats, height: Floats, nu: float) -> Floats:
    """P(largest studentized fall > height) for standardised means `path` (N, K), height (N,)."""
    scale, weights = _mixing(nu)
    exceeds = np.empty(len(path))
    for at in range(0, len(path), _BATCH):
        part = slice(at, at + _BATCH)
        reach = height[part, None] * scale
        exceeds[part] = 1 - _stays(path[part, None, :], reach) @ weights
    return exceeds


@lru_cache(maxsize=256)
def _mixing(nu: float) -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return np.sqrt(chi2_quantile((nodes + 1) / 2, nu) / nu), weights / 2


def _stays(path: Floats, reach: Floats) -> Floats:
    """P(no fall above reach), by the recursion of ``hayter`` on the running maximum."""
    unit = np.linspace(0.0, 1.0, _POINTS)
    low, top = path.min(axis=-1) - 5.5, path.max(axis=-1) + 5.5
    grid = low[..., None] + (top - low)[..., None] * unit
    step = (top - low) / (_POINTS - 1)
    density = normal_density(grid - path[..., :1]) * np.ones_like(reach)[..., None]
    for k in range(1, path.shape[-1]):
        centre = grid - path[..., k : k + 1]
        stay = ndtr(centre) - ndtr(centre - reach[..., None])
        below = (np.cumsum(density, axis=-1) - density / 2) * step[..., None]
        density = density * stay + np.exp(-(centre**2) / 2) / np.sqrt(2 * np.pi) * below
    return np.asarray(density.sum(axis=-1) * step)
