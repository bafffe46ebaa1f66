"""Quality over several inputs: heat maps over pretraining and finetuning sizes, contours and slices of a fit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from scalefit.corpora.value import Value, Values, Worth
from scalefit.errors import DomainError
from scalefit.fitting.result import Fit
from scalefit.forecasting.surface import Surface
from scalefit.groups import group_name
from scalefit.table import metric as metric_of
from scalefit.types import Floats
from scalefit.units import format_count
from scalefit.views.curves import in_words
from scalefit.views.style import (
    COLOURS,
    INK,
    LARGE,
    NORMAL,
    PAPER,
    SMALL,
    Picture,
    canvas,
    count_axis,
    diverging,
    key,
    on_its_ground,
    panels,
    stroke,
    tidy,
)

_SCALE = "viridis"
HARM_HELP = diverging(COLOURS[1], "#ffffff", COLOURS[0])
_BEYOND = 4.0  # times the largest size that the map goes on
FINE, LEVELS = 81, 12
CELLS, SLICES, FARTHER = 60, 3, 2.0


@on_its_ground
def plot_sizes(surface: Surface, *, ax: Axes | None = None) -> Picture | Axes:
    """Draw the law's median by colour, its cells as dots of their measured values, the measured sizes framed.

    A dot that stands out from its surroundings is a cell that the law misses.
    """
    figure, axes = canvas(6.4, 4.2, ax)
    cells = surface.joint.cells
    across, up = (_axis(sizes) for sizes in cells.sizes.T)
    p, f = np.meshgrid(across, up)
    median = surface.joint.predict(p.ravel(), f.ravel()).median.reshape(p.shape)
    levels = _levels(np.concatenate([median.ravel(), cells.quality]))
    norm = Normalize(levels[0], levels[-1])
    filled = axes.contourf(p, f, median, levels=levels, cmap=_SCALE, norm=norm, extend="both")
    lines = axes.contour(p, f, median, levels=levels, colors=PAPER, linewidths=0.4)
    axes.clabel(lines, fontsize=SMALL - 1, fmt="%g")
    axes.scatter(
        cells.sizes[:, 0], cells.sizes[:, 1], c=cells.quality, cmap=_SCALE, norm=norm,
        edgecolors=PAPER, s=42, clip_on=False, zorder=3, gid="cells",
    )  # fmt: skip
    _frame(axes, cells.sizes)
    for name, sizes in zip("xy", cells.sizes.T, strict=True):
        _in_logs(axes, name, sizes)
    axes.set_xlabel("pretraining tokens", fontsize=NORMAL, color=INK)
    axes.set_ylabel("finetuning tokens", fontsize=NORMAL, color=INK)
    axes.set_title(group_name(surface.group), fontsize=NORMAL, loc="left")
    bar = figure.colorbar(filled, ax=axes)
    bar.set_label(metric_of(surface.metric).title, fontsize=SMALL, color=INK)
    return figure if ax is None else axes


def _axis(sizes: Floats) -> Floats:
    """Return sizes from the smallest measured to BEYOND times the largest, 0 before them where it was measured."""
    above = np.geomspace(sizes[sizes > 0].min(), _BEYOND * sizes.max(), FINE)
    return np.concatenate([[0.0], above]) if (sizes == 0).any() else above


def _levels(values: Floats) -> Floats:
    low, high = float(values.min()), float(values.max())
    return np.asarray(MaxNLocator(LEVELS).tick_values(low, high if high > low else low + 1))


def _frame(axes: Axes, sizes: Floats) -> None:
    low, high = sizes.min(axis=0), sizes.max(axis=0)
    axes.add_patch(
        Rectangle(
            (low[0], low[1]), *(high - low), fill=False, edgecolor=PAPER, linestyle="--",
            gid="measured",
        )
    )  # fmt: skip


def _in_logs(axes: Axes, name: str, sizes: Floats) -> None:
    """Set a logarithmic axis; a size of 0 lies one step before the smallest."""
    smallest = float(sizes[sizes > 0].min())
    setter = axes.set_xscale if name == "x" else axes.set_yscale
    if (sizes == 0).any():
        setter("symlog", linthresh=smallest)
    else:
        setter("log")
    axis = axes.xaxis if name == "x" else axes.yaxis
    axis.set_ticks(np.unique(sizes), [format_count(x) for x in np.unique(sizes)], fontsize=SMALL)
    axis.set_ticks([], minor=True)


@on_its_ground
def plot_value(value: Value, *, ax: Axes | None = None) -> Picture | Axes:
    """Draw the map of pretraining × finetuning size: gain by colour, in words where it is sure."""
    figure, axes = canvas(6.4, _height([value]), ax)
    _map(axes, value, _reach([value]))
    axes.set_title(
        " · ".join(filter(None, (group_name(value.group), _gain(value)))),
        fontsize=NORMAL,
        loc="left",
    )
    return figure if ax is None else axes


@on_its_ground
def plot_values(values: Values, *, ax: Axes | None = None) -> Picture:
    """Draw one map a group, all on one scale of colour; see :func:`plot_value`."""
    figure, every = panels(len(values), 3, (4.4, _height(values)), ax)
    reach = _reach(values)
    for axes, value in zip(every, values, strict=True):
        _map(axes, value, reach)
    figure.suptitle(_gain(values[0]), fontsize=LARGE, color=INK, x=0.01, ha="left")
    return figure  # type: ignore[no-any-return]


def _gain(value: Value) -> str:
    """Say what the numbers are."""
    over = "the model before finetuning" if value.over_start else "no pretraining"
    return f"{metric_of(value.metric).title} gained over {over}"


def _height(values: Iterable[Value]) -> float:
    """Return a height with room for every row of cells, and no more."""
    return 1.2 + 0.8 * max(len({c.finetune for c in value.cells}) for value in values)


def _reach(values: Iterable[Value]) -> float:
    return max(max(abs(c.gain) for v in values for c in v.cells), 1e-9)


def _map(axes: Axes, value: Value, reach: float) -> None:
    sizes = np.array([(c.pretrain, c.finetune) for c in value.cells])
    sizes[np.isnan(sizes)] = -1.0  # nobody says
    across, x = np.unique(sizes[:, 0], return_inverse=True)
    up, y = np.unique(sizes[:, 1], return_inverse=True)
    gains = np.full((up.size, across.size), np.nan)
    gains[y, x] = [c.gain for c in value.cells]
    norm = TwoSlopeNorm(0.0, -reach, reach)
    axes.imshow(gains, origin="lower", aspect="auto", cmap=HARM_HELP, norm=norm, gid="gain")
    for c, column, row in zip(value.cells, x, y, strict=True):
        _word(axes, c, column, row, abs(c.gain) > 0.6 * reach)
    named = ["pretrained" if size < 0 else format_count(size) for size in across]
    axes.set_xticks(range(across.size), named, fontsize=SMALL)
    axes.set_xlabel("pretraining tokens", fontsize=SMALL, color=INK)
    if up[-1] < 0:  # one row, and nobody says of how many tokens
        axes.set_yticks([])
    else:
        axes.set_yticks(range(up.size), [format_count(size) for size in up], fontsize=SMALL)
        axes.set_ylabel("finetuning tokens", fontsize=SMALL, color=INK)
    axes.set_title(group_name(value.group), fontsize=NORMAL, loc="left")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _word(axes: Axes, cell: Worth, x: int, y: int, dark: bool) -> None:
    """Write the gain, and beneath it what is sure."""
    sure = "" if cell.state == "unsure" else f"\n{cell.state}"
    colour = "white" if dark else INK  # on the strong colours of both grounds
    axes.text(
        x, y, f"{cell.gain:+.3g}{sure}", ha="center", va="center", fontsize=SMALL - 1, color=colour
    )


@dataclass(frozen=True, eq=False)
class Contours:
    """What a contour picture shows.

    Attributes
    ----------
    x, y : (C,) each, the axes; ``value`` (C, C) the law there, rows along ``y``.
    at : (n, 2) where runs were measured, and ``missed`` (n,) what each missed the law by.
    """

    names: tuple[str, str]
    x: Floats
    y: Floats
    value: Floats
    at: Floats
    missed: Floats


@dataclass(frozen=True, eq=False)
class Slice:
    """The law along its first input, with all others held: ``x`` and ``value`` (C,)."""

    label: str
    x: Floats
    value: Floats


def contours_of(fit: Fit) -> Contours:
    """Gather the contours of a fit over two inputs, somewhat beyond the largest of each."""
    first, second = fit.law.inputs
    x, y = (_even(v) for v in fit.points.inputs)
    with np.errstate(all="ignore"):
        value = fit.value(*(g.reshape(-1) for g in np.meshgrid(x, y))).reshape(y.size, x.size)
    columns = fit.observations.columns
    at = np.column_stack(fit.points.inputs)
    return Contours((columns[first], columns[second]), x, y, value, at, fit.residuals)


def slices_of(fit: Fit) -> list[Slice]:
    """Gather slices along the first input: the second low, in the middle and high, all others at their medians."""
    if len(fit.law.inputs) < 2:
        raise DomainError(
            f"slices hold all inputs but one, and the {fit.law.name} law has one; plot it as a curve"
        )
    share = fit.law.takes == "share"
    x = np.linspace(0.0, 1.0, CELLS) if share else _even(fit.points.inputs[0])
    columns = [fit.observations.columns[name] for name in fit.law.inputs]
    out = []
    for level in np.quantile(fit.points.inputs[1], np.linspace(0, 1, SLICES), method="nearest"):
        held = [float(level), *(float(np.median(v)) for v in fit.points.inputs[2:])]
        # Of shares what is held are proportions of the rest.
        part = (1 - x) / max(sum(held), 1e-12) if share else np.ones_like(x)
        with np.errstate(all="ignore"):
            value = fit.value(x, *(v * part for v in held))
        shown = ", ".join(f"{c} {format_count(v)}" for c, v in zip(columns[1:], held, strict=True))
        out.append(Slice(shown, x, value))
    return out


@on_its_ground
def plot_inputs(
    fit: Fit, *, ax: Axes | None = None, title: str = "", slices: bool | None = None
) -> Any:
    """Draw a fit over several inputs.

    Parameters
    ----------
    fit : Fit; a law of two inputs or more; shares are drawn as slices.
    ax : Axes, optional; where to draw; by default a picture of its own.
    title : shown above; by default the metric and the law.
    slices : bool, optional; slices instead of contours; by default where there are more than two inputs.
    """
    several = len(fit.law.inputs) > 2 or fit.law.takes == "share"
    wanted = several if slices is None else slices
    figure, axes = canvas(ax=ax)
    (_draw_slices if wanted else _draw_contours)(axes, fit, ax is None)
    heading = title or f"{metric_of(fit.metric).title} · {fit.law.name} law"
    axes.set_title(heading, fontsize=LARGE, color=INK, loc="left")
    return figure if ax is None else axes


def _draw_contours(axes: Axes, fit: Fit, own: bool) -> None:
    surface = contours_of(fit)
    tidy(axes)
    lines = axes.contour(
        surface.x, surface.y, surface.value, levels=12, colors=COLOURS[0], linewidths=1.2
    )
    over = surface.missed > 0
    for above, marker, label in ((over, "^", "above the law"), (~over, "v", "below the law")):
        if above.any():
            axes.plot(
                *surface.at[above].T, marker, color=INK, ms=4, mfc=PAPER, label=label, gid=label,
                clip_on=False,
            )  # fmt: skip
    _size_axis(axes.xaxis, surface.names[0], surface.x)
    _size_axis(axes.yaxis, surface.names[1], surface.y)
    # A label turns along its line on the screen: axes are set before it is asked how lines run.
    axes.clabel(lines, fontsize=SMALL, fmt="%.3g", colors=INK)
    key(axes, own=own)


def _draw_slices(axes: Axes, fit: Fit, own: bool) -> None:
    tidy(axes)
    axes.plot(fit.points.inputs[0], fit.points.y, "o", color=INK, ms=3.5, mfc=PAPER, gid="points")
    slices = slices_of(fit)
    for i, one in enumerate(slices):
        colour = stroke(i)["color"]
        axes.plot(one.x, one.value, color=colour, lw=1.6, label=one.label, gid="slice")
    _size_axis(axes.xaxis, fit.observations.columns[fit.law.inputs[0]], slices[0].x)
    axes.set_ylabel(metric_of(fit.metric).title, fontsize=NORMAL, color=INK)
    key(axes, own=own)


def _even(x: Floats) -> Floats:
    low, high = float(np.min(x)), float(np.max(x))
    return np.geomspace(low, high * FARTHER, CELLS) if low > 0 else np.linspace(low, high, CELLS)


def _size_axis(axis: Axis, column: str, x: Floats) -> None:
    """Name an axis after its column; sizes are in logs, and read 300k, 1M, 3B."""
    axis.set_label_text(in_words(column), fontsize=NORMAL, color=INK)
    if x[0] > 0:
        count_axis(axis, float(x[0]), float(x[-1]))
