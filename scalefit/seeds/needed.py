"""``sf.seeds_needed``: the cheapest pretraining and finetuning seeds that answer a question."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import optimize, special

from scalefit.distributions import chi2_quantile
from scalefit.errors import DesignError
from scalefit.fitting.result import Fit
from scalefit.forecasting.tokens import tokens_for
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.seeds.anova import FINETUNE, PRETRAIN
from scalefit.seeds.design import BOTH_SEEDS
from scalefit.seeds.power import (
    Spread,
    paired_power,
    scaled_assurance,
    welch_power,
    width_assurance,
)
from scalefit.seeds.result import Variance, VariancePart
from scalefit.seeds.variance import variance
from scalefit.types import Floats, Renames
from scalefit.units import check_level, counted

# How much seed noise in a fit's sizes moves its token forecast.


def leverage(fit: Fit, target: float) -> tuple[float, int]:
    """Return the standard error of log10 tokens per unit of SD at each size, and the sizes.

    By the delta method on the fitted law: ``√(gᵀ (JᵀJ)⁻¹ g) / |df/d log10 D|`` where J holds
    the law's derivatives at the distinct sizes and g those at the forecast.

    Raises DesignError: the law has several inputs, or its curve does not reach the target.
    """
    if len(fit.law.inputs) != 1:
        raise DesignError(f"law {fit.law.name!r} has several inputs; needed one that is tokens")
    tokens = tokens_for(fit, target).estimate
    if not np.isfinite(tokens) or tokens <= 0:
        raise DesignError(f"the fitted curve does not reach {fit.metric} {target:g}")
    sizes = np.unique(fit.points.inputs[0])
    theta = fit.solution.theta
    _, at_sizes = fit.law.jacobian((sizes,), theta)
    _, there = fit.law.jacobian((np.array([tokens]),), theta)
    jacobian, g = at_sizes.T, there[:, 0]
    variance = float(g @ np.linalg.pinv(jacobian.T @ jacobian, rcond=1e-12) @ g)
    ends = fit.law.value((tokens * np.array([0.99, 1.01]),), theta)
    slope = float(ends[1] - ends[0]) / float(np.log10(1.01 / 0.99))
    if slope == 0:
        raise DesignError(f"the fitted curve is flat at {fit.metric} {target:g}")
    return float(np.sqrt(variance)) / abs(slope), len(sizes)


FALSE_MISFITS = 0.05
"""Share of right laws that fail the fit's test of lack of fit: their intervals come out wide."""
FINETUNE_CHOICES = (*range(1, 13), 15, 20, 25, 30, 40, 50)
_SHARES = (np.arange(60) + 0.5) / 60
_MOST = 1e3
WHOLE_RUNS = "one finetuning seed of each pretraining seed"


@dataclass(frozen=True, eq=False, repr=False)
class SeedPlan(Result):
    """Seeds to run, what they cost and what they buy.

    Attributes
    ----------
    question : what was asked, in words.
    pretrain, finetune : seeds a side; finetuning seeds are for each pretraining seed.
    cost : total, in the units of the costs given.
    power : probability of the wanted outcome with these seeds.
    alternatives : one for each number of finetuning seeds.

    Examples
    --------
    >>> from scalefit import Spread, seeds_needed
    >>> plan = seeds_needed(Spread(pretrain=0.72, finetune=0.28), half_width=1.0)
    >>> plan.pretrain, plan.finetune
    (7, 3)
    """

    BARE = True

    question: str
    pretrain: int
    finetune: int
    cost: float
    power: float
    alternatives: tuple[dict[str, Any], ...]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """One line."""
        return (
            f"{self.question}: {counted(self.pretrain, 'pretraining seed')} × "
            f"{counted(self.finetune, 'finetuning seed')} (probability {self.power:.2f}, cost {self.cost:.4g})"
        )

    def rows(self) -> list[Row]:
        """Return the alternatives."""
        return list(self.alternatives)


