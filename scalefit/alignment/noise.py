"""Size means and their noise at the level of pretraining runs, for one table or a thousand at once.

The unit of replication is the pretraining run: finetuning seeds were averaged before (see
``curve``). Two designs need two noises:

separate
    Every size has runs of its own: the pooled variance within sizes, ``sum(n_k - 1)`` degrees
    of freedom.
shared
    The sizes are checkpoints of the same runs (or share their seeds): what a run adds to all of
    its sizes cancels in every comparison, so the noise is the seed x size interaction mean
    square with ``(K - 1)(P - 1)`` degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from scalefit.types import Floats

Design = Literal["separate", "shared"]
_TINY, _LEAST = 1e-12, 1e-6
_PRIOR = 1.7
"""Degrees of freedom with which the common noise enters a pair's own."""
_ROUNDS = 8


@dataclass(frozen=True)
class RunNoise:
    """Standard deviation of one run and the degrees of freedom behind it."""

    sd: float
    nu: float

    @property
    def known(self) -> bool:
        """Whether there is an estimate to divide by."""
        return bool(self.sd > 0 and np.isfinite(self.sd))


@dataclass(frozen=True, eq=False)
class Noise:
    """Estimated means and the noise of their differences.

    Attributes
    ----------
    effects : (..., K), mean of each size.
    sd : (...), standard deviation of one run around its size's mean, as far as it matters for differences between
        sizes.
    nu : degrees of freedom of `sd`.
    spread : (K, K), half the variance of each difference of means, in units of ``sd**2``; 1/P when balanced.
    swell : (..., K, K), how much noisier than the average each pair of sizes looks: its own standard deviation, drawn
        towards the expected one, over the pooled one. At least 1, unless other groups of the table show the pair to be
        quieter (:class:`NoiseProfile`).
    dof : (..., K, K), degrees of freedom of each pair's noise; `nu` where the pair looks no noisier.
    """

    effects: Floats
    sd: Floats
    nu: float
    spread: Floats
    swell: Floats
    dof: Floats

    @property
    def balanced(self) -> bool:
        """Whether all differences are equally precise."""
        off = self.spread[np.triu_indices(len(self.spread), 1)]
        return bool(np.allclose(off, off[0]))

    def step(self) -> Floats:
        """Return the standard error of one mean, pair by pair: (..., K, K)."""
        return np.asarray(self.sd)[..., None, None] * np.sqrt(self.spread)


@dataclass(frozen=True, eq=False)
class NoiseProfile:
    """How the noise of the sizes compares, as far as the groups of one table say it together.

    Attributes
    ----------
    ratios : (..., K), variance of each size over the mean of all; ones where nothing is known.
    prior : (...), degrees of freedom with which the ratios enter a group's own: many where groups agree on them.
    dof : (...), degrees of freedom behind each ratio; infinite where sizes are taken for alike.
    groups : how many groups they were learned from.
    """

    ratios: Floats
    prior: Floats
    dof: Floats
    groups: int

    def first(self, count: int) -> NoiseProfile:
        """Return that of the first `count` sizes."""
        ratios = self.ratios[..., :count]
        return replace(self, ratios=ratios / ratios.mean(axis=-1, keepdims=True))

    def of(self, sizes: Floats, known: Floats) -> NoiseProfile:
        """Return that of one group at its own sizes; one that others do not have is as noisy as the usual one."""
        own = np.isin(sizes, known)
        ratios = np.where(own, self.ratios[0][np.searchsorted(known, sizes) % len(known)], 1.0)
        return NoiseProfile(ratios / ratios.mean(), self.prior[0], self.dof[0], self.groups)

    def freedom(self, common: Floats, runs: float) -> Floats:
        """Degrees of freedom (..., 1, 1) on which a pair's noise is expected, given those of its group's own noise.

        Where groups stray from each other, what they say together is worth little of any one size: a noisy size that
        by chance looks quiet would be judged on the freedom of all (.19 of families raised an alarm).
        """
        common = 1 / (1 / common + 1 / (2 * self.dof[..., None, None]))
        strays = np.maximum(1 / self.prior - 0.5 / self.groups, 1e-9)[..., None, None]
        return np.minimum(common, runs - 1 + 1 / strays)


