"""``scalefit rank``: which corpus to choose, where nobody has measured."""

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
    Level80,
    Metric,
    Over,
    Rename,
    Results,
    Scheduler,
    Where,
)


def command(
    results: Results,
    metric: Metric = "bleu",
    at: Annotated[
        str | None, typer.Option("--at", help="Pretraining size at which they are compared: 1B.")
    ] = None,
    target: Annotated[
        float | None, typer.Option(help="Or a value to be reached with the fewest tokens.")
    ] = None,
    over: Over = "corpus",
    cost: Annotated[
        list[str] | None,
        typer.Option(
            "--cost", help="Cost of a token: NUMBER for all, or CORPUS=NUMBER; may be repeated."
        ),
    ] = None,
    by: By = None,
    where: Where = None,
    rename: Rename = None,
    config: Config = None,
    allow: Allow = None,
    level: Level80 = 0.8,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    output: File = None,
    as_json: AsJson = False,
) -> None:
    """Rank corpora at a size nobody has run, or by the tokens a target takes; misaligned ones last."""
    import scalefit as sf
    from scalefit.cli import _io

    _io.check_suffix(output)
    ranking = sf.rank(
        _io.read_table(
            results, where=where, rename=rename, config=config, allow=allow, metrics=[metric]
        ),
        metric,
        at=at,
        target=target,
        over=over,
        cost=_cost(cost),
        by=_io.names(by),
        level=level,
        seed=seed,
        executor=_io.workers(jobs, scheduler),
    )
    _io.deliver(ranking, as_json=as_json, output=output)


def _cost(options: list[str] | None) -> float | dict[str, float] | None:
    """Turn ``["2"]`` into 2.0 and ``["fr=2", "en=1"]`` into a mapping."""
    from scalefit.cli import _io

    if not options:
        return None
    if len(options) == 1 and "=" not in options[0]:
        return _io.numbers(options[0], "--cost")[0]
    return {k: _io.numbers(v, "--cost")[0] for k, v in _io.pairs(options, "--cost").items()}
