"""Levenberg–Marquardt under bounds, on the exact objective, for a whole batch at once.

Rows of ``theta`` (B, p) may differ in start and in weights; each keeps its own damping and stops on
its own. Curvature is that of the loss (Huber's outliers count little), steps are scaled by the
diagonal, and a parameter at its bound is freed as soon as the gradient points inwards.

Source: Moré 1978; Triggs et al. 1999, section 4.3 for the robust weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalefit.fitting.problem import Problem

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Polished:
    """Where each start ended: theta (B, p), objective (B,), scaled gradient norm (B,), steps taken."""

    theta: Array
    objective: Array
    gradient: Array
    steps: int


@dataclass(eq=False)
class _State:
    theta: Array
    value: Array
    jac: Array
    total: Array
    damping: Array


def polish(
    problem: Problem,
    start: Array,
    weights: Array | None = None,
    *,
    max_steps: int = 300,
    tolerance: float = 1e-13,
) -> Polished:
    """Descend from every row of ``start`` (B, p), with weights (B, n) or (n,) or none."""
    lower, upper = problem.law.bounds(problem.inputs)
    theta = np.clip(np.array(start, dtype=float, ndmin=2), lower, upper)
    weights = None if weights is None else np.broadcast_to(weights, (len(theta), problem.y.size))
    out_theta, out_total = theta.copy(), np.full(len(theta), np.inf)
    out_gradient = np.full(len(theta), np.inf)
    alive = np.arange(len(theta))
    state = _evaluate(problem, theta, weights)
    floor = 1e-32 * float(np.sum(problem.least_squares_weights * problem.y**2))
    steps = 0
    for steps in range(1, max_steps + 1):  # noqa: B007
        w = weights if weights is None or len(alive) == len(weights) else weights[alive]
        gradient, hessian = _derivatives(problem, state, w)
        step, gain, norm = _step(state, gradient, hessian, lower, upper)
        out_theta[alive], out_total[alive], out_gradient[alive] = state.theta, state.total, norm
        done = (gain <= tolerance * state.total + floor) | (state.damping > 1e12)
        if done.all():
            break
        if done.any():
            keep = ~done
            alive = alive[keep]
            state = _State(*(getattr(state, f)[keep] for f in state.__dataclass_fields__))
            step = step[keep]
            w = None if w is None else w[keep]
        trial = _evaluate(problem, np.clip(state.theta + step, lower, upper), w)
        state = _accept(state, trial)
    return Polished(out_theta, out_total, out_gradient, steps)


def _evaluate(problem: Problem, theta: Array, weights: Array | None) -> _State:
    with np.errstate(all="ignore"):
        value, jac = problem.law.jacobian(problem.inputs, theta)
        total = problem.total(value, weights)
    total = np.where(np.isfinite(total), total, np.inf)
    return _State(theta, value, jac, total, np.full(len(theta), 1e-4))


def _derivatives(problem: Problem, state: _State, w: Array | None) -> tuple[Array, Array]:
    """Gradient (B, p) and approximate Hessian (B, p, p) of the objective."""
    with np.errstate(all="ignore"):
        r = problem.residual(state.value)
        jac = problem.linearised(state.value, state.jac)
        slope, curvature = problem.objective.slope(r), problem.objective.curvature(r)
    if w is not None:
        slope, curvature = w * slope, w * curvature
    gradient = -(jac @ slope[..., None])[..., 0]
    hessian = (jac * curvature[:, None]) @ jac.transpose(0, 2, 1)
    return gradient, hessian


def _step(
    state: _State, gradient: Array, hessian: Array, lower: Array, upper: Array
) -> tuple[Array, Array, Array]:
    """Damped step, the decrease it promises undamped, and the largest scaled gradient of the free ones."""
    held = ((state.theta <= lower) & (gradient > 0)) | ((state.theta >= upper) & (gradient < 0))
    diagonal = np.einsum("bii->bi", hessian)
    held |= ~(diagonal > 0)
    root = np.where(held, 1.0, np.sqrt(np.where(held, 1.0, diagonal)))
    g = np.where(held, 0.0, gradient) / root
    free = ~held
    scaled = hessian / (root[:, :, None] * root[:, None]) * (free[:, :, None] & free[:, None])
    p = g.shape[1]
    scaled[:, np.arange(p), np.arange(p)] = 1.0 + state.damping[:, None]
    move = -np.linalg.solve(scaled, g[..., None])[..., 0]
    gain = -0.5 * (move * g).sum(-1)
    norm = np.abs(g).max(-1) / np.sqrt(np.maximum(state.total, 1e-300))
    return move / root, np.where(np.isfinite(gain), gain, 0.0), norm


def _accept(state: _State, trial: _State) -> _State:
    """Take each trial that is no worse, and adapt the damping."""
    better = trial.total <= state.total
    damping = np.where(better, np.maximum(state.damping * 0.1, 1e-14), state.damping * 8)
    if better.all():
        trial.damping = damping
        return trial
    row = better[:, None]
    return _State(
        np.where(row, trial.theta, state.theta),
        np.where(row, trial.value, state.value),
        np.where(row[..., None], trial.jac, state.jac),
        np.where(better, trial.total, state.total),
        damping,
    )
