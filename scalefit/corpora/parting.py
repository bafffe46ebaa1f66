"""How corpora of one setting part from what they share: along the course that all take, blurred by chance.

A test set that is easier than thought and a plateau that all corpora reach move their curves together. Forecasts one
by one count such doubt once a corpus, and a choice between them then looks less sure than it is. Differences are
simpler than curves: a curve is split into the course that all share, one level a size, and a corpus' own part

    δ_i(u) = a (g0 + b1 g1 s(u) + b2 g2 d(u)),    s = (1 − exp(−κu)) / κ,    d = u·exp(−κu),    u = ln size,

with g standard normal, s and d of unit span over the measured sizes, all in the noise of one run. A corpus' own part is
so what other parameters of one law would change, how high it climbs (b1) or how fast (b2). One of the two leads: as
free as each other they promised twice the loss that came, and one alone held too few of the places where curves cross.
Where the shared course flattens (κ), differences flatten too, and a straight line would part the corpora for ever; κ is
known from the shared levels as well. Or the course is an S, s its climb and d the hump that climbing earlier or later
adds: who is behind in the middle may still arrive. No course is sure where nobody measured: beyond the largest size the
slope of what parts corpora wanders (an integrated Wiener path), so doubt grows with the distance and not at its foot.
It wanders as the course climbs: a course that flattens binds all that take it, one that does not binds nobody. And own
parts may follow no course at all: slopes wander from the smallest size on, or parts drift by steps that say nothing
of the next one: then the order at the largest size stays, as unsure as steps between measured sizes make it. How far
that is so its own differences tell each table. On measured learning curves of unlike learners it is the rule, and
without it what the first sizes say counts as much as what the last ones do.
a, b1, b2 and the course are integrated over a grid, the noise in closed form. Corpora that differ by no more than
chance are so drawn together, and the best of K is not praised for its luck (Gelman et al., Bayesian Data Analysis,
5.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from scalefit.corpora.blends import wiener
from scalefit.forecasting.series import Series
from scalefit.table import metric as metric_of
from scalefit.types import Floats, Ints


class Course(NamedTuple):
    """A course that flattens at a rate, or an S: how steep, and where its middle lies, in measured spans."""

    rate: float
    middle: float = float("nan")

    @property
    def bends(self) -> bool:
        """Whether it is an S."""
        return bool(np.isfinite(self.middle))

    def shapes(self, w: Floats, span: float) -> Floats:
        """Return s and d at ln sizes over the smallest (V,): (2, V)."""
        if self.bends:
            climb = expit(self.rate * (w / span - self.middle))
            return np.stack([climb, climb * (1 - climb)])
        k = self.rate
        return np.stack([w if k == 0 else -np.expm1(-k * w) / k, w * np.exp(-k * w)])


_LEVELS = {0.3: 0.07, 1.0: 0.20, 3.0: 0.30, 10.0: 0.25, 30.0: 0.12, 100.0: 0.04, 1000.0: 0.02}
# Of (b1, b2). Most tables run side by side; those that cross do so visibly, and rather by how fast they climb.
_SHAPES = {(0.25, 0.0): 0.02, (1.2, 0.0): 0.03, (0.0, 0.25): 0.06, (0.1, 1.2): 0.12}
# The same along an S, where corpora part by when they climb.
SHIFTS = {(0.3, 1.2): 0.015, (0.3, 4.0): 0.015}
# How far slopes wander over the measured sizes of own parts that follow no course, in a.
_WANDER = {2.0: 0.005}
# Or how far such parts drift, in the noise of one run.
_DRIFTS = {0.7: 0.015, 1.4: 0.015}
# κ: from differences that gather speed, by a straight line, to a course of which an eighth is left after three e-folds
RATES = {-0.3: 0.10, 0.0: 0.15, 0.07: 0.15, 0.15: 0.18, 0.25: 0.18, 0.4: 0.15, 0.7: 0.09}
SIGMOIDS = [Course(steep, middle) for steep in (4.0, 8.0) for middle in (0.3, 0.55, 0.8, 1.05)]
AN_S = 0.15  # chance of a course that it is one of these
COURSES = [*map(Course, RATES), *SIGMOIDS]
_COURSE = np.append(
    (1 - AN_S) * np.array(list(RATES.values())), np.full(len(SIGMOIDS), AN_S / len(SIGMOIDS))
)
_SIDE = 1 - sum(map(sum, (_SHAPES.values(), SHIFTS.values(), _WANDER.values(), _DRIFTS.values())))
_FREE = {(0.0, 0.0): _SIDE, **{(w, 0.0): q for w, q in _WANDER.items()}}
_FREE |= {(0.0, d): q for d, q in _DRIFTS.items()}
_POINTS = [  # no course
    (a, 0.0, 0.0, -1, *each, p * q) for a, p in _LEVELS.items() for each, q in _FREE.items()
]
_POINTS += [
    (a, *b, i, 0.0, 0.0, p * q * _COURSE[i] / (AN_S if course.bends else 1 - AN_S))
    for a, p in _LEVELS.items()
    for i, course in enumerate(COURSES)
    for b, q in (SHIFTS if course.bends else _SHAPES).items()
]
GRID, PRIOR = np.hsplit(np.array(_POINTS), [6])
PRIOR = PRIOR[:, 0]
LOOSE = 0.05  # chance that own parts take a course of their own, whatever the shared one does
# How far shared levels may stray from their course, in the noise of one run.
ROUGH = np.array([0.0, 0.5, 2.0])
BENT = 0.8  # chance that they stray by most of it from which on nothing says how own parts go on
TOUCHING = 2  # sizes that a corpus must share with another one
_NEAR = 1.5  # sizes no further apart than by this factor are one size


@dataclass(frozen=True, eq=False)
class Parting:
    """What C corpora's own parts may be, given means at K shared sizes.

    Attributes
    ----------
    u : (K,), ln size, ascending.
    own : (C, K), means less what corpora share; 0 where a corpus was not measured.
    noise : (C, K), variance of each mean in units of one run's; infinite where there is none.
    squares, freedom : (G,) float64 and float
        Of the noise's posterior at every point of the grid.
    chance : (G,), posterior of the grid's points.
    logs : whether means are ln of the metric: losses differ by factors.
    bent : chance that the shared course is an S, or strays from every course by more than runs do.
    """

    u: Floats
    own: Floats
    noise: Floats
    squares: Floats
    freedom: float
    chance: Floats
    logs: bool
    bent: float

    @property
    def noise_sd(self) -> float:
        """Standard deviation of one run, as expected."""
        return float(np.sqrt(self.chance @ self.squares / max(self.freedom - 2, 1.0)))

    def draws(self, sizes: Floats, count: int, seed: int = 0) -> Floats:
        """Draw the corpora's own parts at sizes (Q,): (C, count, Q)."""
        rng = np.random.default_rng(seed)
        many = rng.multinomial(count, self.chance)
        cells = np.flatnonzero(many)
        moves = zip(cells.tolist(), *self._moves(cells, np.log(sizes)), strict=True)
        parts = [self._drawn(c, int(many[c]), root, gain, rng) for c, root, gain in moves]
        return np.concatenate(parts, axis=1)

    def _moves(self, cells: Ints, v: Floats) -> tuple[Floats, Floats]:
        """Return at points of the grid (G,) roots of the prior over (u, v), and what a mean at u moves at v.

        (G, K + V, K + V) and (G, C, K, V); one decomposition of the whole stack, as there are hundreds of points.
        """
        k = self.u.size
        both = np.concatenate([self.u, v])
        values, vectors = np.linalg.eigh(_kernel(both, self.u, GRID[cells]))
        roots = vectors * np.sqrt(np.maximum(values, 0.0))[:, None]
        between = (vectors * values[:, None]) @ vectors.swapaxes(1, 2)
        measured = np.isfinite(self.noise)[..., None]
        covariance = _covariance(between[:, :k, :k], self.noise)
        moved = np.where(measured, between[:, None, :k, k:], 0.0)
        return np.asarray(roots), np.asarray(np.linalg.solve(covariance, moved))

    def _drawn(
        self, cell: int, count: int, root: Floats, gain: Floats, rng: np.random.Generator
    ) -> Floats:
        """Draw at one point of the grid: paths from the prior, moved by what the data say of them (Matheron's rule)."""
        corpora, k = self.own.shape
        paths = rng.standard_normal((corpora, count, len(root))) @ root.T
        sd = np.sqrt(np.where(np.isfinite(self.noise), self.noise, 0.0))[:, None]
        seen = paths[..., :k] + sd * rng.standard_normal((corpora, count, k))
        # The noise is drawn too: with few runs its doubt is most of what makes a far corpus possible.
        scale = np.sqrt(self.squares[cell] / rng.chisquare(self.freedom, count))[:, None]
        return np.asarray(scale * paths[..., k:] + (self.own[:, None] - scale * seen) @ gain)


