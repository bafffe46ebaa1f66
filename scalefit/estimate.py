"""A mean with its standard error and degrees of freedom: what every test here comes down to; and many tests at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from .distributions import t_quantile, t_tail
from .types import Floats

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Estimate:
    """Value, variance and degrees of freedom; arrays where many repetitions are done at once."""

    value: Floats
    variance: Floats
    dof: Floats

    @property
    def t(self) -> Floats:
        """Student's t against 0; 0 where neither the value nor its variance differs from 0."""
        error = np.sqrt(np.maximum(self.variance, 0))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.asarray(self.value / error, dtype=float)
        return np.asarray(np.where(np.isnan(ratio), 0.0, ratio))

    @property
    def p(self) -> Floats:
        """Two-sided p."""
        return np.asarray(2 * t_tail(np.abs(self.t), self.dof))

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Return Student's interval."""
        half = t_quantile((1 + level) / 2, self.dof) * np.sqrt(np.maximum(self.variance, 0))
        return self.value - half, self.value + half


def satterthwaite(variances: ArrayLike, dofs: ArrayLike) -> Floats:
    """Degrees of freedom of a sum of independent variances; terms along the last axis."""
    v, nu = np.asarray(variances, dtype=float), np.asarray(dofs, dtype=float)
    below = (v**2 / nu).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(below > 0, v.sum(-1) ** 2 / below, nu.sum(-1)))


def one_sample(values: ArrayLike) -> Estimate:
    """Mean of independent values along the last axis."""
    x = np.asarray(values, dtype=float)
    n = x.shape[-1]
    return Estimate(x.mean(-1), x.var(-1, ddof=1) / n, np.asarray(n - 1.0))


def welch(a: ArrayLike, b: ArrayLike) -> Estimate:
    """Mean of b − mean of a, unequal variances (Welch 1947, Biometrika 34, 28–35)."""
    first, second = one_sample(a), one_sample(b)
    parts = np.stack(np.broadcast_arrays(first.variance, second.variance), axis=-1)
    dof = satterthwaite(parts, [float(first.dof), float(second.dof)])
    return Estimate(second.value - first.value, parts.sum(-1), dof)


def pseudo_values(whole: ArrayLike, without: ArrayLike) -> Floats:
    """Jackknife pseudo-values n·θ − (n − 1)·θ₋ᵢ, from θ (..., 1) or a number and θ without each unit, (..., n).

    Their mean is θ less its bias of order 1/n, and tests of means apply to them (Tukey 1958, Ann. Math. Stat. 29, 614).

    Examples
    --------
    >>> pseudo_values(2.0, [2.5, 2.0, 1.5]).tolist()
    [1.0, 2.0, 3.0]
    """
    rest = np.asarray(without, dtype=float)
    n = rest.shape[-1]
    return np.asarray(n * np.asarray(whole, dtype=float) - (n - 1) * rest)


def left_out(statistic: Callable[[Sequence[T]], float], units: Sequence[T]) -> Floats:
    """Return a statistic's pseudo-values (n,): one a unit, each by leaving it out.

    Examples
    --------
    >>> left_out(max, [1.0, 2.0, 4.0]).tolist()
    [4.0, 4.0, 8.0]
    """
    without = [statistic([*units[:i], *units[i + 1 :]]) for i in range(len(units))]
    return pseudo_values(statistic(units), without)


def paired_t(a: ArrayLike, b: ArrayLike) -> Estimate:
    """Mean of b − a over pairs."""
    return one_sample(np.asarray(b, dtype=float) - np.asarray(a, dtype=float))


def holm(p: ArrayLike) -> Floats:
    """Holm's adjusted p values: the chance of any false alarm in the family stays below alpha.

    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian
    Journal of Statistics 6, 65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * (len(values) - np.arange(len(values)))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def adjust(p: ArrayLike, method: str) -> Floats:
    """Adjust p values over a family.

    Parameters
    ----------
    p : p values, (n,).
    method : ``"holm"``; ``"bh"``, Benjamini & Hochberg (1995), Journal of the Royal Statistical Society B 57, 289-300;
        or ``"none"``.

    Raises ValueError: the method is none of these.

    Examples
    --------
    >>> adjust([0.01, 0.04, 0.03], "bh").round(2).tolist()
    [0.03, 0.04, 0.04]
    """
    values = np.asarray(p, dtype=float)
    if method not in ("holm", "bh", "none"):
        raise ValueError(f"method is {method!r}; needed 'holm', 'bh' or 'none'")
    if method == "none" or not len(values):
        return values
    return holm(values) if method == "holm" else _benjamini_hochberg(values)


def _benjamini_hochberg(values: Floats) -> Floats:
    # Not scipy.stats.false_discovery_control, which a test compares it with: loading scipy.stats takes as long as
    # judging the lab.
    order = np.argsort(values, kind="stable")[::-1]
    scaled = values[order] * len(values) / np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return adjusted


def off_neighbours(x: Floats, y: Floats, lag: int = 1) -> Floats:
    """Return how far points are off the line through the ones ``lag`` before and behind: (…, K - 2 lag).

    In units in which each is as noisy as one point: what is smooth in x (…, K) has next to no part in its square.

    Examples
    --------
    >>> import numpy as np
    >>> off_neighbours(np.arange(5.0), np.array([0.0, 1, 2, 3, 4])).tolist()
    [0.0, 0.0, 0.0]
    """
    ahead = x[..., 2 * lag :] - x[..., : -2 * lag]
    w = (x[..., lag:-lag] - x[..., : -2 * lag]) / np.where(ahead > 0, ahead, 1.0)
    off = y[..., lag:-lag] - (1 - w) * y[..., : -2 * lag] - w * y[..., 2 * lag :]
    return np.asarray(off / np.sqrt(1 + w**2 + (1 - w) ** 2))
