"""One law, many groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from scalefit.errors import ScalefitError
from scalefit.executors import Workers, packs, working
from scalefit.fitting.checks import leaves_each_out, refuse_direction
from scalefit.fitting.fit import AnyLaw, fit_together, law_of
from scalefit.fitting.identified import allowed_each, identify_each
from scalefit.fitting.intervals import Interval
from scalefit.fitting.intervals.uncertainty import USUAL_LEVEL, look_together
from scalefit.fitting.points import gather_each, input_columns
from scalefit.fitting.result import Fit
from scalefit.fitting.stack import evaluate_each, leave_one_out
from scalefit.groups import group_name
from scalefit.ingest import table_of
from scalefit.laws.law import count_or_number
from scalefit.result import Results, common_notes
from scalefit.rows import Row, estimated
from scalefit.table import Observations, grouping
from scalefit.types import Renames
from scalefit.units import counted

Cut = tuple[Mapping[str, Any], Observations | ScalefitError]
GROUPS_A_PACK = 64  # groups that travel and are solved together: what a call of numpy costs is shared by as many
GROUPS_HERE = 1024  # groups that are solved together where nobody waits for a share of them


@dataclass(frozen=True)
class FitFailure:
    """Why a group has no fit.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6], "corpus": ["ro"] * 2, "bleu": [5.0, 9.1]}
    >>> failure = sf.fit_each(table, "bleu", "log").failures[0]
    >>> failure.group["corpus"], failure.reason[:39]
    ('ro', '2 points cannot fix the 3 parameters of')
    """

    group: Mapping[str, Any]
    reason: str


@dataclass(frozen=True, eq=False, repr=False)
class Fits(Results[Fit]):
    """Fits of one law, one a group, and the groups that could not be fitted.

    ``fits["fr"]`` is the fit of that corpus, or those of it where there are several; ``fits["fr", "en-fr"]`` asks for
    both values, and ``fits[0]`` for the first.

    Attributes
    ----------
    by : columns that make the groups.
    fits : in the table's order, each with its ``group``.
    failures : groups without a fit, with the reason.
    about_data : what was split or left out.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes, loss = [1e6, 4e6, 16e6, 64e6, 256e6] * 2, [4.05, 3.37, 2.93, 2.62, 2.43]
    >>> table = {"pretrain_tokens": sizes, "corpus": ["fr"] * 5 + ["en"] * 5,
    ...          "cross_entropy": loss + [x + 0.2 for x in loss]}
    >>> fits = sf.fit_each(table, "cross_entropy", "power", by=["corpus"])
    >>> fits.verdict
    '2 fits by corpus'
    >>> fits["fr"].group
    {'corpus': 'fr'}
    """

    MEMBERS = "fits"

    by: tuple[str, ...]
    fits: tuple[Fit, ...]
    failures: tuple[FitFailure, ...] = ()
    about_data: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """How many groups have a fit."""
        failed = f"; {counted(len(self.failures), 'group')} without a fit" if self.failures else ""
        return f"{counted(len(self.fits), 'fit')} by {', '.join(self.by)}{failed}"

    @property
    def notes(self) -> tuple[str, ...]:
        """Why groups have no fit, then the fits' own notes."""
        note_together(self.fits)
        failed = (f"{group_name(f.group)}: no fit: {f.reason}" for f in self.failures)
        own = common_notes((group_name(fit.group), fit.notes) for fit in self)
        return tuple(dict.fromkeys((*failed, *own, *self.about_data)))

    def rows(self, level: float = 0.95) -> list[Row]:
        """One row a group: its values, each parameter with low and high, typical error, points.

        An estimate that the data do not fix is nan.
        """
        doubt_together(self.fits, level)
        return [
            {
                **fit.group,
                **_numbers(fit, level),
                "typical_error": fit.typical_error,
                "points": fit.points.y.size,
            }
            for fit in self
        ]

    def shown(self, level: float = 0.95) -> list[Row]:
        """One row a group, each parameter with its interval in one cell."""
        doubt_together(self.fits, level)
        return [
            {
                **fit.group,
                **{
                    name: "not identified"
                    if name in fit.not_identified
                    else _told(fit, name, interval)
                    for name, interval in fit.intervals(level).items()
                },
                "typical_error": fit.typical_error,
                "points": fit.points.y.size,
            }
            for fit in self
        ]


def _told(fit: Fit, name: str, interval: Interval) -> str:
    numbers = (interval.estimate, interval.low, interval.high)
    return "{} [{}, {}]".format(*(count_or_number(fit.law, name, one) for one in numbers))


