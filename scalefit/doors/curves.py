"""From a table to the curves of one metric: a group each, with what stands in the way of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from scalefit.alignment import AlignmentTable, align
from scalefit.alignment.verdicts import Verdict
from scalefit.arguments import LOSS
from scalefit.errors import ExecutorError, ScalefitError, TableError
from scalefit.executors import Each, here
from scalefit.fitting.points import gather_each
from scalefit.forecasting.engines import AUTO, Pool
from scalefit.forecasting.mixture import Mixture, mixtures_of, series_from
from scalefit.forecasting.series import Series
from scalefit.groups import as_names, group_name
from scalefit.ingest import loss_beside, metric_meant, table_of
from scalefit.laws import LAWS
from scalefit.table import Observations, Table, grouping
from scalefit.table import metric as metric_of
from scalefit.types import Renames

_LEAST = 2
CURVE = LAWS["power"]  # any law of one input: gathering asks it for its input alone


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves of one metric: their rows, their groups, and why other groups have none."""

    rows: tuple[Observations, ...]
    groups: tuple[Mapping[str, Any], ...]
    failures: Mapping[str, str]

    def series(self) -> list[Series]:
        """Return their means over runs."""
        return series_from(self.rows)

    def mixtures(self, pool: Pool = AUTO, each: Each = here) -> list[Mixture]:
        """Weigh laws and guesses for all of them, each learning from the others of its pool."""
        return mixtures_of(self.rows, self.groups, pool, each)


@dataclass(frozen=True, eq=False)
class Inquiry:
    """What a door was asked about: table, metric as it spells it, what makes the groups, notes; and who works."""

    table: Table
    metric: str
    by: tuple[str, ...]
    notes: tuple[str, ...]
    loss: str = LOSS
    each: Each = here

    @property
    def rows(self) -> Table:
        """The rows of the metric."""
        return self.table.where(metric=self.metric)

    @cached_property
    def curves(self) -> Curves:
        """The curve of every group over pretraining sizes."""
        return self.curves_over("pretrain_tokens")

    def curves_over(self, column: str) -> Curves:
        """Return the curve of every group over any column of sizes."""
        return curves_of(self.rows, self.metric, self.by, column)

    @cached_property
    def judged(self) -> AlignmentTable | None:
        """Whether the loss misleads, group by group; None where that cannot be judged.

        Forecasts, rankings and the report all ask; this is where the one answer is. Asked about a loss, it is judged
        by what quality the table has beside it: the best loss may be that of a corpus that harms.
        """
        metric, loss = metric_of(self.metric), self.loss
        quality: str | list[str] = self.metric
        if metric.is_perplexity or metric.is_loss:
            there = [name for name in self.table.metrics if metric_of(name).rises]
            loss = loss if metric.is_perplexity or not there else self.metric
            quality = there or self.metric
        try:
            return align(self.table, by=self.by, quality=quality, loss=loss, executor=self.each)
        except ExecutorError:
            raise
        except ScalefitError:
            return None


def inquire(
    data: Any,
    metric: str,
    *,
    where: Mapping[str, Any] | None,
    by: Sequence[str] | None,
    mapping: Renames | None,
    allow: Sequence[str],
    beside: str = "",
    used: Sequence[str] = ("pretrain_tokens",),
) -> Inquiry:
    """Return what a door is asked about, from whatever a user has; ``beside`` is a loss it looks at too."""
    whole = table_of(
        data,
        mapping=mapping,
        where=where,
        allow=allow,
        metrics=[*filter(None, (metric, beside))],
        needs=used,
    )
    whole, loss = loss_beside(whole, [metric], beside) if beside else (whole, LOSS)
    table, notes = in_domain(whole, by, where)
    name, said = metric_meant(table, metric)
    both = [name, *({loss} & {*table.metrics} - {name} if beside else ())]
    apart = grouping(table.where(metric=both), by, used=used)
    said = (*table.notes, *said, *notes, *apart.notes)
    return Inquiry(table, name, apart.columns, said, loss)


def curves_of(
    table: Table, metric: str, by: Sequence[str], column: str = "pretrain_tokens"
) -> Curves:
    """Cut the curve of every group out of a table; a group with one size has none."""
    rows, groups, failures = [], [], {}
    pieces = table.where(metric=metric).groups(by)
    cuts = gather_each([part for _, part in pieces], metric, {CURVE.inputs[0]: column}, CURVE)
    for (key, _), one in zip(pieces, cuts, strict=True):
        group = dict(key)
        if isinstance(one, TableError):
            failures[group_name(group)] = str(one)
        elif np.unique(one.inputs[CURVE.inputs[0]]).size < _LEAST:
            failures[group_name(group)] = (
                f"{metric} was measured at one size: nothing tells how it goes on; measure two more sizes, "
                "ten times apart in all"
            )
        else:
            rows.append(one)
            groups.append(group)
    return Curves(tuple(rows), tuple(groups), failures)


def in_domain(
    table: Table, by: Sequence[str] | None, where: Mapping[str, Any] | None
) -> tuple[Table, tuple[str, ...]]:
    """Keep the in-domain rows where both domains are there and nobody asked for either."""
    asked = "domain" in (*as_names(by or ()), *(where or {}))
    if asked or not table.has("domain") or set(table.unique("domain")) != {"in", "out"}:
        return table, ()
    left = len(table.where(domain="out"))
    note = f"{left} out-of-domain rows are left out; choose them with where={{'domain': 'out'}}, or group by domain"
    return table.where(domain=["in", None]), (note,)


BARRING = (Verdict.HARMFUL, Verdict.DETERIORATING)


@dataclass(frozen=True)
class Caution:
    """A group's alignment in words, and whether it bars the corpus from being recommended or forecast by its loss."""

    verdict: str = ""
    bars: bool = False


class Flags(dict[str, Caution]):
    """The flags of groups by their names; a group that was not judged has none."""

    def __missing__(self, name: str) -> Caution:
        return Caution()


def flags(what: Inquiry) -> Flags:
    """Return every group's flag by its name, one that bars before others; nothing where none can be judged."""
    out = Flags()
    for one in what.judged or ():
        name = group_name({column: one.group.get(column) for column in what.by})
        by = "" if one.metric == what.metric else f" by {one.metric}"
        caution = Caution(f"{one.headline}{by}", one.misaligned or one.verdict in BARRING)
        if caution.bars or name not in out:
            out[name] = caution
    return out
