"""Fit one law to one group of results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from scalefit.errors import ScalefitError
from scalefit.fitting.checks import refuse, refuse_direction, sound
from scalefit.fitting.lmfit_bridge import law_of_function
from scalefit.fitting.noise import PointWeights, Weighting, cautious, untied, weigh
from scalefit.fitting.points import Points, gather_rows, points_of
from scalefit.fitting.problem import Function, Objective, Problem, Residual, make_problem
from scalefit.fitting.result import Fit
from scalefit.fitting.solve import Solution, multiplicities, refit, solve_problem
from scalefit.fitting.stack import solve_each
from scalefit.groups import group_of
from scalefit.laws import get_law
from scalefit.laws.law import Law
from scalefit.table import Observations
from scalefit.table import metric as metric_of
from scalefit.types import Renames

AnyLaw = str | Law | Callable[..., Any]


def fit_law(
    data: Any,
    metric: str,
    law: AnyLaw = "power",
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
    data, metric, law, inputs, where, mapping
        As in :func:`scalefit.fit`. A bare function of several inputs, ``f(N, D, a, b)``, needs ``inputs=``.
    allow : checks to switch off, see :data:`scalefit.table.ALLOWABLE`.
    objective, delta
        The function of the residuals that is summed over points; see :class:`scalefit.Objective`.
    residual : {"auto", "log", "linear"}; what is compared, logarithms or values. ``"auto"``: logarithms of a quality (a
        metric of which more is better, all values above 0), whose noise grows with it; values of everything else.
    weights : {"auto", "seeds", "stderr", "none"}
        Where the weights come from: smoothed seed variance, test-set standard errors, or nowhere.

    Raises FitError: the data cannot identify the law; the message says what would. Or the law moves away from better
    values; TableError, LawError: as in :func:`scalefit.fit`.

    Examples
    --------
    >>> sizes, losses = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6], [4.05, 3.37, 2.93, 2.62, 2.43, 2.30]
    >>> table = {"pretrain_tokens": sizes, "cross_entropy": losses}
    >>> {name: round(value, 2) for name, value in fit_law(table, "cross_entropy", "power").params.items()}
    {'E': 2.04, 'A': 121.65, 'alpha': 0.3}
    """
    chosen = law_of(law, inputs)
    rows = gather_rows(data, metric, chosen, inputs, where, mapping=mapping, allow=allow)
    if "direction" not in allow:
        refuse_direction(chosen, rows.metric, rows.columns[chosen.inputs[0]])
    minimised = Objective(
        objective, delta, usual_residual(rows) if residual == "auto" else residual
    )
    return fit_observations(rows, chosen, minimised, weights=weights, group=group_of(where))


def usual_residual(data: Observations, rises: bool | None = None) -> Residual:
    """Return what is compared unless the user says: logarithms of a quality, values of everything else.

    Log residuals hold their level for quality under noise of either kind; for cross-entropy they fall to 92.6 %
    where noise is additive. Source: our simulation, docs/simulations/intervals.md.
    """
    rises = metric_of(data.metric).rises if rises is None else rises
    return "log" if rises and (data.values > 0).all() else "linear"


def fit_observations(
    data: Observations,
    law: Law,
    objective: Objective,
    *,
    weights: Weighting = "auto",
    group: Mapping[str, Any] | None = None,
) -> Fit:
    """Fit a law to vectors that are already cut."""
    points = _points(data)
    refuse(law, points)
    noise, problem = _posed(law, points, objective, weights)
    return Fit(data, points, noise, solve_problem(problem), group or {})


def fit_together(
    many: Sequence[Observations],
    law: Law,
    *,
    objective: Function = "squared",
    delta: float | None = None,
    residual: Residual | Literal["auto"] = "auto",
    weights: Weighting = "auto",
    alone: bool = True,
) -> list[Fit | ScalefitError]:
    """Fit a law to many curves as one array program; a curve that cannot be fitted gives its error.

    The numbers are those of :func:`fit_observations`, curve by curve; not ``alone``, those of a curve in a valley
    are so to five digits, see :func:`solve_each`, and do not depend on the others either.
    """
    points = [_points(data) for data in many]
    rises = {name: metric_of(name).rises for name in {data.metric for data in many}}
    posed: list[tuple[PointWeights, Problem] | ScalefitError] = []
    kinds: tuple[Residual, ...] = ("log", "linear") if residual == "auto" else (residual,)
    told = {kind: Objective(objective, delta, kind) for kind in kinds}
    known: dict[tuple[bytes, ...], Problem] = {}
    for data, one, passed in zip(many, points, sound(law, points), strict=True):
        try:
            if not passed:
                refuse(law, one)
            compared = usual_residual(data, rises[data.metric]) if residual == "auto" else residual
            sure = passed and (residual == "auto" or compared == "linear")
            posed.append(_posed(law, one, told[compared], weights, known if sure else None))
        except ScalefitError as error:
            posed.append(error)
    solutions = iter(solve_each([one[1] for one in posed if isinstance(one, tuple)], alone=alone))
    out: list[Fit | ScalefitError] = []
    for data, one, these in zip(many, points, posed, strict=True):
        solved = these if isinstance(these, ScalefitError) else next(solutions)
        if isinstance(these, tuple) and isinstance(solved, Solution):
            out.append(Fit(data, one, these[0], solved))
        else:
            assert isinstance(solved, ScalefitError)
            out.append(solved)
    return out


def _points(data: Observations) -> Points:
    points = points_of(data)
    # No point at all is refused by the law's name.
    return untied(cautious(points)) if points.y.size else points


def _posed(
    law: Law,
    points: Points,
    objective: Objective,
    weights: Weighting,
    known: dict[tuple[bytes, ...], Problem] | None = None,
) -> tuple[PointWeights, Problem]:
    """Return how noisy the points are, and the problem with their weights.

    Vectors that need no check come with what is ``known`` of their sizes: curves of one table mostly share theirs.
    """
    noise = weigh(points, objective, weights)
    if known is None:
        return noise, make_problem(law, points.inputs, points.y, objective, noise.scale)
    sizes = tuple([x.tobytes() for x in points.inputs])
    if sizes not in known:
        known[sizes] = Problem(law.anchored(points.inputs), points.inputs, points.y)
    return noise, known[sizes].of(points.y, objective, noise.scale)


def bootstrap(fitted: Fit, resamples: int = 1000, seed: int = 0) -> Fit:
    """Return the fit with ``draws``: pairs drawn with replacement, or whole pretraining runs.

    Parameters
    ----------
    resamples : how many refits; all run as one array program.
    seed : one seed gives the same draws on every platform.

    Examples
    --------
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
    >>> drawn = bootstrap(fit_law(table, "bleu", "log"), resamples=50)
    >>> drawn.draws.params["s"].shape
    (50,)
    """
    points = fitted.points
    units = points.run if points.design == "checkpoints" else np.arange(points.y.size)
    return replace(fitted, draws=refit(fitted.solution, multiplicities(units, resamples, seed)))


def law_of(law: AnyLaw, inputs: Mapping[str, str] | None) -> Law:
    """Return a law by name, as it is, or made of a bare function of these inputs."""
    if callable(law) and not isinstance(law, Law):
        return law_of_function(law, tuple(inputs or ()))
    return get_law(law)
