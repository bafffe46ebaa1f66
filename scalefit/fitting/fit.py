"""Fit one law to one group of results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from scalefit.fitting.checks import (
    answer_notes,
    design_notes,
    floor_notes,
    outlier_notes,
    refuse,
    refuse_direction,
)
from scalefit.fitting.gather import gather
from scalefit.fitting.intervals.uncertainty import uncertainty_of
from scalefit.fitting.lack_of_fit import lack_of_fit
from scalefit.fitting.lmfit_bridge import law_of_function
from scalefit.fitting.noise import Weighting, cautious, untied, weigh
from scalefit.fitting.points import points_of
from scalefit.fitting.problem import Function, Objective, Residual, make_problem
from scalefit.fitting.result import Fit
from scalefit.fitting.solve import multiplicities, refit, solve_problem
from scalefit.groups import group_of
from scalefit.laws import get_law
from scalefit.laws.law import Law
from scalefit.table import Observations
from scalefit.table import metric as metric_of
from scalefit.types import Renames


def fit(
    data: Any,
    metric: str,
    law: str | Law | Callable[..., Any] = "power",
    *,
    inputs: Mapping[str, str] | None = None,
    where: Mapping[str, Any] | None = None,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
    objective: Function = "squared",
    delta: float | None = None,
    residual: Residual | Literal["auto"] = "auto",
    weights: Weighting = "auto",
) -> Fit:
    """Fit ``law`` to ``metric``, without a start, and say how sure the answer is.

    Parameters
    ----------
    data : path, DataFrame, Table or mapping of columns
        Results, long or wide. Rows of several corpora or tasks are refused unless ``where`` names them.
    metric : str
        The metric to describe.
    law : str, Law or function
        A law's name (``scalefit.LAWS``), a :class:`Law`, or a bare function ``f(x, a, b)``;
        of several inputs, ``f(N, D, a, b)``, with ``inputs={"N": …, "D": …}``.
    inputs : mapping, optional
        Law input → column; ``pretrain_tokens`` for a law of one input.
    where : mapping, optional
        Column → condition: a value, a list, ``(low, high)``, ``"<=5e9"``; see :meth:`scalefit.Table.where`.
    mapping : mapping, optional
        Own name → canonical name, for columns and metrics.
    allow : sequence of str
        Checks to switch off, see :data:`scalefit.table.ALLOWABLE`.
    objective, delta
        The function of the residuals that is summed over points; see :class:`scalefit.fitting.Objective`.
    residual : {"auto", "log", "linear"}
        What is compared, logarithms or values. ``"auto"``: logarithms of a quality (a metric of which more is
        better, all values above 0), whose noise grows with it; values of everything else.
    weights : {"auto", "seeds", "stderr", "none"}
        Where the weights come from: smoothed seed variance, test-set standard errors, or nowhere.

    Returns
    -------
    Fit

    Raises
    ------
    FitError
        The data cannot identify the law; the message says what would. Or the law moves away from better values.
    TableError
        The table breaks a rule, or has no such rows.
    LawError
        There is no such law.

    Examples
    --------
    >>> sizes, losses = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6], [4.05, 3.37, 2.93, 2.62, 2.43, 2.30]
    >>> table = {"pretrain_tokens": sizes, "cross_entropy": losses}
    >>> {name: round(value, 2) for name, value in fit(table, "cross_entropy", "power").params.items()}
    {'E': 2.04, 'A': 121.65, 'alpha': 0.3}
    """
    chosen = _law(law, inputs)
    rows = gather(data, metric, chosen, inputs, where, mapping=mapping, allow=allow)
    if "direction" not in allow:
        refuse_direction(chosen, rows.metric, rows.columns[chosen.inputs[0]])
    minimised = Objective(
        objective, delta, usual_residual(rows) if residual == "auto" else residual
    )
    return fit_observations(rows, chosen, minimised, weights=weights, group=group_of(where))


def usual_residual(data: Observations) -> Residual:
    """Return what is compared unless the user says: logarithms of a quality, values of everything else.

    Log residuals hold their level for quality under noise of either kind; for cross-entropy they fall to 92.6 %
    where noise is additive. Source: our simulation, docs/simulations/intervals.md.
    """
    return (
        "log" if metric_of(data.metric).direction == "+" and (data.values > 0).all() else "linear"
    )


def fit_observations(
    data: Observations,
    law: Law,
    objective: Objective,
    *,
    weights: Weighting = "auto",
    group: Mapping[str, Any] | None = None,
) -> Fit:
    """Fit a law to vectors that are already cut."""
    points = untied(cautious(points_of(data)))
    refuse(law, points)
    noise = weigh(points, objective, weights)
    problem = make_problem(law, points.inputs, points.y, objective, noise.scale)
    solution = solve_problem(problem)
    lack = lack_of_fit(points, problem, solution.theta)
    uncertainty, notes = uncertainty_of(solution, points, noise, lack)
    return Fit(
        law=problem.law,
        observations=data,
        points=points,
        solution=solution,
        uncertainty=uncertainty,
        misfit=lack,
        notes=(
            *data.notes,
            *points.notes,
            *noise.notes,
            *design_notes(law, points),
            *answer_notes(solution, points),
            *outlier_notes(solution, points),
            *floor_notes(uncertainty),
            *notes,
        ),
        group=group or {},
    )


def bootstrap(fitted: Fit, resamples: int = 1000, seed: int = 0) -> Fit:
    """Return the fit with ``draws``: pairs drawn with replacement, or whole pretraining runs.

    Parameters
    ----------
    fitted : Fit
    resamples : int
        How many refits; all run as one array program.
    seed : int
        One seed gives the same draws on every platform.

    Examples
    --------
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
    >>> drawn = bootstrap(fit(table, "bleu", "log"), resamples=50)
    >>> drawn.draws.params["s"].shape
    (50,)
    """
    points = fitted.points
    units = points.run if points.design == "checkpoints" else np.arange(points.y.size)
    return replace(fitted, draws=refit(fitted.solution, multiplicities(units, resamples, seed)))


def _law(law: str | Law | Callable[..., Any], inputs: Mapping[str, str] | None) -> Law:
    if callable(law) and not isinstance(law, Law):
        return law_of_function(law, tuple(inputs or ()))
    return get_law(law)
