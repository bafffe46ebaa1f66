"""Colours, fonts and axes that all pictures share; safe for colour-blind readers."""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from scalefit.errors import NoPictureError
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

    def to_svg(self) -> str:
        """Return the picture as an SVG element, with its text kept as text."""
        import matplotlib

        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "scalefit"}):
            text = self._drawn("svg", metadata={"Date": None}).decode("utf-8")
        return told(text[text.index("<svg") :], self.axes)

    def _drawn(self, kind: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            # A corpus may be named in any script; an SVG keeps the text, a PNG shows a box.
            warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
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
    lines = [line for each in axes for line in each.lines if line.get_gid() == "points"]
    groups = iter(lines)

    def group(match: re.Match[str]) -> str:
        line = next(groups, None)
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


def canvas(width: float = 6.4, height: float = 4.0, ax: Axes | None = None) -> tuple[Any, Axes]:
    """Return a figure and its axes: those given, or a picture of this size in inches."""
    if ax is not None:
        return ax.figure, ax
    figure = picture(width, height)
    return figure, figure.add_subplot()


def look(index: int) -> dict[str, Any]:
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


def token_axis(axes: Axes, label: str = "pretraining tokens") -> None:
    """Make the x axis logarithmic, its ticks written as 300k, 1M, 3B."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    marks = (1.0, 3.0) if high < 3e3 * low else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=marks, numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_count(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(label, fontsize=NORMAL, color=INK)


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
