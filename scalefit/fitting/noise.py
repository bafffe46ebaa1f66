"""How noisy the points are, and what an interval may rest on: chosen by what the data are.

- checkpoints of at least two pretraining runs: each run is one unit, ``jackknife-t``;
- at least 3 pretraining seeds at 3 or more sizes whose spread clearly changes with size: pure error,
  smoothed over size, as weights, and ``profile-t`` with its degrees of freedom;
- otherwise the scatter about the curve, ``profile-t`` with n − p degrees of freedom;
- from 60 points on, blocks of points are left out in turn, ``jackknife-t``: scatter need not be alike everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from scalefit.errors import FitError
from scalefit.fitting.objective import Objective
from scalefit.fitting.points import Points
from scalefit.fitting.variance_line import VarianceLine, smoothed_variance

Array = NDArray[np.float64]
Weighting = Literal["auto", "none", "stderr", "seeds"]
CLEAR = 2.3


@dataclass(frozen=True, eq=False)
class Noise:
    """Relative standard deviation of each point, and what is known of its size.

    Attributes
    ----------
    scale : (n,) divides the residuals; None weighs all points alike.
    pure : variance of a scaled residual measured from replicates, or None.
    dof : degrees of freedom of ``pure``.
    line : the smoothed variance behind the weights, or None.
    label : how the weights were chosen.
    """

    scale: Array | None
    pure: float | None
    dof: float
    line: VarianceLine | None
    label: str
    notes: tuple[str, ...] = ()


def weigh(points: Points, objective: Objective, weighting: Weighting) -> Noise:
    """Choose the weights of the points.

    Raises
    ------
    FitError
        ``weighting`` asks for standard errors or seeds that the table does not have.
    """
    if weighting not in ("auto", "none", "stderr", "seeds"):
        raise FitError(f"weights is {weighting!r}; it must be 'auto', 'none', 'stderr' or 'seeds'")
    replicated = points.design == "runs" and _replicated_sizes(points) >= 3
    if weighting == "seeds" and not replicated:
        raise FitError(
            "weights='seeds' needs at least 3 pretraining runs (pretrain_seed) at 3 or more sizes, each "
            "size with runs of its own; try weights='auto', or add seeds"
        )
    if replicated and weighting in ("auto", "seeds"):
        return _from_seeds(points, objective)
    if weighting == "stderr" and points.stderr is None:
        raise FitError(
            "weights='stderr' needs a standard error in every row; fill stderr, or use 'auto'"
        )
    if points.stderr is not None and weighting in ("auto", "stderr"):
        return _from_stderr(points, objective)
    return Noise(None, None, 0.0, None, "none")


def _replicated_sizes(points: Points, at_least: int = 3) -> int:
    return int((np.bincount(points.groups) >= at_least).sum())


def _from_stderr(points: Points, objective: Objective) -> Noise:
    assert points.stderr is not None
    scale = points.stderr / (points.y if objective.residual == "log" else 1.0)
    middle = float(np.median(scale))
    if not middle > 0:
        return Noise(
            None, None, 0.0, None, "none", ("standard errors are 0, so none are used as weights",)
        )
    return Noise(np.maximum(scale, middle / 10), None, 0.0, None, "stderr")


def _from_seeds(points: Points, objective: Objective) -> Noise:
    groups = points.groups
    counts = np.bincount(groups)
    means = np.bincount(groups, points.y) / counts
    squares = np.bincount(groups, (points.y - means[groups]) ** 2)
    dof = counts - 1
    variances = squares / np.maximum(dof, 1)
    size = np.bincount(groups, points.inputs[0]) / counts
    line = smoothed_variance(size, means, variances, dof, residual=objective.residual)
    if not (line.variances > 0).all() or not abs(line.slope) > CLEAR * line.slope_stderr:
        return Noise(None, None, 0.0, None, "equal seeds", line.notes)
    return Noise(np.sqrt(line.variances)[groups], 1.0, float(line.dof), line, "seeds", line.notes)


def lack_of_fit(points: Points, scaled: Array, parameters: int) -> float | None:
    """p-value of the law against pure error: F on (sizes − p, n − sizes) degrees of freedom.

    ``scaled`` (n,) are residuals over their scale. None where there are no replicates, where
    points share runs, or where no degree of freedom is left.
    Source: Draper and Smith 1998, Applied Regression Analysis, section 2.1.
    """
    if points.design == "checkpoints":
        return None
    groups = points.groups
    counts = np.bincount(groups)
    sizes, n = len(counts), len(scaled)
    if sizes <= parameters or n <= sizes:
        return None
    means = np.bincount(groups, scaled) / counts
    pure = float(np.sum((scaled - means[groups]) ** 2)) / (n - sizes)
    if not pure > 0:
        return None
    ratio = misfit(points, scaled, parameters) / pure
    return float(stats.f.sf(ratio, sizes - parameters, n - sizes))


def misfit(points: Points, scaled: Array, parameters: int) -> float:
    """Mean square of the size means about the curve, in units of one point's variance."""
    counts = np.bincount(points.groups)
    means = np.bincount(points.groups, scaled) / counts
    return float(np.sum(counts * means**2)) / max(len(counts) - parameters, 1)
