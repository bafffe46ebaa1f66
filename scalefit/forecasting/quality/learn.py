"""What a table teaches about its own curves, frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalefit.forecasting.quality.backtest import Backtest, backtest
from scalefit.forecasting.quality.chance import learn_chance
from scalefit.forecasting.quality.doubt import band_of, centre_and_parts, learn_factors, usual
from scalefit.forecasting.quality.pooled import TableSlopes
from scalefit.forecasting.quality.prior import SHIPPED, Prior
from scalefit.forecasting.quality.weights import in_units_of_curve, simplex_weights
from scalefit.forecasting.series import Series
from scalefit.types import Floats


@dataclass(frozen=True)
class Pull:
    """How hard a table's own backtests are pulled to the prior (in curves), and how far back they go."""

    strength: float
    memory: float


WEIGHTS = Pull(3.0, 0.4)
FACTORS = Pull(0.2, 0.3)
CHANCE = Pull(10.0, 0.5)


@dataclass(frozen=True, eq=False)
class Learned:
    """Weights and doubt that a table's curves share.

    Attributes
    ----------
    names : tuple of str
        The members.
    weights : (M,) float64
        Their weights, summing to 1.
    factors : (5,) float64
        ln of the factors of the variance's parts.
    chance : (6,) float64
        Coefficients of the chance that a target is reached.
    scatter : float
        The table's usual noise variance, in per cent of the range squared.
    slopes : TableSlopes or None
        Where short curves share them.
    origins : int
        How many backtests stand behind this; 0 where only the prior does.
    """

    names: tuple[str, ...]
    weights: Floats
    factors: Floats
    chance: Floats
    scatter: float
    slopes: TableSlopes | None
    origins: int


def learn_quality(curves: Sequence[Series], prior: Prior = SHIPPED) -> Learned:
    """Return what the backtests of ``curves`` (of one table, one metric) teach.

    Parameters
    ----------
    curves : sequence of Series
        Curves of a bounded, rising metric; short ones and single ones are welcome.
    prior : Prior
        What is believed before; the shipped one unless a study leaves families out.

    Raises
    ------
    FitError
        Where a curve has fewer than two sizes, or the metric no upper end.
    """
    return learned_from(backtest(curves), prior)


def learned_from(tested: Backtest, prior: Prior) -> Learned:
    """Return what these backtests teach."""
    scatter = usual(tested.noise)
    weights = _weights(tested, prior.of(tested.names))
    factors = _factors(tested, weights, scatter, prior.factors)
    band = band_of(tested.rows, weights, factors, scatter)
    recent = tested.recency(CHANCE.memory)
    chance = learn_chance(tested, band, recent, prior.chance, CHANCE.strength)
    origins = int(np.sum(tested.share).round())
    return Learned(tested.names, weights, factors, chance, scatter, tested.slopes, origins)


def _weights(tested: Backtest, prior: Floats) -> Floats:
    if not tested.actual.size:
        return prior
    errors = tested.rows.forecasts - tested.actual[:, None]
    recent = tested.recency(WEIGHTS.memory)
    errors = in_units_of_curve(errors, recent, tested.rows.curve)
    return simplex_weights(errors, recent, prior, WEIGHTS.strength)


def _factors(tested: Backtest, weights: Floats, scatter: float, prior: Floats) -> Floats:
    centre, parts = centre_and_parts(tested.rows, weights, scatter)
    recent = tested.recency(FACTORS.memory)
    # What a few curves share is known from a few: one curve's variance is believed to be twice that
    # of a curve in a large table.
    prior = prior + np.log1p(1.0 / tested.noise.size)
    return learn_factors(tested.actual - centre, parts, recent, prior, FACTORS.strength)
