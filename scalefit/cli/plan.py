"""``scalefit plan``: which run next."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from scalefit.cli._options import (
    Allow,
    AsJson,
    By,
    Config,
    File,
    Metric,
    Over,
    Rename,
    Results,
    Where,
)


def command(
    results: Results,
    metric: Metric = "bleu",
    goal: Annotated[
        Literal["best", "tokens"],
        typer.Option(help="Raise P(right choice), or narrow the tokens for a target."),
    ] = "best",
    at: Annotated[
        str | None,
        typer.Option(
            "--at", help="Size at which the choice is made; default: 10 times the largest."
        ),
    ] = None,
    target: Annotated[float | None, typer.Option(help="Target of --goal tokens.")] = None,
    over: Over = "corpus",
    budget: Annotated[float, typer.Option(help="What one run may cost at most.")] = float("inf"),
    cost: Annotated[float | None, typer.Option(help="Cost of a token; default 1.")] = None,
    enough: Annotated[
        float, typer.Option(help="Certainty at which the choice is made.", min=0.5, max=0.999)
    ] = 0.95,
    by: By = None,
    where: Where = None,
    rename: Rename = None,
    config: Config = None,
    allow: Allow = None,
    output: File = None,
    as_json: AsJson = False,
) -> None:
    """Say which run (whose curve, at which size) shrinks the decision's doubt most per cost."""
    import scalefit as sf
    from scalefit.cli import _io

    _io.check_suffix(output)
    planned = sf.plan(
        _io.read_table(
            results, where=where, rename=rename, config=config, allow=allow, metrics=[metric]
        ),
        metric,
        goal=goal,
        at=at,
        target=target,
        over=over,
        budget=budget,
        cost=cost,
        enough=enough,
        by=_io.names(by),
    )
    _io.deliver(planned, as_json=as_json, output=output)
