"""Around the models: the plane through three of them (Garipov et al. 2018), and how sharply the loss rises at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from tqdm.auto import tqdm

from scalefit.errors import LandscapeError
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.types import Floats

from .checkpoint import Loadable
from .family import Family, Loss, Meter, family, mixer
from .path import ends_at, index_of, measured_along

_FLAT = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class Plane(Result):
    """Metrics over the plane through three models.

    Parameters
    ----------
    x, y : array, shape (size,); Euclidean coordinates: the first model at the origin, the second on the x axis.
    corners : array, shape (3, 2); where the models lie.
    values : array, shape (size of y, size of x, metrics)

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit import landscape
    >>> models = [{"w": np.array(w)} for w in ([0.0, 0.0], [1.0, 0.0], [0.0, 1.0])]
    >>> bowl = lambda weights: float((weights["w"] ** 2).sum())
    >>> landscape.plane(models, bowl, size=5, progress=False).surface().shape
    (5, 5)
    """

    BARE = True

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

    def told(self) -> Row:
        """Return axes, corners and surfaces."""
        surfaces = {name: self.surface(name) for name in self.metrics}
        own = {"names": self.names, "x": self.x, "y": self.y, "corners": self.corners}
        return {**own, "surfaces": surfaces}


def plane(
    checkpoints: Sequence[Loadable] | Mapping[str, Loadable],
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
    loss : see :func:`paths`.
    size : points along each axis; the loss is evaluated size² times.
    margin : how far the picture reaches beyond the models, as a share of their extent.

    Raises LandscapeError: where there are not three models, or they lie on one line.

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
    # From inner products alone: axes of a billion weights each are never held.
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


@dataclass(frozen=True, eq=False, repr=False)
class Sharpness(Result):
    """Curvature of the loss at both ends of paths.

    Parameters
    ----------
    pairs : tuple of (int, int)
    curvature : (pairs, 2), second derivative by Euclidean distance at the first and second end of every path.
    step : the share of the path over which it was measured.

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit import landscape
    >>> bowl = lambda weights: float((weights["w"] ** 2).sum())
    >>> models = {"a": {"w": np.array([1.0])}, "b": {"w": np.array([-1.0])}}
    >>> landscape.sharpness(models, bowl).to_frame()["curvature"].round(3).tolist()
    [2.0, 2.0]
    """

    names: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    curvature: Floats
    step: float

    @property
    def of_models(self) -> Floats:
        """Mean curvature of every model over its paths, (n,); NaN for a model without any."""
        total, count = np.zeros(len(self.names)), np.zeros(len(self.names))
        for pair, values in zip(self.pairs, self.curvature, strict=True):
            for model, value in zip(pair, values, strict=True):
                total[model] += value
                count[model] += 1
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    @property
    def verdict(self) -> str:
        """The flattest and the sharpest model."""
        values = self.of_models
        flat, sharp = self.names[int(np.nanargmin(values))], self.names[int(np.nanargmax(values))]
        return (
            f"curvature along paths: flattest {flat} ({np.nanmin(values):.3g}), "
            f"sharpest {sharp} ({np.nanmax(values):.3g})"
        )

    notes = ()  # the verdict says it all

    def rows(self) -> list[Row]:
        """One row a model: its mean curvature."""
        pairs = zip(self.names, self.of_models.tolist(), strict=True)
        return [{"model": name, "curvature": value} for name, value in pairs]

    def told(self) -> Row:
        """Return every model's curvature."""
        return {"step": self.step, "models": dict(zip(self.names, self.of_models, strict=True))}


def sharpness(
    checkpoints: Sequence[Loadable] | Mapping[str, Loadable],
    loss: Loss,
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
    step: float = 0.05,
) -> Sharpness:
    """Measure the curvature of the loss at the ends of straight paths.

    Parameters
    ----------
    checkpoints : sequence or mapping of sources
    loss : see :func:`paths`.
    pairs : which paths; all by default. Each costs six evaluations.
    step : share of the path for the central difference, within and beyond each end.

    Raises LandscapeError: where checkpoints do not fit together, two are the same, or the step is not in (0, 0.5].

    Notes
    -----
    (L(-h) - 2 L(0) + L(h)) / s², with s the Euclidean length of the step h. It depends on the
    scale of the weights (Dinh et al. 2017, ICML): compare runs of one procedure only.
    """
    if not 0 < step <= 0.5:
        raise LandscapeError(f"step must be in (0, 0.5]; found {step}")
    models, meter = family(checkpoints), Meter(loss)
    wanted = tuple(combinations(range(len(models.members)), 2) if pairs is None else pairs)
    curvatures = np.array([_ends(models, meter, pair, step) for pair in wanted])
    return Sharpness(models.names, wanted, curvatures, step)


def _ends(models: Family, meter: Meter, pair: tuple[int, int], step: float) -> Floats:
    mix = mixer(models, pair)
    length = float(np.sqrt(mix.products()[0, 0]))
    if length == 0:
        same = " and ".join(models.names[k] for k in pair)
        raise LandscapeError(f"{same} hold the same weights; there is no path between them")
    at = np.array([-step, 0.0, step, 1 - step, 1.0, 1 + step])
    losses = measured_along(meter, mix, ends_at(at), [models.names[k] for k in pair])[:, 0].reshape(
        2, 3
    )
    result: Floats = losses @ np.array([1.0, -2.0, 1.0]) / (step * length) ** 2
    return result
