"""How noisy the points are: which seeds count, what they weigh, and how far one new run may lie from the curve.

- seeds that agree to the last digit count once: they are copies, or scores too coarse to tell seeds apart;
- at least 3 pretraining seeds at 4 or more sizes: a line of their variance over size, drawn towards one common
  variance, gives the weights. Only its slope is used; how large the noise is, the scatter about the curve tells;
- test-set standard errors weigh the points where there are no seeds; else all points weigh the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from scipy import special

from scalefit.errors import FitError
from scalefit.fitting.points import Points
from scalefit.fitting.problem import Objective
from scalefit.fitting.variance_line import CELLS_FOR_A_SLOPE, VarianceLine, smoothed_variance
from scalefit.table.runs import CAUTIOUS
from scalefit.types import Floats, Ints, Mask

Weighting = Literal["auto", "none", "stderr", "seeds"]
# How much the logarithm of the variance usually changes over a curve: by 2, which is an SD of 2.7 times as much. A
# line through a few cells is drawn to no change by as much as its error exceeds that.
USUAL_CHANGE = 2.0
DUST = 1e-9
UNLIKELY = 0.15
# SD in grains below which the rounding of all seeds of a size is mostly the same.
ROUNDED_ALIKE = 0.2


@dataclass(frozen=True, eq=False)
class PointWeights:
    """Relative standard deviation of each point.

    Attributes
    ----------
    scale : (n,) divides the residuals, its geometric mean 1, so that they and a robust objective's δ keep
        their unit; None weighs all points alike.
    line : the smoothed variance behind the weights, or None.
    label : how the weights were chosen.
    """

    scale: Floats | None
    line: VarianceLine | None
    label: str
    notes: tuple[str, ...] = ()


def cautious(points: Points) -> Points:
    """Return the points with seeds that come back at several sizes taken as the runs.

    They may be checkpoints of one run or separate runs; refits without each seed are right for both, where separate
    points would hold 78 % of the time for checkpoints that hang together.
    """
    if points.design != "runs" or int(points.block.max()) + 1 == points.y.size:
        return points
    if int(points.block.max()) == int(points.run.max()):
        return points
    notes = (*points.notes, CAUTIOUS)
    return replace(points, run=points.block, design="checkpoints", notes=notes)


def untied(points: Points) -> Points:
    """Return the points with runs of one size that all have the same value taken as one, unless rounding explains it.

    Equal values say nothing of the spread of seeds: a variance of 0 would give their size all the weight, and
    copies of one run would count as many. Taken once, a tie costs a little precision and misleads nobody. Runs of
    several sizes that tie at half of them or more are no units either: the points then stand for themselves.
    """
    if points.design == "unknown":
        return points
    cells = _Cells.of(points)
    tied = (cells.counts > 1) & (cells.ranges <= DUST * np.abs(points.y).max())
    half = tied.sum() >= (cells.counts > 1).sum() / 2
    if points.design != "checkpoints" or not half:
        tied &= ~cells.may_tie(points.grain)
    if not tied.any():
        return points
    keep = ~tied[points.groups]
    keep[np.unique(points.groups, return_index=True)[1]] = True
    note = (
        f"at {int(tied.sum())} of {int((cells.counts > 1).sum())} sizes with several runs all have the same value: "
        "they count as one run there, and say nothing of the noise"
    )
    if points.design == "runs" or half:
        return replace(points.only(keep, note), design="runs")
    # The one value belongs to no run: kept in a run's, no refit without a run would show that all of them lean on it.
    alone = np.where(tied[points.groups], points.run.max() + 1 + points.groups, points.run)
    return replace(points, run=alone, block=alone).only(keep, note)


@dataclass(frozen=True, eq=False)
class _Cells:
    """Runs of equal inputs: how many (K,), their mean, range and variance, and the input itself."""

    counts: Ints
    means: Floats
    ranges: Floats
    variances: Floats
    size: Floats

    @staticmethod
    def of(points: Points) -> _Cells:
        groups = points.groups
        counts = np.bincount(groups)
        means = np.bincount(groups, points.y) / counts
        squares = np.bincount(groups, (points.y - means[groups]) ** 2)
        low, high = np.full(counts.size, np.inf), np.full(counts.size, -np.inf)
        np.minimum.at(low, groups, points.y)
        np.maximum.at(high, groups, points.y)
        size = np.bincount(groups, points.inputs[0]) / counts
        return _Cells(counts, means, high - low, squares / np.maximum(counts - 1, 1), size)

    def may_tie(self, grain: float) -> Mask:
        """Where equal values are what rounding to ``grain`` makes of runs that differ: (K,).

        That needs noise of the grain's size: with much more, seeds do not tie unless they are copies; with much
        less, all seeds of a size are rounded alike, and their mean is as far off as one of them.
        """
        dof = np.maximum(self.counts - 1, 0)
        pooled = float(np.sum(dof * self.variances)) / max(int(dof.sum()), 1)
        sd = np.sqrt(max(pooled - grain**2 / 12, 0.0))
        if grain == 0 or sd <= ROUNDED_ALIKE * grain:
            return np.zeros(self.counts.size, dtype=bool)
        return np.array(
            [_tie_chance(sd / grain, count) > UNLIKELY for count in self.counts.tolist()]
        )


def _tie_chance(sd: float, count: int) -> float:
    """Chance that so many normal values of this SD are rounded to one whole number."""
    true, edges = np.linspace(-0.5, 0.5, 21)[:, None], np.arange(-20, 21) - 0.5
    below = special.ndtr((edges - true) / sd)
    return float((np.diff(below) ** count).sum(1).mean())


def weigh(points: Points, objective: Objective, weighting: Weighting) -> PointWeights:
    """Choose the weights of the points.

    Raises FitError: ``weighting`` asks for standard errors or seeds that the table does not have.
    """
    if weighting not in ("auto", "none", "stderr", "seeds"):
        raise FitError(f"weights is {weighting!r}; it must be 'auto', 'none', 'stderr' or 'seeds'")
    replicated = points.design == "runs" and (
        (np.bincount(points.groups) >= 3).sum() >= CELLS_FOR_A_SLOPE
    )
    if weighting == "seeds" and not replicated:
        raise FitError(
            f"weights='seeds' needs at least 3 pretraining runs (pretrain_seed) at {CELLS_FOR_A_SLOPE} or more "
            "sizes, each size with runs of its own that differ; try weights='auto', or add seeds"
        )
    if replicated and weighting in ("auto", "seeds"):
        return _from_seeds(points, objective)
    if weighting == "stderr" and points.stderr is None:
        raise FitError(
            "weights='stderr' needs a standard error in every row; fill stderr, or use 'auto'"
        )
    if points.stderr is not None and weighting in ("auto", "stderr"):
        return _from_stderr(points, objective)
    return PointWeights(None, None, "none")


def _from_stderr(points: Points, objective: Objective) -> PointWeights:
    assert points.stderr is not None
    scale = points.stderr / (points.y if objective.residual == "log" else 1.0)
    middle = float(np.median(scale))
    if not middle > 0:
        return PointWeights(
            None, None, "none", ("standard errors are 0, so none are used as weights",)
        )
    return PointWeights(_relative(np.maximum(scale, middle / 10)), None, "stderr")


def _from_seeds(points: Points, objective: Objective) -> PointWeights:
    cells = _Cells.of(points)
    # No variance of rounded scores is known to be less than what rounding makes.
    variances = np.maximum(cells.variances, points.grain**2 / 12)
    line = smoothed_variance(
        cells.size,
        cells.means,
        variances,
        cells.counts - 1,
        residual=objective.residual,
        usual_change=USUAL_CHANGE,
    )
    return PointWeights(
        _relative(np.sqrt(line.variances)[points.groups]), line, "seeds", line.notes
    )


def _relative(scale: Floats) -> Floats:
    """Scale over its geometric mean."""
    return np.asarray(scale / np.exp(np.log(scale).mean()))


@dataclass(frozen=True, eq=False)
class RunSpread:
    """How far one new run may lie from the curve: a line of variance over size, with its doubt.

    Attributes
    ----------
    x : (n,) first input of the points.
    residual : (n,) of the values, or of their logarithms.
    own : (n,) how much of its residual each point left: points that pulled the curve to them count less.
    dof : degrees of freedom of the scatter.
    weights : the line behind the weights, whose slope is then known from the seeds; or None.
    """

    x: Floats
    residual: Floats
    own: Floats
    dof: float
    weights: VarianceLine | None

    @cached_property
    def line(self) -> VarianceLine:
        """Variance by size."""
        if self.weights is not None:
            scaled = self.residual**2 / self.weights.at(self.x)
            return self.weights.times(float(scaled.sum() / self.own.sum()))
        squares = self.residual**2 / self.own
        return smoothed_variance(
            self.x, np.ones(self.x.size), squares, self.own, usual_change=USUAL_CHANGE
        )

    def reach(self, x: Floats, level: float) -> Floats:
        """Half-length (Q,) of the interval of a new value about a known curve, at sizes ``x`` (Q,)."""
        if not (self.residual**2).sum() > 0:
            return np.zeros(x.shape)
        # The logarithm of a variance known with ν degrees of freedom has variance ψ'(ν/2): the line's doubt is read
        # as fewer of them, its middle kept, so that beyond the data the tails grow and not the scatter itself.
        doubt = special.polygamma(1, self.dof / 2) + self.line.doubt(x)
        dof = np.maximum(
            (1 + np.sqrt(1 + 2 * doubt)) / doubt, 1.0
        )  # solves ψ'(ν/2) = doubt, nearly
        shift = _log_bias(dof) - _log_bias(self.dof)
        return np.asarray(
            special.stdtrit(dof, 0.5 + level / 2) * np.sqrt(self.line.at(x) * np.exp(shift))
        )


def _log_bias(dof: Floats | float) -> Floats:
    """Mean logarithm of a variance measured with so many degrees of freedom, for a true variance of 1."""
    return np.asarray(special.digamma(dof / 2) - np.log(dof / 2))
