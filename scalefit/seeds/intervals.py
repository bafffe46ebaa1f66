"""Intervals for variance components that hold at three seeds; all closed form but one.

Which one is used where: a single mean square, exact χ²; a difference of two (σ² of the
pretraining seed), modified large sample (coverage .946–.954 from 3 × 2 to 25 × 5 seeds, any
ICC), with Williams–Tukey as the alternative (.949–.965); three or more, generalised inference;
the intraclass correlation, exact F. Lower ends below 0 are kept; upper ends are never below 0,
see :func:`_upper_tail`, so that a true 0 is covered in 97.5 %.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from scalefit.distributions import chi2_quantile, f_quantile, f_share, f_tail
from scalefit.types import Floats

from .anova import FINETUNE, PRETRAIN, MeanSquares

Limits = tuple[Floats, Floats]
DRAWS = 20_000


def chi_square(ms: Floats, dof: float, level: float = 0.95) -> Limits:
    """Exact interval for the expectation of one mean square."""
    tail = (1 - level) / 2
    up, down = (float(chi2_quantile(q, dof)) / dof for q in (1 - tail, tail))
    return ms / up, ms / down


def _upper_tail(ratio: Floats, dof: tuple[float, float], tail: float) -> tuple[Floats, Floats]:
    """Return a ratio of mean squares, and the share of ratios that an upper end may leave below it.

    A ratio far below 1, which chance alone seldom leaves, would exclude every variance from 0 on: an empty
    interval, "0 to 0 %" from five runs. There the share is taken of what a true 0 leaves as small (the CLs rule),
    so that the upper end is what these runs could have seen; from 1 on nothing changes. The limit for a ratio of 0
    is reached long before 1e-3, where the quantiles are still numbers.

    Source: Read (2002), J. Phys. G 28, 2693–2704.
    """
    seen = np.maximum(np.nan_to_num(ratio, nan=1.0), 1e-3)
    return seen, tail * np.minimum(f_share(seen, *dof) / f_share(1.0, *dof), 1)


def difference(ms: tuple[Floats, Floats], dof: tuple[float, float], level: float = 0.95) -> Limits:
    """Return the modified large-sample interval for ``E[ms₁] − E[ms₂]``; its upper end is never below 0.

    Source: Ting, Burdick, Graybill, Jeyaratnam & Lu (1990), J. Statist. Comput. Simul. 35,
    135–143; Burdick & Graybill (1992), Confidence Intervals on Variance Components, eq. 3.3.1.
    """
    tail = (1 - level) / 2
    a, b = (np.asarray(m, dtype=float) for m in ms)
    low = a - b - np.sqrt(np.maximum(_below(a, b, dof, tail), 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        seen, rest = _upper_tail(a / b, dof, tail)
    a = np.where(b > 0, seen * b, a)
    return low, a - b + np.sqrt(np.maximum(_above(a, b, dof, rest), 0))


def _below(a: Floats, b: Floats, dof: tuple[float, float], tail: float) -> Floats:
    """Square of the lower half width, exact where one mean square is 0 and where the ratio is F's own quantile."""
    g, h = 1 - dof[0] / chi2_quantile(1 - tail, dof[0]), dof[1] / chi2_quantile(tail, dof[1]) - 1
    up = f_quantile(1 - tail, *dof)
    both = ((up - 1) ** 2 - g**2 * up**2 - h**2) / up
    return np.asarray(g**2 * a**2 + h**2 * b**2 + both * a * b)


def _above(a: Floats, b: Floats, dof: tuple[float, float], tail: ArrayLike) -> Floats:
    """Square of the upper half width, by the same demands."""
    h, g = (
        dof[0] / chi2_quantile(tail, dof[0]) - 1,
        1 - dof[1] / chi2_quantile(1 - np.asarray(tail), dof[1]),
    )
    down = f_quantile(tail, *dof)
    both = ((1 - down) ** 2 - h**2 * down**2 - g**2) / down
    return np.asarray(h**2 * a**2 + g**2 * b**2 + both * a * b)


def total(ms: tuple[Floats, Floats], dof: tuple[float, float], level: float = 0.95) -> Limits:
    """Interval for a sum ``E[ms₁] + E[ms₂]``.

    Source: Graybill & Wang (1980), J. Amer. Statist. Assoc. 75, 869–873.
    """
    tail = (1 - level) / 2
    a, b = (np.asarray(m, dtype=float) for m in ms)
    g = [1 - n / chi2_quantile(1 - tail, n) for n in dof]
    h = [n / chi2_quantile(tail, n) - 1 for n in dof]
    return a + b - np.hypot(g[0] * a, g[1] * b), a + b + np.hypot(h[0] * a, h[1] * b)


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
    """Intraclass correlation of a nested design: estimate, low, high; exact F, estimate and low may be < 0.

    Source: Searle (1971), Linear Models, p. 414; Burdick & Graybill (1992), §3.4.
    """
    size, tail, dof = squares.size, (1 - level) / 2, (squares.dof[0], squares.dof[1])
    between, within = squares.of(PRETRAIN), squares.of(FINETUNE)
    with np.errstate(divide="ignore", invalid="ignore"):
        seen, rest = _upper_tail(between / within, dof, tail)
        most = np.where(within > 0, seen * within, between) / f_quantile(rest, *dof)
        scaled = [between, between / float(f_quantile(1 - tail, *dof)), most]
        point, low, high = ((b - within) / (b + (size - 1) * within) for b in scaled)
    return point, low, high


def f_test(squares: MeanSquares, upper: str, lower: str) -> tuple[float, float, float, float]:
    """F statistic, its two degrees of freedom and p for "the upper stratum adds no variance"."""
    i, j = squares.names.index(upper), squares.names.index(lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.divide(squares.values[..., i], squares.values[..., j]))
    dof = float(squares.dof[i]), float(squares.dof[j])
    return ratio, *dof, float(f_tail(ratio, *dof))
