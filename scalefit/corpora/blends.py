"""Quality between measured mixture ratios: a line in the ratio that bends as far as the measured ones say.

Draws at the measured ratios are joined by a cubic spline, and between them the spline's own doubt is added: a line
plus τ times an integrated Wiener path, with τ integrated over a grid by its restricted likelihood (Wahba 1978).
Beyond the measured ratios nothing is said.
"""

from __future__ import annotations

import numpy as np

from scalefit.errors import DesignError
from scalefit.types import Floats

_LEAST = 3  # ratios: two say nothing of a bend
_STEPS = 20  # of the fine grid between the outer ratios
# Bends in units of the usual rise between neighbours; the prior falls, a gentle optimum inside is the usual case.
_BENDS = np.geomspace(0.3, 60.0, 24)
_USUAL = 3.0  # of them; wide: a standard deviation of ln 3


def fine(ratios: Floats) -> Floats:
    """Return the ratios that are ranked: the measured ones and a grid between them, ascending."""
    grid = np.linspace(ratios.min(), ratios.max(), _STEPS + 1)
    far = np.abs(grid[:, None] - ratios).min(axis=1) > 1e-9 * np.ptp(ratios)
    return np.sort(np.concatenate([ratios, grid[far]]))


def blended(ratios: Floats, values: Floats, asked: Floats, seed: int = 0) -> Floats:
    """Return draws at asked ratios (F, draws) from draws at measured ones (C, draws).

    Raises DesignError: fewer than three ratios, two curves at one, or a ratio beyond the measured ones.

    Examples
    --------
    >>> import numpy as np
    >>> at = np.array([0.0, 0.3, 0.7, 1.0])
    >>> draws = (10 + 8 * at * (1 - at))[:, None] + 0.01 * np.random.default_rng(0).standard_normal((4, 500))
    >>> blended(at, draws, np.array([0.5])).mean().round(1)
    np.float64(12.0)
    """
    check_ratios(ratios)
    if asked.min() < ratios.min() - 1e-12 or asked.max() > ratios.max() + 1e-12:
        raise DesignError(
            f"ratios were measured from {ratios.min():g} to {ratios.max():g}; beyond them nothing is said"
        )
    low, span = ratios.min(), float(np.ptp(ratios))
    r, s = (ratios - low) / span, (asked - low) / span
    middle = np.median(values, axis=1)
    noise = (values - values.mean(axis=0)).var(axis=1)
    rng, count = np.random.default_rng(seed), values.shape[1]
    tau = rng.choice(_BENDS, count, p=_bends(r, middle, noise)) * _unit(middle, noise)
    weights, left = _kriging(r, s)
    values_, vectors = np.linalg.eigh(left)
    root = vectors * np.sqrt(np.maximum(values_, 0.0))
    return np.asarray(weights @ values + tau * (root @ rng.standard_normal((s.size, count))))


def check_ratios(ratios: Floats) -> None:
    """Refuse ratios that cannot be joined."""
    if not (np.isfinite(ratios).all() and (ratios >= 0).all() and (ratios <= 1).all()):
        raise DesignError(
            f"mixture ratios lie within 0 and 1, or 0 and 100 in percent; they are {_said(ratios)}"
        )
    if np.unique(ratios).size < ratios.size:
        raise DesignError(
            f"two curves of one setting have one mixture ratio ({_said(ratios)}); choose with where="
        )
    if ratios.size < _LEAST:
        raise DesignError(
            f"{ratios.size} mixture ratios with a forecast ({_said(ratios)}); between them a bend takes {_LEAST}: "
            "measure one between"
        )


def _said(ratios: Floats) -> str:
    return ", ".join(f"{r:g}" for r in ratios)


def _unit(middle: Floats, noise: Floats) -> float:
    return float(np.sqrt(np.mean(np.diff(middle) ** 2) + noise.mean())) + 1e-9


def _bends(r: Floats, middle: Floats, noise: Floats) -> Floats:
    """Return the posterior of τ on the grid, in units of the usual step."""
    unit = _unit(middle, noise)
    line = np.column_stack([np.ones_like(r), r])
    log_p = -0.5 * (np.log(_BENDS / _USUAL) / np.log(2.5)) ** 2
    for i, tau in enumerate(_BENDS):
        covariance = (tau * unit) ** 2 * wiener(r, r) + np.diag(noise + 1e-12 * unit**2)
        inverse = np.linalg.inv(covariance)
        gram = line.T @ inverse @ line
        left = middle - line @ np.linalg.solve(gram, line.T @ inverse @ middle)
        spread = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(gram)[1]
        log_p[i] -= 0.5 * (spread + left @ inverse @ left)
    p = np.exp(log_p - log_p.max())
    return np.asarray(p / p.sum())


def _kriging(r: Floats, s: Floats) -> tuple[Floats, Floats]:
    """Return weights (F, C) of a line plus a Wiener path through exact values, and the covariance left for τ = 1."""
    count = r.size
    system = np.zeros((count + 2, count + 2))
    system[:count, :count] = wiener(r, r)
    system[:count, count:] = line = np.column_stack([np.ones_like(r), r])
    system[count:, :count] = line.T
    right = np.vstack([wiener(r, s), np.ones_like(s), s])
    solved = np.linalg.solve(system, right)
    return np.asarray(solved[:count].T), np.asarray(wiener(s, s) - right.T @ solved)


def wiener(r: Floats, s: Floats) -> Floats:
    """Return the covariance (R, S) of an integrated Wiener path from 0."""
    near, far = np.minimum.outer(r, s), np.maximum.outer(r, s)
    return np.asarray(near**2 * (3 * far - near) / 6)