def parting(curves: Sequence[Series], logs: bool) -> Parting | None:
    """Return how curves of one setting part; None where they share too few sizes to be told apart by them."""
    if len(curves) < 2 or min(map(len, curves)) < TOUCHING:
        return None
    u, runs, means = _shared(curves, logs)
    if (np.count_nonzero(runs, axis=1) < TOUCHING).any():
        return None
    levels, own = _split(means, runs)
    with np.errstate(divide="ignore"):
        noise = np.where(runs > 0, 1 / runs, np.inf)
    squares, free = _seeds(curves, logs)
    spread, total, freedom = _evidence(u, own, noise, squares, free)
    # The noise is known from the own parts; by it the levels are as likely as their course lets them be.
    sd = np.sqrt(_weights(spread) @ total / max(freedom - 2, 1.0))
    courses = _course(u, levels, runs.sum(axis=0), float(sd))
    weight = _weights(courses + np.log(_COURSE)[:, None])
    bent = float(weight[:, -1].sum() + weight[-len(SIGMOIDS) :, :-1].sum())
    alike = LOOSE + (1 - LOOSE) * weight.sum(axis=1) / _COURSE
    at = GRID[:, 3].astype(int)
    chance = _weights(spread + np.log(np.where(at < 0, 1.0, alike[at])))
    return Parting(u, own, noise, total, freedom, chance, logs, bent)


