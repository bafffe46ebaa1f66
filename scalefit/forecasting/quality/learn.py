"""What a table teaches about its own curves: weights of the members, how wide bands are, how likely a target is.

Members get one set of weights for the table, robust. Weights a curve, or information criteria, overfit (errors up to
six times the best baseline's). The weighted sum of absolute errors is used because squares let one take-off decide
for all.

Variance has six parts: noise of the curve, disagreement between the members, doubt about the local slope, two that
the whole table shares (its usual scatter, at once and growing with ln x: what rises may leave, so above as fast as
ln x, but what is gained is seldom lost, so below as a walk), and how far the curve would come that goes on as it
went (a young curve as growth): above what flattens, below what is believed to stay.

A band that is damped for values comes late for tokens, and where it flattens it says "never", while real curves keep a
chance of rising. So the chance has weights of its own. Each backtest (an origin, a later size, a target above the
origin's last value) says reached or not, and targets that were not reached in the data need no special care: they are
rows that say "not by this size".

What is learned is frozen in :class:`Learned`, shrunk to constants that ship.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize, nnls
from scipy.special import expit, logit, stdtr

from scalefit.forecasting.quality.members import TOP, TableSlopes
from scalefit.forecasting.quality.origins import Origins, Rows, origins_of
from scalefit.forecasting.series import Series
from scalefit.types import Floats, Ints

FREEDOM = 4.0  # of the t distribution: curves of one table differ more than points of one curve
# Freedom that h² adds below and above: near by curves miss in jumps, far out by what adds up, and above by take-offs.
THINNER = np.array([[2.0], [0.5]])
DAMPING = 0.5  # pull to the last value of a curve far behind and far ahead of its last size:
BEHIND, AHEAD = 4.0, 1.0  # e-folds of size over which it sets in
BRIEFLY = 2.0  # e-folds of size after which a young curve is no longer believed to go on as it went
SEEDLING = 5.0  # per cent of the range: what noise and a guess bring, which grows from there
YOUTH = 8.0  # extra variance of a prefix of n sizes, over n - 1
_LEAST = 1e-6
TAKE_OFF = 1.6  # per cent of the range an e-fold that a curve without a rise may yet begin to gain
UNCHECKED = 3  # sizes that leave nothing to check a forecast with
BOUNDS = (-8.0, 4.0)


@dataclass(frozen=True, eq=False)
class SplitT:
    """A t distribution at each of R rows, wider where the trend leads, and above where a rise may yet begin.

    Attributes
    ----------
    centre : (R,), in per cent of the range.
    scale, freedom : (2, R), of the t distribution below and above it.
    """

    centre: Floats
    scale: Floats
    freedom: Floats


def centre_and_parts(rows: Rows, weights: Floats, scatter: float) -> tuple[Floats, Floats]:
    """Return the centre of each forecast (R,) and the six parts of its variance, below and above (2, R, 6)."""
    # The more e-folds of size a bounded curve has behind it, the less of its rise is left, so it is pulled to its last
    # value, unless it is surely straight or young. Backtests cannot teach how far: they always see a steeper part than
    # the one that is to come.
    damping = DAMPING * np.expm1(-rows.span / BEHIND) * np.expm1(-rows.h / AHEAD) * rows.flattens
    damping *= 1 - rows.young
    centre = (1 - damping) * (rows.forecasts @ weights) + damping * rows.last
    ahead = _as_it_went(rows) - centre
    # The first sizes of a young curve show neither ceiling nor flattening, and the members that know both come late.
    centre = centre + rows.young * np.exp(-rows.span / BRIEFLY) * np.maximum(ahead, 0.0)
    between = (1 - damping) * ((rows.forecasts - centre[:, None]) ** 2 @ weights)
    between += damping * (rows.last - centre) ** 2
    # Slopes and noise of three sizes are guesses themselves; without this, short curves are overrated
    # and, since backtests come from shorter prefixes, long ones get their doubt.
    youth = 1.0 + YOUTH / (rows.n - 1.0)
    side = np.maximum([-ahead, ahead], 0.0) ** 2 / youth
    grown = scatter * np.stack([np.minimum(rows.h, 1.0) * rows.h, rows.h**2])
    both = [rows.noise, between, youth * (rows.slope * rows.h) ** 2, np.full_like(centre, scatter)]
    parts = [*(np.broadcast_to(part, side.shape) for part in both), grown, side]
    return centre, np.stack(parts, axis=-1) * youth[:, None]


def _as_it_went(rows: Rows) -> Floats:
    """Return where each row comes by its trend: as a logistic curve half of the way to the top, straight down (R,)."""
    start = np.clip(rows.last, SEEDLING, TOP - SEEDLING)
    end = (start + TOP) / 2
    rate = rows.slope / (start * (1 - start / end))
    rise = end / (1 + (end / start - 1) * np.exp(-rate * rows.h)) - start
    return rows.last + rise + np.minimum(rows.trend, 0.0) * rows.h


def learn_factors(
    error: Floats, parts: Floats, share: Floats, prior: Floats, pull: float
) -> Floats:
    """Return ln of the factors of the parts (2, R, K): likelihood of the errors under a t of two halves, pulled."""
    here = np.stack([error <= 0, error > 0])

    def cost(v: Floats) -> tuple[float, Floats]:
        terms = parts * np.exp(v)
        variance = terms.sum(axis=2) + _LEAST
        sd = np.sqrt(variance)
        ratio = here * error**2 / variance / FREEDOM
        value = np.log(sd.sum(axis=0)) + (FREEDOM + 1) / 2 * np.log1p(ratio).sum(axis=0)
        by_variance = 0.5 * sd / sd.sum(axis=0) - (FREEDOM + 1) / 2 * ratio / (1 + ratio)
        slope = np.tensordot(share * by_variance / variance, terms, 2)
        away = v - prior
        return float(share @ value + pull * away @ away), slope + 2 * pull * away

    best = minimize(cost, prior, jac=True, method="L-BFGS-B", bounds=[BOUNDS] * prior.size)
    return np.asarray(best.x)


def band_of(rows: Rows, weights: Floats, factors: Floats, scatter: float) -> SplitT:
    """Return the band of each row."""
    centre, parts = centre_and_parts(rows, weights, scatter)
    freedom = FREEDOM + THINNER * rows.h**2
    # No new run lies nearer than runs do to their neighbours; scale² is that share of the variance of a t.
    least = (1 - 2 / freedom) * rows.jitter + _LEAST
    below, above = np.sqrt(np.maximum(parts @ np.exp(factors), least))
    scale = np.stack([below, np.maximum(above, _room(rows, centre))])
    return SplitT(centre, scale, freedom)


def _room(rows: Rows, centre: Floats) -> Floats:
    """Return how far above its middle a rise may go that has not begun; what is surely straight waits for none."""
    # Three sizes of a young curve that speed up may do so for another step; more have backtests that tell.
    two, three = rows.slopes[:, 0], rows.slopes[:, 1]
    quickens = np.where((rows.n == UNCHECKED) & (two > three), 4 * two - 3 * three, 0.0)
    quickens *= rows.young * np.minimum(rows.h, AHEAD)
    begins = rows.flattens * _take_off(rows) - np.maximum(centre - rows.last, 0.0)
    return np.asarray(np.maximum(begins, quickens))


def _take_off(rows: Rows) -> Floats:
    """Return how far above its last value a curve may come whose rise has not begun; what surely falls has none."""
    # What rises has as much: the first sizes of finetuning show a hundredth of what comes. How long it was flat changes
    # nothing: of those that were for six e-folds seven in ten took off; room learned from them held .48 to .70 of them.
    return TAKE_OFF * rows.h * (1 - rows.falls)


def usual(noise: Floats) -> float:
    """Return a table's usual noise variance: half its median, half its mean without the extremes."""
    trimmed = np.minimum(noise, np.quantile(noise, 0.9)).mean()
    return float(0.5 * np.median(noise) + 0.5 * trimmed + 0.003)


