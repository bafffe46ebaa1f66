"""Levenberg–Marquardt under bounds, on the exact objective, for a whole batch at once: refits by the thousand.

Rows of ``theta`` (B, p) may differ in start and in weights; each keeps its own damping and stops on
its own. The rules are those of :mod:`scalefit.fitting.descent`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalefit.fitting.descent import DAMPING, EASIER, FLOOR, HARDER, HOPELESS, MAX_STEPS, TINY
from scalefit.fitting.problem import Problem

Array = NDArray[np.float64]


@dataclass(eq=False)
class _State:
    """Rows still moving: where they are, objective and its first two derivatives there, damping."""

    theta: Array
    total: Array
    gradient: Array
    hessian: Array
    damping: Array

    def only(self, keep: NDArray[np.bool_]) -> _State:
        rows = (self.theta, self.total, self.gradient, self.hessian, self.damping)
        return _State(*(row[keep] for row in rows))


def polish(problem: Problem, start: Array, weights: Array, *, tolerance: float = 1e-10) -> Array:
    """Where every row of ``start`` (B, p) leads under its row of weights (B, n): (B, p)."""
    lower, upper = problem.bounds
    with np.errstate(all="ignore"):
        state = _evaluate(problem, np.minimum(np.maximum(start, lower), upper), weights)
        state.total[np.isnan(state.total)] = np.inf
        out, alive, floor = np.empty(start.shape), np.arange(len(start)), FLOOR * problem.size
        for _ in range(MAX_STEPS):
            step, gain = _step(state, lower, upper)
            going = (gain > tolerance * state.total + floor) & (state.damping < HOPELESS)
            if not going.all():
                out[alive[~going]] = state.theta[~going]
                alive, state, step = alive[going], state.only(going), step[going]
                weights = weights[going]
            if not alive.size:
                break
            moved = np.minimum(np.maximum(state.theta + step, lower), upper)
            state = _accept(state, _evaluate(problem, moved, weights))
        out[alive] = state.theta
    return out


def _evaluate(problem: Problem, theta: Array, weights: Array) -> _State:
    found = problem.expansion(*problem.law.jacobian(problem.inputs, theta), weights)
    return _State(theta, *found, np.full(len(theta), DAMPING))


def _step(state: _State, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Damped step (B, p), and the decrease it promises (B,)."""
    gradient, hessian = state.gradient, state.hessian.copy()
    low, high = state.theta <= lower, state.theta >= upper
    if (low | high).any():
        free = ~((low & (gradient > 0)) | (high & (gradient < 0)))
        gradient = gradient * free
        hessian *= free[:, :, None] & free[:, None]
    rows, p = gradient.shape
    diagonal = hessian.reshape(rows, p * p)[:, :: p + 1]
    diagonal *= 1 + state.damping[:, None]
    diagonal += TINY
    step: Array = np.linalg.solve(hessian, -gradient[..., None])[..., 0].astype(float, copy=False)
    return step, -0.5 * (step * gradient).sum(-1)


def _accept(state: _State, trial: _State) -> _State:
    """Take each trial that is no worse, and adapt the damping."""
    better = trial.total <= state.total
    easier, harder = np.maximum(state.damping * EASIER, 1e-14), state.damping * HARDER
    trial.damping = np.where(better, easier, harder)
    if not better.all():
        worse = ~better
        for name in ("theta", "total", "gradient", "hessian"):
            getattr(trial, name)[worse] = getattr(state, name)[worse]
    return trial
