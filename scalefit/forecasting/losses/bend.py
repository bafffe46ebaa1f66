"""How a curve may leave its law: the discrepancy's covariance.

No law of the catalogue is the truth, so the slope of ln y against ln x is the law's slope plus an
Ornstein–Uhlenbeck process. Its integral, tied to 0 at the largest measured size, is what the curve adds to the law:
it grows like |u| near the data and like √|u| far away, and residuals of the last points bend the forecast.
"""

from __future__ import annotations

import numpy as np

from scalefit.types import Floats

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
