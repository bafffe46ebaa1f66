"""Which run next: what each candidate is expected to tell, per cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalefit.groups import group_name
from scalefit.result import Result, Row
from scalefit.units import format_count


@dataclass(frozen=True)
class Step:
    """One candidate run.

    Attributes
    ----------
    group : whose curve it measures; several contenders at a new size stand as "fr and en".
    size : pretraining size.
    repeats : whether this size has been measured: then it is another seed.
    cost : what it costs.
    gain : expected gain of the goal: of P(right choice), or of ln of the interval's ends of a token count.
    now, after : the goal's state now and as expected after it.
    """

    group: Mapping[str, Any]
    size: float
    repeats: bool
    cost: float
    now: float
    after: float

    @property
    def gain(self) -> float:
        """What the run is expected to add, not below 0."""
        return max(self.after - self.now, 0.0)

    @property
    def worth(self) -> float:
        """Gain per cost."""
        return self.gain / self.cost

    def __str__(self) -> str:
        what = "another seed of" if self.repeats else "a run of"
        return f"{what} {group_name(self.group)} at {format_count(self.size)}"


@dataclass(frozen=True, eq=False, repr=False)
class Plan(Result):
    """Candidate runs, most worth per cost first.

    Attributes
    ----------
    goal : ``"best"`` (the right choice) or ``"tokens"`` (a narrower token count).
    question : what the choice or count is about.
    steps : tuple of Step
        All candidates within the budget, most worth per cost first.
    certainty : P(right choice) now; nan for token counts.
    enough : at which certainty the search stops.
    budget : what may be spent; inf where nothing was said.
    notes : tuple of str

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
    >>> table = {
    ...     "pretrain_tokens": sizes * 2,
    ...     "corpus": ["fr"] * 6 + ["code"] * 6,
    ...     "bleu": [5.0, 9.1, 12.9, 17.0, 21.1, 25.0, 4.0, 6.1, 8.0, 10.1, 12.0, 14.0],
    ... }
    >>> plan = sf.plan(table, at="4B")
    >>> plan.goal, 0 <= plan.certainty <= 1
    ('best', True)
    """

    goal: str
    question: str
    steps: tuple[Step, ...]
    certainty: float
    enough: float
    budget: float
    notes: tuple[str, ...] = ()

    @property
    def next(self) -> Step | None:
        """The run to do next; None where the choice is sure or nothing within the budget tells anything."""
        if np.isfinite(self.certainty) and self.certainty >= self.enough:
            return None
        useful = [step for step in self.steps if step.gain > 0]
        return useful[0] if useful else None

    @property
    def verdict(self) -> str:
        """What to run next and what it is expected to bring."""
        if np.isfinite(self.certainty) and self.certainty >= self.enough:
            return f"stop: the choice ({self.question}) is right with P {self.certainty:.2f}"
        step = self.next
        if step is None:
            return f"no run within the budget of {self.budget:.3g} is expected to tell anything about {self.question}"
        unit = "P(right choice)" if self.goal == "best" else "certainty about tokens"
        cost = format_count(step.cost)
        return (
            f"next: {step}: {unit} {step.now:.2f} → {step.after:.2f} expected, at a cost of {cost}"
        )

    def rows(self) -> list[Row]:
        """Return one row a candidate."""
        return [
            {
                **s.group,
                "pretrain_tokens": s.size,
                "repeats": s.repeats,
                "cost": s.cost,
                "now": s.now,
                "after": s.after,
                "gain": s.gain,
                "gain_per_cost": s.worth,
            }
            for s in self.steps
        ]
