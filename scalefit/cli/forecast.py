"""``scalefit forecast``: the main job in one command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from scalefit.cli._options import (
    Allow,
    AsJson,
    By,
    Config,
    File,
    Jobs,
    Level80,
    Metric,
    Rename,
    Results,
    Scheduler,
    Target,
    TargetBleu,
    Through,
    Where,
)
from scalefit.errors import DomainError

if TYPE_CHECKING:
    from scalefit.corpora.ranking import Rankings
    from scalefit.forecasting.forecast import Forecast


def command(
    results: Results,
    metric: Metric = "bleu",
    target: Target = None,
    target_bleu: TargetBleu = None,
    at: Annotated[
        str, typer.Option("--at", help="Pretraining sizes to be forecast, e.g. 1B,3B.")
    ] = "",
    through: Through = "cross_entropy",
    by: By = None,
    where: Where = None,
    rename: Rename = None,
    config: Config = None,
    allow: Allow = None,
    level: Level80 = 0.8,
    log: Annotated[
        str | None,
        typer.Option("--log", help="Append the forecast to this file, to be scored later."),
    ] = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    output: File = None,
    as_json: AsJson = False,
) -> None:
    """Say for every group which corpus to choose, how the metric goes on, and what a target takes."""
    from scalefit.cli import _io
    from scalefit.doors.overview import overview
    from scalefit.store import document

    _io.check_suffix(output)
    metric, target = _question(metric, target, target_bleu)
    table = _io.read_table(
        results, where=where, rename=rename, config=config, allow=allow, metrics=[metric, through]
    )
    seen = overview(
        table,
        metric,
        target=target,
        at=_io.numbers(at, "--at"),
        through=through,
        by=_io.names(by),
        level=level,
        executor=_io.workers(jobs, scheduler),
    )
    forecast = seen.forecast
    if as_json:
        _io.write_json(document(forecast))
    else:
        _show(forecast, seen.ranking)
    if log is not None:
        typer.echo(f"logged {forecast.log(log)} forecasts in {log}", err=True)
    if output is not None:
        _io.save_result(forecast, output)


def _question(
    metric: str, target: float | None, target_bleu: float | None
) -> tuple[str, float | None]:
    """Return the metric and its target."""
    if target is not None and target_bleu is not None:
        raise DomainError("give one target: --target-bleu 20, or e.g. --metric chrf --target 50")
    return ("bleu", target_bleu) if target_bleu is not None else (metric, target)


def _show(forecast: Forecast, ranking: Rankings | None) -> None:
    """Write what to choose, then the table, then the verdict; notes go to stderr."""
    from scalefit.cli import _io

    if ranking is not None:
        typer.echo("Which corpus to choose:")
        for one in ranking:
            typer.echo(f"  {one.verdict}")
        typer.echo("")
    _io.write_rows(forecast.shown(), as_json=False)
    level = f"{forecast.question.level:.0%}"
    typer.echo(f"\nEach metric: not pretrained → at the largest size measured; {level} intervals.")
    typer.echo(forecast.verdict)
    _io.write_notes(forecast.notes)