def unknown(sizes: int) -> NoiseProfile:
    """Return the profile of a group that stands alone: sizes are alike until its own runs say otherwise."""
    return NoiseProfile(np.ones(sizes), np.array(_PRIOR), np.array(np.inf), 1)


def profile_of(values: Floats, design: Design) -> NoiseProfile:
    """Learn the profile that groups share from their run means (..., G, K, P); separate runs may have gaps (nan).

    Variances are a group's times a size's (a gamma model with a log link, by iterated proportions), and a group may
    stray from that. How far groups do stray, beyond what so few runs make, sets `prior`: a noisy size that all have is
    then known on the degrees of freedom of all, one that a single group has on its own (empirical Bayes, in the
    manner of Smyth 2004, doi 10.2202/1544-6115.1027).
    """
    groups, sizes = values.shape[-3:-1]
    own, free = _variances(values, design)
    usual = np.average(own, weights=free, axis=(-2, -1), keepdims=True)
    own = np.maximum(np.where(free > 0, own, usual), 1e-9 * usual + _TINY)
    weights = np.where(free > 0, free, 1e-9)  # a size that nobody repeats has a ratio all the same
    ratios = np.ones((*own.shape[:-2], 1, sizes))
    for _ in range(_ROUNDS):
        scale = np.average(own / ratios, weights=weights, axis=-1, keepdims=True)
        ratios = np.average(own / scale, weights=weights, axis=-2, keepdims=True)
        ratios = ratios / ratios.mean(axis=-1, keepdims=True)
    # Margins were fitted: what is left of the squares of gamma variables with so many degrees of freedom.
    fitted = (1 - 1 / groups) * (1 - 1 / sizes)
    left = ((own / scale / ratios) ** 2 - 1) / fitted + 1
    beyond = np.average(left / (1 + 2 / weights), weights=free > 0, axis=(-2, -1)) - 1
    each = free.sum(axis=(-2, -1)) / sizes
    share = _unequal(ratios, each[..., None])
    ratios = 1 + share[..., None] * (ratios - 1)
    # So few groups seem to agree by chance too: how far they stray is known to about 2 / groups.
    prior = 2 / (np.maximum(beyond, 0.0) + 2 / groups)[..., None]
    with np.errstate(divide="ignore"):
        return NoiseProfile(ratios, prior, each[..., None] / share, groups)


def _variances(values: Floats, design: Design) -> tuple[Floats, Floats]:
    """Variance of each size of each group, and its degrees of freedom: 0 where fewer than two runs are there."""
    if not np.isnan(values).any():
        own = _of_sizes(_residual(values, values.mean(axis=-1), design), design)
        return own, np.full(own.shape, values.shape[-1] - 1.0)
    there = ~np.isnan(values)
    runs = there.sum(axis=-1)
    held = np.where(there, values, 0.0)
    means = held.sum(axis=-1) / np.maximum(runs, 1)
    squares = (np.where(there, values - means[..., None], 0.0) ** 2).sum(axis=-1)
    return squares / np.maximum(runs - 1, 1), np.maximum(runs - 1.0, 0.0)


def _unequal(ratios: Floats, free: Floats) -> Floats:
    """Share of what ratios (..., K), each on `free` degrees of freedom, stray from one that is not chance: (...).

    Few groups whose sizes are alike would else pay for telling them apart (three: a third of their power).
    """
    sizes, chance = ratios.shape[-1], 2 / free
    apart = ((ratios - 1) ** 2).sum(axis=-1) / (sizes - 1)
    return np.asarray(np.maximum(1 - chance / np.maximum(apart, chance), 0.0))


def _residual(values: Floats, effects: Floats, design: Design) -> Floats:
    residual = values - effects[..., None]
    if design == "shared":
        residual = residual - residual.mean(axis=-2, keepdims=True)
    return residual


def _of_sizes(residual: Floats, design: Design) -> Floats:
    """Variance of each size (..., K) from its residuals; shared runs leave a part of all sizes in each."""
    sizes, runs = residual.shape[-2:]
    own: Floats = (residual**2).sum(axis=-1) / (runs - 1)
    if design == "separate":
        return own
    if sizes < 3:
        return np.asarray(own * sizes / (sizes - 1))
    mean = np.asarray(own.mean(axis=-1, keepdims=True)) * sizes / (sizes - 1)
    return np.asarray(np.maximum((own - mean / sizes) / (1 - 2 / sizes), 0.05 * mean))