def parting_of(curves: Sequence[Series], metric: str) -> Parting | None:
    """Return how curves of a metric part: losses and errors by factors, and so what is missing to an accuracy."""
    known = metric_of(metric)
    told = [c.missing for c in curves] if known.is_rate and known.rises else curves
    return parting(told, logs=known.falls or known.is_rate)


def _shared(curves: Sequence[Series], logs: bool) -> tuple[Floats, Floats, Floats]:
    """Return ln sizes (K,) that curves share, their runs there (C, K), 0 where there are none, and their means.

    Sizes that lie near are one size, the one in their middle, and a mean goes there along its own curve: budgets that
    were meant to be equal seldom are.
    """
    x, at = np.unique(np.concatenate([c.x for c in curves]), return_inverse=True)
    there = np.zeros((len(curves), x.size), dtype=bool)
    there[np.repeat(np.arange(len(curves)), [len(c) for c in curves]), at] = True
    size = np.zeros(x.size, dtype=int)
    for k in range(1, x.size):
        same = size[:k] == size[k - 1]
        new = (
            x[k] > _NEAR * x[:k][same][0] or (there[:, k] & there[:, :k][:, same].any(axis=1)).any()
        )
        size[k] = size[k - 1] + new
    middle = np.log([np.median(x[size == k]) for k in range(size[-1] + 1)])
    runs, means = np.zeros((2, len(curves), middle.size))
    least = _least(curves)
    for i, c in enumerate(curves):
        u, y = np.log(c.x), np.log(np.maximum(c.y, least)) if logs else c.y
        to = size[there[i]]
        runs[i, to] = c.runs
        means[i, to] = y + (middle[to] - u) * np.gradient(y, u)
    shared = np.count_nonzero(runs, axis=0) > 1
    return middle[shared], runs[:, shared], means[:, shared]


def _split(means: Floats, runs: Floats) -> tuple[Floats, Floats]:
    """Return the level of each size (K,) and means (C, K) less it, by least squares on levels and corpora."""
    i, k = np.nonzero(runs)
    design = np.zeros((i.size, runs.shape[0] + runs.shape[1]))
    design[np.arange(i.size), i] = design[np.arange(i.size), runs.shape[0] + k] = 1.0
    root = np.sqrt(runs[i, k])
    fitted = np.linalg.lstsq(design * root[:, None], means[i, k] * root, rcond=None)[0]
    levels = fitted[runs.shape[0] :] + fitted[: runs.shape[0]].mean()
    return levels, np.where(runs > 0, means - levels, 0.0)


def _seeds(curves: Sequence[Series], logs: bool) -> tuple[float, float]:
    """Return the squares between runs of one size, in logs as shares of their mean, and their degrees of freedom."""
    known = [c for c in curves if np.isfinite(c.seed_var)]
    least = _least(curves)
    squares = 0.0
    for c in known:
        # A loss' variance is told as that of its last mean already, a rate's is that of the values. Runs of a loss or
        # an error of nearly 0 differ by no more than it.
        unit = np.maximum(c.y[-1:] if np.isinf(c.top) else c.y, least) if logs else 1.0
        each = c.seed_var * c.runs / c.worth / unit**2
        squares += float((c.runs - 1) @ (np.minimum(each, 1.0) if logs else each))
    return squares, float(sum((c.runs - 1).sum() for c in known))


