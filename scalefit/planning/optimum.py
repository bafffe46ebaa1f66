"""The best pair of two inputs: on the line of one budget, or the cheapest that reaches a target.

Every draw of a law is an array program's row; row 0 is the estimate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scalefit.errors import DomainError
from scalefit.types import Floats, Ints
from scalefit.units import short

Paid = Callable[[Floats, Floats], Floats]
STEPS, HALVINGS = 401, 60
GOAL_STEPS = (121, 61)  # of both inputs, where a target is looked for
ZOOMS = 4  # times that they are laid anew, about where the draws found it
REACH = 1e4  # how far beyond the measured sizes an optimum is looked for, each way
_MARGIN = 4  # steps beyond that


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Draws of one law of two inputs, each pair of inputs with a price.

    Attributes
    ----------
    columns : the inputs' names.
    seen : (2, 2), smallest and largest measured size of each input.
    ends : (2, 2), from where to where each input is looked for.
    values : (Q,) and (Q,) -> (1 + B, Q), the metric at pairs of inputs; row 0 is the estimate.
    sign : 1 where more of the metric is better, else -1.
    paid : cost of pairs of inputs, rising in both.
    """

    columns: tuple[str, str]
    seen: Floats
    ends: Floats
    values: Callable[[Floats, Floats], Floats]
    sign: float
    paid: Paid

    def grid(self, which: int, steps: int) -> Floats:
        """Return sizes of one input to be looked at; 0 is one where it was measured."""
        low, high = self.ends[which]
        if low > 0:
            return np.geomspace(low, high, steps)
        smallest = self.seen[which, 0] if self.seen[which, 0] > 0 else high * 1e-9
        return np.concatenate([[0.0], np.geomspace(smallest, high, steps - 1)])


@dataclass(frozen=True, eq=False)
class BestPairs:
    """The best pair of each draw (1 + B, 2), the metric there and what it costs (1 + B,); inf where none is."""

    pairs: Floats
    values: Floats
    costs: Floats


def best_of(surfaces: Surfaces, budget: float) -> BestPairs:
    """Return the best pair along the line of one budget.

    Raises DomainError: the budget buys no pair that is looked at.
    """
    first, second = _line(surfaces, budget)
    low, high = np.maximum(surfaces.ends[:, 0], surfaces.seen[:, 0] / REACH), surfaces.ends[:, 1]
    least, most = (float(surfaces.paid(*ends[:, None])[0]) for ends in (low, high))
    if first.size < 3 or budget < least:
        raise DomainError(
            f"a budget of {budget:.3g} buys nothing near the measured sizes: pairs looked at cost {least:.3g} to "
            f"{most:.3g}; check its unit and price="
        )
    with np.errstate(all="ignore"):
        values = surfaces.values(first, second)
    cost = np.where(np.isfinite(values), -surfaces.sign * values, np.inf)
    at = cost.argmin(axis=1)
    moved = np.interp(at + _shift(cost, at), np.arange(first.size), first)
    best = np.take_along_axis(values, at[:, None], axis=1)[:, 0]
    pairs = np.column_stack([moved, _second(moved, budget, surfaces.paid)])
    return BestPairs(pairs, best, np.full(at.size, budget))


def cheapest_for(surfaces: Surfaces, target: float) -> BestPairs:
    """Return the cheapest pair that reaches a target; a draw that never does costs inf.

    Raises DomainError: the estimate does not reach the target wherever it is looked for.
    """
    first, second = (surfaces.grid(i, n) for i, n in enumerate(GOAL_STEPS))
    best = _cheapest(surfaces, target, first, second)
    # Ends lie many decades apart: steps between them are far wider than what a budget is planned by.
    for _ in range(ZOOMS):
        there = best.pairs[np.isfinite(best.costs)].T
        first, second = (
            _about(*each) for each in zip((first, second), there, surfaces.ends, strict=True)
        )
        best = _cheapest(surfaces, target, first, second)
    return best