def seeds_needed(
    spread: Any,
    metric: str | None = None,
    *,
    where: Mapping[str, Any] | None = None,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
    difference: float | None = None,
    half_width: float | None = None,
    fit: Fit | None = None,
    target: float | None = None,
    factor: float = 2.0,
    power: float = 0.8,
    level: float = 0.95,
    pretrain_cost: float = 1.0,
    finetune_cost: float = 0.01,
    correlation: float | None = None,
    most: int = 500,
) -> SeedPlan:
    """Cheapest split between pretraining and finetuning seeds for one of three questions.

    Parameters
    ----------
    spread : variance components of one domain, :class:`Spread` with numbers of your own, or the
        results themselves (a path, a DataFrame, a Table, a mapping), with ``metric``.
    metric, where, mapping, allow : for results, as in :func:`scalefit.variance`.
    difference : tell a difference of this size between two procedures from 0.
    half_width : bring a procedure's mean to ± this, at ``level``.
    fit, target : bring the tokens at which the fitted curve reaches ``target`` within a ``factor`` (up and down), the
        law taken for the truth: no seeds buy off doubt about it; seeds are for each size of the fit.
    power : probability that the answer comes out so.
    pretrain_cost, finetune_cost : of one seed, in any unit; for ``fit``, of one size.
    correlation : of the two sides' pretraining-seed effects where both sides finetune the same
        checkpoints (then tested in pairs); None where each side has its own.
    most : largest number of pretraining seeds considered.

    Raises DesignError: not exactly one question, or out of reach with ``most`` pretraining seeds.

    Notes
    -----
    At least two pretraining seeds a side (a procedure is asked about, not a run). Variances of a pilot are themselves
    estimates, and plans that take them for the truth keep half of what they promise. So the plan is averaged over what
    both variances may be, at each number of finetunings, which plans on an upper limit of them (Browne 1995, Statist.
    Med. 14, 1933-1940): over many pilots the promise holds on average. Variances given as :class:`Spread` are taken as
    known. A forecast is promised 95 % at most: fits test their law, and one right law in twenty fails.

    Examples
    --------
    >>> from scalefit import Spread
    >>> seeds_needed(Spread(pretrain=0.72, finetune=0.28), difference=2.0).pretrain
    5
    """
    check_level(level)
    check_level(power, "power")
    _check_plan(most, correlation)
    if not isinstance(spread, Spread | VariancePart | Variance):
        spread = _measured(spread, metric, {"where": where, "mapping": mapping, "allow": allow})
    costs = (pretrain_cost, finetune_cost, correlation)
    start = _spread(spread, costs)
    asked = _question(difference, half_width, fit, target, factor)
    if not start.effective(1) > 0:
        raise DesignError(
            "found no spread over seeds: all runs have one value (copies, or rounded?), and any number of seeds would "
            "do. Needed: runs that differ, or Spread(...) with variances above 0"
        )
    notes = [_split_note(start)]
    if not isinstance(spread, Spread):
        part = spread if isinstance(spread, VariancePart) else spread.only
        asked = replace(asked, pilot=Pilot.of(part))
        if _whole_runs(part):
            notes = [
                f"{WHOLE_RUNS}: a plan of such runs, for what finetuning adds is not known apart"
            ]
        notes.append(_pilot_note(start, asked, power, level, most))
    plan = _plan(start, asked, power, level, most)
    return SeedPlan(asked.words, *plan[0], tuple(plan[1]), tuple(notes))


def _check_plan(most: int, correlation: float | None) -> None:
    if isinstance(most, bool) or not isinstance(most, Integral) or most < 2:
        raise DesignError(f"most is {most!r}; needed a number of pretraining seeds, two or more")
    if correlation is not None and not (isinstance(correlation, Real) and abs(correlation) < 1):
        raise DesignError(f"correlation is {correlation!r}; it lies between -1 and 1")


def _measured(data: Any, metric: str | None, options: Mapping[str, Any]) -> Variance:
    if isinstance(data, Fit) or metric is None:
        raise DesignError(
            f"found a {type(data).__name__}; needed the spread over seeds first. Try: "
            "seeds_needed('results.csv', metric='bleu', difference=0.5), or "
            "seeds_needed(sf.variance(data, metric='bleu'), fit=fit, target=20)"
        )
    measured = variance(data, metric=metric, **options)
    if len(measured) > 1:
        raise DesignError(
            f"found {len(measured)} spreads of {metric} ({', '.join(part.name for part in measured)}); needed one. "
            f"Try: where={dict(measured[0].group)!r}"
        )
    return measured


