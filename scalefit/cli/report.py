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
    from scalefit.corpora.ranking import Rankings
    from scalefit.table import Table
    from scalefit.views import Section


def command(
    results: Results,
    output: Output,
    target: Target = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="Pretraining size at which corpora are compared, e.g. 1B."),
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
    import scalefit as sf
    from scalefit.cli import _io
    from scalefit.files import write_text
    from scalefit.views import forecast_report, render

    table = _io.read_table(
        results, where=where, rename=rename, config=config, allow=allow, metrics=[metric, through]
    )
    asked = _io.names(by)
    forecast = sf.forecast(
        table, metric, target=target, at=at or (), through=through, by=asked, level=level
    )
    ranking = _ranking(table, metric, target, at, asked, level)
    title = f"Transfer scaling: {Path(results).name if results != '-' else 'stdin'}"
    more = [_alignment(table, metric, through, asked)]
    page = render(forecast_report(forecast, title=title, ranking=ranking, more=more))
    write_text(output, page)
    typer.echo(f"wrote {output}", err=True)


def _ranking(
    table: Table,
    metric: str,
    target: float | None,
    at: str | None,
    by: list[str] | None,
    level: float,
) -> Rankings | None:
    """Rank corpora by the size or target asked for; None where there is nothing to rank or neither was asked."""
    import scalefit as sf
    from scalefit.errors import DesignError

    if at is None and target is None:
        return None
    try:
        return sf.rank(
            table, metric, at=at, target=None if at is not None else target, by=by, level=level
        )
    except DesignError:
        return None


def _alignment(table: Table, metric: str, through: str, by: list[str] | None) -> Section:
    """Say whether each corpus helps, or why that cannot be told."""
    import scalefit as sf
    from scalefit.errors import DesignError
    from scalefit.views import Section, alignment_section

    try:
        return alignment_section(sf.align(table, by=by, quality=[metric], loss=through))
    except DesignError as error:
        return Section("Does each corpus help the task?", text=(str(error),))
