"""Fits and what goes on from them: ``scalefit fit``, ``joint``, ``stream``; ``predict``, ``tokens``, ``plot``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from scalefit.arguments import BLEU
from scalefit.cli import _io
from scalefit.errors import DomainError, FitError, FormatError

from ._io import aside, doing, write_notes
from ._options import (
    Allow,
    Answer,
    AsJson,
    At,
    By,
    Config,
    Given,
    Level,
    Metric,
    Pool,
    Rename,
    Source,
    Stored,
    Target,
    Work,
)

if TYPE_CHECKING:
    from scalefit.fitting.many import Fits
    from scalefit.fitting.result import Fit
    from scalefit.forecasting.mixture import Mixture, Mixtures
    from scalefit.forecasting.predict import Band
    from scalefit.forecasting.surface import Surface
    from scalefit.forecasting.tokens import TokensFor
    from scalefit.result import Result


def fit(
    source: Source,
    metric: Metric = BLEU,
    law: Annotated[
        str | None, typer.Option(help="Law; `scalefit laws` lists them. Without one: the mixture.")
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
    card: Annotated[
        str | None, typer.Option(help="Also write each fit's law card: FILE.md or FILE.json.")
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
    if card is not None:
        _io.check_suffix(card, known=(".md", ".json"))
    columns = _io.pairs(inputs, "--input") or None
    given: dict[str, Any] = {"objective": objective, "delta": delta, "residual": residual}
    options = {name: value for name, value in given.items() if value is not None}
    options |= {"by": _io.names(by), "inputs": columns, "executor": work.executor}
    if law is not None:
        options["progress"] = False  # one line of ours tells it
    else:
        options["pool"] = _io.pool(pool)
    table = source.table(metric, needs=(columns or {"x": "pretrain_tokens"}).values())
    metric = _io.meant(table, metric)
    with doing("fitting every curve"):
        many = sf.fit_each(table, metric, law, **options)
    _refuse_failure(many)
    if answer.as_json:
        _io.write_json(_io.document_of(many))
    else:
        _show(many)
    answer.save(many, stored=True)
    if card is not None:
        _write_cards(many, card)
    if not len(many):
        raise typer.Exit(2)


def _write_cards(many: Iterable[Any], path: str) -> None:
    from scalefit.files import write_text

    cards = [fit.card() for fit in many]
    if path.endswith(".md"):
        text = "\n".join(card.to_markdown() for card in cards)
    else:
        text = json.dumps([card.to_dict() for card in cards], indent=2, ensure_ascii=False)
    write_text(path, text)
    aside(f"wrote {path}")


def _refuse_failure(many: Fits | Mixtures) -> None:
    """Raise where no group has a fit and all for the same reason: then the question was wrong."""
    from scalefit.fitting.many import Fits

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
        _io.write_rows(many.shown(), title=f"{first.metric}: {what}")
    write_notes(many.notes)


def joint(
    source: Source,
    metric: Metric = BLEU,
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
        said = {"surface": surface, "tokens": goal}
        _io.write_json(said if band is None else said | {"forecast": band})
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


def predict(
    fits: Stored,
    tokens: Annotated[str, typer.Option(help="Pretraining tokens, e.g. 1e9,3B.")] = "",
    at: At = None,
    level: Level = 0.95,
    kind: Annotated[
        Literal["mean", "run"], typer.Option(help="Interval of the mean curve, or of one new run.")
    ] = "mean",
    given_law: Given = False,
    as_json: AsJson = False,
) -> None:
    """Predict the metric at given sizes, with intervals."""
    import scalefit as sf

    wanted: dict[str, Any] = dict(_io.values(at))
    if tokens:
        wanted["pretrain_tokens"] = _io.numbers(tokens, "--tokens")
    if given_law:
        wanted["given"] = "law"
    known = _io.read_fits(fits)
    with doing("predicting"):
        bands = [sf.predict(fit, level=level, kind=kind, **wanted) for fit in known]
    rows = [
        {**fit.group, "metric": fit.metric, **_named(row, fit.observations.columns)}
        for fit, band in zip(known, bands, strict=True)
        for row in band.rows()
    ]
    if as_json:
        _io.write_json(rows)
        return
    title = f"{level:.0%} interval of {'the mean' if kind == 'mean' else 'one new run'}"
    said = ("level", "kind")  # by the title
    shown = [{k: v for k, v in row.items() if k not in said} for row in rows]
    _io.write_rows(shown, title=title)
    _notes_of(known, bands)


def _named(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """Call a law's inputs by the names of their columns."""
    return {columns.get(name, name): value for name, value in row.items()}


def _notes_of(fits: Iterable[Fit | Mixture], answers: Iterable[Result]) -> None:
    """Write what is to be said of the answers, each note once."""
    from scalefit.groups import group_name
    from scalefit.result import common_notes

    pairs = zip(fits, answers, strict=True)
    write_notes(common_notes((group_name(fit.group), answer.notes) for fit, answer in pairs))


def tokens(
    fits: Stored,
    target: Annotated[float, typer.Option(help="Value of the metric to be reached.")],
    at: At = None,
    level: Level = 0.8,
    given_law: Given = False,
    as_json: AsJson = False,
) -> None:
    """Say when a target is reached: chances within 2, 10 and 100 times the largest size, median, interval."""
    import scalefit as sf
    from scalefit.groups import group_name

    others: dict[str, Any] = {name: value[0] for name, value in _io.values(at).items()}
    if given_law:
        others["given"] = "law"
    known = _io.read_fits(fits)
    with doing("asking when the target is reached"):
        answers = [sf.tokens_for(fit, target, level=level, **others) for fit in known]
    pairs = list(zip(known, answers, strict=True))
    if as_json:
        _io.write_json([{"group": dict(fit.group), **answer.to_dict()} for fit, answer in pairs])
        return
    for fit, answer in pairs:
        name = group_name(fit.group)
        typer.echo(f"{name}: {answer.verdict}" if name else answer.verdict)
    _notes_of(known, answers)


def plot(
    fits: Stored,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="Picture to write; its suffix is its format."),
    ] = None,
    target: Annotated[float | None, typer.Option(help="Value to mark.")] = None,
    reach: Annotated[
        float, typer.Option(help="Draw as far as this factor times the largest size.", min=1.0)
    ] = 3.0,
    level: Level = 0.95,
    as_json: AsJson = False,
) -> None:
    """Draw fits: runs as points, the curve, its bands, what is extrapolated.

    With --json what is drawn is written as numbers, for a picture of your own.
    """
    if output is None and not as_json:
        raise FormatError("nothing to write: needed -o PICTURE, e.g. -o curves.png, or --json")
    _io.check_suffix(output, known=_io.DRAWN)
    from scalefit.views import Panel, plot_curve, plot_many
    from scalefit.views.plots import curve_of_one, panels_of

    asked: dict[str, Any] = {"target": target, "reach": reach, "level": level}
    known = _io.read_fits(fits)
    with doing("drawing"):
        one = curve_of_one(known[0], **asked) if len(known) == 1 else None
        panels = panels_of(known, **asked) if one is None else [Panel("", one.title_y, (one,))]
        if output is not None:
            _io.save_picture(plot_many(panels) if one is None else plot_curve(one), output)
    if as_json:
        _io.write_json([asdict(panel) for panel in panels])
