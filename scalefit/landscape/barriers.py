"""What a curve of losses along a path says: barrier height, convexity gap, area, instability.

All measures take curves of shape (..., points) at the positions `at` (points,) in [0, 1]. Sources:
Frankle et al. 2020 (ICML, "Linear Mode Connectivity and the Lottery Ticket Hypothesis"), Entezari
et al. 2022 (ICLR, "The Role of Permutation Invariance in Linear Mode Connectivity"), Juneja et al.
2023 (ICLR, "Linear Connectivity Reveals Generalization Strategies").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scalefit.errors import LandscapeError
from scalefit.result import Result, Row
from scalefit.types import Floats


@dataclass(frozen=True, repr=False)
class Barrier(Result):
    """Measures of one path.

    Parameters
    ----------
    height : float
        Largest rise of the loss above the chord between the ends (Entezari et al. 2022), >= 0.
    where : float
        Position of that rise in [0, 1].
    gap : float
        Largest barrier over all sub-segments (Juneja et al. 2023), >= height; 0 exactly when
        the sampled curve is convex.
    area : float
        Integral of the rise above the chord, by trapezoids; dips below count nothing.
    instability : float
        Largest loss minus the mean of the ends (Frankle et al. 2020).

    Examples
    --------
    >>> from scalefit import landscape
    >>> print(landscape.barrier([1.0, 1.6, 1.0]))
    barrier 0.6 at 0.50 of the way · convexity gap 0.6 · area 0.3 · instability 0.6
    """

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

    @property
    def notes(self) -> tuple[str, ...]:
        """None: the verdict says it all."""
        return ()

    def rows(self) -> list[Row]:
        """One row: all measures."""
        return [dict(vars(self))]

    def lines(self) -> list[str]:
        """Return nothing: the verdict holds the numbers."""
        return []


def barrier(losses: ArrayLike, at: ArrayLike | None = None) -> Barrier:
    """Measure the barrier on one path.

    Parameters
    ----------
    losses : array_like, shape (points,)
        Loss at the points of the path, both ends included; lower is better.
    at : array_like, shape (points,), optional
        Positions from 0 to 1; evenly spaced by default.

    Raises
    ------
    LandscapeError
        Where there are fewer than three points, or a loss is not finite.

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
    values = {kind: float(measure(curve, where)) for kind, measure in MEASURES.items()}
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
