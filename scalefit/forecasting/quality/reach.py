"""When a target of quality is reached."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from scalefit.errors import DomainError
from scalefit.forecasting.quality.chance import features
from scalefit.forecasting.quality.doubt import band_of
from scalefit.forecasting.quality.learn import Learned
from scalefit.forecasting.quality.predict import rows_at
from scalefit.forecasting.quality.scale import scale_of
from scalefit.forecasting.reach import HORIZONS, Reach, reach_of
from scalefit.forecasting.series import Series
from scalefit.types import Floats

COARSE = np.log(HORIZONS[::4])  # the chance is smooth in ln x; between these it is read linearly
SOON = 1e-3


def reach_quality(
    curves: Sequence[Series], targets: Floats | float, learned: Learned
) -> list[Reach]:
    """Return the chance that each curve reaches its target by each multiple of its largest size.

    Parameters
    ----------
    curves : sequence of Series
        At least two sizes each.
    targets : float or (C,) array
        One for all curves, or one a curve, in the metric's units.
    learned : Learned
        What the table teaches.

    Raises
    ------
    DomainError
        Where a target lies above the metric's range.
    """
    target = np.broadcast_to(np.asarray(targets, dtype=np.float64), len(curves))
    for c, t in zip(curves, target, strict=True):
        if t > c.top:
            raise DomainError(
                f"no curve reaches {t:g}: the metric ends at {c.top:g}; lower the target"
            )
    h = np.broadcast_to(np.maximum(COARSE, SOON), (len(curves), COARSE.size))
    rows = rows_at(curves, h, learned)
    band = band_of(rows, learned.weights, learned.factors, learned.scatter)
    percent = np.array([scale_of(c).to(t) for c, t in zip(curves, target, strict=True)])
    each = np.repeat(percent, COARSE.size)[:, None]
    met = (each <= rows.last[:, None])[:, 0]
    x = features(rows, band, np.where(met[:, None], rows.last[:, None] + 1.0, each))[:, 0]
    chance = np.where(met, 1.0, expit(x @ learned.chance)).reshape(h.shape)
    return [
        reach_of(float(c.x[-1]), np.interp(np.log(HORIZONS), COARSE, p))
        for c, p in zip(curves, chance, strict=True)
    ]
