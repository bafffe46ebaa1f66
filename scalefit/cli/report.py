"""``scalefit report``: everything about a results file as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scalefit.cli._options import (
    Allow,
    By,
    Config,
    Level80,
    Metric,
    Output,
    Rename,
    Results,
    Target,
    Through,
    Where,
)

if TYPE_CHECKING:
    from scalefit.alignment import AlignmentTable
    from scalefit.corpora.ranking import Rankings
    from scalefit.table import Table
    from scalefit.views import Section


def command(
    results: Results,
    output: Output,
    target: Target = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            help="Pretraining size to be forecast; corpora are compared there where there is no target.",
        ),
    ] = None,
    metric: Metric = "bleu",
    through: Through = "cross_entropy",
    by: By = None,
    where: Where = None,
    rename: Rename = None,
    config: Config = None,
    allow: Allow = None,
    level: Level80 = 0.8,
) -> None:
    """Write one HTML file: what to choose, what comes, what a target takes, whether each corpus helps."""
    from scalefit.cli import _io
    from scalefit.cli._progress import doing
    from scalefit.cli._quiet import aside
    from scalefit.doors.overview import overview
    from scalefit.files import write_text
    from scalefit.views import forecast_report, render

    _io.check_suffix(output, known=(".html",))
    with doing(f"reading {results}"):
        table = _io.read_table(
            results,
            where=where,
            rename=rename,
            config=config,
            allow=allow,
            metrics=[metric, through],
        )
    with doing("forecasting every curve, ranking corpora"):
        seen = overview(
            table,
            metric,
            target=target,
            at=at or (),
            through=through,
            by=_io.names(by),
            level=level,
        )
    with doing("which run would tell most"):
        planned = _next(table, metric, at, seen.ranking)
    title = f"Transfer scaling: {Path(results).name if results != '-' else 'stdin'}"
    more = [*planned, _alignment(seen.judged)]
    with doing("drawing"):
        page = render(forecast_report(seen.forecast, title=title, ranking=seen.ranking, more=more))
    write_text(output, page)
    aside(f"wrote {output}")


def _next(table: Table, metric: str, at: str | None, ranking: Rankings | None) -> list[Section]:
    """Say which run would tell most about the choice that is least sure; nothing where there is none."""
    import scalefit as sf
    from scalefit.errors import ScalefitError
    from scalefit.groups import group_name
    from scalefit.views import Section

    if ranking is None or not len(ranking):
        return []
    doubtful = min(ranking, key=lambda r: max(s.p_best for s in r.standings))
    where = {name: value for name, value in doubtful.group.items() if value is not None}
    try:
        plan = sf.plan(table, metric, at=at, where=where)
    except ScalefitError:
        return []
    said = f"The choice that is least sure: {group_name(doubtful.group) or 'the only one'}."
    return [
        Section(
            "What to run next",
            text=(said, plan.verdict),
            rows=tuple(plan.shown()),
            lead=plan.verdict,
        )
    ]


def _alignment(judged: AlignmentTable | None) -> Section:
    """Say whether each corpus helps, or that it cannot be told."""
    from scalefit.views import Section, alignment_section

    if judged is None:
        said = "Nothing tells: alignment needs a quality metric and pretraining sizes above 0."
        return Section("Does each corpus help the task?", text=(said,))
    return alignment_section(judged)
