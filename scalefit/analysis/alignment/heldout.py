"""Held-out prediction: the law of the smaller sizes against the larger ones.

The law is fitted to the smaller sizes and each held-out mean is compared with its prediction
interval: the law's own uncertainty (noise redrawn, the law projected again) and the noise of the
held-out mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .cells import Cells
from .curves import fit_curve, shapes
from .falltest import FallTest

__all__ = ["HeldOut", "held_out"]

Floats = NDArray[np.float64]
_DRAWS, _SEED = 499, 7


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Predictions of the held-out sizes; values are oriented so that more is better.

    Attributes
    ----------
    law : name of the law.
    fitted_to : number of smaller sizes it was fitted to.
    sizes, measured, predicted, low, high : (H,) held-out sizes and their numbers.
    """

    law: str
    fitted_to: int
    sizes: Floats
    measured: Floats
    predicted: Floats
    low: Floats
    high: Floats

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which measured means lie in their interval."""
        return (self.measured >= self.low) & (self.measured <= self.high)

    @property
    def short(self) -> bool:
        """Whether quality falls short of what the smaller sizes promised."""
        return bool((self.measured < self.low).any())

    @property
    def error(self) -> float:
        """Largest distance between prediction and measurement."""
        return float(np.abs(self.measured - self.predicted).max())


def held_out(cells: Cells, sign: float, noise: FallTest, law: str, level: float) -> HeldOut | None:
    """Predict the largest third of the sizes from the others; None below five sizes."""
    y = sign * cells.means
    held = max(1, len(y) // 3)
    kept = len(y) - held
    if kept < 4 or not (noise.sd > 0 and np.isfinite(noise.sd)):
        return None
    near = slice(None, kept)
    weights = cells.runs[near].astype(float)
    curve = fit_curve(law, cells.sizes[near], y[near], weights)
    predicted = curve.at(cells.sizes[kept:])
    spread = _spread(law, cells.x, curve.fitted, cells.runs, noise, kept)
    # Studentised by the noise: t in place of normal tails, with the noise's own degrees of freedom.
    wide = float(stats.t.ppf((1 + level) / 2, noise.nu) / stats.norm.ppf((1 + level) / 2))
    low, high = np.quantile(spread, [(1 - level) / 2, (1 + level) / 2], axis=0) * wide
    return HeldOut(
        law, kept, cells.sizes[kept:], y[kept:], predicted, predicted + low, predicted + high
    )


def _spread(
    law: str, x: Floats, fitted: Floats, runs: NDArray[np.int64], noise: FallTest, kept: int
) -> Floats:
    """Draws of measured minus predicted at the held-out sizes, (R, H)."""
    rng = np.random.default_rng(_SEED)
    sd = noise.sd / np.sqrt(runs)
    draws = fitted + sd[:kept] * rng.standard_normal((_DRAWS, kept))
    all_columns = shapes(law, x)
    near, root = all_columns[:, :, :kept], np.sqrt(runs[:kept])
    inverse = np.linalg.pinv((near * root).transpose(0, 2, 1), rcond=1e-10)
    weighted = np.vstack([fitted, draws]) * root
    coefficients = inverse @ weighted.T
    back = (near * root).transpose(0, 2, 1) @ coefficients
    best = ((weighted.T - back) ** 2).sum(axis=1).argmin(axis=0)
    chosen = coefficients[best, :, np.arange(len(best))]
    far = np.einsum("rm,rmk->rk", chosen, all_columns[best][:, :, kept:])
    luck = sd[kept:] * rng.standard_normal((_DRAWS, len(x) - kept))
    return np.asarray(far[:1] - far[1:] + luck)
