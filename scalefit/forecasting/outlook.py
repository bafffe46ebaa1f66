"""What is known about one group: its two fits, its baseline, what a target takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.fitting import Fit
from scalefit.forecasting.tokens import TokensFor
from scalefit.groups import group_name
from scalefit.result import Result, Row, common_notes, fields_of
from scalefit.units import format_count

Points = tuple[NDArray[np.float64], NDArray[np.float64]]
OUT_OF_REACH = 1000.0


@dataclass(frozen=True, eq=False, repr=False)
class Outlook(Result):
    """What is known about one group.

    Attributes
    ----------
    group : column -> value
    loss, quality : the two fits; None where the group could not be fitted, or was not measured.
    tokens : what the target takes; None without a fit of quality.
    baselines : metric -> mean value without pretraining, where measured.
    measured : metric -> pretraining tokens and values, (n,) each.
    failures : why something is missing.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6], "corpus": ["fr"] * 6,
    ...          "bleu": [5.0, 9.1, 12.9, 17.0, 21.1, 25.0]}
    >>> outlook = sf.forecast(table, target=20.0)["fr"]
    >>> outlook.name, outlook.distant
    ('fr', False)
    """

    group: Mapping[str, Any]
    loss: Fit | None = None
    quality: Fit | None = None
    tokens: TokensFor | None = None
    baselines: Mapping[str, float] = field(default_factory=dict)
    measured: Mapping[str, Points] = field(default_factory=dict)
    failures: tuple[str, ...] = ()

    @property
    def largest(self) -> float:
        """Largest measured size."""
        return max(float(np.max(x)) for x, _ in self.measured.values())

    @property
    def distant(self) -> bool:
        """Whether the target lies more than a thousand times beyond what was measured."""
        return self.tokens is None or not self.tokens.estimate <= OUT_OF_REACH * self.largest

    @property
    def sound(self) -> bool:
        """Whether quality was measured at two points more than its law has parameters."""
        fit = self.quality
        return fit is not None and fit.points.y.size >= len(fit.law.parameters) + 2

    @property
    def needs(self) -> str:
        """Tokens for the target, with the interval, for people."""
        answer = self.tokens
        if answer is None:
            return "no fit"
        ends = f"[{format_count(answer.low)}, {format_count(answer.high)}]"
        if not answer.reachable:
            return "not reachable" if np.isinf(answer.low) else f"not reachable {ends}"
        far = self.distant
        return (
            f"> {format_count(OUT_OF_REACH * self.largest)} {ends}"
            if far
            else f"{format_count(answer.estimate)} {ends}"
        )

    @property
    def name(self) -> str:
        """The group in words: ``fr · en-fr · finetuned on 128k``."""
        return group_name(self.group)

    def at_largest(self, fit: Fit | None) -> float | None:
        """Value of a fitted curve at the largest measured size."""
        return None if fit is None else float(fit.value(np.array([self.largest]))[0])

    @property
    def verdict(self) -> str:
        """What the target takes in this group."""
        target = "" if self.tokens is None else f"{self.tokens.metric} {self.tokens.target:g}: "
        return f"{self.name}: {target}{self.needs}" if self.name else f"{target}{self.needs}"

    @property
    def notes(self) -> tuple[str, ...]:
        """Why something is missing, then the fits' and the token count's own notes."""
        fits = [fit for fit in (self.quality, self.loss) if fit is not None]
        about = [(fit.metric, fit.notes) for fit in fits]
        extra = () if self.tokens is None else self.tokens.notes
        return (*self.failures, *common_notes(about), *extra)

    def numbers(self) -> Row:
        """Return the group, its measured ends and the tokens as one row of numbers."""
        row: Row = {**self.group, "largest_tokens": self.largest}
        for name in self.measured:
            fit = self.fit_of(name)
            row[f"{name}_unpretrained"] = self.baselines.get(name)
            row[f"{name}_at_largest"] = self.at_largest(fit)
        answer = self.tokens
        ends = ("estimate", "low", "high", "probability")
        return row | {
            "tokens" if n == "estimate" else n: None if answer is None else getattr(answer, n)
            for n in ends
        }

    def fit_of(self, metric: str) -> Fit | None:
        """Return the fit of a metric, where there is one."""
        fits = (self.loss, self.quality)
        return next((fit for fit in fits if fit is not None and fit.metric == metric), None)

    def rows(self) -> list[Row]:
        """One row: see :meth:`numbers`."""
        return [self.numbers()]

    def told(self) -> dict[str, Any]:
        """Return all but the measured points, which the fits hold."""
        return {name: value for name, value in fields_of(self).items() if name != "measured"}