FEATURES = ("the band", "the usual rise", "ln h", "h", "clear of noise", "room above", "1")
# The first four rise with h and may not count against it: a target that was met stays met.
CHANCE_BOUNDS = 2 * ((0.0, 3.0),) + 2 * ((0.0, 2.0),) + ((-2.0, 2.0), (0.0, 3.0), (-3.0, 3.0))
STRIDES = np.array([0.35, 0.7, 1.4, 2.3, 4.0])  # backtests' targets: last value + these rises
NEAR, FAR = 0.03, 30.0  # share of the way; beyond these logs of ratios say nothing more
LEAST_CHANCE = 1e-3


def features(rows: Rows, band: SplitT, target: Floats) -> Floats:
    """Return what the chance of reaching ``target`` (R, T) depends on: (R, T, F).

    The band's own chance, or that of a rise that has not begun, so that what rises is promised no less than what is
    flat; the share of the way that the usual rise covers (the local slope is often none, in noise), ln h and h (a
    constant chance an e-fold, none where it surely falls), how far the target lies beyond the noise, and how much of
    the range it leaves above it: curves flatten there.
    """
    centre, below, above = (v[:, None] for v in (band.centre, *band.scale))
    away = (target - centre) / np.where(target > centre, above, below)
    distance = target - rows.last[:, None]
    away = np.minimum(away, distance / (_take_off(rows) + _LEAST)[:, None])
    chance = np.clip(stdtr(FREEDOM, -away), LEAST_CHANCE, 1 - LEAST_CHANCE)
    h = np.broadcast_to(rows.h[:, None], target.shape)
    way = np.log(np.clip(rows.stride[:, None] * h / distance, NEAR, FAR))
    clear = np.clip(np.log(distance / np.sqrt(rows.noise + 0.01)[:, None]), -3.0, 3.0)
    room = np.log(np.clip(1.0 - target / TOP, NEAR, 1.0))
    begins = h * (1 - rows.falls[:, None])
    return np.stack([logit(chance), way, np.log(h), begins, clear, room, np.ones_like(h)], axis=-1)


