"""Pictures of curves: a fit with all there is to say, many side by side, a forecast (quality above, loss below)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.optimize import isotonic_regression

from scalefit.errors import DesignError
from scalefit.fitting.result import Fit
from scalefit.forecasting.forecast import Forecast, Outlook
from scalefit.forecasting.mixture import Mixture
from scalefit.forecasting.tokens import tokens_for
from scalefit.groups import group_name
from scalefit.table.metrics import metric as metric_of
from scalefit.units import format_count
from scalefit.views.curves import DrawnCurve, Goal, Ribbon, curve_ahead, drawn_curve
from scalefit.views.style import (
    INK,
    LARGE,
    NORMAL,
    PAPER,
    QUIET,
    SHADE,
    SMALL,
    TELLS,
    Picture,
    canvas,
    head,
    key,
    on_its_ground,
    picture,
    share_legend,
    stroke,
    tidy,
    token_axis,
)
from scalefit.views.surface import plot_inputs

OVERLAY = "corpus"
_FEW = 3
"""Curves in one panel whose bands can be told apart."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes: a title, a label for y, and the curves in it."""

    title: str
    label: str
    curves: tuple[DrawnCurve, ...]


@on_its_ground
def plot_fit(
    fit: Fit | Mixture,
    *,
    ax: Axes | None = None,
    target: float | None = None,
    title: str = "",
    **options: Any,
) -> Picture | Axes:
    """Draw one fit: seeds as points, the curve, both bands, the extrapolated zone, the target.

    Parameters
    ----------
    fit : a fitted law; over two inputs contours are drawn, over more (or with ``slices=True``) slices.
    ax : where to draw; by default a picture of its own.
    target : value to mark, with the tokens it takes and their interval.
    title : shown above; by default the law and the metric.
    **options : ``label``, ``baseline``, ``reach``, ``level``: see :func:`scalefit.views.curves.drawn_curve`.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
    >>> figure = sf.plot_fit(sf.fit(table, "bleu", "log"), target=20.0)
    >>> figure.axes[0].get_ylabel()
    'BLEU'
    """
    if isinstance(fit, Fit) and len(fit.law.inputs) > 1:
        drawn: Picture | Axes = plot_inputs(fit, ax=ax, title=title, **options)
        return drawn
    curve = curve_of_one(fit, target=target, **options)
    return plot_curve(curve, title=title, ax=ax)  # type: ignore[no-any-return]


def curve_of_one(fit: Fit | Mixture, *, target: float | None = None, **options: Any) -> DrawnCurve:
    """Return what :func:`plot_fit` draws."""
    options.setdefault("label", group_name(fit.group))
    goal = None if target is None else goal_of(fit, target, options.get("level", 0.8))
    return drawn_curve(fit, goal=goal, **options)


def goal_of(fit: Fit | Mixture, target: float, level: float = 0.8) -> Goal:
    """Ask the forecast what a target takes."""
    reached = tokens_for(fit, target, level=level)
    return Goal(target, reached.estimate, reached.low, reached.high)


@on_its_ground
def plot_fits(
    fits: Iterable[Fit | Mixture],
    *,
    ax: Axes | None = None,
    target: float | None = None,
    **options: Any,
) -> Picture:
    """Draw many fits as small multiples, the corpora of one task in one panel.

    Parameters
    ----------
    fits : Fits, or any list of fits
    ax : whose place the picture takes; by default it stands alone.
    target : value to mark.
    **options : ``reach``, ``level``: see :func:`scalefit.views.curves.drawn_curve`.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes, bleu = [1e6, 4e6, 16e6, 64e6, 256e6] * 2, [5.0, 9.1, 12.9, 17.0, 21.1]
    >>> table = {"pretrain_tokens": sizes, "task": ["en-fr"] * 5 + ["en-de"] * 5, "bleu": bleu * 2}
    >>> len(sf.plot_fits(sf.fit_each(table, "bleu", "log")).axes)
    2
    """
    return plot_many(panels_of(fits, target=target, **options), ax=ax)  # type: ignore[no-any-return]


def panels_of(
    fits: Iterable[Fit | Mixture], *, target: float | None = None, **options: Any
) -> list[Panel]:
    """Return what :func:`plot_fits` draws."""
    goal = None if target is None else Goal(target)
    inside: dict[tuple[str, str], list[DrawnCurve]] = {}
    for fit in fits:
        label = str(fit.group.get(OVERLAY) or "")
        curve = drawn_curve(fit, label=label, goal=goal, **options)
        inside.setdefault((group_name(fit.group, (OVERLAY,)), curve.title_y), []).append(curve)
    return [Panel(title, y, tuple(curves)) for (title, y), curves in inside.items()]


