"""Curves of a batch, padded to one length and turned so that the discrepancy's covariance is diagonal.

No law of the catalogue is the truth, so the slope of ln y against ln x is the law's slope plus an
Ornstein–Uhlenbeck process. Its integral, tied to 0 at the largest measured size, is what the curve adds to the law:
it grows like |u| near the data and like √|u| far away, and residuals of the last points bend the forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from scalefit.forecasting.series import Series
from scalefit.types import Floats, Ints, Mask

LENGTH = (
    2.0  # of memory, in ln x: a slope that is off stays off for about a factor of seven in size
)


def covariance(u: Floats, v: Floats, length: float = LENGTH) -> Floats:
    """Return the covariance of the integral at u and at v (broadcast), for a slope of variance 1.

    The integral starts at 0, so the two sides are tied through the slope at 0 only.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(covariance(np.array(0.01), np.array(0.01))) / 0.01**2, 2)
    1.0
    """
    a, b = np.abs(u), np.abs(v)
    gone_a, gone_b = (1 - np.exp(-s / length) for s in (a, b))
    between = 1 - np.exp(-np.abs(a - b) / length)
    same = 2 * length * np.minimum(a, b) - length**2 * (gone_a + gone_b - between)
    return np.asarray(np.where(u * v > 0, same, -(length**2) * gone_a * gone_b))


LEAST_SLOPE = 0.01  # a flat curve may still bend by a hundredth of ln x
FEW, FEW_TIMES = (
    3,
    2.0,
)  # so few sizes cannot show that a law fails: what they say of the slope is doubted twice as much
MOST_DECIMALS = 5


@dataclass(frozen=True, eq=False)
class Batch:
    """B curves of at most n sizes, seen from their largest size.

    Rows are whitened: then the noise is σ² everywhere, and one rotation a curve makes noise plus discrepancy diagonal
    for every σ and τ. Padding is a row of zeros.

    Attributes
    ----------
    u, v : (B, n); ln(x / x_max) and ln y.
    slope : (B,); usual |d ln y / d ln x|: what the discrepancy is measured in.
    turn : (B, n, n); columns are the directions, whitening included.
    strength : (B, n); the discrepancy's variance along each direction, for a slope of variance 1.
    real : (B, n); False for directions of the padding.
    level : (B, n); the constant curve along each direction.
    rounding : (B,); variance of ln y that printing with few decimals adds.
    seed_var, freedom : (B,); variance of ln y between runs of one size, and its degrees of freedom (0: not known).
    """

    u: Floats
    v: Floats
    slope: Floats
    turn: Floats
    strength: Floats
    real: Mask
    level: Floats
    rounding: Floats
    seed_var: Floats
    freedom: Floats

    def only(self, rows: Ints) -> Batch:
        """Return some of the curves."""
        return Batch(*(getattr(self, f.name)[rows] for f in fields(self)))

    @property
    def few(self) -> Mask:
        """Which curves have so few sizes that they cannot show that a law fails: (B,)."""
        return np.asarray(self.real.sum(axis=1) <= FEW)

    def turned(self, values: Floats) -> Floats:
        """Return values (B, N, n) along the directions."""
        return np.asarray(np.matmul(values, self.turn))

    def bend_at(self, uq: Floats) -> Floats:
        """Covariance of the discrepancy along each direction with that at uq (B, Q): (B, n, Q)."""
        there = covariance(self.u[:, :, None], uq[:, None])
        return np.asarray(np.matmul(self.turn.transpose(0, 2, 1), there))


def batch_of(curves: Sequence[Series]) -> Batch:
    """Pad and turn ``curves``; every y must be above 0."""
    size = (len(curves), max(len(curve) for curve in curves))
    u, v, root = np.zeros(size), np.zeros(size), np.zeros(size)
    for i, curve in enumerate(curves):
        k = len(curve)
        u[i, :k] = np.log(curve.x / curve.x[-1])
        v[i, :k] = np.log(curve.y)
        root[i, :k] = np.sqrt(curve.runs)
    turn, strength, real = _directions(u, _whitening(root, np.array([_held(c.y) for c in curves])))
    spread, freedom = np.array([_between_runs(curve) for curve in curves]).T
    return Batch(
        u, v,
        slope=np.array([_slope(u[i, : len(c)], v[i, : len(c)]) for i, c in enumerate(curves)]),
        turn=turn,
        strength=strength,
        real=real,
        level=turn.sum(axis=1),
        rounding=np.array([_rounding(curve.y) for curve in curves]),
        seed_var=spread,
        freedom=freedom,
    )  # fmt: skip


def _held(y: Floats) -> float:
    """Return the share of steps at which the value stays: 0 with one tie, which may be chance."""
    ties = int((y[1:] == y[:-1]).sum())
    return ties / (y.size + 1) if ties > 1 else 0.0


def _whitening(root: Floats, held: Floats) -> Floats:
    """Matrices (B, n, n) that make the noise independent, of one variance; rows of 0 for the padding.

    A mean of r runs has variance σ²/r. A curve that repeats its last value (the best so far, a checkpoint scored
    twice) with chance p carries its noise along: p^k after k sizes. Read as independent, five equal values prove both
    a floor and tiny noise, and the next step falls out of the band.
    """
    eye = np.eye(root.shape[1])
    step = eye - held[:, None, None] * np.eye(root.shape[1], k=-1)
    step[:, 1:] /= np.sqrt(1 - held**2)[:, None, None]
    return np.asarray(np.where(root[:, :, None] > 0, step * root[:, None], 0.0))


def _directions(u: Floats, white: Floats) -> tuple[Floats, Floats, Mask]:
    """Directions and the discrepancy's variance along each; padding gets −1, which no variance is."""
    across = white.transpose(0, 2, 1)
    bend = white @ covariance(u[:, :, None], u[:, None]) @ across
    at = np.arange(u.shape[1])
    bend[:, at, at] -= ~white.any(axis=2)
    strength, turn = np.linalg.eigh(bend)
    return across @ turn, np.maximum(strength, 0.0), strength > -0.5


def _slope(u: Floats, v: Floats) -> float:
    """Slope of the line through the last half of the points (three where there are three), or half the whole curve's.

    A curve that has come to stand may fall again as it fell before: measured in the slope of a plateau, every
    discrepancy would be nothing and the plateau certain.
    """
    k = max(3, u.size // 2)
    few = FEW_TIMES if u.size <= FEW else 1.0
    return few * max(_line(u[-k:], v[-k:]), _line(u, v) / 2, LEAST_SLOPE)


def _line(u: Floats, v: Floats) -> float:
    """Steepness of the line of least squares."""
    u = u - u.mean()
    return abs(float(u @ v) / float(u @ u))


def _rounding(y: Floats) -> float:
    """Variance of ln y from rounding: of a step that all values are multiples of, evenly spread over it."""
    for decimals in range(MOST_DECIMALS):
        rounded = np.round(y, decimals)
        if np.allclose(y, rounded, rtol=1e-12, atol=0):
            return 10.0 ** (-2 * decimals) / 12 / float(np.mean(y**2))
    return 0.0


def _between_runs(curve: Series) -> tuple[float, float]:
    """Variance of ln y between runs of one size, by the delta method, and its degrees of freedom."""
    repeated = curve.runs > 1
    if not (repeated.any() and curve.seed_var > 0):
        return 1.0, 0.0
    share = curve.runs[repeated] - 1
    return curve.seed_var / float(np.average(curve.y[repeated] ** 2, weights=share)), float(
        share.sum()
    )
