"""Where quality leaves its law: a downward bend in ln D added to the law, against no bend.

The statistic is the largest drop in weighted squares that a bend at any size buys, over the
variance of one run. As the place of the bend is searched, its null distribution is found by
redrawing the seed noise around the law without a bend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .cells import Cells
from .curves import fit_curve, shapes
from .falltest import FallTest

__all__ = ["Break", "find_break"]

Floats = NDArray[np.float64]
_DRAWS, _STEPS, _SEED = 499, 17, 5


@dataclass(frozen=True, eq=False)
class Break:
    """An estimated break.

    Attributes
    ----------
    size : estimated pretraining tokens from which quality leaves its law.
    low, high : interval of that place, at level 1 - alpha.
    p : p value against no break.
    alpha : level.
    """

    size: float
    low: float
    high: float
    p: float
    alpha: float

    @property
    def found(self) -> bool:
        """Whether a break is beyond doubt."""
        return self.p <= self.alpha


def find_break(cells: Cells, sign: float, noise: FallTest, law: str, alpha: float) -> Break | None:
    """Look for a downward break; None with fewer than five sizes or without a noise estimate."""
    y, root = sign * cells.means, np.sqrt(cells.runs)
    if len(y) < 5 or not (noise.sd > 0 and np.isfinite(noise.sd)):
        return None
    places = np.linspace(cells.x[1], cells.x[-1], _STEPS, endpoint=False)
    laws, bends = _columns(law, cells.x, places, root)
    gain = _gains(root * y, laws, bends)
    variance = noise.sd**2
    statistic = gain.max() / variance
    null = _null(fit_curve(law, cells.sizes, y, root**2).fitted * root, laws, bends, noise)
    near = places[gain >= gain.max() - variance * float(stats.t.ppf(1 - alpha / 2, noise.nu)) ** 2]
    best = places[int(np.argmax(gain))]
    return Break(
        size=float(np.exp(best)),
        low=float(np.exp(near.min())),
        high=float(np.exp(near.max())),
        p=float((1 + (null >= statistic).sum()) / (1 + len(null))),
        alpha=alpha,
    )


def _columns(law: str, x: Floats, places: Floats, root: Floats) -> tuple[Floats, Floats]:
    """Orthonormal law columns (G, m, K), and unit downward bends orthogonal to them (G, T, K)."""
    weighted = shapes(law, x) * root
    basis = np.linalg.qr(weighted.transpose(0, 2, 1))[0].transpose(0, 2, 1)
    bend = -np.maximum(x - places[:, None], 0.0) * root
    rest = bend - (bend @ basis.transpose(0, 2, 1)) @ basis
    length = np.linalg.norm(rest, axis=-1, keepdims=True)
    enough = length > 1e-3 * np.linalg.norm(bend, axis=-1, keepdims=True)
    return basis, np.where(enough, rest / np.where(enough, length, 1.0), 0.0)


def _gains(y: Floats, laws: Floats, bends: Floats) -> Floats:
    """Drop in squares that a bend at each place buys, (..., T)."""
    groups, size = len(laws), laws.shape[-1]
    plain = (y @ laws.reshape(-1, size).T).reshape(*y.shape[:-1], groups, -1)
    plain = (plain**2).sum(axis=-1)
    bent = (y @ bends.reshape(-1, size).T).reshape(*y.shape[:-1], groups, -1)
    bent = np.maximum(bent, 0.0) ** 2 + plain[..., None]
    return np.asarray(bent.max(axis=-2) - plain.max(axis=-1)[..., None])


def _null(fitted: Floats, laws: Floats, bends: Floats, noise: FallTest) -> Floats:
    """Statistics of curves that follow the law, with noise like the one seen."""
    rng = np.random.default_rng(_SEED)
    draws = fitted + noise.sd * rng.standard_normal((_DRAWS, len(fitted)))
    if np.isfinite(noise.nu):
        scale = rng.chisquare(noise.nu, _DRAWS) / noise.nu
    else:
        scale = np.ones(_DRAWS)
    return np.asarray(_gains(draws, laws, bends).max(axis=-1) / (noise.sd**2 * scale))
