"""Does the law follow the data? Asked in the way that the data allow.

- runs of their own at each size: their means about the curve against the spread of runs (pure error);
- checkpoints of several runs: what each run leaves off the curve, run against run;
- checkpoints of one run: a bend that their common drift does not explain;
- single points: a bend, or neighbours that miss on the same side.

What a change of the parameters would take up is no misfit: residuals are looked at off the curve's tangent.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Literal

import numpy as np
from scipy import special

from scalefit.fitting.intervals.scatter import restricted
from scalefit.fitting.points import Points
from scalefit.fitting.problem import Problem
from scalefit.types import Floats

By = Literal["replicates", "runs", "drift", "pattern", "nothing"]
ALARM = 0.05
WORDS = {
    "replicates": "the means of its seeds lie off the curve",
    "runs": "all runs leave the curve at the same sizes",
    "drift": "the run bends away from the curve by more than it drifts",
    "pattern": "the residuals have a pattern, as checkpoints of one run have too (pretrain_run tells)",
}


@dataclass(frozen=True)
class LackOfFit:
    """Whether the law misses the data by more than their noise.

    Attributes
    ----------
    p : probability of as much misfit if the law holds; None where the data cannot say.
    by : what it was judged by.
    mean_square : mean square of the size means about the curve, in units of one point's variance.
    dof : sizes less parameters: the degrees of freedom of that mean square.

    Examples
    --------
    >>> from scalefit.fitting.lack_of_fit import LackOfFit
    >>> LackOfFit(0.003, "replicates", 2.0, 4).line
    'the law misses the data: the means of its seeds lie off the curve (lack of fit p = 0.003)'
    """

    p: float | None
    by: By
    mean_square: float
    dof: int

    @property
    def seen(self) -> bool:
        """Whether misfit is beyond chance."""
        return self.p is not None and self.p < ALARM

    @property
    def line(self) -> str:
        """Say it in one line; nothing where no misfit is seen."""
        if not self.seen:
            return ""
        return f"the law misses the data: {WORDS[self.by]} (lack of fit p = {self.p:.2g})"


def lack_of_fit(points: Points, problem: Problem, theta: Floats) -> LackOfFit:
    """Judge a fit by its scaled residuals, off the tangent of the curve at the optimum ``theta``."""
    residual, tangent = _off_bounds(problem, theta)
    sizes = int(points.groups.max()) + 1
    means = np.bincount(points.groups, residual) / np.bincount(points.groups)
    dof = sizes - theta.size
    mean_square = float(np.sum(np.bincount(points.groups) * means**2)) / max(dof, 1)
    by, p = _judge(points, residual, tangent, mean_square, dof)
    if problem.met(problem.law.value(problem.inputs, theta)):
        by, p = "nothing", None  # dust has patterns of its own
    return LackOfFit(p, by, mean_square, dof)


def _off_bounds(problem: Problem, theta: Floats) -> tuple[Floats, Floats]:
    """Scaled residuals (n,), and an orthonormal basis (n, q) of what the parameters off their bounds can move."""
    value, jac = problem.law.jacobian(problem.inputs, theta)
    low, high = problem.bounds
    rows = problem.linearised(value, jac)[(theta > low) & (theta < high)]
    # Slopes of length 1, or a unit (nats, tokens) would decide which direction counts as rounding. Two parameters that
    # move the curve alike are then one direction, and cost one degree of freedom.
    size = np.linalg.norm(rows, axis=1)
    rows = rows[size > 0] / size[size > 0, None]
    left, values, _ = np.linalg.svd(rows.T, full_matrices=False)
    return problem.residual(value), left[:, values > 1e-8 * values.max(initial=0.0)]


def _judge(
    points: Points, residual: Floats, tangent: Floats, mean_square: float, dof: int
) -> tuple[By, float | None]:
    if dof <= 0 or not (residual**2).sum() > 0:
        return "nothing", None
    if points.design == "checkpoints" and points.run.max() > 0:
        return "runs", _by_runs(points, residual, tangent)
    bends = _bends(points, tangent)
    if points.design == "checkpoints":
        return "drift", _by_drift(points, residual, tangent, bends)
    pure = _by_replicates(points, residual, mean_square, dof)
    if pure is not None:
        return "replicates", pure
    return "pattern", _by_pattern(points, residual, tangent, bends)


def _by_replicates(points: Points, residual: Floats, mean_square: float, dof: int) -> float | None:
    """Compare size means with pure error: F. Source: Draper and Smith 1998, Applied Regression, section 2.1."""
    counts = np.bincount(points.groups)
    left = residual.size - counts.size
    if left <= 0:
        return None
    means = np.bincount(points.groups, residual) / counts
    pure = float(np.sum((residual - means[points.groups]) ** 2)) / left
    return float(special.fdtrc(dof, left, mean_square / pure)) if pure > 0 else None


def _by_runs(points: Points, residual: Floats, tangent: Floats) -> float | None:
    """Compare what all runs leave off the curve with how runs differ in it; each run is one unit.

    Residuals of one run hang together over sizes, so the ratio has the degrees of freedom of Geisser and Greenhouse's
    lower bound, 1 and runs − 1, whatever that correlation. Source: Box 1954, Annals of Mathematical Statistics 25(3).
    """
    runs, groups = int(points.run.max()) + 1, points.groups
    table = np.full((runs, int(groups.max()) + 1), np.nan)
    table[points.run, groups] = residual
    common = ~np.isnan(table).any(0)
    first = np.array([np.flatnonzero(groups == g)[0] for g in np.flatnonzero(common)], dtype=int)
    off = _complement(tangent[first]) if first.size else np.zeros((0, 0))
    if off.shape[1] == 0:
        return None
    left = table[:, common] @ off
    between = float(((left - left.mean(0)) ** 2).sum()) / (runs - 1)
    together = runs * float((left.mean(0) ** 2).sum())
    return float(special.fdtrc(1, runs - 1, together / between)) if between > 0 else None


def _complement(tangent: Floats) -> Floats:
    """Orthonormal basis of everything off the tangent (n, q): (n, n − q)."""
    left, values, _ = np.linalg.svd(tangent, full_matrices=True)
    return np.asarray(left[:, int((values > 1e-8).sum()) :])


def _bends(points: Points, tangent: Floats) -> Floats:
    """Squares and products of the inputs' logarithms, off the tangent, orthonormal: (n, b)."""
    logs = [np.log(x) if (x > 0).all() else x for x in points.inputs]
    logs = [(u - u.mean()) / np.ptp(u) for u in logs]
    columns = np.column_stack([u * v for u, v in combinations_with_replacement(logs, 2)])
    off = columns - tangent @ (tangent.T @ columns)
    left, values, _ = np.linalg.svd(off, full_matrices=False)
    # What remains of a bend that the parameters can make themselves is rounding, not a direction.
    return np.asarray(left[:, values > 1e-6 * np.linalg.norm(columns)])