def fit_chance(x: Floats, reached: Floats, share: Floats, prior: Floats, pull: float) -> Floats:
    """Return the coefficients of a logistic regression of rows (R, F), pulled to ``prior``."""

    def cost(b: Floats) -> tuple[float, Floats]:
        z = x @ b
        away = b - prior
        value = share @ (np.logaddexp(0.0, z) - reached * z) + pull * away @ away
        return float(value), x.T @ (share * (expit(z) - reached)) + 2 * pull * away

    best = minimize(cost, prior, jac=True, method="L-BFGS-B", bounds=CHANCE_BOUNDS)
    return np.asarray(best.x)


UNKNOWN_SHARE = 0.05  # of members that only some tables have


@dataclass(frozen=True, eq=False)
class Prior:
    """Where a table's weights, factors and coefficients are shrunk to.

    Attributes
    ----------
    weights : member -> weight.
    factors : (6,), ln of the factors of the variance's parts.
    chance : (7,), coefficients of the chance that a target is reached.
    """

    weights: Mapping[str, float]
    factors: Floats
    chance: Floats

    def of(self, names: tuple[str, ...]) -> Floats:
        """Return the weights of ``names``, summing to 1: (M,)."""
        weights = np.array([self.weights.get(n, UNKNOWN_SHARE) for n in names])
        return np.asarray(weights / weights.sum())


SHIPPED = Prior(
    weights={"last value": 0.12, "flattening slope": 0.65, "ceiling": 0.21, "logistic": 0.02},
    factors=np.log([0.059, 0.056, 0.001, 0.023, 0.56, 0.122]),
    chance=np.array([0.79, 0.08, 0.42, 0.21, -0.45, 0.98, 0.07]),
)


SMALL = 0.15  # errors below this count as squares: L1 has no slope at 0
_STEPS = 12


def simplex_weights(errors: Floats, share: Floats, prior: Floats, pull: float) -> Floats:
    """Return the weights w >= 0 with sum 1 that least sum share * |errors @ w| + pull * |w - prior|^2.

    Parameters
    ----------
    errors : (R, M), forecast less actual of each member, each curve in units of its own usual error.
    share : (R,), weight of the rows.
    prior : (M,), where the weights are pulled to.
    pull : how hard, in origins.

    Examples
    --------
    >>> import numpy as np
    >>> e = np.array([[0.0, 1.0], [0.1, 2.0]])
    >>> simplex_weights(e, np.ones(2), np.array([0.5, 0.5]), 1e-6).round(2).tolist()
    [1.0, 0.0]
    """
    w = prior
    for _ in range(_STEPS):  # iteratively reweighted least squares
        row = share / np.maximum(np.abs(errors @ w), SMALL)
        gram = (errors * row[:, None]).T @ errors + pull * np.eye(prior.size)
        w = _least_on_simplex(gram, pull * prior)
    return w


def _least_on_simplex(gram: Floats, linear: Floats) -> Floats:
    """Return the w on the simplex that least has w' gram w / 2 - linear' w."""
    # Non-negative least squares after Cholesky; a heavy last row holds the sum at 1.
    heavy = 1e3 * np.sqrt(np.trace(gram))
    root = np.linalg.cholesky(gram + 1e-12 * np.trace(gram) * np.eye(linear.size))
    left = np.vstack([root.T, np.full(linear.size, heavy)])
    w = nnls(left, np.append(np.linalg.solve(root, linear), heavy))[0]
    return np.asarray(w / w.sum())


