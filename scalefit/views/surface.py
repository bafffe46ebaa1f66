"""The heat map of quality over pretraining and finetuning sizes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from scalefit.forecasting.surface import Surface
from scalefit.groups import group_name
from scalefit.table import metric as metric_of
from scalefit.types import Floats
from scalefit.units import format_count
from scalefit.views.style import INK, NORMAL, SMALL, Picture, canvas

SCALE = "viridis"
BEYOND = 4.0  # times the largest size that the map goes on
FINE, LEVELS = 81, 12


def plot_surface(surface: Surface, *, ax: Axes | None = None) -> Picture:
    """Draw the law's median by colour, its cells as dots of their measured values, the measured sizes framed.

    A dot that stands out from its surroundings is a cell that the law misses.

    Parameters
    ----------
    surface : Surface
    ax : Axes, optional
        Where to draw; by default a picture of its own.
    """
    figure, axes = canvas(6.4, 4.2, ax)
    cells = surface.joint.cells
    across, up = (_axis(sizes) for sizes in cells.sizes.T)
    p, f = np.meshgrid(across, up)
    median = surface.joint.predict(p.ravel(), f.ravel()).median.reshape(p.shape)
    levels = _levels(np.concatenate([median.ravel(), cells.quality]))
    norm = Normalize(levels[0], levels[-1])
    filled = axes.contourf(p, f, median, levels=levels, cmap=SCALE, norm=norm, extend="both")
    lines = axes.contour(p, f, median, levels=levels, colors="white", linewidths=0.4)
    axes.clabel(lines, fontsize=SMALL - 1, fmt="%g")
    axes.scatter(
        cells.sizes[:, 0], cells.sizes[:, 1], c=cells.quality, cmap=SCALE, norm=norm,
        edgecolors="white", s=42, clip_on=False, zorder=3, gid="cells",
    )  # fmt: skip
    _frame(axes, cells.sizes)
    for name, sizes in zip("xy", cells.sizes.T, strict=True):
        _in_logs(axes, name, sizes)
    axes.set_xlabel("pretraining tokens", fontsize=NORMAL, color=INK)
    axes.set_ylabel("finetuning tokens", fontsize=NORMAL, color=INK)
    axes.set_title(group_name(surface.group), fontsize=NORMAL, loc="left")
    bar = figure.colorbar(filled, ax=axes)
    bar.set_label(metric_of(surface.metric).title, fontsize=SMALL, color=INK)
    return figure  # type: ignore[no-any-return]


def _axis(sizes: Floats) -> Floats:
    """Return sizes from the smallest measured to BEYOND times the largest, 0 before them where it was measured."""
    above = np.geomspace(sizes[sizes > 0].min(), BEYOND * sizes.max(), FINE)
    return np.concatenate([[0.0], above]) if (sizes == 0).any() else above


def _levels(values: Floats) -> Floats:
    low, high = float(values.min()), float(values.max())
    return np.asarray(MaxNLocator(LEVELS).tick_values(low, high if high > low else low + 1))


def _frame(axes: Axes, sizes: Floats) -> None:
    low, high = sizes.min(axis=0), sizes.max(axis=0)
    axes.add_patch(
        Rectangle(
            (low[0], low[1]), *(high - low), fill=False, edgecolor="white", linestyle="--",
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
