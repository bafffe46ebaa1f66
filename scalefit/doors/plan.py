"""``sf.plan``: which run next shrinks the decision's doubt most per cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from scalefit.arguments import BLEU
from scalefit.corpora.parting import Parting, parting_of
from scalefit.corpora.ranking import DRAWS
from scalefit.doors.curves import Flags, Inquiry, flags, inquire
from scalefit.errors import DesignError, DomainError
from scalefit.forecasting.engines import Engine, check_target, engine_for
from scalefit.forecasting.mixture import Mixture, values_of
from scalefit.forecasting.predictive import FARTHEST
from scalefit.forecasting.series import Series, joined, noise_of
from scalefit.groups import group_name
from scalefit.planning.plan import (
    Plan,
    PlanStep,
    check_names,
    gain_of,
    ordered,
    paid,
    recorded,
)
from scalefit.types import Floats, Ints, Renames
from scalefit.units import amount, check_level, format_count

_Goal = Literal["best", "tokens"]
_Paid = Callable[[Mapping[str, Any], float], float] | float | None
_Cost = _Paid | Mapping[str, float] | str
_BEYOND = np.array([2.0, 4.0, 10.0])  # candidate sizes, in multiples of the largest
_TIMES = (1, 4)  # seeds of each contender
CONTENDS = 0.02  # P(best) of a corpus that is worth running at a new size
_HALVINGS = 40
OUTCOMES = (0.1, 0.3, 0.5, 0.7, 0.9)  # quantiles at which a candidate's result is tried


def plan(
    data: Any,
    metric: str = BLEU,
    *,
    goal: _Goal | None = None,
    at: float | str | None = None,
    target: float | None = None,
    over: str = "corpus",
    budget: float | str | None = None,
    cost: _Cost = None,
    enough: float = 0.95,
    where: Mapping[str, Any] | None = None,
    by: Sequence[str] | None = None,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
    seed: int = 0,
) -> Plan:
    """Say which run (whose curve, at which size) to do next.

    Every candidate's result is tried, and the goal is looked at anew with it. For a choice, candidates are a further
    seed of one corpus at a measured size, and one or four of all contenders at the largest size or 2, 4 or 10 times
    beyond; for tokens, runs of
    one corpus at the largest size, 2, 4 or 10 times beyond, or as far as the budget reaches, as many as it pays.

    Parameters
    ----------
    data : path, Table, DataFrame or mapping of columns
        The curves of one setting: choose task and finetuning size with ``where``.
    metric : str
    goal : {"best", "tokens"}; raise P(right choice) at the size ``at`` (by default 10 times the largest), or narrow
        the tokens for ``target``; by default what is asked for.
    over : column of what is chosen from.
    budget : what one step may cost at most: for a choice a run of each contender, for tokens all runs.
    cost : cost of a token, one for all or one a corpus; a column of what runs did cost (GPU-hours); or
        ``cost(group, tokens)``; by default a token costs 1.
    enough : certainty at which a choice is made and nothing is run.
    where, by, mapping, allow : as in :func:`scalefit.forecast`.
    seed : of the draws.

    Raises DesignError: there is nothing to choose from, or several settings; DomainError: a goal without its target,
    or with the other's; a budget or cost that is none.

    Examples
    --------
    >>> import scalefit as sf
    >>> bleu = [5.0, 9.1, 12.9, 17.0, 20.1, 7.0, 10.1, 13.0, 16.1, 19.5]
    >>> sizes, names = [1e6, 4e6, 16e6, 64e6, 256e6] * 2, ["fr"] * 5 + ["en"] * 5
    >>> table = {"corpus": names, "pretrain_tokens": sizes, "bleu": bleu}
    >>> plan = sf.plan(table, at="1B")
    >>> plan.certainty < plan.enough and plan.next is not None
    True
    """
    _check(goal, at, target, enough)
    spend = float("inf") if budget is None else amount(budget, "budget")
    what = inquire(data, metric, where=where, by=by, mapping=mapping, allow=allow)
    if isinstance(cost, str | Mapping):
        named = recorded(what.rows, cost, over) if isinstance(cost, str) else cost
        if isinstance(named, Mapping):
            check_names(named, {str(name) for name in what.rows.unique(over)})
        else:
            what = replace(what, notes=(*what.notes, named.note))
        cost = lambda group, tokens: paid(named, str(group.get(over)), tokens)  # noqa: E731
    means = Means(spend, cost, enough, seed)
    if target is not None:
        return _plan_for_tokens(what, flags(what), target, means)
    size = None if at is None else amount(at, "at")
    return plan_for_choice(what, flags(what), size, means, over)


@dataclass(frozen=True)
class Means:
    """What may be spent, what is paid for a token, how sure is enough, and the seed of the draws."""

    budget: float = float("inf")
    cost: _Paid = None
    enough: float = 0.95
    seed: int = 0

    def price(self, group: Mapping[str, Any], tokens: float) -> float:
        """Return what a run of so many tokens costs."""
        cost = self.cost
        price = cost(group, tokens) if callable(cost) else tokens * float(cost or (cost is None))
        if not (np.isfinite(price) and price > 0):
            raise DomainError(f"the cost of {tokens:g} tokens is {price:g}; a cost lies above 0")
        return float(price)


def plan_for_choice(
    what: Inquiry,
    flagged: Flags,
    size: float | None,
    means: Means,
    over: str = "corpus",
) -> Plan:
    """Weigh runs for the choice at a size, by default 10 times the largest, among those that no flag bars."""
    contest, left = _contest(what, flagged, over)
    size = 10 * float(contest.sizes[-1]) if size is None else size
    if size < contest.sizes[0]:
        raise DomainError(
            f"at={format_count(size)} lies below the smallest measured size, {format_count(contest.sizes[0])}; "
            "choose at a size from there on"
        )
    choice, now, steps = _steps_for_choice(contest, size, means)
    error = float(np.sqrt(now * (1 - now) / DRAWS))
    question, notes = f"best at {format_count(size)}", (*left, *what.notes)
    sure, budget = means.enough, means.budget
    return Plan("best", question, ordered(steps), now, sure, budget, notes, error, choice)


def _plan_for_tokens(what: Inquiry, flagged: Flags, target: float, means: Means) -> Plan:
    every = what.curves.mixtures()
    barred = _barred([m.group for m in every], flagged)
    mixtures = [m for m, bar in zip(every, barred, strict=True) if not bar]
    left = [group_name(m.group) for m, bar in zip(every, barred, strict=True) if bar]
    if not mixtures:
        none = f"{left[0]} is misaligned" if left else "there are no rows with pretraining"
        why = next(iter(what.curves.failures.values()), none)
        raise DesignError(f"no curve can be forecast, so no run can be weighed: {why}")
    check_target(target, what.metric, values_of(mixtures))
    steps = ordered(_steps_for_tokens(mixtures, target, means), per_cost=False)
    question, now = f"tokens for {target:g}", float("nan")
    notes = (*_unweighed(left), *what.notes)
    return Plan("tokens", question, steps, now, means.enough, means.budget, notes)


def _barred(groups: Sequence[Mapping[str, Any]], flagged: Flags) -> list[bool]:
    """Return which groups mislead, so that no run of them is weighed."""
    return [flagged[group_name(group)].bars for group in groups]


def _unweighed(left: Sequence[str]) -> list[str]:
    return [f"{', '.join(left)}: misaligned, no run of it is weighed"] if left else []


def _check(goal: str | None, at: float | str | None, target: float | None, enough: float) -> None:
    """Refuse a goal or a certainty that is none, before anything is read."""
    if goal not in ("best", "tokens", None):
        raise DomainError(f"goal is {goal!r}; it is 'best' (the right choice) or 'tokens'")
    if goal == "tokens" and target is None:
        raise DomainError("goal='tokens' needs a target: the value that the tokens are asked for")
    if target is not None and (goal == "best" or at is not None):
        raise DomainError(
            "a plan is for a choice at a size, at=, or for the tokens of a target, target=; give one of them"
        )
    check_level(enough, "enough")
    if enough < 0.5:
        raise DomainError(f"enough is {enough:g}; a certainty lies from .5 to below 1")


def _one_setting(groups: Sequence[Mapping[str, Any]], over: str, left: Sequence[str]) -> None:
    settings = {tuple((k, v) for k, v in g.items() if k != over) for g in groups}
    if len(settings) > 1:
        name, value = next(
            (k, v)
            for k, v in groups[0].items()
            if k != over and len({str(g.get(k)) for g in groups}) > 1
        )
        raise DesignError(
            f"a plan is about one setting; there are {len(settings)} ({len(groups)} curves): choose one, "
            f"where={{{name!r}: {value!r}}}"
        )
    if len(groups) < 2:
        alone = str(groups[0].get(over, "one curve")) if groups else "none"
        why = f" ({'; '.join(left)})" if left else ""
        raise DesignError(
            f"a choice needs two curves at least; there is {alone}{why}: measure another {over}, or ask "
            "goal='tokens' what narrows a token count"
        )


def _steps_for_choice(
    contest: Contest, size: float, means: Means
) -> tuple[str, float, list[PlanStep]]:
    """Return the choice at a size, P that it is right, and what every affordable candidate would make of that.

    All candidates are tried on the same draws: differences between them are not those of two simulations.
    """
    part, sizes = contest.part, contest.sizes
    drawn = contest.sign * part.draws(
        np.array([*sizes, *_BEYOND * sizes[-1], size]), DRAWS, means.seed
    )
    noise = part.noise_sd * np.random.default_rng(means.seed).standard_normal(drawn.shape)
    final = drawn[..., -1]
    chance = np.bincount(final.argmax(axis=0), minlength=len(final)) / DRAWS
    loss = (final.max(axis=0) - final).mean(axis=1)
    choice = int(loss.argmin())  # as a ranking chooses
    now, steps = float(chance[choice]), []
    for run in contest.candidates(chance):
        who, place = run.who, run.place
        price = run.times * sum(means.price(contest.groups[i], run.size) for i in who)
        if price > means.budget:
            continue
        result = drawn[who, :, place] + noise[who, :, place] / np.sqrt(run.times)
        if who.size > 1:
            result = result - result.mean(axis=0)  # of a new size, the level is unknown
        gain, error = gain_of(result, final, means.seed)
        group, measured = contest.named(who), bool(place < sizes.size)
        after = min(
            now + gain, 1.0
        )  # what outcomes are tried is chance, and can promise more than all
        steps.append(PlanStep(group, run.size, measured, price, now, after, error, run.times))
    return str(contest.groups[choice][contest.over]), now, steps


@dataclass(frozen=True, eq=False)
class Candidate:
    """Some curves' runs at one size, so many times; ``place`` of the size among the drawn ones."""

    who: Ints
    size: float
    place: int
    times: int = 1


