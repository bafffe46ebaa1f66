"""Pictures of seeds: where the spread comes from, and how procedures compare."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from scalefit.procedures.comparison import Comparison
from scalefit.procedures.contrast import Contrast
from scalefit.seeds.result import Variance, VariancePart
from scalefit.table import metric as known_metric
from scalefit.views.style import (
    COLOURS,
    INK,
    NORMAL,
    PAPER,
    SMALL,
    Picture,
    canvas,
    key,
    on_its_ground,
    tidy,
)


@on_its_ground
def plot_variance(variance: Variance, *, ax: Axes | None = None) -> Picture | Axes:
    """Draw each component's standard deviation with its interval, domains side by side."""
    names = list(dict.fromkeys(c.name for part in variance for c in part.components))
    figure, axes = canvas(6.4, 1.3 + 0.45 * len(names) * max(1, len(variance.parts) * 0.6), ax)
    step = 0.7 / len(variance.parts)
    handles = []
    for i, part in enumerate(variance):
        shift = (i - (len(variance.parts) - 1) / 2) * step
        _components(axes, part, names, shift, COLOURS[i % len(COLOURS)])
        handles.append(_handle(part.name, COLOURS[i % len(COLOURS)]))
    tidy(axes)
    axes.set_yticks(range(len(names)), names, fontsize=NORMAL)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.grid(False, axis="y")
    axes.set_xlabel(f"standard deviation, {_unit(variance.metric)}", fontsize=NORMAL)
    axes.set_title(
        f"{variance.metric}: spread by source, {100 * variance.level:g} % intervals",
        fontsize=NORMAL, loc="left",
    )  # fmt: skip
    if len(variance.parts) > 1:
        key(axes, handles, own=ax is None)
    axes.tick_params(axis="y", labelsize=SMALL + 0.5)
    return figure if ax is None else axes


def _components(
    axes: Axes, part: VariancePart, names: list[str], shift: float, colour: str
) -> None:
    for c in part.components:
        y = names.index(c.name) + shift
        known = c.low == c.low
        if known:
            ends = [max(v, 0.0) ** 0.5 for v in (c.low, c.high)]
            axes.plot(ends, [y, y], color=colour, linewidth=2, solid_capstyle="butt", alpha=0.55)
        face = colour if known else PAPER
        axes.plot([c.sd], [y], "o", color=colour, markersize=5.5, markerfacecolor=face)


@on_its_ground
def plot_comparison(comparison: Comparison, *, ax: Axes | None = None) -> Picture | Axes:
    """Draw every difference with its interval; what is not resolved is hollow."""
    labels = [_title(c) for c in comparison]
    figure, axes = canvas(6.4, 1.3 + 0.36 * len(labels), ax)
    for i, c in enumerate(comparison):
        ends = [c.interval.low, c.interval.high]
        axes.plot(ends, [i, i], color=COLOURS[0], linewidth=2, solid_capstyle="butt", alpha=0.55)
        face = COLOURS[0] if c.resolved else PAPER
        axes.plot([c.difference], [i], "o", color=COLOURS[0], markersize=6, markerfacecolor=face)
    axes.axvline(0, color=INK, linewidth=0.8)
    tidy(axes)
    axes.grid(False, axis="y")
    axes.set_yticks(range(len(labels)), labels, fontsize=SMALL + 0.5)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    better = {"+": " (right of 0: better)", "-": " (left of 0: better)"}
    word = better.get(known_metric(comparison.metric).direction or "", "")
    axes.set_xlabel(f"difference in {_unit(comparison.metric)}{word}", fontsize=NORMAL)
    title = (
        f"{comparison.metric}, {100 * comparison.level:g} % intervals; filled: resolved (p by Holm)"
    )
    axes.set_title(title, fontsize=NORMAL, loc="left")
    return figure if ax is None else axes


def _title(c: Contrast) -> str:
    where = ", ".join(str(v) for v in c.group.values() if v is not None)
    return f"{c.b} − {c.a}" + (f" ({where})" if where else "")


def _handle(name: str, colour: str) -> object:
    return Line2D([], [], marker="o", color=colour, label=name)


def _unit(name: str) -> str:
    metric = known_metric(name)
    return metric.unit or metric.title
