"""``scalefit plot``: the picture of stored fits."""

from __future__ import annotations

from typing import Annotated

import typer

from scalefit.cli._options import Fits, Level, Output


def command(
    fits: Fits,
    output: Output,
    target: Annotated[float | None, typer.Option(help="Value to mark.")] = None,
    reach: Annotated[
        float, typer.Option(help="Draw as far as this factor times the largest size.", min=1.0)
    ] = 3.0,
    level: Level = 0.95,
) -> None:
    """Draw fits: runs as points, the curve, its bands, what is extrapolated."""
    from scalefit.cli import _fits, _io
    from scalefit.views import plot_fit, plot_fits

    found = _fits.read_fits(fits)
    if len(found) == 1:
        picture = plot_fit(found[0], target=target, reach=reach, level=level)
    else:
        picture = plot_fits(found, target=target, reach=reach, level=level)
    _io.save_picture(picture, output)
