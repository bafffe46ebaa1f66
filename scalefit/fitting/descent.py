"""Levenberg–Marquardt under bounds from one start: points in numpy, the p×p system in plain floats.

For one start a call of numpy costs more than the arithmetic in it; :func:`polish` below takes
thousands of starts at once by the same rules. Curvature is that of the loss (Huber's outliers count little),
damping is relative to the diagonal, and a parameter at its bound is freed as soon as the gradient points inwards.

Source: Moré 1978, The Levenberg–Marquardt algorithm; Triggs et al. 1999, Bundle adjustment, section 4.3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isnan, sqrt
from typing import NamedTuple, Protocol

import numpy as np

from scalefit.fitting.grid import Start
from scalefit.fitting.problem import Problem
from scalefit.types import Floats, Ints, Mask

Matrix = list[list[float]]
Expansion = tuple[Floats, Floats, Floats]
DAMPING, EASIER, HARDER, HOPELESS = 1e-4, 0.1, 8.0, 1e12
# FLOOR, of the values' own sum of squares: exact data have an objective of 0, to which no gain is ever small.
MAX_STEPS, TOLERANCE, FLOOR, TINY = 300, 1e-13, 1e-29, 1e-300
EXACT = 1e-18  # of the same: nothing is better than a curve through all points, and no other start need be followed
# The objective does not see the last digits of theta: a step that gains 1e-13 of it may be 1e-6 long. A few more, by
# the gradient, which does see them, and two descents that got there by different ways end at one point.
LAST, SETTLED, DUST = 12, 1e-19, 1e-12
PATIENCE = 40  # steps after which the coefficients are solved anew at every step


class Spot(NamedTuple):
    """Somewhere on the way: theta (p), objective, its gradient (p) and approximate Hessian (p×p)."""

    theta: list[float]
    total: float
    gradient: list[float]
    hessian: Matrix

    @property
    def slope(self) -> float:
        """Largest gradient, in units of curvature and objective; ~0 at an optimum."""
        scaled = [
            abs(g) / sqrt(max(row[j], TINY))
            for j, (g, row) in enumerate(zip(self.gradient, self.hessian, strict=True))
        ]
        return max(scaled) / sqrt(self.total + TINY)


def descend(problem: Problem, start: Start, weights: Floats | None) -> tuple[Spot, int]:
    """Return where ``start`` leads, its gradient 0 along bounds that hold it, and the steps taken."""
    still = [0.0] * len(start.theta)
    here = _spot(problem, _inside(problem, start.theta, still), weights)
    # The polynomial's minimum is read axis by axis: across a narrow valley of two shapes it lies up the other wall,
    # and the descent could end in another basin than the cell's.
    if here.total > start.cost:
        here = _spot(problem, _inside(problem, start.cell, still), weights)
    damping, steps, last = DAMPING, 0, LAST
    while True:
        steps += 1
        gradient = _free(here, problem.limits)
        step = _damped(here.hessian, gradient, damping)
        gain = -0.5 * sum(s * g for s, g in zip(step, gradient, strict=True))
        # The promised gain ends it, not the size of a step: along a valley where parameters trade places steps stay
        # long for ever, while the objective has long stopped to move.
        near = not gain > TOLERANCE * here.total
        done = near and (last == 0 or not gain > SETTLED * here.total)
        last -= near
        if done or gain <= FLOOR * problem.size or damping > HOPELESS or steps == MAX_STEPS:
            # The last step costs nothing where it is too short for the objective to be looked at again.
            short = gain <= TOLERANCE * here.total < inf  # and neither is nan
            at = (
                _inside(problem, here.theta, _kept(here.theta, step, problem))
                if short
                else here.theta
            )
            return Spot(at, here.total, gradient, here.hessian), steps
        there = _spot(problem, _inside(problem, here.theta, step), weights)
        if steps > PATIENCE:
            there = min(there, _projected(problem, there, weights), key=lambda spot: spot.total)
        if there.total <= here.total * (1 + DUST * near):
            # Equal counts as better: at rounding's level a strict test would raise the damping until it is hopeless.
            here, damping = there, max(damping * EASIER, 1e-14)
        else:
            damping *= HARDER


def _projected(problem: Problem, spot: Spot, weights: Floats | None) -> Spot:
    """Solve the coefficients at a spot's shapes: a narrow valley bends away from a step of all of theta at once."""
    k = len(problem.law.coefficients)
    gradient = [g if j < k else 0.0 for j, g in enumerate(_free(spot, problem.limits))]
    step = _damped(spot.hessian, gradient, 0.0)
    return _spot(problem, _inside(problem, spot.theta, step), weights)


