"""``scalefit fit``: a law fitted to every group of a results file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from scalefit.cli._options import Allow, AsJson, By, Config, Jobs, Rename, Results, Scheduler, Where

if TYPE_CHECKING:
    from scalefit.fitting import Fits
    from scalefit.forecasting.mixture import Mixtures


def command(
    results: Results,
    metric: Annotated[str, typer.Option(help="Metric to describe, e.g. bleu.")],
    law: Annotated[
        str | None,
        typer.Option(help="Law; `scalefit laws` lists them. Without one: the mixture."),
    ] = None,
    by: By = None,
    where: Where = None,
    rename: Rename = None,
    config: Config = None,
    allow: Allow = None,
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
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    as_json: AsJson = False,
) -> None:
    """Fit a law to every group of a results file.

    JSON output feeds `scalefit predict -`, `scalefit tokens -` and `scalefit plot -`.
    """
    import scalefit as sf
    from scalefit.cli import _fits, _io
    from scalefit.store import document

    columns = _io.pairs(inputs, "--input") or None
    table = _io.read_table(
        results,
        where=where,
        rename=rename,
        config=config,
        allow=allow,
        metrics=[metric],
        needs=(columns or {"x": "pretrain_tokens"}).values(),
    )
    given: dict[str, Any] = {"objective": objective, "delta": delta, "residual": residual}
    options = {name: value for name, value in given.items() if value is not None}
    options["executor"] = _io.workers(jobs, scheduler)
    if law is None:
        _deliver(sf.fit_each(table, metric, by=_io.names(by), inputs=columns, **options), as_json)
        return
    many = sf.fit_each(table, metric, law, by=_io.names(by), inputs=columns, **options)
    _fits.refuse_same_failure(many)
    _io.write_json(document(many)) if as_json else _show(many)
    if not len(many):
        raise typer.Exit(2)


def _deliver(mixtures: Mixtures, as_json: bool) -> None:
    """Write mixtures: one whole, several as a table."""
    from scalefit.cli import _io
    from scalefit.errors import FitError
    from scalefit.store import document

    if not len(mixtures):
        raise FitError(next(iter(mixtures.failures.values()), "no group has a curve"))
    if as_json:
        _io.write_json(document(mixtures))
    else:
        typer.echo(str(mixtures[0] if len(mixtures) == 1 else mixtures))


def _show(many: Fits) -> None:
    from scalefit.cli import _io

    fits = list(many)
    if len(fits) == 1 and not many.failures:
        typer.echo(str(fits[0]))
        return
    if fits:
        law, metric = fits[0].law, fits[0].metric
        title = f"{metric}: {law.name} law, {law.formula}"
        _io.write_rows(many.shown(), as_json=False, title=title)
    _io.write_notes(many.notes)
