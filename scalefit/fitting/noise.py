"""How noisy the points are: which seeds count, what they weigh, and how far one new run may lie from the curve.

- seeds that agree to the last digit count once: they are copies, or scores too coarse to tell seeds apart;
- at least 3 pretraining seeds at 4 or more sizes: a line of their variance over size, drawn towards one common
  variance, gives the weights. Only its slope is used; how large the noise is, the scatter about the curve tells;
- test-set standard errors weigh the points where there are no seeds; else all points weigh the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from scalefit.errors import FitError
from scalefit.fitting.objective import Objective
from scalefit.fitting.points import Points
from scalefit.fitting.variance_line import CELLS_FOR_A_SLOPE, VarianceLine, smoothed_variance
from scalefit.types import Floats

Weighting = Literal["auto", "none", "stderr", "seeds"]
# Seeds of translation models change their SD by a factor of two over a curve as often as not: the logarithm of
# their variance by 1.5. A line through a few cells is drawn to no change by as much as its error exceeds that.
USUAL_CHANGE = 1.5
DUST = 1e-9


@dataclass(frozen=True, eq=False)
class Noise:
    """Relative standard deviation of each point.

    Attributes
    ----------
    scale : (n,) divides the residuals; None weighs all points alike.
    line : the smoothed variance behind the weights, or None.
    label : how the weights were chosen.
    """

    scale: Floats | None
    line: VarianceLine | None
    label: str
    notes: tuple[str, ...] = ()


def untied(points: Points) -> Points:
    """Return the points with runs of one size that all have the same value taken as one.

    Equal values say nothing of the spread of seeds: a variance of 0 would give their size all the weight, and
    copies of one run would count as many. Taken once, a tie costs a little precision and misleads nobody.
    """
    if points.design != "runs":
        return points
    groups = points.groups
    counts = np.bincount(groups)
    low, high = np.full(counts.size, np.inf), np.full(counts.size, -np.inf)
    np.minimum.at(low, groups, points.y)
    np.maximum.at(high, groups, points.y)
    tied = (counts > 1) & (high - low <= DUST * np.abs(points.y).max())
    if not tied.any():
        return points
    keep = ~tied[groups]
    keep[np.unique(groups, return_index=True)[1]] = True
    note = (
        f"at {int(tied.sum())} of {int((counts > 1).sum())} sizes with several runs all have the same value: "
        "they count as one run there, and say nothing of the noise"
    )
    return points.only(keep, note)


def weigh(points: Points, objective: Objective, weighting: Weighting) -> Noise:
    """Choose the weights of the points.

    Raises
    ------
    FitError
        ``weighting`` asks for standard errors or seeds that the table does not have.
    """
    if weighting not in ("auto", "none", "stderr", "seeds"):
        raise FitError(f"weights is {weighting!r}; it must be 'auto', 'none', 'stderr' or 'seeds'")
    replicated = points.design == "runs" and _replicated_sizes(points) >= CELLS_FOR_A_SLOPE
    if weighting == "seeds" and not replicated:
        raise FitError(
            f"weights='seeds' needs at least 3 pretraining runs (pretrain_seed) at {CELLS_FOR_A_SLOPE} or more "
            "sizes, each size with runs of its own that differ; try weights='auto', or add seeds"
        )
    if replicated and weighting in ("auto", "seeds"):
        return _from_seeds(points, objective)
    if weighting == "stderr" and points.stderr is None:
        raise FitError("weights='stderr' needs a standard error in every row; fill stderr, or use 'auto'")
    if points.stderr is not None and weighting in ("auto", "stderr"):
        return _from_stderr(points, objective)
    return Noise(None, None, "none")


def _replicated_sizes(points: Points, at_least: int = 3) -> int:
    return int((np.bincount(points.groups) >= at_least).sum())


def _from_stderr(points: Points, objective: Objective) -> Noise:
    assert points.stderr is not None
    scale = points.stderr / (points.y if objective.residual == "log" else 1.0)
    middle = float(np.median(scale))
    if not middle > 0:
        return Noise(None, None, "none", ("standard errors are 0, so none are used as weights",))
    return Noise(np.maximum(scale, middle / 10), None, "stderr")


def _from_seeds(points: Points, objective: Objective) -> Noise:
    groups = points.groups
    counts = np.bincount(groups)
    means = np.bincount(groups, points.y) / counts
    dof = counts - 1
    variances = np.bincount(groups, (points.y - means[groups]) ** 2) / np.maximum(dof, 1)
    size = np.bincount(groups, points.inputs[0]) / counts
    line = smoothed_variance(
        size, means, variances, dof, residual=objective.residual, usual_change=USUAL_CHANGE
    )
    return Noise(np.sqrt(line.variances)[groups], line, "seeds", line.notes)


@dataclass(frozen=True, eq=False)
class Spread:
    """How far one new run may lie from the curve: a line of variance over size, with its doubt.

    Attributes
    ----------
    line : variance of a value, or of its logarithm, by size.
    dof : degrees of freedom of the scatter in the middle of the sizes; fewer count away from it, where the
        line's slope is in doubt.
    """

    line: VarianceLine
    dof: float

    def reach(self, x: Floats, level: float) -> Floats:
        """Half-length (Q,) of the interval of a new value about a known curve, at sizes ``x`` (Q,)."""
        doubt = 2 / self.dof + self.line.doubt(x)
        # A variance known with ν degrees of freedom has a logarithm of variance 2/ν: the line's doubt is read as
        # fewer of them, so that beyond the data the tails grow and not the scatter itself.
        t = stats.t.ppf(0.5 + level / 2, np.maximum(2 / doubt, 1.0))
        return np.asarray(t * np.sqrt(self.line.at(x)))


def spread_of(points: Points, noise: Noise, residual: Floats, leverage: Floats, units: int) -> Spread | None:
    """Lay the line through the squares of scaled residuals (n,).

    ``leverage`` (n,) is what each point had of its own residual; ``units`` are the runs, where points share them.
    Squares of points that pulled the curve towards them count by what is left of them.
    """
    own = np.maximum(1 - leverage, 1e-3)
    dof = float(own.sum()) if units == 0 else units - 1.0
    if not (residual**2).sum() > 0 or dof <= 0:
        return None
    scaled = float((residual**2).sum() / own.sum())
    if noise.line is not None:
        return Spread(noise.line.times(scaled), dof)
    x = points.inputs[0]
    line = smoothed_variance(
        x, np.ones(x.size), residual**2 / own, own * dof / own.sum(), usual_change=USUAL_CHANGE
    )
    return Spread(line, dof)

