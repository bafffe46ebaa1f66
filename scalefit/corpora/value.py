"""What pretraining or finetuning is worth, as answered: a cell of both sizes, its gain, and what is sure of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalefit.groups import group_name
from scalefit.result import Result, Results
from scalefit.rows import Row
from scalefit.table import metric as metric_of
from scalefit.units import format_count, short

SURE = 0.9
STATES = {
    "helps": "helps", "worthless": "is worthless", "harms": "harms", "unsure": "is not sure",
}  # fmt: skip
"""How a cell may stand, and in words."""


@dataclass(frozen=True)
class Worth:
    """What pretraining is worth in one cell.

    Attributes
    ----------
    pretrain, finetune : the sizes; nan where nobody says.
    gain, gain_low, gain_high : quality over no pretraining, better is positive.
    effective, effective_low, effective_high : finetuning tokens that it replaces; inf where no measured amount does,
        -inf where the least measured is better, nan where no baseline was measured at two finetuning sizes.
    rate : effective tokens a pretraining token.
    p_helps, p_worthless, p_harms : probabilities that the gain exceeds the noise of one run, lies within it, or is
        a loss beyond it.
    """

    pretrain: float
    finetune: float
    gain: float
    gain_low: float
    gain_high: float
    effective: float
    effective_low: float
    effective_high: float
    rate: float
    p_helps: float
    p_worthless: float
    p_harms: float

    @property
    def state(self) -> str:
        """Whether it helps, is worthless, harms, or nobody can tell."""
        named = {"helps": self.p_helps, "worthless": self.p_worthless, "harms": self.p_harms}
        word = max(named, key=lambda k: named[k])
        return word if named[word] >= SURE else "unsure"


@dataclass(frozen=True)
class Harm:
    """The deepest fall of quality below the model before finetuning.

    Attributes
    ----------
    size : finetuning size at which it is deepest.
    loss, low, high : how much is lost there.
    chance : probability that noise alone shows such a fall at one of the sizes.
    until : finetuning size from which on nothing is lost any more; inf where that is not in sight.
    """

    size: float
    loss: float
    low: float
    high: float
    chance: float
    until: float

    @property
    def sure(self) -> bool:
        """Whether noise hardly shows such a fall."""
        return self.chance <= 1 - SURE

    def __str__(self) -> str:
        lost = f"lose {_ends(self.loss, self.low, self.high)} at {format_count(self.size)} finetuning tokens"
        back = (
            "not made up in sight"
            if np.isinf(self.until)
            else f"made up from {format_count(self.until)} on"
        )
        return f"its first examples {lost} (P {1 - self.chance:.2g}), {back}"


@dataclass(frozen=True, eq=False, repr=False)
class Value(Result):
    """What one corpus is worth for one task, over pretraining and finetuning sizes.

    Attributes
    ----------
    group : corpus, task and what else the rows have in common.
    cells : one a measured pair of sizes.
    noise : standard deviation of one run at the largest sizes: what a gain there is small against.
    fades : finetuning size at which the gain of the largest pretraining size falls below the noise; inf where it is
        not in sight, nan with fewer than two finetuning sizes.
    exchange : (estimate, low, high), finetuning tokens a pretraining token along a line of equal quality at the
        largest cell; nan without a grid.
    level : confidence of intervals.
    start : finetuning size of the model before finetuning, where that is what is compared with; else nan.
    harm : the deepest fall below that model; None where nothing was lost, or nothing of the kind was asked.
    nearest, farthest : smallest and largest finetuning size without pretraining: effective data outside are infinite;
        nan if unknown.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {
    ...     "corpus": ["none"] * 4 + ["fr"] * 4,
    ...     "pretrain_tokens": [0] * 4 + [1e8] * 4,
    ...     "finetune_tokens": [1e5, 1e6, 1e7, 1e8] * 2,
    ...     "bleu": [4.0, 12.0, 20.0, 28.0, 12.1, 18.0, 24.0, 30.0],
    ... }
    >>> value = sf.value(table, "bleu")[0]
    >>> [round(c.gain, 1) for c in value.cells]
    [8.1, 6.0, 4.0, 2.0]
    """

    metric: str
    group: Mapping[str, Any]
    cells: tuple[Worth, ...]
    noise: float
    fades: float
    exchange: tuple[float, float, float]
    level: float = 0.8
    notes: tuple[str, ...] = ()
    start: float = float("nan")
    harm: Harm | None = None
    nearest: float = float("nan")
    farthest: float = float("nan")

    @property
    def over_start(self) -> bool:
        """Whether the model before finetuning is what is compared with."""
        return bool(np.isfinite(self.start))

    @property
    def verdict(self) -> str:
        """The gain of the largest pretraining size at both ends of the finetuning sizes, and what it replaces."""
        name = group_name(self.group)
        row = largest(self.cells)
        first, last = row[0], row[-1]
        head = f"{name}: " if name else ""
        if self.over_start:
            lost = f"; {self.harm}" if self.harm is not None and self.harm.sure else ""
            return f"{head}finetuning {self._gained(last)}{_tuned(last)}{lost}"
        where = "" if np.isnan(first.finetune) else _tuned(first)
        size = "" if np.isnan(first.pretrain) else f" on {format_count(first.pretrain)}"
        line = f"{head}pretraining{size} {self._gained(first)}{where}"
        if last is not first:
            line += f", {self._gained(last)} at {format_count(last.finetune)}"
        if not np.isnan(first.effective):
            line += f"; worth {self._worth(first)} finetuning tokens"
        if np.isfinite(self.fades):
            line += (
                f"; within the noise of a run from {format_count(self.fades)} finetuning tokens on"
            )
        return line

    def _gained(self, worth: Worth) -> str:
        sign = 1 if worth.gain >= 0 else -1
        said = _ends(sign * worth.gain, *sorted((sign * worth.gain_low, sign * worth.gain_high)))
        unit = metric_of(self.metric).title
        return f"{'gains' if sign > 0 else 'loses'} {said} {unit} ({worth.state})"

    def beneath(self) -> tuple[str, ...]:
        """Return what gains are in, and what a state says."""
        gain = f"{metric_of(self.metric).title} {'gained' if metric_of(self.metric).rises else 'saved'}"
        return (
            f"gain: {gain}, {self.level:.0%} intervals; helps or harms: by more than one run's noise with P ≥ {SURE:g}",
        )

    def _worth(self, cell: Worth) -> str:
        """Return the finetuning data that a cell replaces; beyond the measured sizes no more than on which side."""
        if np.isnan(cell.effective):
            return "–"
        ends = {
            np.inf: f"> {format_count(self.farthest - cell.finetune)}",
            -np.inf: f"< {format_count(self.nearest - cell.finetune)}",
        }
        middle, low, high = (
            ends.get(tokens, format_count(tokens))
            for tokens in (cell.effective, cell.effective_low, cell.effective_high)
        )
        return middle if low == high else f"{middle} [{low}, {high}]"

    def rows(self) -> list[Row]:
        """Return one row a cell."""
        return [
            {
                **self.group,
                "pretrain_tokens": c.pretrain,
                "finetune_tokens": c.finetune,
                "gain": c.gain,
                "low": c.gain_low,
                "high": c.gain_high,
                "effective_tokens": c.effective,
                "effective_tokens_low": c.effective_low,
                "effective_tokens_high": c.effective_high,
                "rate": c.rate,
                "p_helps": c.p_helps,
                "p_worthless": c.p_worthless,
                "p_harms": c.p_harms,
                "state": c.state,
            }
            for c in self.cells
        ]

    def shown(self) -> list[Row]:
        """Return one row a cell for people: the gain, the finetuning data it replaces, what is sure."""
        untold = all(np.isnan(c.finetune) for c in self.cells)
        kept = {"finetune_tokens": not untold, "effective_tokens": not (untold or self.over_start)}
        each = (
            {
                **self.group,
                "pretrain_tokens": c.pretrain,
                "finetune_tokens": c.finetune,
                "gain": f"{c.gain:.3g} [{c.gain_low:.3g}, {c.gain_high:.3g}]",
                "effective_tokens": self._worth(c),
                "state": c.state,
            }
            for c in self.cells
        )
        return [{k: v for k, v in row.items() if kept.get(k, True)} for row in each]


@dataclass(frozen=True, eq=False, repr=False)
class Values(Results[Value]):
    """What every corpus is worth; ``values["fr"]`` is one or some of them.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {
    ...     "corpus": ["none"] * 3 + ["fr"] * 3,
    ...     "pretrain_tokens": [0] * 3 + [1e8] * 3,
    ...     "finetune_tokens": [1e5, 1e6, 1e7] * 2,
    ...     "bleu": [4.0, 12.0, 20.0, 12.1, 18.0, 24.0],
    ... }
    >>> values = sf.value(table, "bleu")
    >>> len(values), len(values["fr"].cells)
    (1, 3)
    """

    MEMBERS, TOLD_EACH = "values", True

    values: tuple[Value, ...]
    failures: Mapping[str, str] = field(default_factory=dict)
    about_data: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the values say besides, and groups that could not be valued."""
        said = [note for value in self for note in value.notes]
        return (
            *self.about_data,
            *dict.fromkeys(said),
            *(f"{name}: {why}" for name, why in self.failures.items()),
        )

    @property
    def verdict(self) -> str:
        """How often pretraining helps, is worthless or harms."""
        if len(self) == 1:
            return self[0].verdict
        states = [c.state for v in self for c in v.cells]
        counts = ", ".join(
            f"{said} in {states.count(state)}" for state, said in STATES.items() if state in states
        )
        if self[0].over_start:
            harmed = [v.harm for v in self if v.harm is not None and v.harm.sure]
            lasting = sum(np.isinf(h.until) for h in harmed)
            return (
                f"{len(self)} models and tasks: in {len(harmed)} the first finetuning examples harm, in {lasting} of "
                f"them to the end; of {len(states)} finetuning sizes it {counts}"
            )
        untold = all(np.isnan(c.finetune) for v in self for c in v.cells)
        cells = "pretraining sizes" if untold else "cells of pretraining × finetuning size"
        return f"pretraining {counts} of {len(states)} {cells} ({len(self)} corpora and tasks)"

    def beneath(self) -> tuple[str, ...]:
        """Return what gains are in, and what a state says."""
        return self[0].beneath() if len(self) else ()


def largest(worths: Sequence[Worth]) -> list[Worth]:
    """Return the cells of the largest pretraining size, nan where none is known, by ascending finetuning size."""
    top = max(w.pretrain for w in worths)
    return sorted(
        (w for w in worths if w.pretrain == top or np.isnan(top)), key=lambda w: w.finetune
    )


def _tuned(worth: Worth) -> str:
    return f" at {format_count(worth.finetune)} finetuning tokens"


def _ends(middle: float, low: float, high: float) -> str:
    shown = format_count if max(abs(middle), abs(low) if np.isfinite(low) else 0) >= 1000 else short
    return f"{shown(middle)} [{shown(low)}, {shown(high)}]"
