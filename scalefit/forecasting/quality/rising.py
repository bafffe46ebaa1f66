"""The least-squares rising course of noisy values: what counts as "reached" when a point may be luck."""

from __future__ import annotations

import numpy as np

from scalefit.types import Floats


def rising(y: Floats) -> Floats:
    """Return the isotonic regression of ``y`` (n,), by its min-max formula; n is a curve's sizes.

    The level at i is the highest, over all starts up to i, of the lowest mean from there to i or later.

    Examples
    --------
    >>> import numpy as np
    >>> rising(np.array([1.0, 3.0, 2.0, 4.0])).tolist()
    [1.0, 2.5, 2.5, 4.0]
    """
    total = np.concatenate([[0.0], np.cumsum(y)])
    at = np.arange(y.size)
    count = at[None, :] - at[:, None] + 1
    mean = np.where(count > 0, (total[None, 1:] - total[:-1, None]) / np.maximum(count, 1), np.inf)
    lowest = np.minimum.accumulate(mean[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(np.where(count > 0, lowest, -np.inf).max(axis=0))