def _least(curves: Sequence[Series]) -> float:
    """Return what stands for an error of 0 in logarithms: half of the least above it."""
    return min((y / 2 for c in curves for y in c.y.tolist() if y > 0), default=1.0)


def _evidence(
    u: Floats, own: Floats, noise: Floats, squares: float, free: float
) -> tuple[Floats, Floats, float]:
    """Weigh the grid by its evidence, the noise integrated out (Jeffreys' prior): ln weights, squares, freedom."""
    measured = np.isfinite(noise)
    root = np.linalg.cholesky(_covariance(_kernel(u, u, GRID), noise))
    white = np.linalg.solve(root, np.broadcast_to(own[..., None], (*root.shape[:-1], 1)))[..., 0]
    # One corpus' worth of the deviations is spent on the levels that all share.
    kept = 1 - 1 / own.shape[0]
    total = (np.where(measured, white, 0.0) ** 2).sum(axis=(1, 2)) + squares
    total = total + 1e-12 * (float(np.ptp(own)) ** 2 + 1e-12)
    # One more than Jeffreys' prior gives: the noise's own doubt would else enter what a wrong choice costs on average
    # over tables (with that prior a table whose runs scatter by chance promises more than the others make good).
    freedom = kept * measured.sum() + free + 1
    spread = 2 * np.log(np.diagonal(root, axis1=2, axis2=3)).sum(axis=(1, 2))
    return np.log(PRIOR) - 0.5 * kept * spread - 0.5 * freedom * np.log(total), total, freedom


def _weights(logs: Floats) -> Floats:
    chance = np.exp(logs - logs.max())
    return np.asarray(chance / chance.sum())


def _course(u: Floats, levels: Floats, runs: Floats, sd: float) -> Floats:
    """Return the ln likelihood of shared levels under each course and each roughness: (R, 3).

    A course has any height and slope (flat priors); levels stray from it by the noise of their runs, and by as much
    again as a shared shape that is no such course may want.
    """
    variance = sd**2 * (1 / runs + ROUGH[:, None] ** 2)
    logs = []
    for course in COURSES:
        design = np.column_stack([np.ones_like(u), _basis(u, u, course)[0]])
        weighted = design / variance[..., None]
        gram = np.swapaxes(weighted, 1, 2) @ design
        fitted = np.linalg.solve(gram, (levels @ weighted)[..., None])
        left = levels - (design @ fitted)[..., 0]
        each = np.log(variance).sum(axis=1) + np.linalg.slogdet(gram)[1]
        logs.append(-0.5 * (each + (left**2 / variance).sum(axis=1)))
    return np.array(logs)


def _basis(v: Floats, u: Floats, course: Course) -> Floats:
    """Return s and d at ln sizes v, each of unit span over the measured ones u: (2, V)."""
    measured, asked = (course.shapes(w - u[0], u[-1] - u[0]) for w in (u, v))
    spans = np.ptp(measured, axis=1)[:, None]
    return np.asarray((asked - measured.mean(axis=1)[:, None]) / spans)


def _kernel(v: Floats, u: Floats, grid: Floats) -> Floats:
    """Return the covariance of own parts at ln sizes v (V,) for each point of the grid: (G, V, V)."""
    which, at = np.unique(grid[:, 3].astype(int), return_inverse=True)
    bases = [_basis(v, u, COURSES[i]) for i in which]
    f = grid[:, 1:3, None] * np.stack(bases)[at]
    # Slopes change by as much as they are while the course climbs as far again as it was measured to.
    climbed = [b[0] - _basis(u[-1:], u, COURSES[i])[0] for i, b in zip(which, bases, strict=True)]
    paths = np.stack([wiener(c, c) for c in np.maximum(climbed, 0.0)])[at]
    turns = (grid[:, 1:3] ** 2).sum(axis=1)[:, None, None] * paths
    w = np.maximum(v - u[0], 0.0) / (u[-1] - u[0])
    turns = turns + (grid[:, 4] ** 2)[:, None, None] * wiener(w, w)
    drift = (grid[:, 5] ** 2)[:, None, None] * np.minimum.outer(w, w)
    return np.asarray(grid[:, 0, None, None] ** 2 * (1 + f.swapaxes(1, 2) @ f + turns) + drift)


def _covariance(kernel: Floats, noise: Floats) -> Floats:
    """Return the covariance of what was measured: (G, C, K, K); a size not measured stands alone and says nothing."""
    there = np.isfinite(noise)
    both = there[:, :, None] & there[:, None, :]
    alone = np.eye(noise.shape[1]) * np.where(there, noise, 1.0)[:, None, :]
    return np.asarray(np.where(both, kernel[:, None], 0.0) + alone)
