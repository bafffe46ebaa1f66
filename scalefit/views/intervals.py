"""Estimates with their intervals, one a line: rankings, forecasters on trial, sources of spread, procedures."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from scalefit.corpora.ranking import Ranking, Rankings
from scalefit.forecasting.backtest import Backtest
from scalefit.forecasting.forecasters import BASELINES
from scalefit.groups import group_name
from scalefit.procedures.comparison import Comparison, Contrast, group_values
from scalefit.seeds.result import Variance, VariancePart
from scalefit.table import metric as known_metric
from scalefit.units import format_count, short
from scalefit.views.style import (
    COLOURS,
    INK,
    NORMAL,
    PAPER,
    QUIET,
    SMALL,
    Picture,
    canvas,
    key,
    on_its_ground,
    one_a_line,
    panels,
    picture,
    tidy,
)


@on_its_ground
def plot_ranking(ranking: Ranking, *, ax: Axes | None = None) -> Picture | Axes:
    """Draw every corpus' estimate with its interval, its P(best) beside it; barred ones are hollow."""
    figure, axes = canvas(6.4, 1.3 + 0.36 * len(ranking.standings), ax)
    _standings(axes, ranking)
    return figure if ax is None else axes


@on_its_ground
def plot_rankings(rankings: Rankings, *, ax: Axes | None = None) -> Picture:
    """Draw one panel a setting; see :func:`plot_ranking`."""
    most = max(len(r.standings) for r in rankings)
    figure, every = panels(len(rankings), 2, (5.2, 1.3 + 0.34 * most), ax)
    for axes, ranking in zip(every, rankings, strict=True):
        _standings(axes, ranking)
    return figure  # type: ignore[no-any-return]


def _standings(axes: Axes, ranking: Ranking) -> None:
    for i, s in enumerate(ranking.standings):
        colour = QUIET if s.barred else COLOURS[0]
        axes.plot([s.low, s.high], [i, i], color=colour, linewidth=2, alpha=0.55, gid="interval")
        face = PAPER if s.barred else colour
        axes.plot(
            [s.estimate], [i], "o", color=colour, markersize=6, markerfacecolor=face, gid="estimate"
        )
        said = "misaligned" if s.barred else f"P(best) {s.p_best:.2f}"
        axes.annotate(
            said, (1.01, i), xycoords=("axes fraction", "data"), va="center", fontsize=SMALL,
            color=QUIET if s.barred else INK,
        )  # fmt: skip
    one_a_line(axes, [s.corpus for s in ranking.standings])
    if ranking.in_tokens:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: format_count(value))
        axes.xaxis.set_minor_formatter(lambda value, _: "")
    axes.set_xlabel(ranking.asked, fontsize=NORMAL, color=INK)
    title = group_name(ranking.group) or "which to choose"
    axes.set_title(f"{title}, {ranking.level:.0%} intervals", fontsize=NORMAL, loc="left")


@on_its_ground
def plot_backtest(tested: Backtest, *, ax: Axes | None = None) -> Picture:
    """Draw what every forecaster misses held-out sizes by, and how often its 95 % intervals hold."""
    rows = [r for r in tested.rows() if r["distance"] == "all"]
    rows = sorted(rows, key=lambda r: r["error"])
    figure = picture(7.4, 1.4 + 0.34 * len(rows), ax)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
    for i, row in enumerate(rows):
        colour = _colour(row["forecaster"])
        left.barh([i], [row["error"]], color=colour, height=0.6, gid="error")
        left.annotate(
            short(row["error"]), (row["error"], i), (4, 0), textcoords="offset points", va="center",
            fontsize=SMALL, color=INK,
        )  # fmt: skip
        right.plot([row["inside_95"]], [i], "o", color=colour, markersize=6, gid="inside")
    right.axvline(0.95, color=INK, linewidth=0.8)
    for axes in (right, left):  # they share their lines
        one_a_line(axes, [r["forecaster"] for r in rows])
    left.margins(x=0.15)
    title = known_metric(tested.metric).title
    unit = f"in ln {title}" if tested.relative else title
    left.set_xlabel(f"error on held-out sizes, {unit}", fontsize=SMALL + 0.5, color=INK)
    right.set_xlim(0, 1.05)
    right.xaxis.set_major_formatter(PercentFormatter(1.0))
    right.set_xlabel("held by the 95 % interval", fontsize=SMALL + 0.5, color=INK)
    return figure  # type: ignore[no-any-return]


def _colour(forecaster: Any) -> str:
    if forecaster == "mixture":
        return COLOURS[0]
    return QUIET if forecaster in BASELINES else COLOURS[5]


@on_its_ground
def plot_variance(variance: Variance, *, ax: Axes | None = None) -> Picture | Axes:
    """Draw each component's standard deviation with its interval, domains side by side."""
    names = list(dict.fromkeys(c.name for part in variance for c in part.components))
    figure, axes = canvas(6.4, 1.3 + 0.45 * len(names) * max(1, len(variance.parts) * 0.6), ax)
    step = 0.7 / len(variance.parts)
    handles = []
    for i, part in enumerate(variance):
        shift = (i - (len(variance.parts) - 1) / 2) * step
        colour = COLOURS[i % len(COLOURS)]
        _components(axes, part, names, shift, colour)
        handles.append(Line2D([], [], marker="o", color=colour, label=part.name))
    tidy(axes)
    axes.set_yticks(range(len(names)), names, fontsize=NORMAL)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.grid(False, axis="y")
    axes.set_xlabel(f"standard deviation, {_unit(variance.metric)}", fontsize=NORMAL)
    axes.set_title(
        f"{known_metric(variance.metric).title}: spread by source, {100 * variance.level:g} % intervals",
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
    one_a_line(axes, labels)
    better = {"+": " (right of 0: better)", "-": " (left of 0: better)"}
    word = better.get(known_metric(comparison.metric).direction or "", "")
    axes.set_xlabel(f"difference in {_unit(comparison.metric)}{word}", fontsize=NORMAL)
    title = (
        f"{known_metric(comparison.metric).title}, {100 * comparison.level:g} % intervals; "
        "filled: resolved (p by Holm)"
    )
    axes.set_title(title, fontsize=NORMAL, loc="left")
    return figure if ax is None else axes


def _title(c: Contrast) -> str:
    where = group_values(c.group)
    return f"{c.b} − {c.a}" + (f" ({where})" if where else "")


def _unit(name: str) -> str:
    metric = known_metric(name)
    return metric.unit or metric.title
