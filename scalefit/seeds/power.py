"""Power and precision of seed designs, without simulation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from scalefit.distributions import chi2_quantile, t_quantile
from scalefit.types import Floats

_NODES = 24


def welch_power(effect: float, seeds: int, level: float = 0.95) -> float:
    """Power of Welch's two-sided test, ``seeds`` a side.

    Parameters
    ----------
    effect : true difference over the SD of one seed mean.

    Notes
    -----
    For equal variances T is noncentral t with 2(P − 1) degrees of freedom whatever the share r
    of one side in the summed variances, r ~ Beta((P − 1)/2, (P − 1)/2); the critical value is
    that of t with (P − 1)/(r² + (1 − r)²). Averaged over r by Gauss–Jacobi nodes.
    """
    r, weights = _shares(seeds)
    critical = t_quantile((1 + level) / 2, (seeds - 1) / (r**2 + (1 - r) ** 2))
    shift = float(effect * np.sqrt(seeds / 2))
    return float(two_sided(critical, 2 * (seeds - 1), shift) @ weights)


def two_sided(critical: ArrayLike, dof: float, shift: float) -> Floats:
    """``P(|T| > critical)`` for noncentral t; scipy's has nan in its far tails.

    ``E[Φ(shift − c s)] + E[Φ(−shift − c s)]`` over s = √(χ²/dof), at 400 quantiles of s.
    """
    scaled = np.multiply.outer(np.asarray(critical, dtype=float), _spreads(dof))
    tails = special.ndtr(shift - scaled) + special.ndtr(-shift - scaled)
    return np.asarray(tails.mean(-1))


# A plan tries many designs at few degrees of freedom, and these nodes and quantiles are what it costs.
@lru_cache(maxsize=2048)
def _shares(seeds: int) -> tuple[Floats, Floats]:
    """Shares r up to one half, and their weights: at 1 − r the test is the same."""
    half = (seeds - 1) / 2
    nodes, weights = special.roots_jacobi(_NODES, half - 1, half - 1)
    return (nodes[: _NODES // 2] + 1) / 2, 2 * weights[: _NODES // 2] / weights.sum()


@lru_cache(maxsize=2048)
def _spreads(dof: float) -> Floats:
    return np.asarray(np.sqrt(chi2_quantile((np.arange(400) + 0.5) / 400, dof) / dof))


def paired_power(effect: float, seeds: int, level: float = 0.95) -> float:
    """Power of the paired two-sided t-test; effect over the SD of one pair's difference."""
    critical, shift = t_quantile((1 + level) / 2, seeds - 1), effect * np.sqrt(seeds)
    return float(two_sided(critical, seeds - 1, float(shift)))


def width_assurance(half: float, sd: float, seeds: int, level: float = 0.95) -> float:
    """Probability that the t interval of a mean comes out no wider than ± ``half``.

    Source: Kupper & Hafner (1989), Amer. Statist. 43, 101–105.
    """
    return scaled_assurance(half, sd / np.sqrt(seeds), seeds - 1, level)


def scaled_assurance(half: float, error: float, dof: float, level: float = 0.95) -> float:
    """Probability that ``t · s`` stays below ``half`` where s² ~ error² χ²/dof."""
    if error == 0:
        return 1.0
    t = t_quantile((1 + level) / 2, dof)
    return float(special.chdtr(dof, dof * (half / (t * error)) ** 2))


@dataclass(frozen=True)
class Spread:
    """Variances that a plan starts from, and what seeds cost.

    ``correlation`` is that of the two sides' pretraining-seed effects where both finetune the
    same checkpoints; None where each side has its own pretraining runs.

    Examples
    --------
    >>> Spread(pretrain=0.72, finetune=0.28).effective(2)  # variance of a run's mean over two finetunings
    0.86
    """

    pretrain: float
    finetune: float
    pretrain_cost: float = 1.0
    finetune_cost: float = 0.01
    correlation: float | None = None

    def effective(self, finetune: int) -> float:
        """Variance of one pretraining seed's mean over F finetuning seeds."""
        return self.pretrain + self.finetune / finetune

    def times(self, factor: float) -> Spread:
        """Both variances, so many times as large."""
        return replace(self, pretrain=factor * self.pretrain, finetune=factor * self.finetune)

    def paired(self, finetune: int) -> float:
        """Variance of one pair's difference."""
        rho = self.correlation or 0.0
        return 2 * (1 - rho) * self.pretrain + 2 * self.finetune / finetune

    def cost(self, pretrain: int, finetune: int, sides: int) -> float:
        """Cost of a design."""
        checkpoints = 1 if self.correlation is not None else sides
        runs = pretrain * finetune * sides
        return checkpoints * pretrain * self.pretrain_cost + runs * self.finetune_cost

    @property
    def best_finetune(self) -> float:
        """Cochran's split ``√(c_P σ_F² / (c_F σ_P²))``: finetuning seeds a pretraining seed."""
        if self.pretrain <= 0 or self.finetune_cost <= 0:
            return float("inf") if self.finetune > 0 else 1.0
        ratio = self.pretrain_cost * self.finetune / (self.finetune_cost * self.pretrain)
        return float(np.sqrt(ratio))