def doubt_together(fits: Sequence[Fit], level: float = USUAL_LEVEL) -> None:
    """Find the intervals of many fits and what is identified: the same numbers, at a fraction of the cost a fit."""
    unseen = [fit for fit in fits if "allowed" not in vars(fit)]
    evaluate_each([fit.solution for fit in unseen])
    ranges = allowed_each([fit.solution for fit in unseen])
    for fit, allowed in zip(unseen, ranges, strict=True):
        vars(fit)["allowed"] = allowed  # where its cached property keeps it
    for one in {USUAL_LEVEL, level}:  # what is identified is judged at the usual level
        look_together([fit.uncertainty for fit in fits], one)
    doubts = [fit.uncertainty for fit in unseen]
    known = identify_each([fit.solution for fit in unseen], doubts, ranges)
    for fit, identified in zip(unseen, known, strict=True):
        vars(fit)["identified"] = identified


def note_together(fits: Sequence[Fit]) -> None:
    """Work out the notes of many fits: the same as one by one, their refits without each point as one program."""
    unseen = [fit for fit in fits if not {"notes", "left_out"} & {*vars(fit)}]
    some = [fit for fit in unseen if leaves_each_out(fit.solution)]
    for fit, refits in zip(some, leave_one_out([fit.solution for fit in some]), strict=True):
        vars(fit)["left_out"] = refits  # where its cached property keeps it
    for fit in fits:
        _ = fit.notes


def _numbers(fit: Fit, level: float) -> Row:
    row: Row = {}
    for name, interval in fit.intervals(level).items():
        estimate = float("nan") if name in fit.not_identified else interval.estimate
        row |= estimated(name, estimate, interval.low, interval.high)
    return row


def fit_law_each(
    data: Any,
    metric: str,
    law: AnyLaw = "power",
    *,
    by: Sequence[str] | None = None,
    where: Mapping[str, Any] | None = None,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
    progress: bool | None = None,
    executor: Workers = None,
    **options: Any,
) -> Fits:
    """Fit ``law`` to every group of ``by``, with a progress bar on long work.

    Parameters
    ----------
    data, metric, law, by, where, mapping, allow, executor
        As in :func:`scalefit.fit_each`. What tells rows of one run apart splits the groups further.
    progress : force the bar on or off; by default it shows from 50 groups on.
    **options : passed to :func:`fit_law`.

    Returns Fits: the fits in the table's order. Groups that cannot be fitted are in ``failures`` with the reason.

    Raises LawError, FitError: no such law, or one that no group could follow; TableError: as in :func:`scalefit.fit`.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes, loss = [1e6, 4e6, 16e6, 64e6, 256e6] * 2, [4.05, 3.37, 2.93, 2.62, 2.43]
    >>> table = {"pretrain_tokens": sizes, "corpus": ["fr"] * 5 + ["en"] * 5, "cross_entropy": loss * 2}
    >>> [fit.group["corpus"] for fit in sf.fit_each(table, "cross_entropy", "power")]
    ['en', 'fr']
    """
    from tqdm.auto import tqdm  # brings asyncio, which no other call needs

    chosen = law_of(law, options.get("inputs"))
    columns = input_columns(chosen, options.get("inputs"))
    used = tuple(columns.values())
    table = table_of(data, mapping=mapping, where=where, allow=allow, metrics=[metric], needs=used)
    name = table.metric(metric)
    if "direction" not in allow:
        refuse_direction(chosen, name, used[0])
    table = table.where(metric=name)
    apart = grouping(table, by, used=used)
    groups = table.groups(apart.columns)
    quiet = (len(groups) < 50 or None) if progress is None else not progress  # None: no terminal
    fitted: list[Fit | FitFailure] = []
    with (
        working(executor) as each,
        tqdm(desc=f"fit {metric}", total=len(groups), disable=quiet) as bar,
    ):
        pieces = gather_each([piece for _, piece in groups], name, columns, chosen)
        cuts = ((dict(key), one) for (key, _), one in zip(groups, pieces, strict=True))
        work = partial(_fitted, law, options, executor is not None)
        for some in each(work, packs(cuts, GROUPS_HERE if executor is None else GROUPS_A_PACK)):
            fitted += some
            bar.update(len(some))
    failures = tuple(one for one in fitted if isinstance(one, FitFailure))
    fits = tuple(one for one in fitted if isinstance(one, Fit))
    return Fits(apart.columns, fits, failures, apart.notes)


def _fitted(
    law: AnyLaw, options: Mapping[str, Any], judged: bool, groups: Sequence[Cut]
) -> list[Fit | FitFailure]:
    """Fit each of some groups; one that cannot be fitted costs the others nothing.

    ``judged``: a worker also works out what is doubted about each fit, for a fit alone is no work worth a journey.
    """
    told = {name: value for name, value in options.items() if name != "inputs"}
    there = [one for _, one in groups if isinstance(one, Observations)]
    fits = iter(fit_together(there, law_of(law, options.get("inputs")), **told) if there else [])
    done: list[Fit | FitFailure] = []
    for key, one in groups:
        fit = next(fits) if isinstance(one, Observations) else one
        done.append(replace(fit, group=key) if isinstance(fit, Fit) else FitFailure(key, str(fit)))
    if judged:
        fitted = [fit for fit in done if isinstance(fit, Fit)]
        note_together(fitted)
        doubt_together(fitted)
    return done
