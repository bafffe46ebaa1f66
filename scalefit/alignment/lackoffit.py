"""Lack of fit: whether the law misses the means by more than pretraining runs differ.

``F = sum n_k (mean_k - law_k)^2 / (K - p) / s^2`` against F(K - p, nu), with s the noise of one
pretraining run. Runs that share a checkpoint, or checkpoints that share a run, are one unit: with
all runs as points the same test rejects a true law in 29-31 % of cases at nominal 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .cells import Cells
from .curves import Curve, fit_curve, laws_for
from .falltest import FallTest

__all__ = ["LackOfFit", "lack_of_fit"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LackOfFit:
    """How a law misses a curve.

    Attributes
    ----------
    law : name of the law.
    p : p value against pure error; nan where one run a size, or too few sizes, leaves none.
    worst : largest distance between law and mean, in the metric's units.
    at : size where it is.
    sd : root mean square of the residuals, per residual degree of freedom.
    curve : the fit itself.
    """

    law: str
    p: float
    worst: float
    at: float
    sd: float
    curve: Curve


def lack_of_fit(cells: Cells, sign: float, noise: FallTest) -> tuple[LackOfFit, ...]:
    """Test every law that can be tried on the oriented curve; empty below three sizes."""
    y = sign * cells.means
    if len(y) < 3:
        return ()
    return tuple(_one(name, cells, y, noise) for name in laws_for(y))


def _one(name: str, cells: Cells, y: Floats, noise: FallTest) -> LackOfFit:
    weights = cells.runs.astype(float)
    curve = fit_curve(name, cells.sizes, y, weights)
    spare = len(y) - curve.parameters
    worst = int(np.argmax(np.abs(y - curve.fitted)))
    p = float("nan")
    if spare > 0 and cells.level != "single":
        p = float(stats.f.sf(curve.rss / spare / noise.sd**2, spare, noise.nu))
    plain = float(((y - curve.fitted) ** 2).sum())
    return LackOfFit(
        law=name,
        p=p,
        worst=float(np.abs(y - curve.fitted)[worst]),
        at=float(cells.sizes[worst]),
        sd=float(np.sqrt(plain / spare)) if spare > 0 else float("nan"),
        curve=curve,
    )