def in_units_of_curve(errors: Floats, share: Floats, curve: Ints) -> Floats:
    """Return the errors, each curve's divided by its usual size, half of that the table's."""
    total = np.maximum(np.bincount(curve, weights=share), _LEAST)
    squares = np.bincount(curve, weights=np.median(errors**2, axis=1) * share) / total
    unit = 0.5 * squares + 0.5 * squares[np.unique(curve)].mean() + 1e-4
    return np.asarray(errors / np.sqrt(unit)[curve][:, None])


@dataclass(frozen=True)
class Pull:
    """How hard a table's own backtests are pulled to the prior (in origins), and how far back they go."""

    strength: float
    memory: float


WEIGHTS = Pull(3.0, 0.4)
OLDER = 2.0  # sizes that one curve looks back farther
FACTORS = Pull(0.2, 0.3)
CHANCE = Pull(10.0, 0.5)


@dataclass(frozen=True, eq=False)
class Learned:
    """Weights and doubt that a table's curves share.

    Attributes
    ----------
    names : the members.
    weights : (M,), their weights, summing to 1.
    factors : (6,), ln of the factors of the variance's parts.
    chance : (7,), coefficients of the chance that a target is reached.
    scatter : the table's usual noise variance, in per cent of the range squared.
    slopes : where short curves share them.
    origins : how many backtests stand behind this; 0 where only the prior does.
    """

    names: tuple[str, ...]
    weights: Floats
    factors: Floats
    chance: Floats
    scatter: float
    slopes: TableSlopes | None
    origins: int

    def band(self, rows: Rows) -> SplitT:
        """Return the band of each row."""
        return band_of(rows, self.weights, self.factors, self.scatter)


def learn_quality(curves: Sequence[Series], prior: Prior = SHIPPED) -> Learned:
    """Return what the backtests of ``curves`` (of one table, one metric) teach.

    Parameters
    ----------
    curves : curves of a bounded, rising metric; short ones and single ones are welcome.
    prior : what is believed before; the shipped one unless a study leaves families out.

    Raises FitError: where a curve has fewer than two sizes, or the metric no upper end.
    """
    return learned_from(origins_of(curves), prior)


def learned_from(tested: Origins, prior: Prior) -> Learned:
    """Return what these backtests teach."""
    scatter = usual(tested.noise)
    weights = _weights(tested, prior.of(tested.names))
    factors = _factors(tested, weights, scatter, prior.factors)
    band = band_of(tested.rows, weights, factors, scatter)
    chance = _chance(tested, band, prior.chance)
    origins = int(np.sum(tested.share).round())
    return Learned(tested.names, weights, factors, chance, scatter, tested.slopes, origins)


def _weights(tested: Origins, prior: Floats) -> Floats:
    if not tested.actual.size:
        return prior
    errors = tested.rows.forecasts - tested.actual[:, None]
    # The latest origins are nearest to what is asked; where few curves have them, earlier ones are heard, too.
    recent = tested.recency(WEIGHTS.memory + OLDER / tested.noise.size)
    errors = in_units_of_curve(errors, recent, tested.rows.curve)
    return simplex_weights(errors, recent, prior, WEIGHTS.strength)


def _factors(tested: Origins, weights: Floats, scatter: float, prior: Floats) -> Floats:
    centre, parts = centre_and_parts(tested.rows, weights, scatter)
    recent = tested.recency(FACTORS.memory)
    # What a few curves share is known from a few: one curve's variance is believed to be twice that
    # of a curve in a large table.
    prior = prior + np.log1p(1.0 / tested.noise.size)
    return learn_factors(tested.actual - centre, parts, recent, prior, FACTORS.strength)


def _chance(tested: Origins, band: SplitT, prior: Floats) -> Floats:
    target = tested.rows.last[:, None] + STRIDES * tested.rows.stride[:, None]
    reached = (tested.reached[:, None] >= target - 1e-9).astype(np.float64)
    share = np.broadcast_to(tested.recency(CHANCE.memory)[:, None] / STRIDES.size, target.shape)
    ask = target < TOP - 1  # what the range allows
    x = features(tested.rows, band, target)
    return fit_chance(x[ask], reached[ask], share[ask], prior, CHANCE.strength)