def estimate(values: Floats, design: Design, profile: NoiseProfile | None = None) -> Noise:
    """Means and noise of run means `values` (..., K, P); nan marks a run that is not there.

    The caller sees to it that there is a degree of freedom.

    Raises ValueError: runs are missing in one of several tables; they are handled one at a time.
    """
    profile = profile or unknown(values.shape[-2])
    if np.isnan(values).any():
        return _gaps(values, design, profile)
    return _complete(values, design, profile)


def _complete(values: Floats, design: Design, profile: NoiseProfile) -> Noise:
    sizes, runs = values.shape[-2:]
    effects = values.mean(axis=-1)
    residual = _residual(values, effects, design)
    nu = (sizes - (design == "shared")) * (runs - 1)
    square = (residual**2).sum(axis=(-2, -1)) / nu
    sd = _floor(square, effects)
    cross = residual @ np.swapaxes(residual, -1, -2) / (runs - 1)
    own = np.diagonal(cross, axis1=-2, axis2=-1)
    first, second = own[..., :, None], own[..., None, :]
    dof = (runs - 1) * (first + second) ** 2 / np.maximum(first**2 + second**2, 1e-300)
    pairs = (first + second) / 2
    if design == "shared":
        # Differences within runs see runs that fan out, on few degrees of freedom; the sizes' own
        # residuals see a noisy size on twice as many. Half of each.
        pairs = (pairs - cross + pairs * sizes / (sizes - 1)) / 2
        dof = (dof + runs - 1) / 2
    ratio = pairs / np.asarray(sd)[..., None, None] ** 2
    common = nu * _evenness(own / profile.ratios, profile.groups)[..., None, None]
    known = (profile.ratios[..., :, None] + profile.ratios[..., None, :]) / 2
    if profile.groups > 1:
        # A size known as noisy takes no part in how noisy its group is; a group whose runs are all alike says nothing.
        level = (_of_sizes(residual, design) / profile.ratios).mean(axis=-1) / np.asarray(sd) ** 2
        known = known * np.where(level > _LEAST, level, 1.0)[..., None, None]
        common = profile.freedom(common, runs)
    weight = np.array(2.0 * (runs - 1))
    swell, dof = _swell(ratio, dof, weight, common, known, profile.prior[..., None, None])
    return Noise(effects, sd, float(nu), np.full((sizes, sizes), 1 / runs), swell, dof)


def _evenness(own: Floats, groups: int) -> Floats:
    """Share of its degrees of freedom that the common noise keeps when sizes look unequal (Satterthwaite 1946).

    Groups that say together how noisy the sizes are keep its root: three runs a size look unequal by chance, and at a
    24th of the level a family would pay for it with half of its power (docs/simulations/alignment.md).
    """
    square = (own**2).mean(axis=-1)
    share = own.mean(axis=-1) ** 2 / np.where(square > 0, square, 1.0)
    share = np.where(square > 0, np.minimum(share, 1.0), 1.0)
    return np.asarray(share if groups == 1 else np.sqrt(share))


def _swell(
    ratio: Floats, dof: Floats, weight: Floats, nu: Floats, known: Floats, prior: Floats
) -> tuple[Floats, Floats]:
    """Swell and degrees of freedom of pairs whose own variance is `ratio` of the pooled one, and `known` is expected.

    Sizes may differ in noise by a factor that nobody knows. The common variance alone would let
    a noisy size pass for a fall, a pair's own alone has too few degrees of freedom to see
    anything. So the own variance (on `dof`) is drawn towards the expected one (on `nu`), and counts
    where it is the larger; Satterthwaite (1946) gives the degrees of freedom of the mixture.
    """
    share = weight / (weight + prior)
    mixed = share * ratio + (1 - share) * known
    spread = (share * ratio) ** 2 / np.maximum(dof, 1e-9) + ((1 - share) * known) ** 2 / nu
    noisier = mixed > known
    return (
        np.sqrt(np.where(noisier, mixed, known)),
        np.asarray(np.where(noisier, np.minimum(mixed**2 / np.maximum(spread, 1e-300), nu), nu)),
    )


