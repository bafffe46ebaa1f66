"""Straight lines between checkpoints: theta(a) = (1 - a) theta_1 + a theta_2."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from scalefit.errors import LandscapeError
from scalefit.landscape.checkpoint import Loadable
from scalefit.landscape.family import Family, Loss, Meter, Mixer, check_finite, family, mixer
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.types import Floats

# What a curve of losses along a path says: barrier height, convexity gap, area, instability.
#
# All measures take curves of shape (..., points) at the positions `at` (points,) in [0, 1]. Sources:
# Frankle et al. 2020 (ICML, "Linear Mode Connectivity and the Lottery Ticket Hypothesis"), Entezari
# et al. 2022 (ICLR, "The Role of Permutation Invariance in Linear Mode Connectivity"), Juneja et al.
# 2023 (ICLR, "Linear Connectivity Reveals Generalization Strategies").


@dataclass(frozen=True, repr=False)
class Barrier(Result):
    """Measures of one path.

    Parameters
    ----------
    height : largest rise of the loss above the chord between the ends (Entezari et al. 2022), >= 0.
    where : position of that rise in [0, 1].
    gap : largest barrier over all sub-segments (Juneja et al. 2023), >= height; 0 exactly when the sampled curve is
        convex.
    area : integral of the rise above the chord, by trapezoids; dips below count nothing.
    instability : largest loss minus the mean of the ends (Frankle et al. 2020).

    Examples
    --------
    >>> from scalefit import landscape
    >>> print(landscape.barrier([1.0, 1.6, 1.0]))
    barrier 0.6 at 0.50 of the way · convexity gap 0.6 · area 0.3 · instability 0.6
    """

    BARE = True

    height: float
    where: float
    gap: float
    area: float
    instability: float

    @property
    def verdict(self) -> str:
        """All measures in one line."""
        return (
            f"barrier {self.height:.4g} at {self.where:.2f} of the way · convexity gap "
            f"{self.gap:.4g} · area {self.area:.4g} · instability {self.instability:.4g}"
        )

    notes = ()  # the verdict says it all

    def rows(self) -> list[Row]:
        """One row: all measures."""
        return [dict(vars(self))]


def barrier(losses: ArrayLike, at: ArrayLike | None = None) -> Barrier:
    """Measure the barrier on one path.

    Parameters
    ----------
    losses : array_like, shape (points,)
        Loss at the points of the path, both ends included; lower is better.
    at : array_like, shape (points,), optional
        Positions from 0 to 1; evenly spaced by default.

    Raises LandscapeError: where there are fewer than three points, or a loss is not finite.

    Examples
    --------
    >>> barrier([1.0, 2.0, 1.0]).height
    1.0
    """
    curve = np.asarray(losses, dtype=np.float64)
    if curve.ndim != 1 or curve.size < 3 or not np.isfinite(curve).all():
        raise LandscapeError(
            f"a barrier needs one curve of three or more finite losses, both ends included; "
            f"found shape {curve.shape}"
        )
    where = np.linspace(0, 1, curve.size) if at is None else np.asarray(at, dtype=np.float64)
    _check_positions(where, curve.size)
    rise = excess(curve, where)
    values = {kind: float(measured(curve, where)) for kind, measured in MEASURES.items()}
    return Barrier(
        height=values["barrier"],
        where=float(where[int(rise.argmax())]),
        gap=values["gap"],
        area=values["area"],
        instability=values["instability"],
    )


def _check_positions(at: Floats, size: int) -> None:
    if at.shape != (size,) or at[0] != 0 or at[-1] != 1 or (np.diff(at) <= 0).any():
        raise LandscapeError(
            f"positions must rise from 0 to 1, one a loss ({size}); found {at.tolist()}"
        )


def excess(curves: Floats, at: Floats) -> Floats:
    """Return the loss minus the chord between the ends, (..., points)."""
    return np.asarray(curves - (curves[..., :1] * (1 - at) + curves[..., -1:] * at))


def height(curves: Floats, at: Floats) -> Floats:
    """Return the largest rise above the chord; the ends make it at least 0."""
    inner = excess(curves, at)[..., 1:-1]
    return np.asarray(np.maximum(inner.max(axis=-1), 0.0))


def gap(curves: Floats, at: Floats) -> Floats:
    """Return the largest barrier over all sub-segments of the sampled path."""
    worst = np.zeros(curves.shape[:-1])
    for i in range(at.size - 2):
        for j in range(i + 2, at.size):
            part = (at[i : j + 1] - at[i]) / (at[j] - at[i])
            np.maximum(worst, height(curves[..., i : j + 1], part), out=worst)
    return worst


def area(curves: Floats, at: Floats) -> Floats:
    """Return the integral of the rise above the chord; dips below it count nothing."""
    rise = np.maximum(excess(curves, at), 0.0)
    result: Floats = ((rise[..., 1:] + rise[..., :-1]) / 2 * np.diff(at)).sum(axis=-1)
    return result


def instability(curves: Floats, at: Floats) -> Floats:
    """Return the largest loss minus the mean of the ends."""
    return np.asarray(curves.max(axis=-1) - (curves[..., 0] + curves[..., -1]) / 2)


def midpoint(curves: Floats, at: Floats) -> Floats:
    """Return the loss half way, interpolated where no point lies there."""
    right = int(np.searchsorted(at, 0.5))
    left = right if at[right] == 0.5 else right - 1
    share = 0.0 if left == right else (0.5 - at[left]) / (at[right] - at[left])
    return np.asarray((1 - share) * curves[..., left] + share * curves[..., right])


MEASURES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "barrier": height,
    "gap": gap,
    "area": area,
    "instability": instability,
    "midpoint": midpoint,
}


@dataclass(frozen=True, eq=False, repr=False)
class Path(Result):
    """Metrics along the straight line between two models.

    Parameters
    ----------
    at : array, shape (points,); positions from 0 (first model) to 1 (second).
    metrics : the first is the loss.
    values : array, shape (points, metrics)
    distance : Euclidean distance of the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit import landscape
    >>> bowl = lambda weights: float((weights["w"] ** 2).sum())
    >>> one, two = {"w": np.array([1.0, 0.0])}, {"w": np.array([-1.0, 0.0])}
    >>> landscape.paths([one, two], bowl, points=3)[0].curve().tolist()
    [1.0, 0.0, 1.0]
    """

    BARE = True

    names: tuple[str, str]
    at: Floats
    metrics: tuple[str, ...]
    values: Floats
    distance: float
    notes: tuple[str, ...]

    def curve(self, metric: str | None = None) -> Floats:
        """Return one metric at all positions; the loss by default."""
        return self.values[:, index_of(self.metrics, metric)]

    @property
    def barrier(self) -> Barrier:
        """Barrier of the loss."""
        return barrier(self.curve(), self.at)

    @property
    def verdict(self) -> str:
        """The path and its barrier."""
        return f"{self.names[0]} → {self.names[1]}: {self.barrier.verdict}"

    def rows(self) -> list[Row]:
        """One row a position: all metrics there."""
        curves = {name: self.curve(name).tolist() for name in self.metrics}
        at = enumerate(self.at.tolist())
        return [{"at": x, **{name: curves[name][i] for name in curves}} for i, x in at]

    def told(self) -> Row:
        """Return positions, curves and the barrier."""
        curves = {name: self.curve(name) for name in self.metrics}
        own = {"names": self.names, "at": self.at, "distance": self.distance}
        return {**own, "curves": curves, "barrier": self.barrier}


def index_of(metrics: Sequence[str], metric: str | None) -> int:
    """Return the place of a metric; the loss where none is named."""
    if metric is None:
        return 0
    if metric not in metrics:
        raise LandscapeError(f"no metric {metric!r}; the loss function gave {', '.join(metrics)}")
    return list(metrics).index(metric)


def positions(points: int | ArrayLike) -> Floats:
    """Return evenly spaced positions, or check given ones."""
    if isinstance(points, (int, np.integer)):
        at = np.linspace(0.0, 1.0, max(int(points), 0))
    else:
        at = np.asarray(points, dtype=np.float64)
    if at.ndim != 1 or at.size < 3 or at[0] != 0 or at[-1] != 1 or (np.diff(at) <= 0).any():
        raise LandscapeError(
            f"a path needs 3 or more points that rise from 0 to 1; found {points!r}; 11 is usual"
        )
    return at


def ends_at(at: ArrayLike) -> Floats:
    """Return the coefficients of both ends at some positions, (points, 2)."""
    where = np.asarray(at, dtype=np.float64)
    return np.stack([1 - where, where], axis=1)


def measured_along(meter: Meter, mix: Mixer, rows: Floats, names: Sequence[str]) -> Floats:
    """Evaluate mixtures, and refuse losses that are not finite."""
    values = meter.measure(mix, rows)
    check_finite(values[:, 0], rows, names)
    return values


def paths(
    checkpoints: Sequence[Loadable] | Mapping[str, Loadable],
    loss: Loss,
    *,
    points: int | ArrayLike = 11,
    pairs: Sequence[tuple[int, int]] | None = None,
) -> list[Path]:
    """Interpolate between checkpoints and evaluate along the way.

    Parameters
    ----------
    checkpoints : sequence or mapping of sources
        Files, folders or state dicts of one architecture; see :func:`load`.
    loss : takes weights (name -> array), returns a number or a mapping of metrics, the one called ``"loss"`` (or else
        the first) being the loss; may be marked :func:`batched`.
    points : int or positions, default 11
    pairs : which pairs; all by default.

    Raises LandscapeError: where the checkpoints do not fit together or a loss is not finite.

    Notes
    -----
    For many models use :func:`distances`, which evaluates each end once and can be resumed.
    Buffers (integer tensors, running statistics of batch normalisation) are the first model's.
    """
    models = family(checkpoints)
    wanted = list(combinations(range(len(models.members)), 2)) if pairs is None else list(pairs)
    meter, at = Meter(loss), positions(points)
    return [_path(models, meter, at, pair) for pair in wanted]


def _path(models: Family, meter: Meter, at: Floats, pair: tuple[int, int]) -> Path:
    mix = mixer(models, pair)
    names = (models.names[pair[0]], models.names[pair[1]])
    values = measured_along(meter, mix, ends_at(at), names)
    distance = float(np.sqrt(mix.products()[0, 0]))
    return Path(names, at, meter.metrics, values, distance, models.notes)