@dataclass(frozen=True)
class Pilot:
    """A pilot's variances as they were measured, and how well it knows them.

    Attributes
    ----------
    finetune : finetuning seeds of one pretraining seed.
    between, within : degrees of freedom between and within pretraining seeds, less what the runs' tails take.
    seen : variance of a pretraining seed's mean, over the pilot's finetuning seeds.
    noise : variance over finetuning seeds.
    """

    finetune: float
    between: float
    within: float
    seen: float
    noise: float

    @classmethod
    def of(cls, part: VariancePart) -> Pilot:
        """Take it from measured components."""
        if _whole_runs(part):
            only = part[BOTH_SEEDS]
            return cls(1.0, only.dof, 1.0, only.variance, 0.0)
        first, second = part[PRETRAIN], part[FINETUNE]
        seen = max(first.variance + second.variance / part.finetune, 0.0)
        return cls(part.finetune, first.dof, second.dof, seen, second.variance)

    def variances(self, finetune: int) -> Floats:
        """Return what the variance of a seed mean over F finetunings may be: equally likely values.

        Each measured variance over chi-squared by its degrees of freedom (Weerahandi 1993). Of more finetunings than
        the pilot's, a part of what was seen remains, and it may be all or nothing: a pilot in which pretraining
        seeds seem not to matter has only failed to see that they do, and a plan must not rest on it.
        """
        seen = self.seen * self.between / chi2_quantile(_SHARES, self.between)
        noise = self.noise * self.within / chi2_quantile(_SHARES[1::3], self.within)
        seeds = np.subtract.outer(seen, noise / self.finetune)
        return np.asarray((np.maximum(seeds, 0) + noise / finetune).ravel())


@dataclass(frozen=True)
class _Asked:
    """A question with its size; ``error`` is the forecast's, in units of the SD of a size's mean."""

    kind: str
    size: float
    words: str
    error: float = 0.0
    dof_per_seed: int = 1
    pilot: Pilot | None = None

    @property
    def sides(self) -> int:
        """Procedures, or sizes of a fit: how often each seed is paid for."""
        return {"difference": 2, "width": 1, "forecast": self.dof_per_seed}[self.kind]

    def stretch(self, spread: Spread, finetune: int, power: float, level: float) -> float:
        """How many times its estimate a pilot's variance is planned on; 1 where it is known.

        A power is averaged over what the variance may be (the seeds of a plan grow with the variance, so it depends on
        their ratio alone); a width is met or not, so its variance is the upper limit at the wanted probability.
        """
        if self.pilot is None or not spread.effective(finetune) > 0:
            return 1.0
        multiples = self.pilot.variances(finetune) / spread.effective(finetune)
        if self.kind != "difference":
            return max(float(np.quantile(multiples, power)), 1.0)
        z = special.ndtri((1 + level) / 2)
        shift = (z + special.ndtri(power)) / np.sqrt(multiples)

        def short(root: float) -> float:
            return power - float(np.mean(special.ndtr(root * shift - z)))

        if short(_MOST) > 0:
            return _MOST**2
        return float(optimize.brentq(short, 0.0, _MOST)) ** 2

    def chance(self, spread: Spread, level: float, f: int, p: int) -> float:
        """Probability of the wanted outcome with F finetuning seeds of each of P pretraining seeds."""
        sd = float(np.sqrt(spread.effective(f)))
        if self.kind == "width":
            return width_assurance(self.size, sd, p, level)
        if self.kind == "forecast":
            error = self.error * sd / np.sqrt(p)
            narrow = scaled_assurance(self.size, error, self.dof_per_seed * (p - 1), level)
            return (1 - FALSE_MISFITS) * narrow
        if spread.correlation is not None:
            return paired_power(self.size / float(np.sqrt(spread.paired(f))), p, level)
        return welch_power(self.size / sd, p, level)