def _gaps(values: Floats, design: Design, profile: NoiseProfile) -> Noise:
    if values.ndim > 2:
        raise ValueError("missing cells are handled one table at a time")
    there = ~np.isnan(values)
    at = np.argwhere(there)
    columns = np.eye(values.shape[0])[at[:, 0]]
    if design == "shared" and values.shape[1] > 1:
        columns = np.hstack([columns, np.eye(values.shape[1])[at[:, 1]][:, 1:]])
    inverse = np.linalg.pinv(columns.T @ columns)
    fitted = inverse @ columns.T @ values[there]
    nu = float(len(at) - np.linalg.matrix_rank(columns))
    square = ((values[there] - columns @ fitted) ** 2).sum() / max(nu, 1.0)
    size_part = inverse[: len(values), : len(values)]
    variances = np.diag(size_part)[:, None] + np.diag(size_part)[None] - 2 * size_part
    spread = np.where(np.eye(len(values), dtype=bool), 1.0, variances / 2)
    own, free = _variances(values, design)
    even = 1.0
    if design == "separate" and nu > 0:
        # Sizes count alike, however many runs they have: the many of a quiet size would speak for the few of a noisy
        # one, which is the one that seems to fall (.13 of flat tables where three sizes of two runs are 3 x noisier).
        told = free > 0
        square, nu = own[told].mean(), float(told.sum() ** 2 / (1 / free[told]).sum())
        even = float(_evenness(own[told], profile.groups))
    sd = _floor(square, fitted)
    ratio, dof, weight = _own_pairs(values, design, float(sd))
    known, common = np.ones_like(ratio), np.array(max(nu * even, 1.0))
    if profile.groups > 1 and free.any():
        level = float((free * own / profile.ratios).sum() / free.sum() / sd**2)
        error = profile.ratios / np.maximum(there.sum(axis=1), 1)
        known = (level if level > _LEAST else 1.0) * (error[:, None] + error) / (2 * spread)
        common = profile.freedom(common, float(free[free > 0].mean()) + 1)
    swell, dof = _swell(ratio, dof, weight, common, known, profile.prior)
    return Noise(_means(values, fitted, design), sd, nu, spread, swell, dof)


def _own_pairs(values: Floats, design: Design, sd: float) -> tuple[Floats, Floats, Floats]:
    """Each pair's own variance over the common one, its degrees of freedom, and its weight."""
    ratio, dof = np.ones((2, len(values), len(values)))
    weight = np.zeros_like(ratio)
    for i, j in zip(*np.triu_indices(len(values), 1), strict=True):
        if design == "shared":
            parts = [values[i] - values[j]]
            common = 2 * sd**2
        else:
            parts, common = [values[i], values[j]], sd**2
        parts = [part[~np.isnan(part)] for part in parts]
        free = np.array([len(part) - 1.0 for part in parts])
        if (free < 1).any():
            continue  # a pair that says nothing of its own noise takes the common one
        own = np.array([np.var(part, ddof=1) for part in parts]) / common
        error = own / (free + 1)
        pooled = float((1 / (free + 1)).sum())
        ratio[i, j] = error.sum() / pooled
        dof[i, j] = error.sum() ** 2 / max(float((error**2 / free).sum()), 1e-300)
        weight[i, j] = 2 * free[0] if design == "shared" else free.sum()
    return ratio, np.maximum(dof, 1.0), weight


def _means(values: Floats, fitted: Floats, design: Design) -> Floats:
    """Size means at the level of the average run."""
    sizes = values.shape[0]
    if design == "separate" or values.shape[1] == 1:
        return fitted[:sizes]
    return np.asarray(fitted[:sizes] + np.append(fitted[sizes:], 0.0).mean())


def _floor(square: Floats, scale: Floats) -> Floats:
    """Return a standard deviation that is never quite zero, so that it can divide."""
    return np.asarray(np.sqrt(square) + _TINY * (1 + np.abs(scale).max(axis=-1)))
