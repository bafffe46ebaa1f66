"""What ``sf.variance`` returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalefit.fitting.interval import Interval
from scalefit.fitting.variance_line import VarianceLine
from scalefit.groups import group_name
from scalefit.result import frame_of, html_notes, html_table, html_verdict

from .anova import FINETUNE, PRETRAIN
from .sizes import SizeSpread


@dataclass(frozen=True)
class Component:
    """One source of spread.

    Attributes
    ----------
    name : what varies.
    variance : the unbiased estimate as it is; may be negative.
    low, high : interval for the variance, as it is; ends may be negative.
    dof : degrees of freedom behind it (nan where it has no interval).
    method : how the interval was made.
    """

    name: str
    variance: float
    low: float
    high: float
    dof: float
    method: str

    @property
    def truncated(self) -> float:
        """The variance, at least 0."""
        return max(self.variance, 0.0)

    @property
    def sd(self) -> float:
        """Standard deviation; 0 where the variance estimate is negative."""
        return float(self.truncated**0.5)


@dataclass(frozen=True)
class FTest:
    """Test of "the pretraining seed adds nothing"."""

    statistic: float
    dof: tuple[float, float]
    p: float


@dataclass(frozen=True, eq=False)
class Part:
    """Components of one domain (or task, or model).

    ``sizes`` and ``line`` say how the seed variance changes with pretraining size.
    """

    label: Mapping[str, Any]
    design: str
    pretrain: int
    finetune: float
    cells: int
    mean: float
    components: tuple[Component, ...]
    icc: Interval | None
    test: FTest | None
    notes: tuple[str, ...] = ()
    sizes: tuple[SizeSpread, ...] = ()
    line: VarianceLine | None = None

    @property
    def name(self) -> str:
        """The label in words."""
        return group_name(self.label) or "all"

    def __getitem__(self, name: str) -> Component:
        """Component by name."""
        found = {c.name: c for c in self.components}
        if name not in found:
            raise KeyError(f"no component {name!r}; there is {', '.join(found)}")
        return found[name]

    @property
    def scope(self) -> str:
        """What the spread is the spread of, from the seeds that are there."""
        if self.pretrain > 1:
            return "the procedure"
        return "these checkpoints only (one pretraining seed)"

    def share(self, name: str) -> float:
        """Share of the seed variance, negative estimates counted as 0; the test set aside."""
        seeds = [c for c in self.components if c.name != "test set"]
        total = sum(c.truncated for c in seeds)
        return self[name].truncated / total if total > 0 and name != "test set" else float("nan")

    @property
    def sentence(self) -> str:
        """One line: where the spread comes from."""
        names = [c.name for c in self.components]
        seeds = f"{self.pretrain} pretraining × {self.finetune:.3g} finetuning seeds"
        where = f"{self.name}: " if self.label else ""
        if self.design == "crossed":
            shares = ", ".join(f"{100 * self.share(n):.0f} % {n}" for n in names if n != "test set")
            return f"{where}variance is {shares} ({_cells(self.cells)})"
        if self.icc is None or PRETRAIN not in names:
            first = self.components[0]
            return f"{where}SD {first.sd:.3g} over {first.name} ({seeds}; {self.scope})"
        share = f"{100 * max(self.icc.estimate, 0):.0f} %"
        ends = f"{100 * max(self.icc.low, 0):.0f}–{100 * max(self.icc.high, 0):.0f}"
        return (
            f"{where}{share} [{ends}] of the seed variance comes from the pretraining seed "
            f"(SD {self[PRETRAIN].sd:.3g} against {self[FINETUNE].sd:.3g} within; {seeds})"
        )


@dataclass(frozen=True, eq=False)
class VarianceComponents:
    """Where the spread of a metric comes from, domain by domain.

    Iterating gives the parts; ``components["out"]`` picks one by any of its labels.
    """

    metric: str
    level: float
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Part]:
        """Parts in order."""
        return iter(self.parts)

    def __getitem__(self, label: Any) -> Part:
        """Part with a label among its values; the only part for ``None``."""
        found = [p for p in self.parts if label in p.label.values() or label == p.name]
        if label is None and len(self.parts) == 1:
            found = list(self.parts)
        if len(found) != 1:
            names = "; ".join(p.name for p in self.parts)
            raise KeyError(f"{label!r} names {len(found)} parts; there is {names}")
        return found[0]

    @property
    def verdict(self) -> str:
        """One line for each part."""
        return "\n".join(f"{self.metric}, {p.sentence}" for p in self.parts)

    def rows(self) -> list[dict[str, Any]]:
        """One plain row for each part and component."""
        return [self._row(p, c) for p in self.parts for c in p.components]

    def _row(self, part: Part, c: Component) -> dict[str, Any]:
        return {
            **part.label,
            "component": c.name,
            "sd": c.sd,
            "variance": c.variance,
            "low": c.low,
            "high": c.high,
            "share": part.share(c.name),
            "dof": c.dof,
            "method": c.method,
        }

    def to_frame(self) -> Any:
        """Return the rows as a DataFrame."""
        return frame_of(self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        parts = [
            {
                "label": dict(p.label),
                "design": p.design,
                "scope": p.scope,
                "seeds": {"pretraining": p.pretrain, "finetuning": p.finetune, "cells": p.cells},
                "mean": p.mean,
                "components": [self._row(p, c) for c in p.components],
                "icc": None if p.icc is None else vars(p.icc),
                "f_test": None if p.test is None else vars(p.test),
                "sizes": [vars(s) for s in p.sizes],
                "notes": list(p.notes),
            }
            for p in self.parts
        ]
        return {
            "metric": self.metric, "level": self.level, "verdict": self.verdict,
            "parts": parts, "notes": list(self.notes),
        }  # fmt: skip

    def __str__(self) -> str:
        """Verdict, then one line for each component."""
        lines = [self.verdict, ""]
        for p in self.parts:
            lines += [f"{p.name} ({p.design}, {_cells(p.cells)}, mean {p.mean:.4g})"]
            lines += [f"  {_line(c)}" for c in p.components]
            lines += [_tested(p.test, p.components[0].name)] if p.test else []
            lines += [_trend(p.line)] if p.line is not None and p.line.dof else []
            lines += [f"  note: {n}" for n in p.notes]
        return "\n".join(lines + [f"note: {n}" for n in self.notes])

    def _repr_html_(self) -> str:
        notes = [*self.notes, *(f"{p.name}: {n}" for p in self.parts for n in p.notes)]
        return html_verdict(self.verdict) + html_table(self.rows()) + html_notes(notes)


def _line(c: Component) -> str:
    ends = f" [{c.low:.3g}, {c.high:.3g}] {c.method}" if c.low == c.low else f" ({c.method})"
    below = " (negative: no sign of it)" if c.variance < 0 else ""
    return f"{c.name:<34} SD {c.sd:<8.3g} variance {c.variance:.3g}{ends}{below}"


def _tested(test: FTest, name: str) -> str:
    dof = ", ".join(f"{d:g}" for d in test.dof)
    return f"  F({dof}) = {test.statistic:.3g}, p = {test.p:.2g}: does the {name} matter?"


def _trend(line: VarianceLine) -> str:
    if not np.isfinite(line.slope_stderr):
        return "  seed SD over size: too few replicated sizes to tell a trend"
    factor, error = np.exp(np.log(10) / 2 * line.slope), np.log(10) / 2 * line.slope_stderr
    ends = factor * np.exp(-1.96 * error), factor * np.exp(1.96 * error)
    return f"  seed SD × {factor:.2g} [{ends[0]:.2g}, {ends[1]:.2g}] for ten times the tokens"


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"
