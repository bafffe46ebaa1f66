"""Falling laws as a forecast uses them: the logarithm relative to the largest size, on shapes without bounds.

A forecast integrates over shapes, so each law is written as h(u; θ) = ln f(x) − ln f(x_max), u = ln(x / x_max):
the level drops out (it is integrated in closed form) and θ ranges over the whole real line, where a bell is a
sensible prior and a sensible proposal. The laws are those of :mod:`scalefit.laws`; only the coordinates differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scalefit.types import Floats, Ints, Mask

Parts = tuple[Floats, ...]
NEWTON_STEPS = 3
LOWEST = 1e-9  # share of a floor: below it the law has none


@dataclass(frozen=True)
class Falling:
    """One law of the mixture.

    Attributes
    ----------
    log_ratio : from θ (each (..., 1)) and u (..., n) to h (..., n).
    centre, spread : (d,) each; prior mean and standard deviation of θ, independent and normal.
    share, few_share : its weight before any curve is seen, relative to the others; and the weight that it keeps where
        sizes are too few to tell laws apart.
    floor : which of its shapes says how low it ends; less of it is lower.
    odds : odds that it is exactly right where it is the law, relative to the power law's.
    """

    name: str
    log_ratio: Callable[[Parts, Floats], Floats]
    centre: tuple[float, ...]
    spread: tuple[float, ...]
    share: float = 1.0
    few_share: float = 1.0
    odds: float = 1.0
    floor: int = 1

    def __call__(self, theta: Floats, u: Floats) -> Floats:
        """Return h of shape (B, N, n) for theta (B, N, d) and u (B, n)."""
        parts = tuple(theta[..., j, None] for j in range(theta.shape[-1]))
        return self.log_ratio(parts, u[:, None])

    @property
    def shapes(self) -> int:
        """How many shapes it has."""
        return len(self.centre)


@dataclass(frozen=True, eq=False)
class Laws:
    """A law a row: ``which`` (B,) of the laws, ascending, and how far its floor's prior lies lower, ``early`` (B,).

    Rows of a law with fewer shapes than the others have more room in theta; what stands there is 0 and does nothing.
    """

    falling: tuple[Falling, ...]
    which: Ints
    early: Floats

    def __getitem__(self, rows: Ints | Mask) -> Laws:
        """Return some of the rows."""
        return Laws(self.falling, self.which[rows], self.early[rows])

    def __call__(self, theta: Floats, u: Floats) -> Floats:
        """Return h (B, N, n) for theta (B, N, d) and u (B, n)."""
        ends = np.searchsorted(self.which, np.arange(len(self.falling) + 1)).tolist()
        rows = zip(self.falling, map(slice, ends, ends[1:]), strict=True)
        parts = [law(theta[at, :, : law.shapes], u[at]) for law, at in rows if at.start < at.stop]
        return np.concatenate(parts)

    @cached_property
    def all_shapes(self) -> tuple[int, ...]:
        """How many shapes each of the laws has."""
        return tuple(law.shapes for law in self.falling)

    @cached_property
    def shapes(self) -> Ints:
        """How many shapes each row's law has: (B,)."""
        return np.array(self.all_shapes)[self.which]

    @cached_property
    def centre(self) -> Floats:
        """Prior means (B, 1, d)."""
        at = self._padded([law.centre for law in self.falling], 0.0)
        floor = np.array([law.floor for law in self.falling])[self.which]
        at[np.arange(len(floor)), 0, floor] += self.early
        return at

    @cached_property
    def spread(self) -> Floats:
        """Prior standard deviations (B, 1, d)."""
        return self._padded([law.spread for law in self.falling], 1.0)

    def _padded(self, rows: list[tuple[float, ...]], rest: float) -> Floats:
        most = max(self.all_shapes)
        table = np.array([[*row, *[rest] * (most - len(row))] for row in rows])
        return np.asarray(table[self.which][:, None])

    def from_prior(self, z: Floats) -> Floats:
        """Return theta (B, N, d) for standard normal z (B, N, d)."""
        return self.centre + self.spread * z

    def log_prior(self, theta: Floats) -> Floats:
        """Log density (B, N) of theta (B, N, d)."""
        z = (theta - self.centre) / self.spread
        return np.asarray(-0.5 * np.einsum("bnd,bnd->bn", z, z) - self._log_volume)

    @cached_property
    def _log_volume(self) -> Floats:
        volume = np.log(self.spread).sum(axis=-1)
        return np.asarray(volume + self.shapes[:, None] / 2 * np.log(2 * np.pi))


def _exponent(t: Floats) -> Floats:
    return np.exp(_within(t, -12.0, 2.3))


def _positive(t: Floats) -> Floats:
    return np.exp(_within(t, -12.0, 12.0))


