"""The chance that a target is reached by some size: one logistic regression, learned from backtests.

A band that is damped for values comes late for tokens, and where it flattens it says "never", while
real curves keep a chance of rising. So the chance has weights of its own. Each backtest (an origin, a
later size, a target above the origin's last value) says reached or not, and targets that were not
reached in the data need no special care: they are rows that say "not by this size".
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit, stdtr

from scalefit.forecasting.quality.backtest import Backtest, Rows
from scalefit.forecasting.quality.doubt import FREEDOM, Band
from scalefit.forecasting.quality.prefixes import TOP
from scalefit.types import Floats, Mask

FEATURES = ("the band", "the slope", "ln h", "h", "clear of noise", "1")
# The first four rise with h and may not count against it: a target that was met stays met.
BOUNDS = ((0.0, 3.0), (0.0, 3.0), (0.0, 2.0), (0.0, 2.0), (-2.0, 2.0), (-3.0, 3.0))
STRIDES = np.array([0.35, 0.7, 1.4, 2.3, 4.0])  # backtests' targets: last value + these rises
NEAR, FAR = 0.03, 30.0  # share of the way; beyond these logs of ratios say nothing more
LEAST_CHANCE = 1e-3


def features(rows: Rows, band: Band, target: Floats) -> Floats:
    """Return what the chance of reaching ``target`` (R, T) depends on: (R, T, F).

    The band's own chance, the share of the way that the local slope covers, ln h and h (a constant
    chance an e-fold), and how far the target lies beyond the noise.
    """
    centre, below, above = (v[:, None] for v in (band.centre, band.below, band.above))
    away = (target - centre) / np.where(target > centre, above, below)
    chance = np.clip(stdtr(FREEDOM, -away), LEAST_CHANCE, 1 - LEAST_CHANCE)
    distance = target - rows.last[:, None]
    h = np.broadcast_to(rows.h[:, None], target.shape)
    way = np.log(np.clip(rows.slope[:, None] * h / distance, NEAR, FAR))
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

    best = minimize(cost, prior, jac=True, method="L-BFGS-B", bounds=BOUNDS)
    return np.asarray(best.x)
