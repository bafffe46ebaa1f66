"""A law card: everything that somebody else needs to use a fit, on one page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scalefit.result import Result
from scalefit.rows import Row, markdown_table


@dataclass(frozen=True, eq=False, repr=False)
class Card(Result):
    """What a published fit should tell: as JSON by ``to_dict``, as Markdown by ``to_markdown``.

    Attributes
    ----------
    verdict : the fit's own line.
    law, formula, source : the form, and where it comes from.
    metric, unit : what is described.
    inputs : law input -> column, with the smallest and largest size.
    parameters : estimates with their 95 % intervals.
    minimised, weights : what was minimised, and how points weighed.
    points : how many.
    data : digest of the rows.
    exclusions : what was left out, turned or doubted.
    held_out : error on held-out sizes, None where nobody measured it.
    made_by : version of scalefit.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
    >>> card = sf.fit(table, "bleu", "log").card()
    >>> card.points, [row["parameter"] for row in card.rows()]
    (5, ['D0', 's', 'beta'])
    """

    verdict: str
    law: str
    formula: str
    source: str
    metric: str
    unit: str
    inputs: Mapping[str, tuple[str, float, float]]
    parameters: tuple[Mapping[str, Any], ...]
    minimised: str
    weights: str
    points: int
    data: str
    exclusions: tuple[str, ...]
    held_out: float | None
    made_by: str
    group: Mapping[str, Any] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, turned or doubted."""
        return self.exclusions

    def rows(self) -> list[Row]:
        """Return one row a parameter: estimate, low, high; of a mixture one a member."""
        return [dict(row) for row in self.parameters]

    def shown(self) -> list[Row]:
        """Return the rows for people: what the data do not fix has no number."""
        none = {"estimate": "not identified", "low": None, "high": None, "stderr": None}
        return [{**row, **(none if row.get("identified") is False else {})} for row in self.rows()]

    def to_markdown(self) -> str:
        """Return the card as Markdown."""
        ranges = (
            f"{name} = {column}, {low:.4g} to {high:.4g}"
            for name, (column, low, high) in self.inputs.items()
        )
        told = {
            "law": f"{self.law}: {self.formula}",
            "source": self.source,
            "metric": f"{self.metric} ({self.unit})" if self.unit else self.metric,
            "inputs": "; ".join(ranges),
            "minimised": self.minimised,
            "weights": self.weights,
            "points": self.points,
            "held-out error": "not measured" if self.held_out is None else f"{self.held_out:.4g}",
            "data": self.data,
            "scalefit": self.made_by,
        }
        lines = "".join(f"- **{name}**: {value}\n" for name, value in told.items())
        left = "".join(f"- {note}\n" for note in self.exclusions)
        return f"# {self.verdict}\n\n{lines}\n{markdown_table(self.shown())}\n{left}"
