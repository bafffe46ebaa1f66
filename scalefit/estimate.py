"""A mean with its standard error and degrees of freedom: what every test here comes down to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scalefit.distributions import t_quantile, t_tail
from scalefit.types import Floats


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


def paired(a: ArrayLike, b: ArrayLike) -> Estimate:
    """Mean of b − a over pairs."""
    return one_sample(np.asarray(b, dtype=float) - np.asarray(a, dtype=float))
