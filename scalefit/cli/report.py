"""``scalefit report``: everything about a results file as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scalefit.cli._options import Allow, By, Level, Loss, Output, Quality, Rename, Results, Where
from scalefit.files import write_text

if TYPE_CHECKING:
    from scalefit.table import Table
    from scalefit.views import Section


def command(
    results: Results,
    output: Output,
    target: Annotated[float, typer.Option(help="Quality to be reached, e.g. BLEU 20.")],
    quality: Quality = "bleu",
    loss: Loss = "cross_entropy",
    by: By = None,
    where: Where = None,
    rename: Rename = None,
    allow: Allow = None,
    level: Level = 0.95,
) -> None:
    """Write one HTML file: what a target takes, all fits, whether each corpus helps, all notes."""
    import scalefit as sf
    from scalefit.cli import _io
    from scalefit.views import forecast_report, render

    table = _io.read_table(
        results, where=where, rename=rename, allow=allow, metrics=[quality, loss]
    )
    found = sf.forecast(table, target, quality=quality, loss=loss, by=_io.names(by), level=level)
    more = [_alignment(table, quality, loss, by)]
    title = f"Transfer scaling: {Path(results).name if results != '-' else 'stdin'}"
    page = render(forecast_report(found, title=title, more=more))
    write_text(output, page)
    typer.echo(f"wrote {output}", err=True)


def _alignment(table: Table, quality: str, loss: str, by: str | None) -> Section:
    """Say whether each corpus helps, or why that cannot be told."""
    import scalefit as sf
    from scalefit.cli import _io
    from scalefit.errors import DesignError
    from scalefit.views import Section, alignment_section

    try:
        return alignment_section(sf.align(table, by=_io.names(by), quality=[quality], loss=loss))
    except DesignError as error:
        return Section("Does each corpus help the task?", text=(str(error),))
