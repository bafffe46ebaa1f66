"""Colours, fonts and axes that all pictures share, safe for colour-blind readers, on light and dark grounds.

A picture is drawn as on a light ground; on a dark one every colour of the house is then looked up in a table. It is
dark where ``theme="dark"`` asks for it, or where its ground already is: axes of a dark figure, or matplotlib's own
style, as in ``plt.style.context("dark_background")``. Colours that are not ours stay as they are.
"""

from __future__ import annotations

import functools
import html
import inspect
import io
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
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
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from scalefit.errors import DomainError, NoPictureError
from scalefit.units import format_count, short

# Okabe and Ito's palette, without yellow (too pale on white) and black (kept for text); then Tol's wine.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
INK, QUIET, GRID, SHADE = "#222222", "#6b6b6b", "#e4e4e4", "#f4f4f4"
PAPER = "#fdfdfd"  # what is hollow: the ground's colour, and on a dark ground that one's
SHADES = ("#9cc9e6", "#c5dff0", "#e6f1f8")  # regions, the surest first
SMALL, NORMAL, LARGE = 8.0, 9.5, 11.0
DPI = 110


class Picture(Figure):
    """A matplotlib figure that shows itself in a notebook without pyplot or a magic command."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return twice the pixels that a notebook gives it, for screens that have them."""
        size = {
            n: round(DPI * x)
            for n, x in zip(("width", "height"), self.get_size_inches(), strict=True)
        }
        return self._drawn("png", dpi=2 * DPI), size

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save as any figure, a PNG or SVG in one drawing.

        ``Figure.savefig`` draws a picture that lays itself out twice, the first time for the layout alone; but each
        drawing lays it out by itself, so that once is enough.
        """
        with warnings.catch_warnings():
            # A corpus may be named in any script; an SVG keeps the text, other formats show a box.
            warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
            self._save(fname, **options)

    def _save(self, fname: Any, **options: Any) -> None:
        kind = str(options.pop("format", None) or Path(str(fname)).suffix[1:]).lower()
        canvas = {"png": FigureCanvasAgg, "svg": FigureCanvasSVG}.get(kind)
        if canvas is None or options.keys() - {"dpi", "metadata"}:
            super().savefig(fname, **{**({"format": kind} if kind else {}), **options})
            return
        if kind == "png":  # as small as it gets to some hundredths, in half the time
            options["pil_kwargs"] = {"compress_level": 3}
        own, dpi = self.canvas, self.dpi
        try:
            self.dpi = options.pop("dpi", dpi)
            getattr(canvas(self), f"print_{kind}")(fname, **options)
        finally:
            self.dpi = dpi
            self.set_canvas(own)

    def to_svg(self) -> str:
        """Return the picture as an SVG element, with its text kept as text."""
        import matplotlib

        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "scalefit"}):
            text = self._drawn("svg", metadata={"Date": None}).decode("utf-8")
        return told(text[text.index("<svg") :], self.axes)

    def _drawn(self, kind: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format=kind, **options)
        return buffer.getvalue()


TELLS: WeakKeyDictionary[Any, tuple[str, ...]] = WeakKeyDictionary()
"""A line of marks -> what each of them tells beside its value."""
_MARKS = re.compile(r'<g id="points">.*?</g>\s*</g>', re.DOTALL)
_MARK = re.compile(r"<use ([^>]*)/>")


def told(svg: str, axes: Iterable[Axes]) -> str:
    """Return an SVG whose marks of runs tell their values where a pointer rests on them.

    Marks are drawn in the order of their line's data; a line that lost some (not a number, out of sight) stays mute.
    """
    lines = (line for each in axes for line in each.lines if line.get_gid() == "points")

    def group(match: re.Match[str]) -> str:
        line = next(lines, None)
        pairs = [] if line is None else np.column_stack(line.get_data()).tolist()
        if line is None or len(_MARK.findall(match[0])) != len(pairs):
            return match[0]
        name = "" if str(line.get_label()).startswith("_") else f"{line.get_label()}: "
        more = [f", {tell}" if tell else "" for tell in TELLS.get(line, ("",) * len(pairs))]
        texts = iter(
            f"{name}{short(y)} at {format_count(x)}{tell}"
            for (x, y), tell in zip(pairs, more, strict=True)
        )
        return _MARK.sub(
            lambda mark: f"<use {mark[1]}><title>{html.escape(next(texts))}</title></use>", match[0]
        )

    return _MARKS.sub(group, svg)


def for_both_grounds(svg: str) -> str:
    """Return an SVG whose colours of the house are variables, which a page on a dark ground sets.

    Examples
    --------
    >>> for_both_grounds('<path style="fill: #0072b2; stroke: #123456"/>')
    '<path style="fill: var(--c0072b2, #0072b2); stroke: #123456"/>'
    """
    return re.sub(
        r"(?<=: )#([0-9a-f]{6})\b",
        lambda m: f"var(--c{m[1]}, {m[0]})" if m[0] in ON_DARK else m[0],
        svg,
    )


def picture(width: float = 6.4, height: float = 4.0, ax: Axes | None = None) -> Any:
    """Return an empty picture of this size in inches; its parts make room for one another.

    Where ``ax`` is given, a part of its figure that takes its place, for pictures of several axes.
    """
    if ax is None:
        return Picture(figsize=(width, height), layout="constrained")
    place = ax.get_subplotspec()
    if place is None:
        raise NoPictureError(
            "this picture has several axes and stands in for one of a grid; needed axes made by "
            "plt.subplots or figure.add_subplot"
        )
    part = ax.figure.add_subfigure(place)
    ax.remove()
    return part


def panels(
    count: int, columns: int, size: tuple[float, float], ax: Axes | None = None
) -> tuple[Any, list[Axes]]:
    """Return a picture of so many axes, each of this size in inches, row by row, and the axes."""
    columns = max(1, min(columns, count))
    rows = max(1, -(-count // columns))
    figure = picture(size[0] * columns, size[1] * rows, ax)
    every = list(figure.subplots(rows, columns, squeeze=False).flat)
    for empty in every[count:]:
        empty.remove()
    return figure, every[:count]


def canvas(width: float = 6.4, height: float = 4.0, ax: Axes | None = None) -> tuple[Any, Axes]:
    """Return a figure and its axes: those given, or a picture of this size in inches."""
    if ax is not None:
        return ax.figure, ax
    figure = picture(width, height)
    return figure, figure.add_subplot()


def stroke(index: int) -> dict[str, Any]:
    """Colour and marker of the curve number ``index``; both differ, so grey prints still read."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}


