"""How forecasts are judged: error, coverage and the interval score."""

from __future__ import annotations

import numpy as np

from scalefit.types import Floats


def interval_score(y: Floats, low: Floats, high: Floats, level: float) -> Floats:
    """Return Winkler's score of intervals: width, plus a fine for what lies outside; lower is better.

    Parameters
    ----------
    y, low, high : (n,) float64
        What came, and the interval's ends.
    level : float
        What the interval promises.

    Notes
    -----
    Source: Winkler 1972, JASA 67(337); Gneiting and Raftery 2007, JASA 102(477), eq. 43. Proper: it is least, on
    average, for the true quantiles.

    Examples
    --------
    >>> import numpy as np
    >>> interval_score(np.array([1.0, 5.0]), np.array([0.0, 0.0]), np.array([2.0, 4.0]), 0.8).round(6).tolist()
    [2.0, 14.0]
    """
    fine = 2 / (1 - level)
    outside = np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)
    return np.asarray(high - low + fine * outside)
