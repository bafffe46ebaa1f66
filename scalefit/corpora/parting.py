"""How corpora of one setting part from what they share: straight lines in ln size that chance blurs.

A test set that is easier than thought and a plateau that all corpora reach move their curves together. Forecasts one
by one count such doubt once a corpus, and a choice between them then looks less sure than it is. Differences are
simpler than curves: a curve is split into the course that all share, one level a size, and a corpus' own part

    δ_i(u) = a (g0 + b·g1·t + c·w(t)),    t = (u − mean u) / span,    u = ln size,

with g standard normal and w an integrated Wiener path (a bend), all measured in the noise of one run. Amplitudes a, b
and c are integrated over a grid, the noise in closed form. Corpora that differ by no more than chance are so drawn
together, and the best of K is not praised for its luck (Gelman et al., Bayesian Data Analysis, section 5.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from scalefit.forecasting.series import Series
from scalefit.types import Floats

LEVELS = {0.3: 0.10, 1.0: 0.25, 3.0: 0.35, 10.0: 0.20, 30.0: 0.05, 100.0: 0.03, 1000.0: 0.02}
SLOPES = {0.0: 0.55, 0.1: 0.20, 0.3: 0.17, 1.0: 0.08}  # half of all tables: parallel, or as good as
BENDS = {0.0: 0.92, 0.3: 0.08}
GRID = np.array(list(product(LEVELS, SLOPES, BENDS)))
PRIOR = np.array([LEVELS[a] * SLOPES[b] * BENDS[c] for a, b, c in GRID])
# Curves flatten, and so do their differences: beyond the data most draws go on for two e-folds more, the rest for ever.
DAMPED, FLATTENING = 0.9, 2.0
TOUCHING = 2  # sizes that a corpus must share with another one


@dataclass(frozen=True, eq=False)
class Parting:
    """What C corpora's own parts may be, given means at K shared sizes.

    Attributes
    ----------
    u : (K,) float64
        ln size, ascending.
    own : (C, K) float64
        Means less what corpora share; 0 where a corpus was not measured.
    noise : (C, K) float64
        Variance of each mean in units of one run's; infinite where there is none.
    squares, freedom : (G,) float64 and float
        Of the noise's posterior at every point of the grid.
    chance : (G,) float64
        Posterior of the grid's points.
    logs : bool
        Whether means are ln of the metric: losses differ by factors.
    """

    u: Floats
    own: Floats
    noise: Floats
    squares: Floats
    freedom: float
    chance: Floats
    logs: bool

    @property
    def noise_sd(self) -> float:
        """Standard deviation of one run, as expected."""
        return float(np.sqrt(self.chance @ self.squares / max(self.freedom - 2, 1.0)))

    def draws(self, sizes: Floats, count: int, seed: int = 0) -> Floats:
        """Draw the corpora's own parts at sizes (Q,): (C, count, Q)."""
        rng, v = np.random.default_rng(seed), np.log(sizes)
        flat = self.u[-1] + FLATTENING * -np.expm1(-np.maximum(v - self.u[-1], 0) / FLATTENING)
        damped = round(DAMPED * count)
        parts = [
            self._drawn(cell, many, at, rng)
            for at, share in ((np.minimum(v, flat), damped), (v, count - damped))
            for cell, many in enumerate(rng.multinomial(share, self.chance))
            if many
        ]
        return np.concatenate(parts, axis=1)

    def _drawn(self, cell: int, count: int, v: Floats, rng: np.random.Generator) -> Floats:
        """Draw at one point of the grid: paths from the prior, moved by what the data say of them (Matheron's rule)."""
        corpora, k = self.own.shape
        t = _places(np.concatenate([self.u, v]), self.u)
        values, vectors = np.linalg.eigh(_kernel(t, GRID[cell : cell + 1])[0])
        paths = (
            rng.standard_normal((corpora, count, t.size))
            @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
        )
        measured = np.isfinite(self.noise)
        sd = np.sqrt(np.where(measured, self.noise, 0.0))[:, None]
        seen = paths[..., :k] + sd * rng.standard_normal((corpora, count, k))
        scale = np.sqrt(self.squares[cell] / rng.chisquare(self.freedom, count))[:, None]
        between = (vectors * values) @ vectors.T
        gain = np.linalg.solve(
            _covariance(between[None, :k, :k], self.noise)[0],
            np.where(measured[..., None], between[:k, k:], 0.0),
        )
        return np.asarray(scale * paths[..., k:] + (self.own[:, None] - scale * seen) @ gain)


