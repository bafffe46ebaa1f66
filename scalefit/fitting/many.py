"""One law, many groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tqdm.auto import tqdm

from scalefit.errors import ScalefitError
from scalefit.fitting.fit import fit
from scalefit.fitting.interval import short
from scalefit.fitting.result import Fit
from scalefit.ingest import table_of
from scalefit.laws.law import Law
from scalefit.result import frame_of, html_notes, html_table
from scalefit.table import grouping


@dataclass(frozen=True)
class FitFailure:
    """Why a group has no fit."""

    group: Mapping[str, Any]
    reason: str


@dataclass(frozen=True, eq=False)
class FitMany(Mapping[tuple[Any, ...], Fit]):
    """Fits by the values of the ``by`` columns, and the groups that could not be fitted."""

    by: tuple[str, ...]
    fits: Mapping[tuple[Any, ...], Fit]
    failures: tuple[FitFailure, ...] = field(default=())
    notes: tuple[str, ...] = ()

    def __getitem__(self, key: Any) -> Fit:
        return self.fits[key if isinstance(key, tuple) else (key,)]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.fits)

    def __len__(self) -> int:
        return len(self.fits)

    def rows(self, level: float = 0.95) -> list[dict[str, Any]]:
        """One row a group: its key, estimates with intervals, typical error."""
        out = []
        for found in self.fits.values():
            row: dict[str, Any] = dict(found.group)
            lost = found.not_identified
            for name, interval in found.intervals(level).items():
                row[name] = "not identified" if name in lost else str(interval)
            out.append(
                {**row, "typical error": short(found.typical_error), "points": found.points.y.size}
            )
        return out

    def to_frame(self, level: float = 0.95) -> Any:
        """Return the rows as a DataFrame."""
        return frame_of(self.rows(level))

    def __repr__(self) -> str:
        lines = [
            f"{len(self.fits)} fits by {', '.join(self.by)}; {len(self.failures)} groups without a fit"
        ]
        lines += [f"  {found.verdict}" for found in self.fits.values()]
        lines += [f"  no fit for {dict(f.group)}: {f.reason}" for f in self.failures]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html_table(self.rows()) + html_notes(
            (*self.notes, *(f"{dict(f.group)}: {f.reason}" for f in self.failures))
        )


def fit_many(
    data: Any,
    metric: str,
    law: str | Law = "power",
    *,
    by: Sequence[str] | None = None,
    where: Mapping[str, Any] | None = None,
    mapping: Mapping[str, str] | None = None,
    allow: Sequence[str] = (),
    progress: bool | None = None,
    **options: Any,
) -> FitMany:
    """Fit ``law`` to every group of ``by``, with a progress bar on long work.

    Parameters
    ----------
    data, metric, law, where, mapping, allow
        As in :func:`scalefit.fit`.
    by : sequence of str, optional
        Columns whose values make the groups; by default corpus, task and finetuning size, and
        others where they vary. What tells rows of one run apart splits the groups further.
    progress : bool, optional
        Force the bar on or off; by default it shows from 50 groups on.
    **options
        Passed to :func:`scalefit.fit`.

    Returns
    -------
    FitMany
        A mapping from key to fit. Groups that cannot be fitted are in ``failures`` with the reason.
    """
    used = tuple((options.get("inputs") or {"": "pretrain_tokens"}).values())
    table = table_of(data, mapping=mapping, where=where, allow=allow, metrics=[metric], needs=used)
    name = table.metric(metric)
    table = table.where(metric=name)
    apart = grouping(table, by, used=used)
    groups = table.groups(apart.columns)
    fits, failures = {}, []
    quiet = len(groups) < 50 if progress is None else not progress
    for key, rows in tqdm(groups, desc=f"fit {metric}", disable=quiet):
        try:
            found = fit(rows, name, law, **options)
        except ScalefitError as error:
            failures.append(FitFailure(key, str(error)))
            continue
        fits[tuple(key.values())] = replace(found, group=dict(key))
    return FitMany(apart.columns, fits, tuple(failures), apart.notes)
