"""What a picture of a fit shows, as plain values: the points, the curve, its bands, its target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from scalefit.errors import DomainError
from scalefit.fitting.result import Fit
from scalefit.forecasting.mixture import Mixture
from scalefit.forecasting.predict import predict
from scalefit.table.metrics import metric as metric_of
from scalefit.types import Floats

POINTS, FARTHEST = 90, 1000.0


@dataclass(frozen=True, eq=False)
class Ribbon:
    """A curve with its band: ``x``, ``estimate``, ``low`` and ``high`` are all of shape (n,)."""

    x: Floats
    estimate: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Goal:
    """A target value and the tokens it takes; ``tokens`` is None where it is not reached."""

    value: float
    tokens: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class DrawnCurve:
    """Everything drawn about one fit (or of one group that could not be fitted: points only).

    Attributes
    ----------
    x, y : (n,) arrays; the measured points, seeds apart.
    mean, run : Ribbon or None; the fitted curve with the band for its mean, and with the band for a new run.
    baseline : mean value without pretraining.
    goal : Goal or None; a target to be marked.
    tells : what each point tells beside its value, such as its file and line; empty where nothing is known.
    level : confidence level of the bands.
    """

    x: Floats
    y: Floats
    label: str = ""
    metric: str = ""
    column: str = "pretrain_tokens"
    law: str = ""
    verdict: str = ""
    mean: Ribbon | None = None
    run: Ribbon | None = None
    baseline: float | None = None
    goal: Goal | None = None
    tells: tuple[str, ...] = ()
    level: float = 0.95

    @property
    def largest(self) -> float:
        """Largest measured input: what lies to the right of it is extrapolated."""
        return float(np.max(self.x))

    @property
    def title_y(self) -> str:
        """Label of the y axis: the metric's name and unit."""
        known = metric_of(self.metric)
        same = not known.unit or known.unit.split()[0] == known.title
        return known.title if same else f"{known.title} ({known.unit})"

    @property
    def title_x(self) -> str:
        """Label of the x axis: the column's name in words."""
        return in_words(self.column)


def in_words(column: str) -> str:
    """Return a column's name as an axis says it."""
    names = {"pretrain_tokens": "pretraining tokens", "finetune_tokens": "finetuning tokens"}
    return names.get(column, column.replace("_", " "))


def drawn_curve(
    fit: Fit | Mixture,
    *,
    label: str = "",
    baseline: float | None = None,
    goal: Goal | None = None,
    reach: float = 3.0,
    level: float = 0.95,
) -> DrawnCurve:
    """Gather what a picture of a one-input fit, or of a mixture, shows.

    Parameters
    ----------
    fit : Fit or Mixture; a fitted law of one input, or a mixture.
    label : name of the curve, e.g. its corpus.
    baseline : float, optional; mean value without pretraining.
    goal : Goal, optional; target to mark; the curve is drawn as far as its tokens where they are finite.
    reach : how far beyond the largest input to draw, as a factor.
    level : confidence level of both bands.
    """
    name = only_input(fit)
    x = np.asarray(fit.observations.inputs[name], dtype=float)
    grid = drawn_at(x, goal, reach)
    if isinstance(fit, Mixture):
        grid = np.unique([*grid[grid > fit.series.x[-1]], *fit.series.x])
    return DrawnCurve(
        x=x,
        y=np.asarray(fit.observations.values, dtype=float),
        label=label,
        metric=fit.observations.metric,
        column=fit.observations.columns.get(name, name),
        law="mixture" if isinstance(fit, Mixture) else f"{fit.law.name} law",
        verdict=fit.verdict,
        mean=ribbon(fit, grid, "mean", level),
        run=ribbon(fit, grid, "run", level),
        baseline=baseline,
        goal=goal,
        level=level,
    )


def curve_ahead(
    mixture: Mixture,
    *,
    label: str = "",
    baseline: float | None = None,
    goal: Goal | None = None,
    reach: float = 10.0,
    level: float = 0.8,
) -> DrawnCurve:
    """Gather what a picture of one forecast among many shows: its points, and the band of a new run it already holds.

    Parameters
    ----------
    label, baseline, goal : as in :func:`drawn_curve`.
    reach : how far beyond the largest input to draw, as a factor.
    level : confidence level of the band.
    """
    series, ahead = mixture.series, mixture.ahead
    near = ahead.x <= reach * series.x[-1] * 1.001
    inside = mixture.predictive(series.x, "run")
    parts = [(inside, np.ones(len(series), dtype=bool)), (ahead, near)]
    x, estimate, low, high = (
        np.concatenate([(p.x, p.median, *p.interval(level))[i][keep] for p, keep in parts])
        for i in range(4)
    )
    name = only_input(mixture)
    return DrawnCurve(
        x=np.asarray(mixture.observations.inputs[name], dtype=float),
        y=np.asarray(mixture.observations.values, dtype=float),
        label=label,
        metric=mixture.metric,
        column=mixture.column,
        law="mixture",
        verdict=f"carried by {mixture.carried}",
        mean=Ribbon(x, estimate, low, high),
        baseline=baseline,
        goal=goal,
        level=level,
    )


def only_input(fit: Fit | Mixture) -> str:
    """Return the law's input; a law of several inputs has no single curve."""
    inputs = list(fit.observations.inputs)
    if len(inputs) != 1:
        raise DomainError(
            f"this fit has {len(inputs)} inputs ({', '.join(inputs)}); a curve "
            "needs one. Try scalefit.predict(fit, ...) at the points you want"
        )
    return str(inputs[0])


def drawn_at(x: Floats, goal: Goal | None, reach: float) -> Floats:
    """Return where to draw: from the smallest input to beyond the largest, evenly in its log."""
    high = float(np.max(x)) * reach
    if goal is not None and goal.tokens is not None and np.isfinite(goal.tokens):
        high = max(high, min(goal.tokens * 1.5, float(np.max(x)) * FARTHEST))
    return np.geomspace(float(np.min(x[x > 0])), high, POINTS)


def ribbon(fit: Fit | Mixture, grid: Floats, kind: Literal["mean", "run"], level: float) -> Ribbon:
    """Ask the forecast for the curve and one of its bands."""
    band = predict(fit, grid, level=level, kind=kind)
    return Ribbon(grid, band.estimate, band.low, band.high)
