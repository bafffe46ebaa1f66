"""``scalefit stream``: more groups than fit into memory, answers written as they come."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from scalefit.cli._options import AsJson, Config, Jobs, Rename, Scheduler


def command(
    data: Annotated[
        list[str], typer.Argument(help="Parquet, Feather or CSV files, or a folder of such.")
    ],
    metric: Annotated[str, typer.Option(help="Metric, e.g. bleu.")],
    by: Annotated[str, typer.Option("--by", help="Columns that make a group, comma-separated.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Folder for the answers.")],
    door: Annotated[
        Literal["fit_each", "forecast", "align"], typer.Option(help="What is asked.")
    ] = "fit_each",
    law: Annotated[str | None, typer.Option(help="Of fit_each; without one, the mixture.")] = None,
    target: Annotated[float | None, typer.Option(help="Of forecast.")] = None,
    size: Annotated[int, typer.Option(help="Groups of a part.", min=1)] = 256,
    rename: Rename = None,
    config: Config = None,
    allow: Annotated[
        str | None, typer.Option("--allow", help="Checks to switch off, comma-separated.")
    ] = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    as_json: AsJson = False,
) -> None:
    """Ask about every group of large files, part by part; killed and called again, it goes on."""
    import scalefit as sf
    from scalefit.cli import _io

    given: dict[str, Any] = {"law": law, "target": target, "allow": _io.names(allow)}
    done = sf.stream(
        data,
        metric,
        output,
        by=_io.names(by) or (),
        door=door,
        size=size,
        mapping=_io.pairs(rename, "--map"),
        config=config,
        executor=_io.workers(jobs, scheduler),
        **{name: value for name, value in given.items() if value is not None},
    )
    if as_json:
        _io.write_json(done)
        return
    typer.echo(done.verdict)
    for row in done.failures().head(20).to_dict("records"):
        typer.echo(f"{row['group']}: {row['reason']}", err=True)
