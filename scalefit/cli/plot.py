"""``scalefit plot``: the picture of stored fits."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from scalefit.cli._options import AsJson, Fits, Level


def command(
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
    from scalefit.cli import _fits, _io
    from scalefit.errors import FormatError
    from scalefit.views import plot_curve, plot_many
    from scalefit.views.plots import Panel, curve_of_one, panels_of

    if output is None and not as_json:
        raise FormatError("nothing to write: needed -o PICTURE, e.g. -o curves.png, or --json")
    _io.check_suffix(output, known=_io.DRAWN)
    asked: dict[str, Any] = {"target": target, "reach": reach, "level": level}
    found = _fits.read_fits(fits)
    one = curve_of_one(found[0], **asked) if len(found) == 1 else None
    panels = panels_of(found, **asked) if one is None else [Panel("", one.title_y, (one,))]
    if output is not None:
        _io.save_picture(plot_many(panels) if one is None else plot_curve(one), output)
    if as_json:
        _io.write_json([asdict(panel) for panel in panels])