def _inside(problem: Problem, theta: list[float], step: list[float]) -> list[float]:
    """Return where a step leads, brought back within the bounds."""
    rows = zip(theta, step, problem.limits, strict=True)
    return [min(max(t + s, low), high) for t, s, (low, high) in rows]


def _kept(theta: list[float], step: list[float], problem: Problem) -> list[float]:
    """Return the step of what is off its bounds: by rounding alone nothing leaves one, and is said to lie at it."""
    rows = zip(theta, step, problem.limits, strict=True)
    return [s if low < t < high else 0.0 for t, s, (low, high) in rows]


def _spot(problem: Problem, theta: list[float], weights: Floats | None) -> Spot:
    """Evaluate at theta."""
    value, jac = problem.law.jacobian(problem.inputs, np.array(theta))
    total, gradient, hessian = (v.tolist() for v in problem.expansion(value, jac, weights))
    return Spot(theta, inf if isnan(total) else total, gradient, hessian)


def _free(spot: Spot, limits: list[tuple[float, float]]) -> list[float]:
    """Gradient, 0 where it pushes against a bound."""
    # Asked anew at every step: a parameter that one long step threw onto its bound leaves it with the next.
    return [
        0.0 if (t <= low and g > 0) or (t >= high and g < 0) else g
        for t, g, (low, high) in zip(spot.theta, spot.gradient, limits, strict=True)
    ]


def _damped(hessian: Matrix, gradient: list[float], damping: float) -> list[float]:
    """Solve (H + λ·diag H)·step = −gradient by LDLᵀ; an infinite pivot keeps what has no gradient or curvature."""
    # Damping is relative to the diagonal, so that a parameter's unit does not matter; a plain λ·I would hold the
    # exponent still while the amplitude, a thousand times its size, moves.
    rows, step = [row[i:] for i, row in enumerate(hessian)], [-g for g in gradient]
    # An infinite pivot makes each factor below it 0: a held parameter drops out without a smaller system being built.
    for row, g in zip(rows, gradient, strict=True):
        row[0] = row[0] * (1 + damping) if g else inf
    for i, row in enumerate(rows):
        pivot = row[0] = row[0] if row[0] > 0 else inf
        for r in range(1, len(row)):
            below, factor = rows[i + r], row[r] / pivot
            for c in range(r, len(row)):
                below[c - r] -= factor * row[c]
            step[i + r] -= factor * step[i]
    for i in reversed(range(len(rows))):
        row = rows[i]
        for c in range(1, len(row)):
            step[i] -= row[c] * step[i + c]
        step[i] /= row[0]
    return step


class Many(Protocol):
    """Starts that descend together: a row each, of one problem under many weights or of many problems."""

    @property
    def bounds(self) -> tuple[Floats, Floats]:
        """Lower and upper bounds of theta, (p,) or (B, p) each."""

    @property
    def size(self) -> Floats | float:
        """What each row's objective is small against."""

    def expand(self, theta: Floats) -> Expansion:
        """Objective (B,), gradient (B, p) and approximate Hessian (B, p, p) at theta (B, p)."""

    def only(self, keep: Mask) -> Many:
        """Return the rows that still move."""


@dataclass(frozen=True, eq=False)
class Reweighted:
    """One problem under many rows of weights (B, n), or under the same (n,) or none from many starts."""

    problem: Problem
    weights: Floats | None

    @property
    def bounds(self) -> tuple[Floats, Floats]:
        """The problem's."""
        return self.problem.bounds

    @property
    def size(self) -> float:
        """The problem's."""
        return self.problem.size

    def expand(self, theta: Floats) -> Expansion:
        """Return objective, gradient and Hessian under each row of weights."""
        problem = self.problem
        return problem.expansion(*problem.law.jacobian(problem.inputs, theta), self.weights)

    def only(self, keep: Mask) -> Reweighted:
        """Return the rows of weights that still move."""
        if self.weights is None or self.weights.ndim == 1:
            return self
        return replace(self, weights=self.weights[keep])


@dataclass(eq=False)
class _State:
    """Rows still moving: where they are, objective and its first two derivatives there, damping."""

    theta: Floats
    total: Floats
    gradient: Floats
    hessian: Floats
    damping: Floats
    last: Ints  # steps that are left once the objective no longer tells

    def only(self, keep: Mask) -> _State:
        return _State(*(values[keep] for values in vars(self).values()))