def _question(
    difference: float | None, half_width: float | None, fit: Fit | None, target: float | None,
    factor: float,
) -> _Asked:  # fmt: skip
    given = [difference is not None, half_width is not None, fit is not None]
    if sum(given) != 1 or (fit is not None) != (target is not None):
        raise DesignError(
            f"found {sum(given)} questions; needed one of difference=, half_width=, or fit= with "
            "target="
        )
    if fit is not None and target is not None:
        error, sizes = leverage(fit, target)
        words = f"for tokens to {fit.metric} {target:g} within a factor {factor:g}, given the law, "
        words += f"{sizes} sizes"
        return _Asked("forecast", _positive(np.log10(factor)), words, error, sizes)
    if difference is not None:
        size = abs(_positive(difference, signed=True))
        return _Asked("difference", size, f"to tell a difference of {size:g} from 0")
    size = _positive(0.0 if half_width is None else half_width)
    return _Asked("width", size, f"for a mean within ± {size:g}")


def _positive(size: float, *, signed: bool = False) -> float:
    number = isinstance(size, Real) and not isinstance(size, bool)
    if not (number and np.isfinite(size) and (abs(size) if signed else size) > 0):
        raise DesignError(f"found a size of {size!r}; needed a number above 0 (factor above 1)")
    return float(size)


def _spread(
    source: Spread | VariancePart | Variance, costs: tuple[float, float, float | None]
) -> Spread:
    if isinstance(source, Spread):
        return source
    part = source if isinstance(source, VariancePart) else source.only
    names = [c.name for c in part.components]
    if _whole_runs(part):
        return Spread(part[BOTH_SEEDS].truncated, 0.0, *costs)
    if PRETRAIN not in names or FINETUNE not in names:
        raise DesignError(
            f"{part.name}: pretraining and finetuning variance are not both known ({part.design}). "
            "Needed: two pretraining seeds, or Spread(...) with variances of your own"
        )
    return Spread(part[PRETRAIN].truncated, part[FINETUNE].truncated, *costs)


def _whole_runs(part: VariancePart) -> bool:
    """Whether each pretraining seed was finetuned once: their sum is known, and plans of such runs need no more."""
    return BOTH_SEEDS in [c.name for c in part.components]


Best = tuple[int, int, float, float]


def _plan(
    spread: Spread, asked: _Asked, power: float, level: float, most: int
) -> tuple[Best, list[dict[str, Any]]]:
    rows = []
    for f in FINETUNE_CHOICES:
        planned = spread.times(asked.stretch(spread, f, power, level))
        chance = partial(asked.chance, planned, level, f)
        p = _fewest(chance, power, most)
        if p is None:
            continue
        cost = spread.cost(p, f, asked.sides)
        rows.append({"pretraining": p, "finetuning": f, "cost": cost, "probability": chance(p)})
    if not rows:
        best = chance(most)
        raise DesignError(
            f"{asked.words}: {most} pretraining seeds give a probability of {best:.2f}, not "
            f"{power:g}. Try: a larger size, less power, or most={2 * most}"
        )
    row = min(rows, key=lambda r: (r["cost"], r["finetuning"]))
    return (row["pretraining"], row["finetuning"], row["cost"], row["probability"]), rows


def _fewest(chance: Callable[[int], float], power: float, most: int) -> int | None:
    """Smallest number of pretraining seeds ≥ 2 with the wanted probability; by bisection."""
    if chance(most) < power:
        return None
    # The chance rises with seeds, so that a thousand plans cost ten tests each.
    return 2 + bisect_left(range(2, most), True, key=lambda seeds: chance(seeds) >= power)


def _split_note(spread: Spread) -> str:
    best = spread.best_finetune
    where = f"{best:.1f}" if np.isfinite(best) else "as many as can be had"
    return f"at these costs the best number of finetuning seeds is about {where} (Cochran's rule)"


def _pilot_note(spread: Spread, asked: _Asked, power: float, level: float, most: int) -> str:
    """Say what the pilot's own variances would have asked for."""
    said = (
        "planned towards the upper ends of the pilot's variances, so that the promise holds on average over pilots, of "
        "runs that scatter normally (of heavy-tailed ones .67 to .8 came where .80 was promised)"
    )
    try:
        p, f, _, _ = _plan(spread, replace(asked, pilot=None), power, level, most)[0]
    except DesignError:
        return said
    return f"{said}; were they known, {p} × {f} would do"
