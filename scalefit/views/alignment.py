"""Whether each corpus helps: quality above, cross-entropy below."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from scalefit.alignment import Alignment, AlignmentTable
from scalefit.alignment.curve import Curve
from scalefit.alignment.evidence.fall import FallTest
from scalefit.alignment.evidence.gather import Evidence
from scalefit.errors import DesignError
from scalefit.groups import group_names
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
    head,
    on_its_ground,
    picture,
    share_legend,
    tidy,
    token_axis,
)

QUALITY, LOSS, ALARM = COLOURS[0], COLOURS[2], COLOURS[1]
_MOST = 6


@on_its_ground
def plot_alignment(
    results: Alignment | AlignmentTable, *, ax: Axes | None = None, most: int = _MOST
) -> Picture:
    """Draw verdicts: one column a group and metric, worst first.

    Parameters
    ----------
    results : one verdict, or the table of all.
    ax : whose place the picture takes; by default it stands alone.
    most : columns at most; the rest is counted in the title.

    Raises DesignError: nothing is there to draw.

    Examples
    --------
    >>> import scalefit as sf
    >>> bleu = [20.0, 20.3, 19.9, 22.1, 21.8, 22.0, 23.2, 22.9, 23.1, 21.0, 21.3, 20.9]
    >>> sizes = [size for size in (1e6, 4e6, 16e6, 64e6) for seed in range(3)]
    >>> table = {"pretrain_tokens": sizes, "pretrain_seed": [1, 2, 3] * 4, "bleu": bleu}
    >>> len(sf.plot_alignment(sf.align(table)).axes)  # its loss stands below, where it was measured
    1
    """
    given = (results,) if isinstance(results, Alignment) else tuple(results)
    shown = [r for r in given if r.evidence is not None][:most]
    if not shown:
        raise DesignError("no group has two pretraining sizes, so there is nothing to draw")
    across = min(len(shown), 3)
    rows = -(-len(shown) // across)
    wide = across < 3
    heights = (3, 2) if any(r.evidence and r.evidence.loss for r in shown) else (3,)
    tall = 5.2 if len(heights) > 1 else 3.5
    figure = picture(max(4.6 * across, 5.4) if wide else 3.9 * across, tall * rows, ax)
    grid = figure.subplots(len(heights) * rows, across, squeeze=False, height_ratios=heights * rows)
    blocks = np.split(grid, rows)
    cells = [column for block in blocks for column in block.T]
    names = dict(zip(given, group_names([r.group for r in given]), strict=True))
    for column, result in zip(cells, shown, strict=False):
        _column(column, result, names[result] or result.name, wide=wide)
    for column in cells[len(shown) :]:
        for axes in column:
            axes.remove()
    marks = {
        label: h
        for column in cells[: len(shown)]
        for h, label in zip(*column[0].get_legend_handles_labels(), strict=True)
    }
    share_legend(figure, marks.values())
    left = len(given) - len(shown)
    if left:
        figure.suptitle(
            f"the worst {len(shown)}; {left} more not drawn", fontsize=SMALL, color=QUIET
        )
    return figure  # type: ignore[no-any-return]


def _column(axes: Any, result: Alignment, name: str, *, wide: bool) -> None:
    evidence = result.evidence
    assert evidence is not None
    width = 52 if wide else 38
    title = f"{textwrap.fill(name, width)}\n{textwrap.fill(result.headline, width)}"
    colour = ALARM if result.flag or result.verdict.alarm else INK
    head(axes[0], title, LARGE if wide else NORMAL, colour)
    _quality(axes[0], evidence)
    for below in axes[1:]:
        _loss(below, evidence)
        axes[0].sharex(below)
    for each in axes:
        tidy(each)
        token_axis(each)
    for above in axes[:-1]:
        above.set_xlabel("")
        above.tick_params(labelbottom=False)


def _quality(axes: Axes, evidence: Evidence) -> None:
    curve, sign = evidence.quality, evidence.scale.sign
    _measured(axes, curve, evidence.fall, QUALITY)
    if evidence.misfits:
        misfit = evidence.misfits[0]
        line = np.geomspace(curve.sizes[0], curve.sizes[-1], 120)
        label = f"{misfit.law} law"
        axes.plot(
            line, sign * misfit.fit.at(line), color=QUIET, lw=1, ls="--", label=label, zorder=1
        )
    if evidence.gain is not None:
        axes.axhline(evidence.gain.baseline, color=INK, lw=0.9, ls=":", label="no pretraining")
    if evidence.bend is not None and evidence.bend.sure:
        axes.axvspan(evidence.bend.low, evidence.bend.high, color=SHADE, zorder=0)
        axes.axvline(evidence.bend.size, color=ALARM, lw=1, label="leaves its law")
    if evidence.fall.sure:
        _mark_fall(axes, evidence)


def _mark_fall(axes: Axes, evidence: Evidence) -> None:
    i, j = evidence.fall.pair
    sizes, means = evidence.quality.sizes, evidence.quality.means
    arrow: dict[str, Any] = {"arrowstyle": "->", "color": ALARM, "lw": 1.4}
    axes.annotate("", xy=(sizes[j], means[j]), xytext=(sizes[i], means[i]), arrowprops=arrow)


def _loss(axes: Axes, evidence: Evidence) -> None:
    if evidence.loss is None or evidence.loss_fall is None:
        axes.text(0.5, 0.5, "no cross-entropy measured", transform=axes.transAxes, ha="center",
                  color=QUIET, fontsize=SMALL)  # fmt: skip
        return
    _measured(axes, evidence.loss, evidence.loss_fall, LOSS)
    if evidence.loss_gain is not None:
        axes.axhline(evidence.loss_gain.baseline, color=INK, lw=0.9, ls=":")


def _measured(axes: Axes, curve: Curve, noise: FallTest, colour: str) -> None:
    """Draw runs as points, means as a line, and a band of each mean's 95 % t interval; the axis names the metric."""
    for run in curve.values.T:
        axes.plot(curve.sizes, run, ls="", marker="o", ms=3, mfc="none", color=colour, alpha=0.6,
                  gid="runs", zorder=2)  # fmt: skip
    means = curve.means
    axes.plot(curve.sizes, means, color=colour, lw=1.6, marker="o", ms=4.5, zorder=3)
    half = noise.half_width(curve.runs)
    known = metric(curve.metric).up_to(float(np.nanmax(means)))
    low, high = np.maximum(means - half, known.lower), np.minimum(means + half, known.upper)
    axes.fill_between(curve.sizes, low, high, color=colour, alpha=0.15, lw=0)
    axes.set_ylabel(known.title, fontsize=SMALL, color=INK)
