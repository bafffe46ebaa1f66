"""The plane through three models: where their basins lie to each other (Garipov et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from scalefit.errors import LandscapeError
from scalefit.result import Result, Row
from scalefit.types import Floats

from .checkpoint import Source
from .family import Loss, Meter, family, mixer
from .path import index_of

_FLAT = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class Plane(Result):
    """Metrics over the plane through three models.

    Parameters
    ----------
    names : tuple of three str
    x, y : array, shape (size,)
        Euclidean coordinates: the first model at the origin, the second on the x axis.
    corners : array, shape (3, 2)
        Where the models lie.
    metrics : tuple of str
    values : array, shape (size of y, size of x, metrics)
    notes : tuple of str

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit import landscape
    >>> models = [{"w": np.array(w)} for w in ([0.0, 0.0], [1.0, 0.0], [0.0, 1.0])]
    >>> bowl = lambda weights: float((weights["w"] ** 2).sum())
    >>> landscape.plane(models, bowl, size=5, progress=False).surface().shape
    (5, 5)
    """

    names: tuple[str, str, str]
    x: Floats
    y: Floats
    corners: Floats
    metrics: tuple[str, ...]
    values: Floats
    notes: tuple[str, ...]

    def surface(self, metric: str | None = None) -> Floats:
        """Return one metric, (size of y, size of x); the loss by default."""
        return self.values[:, :, index_of(self.metrics, metric)]

    @property
    def verdict(self) -> str:
        """The models, and the range of the loss."""
        low, high = self.surface().min(), self.surface().max()
        models = ", ".join(self.names)
        return (
            f"plane through {models}: loss from {low:.4g} to {high:.4g} on {self.values.shape[:2]}"
        )

    def rows(self) -> list[Row]:
        """One row a point: where it lies, all metrics there."""
        return [
            {"x": x, "y": y, **dict(zip(self.metrics, self.values[i, j].tolist(), strict=True))}
            for i, y in enumerate(self.y.tolist())
            for j, x in enumerate(self.x.tolist())
        ]

    def lines(self) -> list[str]:
        """Return nothing: a surface is looked at, see :meth:`plot`."""
        return []

    def told(self) -> Row:
        """Return axes, corners and surfaces."""
        surfaces = {name: self.surface(name) for name in self.metrics}
        own = {"names": self.names, "x": self.x, "y": self.y, "corners": self.corners}
        return {**own, "surfaces": surfaces}


def plane(
    checkpoints: Sequence[Source] | Mapping[str, Source],
    loss: Loss,
    *,
    size: int = 21,
    margin: float = 0.25,
    progress: bool = True,
) -> Plane:
    """Evaluate the plane through three models.

    Parameters
    ----------
    checkpoints : three sources
    loss : callable
        See :func:`paths`.
    size : int, default 21
        Points along each axis; the loss is evaluated size² times.
    margin : float, default 0.25
        How far the picture reaches beyond the models, as a share of their extent.
    progress : bool, default True

    Raises
    ------
    LandscapeError
        Where there are not three models, or they lie on one line.

    Notes
    -----
    Losses beyond the models may be infinite; they are kept as they are.
    """
    models = family(checkpoints, least=3)
    if len(models.members) != 3:
        raise LandscapeError(f"a plane goes through 3 models; found {len(models.members)}")
    mix, meter = mixer(models, range(3)), Meter(loss)
    corners = _corners(mix.products())
    x, y = (_axis(corners[:, k], size, margin) for k in (0, 1))
    values = []
    for height in tqdm(y, desc="plane", unit="row", delay=2, disable=not progress):
        values.append(meter.measure(mix, _coefficients(x, float(height), corners)))
    first, second, third = models.names
    names = (first, second, third)
    return Plane(names, x, y, corners, meter.metrics, np.array(values), models.notes)


def _corners(gram: Floats) -> Floats:
    """Return the models' coordinates by Gram–Schmidt on the two differences."""
    long = np.sqrt(gram[0, 0])
    along = gram[0, 1] / long if long > 0 else 0.0
    aside = gram[1, 1] - along**2
    if long <= 0 or aside <= _FLAT * gram[1, 1]:
        raise LandscapeError("the three models lie on one line (two may be the same): no plane")
    return np.array([[0.0, 0.0], [long, 0.0], [along, np.sqrt(aside)]])


def _axis(corners: Floats, size: int, margin: float) -> Floats:
    low, high = corners.min(), corners.max()
    rim = margin * (high - low)
    return np.linspace(low - rim, high + rim, size)


def _coefficients(x: Floats, y: float, corners: Floats) -> Floats:
    """Return the shares of the three models at points of one row, (points, 3)."""
    third = y / corners[2, 1]
    second = (x - third * corners[2, 0]) / corners[1, 0]
    return np.stack([1 - second - third, second, np.full_like(x, third)], axis=1)
