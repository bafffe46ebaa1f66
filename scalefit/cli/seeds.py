"""``scalefit seeds``: where the spread over seeds comes from, and how many seeds are needed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from scalefit.cli._options import Allow, AsJson, Config, Level, Rename, Results, Where


def command(
    results: Results,
    metric: Annotated[str, typer.Option(help="Metric to look at, e.g. bleu.")],
    where: Where = None,
    rename: Rename = None,
    config: Config = None,
    allow: Allow = None,
    design: Annotated[
        Literal["nested", "crossed"],
        typer.Option(help="crossed: equal finetuning seeds have something in common."),
    ] = "nested",
    difference: Annotated[
        float | None, typer.Option(help="How many seeds tell a difference of this size?")
    ] = None,
    half_width: Annotated[
        float | None, typer.Option(help="How many seeds bring a mean to ± this?")
    ] = None,
    power: Annotated[float, typer.Option(help="Wanted probability.", min=0.5, max=0.99)] = 0.8,
    finetune_cost: Annotated[
        float, typer.Option(help="Cost of a finetuning run; a pretraining run costs 1.", min=0)
    ] = 0.01,
    level: Level = 0.95,
    as_json: AsJson = False,
) -> None:
    """Split the spread of a metric into pretraining seed, finetuning seed and test set.

    With --difference or --half-width: the cheapest number of seeds for it, in each domain.
    """
    import scalefit as sf
    from scalefit.cli import _io

    table = _io.read_table(
        results, where=where, rename=rename, config=config, allow=allow, metrics=[metric]
    )
    found = sf.variance(table, metric=metric, design=design, level=level)
    if difference is None and half_width is None:
        _io.write_result(found, as_json=as_json)
        return
    plans = {
        part.name: sf.seeds_needed(
            part,
            difference=difference,
            half_width=half_width,
            power=power,
            level=level,
            finetune_cost=finetune_cost,
        )
        for part in found
    }
    if as_json:
        _io.write_json({name: plan.to_dict() for name, plan in plans.items()})
        return
    for name, plan in plans.items():
        _show(name, plan)


def _show(name: str, plan: Any) -> None:
    typer.echo(f"{name}: {plan}")
