"""``scalefit backtest``: what forecasts were worth on the table's own curves."""

from __future__ import annotations

from typing import Annotated

import typer

from scalefit.cli._options import (
    Allow,
    AsJson,
    By,
    Config,
    File,
    Jobs,
    Metric,
    Rename,
    Results,
    Scheduler,
    Where,
)


def command(
    results: Results,
    metric: Metric = "bleu",
    laws: Annotated[
        str | None,
        typer.Option(
            help="Single laws beside the mixture, comma-separated; default: those that suit."
        ),
    ] = None,
    hold_out: Annotated[
        int | None,
        typer.Option(
            help="Hold out this many largest sizes, once; default: 1 to 5 in turn.", min=1
        ),
    ] = None,
    fit_smallest: Annotated[
        int | None,
        typer.Option(
            help="Fit this many smallest sizes, hold out the rest; 4 is Isik's protocol.", min=2
        ),
    ] = None,
    by: By = None,
    where: Where = None,
    rename: Rename = None,
    config: Config = None,
    allow: Allow = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    output: File = None,
    as_json: AsJson = False,
) -> None:
    """Hold back the largest sizes of every curve, and score what mixture, laws and baselines say of them."""
    import scalefit as sf
    from scalefit.cli import _io

    _io.check_suffix(output)
    tested = sf.backtest(
        _io.read_table(
            results, where=where, rename=rename, config=config, allow=allow, metrics=[metric]
        ),
        metric,
        _io.names(laws),
        hold_out=hold_out,
        fit_smallest=fit_smallest,
        by=_io.names(by),
        executor=_io.workers(jobs, scheduler),
    )
    _io.deliver(tested, as_json=as_json, output=output)
