"""How wide, and how likely: a variance in five parts, and the chance that a target is reached, both from backtests.

The parts: noise of the curve, disagreement between the members, doubt about the local slope, and two that
the whole table shares: its usual scatter, at once and growing with ln x.

A band that is damped for values comes late for tokens, and where it flattens it says "never", while
real curves keep a chance of rising. So the chance has weights of its own. Each backtest (an origin, a
later size, a target above the origin's last value) says reached or not, and targets that were not
reached in the data need no special care: they are rows that say "not by this size".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit, stdtr

from scalefit.forecasting.quality.backtest import Backtest, Rows
from scalefit.forecasting.quality.prefixes import TOP
from scalefit.types import Floats, Mask

FREEDOM = 4.0  # of the t distribution: curves of one table differ more than points of one curve
DAMPING = 0.5  # pull to the last value of a curve far behind and far ahead of its last size:
BEHIND, AHEAD = 4.0, 1.0  # e-folds of size over which it sets in
YOUTH = 8.0  # extra variance of a prefix of n sizes, over n - 1
LEAST = 1e-6
TAKE_OFF = 1.5  # per cent of the range an e-fold that a curve without a rise may yet begin to gain
# Sizes of a curve that may still be waiting for its rise, and the slope that says it is not.
YOUNG, SLOW = 6, 0.5
BOUNDS = (-8.0, 4.0)


@dataclass(frozen=True, eq=False)
class Band:
    """A t distribution at each of R rows, wider above than below where a rise may yet begin.

    Attributes
    ----------
    centre, below, above : (R,) float64
        Middle, and scales on its two sides, in per cent of the range.
    """

    centre: Floats
    below: Floats
    above: Floats


def centre_and_parts(rows: Rows, weights: Floats, scatter: float) -> tuple[Floats, Floats]:
    """Return the centre of each forecast (R,) and the five parts of its variance (R, 5).

    The centre is pulled to the last value the more the farther it looks and the more e-folds of size the
    curve has behind it: a bounded curve that rose for long has little of its rise left. Backtests cannot
    teach how much, they always see a steeper part of the curve than the one that is to come.
    """
    damping = DAMPING * np.expm1(-rows.span / BEHIND) * np.expm1(-rows.h / AHEAD)
    centre = (1 - damping) * (rows.forecasts @ weights) + damping * rows.last
    between = (1 - damping) * ((rows.forecasts - centre[:, None]) ** 2 @ weights)
    between += damping * (rows.last - centre) ** 2
    # Slopes and noise of three sizes are guesses themselves; without this, short curves are overrated
    # and, since backtests come from shorter prefixes, long ones get their doubt.
    youth = 1.0 + YOUTH / (rows.n - 1.0)
    table = np.full_like(centre, scatter)
    parts = np.stack(
        [rows.noise, between, youth * (rows.slope * rows.h) ** 2, table, table * rows.h**2], axis=1
    )
    return centre, parts * youth[:, None]


def learn_factors(
    error: Floats, parts: Floats, share: Floats, prior: Floats, pull: float
) -> Floats:
    """Return ln of the factors of the parts: t likelihood of the errors, pulled to ``prior``."""

    def cost(v: Floats) -> tuple[float, Floats]:
        terms = parts * np.exp(v)
        variance = terms.sum(axis=1) + LEAST
        ratio = error**2 / variance / FREEDOM
        value = share @ (0.5 * np.log(variance) + (FREEDOM + 1) / 2 * np.log1p(ratio))
        by_variance = share * (0.5 - (FREEDOM + 1) / 2 * ratio / (1 + ratio)) / variance
        away = v - prior
        return float(value + pull * away @ away), terms.T @ by_variance + 2 * pull * away

    best = minimize(cost, prior, jac=True, method="L-BFGS-B", bounds=[BOUNDS] * prior.size)
    return np.asarray(best.x)


def band_of(rows: Rows, weights: Floats, factors: Floats, scatter: float) -> Band:
    """Return the band of each row."""
    centre, parts = centre_and_parts(rows, weights, scatter)
    below = np.sqrt(parts @ np.exp(factors) + LEAST)
    return Band(centre, below, np.maximum(below, _room(rows)))


def _room(rows: Rows) -> Floats:
    """Return how far up a rise may go that has not begun, and so is not in the data.

    Long curves get room where they do not rise at all, short ones the less the faster they rise: the first sizes
    of finetuning show a hundredth of what comes.
    """
    waits = np.clip(1 - rows.slope / SLOW, 0.0, 1.0)
    return TAKE_OFF * rows.h * np.where(rows.n <= YOUNG, waits, rows.slope <= 0)


def usual(noise: Floats) -> float:
    """Return a table's usual noise variance: half its median, half its mean without the extremes."""
    trimmed = np.minimum(noise, np.quantile(noise, 0.9)).mean()
    return float(0.5 * np.median(noise) + 0.5 * trimmed + 0.003)


