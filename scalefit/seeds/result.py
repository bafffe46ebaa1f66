"""What ``sf.variance`` returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalefit.errors import FitError, UnknownNameError
from scalefit.fitting.intervals import Interval
from scalefit.fitting.variance_line import VarianceLine, smoothed_variance
from scalefit.groups import group_name
from scalefit.result import Result, Results, common_notes
from scalefit.rows import Row
from scalefit.seeds.anova import FINETUNE, PRETRAIN
from scalefit.seeds.design import Cell
from scalefit.units import counted

# How the seed variance changes with pretraining size.


@dataclass(frozen=True)
class SizeSpread:
    """Seed variance at one pretraining size, pooled over the cells there.

    ``variance`` is that of pretraining seeds' means; of finetuning seeds where every cell has one pretraining seed.
    """

    tokens: float
    mean: float
    variance: float
    dof: float


def by_size(cells: Sequence[Cell]) -> tuple[SizeSpread, ...]:
    """Pool the variances of cells of one size."""
    replicated = any(c.pretrain > 1 for c in cells)
    spread: dict[float, list[tuple[float, float, float]]] = {}
    for cell in cells:
        tokens = cell.key.get("pretrain_tokens")
        values = cell.means if replicated else cell.every
        if tokens and len(values) > 1:
            row = float(values.mean()), float(values.var(ddof=1)), len(values) - 1.0
            spread.setdefault(float(tokens), []).append(row)
    return tuple(_pooled(tokens, spread[tokens]) for tokens in sorted(spread))


def _pooled(tokens: float, rows: Sequence[tuple[float, float, float]]) -> SizeSpread:
    mean, variance, dof = np.array(rows).T
    pooled = float(np.average(variance, weights=dof))
    return SizeSpread(tokens, float(mean.mean()), pooled, float(dof.sum()))


def variance_line(sizes: Sequence[SizeSpread]) -> VarianceLine | None:
    """Smooth the variances by a line in log size; None where there is nothing to smooth."""
    if not sizes:
        return None
    columns = ([getattr(s, n) for s in sizes] for n in ("tokens", "mean", "variance", "dof"))
    try:
        return smoothed_variance(*columns)
    except FitError:
        return None


@dataclass(frozen=True)
class Component:
    """One source of spread.

    Attributes
    ----------
    name : what varies.
    variance : the unbiased estimate as it is; may be negative.
    low, high : interval for the variance, as it is; ends may be negative.
    dof : degrees of freedom behind it, less what the runs' tails take (nan where it has no interval).
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


