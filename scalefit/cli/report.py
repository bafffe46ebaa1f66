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
    from scalefit.doors.overview import overview
    from scalefit.files import write_text
    from scalefit.views import forecast_report, render

    table = _io.read_table(
        results, where=where, rename=rename, config=config, allow=allow, metrics=[metric, through]
    )
    seen = overview(
        table,
        metric,
        target=target,
        at=at or (),
        through=through,
        by=_io.names(by),
        level=level,
    )
    title = f"Transfer scaling: {Path(results).name if results != '-' else 'stdin'}"
    more = [_alignment(seen.judged)]
    page = render(forecast_report(seen.forecast, title=title, ranking=seen.ranking, more=more))
    write_text(output, page)
    typer.echo(f"wrote {output}", err=True)


def _alignment(judged: AlignmentTable | None) -> Section:
    """Say whether each corpus helps, or that it cannot be told."""
    from scalefit.views import Section, alignment_section

    if judged is None:
        said = "Nothing tells: alignment needs a quality metric and pretraining sizes above 0."
        return Section("Does each corpus help the task?", text=(said,))
    return alignment_section(judged)