@on_its_ground
def plot_curve(curve: DrawnCurve, *, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """Draw one curve, on a picture of its own where no axes are given."""
    figure, axes = canvas(ax=ax)
    draw_curve(axes, curve, run=True)
    finish(axes, [curve])
    axes.set_ylabel(curve.title_y, fontsize=NORMAL, color=INK)
    heading = title or " · ".join(filter(None, (curve.label, curve.title_y, curve.law)))
    axes.set_title(heading, fontsize=LARGE, color=INK, loc="left")
    key(axes, _legend_of_one(curve), own=ax is None, columns=3)
    return figure if ax is None else axes


@on_its_ground
def plot_many(
    panels: Sequence[Panel], *, columns: int = 4, title: str = "", ax: Axes | None = None
) -> Picture:
    """Draw small multiples: one colour a curve name, the same in all panels."""
    panels = [panel for panel in panels if panel.curves]
    columns = max(1, min(columns, len(panels)))
    rows = max(1, math.ceil(len(panels) / columns))
    width = max(3.1 * columns + 0.5, 4.6)
    figure = picture(width, 2.6 * rows + 0.7, ax)
    labels = list(dict.fromkeys(c.label for panel in panels for c in panel.curves))
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _draw_panel(axes, panel, labels)
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    share_legend(figure, _legend_of_many(panels, labels), columns=int(width / 1.5))
    if title:
        wrapped = textwrap.fill(title, int(width * 13))
        figure.suptitle(wrapped, fontsize=LARGE, color=INK, x=0.01, ha="left")
    return figure  # type: ignore[no-any-return]


def _draw_panel(axes: Axes, panel: Panel, labels: Sequence[str]) -> None:
    low, high = _limits(panel.curves)
    crowded = len(panel.curves) > _FEW
    for curve in panel.curves:
        shown = _ahead_only(curve) if crowded else curve
        draw_curve(axes, shown, index=labels.index(curve.label), room=high - low)
    finish(axes, panel.curves)
    if crowded:
        _name_ends(axes, panel.curves, labels)
    head(axes, panel.title)
    axes.set_ylabel(panel.label.replace(" (", "\n("), fontsize=SMALL, color=INK)  # panels are low
    axes.xaxis.label.set_fontsize(SMALL)


def _ahead_only(curve: DrawnCurve) -> DrawnCurve:
    """Return a curve whose band begins at its largest size: where many lie on one another, only that tells anything."""
    if curve.mean is None:
        return curve
    m, inside = curve.mean, curve.mean.x < curve.largest
    low, high = (np.where(inside, m.estimate, side) for side in (m.low, m.high))
    return replace(curve, mean=Ribbon(m.x, m.estimate, low, high))


def _name_ends(axes: Axes, curves: Sequence[DrawnCurve], labels: Sequence[str]) -> None:
    """Write each curve's name where it ends, apart from one another: no eye must go to the legend and back."""
    ends = [(float(c.mean.estimate[-1]), c.label) for c in curves if c.mean is not None and c.label]
    if not ends:
        return
    low, high = axes.get_ylim()
    places = apart([y for y, _ in sorted(ends)], 0.075 * (high - low))
    for y, (_, label) in zip(places, sorted(ends), strict=True):
        axes.annotate(
            label, (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=SMALL - 1,
            color=stroke(labels.index(label))["color"], annotation_clip=False, gid="name",
        )  # fmt: skip


def apart(places: Sequence[float], gap: float) -> list[float]:
    """Move ascending places as little as need be, so that none is nearer to the next than a gap.

    Examples
    --------
    >>> apart([1.0, 1.0, 5.0], 1.0)
    [0.5, 1.5, 5.0]
    """
    # Less the gaps before them, places may meet but not pass one another: the nearest that do not are a rising line.
    steps = gap * np.arange(len(places))
    moved: list[float] = (isotonic_regression(places - steps).x + steps).tolist()
    return moved


def draw_curve(
    axes: Axes, curve: DrawnCurve, *, index: int = 0, run: bool = False, room: float = math.inf
) -> None:
    """Draw points, curve and bands; solid where measured, dashed where extrapolated.

    A band that is wider than ``room`` would hide its neighbours: only its edges are drawn.
    """
    style = stroke(index)
    (points,) = axes.plot(
        curve.x, curve.y, ls="", ms=4.5, mfc=PAPER, mew=1.2, zorder=3, gid="points",
        label=curve.label or "run", **style,
    )  # fmt: skip
    if curve.tells:
        TELLS[points] = curve.tells
    if run and curve.run is not None:
        _band(axes, curve.run, style["color"], 0.10, "run")
    if curve.mean is None:
        return
    if float(np.nanmax(curve.mean.high - curve.mean.low)) > room:
        for side in (curve.mean.low, curve.mean.high):
            axes.plot(
                curve.mean.x, side, color=style["color"], lw=0.7, alpha=0.6, zorder=1.5, gid="edge"
            )
    else:
        _band(axes, curve.mean, style["color"], 0.24 if run else 0.13, "mean")
    inside = curve.mean.x <= curve.largest
    beyond = curve.mean.x >= curve.mean.x[inside][-1]
    for part, dashes, name in ((inside, "-", "curve"), (beyond, "--", "extrapolated")):
        x, y = curve.mean.x[part], curve.mean.estimate[part]
        axes.plot(x, y, ls=dashes, lw=1.7, color=style["color"], zorder=2.5, gid=name)


def _band(axes: Axes, ribbon: Ribbon, colour: str, alpha: float, name: str) -> None:
    axes.fill_between(
        ribbon.x, ribbon.low, ribbon.high, color=colour, alpha=alpha, lw=0, zorder=1.5, gid=name
    )


def finish(axes: Axes, curves: Sequence[DrawnCurve]) -> None:
    """Set limits by what was measured and drawn; add the zone, the baseline and the target."""
    tidy(axes)
    right = max(max(c.largest, 0.0 if c.mean is None else c.mean.x[-1]) for c in curves)
    left = min(float(np.min(c.x[c.x > 0])) for c in curves)
    axes.set_xscale("log")
    axes.set_xlim(left / 1.25, right * 1.02)
    axes.set_ylim(*_limits(curves))
    token_axis(axes, curves[0].title_x)
    largest = max(c.largest for c in curves)
    if right > largest:
        axes.axvspan(largest, right * 1.02, color=SHADE, lw=0, zorder=0, gid="zone")
    baselines = [c.baseline for c in curves if c.baseline is not None]
    if baselines:
        axes.axhline(baselines[0], color=QUIET, lw=1.1, ls="-.", zorder=2, gid="baseline")
    if (goal := curves[0].goal) is not None:
        axes.axhline(goal.value, color=INK, lw=0.9, ls=(0, (1, 1.5)), zorder=2, gid="target")
        _mark_interval(axes, goal, right, alone=len(curves) == 1)


def _limits(curves: Sequence[DrawnCurve]) -> tuple[float, float]:
    """Return y limits that show all points, curves, targets, and bands up to twice their spread."""
    core = [curve.y for curve in curves]
    core += [curve.mean.estimate for curve in curves if curve.mean is not None]
    core += [np.array([c.baseline]) for c in curves if c.baseline is not None]
    core += [np.array([c.goal.value]) for c in curves[:1] if c.goal is not None]
    values = np.concatenate(core)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = max(high - low, 1e-9 * max(abs(high), 1.0))
    bands = [r for c in curves for r in (c.mean, c.run) if r is not None]
    least = min([low, *(float(np.nanmin(r.low)) for r in bands)])
    most = max([high, *(float(np.nanmax(r.high)) for r in bands)])
    bottom = max(least, low - 0.5 * room, metric_of(curves[0].metric).lower)
    return min(bottom, low) - 0.05 * room, min(most, high + 0.5 * room) + 0.05 * room


def _mark_interval(axes: Axes, goal: Goal, right: float, *, alone: bool) -> None:
    if not alone or goal.tokens is None or goal.tokens > right:
        return
    low, high = goal.low or goal.tokens, min(goal.high or math.inf, right)
    axes.plot([low, high], [goal.value] * 2, color=INK, lw=3.2, alpha=0.55, gid="target interval")
    axes.plot([goal.tokens], [goal.value], "D", color=INK, ms=5.5, zorder=4, gid="target tokens")


def _legend_of_one(curve: DrawnCurve) -> list[Any]:
    style = stroke(0)
    colour = style["color"]
    handles: list[Any] = [Line2D([], [], ls="", mfc=PAPER, mew=1.2, ms=4.5, label="runs", **style)]
    if curve.mean is not None:
        handles.append(Line2D([], [], color=colour, lw=1.7, label=curve.law))
        handles.append(
            Patch(color=colour, alpha=0.34, lw=0, label=f"{curve.level:.0%} band of the mean")
        )
        handles.append(
            Patch(color=colour, alpha=0.10, lw=0, label=f"{curve.level:.0%} band of a new run")
        )
    return handles + _marks([curve])


def _legend_of_many(panels: Sequence[Panel], labels: Sequence[str]) -> list[Any]:
    handles: list[Any] = [
        Line2D([], [], mfc=PAPER, mew=1.2, ms=4.5, lw=1.5, label=label or "runs", **stroke(i))
        for i, label in enumerate(labels)
    ]
    return handles + _marks([curve for panel in panels for curve in panel.curves])


def _marks(curves: Sequence[DrawnCurve]) -> list[Any]:
    handles: list[Any] = []
    if any(c.baseline is not None for c in curves):
        handles.append(Line2D([], [], color=QUIET, lw=1.1, ls="-.", label="not pretrained"))
    goals = [c.goal for c in curves if c.goal is not None]
    if goals:
        name = f"target {goals[0].value:g}"
        tokens = goals[0].tokens
        if len(curves) == 1 and tokens is not None and math.isfinite(tokens):
            name += f": {format_count(tokens)} tokens"
        handles.append(Line2D([], [], color=INK, lw=0.9, ls=(0, (1, 1.5)), label=name))
    if any(c.mean is not None and c.mean.x[-1] > c.largest for c in curves):
        handles.append(Patch(color=SHADE, lw=0, label="extrapolated (dashed)"))
    return handles


@on_its_ground
def plot_forecast(forecast: Forecast, *, ax: Axes | None = None, **options: Any) -> Picture:
    """Draw every group of a forecast, the corpora of one task in one panel.

    Parameters
    ----------
    ax : whose place the picture takes; by default it stands alone.
    **options : ``reach``, ``level``: see :func:`scalefit.views.curves.drawn_curve`.

    Raises DesignError: no group was measured at a size above 0.
    """
    if not shows_anything(forecast):
        raise DesignError("no group was measured at a size above 0, so there is nothing to draw")
    panels = forecast_panels(forecast, **options)
    across = len({panel.title for panel in panels})
    columns = min(across, 4) if across > 1 else len(panels)
    title = forecast.verdict.split(";")[0]
    return plot_many(panels, columns=columns, title=title, ax=ax)  # type: ignore[no-any-return]


def shows_anything(forecast: Forecast) -> bool:
    """Whether a picture shows anything: a group at a size above 0."""
    return any(outlook.largest for outlook in forecast)


def forecast_panels(forecast: Forecast, **options: Any) -> list[Panel]:
    """Return one panel for each metric and each combination of keys but the corpus."""
    question, options = forecast.question, {"level": forecast.question.level, **options}
    titles = list(dict.fromkeys(group_name(o.group, (OVERLAY,)) for o in forecast))
    panels = []
    for metric in (question.metric, question.through):
        for title in titles:
            inside = [o for o in forecast if group_name(o.group, (OVERLAY,)) == title]
            panels.append(_panel(title, inside, metric, forecast, options))
    return [panel for panel in panels if panel.curves]


def _panel(
    title: str, inside: Sequence[Outlook], metric: str, forecast: Forecast, options: dict[str, Any]
) -> Panel:
    is_quality = metric == forecast.question.metric
    target = forecast.question.target
    goal = Goal(target) if is_quality and target is not None else None
    curves = tuple(
        _curve(outlook, outlook.quality if is_quality else outlook.loss, metric, goal, options)
        for outlook in inside
        if metric in outlook.measured and outlook.measured[metric][0].any()
    )
    return Panel(title, curves[0].title_y if curves else metric, curves)


def _curve(
    outlook: Outlook, fit: Mixture | None, metric: str, goal: Goal | None, options: dict[str, Any]
) -> DrawnCurve:
    label, baseline = str(outlook.group.get(OVERLAY) or ""), outlook.baselines.get(metric)
    if fit is not None:
        return curve_ahead(fit, label=label, baseline=baseline, goal=goal, **options)
    x, y = outlook.measured[metric]
    return DrawnCurve(x, y, label=label, metric=metric, baseline=baseline, goal=goal)
