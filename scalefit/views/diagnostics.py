"""Pictures that question a fit: its residuals, what each point does to it, two parameters together, a forest of one."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from scalefit.errors import DomainError
from scalefit.fitting.contour import Contour
from scalefit.fitting.goodness import Influence
from scalefit.fitting.many import Fits
from scalefit.fitting.result import Fit
from scalefit.groups import group_name, group_names
from scalefit.table import metric as metric_of
from scalefit.units import format_count, short
from scalefit.views.curves import in_words
from scalefit.views.plots import plot_fit, plot_fits
from scalefit.views.style import (
    COLOURS,
    INK,
    NORMAL,
    PAPER,
    QUIET,
    SHADE,
    SHADES,
    SMALL,
    Theme,
    canvas,
    on_its_ground,
    one_a_line,
    tidy,
    token_axis,
)
from scalefit.views.surface import plot_inputs

FitKind = Literal["curve", "slices", "residuals", "influence", "contour"]
FitsKind = Literal["curves", "forest"]
_LEVELS = (0.5, 0.8, 0.95)


def plot_one(fit: Fit, *, kind: FitKind = "curve", ax: Axes | None = None, **options: Any) -> Any:
    """Draw a fit: its curve, or one of the pictures that question it.

    Parameters
    ----------
    kind : {"curve", "slices", "residuals", "influence", "contour"}; see :func:`plot_fit` (``slices`` where the law
        takes several inputs), :func:`plot_residuals`, :func:`plot_influence` and :func:`plot_contour`.
    **options : of that picture.

    Raises DomainError: no such kind.
    """
    kinds: dict[str, Callable[..., Any]] = {
        "curve": plot_fit,
        "slices": partial(plot_inputs, slices=True),
        "residuals": plot_residuals,
        "influence": lambda f, **o: plot_influence(f.influence(), **o),
        "contour": _contour_of,
    }
    return _one_of(kinds, kind)(fit, ax=ax, **options)


def plot_each(
    fits: Fits, *, kind: FitsKind = "curves", ax: Axes | None = None, **options: Any
) -> Any:
    """Draw fits: their curves as small multiples, or one parameter over the groups.

    Parameters
    ----------
    kind : {"curves", "forest"}; see :func:`plot_fits` and :func:`plot_forest`.
    **options : of that picture.

    Raises DomainError: no such kind.
    """
    kinds: dict[str, Callable[..., Any]] = {"curves": plot_fits, "forest": plot_forest}
    return _one_of(kinds, kind)(fits, ax=ax, **options)


def _one_of(kinds: dict[str, Callable[..., Any]], kind: str) -> Callable[..., Any]:
    if kind not in kinds:
        raise DomainError(f"found kind={kind!r}; needed one of {', '.join(map(repr, kinds))}")
    return kinds[kind]


@on_its_ground
def plot_residuals(fit: Fit, *, ax: Axes | None = None) -> Any:
    """Draw what each point lies off the curve, over its first input; the band is twice the typical error.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
    >>> sf.fit(table, "bleu", "log").plot(kind="residuals").axes[0].get_ylabel()
    'BLEU − curve'
    """
    figure, axes = canvas(6.4, 3.2, ax)
    x, error = fit.points.inputs[0], fit.typical_error
    if np.isfinite(error):
        axes.axhspan(-2 * error, 2 * error, color=SHADE, lw=0, zorder=0, gid="typical")
    axes.axhline(0, color=INK, lw=0.8)
    axes.plot(x, fit.residuals, "o", color=COLOURS[0], ms=5, mfc=PAPER, mew=1.3, gid="residuals")
    sizes, label = np.unique(x, return_inverse=True)
    means = np.bincount(label, fit.residuals) / np.bincount(label)
    if sizes.size < x.size:
        axes.plot(sizes, means, color=COLOURS[1], lw=1.5, marker="_", ms=12, gid="means")
    tidy(axes)
    if (x > 0).all():
        token_axis(axes, in_words(next(iter(fit.observations.columns.values()))))
    axes.set_ylabel(f"{metric_of(fit.metric).title} − curve", fontsize=NORMAL, color=INK)
    seen = f"; {fit.misfit.line}" if fit.misfit.seen else ""
    line = "; line: mean of each size" if sizes.size < x.size else ""
    title = textwrap.fill(f"residuals of the {fit.law.name} law{line}{seen}", 72)
    axes.set_title(title, fontsize=NORMAL, loc="left")
    return figure if ax is None else axes


@on_its_ground
def plot_influence(influence: Influence, *, ax: Axes | None = None) -> Any:
    """Draw how far the curve moves without each point (Cook's distance); the heaviest is named.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
    >>> sf.fit(table, "bleu", "log").influence().plot().axes[0].get_ylabel()
    'Cook distance'
    """
    figure, axes = canvas(6.4, 3.2, ax)
    name, sizes = next(iter(influence.inputs.items()))
    units, first = np.unique(influence.left_out, return_index=True)
    alone = units.size == influence.value.size
    each = influence.distance
    x, distance = (sizes, each) if alone else (units + 1.0, each[first])
    # In logs the heaviest of many would be told from the lightest alone; near one another they are read as they are.
    least, most = float(distance.min()), float(distance.max())
    logs = least > 0 and most > 10 * least
    bottom = least / 3 if logs else 0.0
    axes.vlines(x, bottom, distance, color=COLOURS[0], lw=1.2, alpha=0.5)
    axes.plot(x, distance, "o", color=COLOURS[0], ms=5, gid="distance")
    axes.axhline(1, color=QUIET, lw=0.9, ls="--", gid="one")
    if alone:
        _name_heaviest(axes, influence, x)
    tidy(axes)
    if logs:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylim(bottom, most * (3 if logs else 1.2) or 1.0)
    if alone:
        token_axis(axes, in_words(name))
    else:
        axes.set_xticks(x)
        axes.set_xlim(0.5, x[-1] + 0.5)
        axes.set_xlabel("pretraining run left out", fontsize=NORMAL, color=INK)
    axes.set_ylabel("Cook distance", fontsize=NORMAL, color=INK)
    what = "point" if alone else "run"
    name = group_name(influence.group)
    title = f"how far the curve moves without each {what}{name and f' · {name}'}"
    axes.set_title(title, fontsize=NORMAL, loc="left")
    return figure if ax is None else axes


def _name_heaviest(axes: Axes, influence: Influence, x: Any) -> None:
    i = influence.heaviest
    said = f"without it: {short(influence.without[i])}, measured {short(influence.value[i])}"
    right = x[i] > np.sqrt(x.min() * x.max())
    axes.annotate(
        said, (x[i], influence.distance[i]), (-8 if right else 8, 0), textcoords="offset points",
        ha="right" if right else "left", va="center", fontsize=SMALL, color=INK,
    )  # fmt: skip


def _contour_of(
    fit: Fit,
    *,
    parameters: tuple[str, str] | None = None,
    ax: Axes | None = None,
    theme: Theme | None = None,
    **options: Any,
) -> Any:
    """Draw the contour of two parameters, by default the first two that the data fix."""
    fixed = [name for name in fit.params if name not in fit.not_identified]
    pair = parameters or tuple(fixed[:2])
    if len(pair) != 2:
        raise DomainError(
            f"found {len(fixed)} identified parameters of {fit.law.name!r}; a contour needs two"
        )
    return plot_contour(fit.contour(*pair, **options), ax=ax, theme=theme)


@on_its_ground
def plot_contour(contour: Contour, *, ax: Axes | None = None) -> Any:
    """Draw the regions of two parameters at 50, 80 and 95 %, and their estimates.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes, losses = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6], [4.05, 3.37, 2.93, 2.62, 2.43, 2.30]
    >>> fit = sf.fit({"pretrain_tokens": sizes, "cross_entropy": losses}, "cross_entropy", "power")
    >>> fit.plot(kind="contour", parameters=("alpha", "E")).axes[0].get_xlabel()
    'alpha'
    """
    figure, axes = canvas(4.8, 4.0, ax)
    axes.contourf(
        contour.first, contour.second, contour.confidence, levels=(0, *_LEVELS), colors=SHADES
    )
    drawn = axes.contour(
        contour.first, contour.second, contour.confidence, levels=_LEVELS, colors=COLOURS[0],
        linewidths=1.1,
    )  # fmt: skip
    drawn.set_gid("regions")
    axes.clabel(drawn, fmt=lambda level: f"{level:.0%}", fontsize=SMALL, colors=INK)
    a, b = contour.best
    axes.plot([a], [b], "+", color=INK, ms=9, mew=1.6, gid="best")
    tidy(axes)
    a_name, b_name = contour.names
    for values, scale in ((contour.first, axes.set_xscale), (contour.second, axes.set_yscale)):
        if values[0] > 0 and values[-1] > 20 * values[0]:
            scale("log")
    axes.set_xlabel(a_name, fontsize=NORMAL, color=INK)
    axes.set_ylabel(b_name, fontsize=NORMAL, color=INK)
    axes.set_title(contour.verdict.split(":")[0], fontsize=NORMAL, loc="left")
    return figure if ax is None else axes


@on_its_ground
def plot_forest(fits: Fits, *, parameter: str, level: float = 0.95, ax: Axes | None = None) -> Any:
    """Draw one parameter over the groups: estimate and interval; what the data do not fix is a hollow mark.

    Parameters
    ----------
    parameter : its name.
    level : confidence of the intervals.

    Raises DomainError: the law has no such parameter, or no group has a fit.

    Examples
    --------
    >>> import scalefit as sf
    >>> sizes, loss = [1e6, 4e6, 16e6, 64e6, 256e6], [4.05, 3.37, 2.93, 2.62, 2.43]
    >>> table = {"pretrain_tokens": sizes * 2, "corpus": ["fr"] * 5 + ["en"] * 5, "cross_entropy": loss * 2}
    >>> picture = sf.fit_each(table, "cross_entropy", "power").plot(kind="forest", parameter="alpha")
    >>> [label.get_text() for label in picture.axes[0].get_yticklabels()]
    ['en', 'fr']
    """
    known = fits[0].params if len(fits) else {}
    if parameter not in known:
        raise DomainError(
            f"found parameter={parameter!r}; needed one of {', '.join(known) or 'a fit'}"
        )
    figure, axes = canvas(6.4, 1.2 + 0.34 * len(fits), ax)
    rows = [(fit.intervals(level)[parameter], parameter in fit.not_identified) for fit in fits]
    left, right = _window(rows)
    for i, (interval, lost) in enumerate(rows):
        colour = QUIET if lost else COLOURS[0]
        ends = np.clip([interval.low, interval.high], left, right)
        axes.plot(ends, [i, i], color=colour, lw=2, alpha=0.55, gid="interval")
        for end, known_end, mark in ((ends[0], interval.low, "<"), (ends[1], interval.high, ">")):
            if end != known_end:  # goes on beyond the picture
                axes.plot([end], [i], mark, color=colour, ms=5, clip_on=False)
        if left <= interval.estimate <= right:
            face = PAPER if lost else colour
            axes.plot([interval.estimate], [i], "o", color=colour, ms=6, mfc=face, gid="estimate")
    one_a_line(axes, group_names([fit.group for fit in fits]))
    axes.set_xlim(left, right)
    if parameter in fits[0].law.sizes:
        axes.xaxis.set_major_formatter(lambda value, _: format_count(value))
    axes.set_xlabel(f"{parameter} of the {fits[0].law.name} law", fontsize=NORMAL, color=INK)
    hollow = "; hollow: not identified" if any(lost for _, lost in rows) else ""
    axes.set_title(
        f"{metric_of(fits[0].metric).title}, {level:.0%} intervals{hollow}",
        fontsize=NORMAL,
        loc="left",
    )
    return figure if ax is None else axes


def _window(rows: list[tuple[Any, bool]]) -> tuple[float, float]:
    """Return ends that show every identified interval, or every estimate where none is."""
    sure = [interval for interval, lost in rows if not lost]
    ends = [e for i in sure for e in (i.low, i.high, i.estimate)] or [i.estimate for i, _ in rows]
    known = [e for e in ends if np.isfinite(e)] or [0.0, 1.0]
    room = 0.06 * (max(known) - min(known)) or 0.5
    return min(known) - room, max(known) + room
