"""Pictures of choices: rankings with P(best), the value of pretraining over both sizes, backtests, plans."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.ticker import PercentFormatter

from scalefit.corpora.ranking import Ranking, Rankings
from scalefit.corpora.value import Value, Values, Worth
from scalefit.forecasting.backtest import Backtest
from scalefit.forecasting.forecasters import BASELINES
from scalefit.groups import group_name
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
    diverging,
    on_its_ground,
    panels,
    picture,
    tidy,
)

HARM_HELP = diverging(COLOURS[1], "#ffffff", COLOURS[0])


@on_its_ground
def plot_ranking(ranking: Ranking, *, ax: Axes | None = None) -> Picture | Axes:
    """Draw every corpus' estimate with its interval, its P(best) beside it; barred ones are hollow.

    Parameters
    ----------
    ranking : Ranking
    ax : Axes, optional
        Where to draw; by default a picture of its own.
    """
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
    tidy(axes)
    axes.grid(False, axis="y")
    if ranking.in_tokens:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: format_count(value))
        axes.xaxis.set_minor_formatter(lambda value, _: "")
    names = [s.corpus for s in ranking.standings]
    axes.set_yticks(range(len(names)), names, fontsize=SMALL + 0.5)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel(f"{ranking.metric} {ranking.question}", fontsize=NORMAL, color=INK)
    title = group_name(ranking.group) or "which one to choose"
    axes.set_title(f"{title}, {ranking.level:.0%} intervals", fontsize=NORMAL, loc="left")


@on_its_ground
def plot_value(value: Value, *, ax: Axes | None = None) -> Picture | Axes:
    """Draw the map of pretraining × finetuning size: gain by colour, in words where it is sure.

    Parameters
    ----------
    value : Value
    ax : Axes, optional
        Where to draw; by default a picture of its own.
    """
    figure, axes = canvas(6.4, 3.6, ax)
    _map(axes, value, _reach([value]))
    return figure if ax is None else axes


@on_its_ground
def plot_values(values: Values, *, ax: Axes | None = None) -> Picture:
    """Draw one map a group, all on one scale of colour; see :func:`plot_value`."""
    figure, every = panels(len(values), 3, (4.4, 2.8), ax)
    reach = _reach(list(values))
    for axes, value in zip(every, values, strict=True):
        _map(axes, value, reach)
    return figure  # type: ignore[no-any-return]


def _reach(values: list[Value]) -> float:
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
    named = ["finetuned" if size < 0 else format_count(size) for size in up]
    axes.set_yticks(range(up.size), named, fontsize=SMALL)
    axes.set_xlabel("pretraining tokens", fontsize=SMALL, color=INK)
    axes.set_ylabel("finetuning tokens", fontsize=SMALL, color=INK)
    axes.set_title(group_name(value.group), fontsize=NORMAL, loc="left")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _word(axes: Axes, cell: Worth, x: int, y: int, dark: bool) -> None:
    """Write the gain, and beneath it what is sure."""
    sure = "" if cell.state == "unsure" else f"\n{cell.state}"
    colour = "white" if dark else INK  # on the strong colours of both grounds
    axes.text(
        x, y, f"{cell.gain:+.2g}{sure}", ha="center", va="center", fontsize=SMALL - 1, color=colour
    )


@on_its_ground
def plot_backtest(tested: Backtest, *, ax: Axes | None = None) -> Picture:
    """Draw what every forecaster misses held-out sizes by, and how often its 95 % intervals hold.

    Parameters
    ----------
    tested : Backtest
    ax : Axes, optional
        Whose place the picture takes; by default it stands alone.
    """
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
    for axes in (left, right):
        tidy(axes)
        axes.grid(False, axis="y")
    left.set_yticks(range(len(rows)), [r["forecaster"] for r in rows], fontsize=SMALL + 0.5)
    left.set_ylim(len(rows) - 0.4, -0.6)
    left.margins(x=0.15)
    unit = "in ln y" if tested.relative else tested.metric
    left.set_xlabel(f"error on held-out sizes, {unit}", fontsize=SMALL + 0.5, color=INK)
    right.set_xlim(0, 1.05)
    right.xaxis.set_major_formatter(PercentFormatter(1.0))
    right.set_xlabel("held by the 95 % interval", fontsize=SMALL + 0.5, color=INK)
    return figure  # type: ignore[no-any-return]


def _colour(forecaster: Any) -> str:
    if forecaster == "mixture":
        return COLOURS[0]
    return QUIET if forecaster in BASELINES else COLOURS[5]
