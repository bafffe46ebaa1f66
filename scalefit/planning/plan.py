"""Which run next: what each candidate is expected to tell, per cost, told or learned from what runs did cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalefit.errors import DesignError, DomainError
from scalefit.groups import group_name
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.table import Table
from scalefit.types import Floats, Ints
from scalefit.units import format_count

Cost = float | Mapping[str, float] | Callable[[str, float], float]
"""Of a token, the same for all or one a name; or of a name's run of so many tokens."""


def paid(cost: Cost, name: str, tokens: float) -> float:
    """Return what a run costs; a cost lies above 0."""
    if callable(cost):
        price = cost(name, tokens)
    elif not isinstance(cost, Mapping):
        price = cost * tokens
    elif name in cost:
        price = cost[name] * tokens
    else:
        raise DomainError(f"cost= says nothing of {name!r}; it names {', '.join(map(str, cost))}")
    if not (np.isfinite(price) and price > 0):
        raise DomainError(f"the cost of {name} is {price:g}; a cost lies above 0")
    return float(price)


def check_names(cost: Mapping[str, float], there: set[str]) -> None:
    """Refuse a cost of what is not there: its name is misspelt, and another one would go without."""
    strange = [str(name) for name in cost if str(name) not in there]
    if strange:
        raise DomainError(
            f"cost= names {', '.join(strange)}, and no curve is called that; there are {', '.join(sorted(there))}"
        )


@dataclass(frozen=True, eq=False)
class Recorded:
    """Costs as a power of tokens, by a rate of each corpus; one that has none recorded pays what the others do.

    Attributes
    ----------
    column : of the costs.
    power : of tokens.
    rates : corpus -> ln cost of one token.
    scatter : how far recorded costs lie from it, as a standard deviation in logarithms.
    runs : how many were recorded.
    """

    column: str
    power: float
    rates: dict[str, float]
    scatter: float
    runs: int

    def __call__(self, corpus: str, tokens: float) -> float:
        """Return what a run is expected to cost."""
        rate = self.rates.get(str(corpus), float(np.mean(list(self.rates.values()))))
        return float(np.exp(rate + self.power * np.log(tokens)))

    @property
    def note(self) -> str:
        """How well the costs are known."""
        return (
            f"cost: {self.column} of {self.runs} rows goes with tokens to the power {self.power:.2g}, and strays from "
            f"that by {np.expm1(self.scatter):.0%}"
        )


def recorded(table: Table, column: str, over: str) -> Recorded:
    """Learn what a run costs from a column of recorded costs.

    Raises MissingColumnError: there is no such column; DesignError: it holds fewer than two costs above 0.

    Examples
    --------
    >>> import scalefit as sf
    >>> runs = {"corpus": ["fr"] * 3, "pretrain_tokens": [1e8, 1e9, 1e10], "bleu": [8.0, 12.0, 16.0]}
    >>> price = recorded(sf.as_table(runs | {"gpu_hours": [2.0, 20.0, 200.0]}), "gpu_hours", "corpus")
    >>> round(price("fr", 1e11))
    2000
    """
    cost, tokens = np.array(table.column(column), dtype=np.float64), table.column("pretrain_tokens")
    kept = (cost > 0) & (tokens > 0)
    if kept.sum() < 2:
        raise DesignError(f"column {column!r} holds {kept.sum()} costs above 0; needed two or more")
    x, y = np.log(tokens[kept]), np.log(cost[kept])
    names = table.column(over)[kept].astype(str) if table.has(over) else np.full(x.size, "")
    labels, at = np.unique(names, return_inverse=True)
    power = _slope(x, y, at)
    rates = np.bincount(at, y - power * x) / np.bincount(at)
    scatter = float(np.std(y - power * x - rates[at]))
    return Recorded(column, power, dict(zip(labels.tolist(), rates, strict=True)), scatter, x.size)


def _slope(x: Floats, y: Floats, at: Ints) -> float:
    """Return the slope within corpora; 1 where none was run at two sizes."""
    count = np.bincount(at)
    u, v = (z - (np.bincount(at, z) / count)[at] for z in (x, y))
    return float(u @ v / (u @ u)) if u @ u > 1e-12 else 1.0


TRIED, DOUBTS = 200, 200  # outcomes, and what is still in doubt after each
TOLD = 2.0  # standard errors by which a gain must exceed the simulation's own
# Least share of the doubt left that a run must take away to be named. Of two dozen candidates one cheap run's gain
# passes two standard errors by chance, and divided by its price it would lead: .58 → .58 at a thousandth of the cost.
MATTERS = 0.02


