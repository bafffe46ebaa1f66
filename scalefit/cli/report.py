"""``scalefit report``: everything about a results file as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scalefit.cli._options import By, Level, Loss, Output, Quality, Rename, Results, Where


def command(
    results: Results,
    output: Output,
    target: Annotated[float, typer.Option(help="Quality to be reached, e.g. BLEU 20.")],
    quality: Quality = "bleu",
    loss: Loss = "cross_entropy",
    by: By = None,
    where: Where = None,
    rename: Rename = None,
    level: Level = 0.95,
) -> None:
    """Write one HTML file: what a target takes, the picture, all fits and notes."""
    import scalefit as sf
    from scalefit.cli import _io
    from scalefit.views import forecast_report, render

    table = _io.read_table(results, where=where, rename=rename)
    found = sf.forecast(table, target, quality=quality, loss=loss, by=_io.names(by), level=level)
    title = f"Transfer scaling: {Path(results).name if results != '-' else 'stdin'}"
    Path(output).write_text(render(forecast_report(found, title=title)), encoding="utf-8")
    typer.echo(f"wrote {output}", err=True)
