"""What seeds do: ``scalefit seeds`` splits the spread and counts seeds, ``scalefit compare`` compares procedures."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from scalefit.arguments import BLEU
from scalefit.cli import _io
from scalefit.cli._io import doing
from scalefit.cli._options import Answer, Level, Metric, Source
from scalefit.errors import DesignError, DomainError
from scalefit.units import some


def seeds(
    source: Source,
    metric: Metric = BLEU,
    design: Annotated[
        Literal["nested", "crossed"],
        typer.Option(help="crossed: equal finetuning seeds have something in common."),
    ] = "nested",
    factors: Annotated[
        str | None,
        typer.Option(
            help="Two or three crossed columns in place of the seeds: init_seed,data_seed."
        ),
    ] = None,
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
    answer: Answer = Answer(),  # noqa: B008 - a frozen value
) -> None:
    """Split the spread of a metric into pretraining seed, finetuning seed and test set.

    With --difference or --half-width: the cheapest number of seeds for it, in each domain.
    """
    import scalefit as sf

    table = source.table(metric, needs=())
    metric = _io.meant(table, metric)
    with doing("splitting the spread"):
        split = sf.variance(
            table, metric=metric, design=design, factors=_io.names(factors), level=level
        )
    if difference is None and half_width is None:
        answer.write(split)
        return
    if answer.output is not None:
        raise DesignError("-o writes the spread; the number of seeds is printed, or --json")
    plans = {
        part.name: sf.seeds_needed(
            part,
            difference=difference,
            half_width=half_width,
            power=power,
            level=level,
            finetune_cost=finetune_cost,
        )
        for part in split
    }
    if answer.as_json:
        _io.write_json(plans)
        return
    for name, plan in plans.items():
        _io.say(f"{name}: {plan}")


def compare(
    source: Source,
    a: Annotated[
        str | None, typer.Option("--a", help="Reference: a corpus, or COLUMN=VALUE[,COLUMN=VALUE].")
    ] = None,
    b: Annotated[
        list[str] | None,
        typer.Option("--b", help="Compared with it, written likewise; may be repeated."),
    ] = None,
    metric: Metric = BLEU,
    column: Annotated[str, typer.Option(help="Column in which plain names stand.")] = "corpus",
    example: Annotated[
        str | None,
        typer.Option(help="Column that names the test example, where rows are single examples."),
    ] = None,
    paired: Annotated[
        bool | None,
        typer.Option(help="Equal pretraining seeds are one pretraining run; default: looked up."),
    ] = None,
    failed_beyond: Annotated[
        float | None, typer.Option(help="A run beyond this failed; default: 5 MAD.")
    ] = None,
    runs: Annotated[
        bool, typer.Option("--runs", help="Show each procedure's runs: spread, worst, failed.")
    ] = False,
    level: Level = 0.95,
    answer: Answer = Answer(),  # noqa: B008
) -> None:
    """Compare procedures over seeds: difference, interval, p-value (Holm's for several), P(B > A).

    Says how many seeds the answer rests on, and whether the ranking survives out of domain.
    """
    import scalefit as sf

    one, others = a and _side(a), [_side(text) for text in b or ()]
    table = source.table(metric, needs=())
    metric = _io.meant(table, metric)
    if not one or not others:
        there = f"no such --column; there are {some(table.columns.named, 12)}"
        there = some(table.unique(column), 12) if table.has(column) else there
        raise DomainError(
            f"say what is compared: a reference, --a, and others, --b: values of {column} ({there}), or COLUMN=VALUE"
        )
    with doing("comparing procedures"):
        compared = sf.compare_procedures(
            table,
            a=one,
            b=others,
            metric=metric,
            column=column,
            example=example,
            paired=paired,
            failed_beyond=failed_beyond,
            level=level,
        )
    answer.write(compared)
    if runs and not answer.as_json:
        _io.write_rows(compared.profile_rows(), title="Runs")


def _side(text: str) -> str | dict[str, str]:
    return _io.pairs(text.split(","), "--a or --b") if "=" in text else text