@dataclass(frozen=True)
class PlanStep:
    """One candidate run.

    Attributes
    ----------
    group : whose curve it measures; several contenders at a new size stand as "fr and en".
    size : pretraining size.
    repeats : whether this size has been measured: then it is a further seed.
    cost : what it costs.
    now, after : the goal's state now and as expected after it: P(right choice), or how far the interval of a token
        count has closed.
    error : the simulation's own standard error of the gain.
    times : runs of each.
    """

    group: Mapping[str, Any]
    size: float
    repeats: bool
    cost: float
    now: float
    after: float
    error: float = 0.0
    times: int = 1

    @property
    def gain(self) -> float:
        """What the run is expected to add, not below 0."""
        return max(self.after - self.now, 0.0)

    @property
    def worth(self) -> float:
        """Gain per cost."""
        return self.gain / self.cost

    @property
    def told(self) -> bool:
        """Whether the gain is more than the simulation's own error, and worth a word; only then may it lead."""
        return self.gain > max(TOLD * self.error, MATTERS * (1 - self.now))

    def __str__(self) -> str:
        many = self.times > 1
        again = f"{self.times} more seeds" if many else "another seed"
        new = f"{self.times} runs" if many else "a run"
        each = " each" if any(" and " in str(name) for name in self.group.values()) else ""
        what = f"{again if self.repeats else new}{each} of"
        return f"{what} {group_name(self.group) or 'the curve'} at {format_count(self.size)}"


@dataclass(frozen=True, eq=False, repr=False)
class Plan(Result):
    """PlanStep runs, best first.

    Attributes
    ----------
    goal : ``"best"`` (the right choice) or ``"tokens"`` (a narrower token count).
    question : what the choice or count is about.
    steps : all candidates within the budget: for a choice most worth per cost first, for tokens most gain first, for
        there all spend the budget.
    certainty : P(right choice) now; nan for token counts.
    enough : at which certainty the search stops.
    budget : what may be spent; inf where nothing was said.
    error : the simulation's own standard error of the certainty.
    choice : who is the best as things stand; empty for token counts.

    Examples
    --------
    >>> import scalefit as sf
    >>> bleu = [5.0, 9.1, 12.9, 17.0, 21.1, 4.0, 6.1, 8.0, 10.1, 12.0]
    >>> sizes, names = [1e6, 4e6, 16e6, 64e6, 256e6] * 2, ["fr"] * 5 + ["code"] * 5
    >>> table = {"corpus": names, "pretrain_tokens": sizes, "bleu": bleu}
    >>> plan = sf.plan(table, at="4B")
    >>> plan.goal, 0 <= plan.certainty <= 1
    ('best', True)
    """

    goal: str
    question: str
    steps: tuple[PlanStep, ...]
    certainty: float
    enough: float
    budget: float
    notes: tuple[str, ...] = ()
    error: float = 0.0
    choice: str = ""

    @property
    def sure(self) -> bool:
        """Whether the choice may be made: P(right choice) is enough beyond the simulation's own error.

        Looking after every run needs no further correction: given what was measured P is P, however it came to be
        looked at, so of all sequences that stop at P ≥ `enough` at most one less `enough` are wrong, as far as P is
        calibrated (a posterior probability is a martingale). An error of the draws would be picked by looking often.
        """
        return bool(self.certainty - TOLD * self.error >= self.enough)

    @property
    def next(self) -> PlanStep | None:
        """The run to do next; None where the choice is sure or nothing within the budget tells anything."""
        if self.sure:
            return None
        return next((step for step in self.steps if step.told), None)

    @property
    def verdict(self) -> str:
        """What to run next and what it is expected to bring."""
        if self.sure:
            return f"stop: {self.choice} is {self.question} with P {self.certainty:.2f}"
        step = self.next
        if step is None:
            within = f" within the budget of {self.budget:.3g}" if np.isfinite(self.budget) else ""
            if not self.steps:
                return f"no run{within} at all: every candidate costs more"
            about = f"which is {self.question}" if self.goal == "best" else self.question
            return f"no run{within} is expected to tell anything about {about}"
        unit = "P(right choice)" if self.goal == "best" else "certainty about tokens"
        cost = format_count(step.cost)
        return (
            f"next: {step}: {unit} {step.now:.2f} → {step.after:.2f} expected, at a cost of {cost}"
            f"{f'; as yet the choice is {self.choice}' if self.choice else ''}"
        )

    def rows(self) -> list[Row]:
        """Return one row a candidate."""
        return [
            {
                **s.group,
                "pretrain_tokens": s.size,
                "repeats": s.repeats,
                "runs": s.times,
                "cost": s.cost,
                "now": s.now,
                "after": s.after,
                "gain": s.gain,
                "error": s.error,
                "gain_per_cost": s.worth,
            }
            for s in self.steps
        ]

    def shown(self) -> list[Row]:
        """Return the candidates that tell something, for people; none where the choice is sure."""
        unit = "P" if self.goal == "best" else "certainty"
        return [
            {
                **step.group,
                "pretrain_tokens": step.size,
                "measured": step.repeats,
                "runs": step.times,
                "cost": step.cost,
                f"{unit} after": step.after,
                "gain": f"{step.gain:.2g} ± {step.error:.1g}" if step.error else step.gain,
            }
            for step in self._telling
        ]

    @property
    def _telling(self) -> list[PlanStep]:
        return [] if self.sure else [step for step in self.steps if step.told]

    def beneath(self) -> tuple[str, ...]:
        """Say why it stopped, or in which order candidates stand; and how many are not shown."""
        silent = len(self.steps) - len(self._telling)
        if self.sure:
            return (
                f"P(right choice) {self.certainty:.3f} less {TOLD:g} standard errors of its draws ({self.error:.3f}) "
                f"is at least {self.enough:g}, which is enough: no further run is needed ({silent} were weighed).",
            )
        if not self._telling:
            return ()
        first = "Most gain per cost first" if self.goal == "best" else "Most gain first"
        kept = f"{silent} more gain next to nothing, and stand in rows() and -o FILE.csv"
        return (f"{first}; {kept}." if silent else f"{first}.",)


