"""How wide: a variance in five parts, their factors learned from what the backtests missed.

Noise of the curve, disagreement between the members, doubt about the local slope, and two parts that
the whole table shares: its usual scatter, at once and growing with ln x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from scalefit.forecasting.quality.backtest import Rows
from scalefit.types import Floats

FREEDOM = 4.0  # of the t distribution: curves of one table differ more than points of one curve
DAMPING, DAMPING_SCALE = 0.2, 1.0  # pull to the last value, complete after some e-folds
YOUTH = 8.0  # extra variance of a prefix of n sizes, over n - 1
LEAST = 1e-6
TAKE_OFF = 1.5  # per cent of the range an e-fold that a curve without a rise may yet begin to gain
YOUNG, SLOW = (
    6,
    0.5,
)  # sizes of a curve that may still be waiting for its rise, and the slope that says it is not
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

    The centre is pulled to the last value the more the farther it looks: backtests always see a
    steeper part of the curve than the one that is to come.
    """
    damping = DAMPING * -np.expm1(-rows.h / DAMPING_SCALE)
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