FEATURES = ("the band", "the usual rise", "ln h", "h", "clear of noise", "1")
# The first four rise with h and may not count against it: a target that was met stays met.
CHANCE_BOUNDS = ((0.0, 3.0), (0.0, 3.0), (0.0, 2.0), (0.0, 2.0), (-2.0, 2.0), (-3.0, 3.0))
STRIDES = np.array([0.35, 0.7, 1.4, 2.3, 4.0])  # backtests' targets: last value + these rises
NEAR, FAR = 0.03, 30.0  # share of the way; beyond these logs of ratios say nothing more
LEAST_CHANCE = 1e-3


def features(rows: Rows, band: Band, target: Floats) -> Floats:
    """Return what the chance of reaching ``target`` (R, T) depends on: (R, T, F).

    The band's own chance, the share of the way that the usual rise covers (the local slope alone is often
    none, in noise), ln h and h (a constant chance an e-fold), and how far the target lies beyond the noise.
    """
    centre, below, above = (v[:, None] for v in (band.centre, band.below, band.above))
    away = (target - centre) / np.where(target > centre, above, below)
    chance = np.clip(stdtr(FREEDOM, -away), LEAST_CHANCE, 1 - LEAST_CHANCE)
    distance = target - rows.last[:, None]
    h = np.broadcast_to(rows.h[:, None], target.shape)
    way = np.log(np.clip(rows.stride[:, None] * h / distance, NEAR, FAR))
    clear = np.clip(np.log(distance / np.sqrt(rows.noise + 0.01)[:, None]), -3.0, 3.0)
    return np.stack([logit(chance), way, np.log(h), h, clear, np.ones_like(h)], axis=-1)


def backtest_targets(rows: Rows) -> tuple[Floats, Mask]:
    """Return targets above each row's last value (R, T), and which of them the range allows."""
    target = rows.last[:, None] + STRIDES * rows.stride[:, None]
    return target, target < TOP - 1


def learn_chance(tested: Backtest, band: Band, share: Floats, prior: Floats, pull: float) -> Floats:
    """Return the coefficients of :data:`FEATURES`, learned from backtests, pulled to ``prior``."""
    target, allowed = backtest_targets(tested.rows)
    reached = (tested.reached[:, None] >= target - 1e-9).astype(np.float64)
    each = np.broadcast_to(share[:, None] / STRIDES.size, target.shape)
    x = features(tested.rows, band, target)
    return fit_chance(x[allowed], reached[allowed], each[allowed], prior, pull)


def fit_chance(x: Floats, reached: Floats, share: Floats, prior: Floats, pull: float) -> Floats:
    """Return the coefficients of a logistic regression of rows (R, F), pulled to ``prior``."""

    def cost(b: Floats) -> tuple[float, Floats]:
        z = x @ b
        away = b - prior
        value = share @ (np.logaddexp(0.0, z) - reached * z) + pull * away @ away
        return float(value), x.T @ (share * (expit(z) - reached)) + 2 * pull * away

    best = minimize(cost, prior, jac=True, method="L-BFGS-B", bounds=CHANCE_BOUNDS)
    return np.asarray(best.x)