def _by_pattern(points: Points, residual: Floats, tangent: Floats, bends: Floats) -> float | None:
    """Ask for a bend and, along one input, for neighbours that go together; twice the smaller p."""
    p = [
        v
        for v in (_by_bend(residual, tangent, bends), _by_neighbours(points, residual, tangent))
        if v is not None
    ]
    return min(1.0, len(p) * min(p)) if p else None


def _by_bend(residual: Floats, tangent: Floats, bends: Floats) -> float | None:
    """F of the bends against what is left after them."""
    k = bends.shape[1]
    left = residual.size - tangent.shape[1] - k
    if k == 0 or left <= 0:
        return None
    taken = float(((bends.T @ residual) ** 2).sum())
    rest = float(((residual - tangent @ (tangent.T @ residual)) ** 2).sum()) - taken
    return float(special.fdtrc(k, left, taken / k / (rest / left))) if rest > 0 else 0.0


def _by_neighbours(points: Points, residual: Floats, tangent: Floats) -> float | None:
    """Squared second-hand differences of neighbours over squares: small where they miss on the same side.

    Its distribution after a fit is a beta with the exact mean and variance of the ratio of quadratic forms.
    Source: Durbin and Watson 1951, Biometrika 38(1/2).
    """
    n, q = tangent.shape
    dof = n - q
    if len(points.inputs) > 1 or dof < 3:
        return None
    order = np.argsort(points.inputs[0], kind="stable")
    basis, r = tangent[order], residual[order]
    step = np.diff(basis, axis=0)
    mixed, squared = step.T @ step, _differences(basis)
    trace = 2 * (n - 1) - np.trace(mixed)
    square = (6 * n - 8) - 2 * np.sum(squared**2) + np.sum(mixed**2)
    mean = trace / dof
    variance = 2 * (square - dof * mean**2) / (dof * (dof + 2))
    a = mean * (mean * (4 - mean) / variance - 1) / 4
    ratio = float(np.sum(np.diff(r) ** 2) / np.sum(r**2))
    return float(special.betainc(a, a * (4 - mean) / mean, ratio / 4)) if a > 0 else None


def _differences(basis: Floats) -> Floats:
    """A·basis for the matrix A of Σ (r_{i+1} − r_i)²: (n, q)."""
    out = np.zeros_like(basis)
    step = np.diff(basis, axis=0)
    out[:-1] -= step
    out[1:] += step
    return out


def _by_drift(points: Points, residual: Floats, tangent: Floats, bends: Floats) -> float | None:
    """Ask for a bend of one run's checkpoints, over every correlation that the rest of them leaves open."""
    order = np.lexsort(points.inputs[::-1])
    k, q = bends.shape[1], tangent.shape[1]
    left = residual.size - q - k
    if k == 0 or left <= 0:
        return None
    both = np.column_stack([tangent, bends])[order]
    shares, with_bend = restricted(residual[order], both)
    _, without = restricted(residual[order], tangent[order])
    gain = without * (left + k) / (with_bend * left) - 1
    return float(shares @ special.fdtrc(k, left, np.maximum(gain, 0.0) * left / k))
