"""Levenberg–Marquardt under bounds, on the exact objective, for a whole batch at once.

Rows of ``theta`` (B, p) may differ in start and in weights; each keeps its own damping and stops on
its own. Curvature is that of the loss (Huber's outliers count little), steps are scaled by the
diagonal, and a parameter at its bound is freed as soon as the gradient points inwards.

Source: Moré 1978, The Levenberg–Marquardt algorithm; Triggs et al. 1999, Bundle adjustment, section 4.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalefit.fitting.problem import Problem

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Polished:
    """Where each start ended: theta (B, p), objective (B,), scaled gradient (B,), steps taken."""

    theta: Array
    objective: Array
    gradient: Array
    steps: int


@dataclass(eq=False)
class _State:
    """Rows still moving: where they are, the curve and its Jacobian there, objective, damping."""

    theta: Array
    value: Array
    jac: Array
    total: Array
    damping: Array

    def only(self, keep: NDArray[np.bool_]) -> _State:
        rows = (self.theta, self.value, self.jac, self.total, self.damping)
        return _State(*(row[keep] for row in rows))


def polish(
    problem: Problem,
    start: Array,
    weights: Array | None = None,
    *,
    max_steps: int = 300,
    tolerance: float = 1e-13,
) -> Polished:
    """Descend from every row of ``start`` (B, p), with weights (B, n) or (n,) or none."""
    theta = np.array(start, dtype=float, ndmin=2)
    if weights is not None:
        weights = np.broadcast_to(weights, (len(theta), problem.y.size))
    with np.errstate(all="ignore"):
        return _descend(problem, theta, weights, max_steps, tolerance)


def _descend(
    problem: Problem, theta: Array, weights: Array | None, max_steps: int, tolerance: float
) -> Polished:
    lower, upper = problem.bounds
    state = _evaluate(problem, np.minimum(np.maximum(theta, lower), upper), weights)
    out = Polished(state.theta.copy(), state.total.copy(), np.full(len(theta), np.inf), 0)
    alive = np.arange(len(theta))
    floor = 1e-29 * problem.size
    steps = 0
    while alive.size and steps < max_steps:
        steps += 1
        w = weights if weights is None or alive.size == len(weights) else weights[alive]
        step, gain, norm = _step(state, *_derivatives(problem, state, w), lower, upper)
        out.theta[alive], out.objective[alive] = state.theta, state.total
        out.gradient[alive] = norm
        going = (gain > tolerance * state.total + floor) & (state.damping < 1e12)
        if not going.all():
            alive, state, step = alive[going], state.only(going), step[going]
            w = None if w is None else w[going]
        if alive.size:
            moved = np.minimum(np.maximum(state.theta + step, lower), upper)
            state = _accept(state, _evaluate(problem, moved, w))
    return Polished(out.theta, out.objective, out.gradient, steps)


def _evaluate(problem: Problem, theta: Array, weights: Array | None) -> _State:
    value, jac = problem.law.jacobian(problem.inputs, theta)
    total = problem.total(value, weights)
    total[~np.isfinite(total)] = np.inf
    return _State(theta, value, jac, total, np.full(len(theta), 1e-4))


def _derivatives(problem: Problem, state: _State, w: Array | None) -> tuple[Array, Array]:
    """Gradient (B, p) and approximate Hessian (B, p, p) of the objective."""
    r = problem.residual(state.value)
    jac = problem.linearised(state.value, state.jac)
    slope, curvature = problem.objective.slope(r), problem.objective.curvature(r)
    if w is not None:
        slope, curvature = w * slope, w * curvature
    gradient = -(jac @ slope[..., None])[..., 0]
    return gradient, (jac * curvature[:, None]) @ jac.transpose(0, 2, 1)


def _step(
    state: _State, gradient: Array, hessian: Array, lower: Array, upper: Array
) -> tuple[Array, Array, Array]:
    """Damped step (B, p), the decrease it promises (B,), and the largest scaled free gradient (B,)."""
    axis = np.arange(gradient.shape[1])
    root = np.sqrt(hessian[:, axis, axis])
    held = ((state.theta <= lower) & (gradient > 0)) | ((state.theta >= upper) & (gradient < 0))
    held |= ~(root > 0)
    if held.any():
        free = ~held
        hessian = hessian * (free[:, :, None] & free[:, None])
        gradient = gradient * free
        root = np.where(held, 1.0, root)
    g = gradient / root
    scaled = hessian / (root[:, :, None] * root[:, None])
    scaled[:, axis, axis] = 1.0 + state.damping[:, None]
    move = np.linalg.solve(scaled, g[..., None])[..., 0]
    gain = 0.5 * (move * g).sum(-1)
    return -move / root, gain, np.abs(g).max(-1) / np.sqrt(state.total + 1e-300)


def _accept(state: _State, trial: _State) -> _State:
    """Take each trial that is no worse, and adapt the damping."""
    better = trial.total <= state.total
    trial.damping = np.where(better, np.maximum(state.damping * 0.1, 1e-14), state.damping * 8)
    if not better.all():
        worse = ~better
        for name in ("theta", "value", "jac", "total"):
            getattr(trial, name)[worse] = getattr(state, name)[worse]
    return trial