def parting(curves: Sequence[Series], logs: bool) -> Parting | None:
    """Return how curves of one setting part; None where they share too few sizes to be told apart by them."""
    if len(curves) < 2:
        return None
    sizes, counts = np.unique(np.concatenate([c.x for c in curves]), return_counts=True)
    sizes = sizes[counts > 1]
    if any(np.isin(c.x, sizes).sum() < TOUCHING for c in curves):
        return None
    runs, means = np.zeros((2, len(curves), sizes.size))
    for i, c in enumerate(curves):
        here = np.isin(c.x, sizes)
        at = np.searchsorted(sizes, c.x[here])
        runs[i, at] = c.runs[here]
        means[i, at] = np.log(np.maximum(c.y[here], 1e-12)) if logs else c.y[here]
    own = _own(means, runs)
    with np.errstate(divide="ignore"):
        noise = np.where(runs > 0, 1 / runs, np.inf)
    return _posterior(np.log(sizes), own, noise, *_seeds(curves, logs), logs)


def _own(means: Floats, runs: Floats) -> Floats:
    """Return means (C, K) less the level of each size, by least squares on levels and corpora."""
    i, k = np.nonzero(runs)
    design = np.zeros((i.size, runs.shape[0] + runs.shape[1]))
    design[np.arange(i.size), i] = design[np.arange(i.size), runs.shape[0] + k] = 1.0
    root = np.sqrt(runs[i, k])
    fitted = np.linalg.lstsq(design * root[:, None], means[i, k] * root, rcond=None)[0]
    levels = fitted[runs.shape[0] :] + fitted[: runs.shape[0]].mean()
    return np.where(runs > 0, means - levels, 0.0)


def _seeds(curves: Sequence[Series], logs: bool) -> tuple[float, float]:
    """Return the squares between runs of one size, and their degrees of freedom."""
    known = [c for c in curves if np.isfinite(c.seed_var)]
    free = [float((c.runs - 1).sum()) for c in known]
    units = [float(np.mean(c.y**2)) if logs else 1.0 for c in known]
    squares = sum(c.seed_var * f / u for c, f, u in zip(known, free, units, strict=True))
    return float(squares), float(sum(free))


def _posterior(
    u: Floats, own: Floats, noise: Floats, squares: float, free: float, logs: bool
) -> Parting:
    """Weigh the grid by its evidence, the noise integrated out (Jeffreys' prior)."""
    measured = np.isfinite(noise)
    kernel = _kernel(_places(u, u), GRID)
    root = np.linalg.cholesky(_covariance(kernel, noise))
    white = np.linalg.solve(root, np.broadcast_to(own[..., None], (*root.shape[:-1], 1)))[..., 0]
    # One corpus' worth of the deviations is spent on the levels that all share.
    kept = 1 - 1 / own.shape[0]
    total = (np.where(measured, white, 0.0) ** 2).sum(axis=(1, 2)) + squares
    total = total + 1e-12 * (float(np.ptp(own)) ** 2 + 1e-12)
    freedom = kept * measured.sum() + free
    spread = 2 * np.log(np.diagonal(root, axis1=2, axis2=3)).sum(axis=(1, 2))
    evidence = np.log(PRIOR) - 0.5 * kept * spread - 0.5 * freedom * np.log(total)
    chance = np.exp(evidence - evidence.max())
    return Parting(u, own, noise, total, freedom, chance / chance.sum(), logs)


def _places(u: Floats, measured: Floats) -> Floats:
    return np.asarray((u - measured.mean()) / float(np.ptp(measured)))


def _kernel(t: Floats, grid: Floats) -> Floats:
    """Return the covariance of own parts at places (T,) for each point of the grid: (G, T, T)."""
    a, b, c = grid.T[:, :, None, None]
    near, far = np.minimum.outer(abs(t), abs(t)), np.maximum.outer(abs(t), abs(t))
    bend = np.where(np.multiply.outer(t, t) > 0, near**2 * (3 * far - near), 0.0)
    return np.asarray(a**2 * (1 + b**2 * np.multiply.outer(t, t) + c**2 * bend))


def _covariance(kernel: Floats, noise: Floats) -> Floats:
    """Return the covariance of what was measured: (G, C, K, K); a size not measured stands alone and says nothing."""
    there = np.isfinite(noise)
    both = there[:, :, None] & there[:, None, :]
    alone = np.eye(noise.shape[1]) * np.where(there, noise, 1.0)[:, None, :]
    return np.asarray(np.where(both, kernel[:, None], 0.0) + alone)