def tidy(axes: Axes) -> None:
    """Give axes the house look: light grid behind, no box, quiet ticks."""
    axes.set_axisbelow(True)
    axes.grid(True, which="major", color=GRID, linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    axes.tick_params(which="both", colors=QUIET, labelcolor=INK, labelsize=SMALL, length=3)
    axes.tick_params(which="minor", length=1.5)


def one_a_line(axes: Axes, names: Sequence[str]) -> None:
    """Give axes the house look, and every name a line of its own, the first on top."""
    tidy(axes)
    axes.grid(False, axis="y")
    axes.set_yticks(range(len(names)), names, fontsize=SMALL + 0.5)
    axes.set_ylim(len(names) - 0.4, -0.6)


def head(axes: Axes, text: str, size: float = NORMAL, colour: str = INK) -> None:
    """Set the title of one panel among many, whose y axis is linear.

    Its place is said: a title that looks for one measures the labels of its axes whenever they are laid out or drawn,
    a tenth of the whole. So no factor of the labels (``1e−5``) may stand there; they are written out.
    """
    axes.set_title(text, fontsize=size, color=colour, loc="left", y=1.0)
    axes.ticklabel_format(axis="y", style="plain", useOffset=False)


def token_axis(axes: Axes, label: str = "pretraining tokens") -> None:
    """Make the x axis logarithmic, its ticks written as 300k, 1M, 3B."""
    axes.set_xscale("log")
    count_axis(axes.xaxis, *axes.get_xlim())
    axes.set_xlabel(label, fontsize=NORMAL, color=INK)


def count_axis(axis: Axis, low: float, high: float) -> None:
    """Make an axis of counts logarithmic, its ticks written as 300k, 1M, 3B."""
    axes = axis.axes
    (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log")
    marks = (1.0, 2.0, 5.0) if high < 15 * low else (1.0, 3.0) if high < 3e3 * low else (1.0,)
    axis.set_major_locator(LogLocator(base=10, subs=marks, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_count(value)))
    axis.set_minor_locator(NullLocator())


def share_legend(figure: Figure, handles: Iterable[Any], *, columns: int = 6) -> None:
    """Put one legend for the whole picture below it; in a figure without a layout to make room, inside it."""
    handles = list(handles)
    room = isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine)
    figure.legend(
        handles=handles,
        loc="outside lower center" if room else "lower center",
        ncols=min(columns, max(len(handles), 1)),
        frameon=False,
        fontsize=SMALL + 0.5,
    )


def key(axes: Axes, handles: Iterable[Any] | None = None, *, own: bool, columns: int = 6) -> None:
    """Say what marks mean: below a picture of our own, where that hides no data, and inside axes that were given."""
    handles = axes.get_legend_handles_labels()[0] if handles is None else list(handles)
    if own:
        share_legend(axes.figure, handles, columns=columns)  # type: ignore[arg-type]
    else:
        axes.legend(handles=handles, frameon=False, fontsize=SMALL)


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
ON_DARK = {**DARK, PAPER: GROUND, "#ffffff": GROUND}
_HARM_HELP = "harm-help"
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
    return to_rgba(colour)[3] > 0.5 and contrast_ratio(colour, "white") > contrast_ratio(
        colour, "black"
    )


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
        # Of patches alone, for a white text may be a dark style's.
        white = {"#ffffff": ground} if isinstance(artist, Patch) else {}
        for name in _COLOURED:
            _turn(artist, name, table | white)
    for axes in [picture] if isinstance(picture, Axes) else picture.axes:
        for axis, side in ((axes.xaxis, "x"), (axes.yaxis, "y")):
            _turn_ticks(axis, axes, side, table)


def _scale(scale: Colormap, ground: str, table: dict[str, str]) -> Colormap:
    """Return a scale of colours for a dark ground: named colours are turned, from harm to help goes over the ground."""
    if scale.name == _HARM_HELP:
        return diverging(BRIGHT[1], ground, BRIGHT[0])
    if isinstance(scale, ListedColormap):  # a contour's lines, where all are of the house
        colours = scale(range(scale.N))
        if all(to_hex(colour) in table for colour in colours):
            return ListedColormap([_turned(colour, table) for colour in colours])
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
    return LinearSegmentedColormap.from_list(_HARM_HELP, [harm, ground, help_])


def contrast_ratio(first: Any, second: Any) -> float:
    """Return by how much one colour stands out from another (WCAG 2), 1 to 21.

    Examples
    --------
    >>> round(contrast_ratio("black", "white"))
    21
    """
    darker, lighter = sorted(_luminance(to_rgb(colour)) for colour in (first, second))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(rgb: Iterable[float]) -> float:
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
