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
from scalefit.laws.law import Law
from scalefit.result import frame_of, html_notes, html_table
from scalefit.table import Table, as_table

BY = ("corpus", "task", "finetune_tokens", "model", "eval_set", "domain")


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
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html_table(self.rows()) + html_notes(
            tuple(f"{dict(f.group)}: {f.reason}" for f in self.failures)
        )


def fit_many(
    data: Any,
    metric: str,
    law: str | Law = "power",
    *,
    by: Sequence[str] | None = None,
    where: Mapping[str, Any] | None = None,
    progress: bool | None = None,
    **options: Any,
) -> FitMany:
    """Fit ``law`` to every group of ``by``, with a progress bar on long work.

    Parameters
    ----------
    data, metric, law, where
        As in :func:`scalefit.fit`.
    by : sequence of str, optional
        Columns whose values make the groups; by default those of corpus, task, finetune_tokens,
        model, eval_set and domain that the table has.
    progress : bool, optional
        Force the bar on or off; by default it shows from 50 groups on.
    **options
        Passed to :func:`scalefit.fit`.

    Returns
    -------
    FitMany
        A mapping from key to fit. Groups that cannot be fitted are in ``failures`` with the reason.
    """
    table = as_table(data).where(**{**(where or {}), "metric": metric})
    used = set((options.get("inputs") or {}).values())
    columns = (
        tuple(by) if by is not None else tuple(c for c in BY if table.has(c) and c not in used)
    )
    groups = table.groups(columns)
    fits, failures = {}, []
    quiet = len(groups) < 50 if progress is None else not progress
    for key, rows in tqdm(groups, desc=f"fit {metric}", disable=quiet):
        try:
            found = _fit_group(rows, metric, law, key, options)
        except ScalefitError as error:
            failures.append(FitFailure(key, str(error)))
            continue
        fits[tuple(key.values())] = replace(found, group=dict(key))
    return FitMany(columns, fits, tuple(failures))


def _fit_group(
    rows: Table, metric: str, law: str | Law, key: Mapping[str, Any], options: Mapping[str, Any]
) -> Fit:
    present = {k: v for k, v in key.items() if rows.has(k)}
    return fit(rows, metric, law, where=present, **options)
