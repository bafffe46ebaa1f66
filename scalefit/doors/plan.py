"""``sf.plan``: which run next shrinks the decision's doubt most per cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from scalefit.corpora.parting import parting
from scalefit.corpora.ranking import DRAWS
from scalefit.doors.curves import asked
from scalefit.doors.forecast import sizes_of
from scalefit.errors import DesignError, DomainError
from scalefit.forecasting.engines import Engine, check_target, engine_for
from scalefit.forecasting.mixture import Mixture, values_of
from scalefit.forecasting.predictive import FARTHEST
from scalefit.forecasting.series import Series, joined, noise_of
from scalefit.planning.plan import Plan, Step
from scalefit.types import Floats, Renames
from scalefit.units import format_count

Goal = Literal["best", "tokens"]
Cost = Callable[[Mapping[str, Any], float], float] | float | None
BEYOND = (2.0, 4.0, 10.0)  # candidate sizes, in multiples of the largest
CONTENDS = 0.02  # P(best) of a corpus that is worth running at a new size
TRIED, DOUBTS = 200, 200  # outcomes, and what is still in doubt after each
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

    Every candidate's result is tried, and the goal is looked at anew with it. For a choice, candidates are a further
    seed of one corpus at a measured size, and all contenders at a size 2, 4 or 10 times beyond; for tokens, a seed at
    the largest size or a size beyond, of one corpus.

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
    >>> plan.certainty < plan.enough and plan.next is not None
    True
    """
    what = asked(data, metric, where=where, by=by, mapping=mapping, allow=allow)
    name, mixtures = what.metric, what.curves.mixtures()
    _one_setting(mixtures, over, goal)
    if goal == "tokens":
        if target is None:
            raise DomainError(
                "goal='tokens' needs a target: the value that the tokens are asked for"
            )
        check_target(target, name, values_of(mixtures))
        now, steps = float("nan"), _steps_for_tokens(mixtures, target, cost, budget)
        question = f"tokens for {target:g}"
    else:
        largest = max(float(m.series.x[-1]) for m in mixtures)
        size = sizes_of(at)[0] if at is not None else 10 * largest
        now, steps = _steps_for_choice(mixtures, size, over, cost, budget, seed)
        question = f"best at {format_count(size)}"
    ranked = tuple(sorted(steps, key=lambda s: -s.worth))
    return Plan(goal, question, ranked, now, enough, float(budget), what.notes)


def _one_setting(mixtures: Sequence[Mixture], over: str, goal: Goal) -> None:
    settings = {tuple((k, v) for k, v in m.group.items() if k != over) for m in mixtures}
    if not mixtures or (goal == "best" and (len(mixtures) < 2 or len(settings) > 1)):
        raise DesignError(
            f"a plan is about one setting and two curves at least; there are {len(mixtures)} curves in "
            f"{len(settings)} settings: choose task and finetuning size with where="
        )


def _steps_for_choice(
    mixtures: Sequence[Mixture], size: float, over: str, cost: Cost, budget: float, seed: int
) -> tuple[float, list[Step]]:
    """Return P(right choice) at a size and what every affordable run would make of it.

    A further seed of one corpus at a measured size says how it differs from the others; a new size says so only where
    the contenders are all run there.
    """
    part = parting([m.series for m in mixtures], logs=not mixtures[0].rises)
    if part is None:
        raise DesignError(
            "corpora share fewer than two sizes, so nothing tells how they differ; measure them at the same sizes"
        )
    sign = 1.0 if mixtures[0].rises else -1.0
    final = sign * part.draws(np.array([size]), DRAWS, seed)[:, :, 0]
    chance = np.bincount(final.argmax(axis=0), minlength=len(mixtures)) / DRAWS
    contenders = np.flatnonzero(chance >= CONTENDS)
    largest = max(float(m.series.x[-1]) for m in mixtures)
    runs = [(np.array([i]), float(x)) for i, m in enumerate(mixtures) for x in m.series.x]
    if contenders.size > 1:
        runs += [(contenders, t * largest) for t in BEYOND]
    steps = []
    for who, where in runs:
        price = sum(_price(cost, mixtures[i].group, where) for i in who)
        if price <= budget:
            both = sign * part.draws(np.array([where, size]), DRAWS, seed)
            after = _certainty_after(both[who, :, 0], both[:, :, 1], part.noise_sd, seed)
            group = {
                **mixtures[who[0]].group,
                over: " and ".join(str(mixtures[i].group[over]) for i in who),
            }
            steps.append(Step(group, where, who.size == 1, price, float(chance.max()), after))
    return float(chance.max()), steps


def _certainty_after(seen: Floats, final: Floats, noise: float, seed: int) -> float:
    """Return P(right choice) expected after runs of some corpora, whose means and whose final values were drawn.

    Draws of both stand for an experiment each: final values regressed on what the runs would show give what would be
    believed then, and the residuals what would still be doubted (Strong, Oakley & Brennan 2014, doi
    10.1177/0272989X13505910). No table is forecast again.
    """
    rng = np.random.default_rng(seed)
    shown = seen + noise * rng.standard_normal(seen.shape)
    if len(shown) > 1:
        shown = shown - shown.mean(axis=0)  # a new size: its level is unknown
    design = np.vstack([np.ones(shown.shape[1]), shown, shown**2]).T
    believed = design @ np.linalg.lstsq(design, final.T, rcond=None)[0]
    doubt = (final.T - believed)[rng.choice(len(believed), DOUBTS)]
    tried = believed[rng.choice(len(believed), TRIED)]
    winner = (tried[:, None] + doubt).argmax(axis=2)
    each = (winner[..., None] == np.arange(final.shape[0])).mean(axis=1)
    return float(each.max(axis=1).mean())


def _steps_for_tokens(
    mixtures: Sequence[Mixture], target: float, cost: Cost, budget: float
) -> list[Step]:
    """Return what every affordable run would make of the tokens: a further seed at the largest size, or a new size."""
    state = _certainty_of_tokens(engine_for(mixtures[0].metric), target, mixtures[0].rises)
    now, steps = state([m.series for m in mixtures]), []
    for i, mixture in enumerate(mixtures):
        largest = float(mixture.series.x[-1])
        for size in (largest, *(t * largest for t in BEYOND)):
            price = _price(cost, mixture.group, size)
            if price <= budget:
                after = _after(mixtures, i, size, state)
                steps.append(Step(dict(mixture.group), size, size == largest, price, now, after))
    return steps


State = Callable[[Sequence[Series]], float]


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
