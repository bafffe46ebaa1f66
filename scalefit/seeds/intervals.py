"""Intervals for variance components that hold at three seeds; all closed form but one.

Which one is used where: a single mean square, exact χ²; a difference of two (σ² of the
pretraining seed), modified large sample (coverage .946–.954 from 3 × 2 to 25 × 5 seeds, any
ICC), with Williams–Tukey as the alternative (.949–.965); three or more, generalised inference;
the intraclass correlation, exact F. Lower ends below 0 are kept: at a true 0 the raw interval
covers 95 %, one cut at 0 covers 97.5 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalefit.distributions import chi2_quantile, f_quantile, f_tail

from .anova import FINETUNE, PRETRAIN, MeanSquares

Floats = NDArray[np.float64]
Limits = tuple[Floats, Floats]
DRAWS = 20_000


def chi_square(ms: Floats, dof: float, level: float = 0.95) -> Limits:
    """Exact interval for the expectation of one mean square."""
    tail = (1 - level) / 2
    up, down = (float(chi2_quantile(q, dof)) / dof for q in (1 - tail, tail))
    return ms / up, ms / down


@dataclass(frozen=True)
class _Tail:
    """Constants of the modified large-sample method at one confidence level."""

    g: tuple[float, float]
    h: tuple[float, float]
    g12: float
    h12: float


def _constants(n1: float, n2: float, tail: float) -> _Tail:
    g = tuple(1 - n / chi2_quantile(1 - tail, n) for n in (n1, n2))
    h = tuple(n / chi2_quantile(tail, n) - 1 for n in (n1, n2))
    up, down = f_quantile(1 - tail, n1, n2), f_quantile(tail, n1, n2)
    g12 = ((up - 1) ** 2 - g[0] ** 2 * up**2 - h[1] ** 2) / up
    h12 = ((1 - down) ** 2 - h[0] ** 2 * down**2 - g[1] ** 2) / down
    return _Tail((g[0], g[1]), (h[0], h[1]), float(g12), float(h12))


def difference(ms: tuple[Floats, Floats], dof: tuple[float, float], level: float = 0.95) -> Limits:
    """Return the modified large-sample interval for ``E[ms₁] − E[ms₂]``.

    Source: Ting, Burdick, Graybill, Jeyaratnam & Lu (1990), J. Statist. Comput. Simul. 35,
    135–143; Burdick & Graybill (1992), Confidence Intervals on Variance Components, eq. 3.3.1.
    """
    c = _constants(*dof, (1 - level) / 2)
    a, b = (np.asarray(m, dtype=float) for m in ms)
    below = c.g[0] ** 2 * a**2 + c.h[1] ** 2 * b**2 + c.g12 * a * b
    above = c.h[0] ** 2 * a**2 + c.g[1] ** 2 * b**2 + c.h12 * a * b
    return a - b - np.sqrt(np.maximum(below, 0)), a - b + np.sqrt(np.maximum(above, 0))


def total(ms: tuple[Floats, Floats], dof: tuple[float, float], level: float = 0.95) -> Limits:
    """Interval for a sum ``E[ms₁] + E[ms₂]``.

    Source: Graybill & Wang (1980), J. Amer. Statist. Assoc. 75, 869–873.
    """
    c = _constants(*dof, (1 - level) / 2)
    a, b = (np.asarray(m, dtype=float) for m in ms)
    below = np.hypot(c.g[0] * a, c.g[1] * b)
    return a + b - below, a + b + np.hypot(c.h[0] * a, c.h[1] * b)


def williams_tukey(
    ms: tuple[Floats, Floats], dof: tuple[float, float], level: float = 0.95
) -> Limits:
    """Williams–Tukey interval for ``E[ms₁] − E[ms₂]``: slightly wide.

    Source: Williams (1962), Biometrika 49, 278–281.
    """
    tail = (1 - level) / 2
    ratio = ms[0] / ms[1]
    ends = []
    for q in (1 - tail, tail):
        scale = ms[0] * dof[0] / chi2_quantile(q, dof[0])
        ends.append(scale * (1 - f_quantile(q, *dof) / ratio))
    return ends[0], ends[1]


def generalised(squares: MeanSquares, component: str, level: float = 0.95) -> Limits:
    """Generalised confidence interval for any component; Monte Carlo with a fixed seed.

    Source: Weerahandi (1993), J. Amer. Statist. Assoc. 88, 899–905.
    """
    rng = np.random.default_rng(20261122)
    draws = rng.chisquare(squares.dof, (DRAWS, len(squares.dof))) / squares.dof
    weights = squares.components[component] / draws
    pivots = squares.values @ weights.T
    tail = (1 - level) / 2
    low, high = np.quantile(pivots, [tail, 1 - tail], axis=-1)
    return low, high


def component(squares: MeanSquares, name: str, level: float = 0.95) -> tuple[Floats, Floats, str]:
    """Interval for a component by the method that fits its form; with the method's name."""
    weights = squares.components[name]
    used = np.flatnonzero(weights)
    signs = weights[used]
    if len(used) == 1:
        low, high = chi_square(squares.values[..., used[0]] * signs[0], squares.dof[used[0]], level)
        return low, high, "exact χ²"
    if len(used) == 2 and signs.prod() < 0:
        first, second = used if signs[0] > 0 else used[::-1]
        pair = squares.values[..., first] * abs(weights[first]), squares.values[..., second]
        pair = pair[0], pair[1] * abs(weights[second])
        return *difference(pair, (squares.dof[first], squares.dof[second]), level), "MLS"
    return *generalised(squares, name, level), "generalised"


def icc(squares: MeanSquares, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Intraclass correlation of a nested design: estimate, low, high; exact F, ends may be < 0.

    Source: Searle (1971), Linear Models, p. 414; Burdick & Graybill (1992), §3.4.
    """
    size, tail = squares.size, (1 - level) / 2
    between, within = squares.of(PRETRAIN), squares.of(FINETUNE)
    quantiles = [float(f_quantile(q, *squares.dof)) for q in (1 - tail, tail)]
    scaled = [between / q for q in (1.0, *quantiles)]
    with np.errstate(invalid="ignore"):
        point, low, high = ((b - within) / (b + (size - 1) * within) for b in scaled)
    return point, low, high


def f_test(squares: MeanSquares, upper: str, lower: str) -> tuple[float, float, float, float]:
    """F statistic, its two degrees of freedom and p for "the upper stratum adds no variance"."""
    i, j = squares.names.index(upper), squares.names.index(lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.divide(squares.values[..., i], squares.values[..., j]))
    dof = float(squares.dof[i]), float(squares.dof[j])
    return ratio, *dof, float(f_tail(ratio, *dof))
