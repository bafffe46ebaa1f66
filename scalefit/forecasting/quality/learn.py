"""What a table teaches about its own curves, frozen, and the constants that ship, to which it is shrunk.

Members get one set of weights for the table, robust. Weights a curve, or information criteria, overfit (errors up to
six times the best baseline's). The weighted sum of absolute errors is used because squares let one take-off decide
for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from scalefit.forecasting.quality.backtest import Backtest, backtest
from scalefit.forecasting.quality.doubt import (
    band_of,
    centre_and_parts,
    learn_chance,
    learn_factors,
    usual,
)
from scalefit.forecasting.quality.members import TableSlopes
from scalefit.forecasting.series import Series
from scalefit.types import Floats, Ints

UNKNOWN_SHARE = 0.05  # of members that only some tables have


@dataclass(frozen=True, eq=False)
class Prior:
    """Where a table's weights, factors and coefficients are shrunk to.

    Attributes
    ----------
    weights : mapping of str to float
        Member -> weight.
    factors : (5,) float64
        ln of the factors of the variance's parts.
    chance : (6,) float64
        Coefficients of the chance that a target is reached.
    """

    weights: Mapping[str, float]
    factors: Floats
    chance: Floats

    def of(self, names: tuple[str, ...]) -> Floats:
        """Return the weights of ``names``, summing to 1: (M,)."""
        weights = np.array([self.weights.get(n, UNKNOWN_SHARE) for n in names])
        return np.asarray(weights / weights.sum())


SHIPPED = Prior(
    weights={"last value": 0.08, "flattening slope": 0.64, "ceiling": 0.24, "logistic": 0.05},
    factors=np.log([0.065, 0.099, 0.002, 0.031, 0.497]),
    chance=np.array([0.71, 0.10, 0.48, 0.20, -0.38, -0.01]),
)


SMALL = 0.15  # errors below this count as squares: L1 has no slope at 0
STEPS = 12


def simplex_weights(errors: Floats, share: Floats, prior: Floats, pull: float) -> Floats:
    """Return the weights w >= 0 with sum 1 that least sum share * |errors @ w| + pull * |w - prior|^2.

    Parameters
    ----------
    errors : (R, M) float64
        Forecast less actual of each member, each curve in units of its own usual error.
    share : (R,) float64
        Weight of the rows.
    prior : (M,) float64
        Where the weights are pulled to.
    pull : float
        How hard, in curves.

    Examples
    --------
    >>> import numpy as np
    >>> e = np.array([[0.0, 1.0], [0.1, 2.0]])
    >>> simplex_weights(e, np.ones(2), np.array([0.5, 0.5]), 1e-6).round(2).tolist()
    [1.0, 0.0]
    """
    w = prior
    for _ in range(STEPS):  # iteratively reweighted least squares
        row = share / np.maximum(np.abs(errors @ w), SMALL)
        gram = (errors * row[:, None]).T @ errors + pull * np.eye(prior.size)
        w = _least_on_simplex(gram, pull * prior)
    return w


def _least_on_simplex(gram: Floats, linear: Floats) -> Floats:
    """Return the w on the simplex that least has w' gram w / 2 - linear' w.

    A non-negative least-squares problem after Cholesky; a heavy last row holds the sum at 1.
    """
    heavy = 1e3 * np.sqrt(np.trace(gram))
    root = np.linalg.cholesky(gram + 1e-12 * np.trace(gram) * np.eye(linear.size))
    left = np.vstack([root.T, np.full(linear.size, heavy)])
    w = nnls(left, np.append(np.linalg.solve(root, linear), heavy))[0]
    return np.asarray(w / w.sum())


def in_units_of_curve(errors: Floats, share: Floats, curve: Ints) -> Floats:
    """Return the errors, each curve's divided by its usual size, half of that the table's."""
    squares = np.bincount(curve, weights=np.median(errors**2, axis=1) * share)
    unit = 0.5 * squares + 0.5 * squares[np.unique(curve)].mean() + 1e-4
    return np.asarray(errors / np.sqrt(unit)[curve][:, None])


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
