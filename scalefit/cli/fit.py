"""A law or the mixture for every group: ``scalefit fit``, and ``scalefit stream`` where memory is too small."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from scalefit.cli import _io
from scalefit.cli._options import Allow, Answer, AsJson, By, Config, Rename, Source, Work
from scalefit.cli._stderr import doing, write_notes
from scalefit.errors import FitError

if TYPE_CHECKING:
    from scalefit.fitting import Fits
    from scalefit.forecasting.mixture import Mixtures


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
