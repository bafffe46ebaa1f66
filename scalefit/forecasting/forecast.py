"""The main job: what every group of a table will do, and what a target takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from scalefit.forecasting.mixture import Mixture
from scalefit.forecasting.predictive import FARTHEST, Predictive
from scalefit.forecasting.record import Logged, append
from scalefit.forecasting.tokens import TokensFor, chance
from scalefit.groups import group_name
from scalefit.result import Result, Results, common_notes
from scalefit.rows import Row
from scalefit.table import metric as metric_of
from scalefit.types import Floats
from scalefit.units import format_count, short, some


@dataclass(frozen=True, eq=False, repr=False)
class Outlook(Result):
    """What is known about one group.

    Attributes
    ----------
    group : column -> value
    metric, through : names of the quality, and of the loss shown beside it.
    curves : metric -> mixture; a metric is missing where it was not measured, or has too few sizes.
    tokens : what the target takes; None without a target, or without a mixture of the quality.
    ahead : metric -> a new run at the sizes asked for.
    baselines : metric -> mean value without pretraining, where measured.
    measured : metric -> pretraining tokens and values, (n,) each.
    failures : why something is missing.
    level : confidence of intervals.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6], "corpus": ["fr"] * 6,
    ...          "bleu": [5.0, 9.1, 12.9, 17.0, 21.1, 25.0]}
    >>> outlook = sf.forecast(table, target=20.0)["fr"]
    >>> outlook.name, outlook.largest
    ('fr', 1024000000.0)
    """

    group: Mapping[str, Any]
    metric: str
    through: str
    curves: Mapping[str, Mixture] = field(default_factory=dict)
    tokens: TokensFor | None = None
    ahead: Mapping[str, Predictive] = field(default_factory=dict)
    baselines: Mapping[str, float] = field(default_factory=dict)
    measured: Mapping[str, tuple[Floats, Floats]] = field(default_factory=dict)
    failures: tuple[str, ...] = ()
    level: float = 0.8

    @property
    def quality(self) -> Mixture | None:
        """The mixture of the quality."""
        return self.curves.get(self.metric)

    @property
    def loss(self) -> Mixture | None:
        """The mixture of the loss shown beside it."""
        return self.curves.get(self.through)

    @property
    def largest(self) -> float:
        """Largest measured size."""
        return max(float(np.max(x)) for x, _ in self.measured.values())

    @property
    def name(self) -> str:
        """The group in words: ``fr · en-fr · finetuned on 128k``."""
        return group_name(self.group)

    @property
    def needs(self) -> str:
        """Tokens for the target, for people."""
        return "no forecast" if self.tokens is None else self.tokens.needs

    @property
    def verdict(self) -> str:
        """What the target takes in this group, or what a new run gives."""
        head = f"{self.name}: " if self.name else ""
        if self.tokens is not None:
            return head + self.tokens.verdict
        if self.quality is not None:
            return self.quality.verdict
        return head + ("; ".join(self.failures) or "no forecast")

    @property
    def notes(self) -> tuple[str, ...]:
        """Why something is missing, then the curves' and the token count's own notes."""
        about = [(name, mixture.notes) for name, mixture in self.curves.items()]
        extra = () if self.tokens is None else self.tokens.notes
        return (*self.failures, *common_notes(about), *extra)

    def last(self, metric: str) -> float | None:
        """Return the mean of a metric at the largest size at which it was measured."""
        if metric not in self.measured:
            return None
        x, y = self.measured[metric]
        return float(np.mean(y[x == np.max(x)]))

    def rows(self) -> list[Row]:
        """Return one row of numbers: measured ends, forecasts at the sizes asked for, chances and tokens."""
        row: Row = {**self.group, "largest_tokens": self.largest}
        for name in self.measured:
            row[f"{name}_unpretrained"] = self.baselines.get(name)
            row[f"{name}_at_largest"] = self.last(name)
        for name, said in self.ahead.items():
            names = (f"{name}_at_{format_count(x)}" for x in said.x.tolist())
            row |= said.columns(names, self.level)
        if self.tokens is not None:
            kept = ("p_within_2x", "p_within_10x", "p_within_100x", "estimate", "low", "high")
            numbers = self.tokens.rows()[0]
            row |= {("tokens" if k == "estimate" else k): numbers[k] for k in kept}
        return [row]

    def shown(self) -> list[Row]:
        """Return one row for people: each metric ``unpretrained → at the largest size``, what comes, tokens."""
        row: Row = {**self.group, "largest_tokens": self.largest}
        for name in self.measured:
            ends = (self.baselines.get(name), self.last(name))
            row[name] = " → ".join(short(v) for v in ends if v is not None) or "?"
        for name in reversed(list(self.ahead)):  # what was asked for stands last, as tokens do
            said = self.ahead[name]
            low, high = said.interval(self.level)
            for i, x in enumerate(said.x):
                interval = f"[{short(float(low[i]))}, {short(float(high[i]))}]"
                at = f"{name} at {format_count(float(x))}"
                row[at] = f"{short(float(said.median[i]))} {interval}"
        if self.tokens is not None:
            row["within 10×"] = chance(self.tokens.within(10.0))
            level = f" ({self.tokens.level:.0%})"
            needs = self.needs.removeprefix("median ").removesuffix(level)
            row[f"tokens for {self.tokens.target:g}{level}"] = needs
        elif self.failures and self.metric not in self.ahead:
            row["forecast"] = "none"
        return [row]

    def told(self) -> Mapping[str, Any]:
        """Return what JSON says."""
        return {"group": self.group, **self.rows()[0], "curves": self.curves}


SIGHT = 10.0
NAMED = 4  # groups that a line names before it counts the rest


@dataclass(frozen=True)
class Question:
    """What was asked: the metric and the loss beside it, a target or none, sizes or none, the level."""

    metric: str = "bleu"
    through: str = "cross_entropy"
    target: float | None = None
    at: tuple[float, ...] = ()
    level: float = 0.8

    def __str__(self) -> str:
        title = metric_of(self.metric).title
        return title if self.target is None else f"{title} {self.target:g}"


@dataclass(frozen=True, eq=False, repr=False)
class Forecast(Results[Outlook]):
    """What every group will do; ``forecast["fr"]`` is one of them.

    Attributes
    ----------
    question : target, sizes, metrics and confidence.
    outlooks : one a group, in the table's order.
    by : columns that make the groups.
    about_data : what was left out or turned in the table.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
    >>> table = {"pretrain_tokens": sizes, "corpus": ["fr"] * 6, "bleu": [5.0, 9.1, 12.9, 17.0, 21.1, 25.0]}
    >>> forecast = sf.forecast(table, target=20.0)
    >>> forecast.reached
    '1 of 1 groups likely (P ≥ .5) to reach BLEU 20 within 10× the largest size'
    >>> forecast["fr"].tokens.reachable
    True
    """

    MEMBERS = "outlooks"

    question: Question
    outlooks: tuple[Outlook, ...]
    by: tuple[str, ...]
    about_data: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """About the data, then about the groups."""
        own = common_notes((o.name, o.notes) for o in self)
        return tuple(dict.fromkeys((*self.about_data, *own)))  # curves repeat what their table says

    @property
    def reached(self) -> str:
        """How many groups reach the target within sight; why, where none has a forecast."""
        if all(o.tokens is None for o in self):
            why = next((f"no forecast: {said}" for o in self for said in o.failures), "no forecast")
            return f"{self.question}: {why}"
        who = f"{len(self._near())} of {len(self)} groups likely (P ≥ .5)"
        return f"{who} to reach {self.question} within {SIGHT:g}× the largest size"

    def _near(self) -> list[Outlook]:
        """Return who reaches the target within sight; beyond it a curve that does not rise has the widest guess."""
        return [o for o in self if o.tokens is not None and o.tokens.within(SIGHT) >= 0.5]

    @property
    def verdict(self) -> str:
        """Who is likely to be first, with everybody that cannot be told apart from it; a price is not named.

        Only who reaches the target within sight is named. The least of many noisy estimates is too low: whoever it
        belongs to, only the set that overlaps it is known.
        """
        if self.question.target is None:
            at = self.question.at
            told = sum(self.question.metric in (o.ahead if at else o.curves) for o in self)
            sizes = ", ".join(format_count(x) for x in self.question.at)
            return f"{self.question} of {told} of {len(self)} groups forecast{f' at {sizes}' if sizes else ''}"
        near = self._near()
        if len(self) == 1 and self[0].tokens is not None:
            return f"{self.reached}; {self[0].needs}"
        if not near:
            known = any(o.tokens is not None for o in self)
            return self.reached + "; measure larger sizes, or lower the target" * known
        first = min(near, key=lambda o: _price(o)[1])
        high = _price(first)[2]
        rivals = [o for o in self if o.tokens is not None and o is not first and _rivals(o, first)]
        alike = [str(o.group.get("corpus") or o.name) for o in rivals if _price(o)[0] <= high]
        line = f"{self.reached}; fewest tokens: {first.name}, {first.needs}"
        if not alike:
            return line
        return f"{line}, not told apart from {some(alike, NAMED)}; rank them: sf.rank"

    @property
    def beside_ranking(self) -> str:
        """The verdict where a ranking stands beside it.

        A ranking knows what curves share and tells apart what overlapping intervals cannot: it says who is first.
        """
        return self.verdict if self.question.target is None else self.reached

    def told(self) -> dict[str, Any]:
        """Return the question and the groups."""
        return {"question": self.question, "by": self.by, "groups": self.outlooks}

    def log(self, path: str | Path) -> int:
        """Append this forecast to a file, so that the next run can judge it; see :func:`scalefit.forecast_score`.

        Parameters
        ----------
        path : a file of JSON lines; it is made where it is not there.

        Returns int: how many forecasts were written: one a group, metric and size (those asked for, else 2×, 4× and
        10× the largest).
        """
        return append(path, [e for outlook in self for e in _entries(outlook, self.question.at)])


def _rivals(one: Outlook, other: Outlook) -> bool:
    """Whether two groups compete: they differ in their corpus alone."""
    keys = {*one.group, *other.group} - {"corpus"}
    return all(one.group.get(k) == other.group.get(k) for k in keys)


def _price(outlook: Outlook) -> tuple[float, float, float]:
    tokens = outlook.tokens
    assert tokens is not None
    return tokens.low, tokens.estimate, tokens.high


def _entries(outlook: Outlook, at: Sequence[float]) -> Iterator[Logged]:
    made = datetime.now(UTC).isoformat(timespec="seconds")
    for name, mixture in outlook.curves.items():
        largest = float(mixture.series.x[-1])
        there = [x for x in at if largest < x <= FARTHEST * largest]  # the others have no forecast
        said = mixture.predictive(np.array(there or [2 * largest, 4 * largest, 10 * largest]))
        for x, values in zip(said.x.tolist(), said.values.T.tolist(), strict=True):
            yield Logged(
                name, dict(outlook.group), mixture.column, x, largest,
                tuple(said.probabilities.tolist()), tuple(values), made, mixture.observations.digest,
            )  # fmt: skip