def _share(t: Floats) -> Floats:
    return _within(1 / (1 + np.exp(-_within(t, -30.0, 30.0))), LOWEST, 1 - LOWEST)


def _within(t: Floats, low: float, high: float) -> Floats:
    # For one curve np.clip takes four times as long, and is asked some hundred times.
    return np.minimum(np.maximum(t, low), high)


def _power(theta: Parts, u: Floats) -> Floats:
    """E + A·x^−a; θ = (ln a, logit of the floor's share at x_max)."""
    floor = _share(theta[1])
    return np.log(floor + (1 - floor) * np.exp(-_exponent(theta[0]) * u))


def _bansal(theta: Parts, u: Floats) -> Floats:
    """A·(1/x + C)^p; θ = (ln p, ln C·x_max)."""
    bend = _positive(theta[1])
    return _exponent(theta[0]) * np.log((np.exp(-u) + bend) / (1 + bend))


def _rectified(theta: Parts, u: Floats) -> Floats:
    """E + B/(D + x^b); θ = (ln b, logit of the floor's share at x_max, ln D/x_max^b).

    A fourth shape ln e lets the floor leak, E·x^−e: what follows a steep fall is often a slow one and not a floor.
    """
    floor, flat = _share(theta[1]), _positive(theta[2])
    growth = np.exp(np.minimum(_exponent(theta[0]) * u, 50.0))
    tail = np.exp(-_exponent(theta[3]) * u) if len(theta) > 3 else 1.0
    return np.log(floor * tail + (1 - floor) * (1 + flat) / (flat + growth))


def _m4(theta: Parts, u: Floats) -> Floats:
    """E·(1 − w) + E0·w, w/(1 − w)^α = k·x^−c; θ = (ln c, ln α, ln k·x_max^−c, logit E/E0)."""
    slope, bend, floor = _exponent(theta[0]), _positive(theta[1]), _share(theta[3])
    # The last is the largest size.
    both = np.concatenate([u, np.zeros((*u.shape[:-1], 1))], axis=-1)
    level = floor + (1 - floor) * _m4_share(theta[2] - slope * both, bend)
    return np.log(level[..., :-1] / level[..., -1:])


def _m4_share(q: Floats, bend: Floats) -> Floats:
    """Return w that solves ln w − α·ln(1 − w) = q, to 3e-5."""
    # In z = logit w the left side is z + (α − 1)·ln(1 + e^z): convex for α > 1, concave below, and nearly two straight
    # lines. Its two asymptotes and its tangent at 0 bound it from one side, so Newton from the nearest of the three
    # needs few steps and never oversteps.
    more = bend - 1
    tangent = (q - more * np.log(2.0)) / (0.5 * (1 + bend))
    asymptote = np.where(q < 0, q, q / bend)
    z = np.where(bend > 1, np.minimum(asymptote, tangent), np.maximum(asymptote, tangent))
    for _ in range(NEWTON_STEPS):
        small = np.exp(-np.abs(z))
        gap = z - q + more * (np.maximum(z, 0.0) + np.log(1 + small))
        right = np.where(z > 0, 1.0, small) / (1 + small)
        z -= gap / (1 + more * right)
    return np.asarray(np.maximum(1 / (1 + np.exp(-_within(z, -700.0, 700.0))), 1e-12))


# The others nearly contain the power law: where it is the truth they explain the curve as well, and their room beyond
# the data costs width; hence its share, twice that of the next.
# Rectified and M4 are descriptions of a curve with a flat start: three or four shapes follow any such curve, so that
# one fits proves little, and its floor may be the fit's and not the curve's. They start low, the data must ask for
# them, and even then they are exactly right less often (odds a third of power's and bansal's); without this,
# bands end above image curves that keep falling. Where sizes are too few to ask, nobody knows whether a flat
# start was one, and they keep a whole share: with less, bands miss finetuning losses cut after four sizes. The leaking
# floor has half of it: most floors hold as far as anybody has looked, and a leak that is always allowed ruins those.
FALLING = (
    Falling("power", _power, (np.log(0.3), 0.5), (0.8, 2.0), share=2.0, few_share=2.0),
    Falling("bansal", _bansal, (np.log(0.3), 0.0), (0.9, 2.5)),
    Falling(
        "rectified", _rectified, (np.log(0.5), 0.0, -0.5), (0.7, 2.0, 2.0), share=0.5, odds=1 / 3
    ),
    Falling(
        "m4",
        _m4,
        (np.log(0.4), 0.0, -1.0, -0.5),
        (0.8, 0.8, 2.0, 2.0),
        share=0.5,
        odds=1 / 3,
        floor=3,
    ),
    Falling(
        "leaking floor",
        _rectified,
        (np.log(0.5), 0.0, -0.5, np.log(0.02)),
        (0.7, 2.0, 2.0, 1.5),
        share=0.25,
        few_share=0.5,
        odds=1 / 3,
    ),
)
