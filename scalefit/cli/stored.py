"""Commands that go on from stored fits: ``scalefit predict``, ``scalefit tokens`` and ``scalefit plot``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from scalefit.cli import _io
from scalefit.cli._options import AsJson, At, Fits, Given, Level
from scalefit.cli._stderr import doing, write_notes
from scalefit.errors import FormatError

if TYPE_CHECKING:
    from scalefit.fitting import Fit
    from scalefit.forecasting.mixture import Mixture
    from scalefit.result import Result


def predict(
    fits: Fits,
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
    _io.write_rows(rows, as_json=as_json, title=f"{level:.0%} interval of the {kind}")
    if not as_json:
        _write_notes(known, bands)


def _named(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """Call a law's inputs by the names of their columns."""
    return {columns.get(name, name): value for name, value in row.items()}


def _write_notes(fits: Iterable[Fit | Mixture], answers: Iterable[Result]) -> None:
    """Write what is to be said of the answers, each note once."""
    from scalefit.groups import group_name
    from scalefit.result import common_notes

    pairs = zip(fits, answers, strict=True)
    write_notes(common_notes((group_name(fit.group), answer.notes) for fit, answer in pairs))


def tokens(
    fits: Fits,
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
    _write_notes(known, answers)


def plot(
    fits: Fits,
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
