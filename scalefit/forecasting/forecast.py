"""The main job: loss and quality fitted for every group, and what a target quality takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalefit.errors import TableError
from scalefit.fitting import Fit, Fits, fit_each
from scalefit.forecasting.outlook import OUT_OF_REACH, Outlook, Points
from scalefit.forecasting.tokens import tokens_for
from scalefit.ingest import table_of
from scalefit.result import Results, Row, common_notes
from scalefit.table import Table, grouping
from scalefit.table import metric as metric_of
from scalefit.units import short


@dataclass(frozen=True)
class Question:
    """The target, its metric, the loss shown beside it, the confidence of intervals."""

    target: float
    quality: str = "bleu"
    loss: str = "cross_entropy"
    level: float = 0.95

    def __str__(self) -> str:
        return f"{metric_of(self.quality).title} {self.target:g}"


@dataclass(frozen=True, eq=False, repr=False)
class Forecast(Results[Outlook]):
    """Loss and quality of every group, and the tokens that a target quality takes; ``forecast["fr"]`` is one group.

    Attributes
    ----------
    question : target, metrics and confidence.
    outlooks : one a group, in the table's order.
    by : columns that make the groups.
    about_data : what was left out or turned in the table.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6], "corpus": ["fr"] * 6,
    ...          "bleu": [5.0, 9.1, 12.9, 17.0, 21.1, 25.0]}
    >>> forecast = sf.forecast(table, target=20.0)
    >>> forecast.reached
    '1 of 1 groups reach BLEU 20 within 1000× the largest size measured'
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
        groups = common_notes((o.name, o.notes) for o in self)
        return tuple(dict.fromkeys((*self.about_data, *groups)))

    @property
    def reached(self) -> str:
        """How many groups reach the target within sight."""
        near = sum(not outlook.distant for outlook in self.outlooks)
        sight = f"within {OUT_OF_REACH:g}× the largest size measured"
        return f"{near} of {len(self)} groups reach {self.question} {sight}"

    @property
    def verdict(self) -> str:
        """Where the target is cheapest, in one line; groups with too few points come last."""
        near = [(o.tokens.estimate, o) for o in self if o.tokens is not None and not o.distant]
        if not near:
            return f"{self.reached}; measure larger sizes, or lower the target"
        sound = [pair for pair in near if pair[1].sound]
        best = min(sound or near, key=lambda pair: pair[0])[1]
        return f"{self.reached}; cheapest: {best.name}: {best.needs} pretraining tokens"

    def rows(self) -> list[Row]:
        """One row a group: each metric unpretrained and at the largest size, tokens with both ends."""
        return [outlook.numbers() for outlook in self]

    def shown(self) -> list[Row]:
        """One row a group for people: each metric ``unpretrained → at the largest size``, the tokens."""
        return [self._row(outlook) for outlook in self]

    def _row(self, outlook: Outlook) -> dict[str, Any]:
        row = {**outlook.group, "largest_tokens": outlook.largest}
        for name, fit in (
            (self.question.loss, outlook.loss),
            (self.question.quality, outlook.quality),
        ):
            if name in outlook.measured:
                row[metric_of(name).title] = _change(
                    outlook.baselines.get(name), outlook.at_largest(fit)
                )
        row[f"tokens for {self.question}"] = outlook.needs
        return row

    def told(self) -> dict[str, Any]:
        """Return the question and the groups, fits included."""
        return {"question": self.question, "by": self.by, "groups": self.outlooks}


