"""Laws and mixtures for every group: ``scalefit fit``, ``joint`` (both sizes at once), ``stream`` (little memory)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from scalefit.cli import _io
from scalefit.cli._options import (
    Allow,
    Answer,
    AsJson,
    By,
    Config,
    Level,
    Metric,
    Pool,
    Rename,
    Source,
    Target,
    Work,
)
from scalefit.cli._stderr import doing, write_notes
from scalefit.errors import DomainError, FitError

if TYPE_CHECKING:
    from scalefit.fitting import Fits
    from scalefit.forecasting.mixture import Mixtures
    from scalefit.forecasting.predict import Band
    from scalefit.forecasting.surface import Surface
    from scalefit.forecasting.tokens import TokensFor


def fit(
    source: Source,
    metric: Annotated[str, typer.Option(help="Metric to describe, e.g. bleu.")],
    law: Annotated[
        str | None,
        typer.Option(help="Law; `scalefit laws` lists them. Without one: the mixture."),
    ] = None,
    by: By = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", help="Law input = column, e.g. N=parameters; may be repeated."),
    ] = None,
    objective: Annotated[
        Literal["squared", "huber", "soft_l1"] | None, typer.Option(help="What a law minimises.")
    ] = None,
    delta: Annotated[float | None, typer.Option(help="Scale of huber and soft_l1.")] = None,
    residual: Annotated[
        Literal["auto", "linear", "log"] | None,
        typer.Option(help="Compare values or logarithms; auto: logarithms of a quality."),
    ] = None,
    pool: Pool = "auto",
    work: Work = Work(),  # noqa: B008 - a frozen value
    answer: Answer = Answer(),  # noqa: B008
) -> None:
    """Fit a law to every group of a results file.

    JSON output feeds `scalefit predict -`, `scalefit tokens -` and `scalefit plot -`.
    """
    import scalefit as sf
    from scalefit.laws import get_law

    if law is not None:
        get_law(law)  # an unknown one is refused before anything is read
    columns = _io.pairs(inputs, "--input") or None
    given: dict[str, Any] = {"objective": objective, "delta": delta, "residual": residual}
    options = {name: value for name, value in given.items() if value is not None}
    options |= {"by": _io.names(by), "inputs": columns, "executor": work.executor}
    if law is not None:
        options["progress"] = False  # one line of ours tells it
    else:
        options["pool"] = _io.pool(pool)
    table = source.table(metric, needs=(columns or {"x": "pretrain_tokens"}).values())
    with doing("fitting every curve"):
        many = sf.fit_each(table, metric, law, **options)
    _refuse_failure(many)
    if answer.as_json:
        _io.write_json(_io.document_of(many))
    else:
        _show(many)
    answer.save(many, stored=True)
    if not len(many):
        raise typer.Exit(2)


def _refuse_failure(many: Fits | Mixtures) -> None:
    """Raise where no group has a fit and all for the same reason: then the question was wrong."""
    from scalefit.fitting import Fits

    reasons = (
        {failure.reason for failure in many.failures}
        if isinstance(many, Fits)
        else {*many.failures.values()}
    )
    if not len(many) and len(reasons) <= 1:
        raise FitError(next(iter(reasons), "no group has a curve"))


def _show(many: Fits | Mixtures) -> None:
    """Write one fit whole, several as a table below their law."""
    if len(many) == 1 and not many.failures:
        typer.echo(str(many[0]))
        return
    if len(many):
        first = many[0]
        law = getattr(first, "law", None)
        what = "mixture of laws" if law is None else f"{law.name} law, {law.formula}"
        _io.write_rows(many.shown(), as_json=False, title=f"{first.metric}: {what}")
    write_notes(many.notes)


def joint(
    source: Source,
    metric: Metric = "bleu",
    at: Annotated[
        str, typer.Option("--at", help="Pretraining sizes to be forecast, e.g. 1B,3B.")
    ] = "",
    finetune: Annotated[
        str, typer.Option("--finetune", help="Finetuning sizes, measured or not, e.g. 32k,1M.")
    ] = "",
    target: Target = None,
    by: By = None,
    level: Level = 0.8,
    answer: Answer = Answer(),  # noqa: B008
) -> None:
    """Fit one law of both sizes to all cells of one corpus and task; forecast any pair, or the tokens of a target."""
    import numpy as np

    import scalefit as sf

    sizes, rows = _io.numbers(at, "--at"), _io.numbers(finetune, "--finetune")
    if (sizes or target is not None) and not rows:
        raise DomainError("at which finetuning size? give --finetune, e.g. --finetune 32k,1M")
    table = source.table(metric, needs=("pretrain_tokens", "finetune_tokens"))
    with doing("fitting all cells"):
        surface = sf.fit_joint(table, metric, by=_io.names(by))
    band = None
    if sizes:
        pretrain, finetune_at = (v.ravel() for v in np.meshgrid(sizes, rows))
        band = surface.predict(pretrain, finetune_at, level=level)
    goal = [] if target is None else [surface.tokens_for(target, f, level=level) for f in rows]
    if answer.as_json:
        said = {"surface": surface.to_dict(), "tokens": [one.to_dict() for one in goal]}
        _io.write_json(said if band is None else said | {"forecast": band.to_dict()})
    else:
        _show_joint(surface, band, goal)
    answer.save(surface)


def _show_joint(surface: Surface, band: Band | None, goal: list[TokensFor]) -> None:
    _io.show(surface)
    if band is not None:
        typer.echo("")
        _io.show(band)
    for one in goal:
        typer.echo(f"{one.notes[0]}: {one.verdict}")


def stream(
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
    allow: Allow = None,
    work: Work = Work(),  # noqa: B008
    as_json: AsJson = False,
) -> None:
    """Ask about every group of large files, part by part; killed and called again, it goes on."""
    import scalefit as sf

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
        executor=work.executor,
        **{name: value for name, value in given.items() if value is not None},
    )
    if as_json:
        _io.write_json(done)
        return
    typer.echo(done.verdict)
    for row in done.failures().head(20).to_dict("records"):
        typer.echo(f"{row['group']}: {row['reason']}", err=True)
