"""More of runs than their mean: worst of k, spread, quantiles, failures, and the chance to make it over sizes.

A function of all runs becomes one number a pretraining seed, its pseudo-value n·θ − (n − 1)·θ₋ᵢ, and these are
compared as scores are. For a mean they are the seeds' own means; Miller (1968, Ann. Math. Stat. 39) showed it for the
logarithm of a variance, where ordinary tests of spread lose their level.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.special import comb, expit

from scalefit.errors import DesignError
from scalefit.estimate import left_out, one_sample
from scalefit.fitting.intervals import Interval
from scalefit.types import Floats
from scalefit.units import check_level

from .sides import Side

_NAMED = re.compile(r"(worst of|best of|above|below)\s+([-+\d.eE]+)")


@dataclass(frozen=True)
class Functional:
    """A name, and a number from runs (n,).

    ``improves`` says whether more of it is better: "+" or "-"; None where the metric's direction says so.
    """

    name: str
    of: Callable[[Floats], float]
    improves: str | None = None
    least: int = 2


def functional_of(asked: str | Callable[[Floats], float], direction: str) -> Functional:
    """Return what was asked for by name.

    Raises DesignError: no such name; the message lists those there are.
    """
    if callable(asked):
        return Functional(getattr(asked, "__name__", "function"), lambda v: float(asked(v)))
    if asked == "spread":
        return Functional("ln sd", _log_sd, "-", 3)
    match = _NAMED.fullmatch(asked.strip())
    if not match:
        raise DesignError(
            f"functional={asked!r}; needed 'mean', 'spread', 'worst of 3', 'best of 3', 'above 20', 'below 20', or a "
            "function of the runs"
        )
    word, number = match[1], float(match[2])
    if word in ("above", "below"):
        sign = 1.0 if word == "above" else -1.0
        good = "+" if (word == "above") == (direction != "-") else "-"
        share = partial(_share, sign, number)
        return Functional(f"P({word} {number:g})", share, good, 1)
    k = int(number)
    low = (word == "worst of") == (direction != "-")
    return Functional(f"{word} {k}", lambda v: extreme(v, k, low=low), None, k + 1)


def extreme(values: Floats, k: int, *, low: bool) -> float:
    """Return the expected least (or greatest) of k of these runs: the mean over all choices of k."""
    x = np.sort(values) if low else -np.sort(-values)
    n = x.size
    # A run is the least of C(n − rank, k − 1) of the choices: all of them counted, none drawn.
    weights = comb(np.arange(n)[::-1], k - 1) / comb(n, k)
    return float(weights @ x)


def pseudo_side(side: Side, functional: Functional) -> Side:
    """Return the side with one number a pretraining seed: its pseudo-value of the functional over all runs."""
    groups = side.groups
    if len(groups) < max(functional.least, 2):
        raise DesignError(
            f"{side.name}: {len(groups)} pretraining seeds; {functional.name} needs {max(functional.least, 2)} at least"
        )
    values = left_out(lambda kept: functional.of(np.concatenate(kept)), groups)
    runs: dict[Any, dict[Any, float]] = {
        seed: {0: float(v)} for seed, v in zip(side.runs, values, strict=True)
    }
    return Side(side.name, runs, side.units)


def _share(sign: float, threshold: float, values: Floats) -> float:
    return float(np.mean(sign * values > sign * threshold))


def _log_sd(values: Floats) -> float:
    return 0.5 * float(np.log(max(float(np.var(values, ddof=1)), 1e-300)))


FAILED_MADS = 5.0
RUNS_FOR_MAD = 6
RUNS_FOR_DECILE = 10


@dataclass(frozen=True)
class RunProfile:
    """How a procedure's runs are spread.

    Attributes
    ----------
    name : of the procedure.
    runs, seeds : numbers of runs and of pretraining seeds.
    mean, sd, worst, best : over runs.
    low_tail : quantile .1 on the bad side with a distribution-free interval.
    failed : probability that a run fails; None where failure is not defined.
    given_success : mean of the runs that did not fail (over pretraining seeds).
    threshold : a run beyond it has failed.
    """

    name: str
    runs: int
    seeds: int
    mean: float
    sd: float
    worst: float
    best: float
    low_tail: Interval
    failed: Interval | None
    given_success: Interval | None
    threshold: float | None


def profile(
    name: str,
    groups: Sequence[Floats],
    *,
    direction: str = "+",
    failed_beyond: float | None = None,
    level: float = 0.95,
) -> RunProfile:
    """Describe the runs of a procedure.

    Parameters
    ----------
    groups : runs of each pretraining seed.
    direction : "+" where higher is better.
    failed_beyond : a run on the bad side of it failed; default: 5 MAD beyond the median, where
        there are at least six runs.
    """
    check_level(level)
    runs = np.concatenate([np.atleast_1d(g) for g in groups])
    sign = -1.0 if direction == "-" else 1.0
    edge = failed_beyond if failed_beyond is not None else default_threshold(runs, sign)
    failed = given = None
    if edge is not None:
        failed = failure_probability([sign * np.atleast_1d(g) < sign * edge for g in groups], level)
        given = _given_success(groups, edge, sign, level)
    tail = quantile(sign * runs, 0.1, level)
    ends = sorted((sign * tail.low, sign * tail.high))
    low_tail = Interval(sign * tail.estimate, ends[0], ends[1], level, tail.method)
    sd = float(runs.std(ddof=1)) if len(runs) > 1 else float("nan")
    worst, best = (sign * float(f(sign * runs)) for f in (np.min, np.max))
    return RunProfile(
        name, len(runs), len(groups), float(np.mean([np.mean(g) for g in groups])), sd,
        worst, best, low_tail, failed, given, edge,
    )  # fmt: skip


def default_threshold(runs: Floats, sign: float) -> float | None:
    """Return what a run beyond it has failed by: far on the bad side of the median."""
    far = far_off(runs)
    return None if far is None else float(np.median(runs)) - sign * far


def far_off(runs: Floats) -> float | None:
    """Return five median absolute deviations (scaled to an SD); None of few runs, or of equal ones."""
    if len(runs) < RUNS_FOR_MAD:
        return None
    mad = float(scipy.stats.median_abs_deviation(runs, scale="normal"))
    return FAILED_MADS * mad if mad > 0 else None


def failure_probability(failed: Sequence[NDArray[np.bool_]], level: float = 0.95) -> Interval:
    """Probability that a run fails, from failures grouped by pretraining seed.

    Clopper–Pearson on the effective number of runs: runs of one pretraining seed that fail
    together count as fewer (design effect 1 + (m − 1) ICC; Kish 1965, §5.4).
    """
    check_level(level)
    flags = np.concatenate(failed)
    n, rate = len(flags), float(flags.mean())
    size = n / design_effect(failed)
    # Hits need not be whole: the beta distributions of Clopper and Pearson go on between whole numbers.
    hits, tail = rate * size, (1 - level) / 2
    low = float(scipy.stats.beta.ppf(tail, hits, size - hits + 1)) if hits > 0 else 0.0
    high = float(scipy.stats.beta.ppf(1 - tail, hits + 1, size - hits)) if hits < size else 1.0
    return Interval(rate, low, high, level, f"Clopper–Pearson, {size:.3g} effective of {n} runs")


def design_effect(failed: Sequence[NDArray[np.bool_]]) -> float:
    """Return how many runs count as one: those of one pretraining seed fail together (Kish 1965, §5.4)."""
    sizes = np.array([len(g) for g in failed], dtype=float)
    if len(failed) < 2 or sizes.max() < 2:
        return 1.0
    n, k = sizes.sum(), len(failed)
    rates = np.array([g.mean() for g in failed])
    grand = float((sizes * rates).sum() / n)
    between = float((sizes * (rates - grand) ** 2).sum() / (k - 1))
    within = float((sizes * rates * (1 - rates)).sum() / (n - k))
    # The size of groups that differ in size, as an analysis of variance counts it.
    m = float((n - (sizes**2).sum() / n) / (k - 1))
    total = between + (m - 1) * within
    icc = max((between - within) / total, 0.0) if total > 0 else 0.0
    return float(1 + (sizes.mean() - 1) * min(icc, 1.0))


def _given_success(
    groups: Sequence[Floats], edge: float, sign: float, level: float
) -> Interval | None:
    kept = [np.atleast_1d(g)[sign * np.atleast_1d(g) >= sign * edge] for g in groups]
    means = np.array([g.mean() for g in kept if len(g)])
    if len(means) < 2:
        return None
    estimate = one_sample(means)
    low, high = estimate.interval(level)
    return Interval(
        float(estimate.value), float(low), float(high), level, "t over pretraining seeds"
    )


def quantile(runs: Floats, q: float, level: float = 0.95) -> Interval:
    """Quantile with the distribution-free interval of order statistics (ends may be infinite).

    Source: Conover (1999), Practical Nonparametric Statistics, §3.2.
    """
    check_level(level)
    x = np.sort(np.asarray(runs, dtype=float))
    n, tail = len(x), (1 - level) / 2
    if not n or not 0 < q < 1:
        raise DesignError(f"found {n} runs and q = {q}; needed a run and 0 < q < 1")
    lower = int(scipy.stats.binom.ppf(tail, n, q))
    upper = int(scipy.stats.binom.ppf(1 - tail, n, q)) + 1
    low = x[lower - 1] if lower >= 1 else -np.inf
    high = x[upper - 1] if upper <= n else np.inf
    point = float(np.quantile(x, q))
    return Interval(point, float(low), float(high), level, "order statistics, runs independent")


_STEPS = 100


@dataclass(frozen=True, eq=False)
class Success:
    """A logistic curve of ln x with its doubt.

    Attributes
    ----------
    middle, slope : logit at the centre of ln x, and its change per factor e.
    centre : of ln x; ``covariance`` (2, 2) of middle and slope.
    """

    middle: float
    slope: float
    centre: float
    covariance: Floats

    def at(self, x: Floats, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
        """Return the chance at sizes (Q,), and the low and high end of its interval."""
        u = np.log(np.asarray(x, dtype=float)) - self.centre
        design = np.column_stack([np.ones(u.size), u])
        logit = design @ np.array([self.middle, self.slope])
        sd = np.sqrt(np.maximum((design @ self.covariance * design).sum(1), 0.0))
        far = float(scipy.stats.norm.ppf(0.5 + level / 2)) * sd
        return expit(logit), expit(logit - far), expit(logit + far)

    @property
    def half(self) -> float:
        """The size at which half of the runs make it; inf where the chance does not rise."""
        if self.slope <= 0:
            return float("inf")
        with np.errstate(over="ignore"):
            return float(np.exp(self.centre - self.middle / self.slope))


def success_law(made: Floats, x: Floats, design_effect: float = 1.0) -> Success:
    """Fit the chance to outcomes ``made`` (n,), each between 0 and 1, at sizes ``x`` (n,).

    ``design_effect`` says how many runs count as one: finetunings of one pretraining run succeed together.

    Source: Firth 1993, Biometrika 80(1): half an observation of leverage is added to each side, so that sizes at
    which every run fails do not send the slope to infinity.
    """
    u = np.log(x)
    centre = float(u.mean())
    design = np.column_stack([np.ones(u.size), u - centre])
    beta = np.zeros(2)
    for _ in range(_STEPS):
        p = expit(design @ beta)
        weight = np.maximum(p * (1 - p), 1e-12)
        information = design.T @ (design * weight[:, None])
        # Runs of one size leave the slope free: the ridge gives it a vast variance instead of a singular matrix.
        covariance = np.linalg.inv(information + 1e-12 * np.eye(2))
        leverage = weight * (design @ covariance * design).sum(1)
        step = covariance @ (design.T @ (made - p + leverage * (0.5 - p)))
        # Newton overshoots from 0 where few runs make it, and then swings ever wider.
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    return Success(float(beta[0]), float(beta[1]), centre, covariance * design_effect)
