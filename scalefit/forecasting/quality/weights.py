"""Weights of the members: one set for the table, robust, shrunk to a prior.

Weights a curve, or information criteria, overfit (errors up to six times the best baseline's). The
weighted sum of absolute errors is used because squares let one take-off decide for all.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from scalefit.types import Floats, Ints

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