@dataclass(frozen=True, eq=False)
class Contest:
    """The curves among which a choice is made: those of one setting that may be recommended."""

    curves: Sequence[Series]
    groups: Sequence[Mapping[str, Any]]
    over: str
    part: Parting

    @property
    def sign(self) -> float:
        """1 where more is better, of what parts them."""
        return -1.0 if self.part.logs else 1.0

    @property
    def sizes(self) -> Floats:
        """All measured sizes, ascending."""
        return np.unique(np.concatenate([c.x for c in self.curves]))

    def candidates(self, chance: Floats) -> list[Candidate]:
        """Return what may be run next.

        A further seed of one corpus at a measured size says how it differs from the others; a new size says so only
        where the contenders are all run there. Near ones take many seeds, of which the first tells next to nothing:
        so several at once are weighed too.
        """
        sizes = self.sizes
        again = [
            Candidate(np.array([i]), float(x), int(np.searchsorted(sizes, x)))
            for i, curve in enumerate(self.curves)
            for x in curve.x
        ]
        contenders = np.flatnonzero(chance >= CONTENDS)
        if contenders.size < 2:
            return again
        largest = [
            (float(t * sizes[-1]), sizes.size - 1 + i) for i, t in enumerate((1.0, *_BEYOND))
        ]
        return again + [
            Candidate(contenders, x, place, times) for x, place in largest for times in _TIMES
        ]

    def named(self, who: Ints) -> dict[str, Any]:
        """Return the group of some curves together."""
        *others, last = (str(self.groups[i][self.over]) for i in who)
        names = f"{', '.join(others)} and {last}" if others else last
        return {**self.groups[who[0]], self.over: names}


