"""Commands that help to choose: ``scalefit rank``, ``value``, ``plan`` and ``allocate``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from scalefit.arguments import BLEU, LOSS
from scalefit.cli import _io
from scalefit.cli._io import doing
from scalefit.cli._options import Answer, By, Level, Metric, Over, Source, Target, Work
from scalefit.errors import DomainError

At = Annotated[
    str | None, typer.Option("--at", help="Pretraining size at which they are compared: 1B.")
]

Costs = Annotated[
    list[str] | None,
    typer.Option(
        "--cost",
        help="Cost of a token: NUMBER for all, or CORPUS=NUMBER; may be repeated. Or a column of what runs cost.",
    ),
]


def _size(at: str | None) -> float | None:
    return None if at is None else _number(at, "--at")


def _number(option: str, flag: str) -> float:
    """Read one number."""
    numbers = _io.numbers(option, flag)
    if len(numbers) != 1:
        raise DomainError(f"{flag} {option!r}: needed one number, e.g. 1e9 or 3B")
    return numbers[0]


def rank(
    source: Source,
    metric: Metric = BLEU,
    at: At = None,
    target: Annotated[
        float | None, typer.Option(help="Or a value to be reached with the fewest tokens.")
    ] = None,
    over: Over = "corpus",
    mixture: Annotated[
        list[str] | None,
        typer.Option(
            "--mixture",
            help="Column of mixture ratios, or CORPUS=RATIO, repeated: ratios between are ranked too.",
        ),
    ] = None,
    cost: Costs = None,
    by: By = None,
    level: Level = 0.8,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    work: Work = Work(),  # noqa: B008 - a frozen value
    answer: Answer = Answer(),  # noqa: B008
) -> None:
    """Rank corpora at a size nobody has run, or by the tokens a target takes; misaligned ones last."""
    import scalefit as sf

    if (at is None) == (target is None):
        raise DomainError("say what they are ranked by: --at 1B (a size) or --target 30 (tokens)")
    size, costs, ratios = _size(at), _cost(cost), _mixture(mixture)
    table = source.table(metric)
    with doing("forecasting every curve, ranking"):
        ranking = sf.rank(
            table,
            metric,
            at=size,
            target=target,
            over=over,
            mixture=ratios,
            cost=costs,
            by=_io.names(by),
            level=level,
            seed=seed,
            executor=work.executor,
        )
    answer.write(ranking)


def _cost(options: list[str] | None) -> float | str | dict[str, float] | None:
    """Turn ``["2"]`` into 2.0, ``["fr=2", "en=1"]`` into a mapping; any other word is a column."""
    alone = _alone(options)
    return _each(options, "--cost") if alone is None else _paid(alone)


def _paid(option: str) -> float | str:
    """Return a cost of a token; what is no number is a column."""
    try:
        return float(option)  # nan and inf as well: refused where costs are, in one place
    except ValueError:
        return option if option[:1].isalpha() else _number(option, "--cost")


def _mixture(options: list[str] | None) -> str | dict[str, float] | None:
    """Turn ``["mix_fr"]`` into a column and ``["fr=1", "half=0.5"]`` into a mapping."""
    alone = _alone(options)
    return _each(options, "--mixture") if alone is None else alone


def _alone(options: list[str] | None) -> str | None:
    """Return what holds for all corpora, where one value without a corpus was given."""
    return options[0] if options and len(options) == 1 and "=" not in options[0] else None


def _each(options: list[str] | None, flag: str) -> dict[str, float] | None:
    if not options:
        return None
    return {k: _number(v, flag) for k, v in _io.pairs(options, flag).items()}


def value(
    source: Source,
    metric: Metric = BLEU,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            "--baseline",
            help="COLUMN=VALUE of the models without pretraining; default: pretrain_tokens 0.",
        ),
    ] = None,
    against: Annotated[
        Literal["scratch", "zero-shot"],
        typer.Option(help="Models without pretraining, or the model before finetuning."),
    ] = "scratch",
    by: By = None,
    level: Level = 0.8,
    answer: Answer = Answer(),  # noqa: B008
) -> None:
    """Say what pretraining is worth: gain, the finetuning data it replaces, where it fades or harms."""
    import scalefit as sf

    named = _io.pairs(baseline, "--baseline") or None
    table = source.table(metric, needs=())
    with doing("what pretraining is worth"):
        valued = sf.value(
            table, metric, baseline=named, against=against, by=_io.names(by), level=level
        )
    answer.write(valued)


def plan(
    source: Source,
    metric: Metric = BLEU,
    goal: Annotated[
        Literal["best", "tokens"] | None,
        typer.Option(help="Raise P(right choice), or narrow the tokens for --target, as asked."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", help="Size at which the choice is made; default: 10 times the largest."
        ),
    ] = None,
    target: Target = None,
    over: Over = "corpus",
    budget: Annotated[
        str | None, typer.Option(help="What one step may cost at most, e.g. 50B.")
    ] = None,
    cost: Costs = None,
    enough: Annotated[
        float, typer.Option(help="Certainty at which the choice is made.", min=0.5, max=0.999)
    ] = 0.95,
    by: By = None,
    answer: Answer = Answer(),  # noqa: B008
) -> None:
    """Say which run (whose curve, at which size) shrinks the decision's doubt most per cost."""
    import scalefit as sf

    if goal == "tokens" and target is None:
        raise DomainError("--goal tokens needs the value that tokens are asked for: --target 30")
    size, costs = _size(at), _cost(cost)
    table = source.table(metric)
    with doing("trying every next run"):
        planned = sf.plan(
            table,
            metric,
            goal=goal,
            at=size,
            target=target,
            over=over,
            budget=None if budget is None else _number(budget, "--budget"),
            cost=costs,
            enough=enough,
            by=_io.names(by),
        )
    answer.write(planned)