@dataclass(frozen=True, eq=False, repr=False)
class VariancePart(Result):
    """Components of one domain (or task, or model).

    ``sizes`` and ``line`` say how the seed variance changes with pretraining size.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_seed": [1, 1, 2, 2, 3, 3], "finetune_seed": [1, 2] * 3,
    ...          "pretrain_tokens": [1e9] * 6, "bleu": [20.0, 20.2, 21.1, 21.0, 19.5, 19.8]}
    >>> part = sf.variance(table, metric="bleu")[0]
    >>> part.pretrain, [c.name for c in part.components]
    (3, ['pretraining seed', 'finetuning seed'])
    """

    group: Mapping[str, Any]
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
        return group_name(self.group) or "all"

    def __getitem__(self, name: str) -> Component:
        """Component by name."""
        named = {c.name: c for c in self.components}
        if name not in named:
            raise UnknownNameError(f"no component {name!r}; there is {', '.join(named)}")
        return named[name]

    def rows(self) -> list[Row]:
        """One row a component: variance with its interval, standard deviation, share."""
        return [
            {
                **self.group,
                "component": c.name,
                "sd": c.sd,
                "variance": c.variance,
                "low": c.low,
                "high": c.high,
                "share": self.share(c.name),
                "dof": c.dof,
                "method": c.method,
            }
            for c in self.components
        ]

    def lines(self) -> list[str]:
        """Return one line a component, then the test and the trend over sizes."""
        lines = [
            f"{self.name} ({self.design}, {counted(self.cells, 'cell')}, mean {self.mean:.4g})"
        ]
        lines += [f"  {_line(c)}" for c in self.components]
        lines += [_tested(self.test, self.components[0].name)] if self.test else []
        several = self.line is not None and self.line.dof and len(self.sizes) > 1
        return lines + ([_trend(self.line)] if self.line is not None and several else [])

    def told(self) -> dict[str, Any]:
        """Return design, components, test and sizes."""
        seeds = {"pretraining": self.pretrain, "finetuning": self.finetune, "cells": self.cells}
        return {
            "group": self.group,
            "design": self.design,
            "scope": self.scope,
            "seeds": seeds,
            "mean": self.mean,
            "components": self.rows(),
            "icc": self.icc,
            "f_test": self.test,
            "sizes": self.sizes,
        }

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
    def verdict(self) -> str:
        """One line: where the spread comes from."""
        names = [c.name for c in self.components]
        plural = "seed" if self.finetune == 1 else "seeds"
        seeds = f"{self.pretrain} pretraining × {self.finetune:.3g} finetuning {plural}"
        where = f"{self.name}: " if self.group else ""
        if self.design == "crossed" and any(c.truncated for c in self.components):
            shares = ", ".join(f"{100 * self.share(n):.0f} % {n}" for n in names if n != "test set")
            return f"{where}variance is {shares} ({counted(self.cells, 'cell')})"
        first = self.components[0]
        if not any(c.truncated for c in self.components if c.name != "test set"):
            return f"{where}no spread: all runs have one value (copies, or rounded?; {seeds})"
        if self.icc is None or PRETRAIN not in names:
            ends = f"{max(first.low, 0) ** 0.5:.3g}, {first.high**0.5:.3g}"
            return f"{where}SD {first.sd:.3g} [{ends}] over {first.name} ({seeds}; {self.scope})"
        share = f"{100 * max(self.icc.estimate, 0):.0f} %"
        ends = f"{100 * max(self.icc.low, 0):.0f}–{100 * max(self.icc.high, 0):.0f}"
        return (
            f"{where}{share} [{ends}] of the seed variance comes from the pretraining seed "
            f"(SD {self[PRETRAIN].sd:.3g} against {self[FINETUNE].sd:.3g} within; {seeds})"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Variance(Results[VariancePart]):
    """Where the spread of a metric comes from, domain by domain.

    ``components["out"]`` is the part of that domain.

    Attributes
    ----------
    metric, level : what was looked at, and the confidence of intervals.
    parts : one a domain (or task, or model).
    about_data : what was left out.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_seed": [1, 1, 2, 2, 3, 3], "finetune_seed": [1, 2] * 3,
    ...          "pretrain_tokens": [1e9] * 6, "bleu": [20.0, 20.2, 21.1, 21.0, 19.5, 19.8]}
    >>> list(sf.variance(table, metric="bleu").to_frame()["component"])
    ['pretraining seed', 'finetuning seed']
    """

    MEMBERS = "parts"

    metric: str
    level: float
    parts: tuple[VariancePart, ...]
    about_data: tuple[str, ...] = ()

    def labels(self, member: VariancePart) -> Mapping[str, Any]:
        """Return by what a part is found: its values, or its name."""
        return {**member.group, "": member.name}

    @property
    def verdict(self) -> str:
        """Where the spread comes from, part by part."""
        return f"{self.metric}, {'; '.join(p.verdict for p in self)}"

    @property
    def notes(self) -> tuple[str, ...]:
        """About the parts, then about the data."""
        return (*common_notes((p.name, p.notes) for p in self), *self.about_data)

    def lines(self) -> list[str]:
        """Return the parts' lines."""
        return [line for part in self for line in part.lines()]

    def told(self) -> dict[str, Any]:
        """Return all parts."""
        return {"metric": self.metric, "level": self.level, "parts": self.parts}


def _line(c: Component) -> str:
    ends = f" [{c.low:.3g}, {c.high:.3g}] {c.method}" if c.low == c.low else f" ({c.method})"
    below = " (negative: no sign of it)" if c.variance < 0 else ""
    return f"{c.name:<34} SD {c.sd:<8.3g} variance {c.variance:.3g}{ends}{below}"


def _tested(test: FTest, name: str) -> str:
    dof = ", ".join(f"{d:.4g}" for d in test.dof)
    return f"F({dof}) = {test.statistic:.3g}, p = {test.p:.2g}: does the {name} matter?"


def _trend(line: VarianceLine) -> str:
    if not np.isfinite(line.slope_stderr):
        return "seed SD over size: too few replicated sizes to tell a trend"
    factor, error = np.exp(np.log(10) / 2 * line.slope), np.log(10) / 2 * line.slope_stderr
    ends = factor * np.exp(-1.96 * error), factor * np.exp(1.96 * error)
    return f"seed SD × {factor:.2g} [{ends[0]:.2g}, {ends[1]:.2g}] for ten times the tokens"
