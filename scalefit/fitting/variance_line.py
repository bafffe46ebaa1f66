"""Seed variance as a line in log size: the weights of a fit.

A variance from three seeds has two degrees of freedom and is off by a factor of three as often
as not; a fit weighted by such numbers covers 76 % where it promises 95 %. A line through all
cells, ``log s² = b0 + b1 log x``, borrows strength and covers 96 %.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from scalefit.errors import FitError
from scalefit.types import Floats

CELLS_FOR_A_SLOPE = 4
_STEPS = 60


@dataclass(frozen=True, eq=False)
class VarianceLine:
    """Smoothed variance of one replicate, cell by cell.

    Attributes
    ----------
    intercept, slope : ``log variance = intercept + slope · log x``.
    slope_stderr : standard error of the slope; nan where it was fixed at 0.
    dof : degrees of freedom behind the line: use Student's t with these for intervals.
    variances : smoothed variance of one replicate in each cell, in the order given.
    notes : what was done besides.
    centre : ``log x`` where the line's height does not depend on its slope.
    """

    intercept: float
    slope: float
    slope_stderr: float
    dof: float
    variances: Floats
    notes: tuple[str, ...] = ()
    centre: float = 0.0

    @property
    def weights(self) -> Floats:
        """``1 / variances`` at mean 1: the weight of one replicate (times P for a mean of P)."""
        if not np.any(self.variances > 0):
            return np.ones_like(self.variances)
        inverse = 1 / self.variances
        return np.asarray(inverse / inverse.mean())

    def at(self, x: ArrayLike) -> Floats:
        """Smoothed variance of one replicate at sizes ``x`` > 0."""
        return np.asarray(np.exp(self.intercept + self.slope * np.log(np.asarray(x, dtype=float))))

    def doubt(self, x: ArrayLike) -> Floats:
        """Variance of the log variance at sizes ``x`` > 0 that comes from the slope; 0 where it was fixed."""
        apart = np.log(np.asarray(x, dtype=float)) - self.centre
        return np.asarray((apart * np.nan_to_num(self.slope_stderr)) ** 2)

    def times(self, factor: float) -> VarianceLine:
        """Return the line of ``factor`` times the variance."""
        return replace(
            self,
            intercept=self.intercept + float(np.log(factor)),
            variances=_frozen(self.variances * factor),
        )


def smoothed_variance(
    x: ArrayLike,
    means: ArrayLike,
    variances: ArrayLike,
    dof: ArrayLike,
    *,
    residual: Literal["linear", "log"] = "linear",
    usual_change: float = np.inf,
) -> VarianceLine:
    """Line through the variances of replicated cells.

    Parameters
    ----------
    x : (n,) sizes, say pretraining tokens; a size of 0 is read as the smallest positive one.
    means : (n,) cell means; used where ``residual`` is "log".
    variances : (n,) variance of one replicate in each cell; ignored (nan allowed) where dof is 0.
    dof : (n,) degrees of freedom of each variance: pretraining seeds − 1.
    residual : "log": the variance of log y, by the delta method ``s² / mean²``.
    usual_change : standard deviation, over the curves one meets, of how much the log variance changes over the sizes at
        hand. The slope is shrunk towards 0 by it: with few runs a steep line is mostly chance. Where the slope itself
        is clear of its error, it is shrunk by that much less.

    Notes
    -----
    ``s² ~ σ²(x) χ²_ν / ν``: a gamma regression with log link and prior weights ν/2, by
    iteratively reweighted least squares (McCullagh & Nelder 1989, ch. 8). Unlike least squares
    on log s² it needs no bias correction and takes s² = 0. Fewer than four replicated sizes
    carry no slope: the variance is pooled.

    Raises FitError: no cell has replicates, or a log scale is asked for with means ≤ 0.
    """
    size, mean, raw, nu = (np.asarray(a, dtype=float) for a in (x, means, variances, dof))
    _check(size, mean, raw, nu, residual)
    if residual == "log":
        raw = raw / mean**2
    log_x, notes = log_sizes(size)
    used = nu > 0
    pooled = float(np.average(raw[used], weights=nu[used]))
    if pooled == 0:
        note = "replicates do not differ: every point weighs the same"
        return VarianceLine(-np.inf, 0.0, np.nan, float(nu.sum()), _frozen(raw * 0.0), (note,))
    if len(np.unique(log_x[used])) < CELLS_FOR_A_SLOPE:
        b0, b1, error = float(np.log(pooled)), 0.0, float("nan")
        notes = (*notes, f"fewer than {CELLS_FOR_A_SLOPE} replicated sizes: variance pooled")
    else:
        cells = log_x[used], raw[used], nu[used], pooled
        b0, b1, error = _gamma_line(*cells, np.inf)
        if np.isfinite(usual_change):
            # A slope that is clear of its error says itself that this curve changes more than others do.
            usual = usual_change / float(np.ptp(log_x[used]))
            b0, b1, error = _gamma_line(*cells, max(usual, np.sqrt(max(b1**2 - 2 * error**2, 0.0))))
    line = np.exp(b0 + b1 * log_x)
    centre = float(np.average(log_x[used], weights=nu[used]))
    return VarianceLine(b0, b1, error, float(nu.sum()), _frozen(line), notes, centre)


def _frozen(values: Floats) -> Floats:
    out: Floats = np.nan_to_num(np.array(values, dtype=float))
    out.flags.writeable = False
    return out


def _check(size: Floats, mean: Floats, raw: Floats, nu: Floats, residual: str) -> None:
    if not size.shape == mean.shape == raw.shape == nu.shape or size.ndim != 1:
        shapes = ", ".join(str(a.shape) for a in (size, mean, raw, nu))
        raise FitError(f"x, means, variances, dof need one length; found shapes {shapes}")
    if not np.any(nu > 0):
        raise FitError(
            "no size has two runs, so seed noise cannot be measured. "
            "Add pretraining seeds at some sizes, or fit without weights."
        )
    if not np.all(raw[nu > 0] >= 0):
        raise FitError("a replicated cell has a missing or negative variance")
    if residual == "log" and not np.all(mean > 0):
        raise FitError(f"residual='log' needs means above 0; the smallest is {mean.min():g}")


def log_sizes(size: Floats) -> tuple[Floats, tuple[str, ...]]:
    """Logarithms of sizes, a size of 0 read as the smallest positive one, and a note where there is one."""
    positive = size[size > 0]
    floor = float(positive.min()) if len(positive) else 1.0
    logs: Floats = np.log(np.maximum(size, floor))
    if len(positive) == len(size):
        return logs, ()
    return logs, (f"size 0 takes the variance of the smallest size, {floor:g}",)


def _gamma_line(
    log_x: Floats, raw: Floats, nu: Floats, pooled: float, prior: float
) -> tuple[float, float, float]:
    """Intercept, slope and the slope's standard error of a gamma regression with log link.

    ``prior`` is the standard deviation of the slope beforehand, about 0.
    """
    # About the centre of the data height and slope are told apart, so that shrinking the slope leaves the height alone.
    centre = float(np.average(log_x, weights=nu))
    t, w = log_x - centre, nu / 2
    design = np.column_stack([np.ones_like(t), t])
    known = np.array([0.0, prior**-2.0])  # what the prior knows of the two
    # With a log link the information does not depend on the line: made once, Fisher's steps need no other.
    information = design.T @ (w[:, None] * design) + np.diag(known)
    beta = np.array([np.log(pooled), 0.0])
    for _ in range(_STEPS):
        score = design.T @ (w * (raw / np.exp(design @ beta) - 1)) - known * beta
        step = np.linalg.solve(information, score)
        # At most a factor e a step: a cell with a variance of almost 0 would throw the first one out of sight.
        beta = beta + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-10:
            break
    return float(beta[0] - beta[1] * centre), float(beta[1]), float(information[1, 1] ** -0.5)