def _cheapest(surfaces: Surfaces, target: float, first: Floats, second: Floats) -> BestPairs:
    """Return the cheapest pair of each draw among steps of both inputs."""
    a, b = (v.ravel() for v in np.meshgrid(first, second, indexing="ij"))
    with np.errstate(all="ignore"):
        values = surfaces.values(a, b).reshape(-1, first.size, second.size)
    better = np.maximum.accumulate(
        np.where(np.isfinite(values), surfaces.sign * values, -np.inf), axis=2
    )
    goal = surfaces.sign * target
    if not (better[0] >= goal).any():
        best = surfaces.sign * float(better[0].max())
        most = ", ".join(
            f"{name} up to {high:.3g}"
            for name, (_, high) in zip(surfaces.columns, surfaces.ends, strict=True)
        )
        raise DomainError(
            f"no split is expected to reach {target:g}: the best within {most} is {short(best)}; ask for less, or "
            "measure nearer to the target"
        )
    needed = _met(better, second, goal)
    with np.errstate(invalid="ignore"):
        costs = np.where(np.isfinite(needed), surfaces.paid(first[None, :], needed), np.inf)
    at = costs.argmin(axis=1)[:, None]
    there, cost, least = (
        np.take_along_axis(v, at, axis=1)[:, 0] for v in (needed, costs, better[..., 0])
    )
    one = np.where(np.isfinite(cost), first[at[:, 0]], np.inf)
    # At the least that is looked at the target may be exceeded already.
    values = surfaces.sign * np.where(there == second[0], np.maximum(least, goal), goal)
    return BestPairs(np.column_stack([one, there]), values, cost)


def _about(steps: Floats, there: Floats, ends: Floats) -> Floats:
    """Return as many steps about what the draws chose, with room for what coarser ones missed; 0 stays one."""
    room, none = (steps[-1] / steps[-2]) ** _MARGIN, bool(steps[0] == 0)
    least = steps[1] if none else ends[0]
    chosen = there[there > 0] if (there > 0).any() else np.array([least])
    low, high = np.clip([chosen.min() / room, chosen.max() * room], least, ends[1])
    laid = np.geomspace(float(low), float(high), steps.size - none)
    return np.concatenate([[0.0], laid]) if none else laid


def _met(better: Floats, second: Floats, goal: float) -> Floats:
    """Return the least second input at which each draw and first input meets the goal: (1 + B, P); inf for never."""
    met = better >= goal
    at = met.argmax(axis=2)
    before = np.maximum(at - 1, 0)
    high = np.take_along_axis(better, at[..., None], axis=2)[..., 0]
    low = np.take_along_axis(better, before[..., None], axis=2)[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(high > low, (goal - low) / (high - low), 1.0)
        share = np.where(np.isfinite(share), share, 1.0)
        # Laws are smooth in ln size; from 0 there is none, so the step above it is taken.
        steps = np.log(second)
        between = np.exp(steps[before] + share * (steps[at] - steps[before]))
    between = np.where(second[before] > 0, between, second[at])
    return np.where(met.any(axis=2), np.where(at == 0, second[0], between), np.inf)


def _shift(cost: Floats, at: Ints) -> Floats:
    """Return how far the vertex of the parabola through a minimum and its neighbours lies from it, in steps."""
    rows, inside = np.arange(at.size), np.clip(at, 1, cost.shape[1] - 2)
    before, here, after = (cost[rows, inside + i] for i in (-1, 0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        bend = before - 2 * here + after
        shift = np.where((bend > 0) & (inside == at), (before - after) / (2 * bend), 0.0)
    return np.asarray(np.clip(np.nan_to_num(shift), -1, 1))


def _line(surfaces: Surfaces, budget: float) -> tuple[Floats, Floats]:
    """Return pairs that spend a budget, those within the ends, by the first input.

    Steps of both inputs are looked at: where one of them takes nearly all of the budget, its own steps jump from a
    pair without the other to one beyond what is left.
    """
    paid = surfaces.paid
    one, other = (surfaces.grid(i, STEPS) for i in (0, 1))
    first = np.concatenate([one, _second(other, budget, lambda b, a: paid(a, b))])
    second = np.concatenate([_second(one, budget, paid), other])
    low, high = surfaces.ends.T
    with np.errstate(invalid="ignore"):
        ok = (first >= low[0]) & (first <= high[0]) & (second >= low[1]) & (second <= high[1])
    first, at = np.unique(first[ok], return_index=True)
    return first, second[ok][at]


def _second(first: Floats, budget: float, paid: Paid) -> Floats:
    """Return the second input that spends the budget beside each first one; nan where the first alone exceeds it."""
    low, high = np.full_like(first, 1e-30), np.full_like(first, 1e30)
    beyond = paid(first, low) > budget
    for _ in range(HALVINGS):
        middle = np.sqrt(low * high)
        under = paid(first, middle) <= budget
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return np.where(beyond | (low <= 2e-30) | (high >= 0.5e30), np.nan, low)
