"""What is known about one group of a table: its curves' mixtures, its baseline, what a target takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalefit.forecasting.mixture import Mixture
from scalefit.forecasting.predictive import Predictive
from scalefit.forecasting.tokens import TokensFor, chance
from scalefit.groups import group_name
from scalefit.result import Result, Row, common_notes
from scalefit.types import Floats
from scalefit.units import format_count, short

Points = tuple[Floats, Floats]


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
    measured: Mapping[str, Points] = field(default_factory=dict)
    failures: tuple[str, ...] = ()

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
            low, high = said.interval(0.8)
            for i, x in enumerate(said.x):
                at = f"{name}_at_{format_count(float(x))}"
                row |= {
                    at: float(said.median[i]),
                    f"{at}_low": float(low[i]),
                    f"{at}_high": float(high[i]),
                }
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
            row[name] = " → ".join("?" if v is None else short(v) for v in ends)
        for name, said in self.ahead.items():
            low, high = said.interval(0.8)
            for i, x in enumerate(said.x):
                interval = f"[{short(float(low[i]))}, {short(float(high[i]))}]"
                at = f"{name} at {format_count(float(x))}"
                row[at] = f"{short(float(said.median[i]))} {interval}"
        if self.tokens is not None:
            row["within 10×"] = chance(self.tokens.within(10.0))
            level = f" ({self.tokens.level:.0%})"
            needs = self.needs.removeprefix("median ").removesuffix(level)
            row[f"tokens for {self.tokens.target:g}{level}"] = needs
        elif self.failures:
            row["forecast"] = "none"
        return [row]

    def told(self) -> Mapping[str, Any]:
        """Return what JSON says."""
        return {"group": self.group, **self.rows()[0], "curves": self.curves}