def allocate(
    source: Source,
    metric: Annotated[
        str | None,
        typer.Option(help="Metric; default: cross_entropy, or bleu with --way transfer."),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="What is to be split; several as 1e20,1e21.")
    ] = None,
    target: Target = None,
    way: Annotated[
        Literal["surface", "isoflop", "transfer"],
        typer.Option(
            help="By a fitted law of model size and tokens; by parabolas through the runs of each budget; or "
            "pretraining and finetuning tokens by their joint law."
        ),
    ] = "surface",
    law: Annotated[str, typer.Option(help="Of --way surface: a law of two inputs.")] = "chinchilla",
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input", help="Law input = column; default: N=parameters and D=pretrain_tokens."
        ),
    ] = None,
    compute: Annotated[
        str | None,
        typer.Option(
            help="Of --way isoflop: column of the budgets; default: flops or compute, else 6·N·D."
        ),
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Of --way transfer: column of model sizes to choose from.")
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(
            "--price",
            help="INPUT=NUMBER, what one unit costs, for both; default: 6·N·D FLOPs, or 1 a token.",
        ),
    ] = None,
    level: Level = 0.95,
    answer: Answer = Answer(),  # noqa: B008
) -> None:
    """Split a budget: model and data, or pretraining tokens, finetuning tokens and model size."""
    import scalefit as sf

    budgets = None if budget is None else _io.numbers(budget, "--budget")
    name = metric or (BLEU if way == "transfer" else LOSS)
    if way == "isoflop":
        if target is not None or budgets is not None or price:
            raise DomainError(
                "--way isoflop finds the minima of the budgets run; leave --budget, --target, --price out"
            )
    elif (not budgets) == (target is None):
        raise DomainError(
            "say what is split: --budget 1e21, or --target 30 to be reached at the least cost"
        )
    columns = _io.pairs(inputs, "--input") or None
    prices = _each(price, "--price")
    with doing("splitting the budget"):
        if way == "isoflop":
            split = _by_parabolas(source, name, columns, compute, level)
        else:
            fitted = (
                _joint(source, name, size)
                if way == "transfer"
                else _surface(source, name, law, columns)
            )
            split = sf.allocate(fitted, budgets, target=target, price=prices, level=level)
    answer.write(split)


def _by_parabolas(
    source: Source, metric: str, columns: dict[str, str] | None, compute: str | None, level: float
) -> Any:
    import scalefit as sf

    needs = [*_needed(columns), *([] if compute is None else [compute])]
    table = source.table(metric, needs=needs)
    return sf.isoflop(table, metric, inputs=columns, compute=compute, level=level)


def _needed(columns: dict[str, str] | None) -> tuple[str, ...]:
    return ("pretrain_tokens",) if columns is None else tuple(columns.values())


def _surface(source: Source, metric: str, law: str, columns: dict[str, str] | None) -> Any:
    import scalefit as sf

    table = source.table(metric, needs=_needed(columns))
    return sf.fit(table, metric, law, inputs=columns)


def _joint(source: Source, metric: str, size: str | None) -> Any:
    """Fit the joint law, or one for each model size."""
    import scalefit as sf

    needs = ("pretrain_tokens", "finetune_tokens", *([] if size is None else [size]))
    table = source.table(metric, needs=needs)
    if size is None:
        return sf.fit_joint(table, metric)
    return {float(n): sf.fit_joint(table.where(**{size: n}), metric) for n in table.unique(size)}