def forecast(
    data: Any,
    target: float,
    *,
    quality: str = "bleu",
    loss: str = "cross_entropy",
    by: Sequence[str] | None = None,
    level: float = 0.95,
    where: Mapping[str, Any] | None = None,
    mapping: Mapping[str, str] | None = None,
    allow: Sequence[str] = (),
) -> Forecast:
    """Fit loss with the power law and quality with the log-law for every group in the data.

    Parameters
    ----------
    data : path, DataFrame, Table or mapping of columns
    target : float
        Quality to be reached, e.g. BLEU 20.
    quality, loss : str
        The two metrics; either may be missing from the data, not both.
    by : sequence of str, optional
        Columns that make the groups; by default corpus, task and finetuning size, and others
        where they vary.
    level : float
        Confidence of the intervals.
    where, mapping, allow
        As in :func:`scalefit.fit`.

    Returns
    -------
    Forecast
        Groups in the table's order; those that could not be fitted say why.

    Raises
    ------
    TableError
        The data hold neither metric, or lack a column of ``by``.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6] * 2,
    ...          "corpus": ["fr"] * 6 + ["code"] * 6,
    ...          "bleu": [5.0, 9.1, 12.9, 17.0, 21.1, 25.0, 4.0, 6.1, 8.0, 10.1, 12.0, 14.0]}
    >>> forecast = sf.forecast(table, target=20.0)
    >>> forecast["fr"].tokens.estimate < forecast["code"].tokens.estimate
    True
    """
    whole = table_of(data, mapping=mapping, where=where, allow=allow, metrics=[quality, loss])
    table, notes = _in_domain(whole, by)
    quality, loss = table.spelled(quality), table.spelled(loss)
    question = Question(target, quality, loss, level)
    table = table.where(metric=_present(table, question))
    apart = grouping(table, by)
    columns = apart.columns
    fits = {
        name: fit_each(table, name, law, by=columns)
        for name, law in ((loss, "power"), (quality, "log"))
        if name in table.metrics
    }
    outlooks = tuple(
        _outlook(dict(group), rows, table.baseline_for(group), fits, question)
        for group, rows in table.groups(columns)
    )
    return Forecast(question, outlooks, columns, (*table.notes, *notes, *apart.notes))


def _in_domain(table: Table, by: Sequence[str] | None) -> tuple[Table, tuple[str, ...]]:
    """Keep the in-domain rows where both domains are there and nobody asked for either."""
    asked = by is not None and "domain" in by
    if asked or not table.has("domain") or set(table.unique("domain")) != {"in", "out"}:
        return table, ()
    left = len(table.where(domain="out"))
    note = f"{left} out-of-domain rows are left out; choose them with where domain=out, or group by domain"
    return table.where(domain=["in", None]), (note,)


def _present(table: Table, question: Question) -> list[str]:
    present = [name for name in (question.loss, question.quality) if name in table.metrics]
    if not present:
        raise TableError(
            f"the table has neither {question.quality!r} nor {question.loss!r} (metrics: "
            f"{', '.join(table.metrics)}); name yours with quality= and loss="
        )
    return present


def _outlook(
    group: dict[str, Any],
    rows: Table,
    baseline: Table | None,
    fits: Mapping[str, Fits],
    question: Question,
) -> Outlook:
    of = {name: _fit_of(many, group) for name, many in fits.items()}
    fit = of.get(question.quality)
    failures = [f for many in fits.values() for f in many.failures if dict(f.group) == group]
    return Outlook(
        group=group,
        loss=of.get(question.loss),
        quality=fit,
        tokens=None if fit is None else tokens_for(fit, question.target, level=question.level),
        baselines={} if baseline is None else {m: _mean(baseline, m) for m in baseline.metrics},
        measured={name: _points(rows, name) for name in rows.metrics},
        failures=tuple(failure.reason for failure in failures),
    )


def _fit_of(fits: Fits, group: Mapping[str, Any]) -> Fit | None:
    return next((fit for fit in fits if fit.group == group), None)


def _change(without: float | None, at_largest: float | None) -> str:
    """Write a metric without pretraining and at the largest size: ``5.935 → 10.83``."""
    return " → ".join("?" if value is None else short(value) for value in (without, at_largest))


def _mean(rows: Table, metric: str) -> float:
    return float(np.nanmean(rows.where(metric=metric).column("value")))


def _points(rows: Table, metric: str) -> Points:
    there = rows.where(metric=metric)
    return there.column("pretrain_tokens"), there.column("value")
