"""One curve as a forecast sees it: a mean a size, how many runs stand behind it, and the metric's range."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scalefit.types import Floats, Ints


@dataclass(frozen=True, eq=False)
class Series:
    """Means over runs at ascending sizes.

    Attributes
    ----------
    x : (K,) float64
        Sizes, ascending and distinct, above 0.
    y : (K,) float64
        Mean of the metric over the independent runs of each size.
    runs : (K,) int64
        How many independent runs each mean is made of.
    seed_var : float
        Variance between runs of one size, pooled over the sizes; nan where no size has two runs.
    bottom, top : float
        Ends of the metric's range; infinite where it has none.

    Examples
    --------
    >>> import numpy as np
    >>> from scalefit.forecasting.series import series_of
    >>> one = series_of(np.array([1e6, 1e6, 1e7]), np.array([3.1, 3.3, 2.8]), top=np.inf)
    >>> one.y.tolist(), one.runs.tolist(), round(one.seed_var, 3)
    ([3.2, 2.8], [2, 1], 0.02)
    """

    x: Floats
    y: Floats
    runs: Ints
    seed_var: float = float("nan")
    bottom: float = 0.0
    top: float = float("inf")

    def __len__(self) -> int:
        """Return the number of sizes."""
        return self.x.size

    def at(self, which: Ints) -> Series:
        """Return some of the sizes; how much runs differ is known from all of them."""
        return replace(self, x=self.x[which], y=self.y[which], runs=self.runs[which])

    def head(self, k: int) -> Series:
        """Return the k smallest sizes."""
        return self.at(np.arange(k))


def series_of(x: Floats, y: Floats, *, bottom: float = 0.0, top: float = float("inf")) -> Series:
    """Return the series of single runs: ``x`` and ``y`` of shape (n,), in any order.

    Runs of one size count as independent; checkpoints of one run belong averaged before.
    """
    sizes, at, runs = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(at, weights=y) / runs
    dof = int(runs.sum() - sizes.size)
    between = float(np.sum((y - means[at]) ** 2) / dof) if dof > 0 else float("nan")
    return Series(sizes, means, runs.astype(np.int64), between, bottom, top)
