"""The picture of an alignment: quality above, cross-entropy below, the verdict in the title."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalefit.alignment import Alignment, AlignmentTable
from scalefit.errors import DesignError
from scalefit.table.metrics import metric
from scalefit.views.style import (
    COLOURS,
    INK,
    LARGE,
    NORMAL,
    QUIET,
    SHADE,
    SMALL,
    Picture,
    picture,
    tidy,
    token_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scalefit.alignment.cells import Cells
    from scalefit.alignment.evidence import Evidence
    from scalefit.alignment.falltest import FallTest

Floats = NDArray[np.float64]
QUALITY, LOSS, ALARM = COLOURS[0], COLOURS[2], COLOURS[1]
MOST = 6


def plot_alignment(results: Alignment | AlignmentTable, *, most: int = MOST) -> Picture:
    """Draw verdicts: one column a group and metric, worst first.

    Parameters
    ----------
    results
        One verdict, or the table of all.
    most
        Columns at most; the rest is counted in the title.

    Raises
    ------
    DesignError
        Nothing is there to draw.
    """
    given = (results,) if isinstance(results, Alignment) else tuple(results)
    shown = [r for r in given if r.evidence is not None][:most]
    if not shown:
        raise DesignError("no group has two pretraining sizes, so there is nothing to draw")
    figure = picture(max(4.6 * len(shown), 5.4) if len(shown) < 3 else 3.5 * len(shown), 5.2)
    grid = figure.subplots(2, len(shown), sharex="col", squeeze=False, height_ratios=(3, 2))
    for column, result in enumerate(shown):
        _column(grid[:, column], result, wide=len(shown) < 3)
    left = len(given) - len(shown)
    if left:
        figure.suptitle(
            f"the worst {len(shown)}; {left} more not drawn", fontsize=SMALL, color=QUIET
        )
    return figure


def _column(axes: Any, result: Alignment, *, wide: bool) -> None:
    found = result.evidence
    assert found is not None
    width = 52 if wide else 34
    title = f"{textwrap.fill(result.name, width)}\n{textwrap.fill(result.headline, width)}"
    colour = ALARM if result.flag or result.verdict in ("deteriorating", "harmful") else INK
    axes[0].set_title(title, fontsize=LARGE if wide else NORMAL, color=colour, loc="left")
    _quality(axes[0], found)
    _loss(axes[1], found)
    for each in axes:
        tidy(each)
        token_axis(each)
    axes[0].set_xlabel("")
    axes[0].legend(fontsize=SMALL, frameon=False, loc="best")


def _quality(axes: Axes, found: Evidence) -> None:
    curve, sign = found.quality, found.scale.sign
    _measured(axes, curve, found.fall, QUALITY, metric(curve.metric).title)
    if found.lack:
        fit = found.lack[0]
        line = np.geomspace(curve.sizes[0], curve.sizes[-1], 120)
        label = f"{fit.law} law"
        axes.plot(
            line, sign * fit.curve.at(line), color=QUIET, lw=1, ls="--", label=label, zorder=1
        )
    if found.value is not None:
        axes.axhline(found.value.baseline, color=INK, lw=0.9, ls=":", label="no pretraining")
    if found.bend is not None and found.bend.found:
        axes.axvspan(found.bend.low, found.bend.high, color=SHADE, zorder=0)
        axes.axvline(found.bend.size, color=ALARM, lw=1, label="leaves its law")
    if found.fall.found:
        _mark_fall(axes, found)


def _mark_fall(axes: Axes, found: Evidence) -> None:
    i, j = found.fall.pair
    sizes, means = found.quality.sizes, found.quality.means
    arrow: dict[str, Any] = {"arrowstyle": "->", "color": ALARM, "lw": 1.4}
    axes.annotate("", xy=(sizes[j], means[j]), xytext=(sizes[i], means[i]), arrowprops=arrow)


def _loss(axes: Axes, found: Evidence) -> None:
    if found.loss is None or found.loss_fall is None:
        axes.text(0.5, 0.5, "no cross-entropy measured", transform=axes.transAxes, ha="center",
                  color=QUIET, fontsize=SMALL)  # fmt: skip
        return
    _measured(axes, found.loss, found.loss_fall, LOSS, metric(found.loss.metric).title)
    if found.loss_value is not None:
        axes.axhline(found.loss_value.baseline, color=INK, lw=0.9, ls=":")


def _measured(axes: Axes, curve: Cells, noise: FallTest, colour: str, label: str) -> None:
    """Draw runs as points, means as a line, and a band of each mean's 95 % t interval."""
    for run in curve.values.T:
        axes.plot(curve.sizes, run, ls="", marker="o", ms=3, mfc="none", color=colour, alpha=0.6,
                  gid="runs", zorder=2)  # fmt: skip
    means = curve.means
    axes.plot(curve.sizes, means, color=colour, lw=1.6, marker="o", ms=4.5, label=label, zorder=3)
    half = noise.half_width(curve.runs)
    known = metric(curve.metric)
    low, high = np.maximum(means - half, known.lower), np.minimum(means + half, known.upper)
    axes.fill_between(curve.sizes, low, high, color=colour, alpha=0.15, lw=0)
    axes.set_ylabel(label, fontsize=SMALL, color=INK)
