"""Fit one law to one group of results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scalefit.fitting.checks import answer_notes, design_notes, floor_notes, outlier_notes, refuse
from scalefit.fitting.gather import gather
from scalefit.fitting.noise import Noise, Weighting, lack_of_fit, misfit, weigh
from scalefit.fitting.objective import Objective
from scalefit.fitting.points import Points, points_of
from scalefit.fitting.problem import make_problem
from scalefit.fitting.pseudo import pseudo_problem
from scalefit.fitting.resample import leave_out, multiplicities, refit
from scalefit.fitting.result import Fit
from scalefit.fitting.solve import Solution, solve_problem
from scalefit.fitting.uncertainty import Uncertainty
from scalefit.laws import get_law
from scalefit.laws.law import Law
from scalefit.table import Observations

MANY, BLOCKS = 60, 30


def fit(
    data: Any,
    metric: str,
    law: str | Law | Callable[..., Any] = "power",
    *,
    inputs: Mapping[str, str] | None = None,
    where: Mapping[str, Any] | None = None,
    mapping: Mapping[str, str] | None = None,
    allow: Sequence[str] = (),
    loss: Literal["squared", "huber", "soft_l1"] = "squared",
    delta: float | None = None,
    residual: Literal["linear", "log"] = "linear",
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
        A law's name (``scalefit.LAWS``), a :class:`Law`, or a bare function ``f(x, a, b)``.
    inputs : mapping, optional
        Law input → column; ``pretrain_tokens`` for a law of one input.
    where : mapping, optional
        Column → condition: a value, a list, ``(low, high)``, ``"<=5e9"``; see :meth:`scalefit.Table.where`.
    mapping : mapping, optional
        Own name → canonical name, for columns and metrics.
    allow : sequence of str
        Checks to switch off, see :data:`scalefit.table.ALLOWABLE`.
    loss, delta, residual
        The objective; see :class:`scalefit.fitting.Objective`. Summed over points.
    weights : {"auto", "seeds", "stderr", "none"}
        Where the weights come from: smoothed seed variance, test-set standard errors, or nowhere.

    Returns
    -------
    Fit

    Raises
    ------
    FitError
        The data cannot identify the law; the message says what would.
    TableError
        The table breaks a rule, or has no such rows.
    LawError
        There is no such law.
    """
    chosen = _law(law)
    objective = Objective(loss, delta, residual)
    found = gather(data, metric, chosen, inputs, where, mapping=mapping, allow=allow)
    return fit_observations(found, chosen, objective, weights=weights, group=_scalar(where))


def fit_observations(
    data: Observations,
    law: Law,
    objective: Objective,
    *,
    weights: Weighting = "auto",
    group: Mapping[str, Any] | None = None,
) -> Fit:
    """Fit a law to vectors that are already cut."""
    points = points_of(data)
    refuse(law, points)
    noise = weigh(points, objective, weights)
    problem = make_problem(law, points.inputs, points.y, objective, noise.scale)
    solution = solve_problem(problem)
    p_value = lack_of_fit(points, problem.residual(solution.fitted), len(law.parameters))
    uncertainty, notes = _uncertainty(solution, points, noise, p_value)
    return Fit(
        law=problem.law,
        observations=data,
        points=points,
        solution=solution,
        uncertainty=uncertainty,
        lack_of_fit=p_value,
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
    """
    points = fitted.points
    units = points.run if points.design == "checkpoints" else np.arange(points.y.size)
    return replace(fitted, draws=refit(fitted.solution, multiplicities(units, resamples, seed)))


def _law(law: str | Law | Callable[..., Any]) -> Law:
    if callable(law) and not isinstance(law, Law):
        from scalefit.fitting.lmfit_bridge import law_of_function

        return law_of_function(law)
    return get_law(law)


def _scalar(where: Mapping[str, Any] | None) -> dict[str, Any]:
    return {k: v for k, v in (where or {}).items() if isinstance(v, (str, int, float))}


def _uncertainty(
    solution: Solution, points: Points, noise: Noise, p_value: float | None
) -> tuple[Uncertainty, list[str]]:
    """Choose what the intervals rest on."""
    plain, weights = pseudo_problem(solution.problem, solution.theta)
    base = Uncertainty(plain, weights, solution.theta, 0.0, 0.0, noise)
    dof = points.y.size - solution.theta.size
    notes: list[str] = []
    if p_value is not None and p_value < 0.05:
        notes.append(
            f"the law does not follow the replicated means (lack of fit p = {p_value:.2g})"
        )
    if points.design == "checkpoints":
        runs = int(points.run.max()) + 1
        if runs > 1:
            return replace(base, dof=runs - 1.0, runs=leave_out(solution, points.run)), notes
        notes.append(
            "all points are checkpoints of one run: intervals hold for this run, not for the procedure"
        )
    if notes:
        dof = int(points.groups.max()) + 1 - solution.theta.size
        scaled = solution.problem.residual(solution.fitted)
        return replace(base, s2=misfit(points, scaled, solution.theta.size), dof=dof), notes
    if noise.pure is not None:
        return replace(base, s2=max(noise.pure, base.rss / max(dof, 1)), dof=noise.dof), notes
    if dof <= 0:
        return base, notes
    if solution.problem.objective.loss != "squared" and _outside(solution) > 0.75:
        notes.append(
            f"delta is smaller than {_outside(solution):.0%} of the residuals: the intervals rest on the few others "
            "and can be too short; raise delta"
        )
    base = replace(base, s2=base.rss / dof, dof=float(dof))
    if points.y.size >= MANY:
        blocks = leave_out(solution, _dealt(points))
        return replace(base, dof=BLOCKS - 1.0, runs=blocks), notes
    return base, notes


def _dealt(points: Points) -> NDArray[np.int64]:
    """Deal the points into blocks, the same for the same points in any order.

    From many points the scatter can be measured where it is: leaving out blocks needs no scatter that is alike
    everywhere, as s² does. Source: Shao and Wu 1989, Annals of Statistics 17(3) (delete-d jackknife).
    """
    order = np.lexsort((points.y, *points.inputs))
    labels = np.empty(order.size, dtype=np.int64)
    labels[order] = np.random.default_rng(0).permutation(order.size) % BLOCKS
    return labels


def _outside(solution: Solution) -> float:
    """Share of residuals beyond delta."""
    delta = solution.problem.objective.delta
    assert delta is not None
    return float((np.abs(solution.problem.residual(solution.fitted)) > delta).mean())
