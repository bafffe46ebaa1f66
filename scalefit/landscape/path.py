"""Straight lines between checkpoints: theta(a) = (1 - a) theta_1 + a theta_2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from scalefit.errors import LandscapeError
from scalefit.result import Result, Row
from scalefit.types import Floats

from .barriers import Barrier, barrier
from .checkpoint import Source
from .family import Family, family
from .mixing import Loss, Meter, Mixer, check_finite, mixer


@dataclass(frozen=True, eq=False, repr=False)
class Path(Result):
    """Metrics along the straight line between two models.

    Parameters
    ----------
    names : tuple of two str
    at : array, shape (points,)
        Positions from 0 (first model) to 1 (second).
    metrics : tuple of str
        The first is the loss.
    values : array, shape (points, metrics)
    distance : float
        Euclidean distance of the weights.
    notes : tuple of str

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit import landscape
    >>> bowl = lambda weights: float((weights["w"] ** 2).sum())
    >>> one, two = {"w": np.array([1.0, 0.0])}, {"w": np.array([-1.0, 0.0])}
    >>> landscape.paths([one, two], bowl, points=3)[0].curve().tolist()
    [1.0, 0.0, 1.0]
    """

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

    def lines(self) -> list[str]:
        """Return nothing: the verdict holds the barrier."""
        return []

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


def line(at: ArrayLike) -> Floats:
    """Return the coefficients of both ends at some positions, (points, 2)."""
    where = np.asarray(at, dtype=np.float64)
    return np.stack([1 - where, where], axis=1)


def measure(meter: Meter, mix: Mixer, rows: Floats, names: Sequence[str]) -> Floats:
    """Evaluate mixtures, and refuse losses that are not finite."""
    values = meter.measure(mix, rows)
    check_finite(values[:, 0], rows, names)
    return values


def paths(
    checkpoints: Sequence[Source] | Mapping[str, Source],
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
    loss : callable
        Takes weights (name -> array), returns a number or a mapping of metrics, the one called
        ``"loss"`` (or else the first) being the loss; may be marked :func:`batched`.
    points : int or positions, default 11
    pairs : sequence of (int, int), optional
        Which pairs; all by default.

    Returns
    -------
    list of Path

    Raises
    ------
    LandscapeError
        Where the checkpoints do not fit together or a loss is not finite.

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
    values = measure(meter, mix, line(at), names)
    distance = float(np.sqrt(mix.products()[0, 0]))
    return Path(names, at, meter.metrics, values, distance, models.notes)
