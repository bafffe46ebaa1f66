"""``sf.plan``: which run next shrinks the decision's doubt most per cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from scalefit.corpora.ranking import drawn_together, draws_of
from scalefit.doors.curves import asked
from scalefit.doors.forecast import sizes_of
from scalefit.errors import DesignError, DomainError
from scalefit.forecasting.engines import Engine, check_target, engine_for
from scalefit.forecasting.mixture import Mixture, values_of
from scalefit.forecasting.predictive import FARTHEST
from scalefit.forecasting.series import Series, joined, noise_of
from scalefit.planning.plan import Plan, Step
from scalefit.table import metric as metric_of
from scalefit.types import Floats, Renames
from scalefit.units import format_count

Goal = Literal["best", "tokens"]
Cost = Callable[[Mapping[str, Any], float], float] | float | None
BEYOND = (2.0, 4.0, 10.0)  # candidate sizes, in multiples of the largest
OUTCOMES = (0.1, 0.3, 0.5, 0.7, 0.9)  # quantiles at which a candidate's result is tried


def plan(
    data: Any,
    metric: str = "bleu",
    *,
    goal: Goal = "best",
    at: float | str | None = None,
    target: float | None = None,
    over: str = "corpus",
    budget: float = float("inf"),
    cost: Cost = None,
    enough: float = 0.95,
    where: Mapping[str, Any] | None = None,
    by: Sequence[str] | None = None,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
    seed: int = 0,
) -> Plan:
    """Say which run (whose curve, at which size) to do next.

    Every candidate's result is tried at several quantiles of its forecast; the table's forecasts are made again
    with it, and the goal is looked at anew. Candidates are a further seed at the largest size, and sizes 2, 4 and
    10 times beyond.

    Parameters
    ----------
    data : path, Table, DataFrame or mapping of columns
        The curves of one setting: choose task and finetuning size with ``where``.
    metric : str
    goal : {"best", "tokens"}
        Raise P(right choice) at the size ``at`` (by default 10 times the largest), or narrow the tokens for ``target``.
    over : str
        Column of what is chosen from.
    budget : float
        What one run may cost at most.
    cost : number or function, optional
        Cost of a token, or ``cost(group, tokens)``; by default a token costs 1.
    enough : float
        Certainty at which a choice is made and nothing is run.
    where, by, mapping, allow
        As in :func:`scalefit.forecast`.
    seed : int
        Of the draws.

    Raises
    ------
    DesignError
        There is nothing to choose from, or several settings.
    DomainError
        A goal without its size or target; a cost that is none.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6]
    >>> table = {
    ...     "pretrain_tokens": sizes * 2,
    ...     "corpus": ["fr"] * 5 + ["en"] * 5,
    ...     "bleu": [5.0, 9.1, 12.9, 17.0, 20.1, 7.0, 10.1, 13.0, 16.1, 19.5],
    ... }
    >>> plan = sf.plan(table, at="1B")
    >>> plan.next is None or plan.next.size >= 256e6
    True
    """
    what = asked(data, metric, where=where, by=by, mapping=mapping, allow=allow)
    name, mixtures = what.metric, what.curves.mixtures()
    _one_setting(mixtures, over, goal)
    curves = [m.series for m in mixtures]
    engine, rises = engine_for(name), metric_of(name).direction != "-"
    if goal == "tokens":
        if target is None:
            raise DomainError(
                "goal='tokens' needs a target: the value that the tokens are asked for"
            )
        check_target(target, name, values_of(mixtures))
        state, question = _certainty_of_tokens(engine, target, rises), f"tokens for {target:g}"
    else:
        size = sizes_of(at)[0] if at is not None else 10 * max(float(c.x[-1]) for c in curves)
        state, question = (
            _certainty_of_choice(engine, size, rises, seed),
            f"best at {format_count(size)}",
        )
    now = state(curves)
    steps = []
    for i, mixture in enumerate(mixtures):
        for size_ in (float(curves[i].x[-1]), *(t * float(curves[i].x[-1]) for t in BEYOND)):
            price = _price(cost, mixture.group, size_)
            if price <= budget:
                after = _after(mixtures, i, size_, state)
                steps.append(
                    Step(dict(mixture.group), size_, size_ in curves[i].x, price, now, after)
                )
    ranked = tuple(sorted(steps, key=lambda s: -s.worth))
    return Plan(
        goal,
        question,
        ranked,
        now if goal == "best" else float("nan"),
        enough,
        float(budget),
        what.notes,
    )


def _one_setting(mixtures: Sequence[Mixture], over: str, goal: Goal) -> None:
    settings = {tuple((k, v) for k, v in m.group.items() if k != over) for m in mixtures}
    if not mixtures or (goal == "best" and (len(mixtures) < 2 or len(settings) > 1)):
        raise DesignError(
            f"a plan is about one setting and two curves at least; there are {len(mixtures)} curves in "
            f"{len(settings)} settings: choose task and finetuning size with where="
        )


State = Callable[[Sequence[Series]], float]


def _certainty_of_choice(engine: Engine, size: float, rises: bool, seed: int) -> State:
    """Return what gives P(the choice is right) at a size for a set of curves."""

    def state(curves: Sequence[Series]) -> float:
        if any(size <= c.x[-1] for c in curves):
            beyond = [np.array([max(size, float(c.x[-1]) * 1.0001)]) for c in curves]
        else:
            beyond = [np.array([size])] * len(curves)
        said = engine.forecast(curves, beyond, engine.learn(curves), "mean")
        values = drawn_together(draws_of(said, 0.0, seed)[:, :, 0])
        best = values.argmax(axis=0) if rises else values.argmin(axis=0)
        return float(np.bincount(best, minlength=len(curves)).max() / best.size)

    return state


def _certainty_of_tokens(engine: Engine, target: float, rises: bool) -> State:
    """Return what gives the mean over curves of 1 − the 80 % interval's length in ln tokens, over what is in sight."""
    sight = np.log(FARTHEST)

    def state(curves: Sequence[Series]) -> float:
        later = engine.reach(curves, [target] * len(curves), engine.learn(curves))
        reaches = [joined(c, target, r, rises=rises) for c, r in zip(curves, later, strict=True)]
        ends = [[min(r.quantile(p), r.largest * FARTHEST) for p in (0.1, 0.9)] for r in reaches]
        return float(np.mean([1 - np.log(high / low) / sight for low, high in ends]))

    return state


