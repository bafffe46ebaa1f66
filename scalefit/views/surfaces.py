"""Fits over several inputs: contours over two of them, or slices where there are more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from scalefit.fitting import Fit
from scalefit.table.metrics import metric as metric_of
from scalefit.types import Floats
from scalefit.units import format_count
from scalefit.views.style import INK, LARGE, NORMAL, SMALL, canvas, look, tidy

CELLS, SLICES, BEYOND = 60, 3, 2.0


@dataclass(frozen=True, eq=False)
class Surface:
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


def surface_of(fit: Fit, beyond: float = BEYOND) -> Surface:
    """Gather the contours of a fit over two inputs, as far as ``beyond`` times the largest of each."""
    first, second = fit.law.inputs
    x, y = (_axis(v, beyond) for v in fit.points.inputs)
    with np.errstate(all="ignore"):
        value = fit.value(*(g.reshape(-1) for g in np.meshgrid(x, y))).reshape(y.size, x.size)
    columns = fit.observations.columns
    at = np.column_stack(fit.points.inputs)
    return Surface((columns[first], columns[second]), x, y, value, at, fit.residuals)


def slices_of(fit: Fit, beyond: float = BEYOND) -> list[Slice]:
    """Gather slices along the first input: the second low, in the middle and high, all others at their medians."""
    share = fit.law.takes == "share"
    x = np.linspace(0.0, 1.0, CELLS) if share else _axis(fit.points.inputs[0], beyond)
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


def plot_surface(
    fit: Fit, *, ax: Axes | None = None, title: str = "", slices: bool | None = None
) -> Any:
    """Draw a fit over several inputs.

    Parameters
    ----------
    fit : Fit
        A law of two inputs or more; shares are drawn as slices.
    ax : Axes, optional
        Where to draw; by default a picture of its own.
    title : str
        Shown above; by default the metric and the law.
    slices : bool, optional
        Slices instead of contours; by default where there are more than two inputs.
    """
    several = len(fit.law.inputs) > 2 or fit.law.takes == "share"
    wanted = several if slices is None else slices
    figure, axes = canvas(ax=ax)
    (_draw_slices if wanted else _draw_contours)(axes, fit)
    heading = title or f"{metric_of(fit.metric).title} · {fit.law.name} law"
    axes.set_title(heading, fontsize=LARGE, color=INK, loc="left")
    return figure


def _draw_contours(axes: Axes, fit: Fit) -> None:
    surface = surface_of(fit)
    tidy(axes)
    lines = axes.contour(
        surface.x, surface.y, surface.value, levels=12, cmap="viridis", linewidths=1.2
    )
    axes.clabel(lines, fontsize=SMALL, fmt="%.3g")
    over = surface.missed > 0
    for above, marker, label in ((over, "^", "above the law"), (~over, "v", "below the law")):
        if above.any():
            axes.plot(
                *surface.at[above].T, marker, color=INK, ms=4, mfc="white", label=label, gid=label
            )
    _scale(axes.set_xscale, surface.x)
    _scale(axes.set_yscale, surface.y)
    axes.set_xlabel(surface.names[0].replace("_", " "), fontsize=NORMAL, color=INK)
    axes.set_ylabel(surface.names[1].replace("_", " "), fontsize=NORMAL, color=INK)
    axes.legend(frameon=False, fontsize=SMALL)


def _draw_slices(axes: Axes, fit: Fit) -> None:
    tidy(axes)
    axes.plot(fit.points.inputs[0], fit.points.y, "o", color=INK, ms=3.5, mfc="white", gid="points")
    for i, one in enumerate(slices_of(fit)):
        colour = look(i)["color"]
        axes.plot(one.x, one.value, color=colour, lw=1.6, label=one.label, gid="slice")
    _scale(axes.set_xscale, slices_of(fit)[0].x)
    first = fit.observations.columns[fit.law.inputs[0]]
    axes.set_xlabel(first.replace("_", " "), fontsize=NORMAL, color=INK)
    axes.set_ylabel(metric_of(fit.metric).title, fontsize=NORMAL, color=INK)
    axes.legend(frameon=False, fontsize=SMALL)


def _axis(x: Floats, beyond: float) -> Floats:
    low, high = float(np.min(x)), float(np.max(x))
    return np.geomspace(low, high * beyond, CELLS) if low > 0 else np.linspace(low, high, CELLS)


def _scale(set_scale: Any, x: Floats) -> None:
    if x[0] > 0:
        set_scale("log")
