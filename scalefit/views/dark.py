"""Pictures on a dark ground: drawn as on a light one, then every colour of the house is looked up in a table.

A picture is dark where ``theme="dark"`` asks for it, or where its ground already is: axes of a dark figure, or
matplotlib's own style, as in ``plt.style.context("dark_background")``. Colours that are not ours stay as they are.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection
from matplotlib.colors import (
    Colormap,
    LinearSegmentedColormap,
    ListedColormap,
    to_hex,
    to_rgb,
    to_rgba,
)
from matplotlib.patches import Patch

from scalefit.errors import DomainError
from scalefit.views.style import COLOURS, GRID, INK, PAPER, QUIET, SHADE, SHADES

Theme = Literal["dark"]
GROUND, PALE = "#16191d", "#e8e8e6"
BRIGHT = ("#1e7ecf", "#eb6334", "#1edd90", "#d7c4d7", "#fad011", "#8cbefa", "#a7488b")
"""The palette's colours for a dark ground, in its order: each stands out from the ground by 3:1 and from the others."""
DARK = {
    "#000000": PALE,
    INK: PALE,
    QUIET: "#a3a7ad",
    GRID: "#343940",
    SHADE: "#22262c",
    **dict(zip(map(str.lower, COLOURS), BRIGHT, strict=True)),
    **dict(zip(SHADES, ("#23506e", "#1f3f54", "#1b2d3a"), strict=True)),
}
HARM_HELP = "harm-help"
_COLOURED = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


def on_its_ground(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that draws as ``draw`` does, dark where ``theme=`` or the ground says so."""

    @functools.wraps(draw)
    def drawn(*given: Any, theme: Theme | None = None, **options: Any) -> Any:
        if theme not in (None, "dark"):
            raise DomainError(f"found theme={theme!r}; needed 'dark', or nothing")
        if theme is not None and options.get("ax") is not None:
            raise DomainError(
                "found theme= and ax=; axes have their figure's ground, make that dark"
            )
        picture = draw(*given, **options)
        ground = GROUND if theme == "dark" else picture.figure.figure.patch.get_facecolor()
        if is_dark(ground):
            darken(picture, to_hex(ground))
        return picture

    own = inspect.signature(draw)
    option = inspect.Parameter("theme", inspect.Parameter.KEYWORD_ONLY, default=None)
    rest = [p for p in own.parameters.values() if p.kind is p.VAR_KEYWORD]
    named = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
    drawn.__signature__ = own.replace(parameters=[*named, option, *rest])  # type: ignore[attr-defined]
    return drawn


def is_dark(colour: Any) -> bool:
    """Whether a ground is dark; one that lets everything through is taken for light.

    Examples
    --------
    >>> is_dark("#16191d"), is_dark("white"), is_dark((0, 0, 0, 0))
    (True, False, False)
    """
    return to_rgba(colour)[3] > 0.5 and contrast(colour, "white") > contrast(colour, "black")


def darken(picture: Any, ground: str = GROUND) -> None:
    """Turn the colours of a figure, a part of one, or axes to those that are read on this ground."""
    table = {**DARK, PAPER: ground}
    table.pop(ground, None)  # where black is the ground it is no ink
    for artist in picture.findobj():
        if isinstance(artist, ScalarMappable) and artist.get_array() is not None:
            artist.set_cmap(_scale(artist.get_cmap(), ground, table))
            if isinstance(artist, PathCollection):  # marks keep their edge, or dark ones are lost
                _turn(artist, "edgecolor", table)
            continue
        white = (
            {"#ffffff": ground} if isinstance(artist, Patch) else {}
        )  # a white text may be a dark style's
        for name in _COLOURED:
            _turn(artist, name, table | white)
    for axes in [picture] if isinstance(picture, Axes) else picture.axes:
        for axis, side in ((axes.xaxis, "x"), (axes.yaxis, "y")):
            _turn_ticks(axis, axes, side, table)


def _scale(scale: Colormap, ground: str, table: dict[str, str]) -> Colormap:
    """Return a scale of colours for a dark ground: named colours are turned, from harm to help goes over the ground."""
    if scale.name == HARM_HELP:
        return diverging(BRIGHT[1], ground, BRIGHT[0])
    if isinstance(scale, ListedColormap) and len(COLOURS) >= scale.N:  # a contour's own colours
        return ListedColormap([_turned(colour, table) for colour in scale(range(scale.N))])
    return scale


def _turn_ticks(axis: Axis, axes: Axes, side: Any, table: dict[str, str]) -> None:
    """Tell the axes too, for matplotlib makes ticks anew as it draws."""
    known = axis.get_tick_params()
    colours = {n: known[n] for n in ("color", "labelcolor", "grid_color") if n in known}
    axes.tick_params(side, which="both", **{n: _turned(c, table) for n, c in colours.items()})


def _turn(artist: Artist, name: str, table: dict[str, str]) -> None:
    get, change = getattr(artist, f"get_{name}", None), getattr(artist, f"set_{name}", None)
    if get is None or change is None:
        return
    colour = get()
    if getattr(colour, "ndim", 1) == 2:  # a collection's, one a member
        change([_turned(each, table) for each in colour])
    elif not (isinstance(colour, str) and colour == "none"):
        change(_turned(colour, table))


def _turned(colour: Any, table: dict[str, str]) -> tuple[float, ...]:
    *_, opacity = to_rgba(colour)
    return (*to_rgb(table.get(to_hex(colour), to_hex(colour))), opacity)


def diverging(harm: str, ground: str, help_: str) -> LinearSegmentedColormap:
    """Return the scale from harm over nothing, which is the ground, to help."""
    return LinearSegmentedColormap.from_list(HARM_HELP, [harm, ground, help_])


def contrast(first: Any, second: Any) -> float:
    """Return by how much one colour stands out from another (WCAG 2), 1 to 21.

    Examples
    --------
    >>> round(contrast("black", "white"))
    21
    """
    darker, lighter = sorted(_luminance(to_rgb(colour)) for colour in (first, second))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(rgb: Iterable[float]) -> float:
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