def _after(mixtures: Sequence[Mixture], i: int, size: float, state: State) -> float:
    """Return the state expected after a run of curve ``i``: the mean over quantiles of its forecast."""
    curves = [m.series for m in mixtures]
    said = mixtures[i].predictive(np.array([size]), "run")
    states = []
    for p in OUTCOMES:
        curves[i] = _with(mixtures[i].series, size, float(said.quantile(p)[0]))
        states.append(state(curves))
    return float(np.mean(states))


def _with(curve: Series, size: float, value: float) -> Series:
    """Return a curve with one run more."""
    if size in curve.x:
        at = int(np.flatnonzero(curve.x == size)[0])
        y, runs = curve.y.copy(), curve.runs.copy()
        y[at] = (y[at] * runs[at] + value) / (runs[at] + 1)
        runs[at] += 1
        known = curve.seed_var if np.isfinite(curve.seed_var) else noise_of(curve)
        return replace(curve, y=y, runs=runs, seed_var=known)
    return replace(
        curve,
        x=_appended(curve.x, size),
        y=_appended(curve.y, value),
        runs=np.append(curve.runs, 1),
    )


def _appended(values: Floats, value: float) -> Floats:
    return np.append(values, value)


def _price(cost: Cost, group: Mapping[str, Any], tokens: float) -> float:
    price = cost(group, tokens) if callable(cost) else tokens * (1.0 if cost is None else cost)
    if not (np.isfinite(price) and price > 0):
        raise DomainError(f"the cost of {tokens:g} tokens is {price:g}; a cost lies above 0")
    return float(price)
