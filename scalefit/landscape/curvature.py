"""Sharpness at the ends of paths: how fast the loss rises as one leaves a model towards others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from scalefit.errors import LandscapeError
from scalefit.result import Result, Row
from scalefit.types import Floats

from .checkpoint import Source
from .family import Family, Loss, Meter, family, mixer
from .path import line, measure


@dataclass(frozen=True, eq=False, repr=False)
class Sharpness(Result):
    """Curvature of the loss at both ends of paths.

    Parameters
    ----------
    names : tuple of str
    pairs : tuple of (int, int)
    curvature : array, shape (pairs, 2)
        Second derivative by Euclidean distance at the first and second end of every path.
    step : float
        The share of the path over which it was measured.

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

    @property
    def notes(self) -> tuple[str, ...]:
        """None: the verdict says it all."""
        return ()

    def rows(self) -> list[Row]:
        """One row a model: its mean curvature."""
        pairs = zip(self.names, self.of_models.tolist(), strict=True)
        return [{"model": name, "curvature": value} for name, value in pairs]

    def told(self) -> Row:
        """Return every model's curvature."""
        return {"step": self.step, "models": dict(zip(self.names, self.of_models, strict=True))}


def sharpness(
    checkpoints: Sequence[Source] | Mapping[str, Source],
    loss: Loss,
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
    step: float = 0.05,
) -> Sharpness:
    """Measure the curvature of the loss at the ends of straight paths.

    Parameters
    ----------
    checkpoints : sequence or mapping of sources
    loss : callable
        See :func:`paths`.
    pairs : sequence of (int, int), optional
        Which paths; all by default. Each costs six evaluations.
    step : float, default 0.05
        Share of the path for the central difference, within and beyond each end.

    Raises
    ------
    LandscapeError
        Where checkpoints do not fit together, two are the same, or the step is not in (0, 0.5].

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
    losses = measure(meter, mix, line(at), [models.names[k] for k in pair])[:, 0].reshape(2, 3)
    result: Floats = losses @ np.array([1.0, -2.0, 1.0]) / (step * length) ** 2
    return result