def ordered(steps: list[PlanStep], *, per_cost: bool = True) -> tuple[PlanStep, ...]:
    """Return steps, most gain (per cost) first; those whose gain may be the simulation's own error last."""
    return tuple(sorted(steps, key=lambda s: (not s.told, -(s.worth if per_cost else s.gain))))


def gain_of(shown: Floats, final: Floats, seed: int = 0) -> tuple[float, float]:
    """Return by how much P(right choice) is expected to rise after some runs, and that number's standard error.

    Draws stand for an experiment each: final values (C, draws) regressed on what the runs would show (R, draws) give
    what would be believed then, and the residuals what would still be doubted (Strong, Oakley & Brennan 2014, doi
    10.1177/0272989X13505910). The choice made now and the one made then are judged by the same draws, so a run that
    tells nothing gains next to nothing; what it still seems to gain, because the regression fits chance too, is
    measured on shuffled results and taken off.

    Examples
    --------
    >>> import numpy as np
    >>> final = np.random.default_rng(0).standard_normal((2, 4000))
    >>> whole, _ = gain_of(final[:1] - final[1:], final)
    >>> nothing, error = gain_of(np.random.default_rng(1).standard_normal((1, 4000)), final)
    >>> round(whole, 1), nothing < 3 * error + 0.01
    (0.5, True)
    """
    rng = np.random.default_rng(seed)
    picked = rng.choice(shown.shape[1], TRIED), rng.choice(shown.shape[1], DOUBTS)
    more = _rises(shown, final, *picked)
    chance = _rises(shown[:, rng.permutation(shown.shape[1])], final, *picked)
    error = np.sqrt((more.var(ddof=1) + chance.var(ddof=1)) / TRIED)
    return max(float(more.mean() - chance.mean()), 0.0), float(error)


def _rises(shown: Floats, final: Floats, tried: Ints, doubts: Ints) -> Floats:
    """Return, for each outcome tried, by how much the choice made after it beats the choice made now: (TRIED,)."""
    design = np.vstack([np.ones(shown.shape[1]), shown, shown**2]).T
    believed = design @ np.linalg.lstsq(design, final.T, rcond=None)[0]
    doubt = (final.T - believed)[doubts]
    winner = (believed[tried, None] + doubt).argmax(axis=2)
    right = (winner[..., None] == np.arange(final.shape[0])).mean(axis=1)
    now = right.mean(axis=0).argmax()
    return np.asarray(right.max(axis=1) - right[:, now])