def _contest(what: Inquiry, flagged: Flags, over: str) -> tuple[Contest, list[str]]:
    """Return who is chosen from, and who is left out because its loss misleads."""
    barred = _barred(what.curves.groups, flagged)
    curves = [c for c, bar in zip(what.curves.series(), barred, strict=True) if not bar]
    groups = [g for g, bar in zip(what.curves.groups, barred, strict=True) if not bar]
    left = [str(g[over]) for g, bar in zip(what.curves.groups, barred, strict=True) if bar]
    notes = _unweighed(left)
    _one_setting(groups, over, [*notes, *dict.fromkeys(what.curves.failures.values())])
    part = parting_of(curves, what.metric)
    if part is None:
        raise DesignError(
            "corpora share fewer than two sizes, so nothing tells how they differ; measure them at the same sizes"
        )
    return Contest(curves, groups, over, part), notes


def _steps_for_tokens(mixtures: Sequence[Mixture], target: float, means: Means) -> list[PlanStep]:
    """Return what seeds at the largest size, or runs at new ones, would make of the tokens, all at one cost.

    Gain per cost would lead through many cheap runs that say nothing of where the curve goes: so every candidate is
    weighed with as many runs as the budget pays (without one: what a run at the farthest size costs).
    """
    state = _certainty_of_tokens(engine_for(mixtures[0].metric), target, mixtures[0].rises)
    now, steps = state([m.series for m in mixtures]), []
    for i, mixture in enumerate(mixtures):
        largest = float(mixture.series.x[-1])
        sizes = [largest, *(_BEYOND * largest)]
        if np.isfinite(means.budget):
            sizes.append(_farthest(mixture.group, largest, means))
        prices = {size: means.price(mixture.group, size) for size in sizes}
        spent = min(means.budget, max(prices.values()))
        for size, price in prices.items():
            if price <= means.budget:
                times = max(int(spent // price), 1)
                after = _after(mixtures, i, (size, times), state)
                again, group = bool(size == largest), dict(mixture.group)
                steps.append(PlanStep(group, size, again, price * times, now, after, 0.0, times))
    return steps


def _farthest(group: Mapping[str, Any], largest: float, means: Means) -> float:
    """Return the largest size that the budget pays once, up to 10 times beyond; the largest measured one at least."""
    low, high = largest, float(_BEYOND[-1] * largest)
    if means.price(group, high) <= means.budget:
        return high
    for _ in range(_HALVINGS):
        middle = float(np.sqrt(low * high))
        paid = means.price(group, middle) <= means.budget
        low, high = (middle, high) if paid else (low, middle)
    return low


State = Callable[[Sequence[Series]], float]


def _certainty_of_tokens(engine: Engine, target: float, rises: bool) -> State:
    """Return what gives the mean over curves of 1 − the 80 % interval's length in ln tokens, over what is in sight."""
    sight: list[float] = []

    def state(curves: Sequence[Series]) -> float:
        settled = engine.settle(curves, engine.learn(curves))
        later = engine.reach(settled, [target] * len(curves))
        reaches = [joined(c, target, r, rises=rises) for c, r in zip(curves, later, strict=True)]
        # One end for all: were it counted from the largest size, a run far out would seem to widen the interval.
        sight.extend(r.largest * FARTHEST for r in reaches[len(sight) :])
        ends = [
            [min(r.quantile(p), most) for p in (0.1, 0.9)]
            for r, most in zip(reaches, sight, strict=True)
        ]
        return float(np.mean([1 - np.log(high / low) / np.log(FARTHEST) for low, high in ends]))

    return state


def _after(mixtures: Sequence[Mixture], i: int, runs: tuple[float, int], state: State) -> float:
    """Return the state expected after runs (size, how many) of a curve: the mean over quantiles of its forecast."""
    curves, (size, times) = [m.series for m in mixtures], runs
    said = mixtures[i].predictive(np.array([size]), "run" if times == 1 else "mean")
    states = []
    for p in OUTCOMES:
        curves[i] = _with(mixtures[i].series, size, times, float(said.quantile(p)[0]))
        states.append(state(curves))
    return float(np.mean(states))


def _with(curve: Series, size: float, times: int, value: float) -> Series:
    """Return a curve with so many runs more, of this mean."""
    known = curve.seed_var if np.isfinite(curve.seed_var) else noise_of(curve)
    if size in curve.x:
        at = int(np.flatnonzero(curve.x == size)[0])
        y, runs = curve.y.copy(), curve.runs.copy()
        y[at] = (y[at] * runs[at] + value * times) / (runs[at] + times)
        runs[at] += times
        return replace(curve, y=y, runs=runs, seed_var=known)
    there = (curve.seed_var if times == 1 else known) * (size / curve.x[-1]) ** curve.seed_trend
    x, y, runs = (
        np.append(*pair) for pair in ((curve.x, size), (curve.y, value), (curve.runs, times))
    )
    return replace(curve, x=x, y=y, runs=runs, seed_var=there)