def polish(
    many: Many,
    start: Floats,
    *,
    tolerance: float = 1e-10,
    last: int = 0,
    steps: int = MAX_STEPS,
    pace: float = inf,
) -> tuple[Floats, Ints]:
    """Return where each row of ``start`` (B, p) leads, and its steps (B,), up to ``last`` beyond the tolerance.

    Of starts of one problem, one that in ``pace`` steps as good as its next would not come to the best is given up.
    """
    with np.errstate(all="ignore"):
        state = _evaluate(many, start)
        # Every comparison with nan is false: a start outside of the law's domain would never be left.
        state.total[np.isnan(state.total)] = np.inf
        state.last += last
        out, alive = np.empty(start.shape), np.arange(len(start))
        taken, least = np.zeros(len(start), dtype=np.int64), inf
        for _ in range(steps):
            taken[alive] += 1
            step, gain = _step(state, *many.bounds)
            least = float(state.total.min(initial=least))
            near = ~(gain > tolerance * state.total)
            going = ~near | ((state.last > 0) & (gain > SETTLED * state.total))
            going &= (gain > FLOOR * many.size) & (state.damping < HOPELESS)
            going &= ~(state.total - pace * gain > least)  # nothing is given up where pace is inf
            state.last -= near
            if not going.all():
                # Most rows are there after ten steps, a few in narrow valleys take a hundred: without this each of
                # them would carry all others along.
                short = (gain <= tolerance * state.total) & (state.total < np.inf) & (last > 0)
                off = (state.theta > many.bounds[0]) & (state.theta < many.bounds[1])
                there = _inside_all(state.theta + np.where(short[:, None] & off, step, 0.0), many)
                out[alive[~going]] = there[~going]
                alive, state, step = alive[going], state.only(going), step[going]
                many = many.only(going)
            if not alive.size or (pace < inf and least <= EXACT * many.size):
                break
            state = _accept(state, _evaluate(many, state.theta + step), near[going])
        out[alive] = state.theta
    return out, taken


def slopes(many: Many, theta: Floats) -> tuple[Floats, Floats]:
    """Objective (B,) and the largest free gradient (B,) at theta, as :attr:`Spot.slope` measures it."""
    with np.errstate(all="ignore"):
        state = _evaluate(many, theta)
        gradient = np.where(_held(state, *many.bounds), 0.0, state.gradient)
        curvature = np.diagonal(state.hessian, axis1=-2, axis2=-1)
        scaled = np.abs(gradient) / np.sqrt(np.maximum(curvature, TINY))
        return state.total, scaled.max(-1) / np.sqrt(state.total + TINY)


def _evaluate(many: Many, theta: Floats) -> _State:
    """Expand at theta, brought back within the bounds."""
    inside = _inside_all(theta, many)
    damping, last = np.full(len(theta), DAMPING), np.zeros(len(theta), dtype=np.int64)
    return _State(inside, *many.expand(inside), damping, last)


def _inside_all(theta: Floats, many: Many) -> Floats:
    lower, upper = many.bounds
    return np.minimum(np.maximum(theta, lower), upper)


def _held(state: _State, lower: Floats, upper: Floats) -> Mask:
    """Which parameters sit at a bound and are pushed against it."""
    low, high = state.theta <= lower, state.theta >= upper
    return (low & (state.gradient > 0)) | (high & (state.gradient < 0))


def _step(state: _State, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """Damped step (B, p), and the decrease it promises (B,)."""
    gradient, hessian = state.gradient, state.hessian.copy()
    held = _held(state, lower, upper)
    if held.any():
        free = ~held
        gradient = gradient * free
        hessian *= free[:, :, None] & free[:, None]
    rows, p = gradient.shape
    diagonal = hessian.reshape(rows, p * p)[:, :: p + 1]
    diagonal *= 1 + state.damping[:, None]
    diagonal += (
        TINY  # a held parameter's row is 0: its step shall be 0, not an error of a singular matrix
    )
    step: Floats = np.linalg.solve(hessian, -gradient[..., None])[..., 0].astype(float, copy=False)
    return step, -0.5 * (step * gradient).sum(-1)


def _accept(state: _State, trial: _State, near: Mask) -> _State:
    """Take each trial that is no worse, by rounding where the optimum is near, and adapt the damping."""
    better = trial.total <= state.total * (1 + DUST * near)
    trial.last = state.last
    easier, harder = np.maximum(state.damping * EASIER, 1e-14), state.damping * HARDER
    trial.damping = np.where(better, easier, harder)
    if not better.all():
        worse = ~better
        for name in ("theta", "total", "gradient", "hessian"):
            getattr(trial, name)[worse] = getattr(state, name)[worse]
    return trial
