"""Pictures of the loss landscape: paths, distances, basins, planes, and what they foretell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from scalefit.landscape import Clusters, Distances, Plane, Prediction
from scalefit.landscape.basins import square_of
from scalefit.types import Floats
from scalefit.views.style import (
    COLOURS,
    GRID,
    INK,
    LARGE,
    MARKERS,
    NORMAL,
    PAPER,
    QUIET,
    SMALL,
    Picture,
    canvas,
    key,
    on_its_ground,
    picture,
    stroke,
    tidy,
)

_SCALE = "viridis"


def _titled(axes: Axes, title: str, x: str = "", y: str = "") -> None:
    axes.set_title(title, fontsize=LARGE, color=INK, loc="left")
    axes.set_xlabel(x, fontsize=NORMAL, color=INK)
    axes.set_ylabel(y, fontsize=NORMAL, color=INK)


def _bar(drawn: Picture, artist: Any, axes: Axes, label: str) -> None:
    bar = drawn.colorbar(artist, ax=axes, shrink=0.85, format="%.2g")
    bar.set_label(label, fontsize=NORMAL, color=INK)
    bar.ax.tick_params(labelsize=SMALL, colors=QUIET, labelcolor=INK)


@on_its_ground
def plot_paths(
    distances: Distances,
    scores: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    label: str = "score",
) -> Picture | Axes:
    """Draw the loss along all paths.

    Parameters
    ----------
    distances : with curves (made with a loss).
    scores : Out-of-domain scores: paths are coloured by how much those of their ends differ.
    label : what the scores are.
    """
    drawn, axes = canvas(6.4, 4.0, ax)
    curves = distances.curves[:, :, 0]
    faint = max(0.08, min(0.8, 12 / len(curves)))
    if scores is None:
        axes.plot(distances.at, curves.T, color=COLOURS[0], alpha=faint, linewidth=1)
    else:
        _coloured_paths(drawn, axes, distances, np.asarray(scores, float), f"difference in {label}")
    tidy(axes)
    axes.set_xlim(0, 1)
    head = f"{len(curves)} straight paths between {len(distances.names)} models"
    _titled(axes, head, "position between first and second model", distances.metrics[0])
    return drawn if ax is None else axes


def _coloured_paths(
    drawn: Picture, axes: Axes, distances: Distances, scores: Floats, label: str
) -> None:
    """Draw the likest pairs last, so that neither kind hides the other."""
    rows, columns = np.array(distances.pairs).T
    apart = np.abs(scores[rows] - scores[columns])
    colours = ScalarMappable(Normalize(0, float(apart.max()) or 1.0), _SCALE)
    shades = colours.to_rgba(apart)
    for place in np.random.default_rng(0).permutation(len(apart)):
        axes.plot(
            distances.at,
            distances.curves[place, :, 0],
            color=shades[place],
            alpha=0.5,
            linewidth=0.9,
        )
    _bar(drawn, colours, axes, label)


@on_its_ground
def plot_distances(
    distances: Distances, order: ArrayLike | None = None, *, ax: Axes | None = None
) -> Picture | Axes:
    """Draw the matrix of distances.

    Parameters
    ----------
    order : array_like, shape (n,), optional; models are sorted by it: their scores, or their basins.
    """
    names, square = square_of(distances)
    places = (
        np.arange(len(names)) if order is None else np.argsort(np.asarray(order), kind="stable")
    )
    drawn, axes = canvas(5.4, 4.4, ax)
    image = axes.imshow(square[np.ix_(places, places)], cmap=_SCALE, interpolation="nearest")
    _bar(drawn, image, axes, distances.kind)
    _titled(axes, f"{distances.kind} between {len(names)} models")
    if len(names) <= 16:
        labels = [names[place] for place in places]
        axes.set_yticks(range(len(names)), labels, fontsize=SMALL)
        axes.set_xticks(range(len(names)), labels, fontsize=SMALL, rotation=90)
    else:
        axes.set_xticks([])
        axes.set_yticks([])
    return drawn if ax is None else axes


@on_its_ground
def plot_basins(
    clusters: Clusters,
    scores: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    label: str = "out-of-domain score",
) -> Picture | Axes:
    """Draw models by classical scaling of their distances: colour is the score, marker the basin.

    Parameters
    ----------
    scores : array_like, shape (n,), optional; by default models have the colour of their basin.
    label : what the scores are.
    """
    values = np.asarray(clusters.labels if scores is None else scores, float)
    drawn, axes = canvas(5.8, 4.4, ax)
    scale = Normalize(float(values.min()), float(values.max()))
    keys = []
    for basin in range(clusters.number):
        own, marker = clusters.labels == basin, MARKERS[basin % len(MARKERS)]
        x, y = clusters.embedding[own].T
        edge: dict[str, Any] = {"edgecolors": INK, "linewidths": 0.5, "s": 42.0}
        axes.scatter(x, y, c=values[own], cmap=_SCALE, norm=scale, marker=marker, **edge)
        name = f"basin {basin + 1} ({own.sum()} models)"
        keys.append(Line2D([], [], marker=marker, color=QUIET, linestyle="", label=name))
    if scores is not None:
        _bar(drawn, ScalarMappable(scale, _SCALE), axes, label)
    tidy(axes)
    axes.set_aspect("equal", adjustable="datalim")
    if clusters.number > 1:
        key(axes, keys, own=ax is None, columns=3)
    number = f"{clusters.number} basins" if clusters.number > 1 else "one basin"
    heading = f"{number}; against a single cloud p = {clusters.p_one:.2g}"
    _titled(axes, heading, "first axis of the distances", "second axis")
    return drawn if ax is None else axes


@on_its_ground
def plot_plane(
    plane: Plane, metric: str | None = None, *, ax: Axes | None = None
) -> Picture | Axes:
    """Draw a metric over the plane through three models; the loss by default.

    Colours end at what is worst between the models, so that rims do not drown the basins.
    """
    surface = np.ma.masked_invalid(plane.surface(metric))
    drawn, axes = canvas(5.8, 4.6, ax)
    low, high = float(surface.min()), float(np.quantile(surface.compressed(), 0.9))
    levels = np.linspace(low, high if high > low else low + 1, 15)
    filled = axes.contourf(plane.x, plane.y, surface, levels=levels, cmap=_SCALE, extend="max")
    axes.contour(plane.x, plane.y, surface, levels=levels, colors=PAPER, linewidths=0.3)
    _bar(drawn, filled, axes, metric or plane.metrics[0])
    axes.plot(*plane.corners[[0, 1, 2, 0]].T, color=PAPER, linewidth=1, linestyle=":")
    x, y = plane.corners.T
    axes.scatter(x, y, color=PAPER, edgecolors=INK, s=48, zorder=3)
    for name, corner in zip(plane.names, plane.corners, strict=True):
        axes.annotate(
            name, corner, xytext=(6, 6), textcoords="offset points", color=PAPER, fontsize=SMALL
        )
    axes.set_aspect("equal")
    _titled(axes, "plane through three models", "Euclidean distance", "Euclidean distance")
    return drawn if ax is None else axes


@on_its_ground
def plot_foresight(
    prediction: Prediction,
    *,
    ax: Axes | None = None,
    label: str = "out-of-domain score",
) -> Picture:
    """Draw scores against their leave-one-out predictions, and all predictors' correlations."""
    drawn = picture(9.0, 4.0, ax)
    left, right = drawn.subplots(1, 2, gridspec_kw={"width_ratios": [1, 1.1]})
    groups = list(dict.fromkeys(prediction.groups))
    for number, group in enumerate(groups):
        own = np.array([g == group for g in prediction.groups])
        name = "" if group is None else str(group)
        x, y = prediction.predicted[own], prediction.scores[own]
        left.scatter(x, y, label=name, s=24, alpha=0.7, **stroke(number))
    ends = [
        min(prediction.scores.min(), prediction.predicted.min()),
        max(prediction.scores.max(), prediction.predicted.max()),
    ]
    left.plot(ends, ends, color=QUIET, linewidth=1, linestyle="--", zorder=0)
    tidy(left)
    if 1 < len(groups) <= 10:
        key(left, own=True, columns=5)
    _titled(left, "each model predicted from its neighbours", f"predicted {label}", label)
    _draw_predictors(right, prediction)
    return drawn  # type: ignore[no-any-return]


def _draw_predictors(axes: Axes, prediction: Prediction) -> None:
    """Draw one bar a predictor, with the mark that shuffled scores exceed in 5 % of cases."""
    rows: Sequence[Any] = prediction.predictors[::-1]
    places = np.arange(len(rows))
    colours = [COLOURS[5] if row.baseline else COLOURS[0] for row in rows]
    axes.barh(places, [row.r for row in rows], color=colours, height=0.62)
    for place, row in zip(places, rows, strict=True):
        axes.plot([row.null] * 2, [place - 0.36, place + 0.36], color=COLOURS[1], linewidth=1.6)
    axes.axvline(0, color=INK, linewidth=0.8)
    tidy(axes)
    axes.grid(False, axis="y")
    axes.set_yticks(places, [row.name for row in rows], fontsize=SMALL)
    axes.set_xlim(-1.02, 1.02)
    _titled(axes, "leave-one-out r (baselines pale)", "orange: shuffled scores, 95 % below")
    axes.grid(True, axis="x", color=GRID)
