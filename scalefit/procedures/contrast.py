"""One procedure against another: the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from scalefit.distributions import t_quantile, t_tail
from scalefit.errors import DesignError
from scalefit.estimate import Estimate, one_sample, paired_t, satterthwaite, welch
from scalefit.fitting.intervals import Interval
from scalefit.procedures import crossed
from scalefit.seeds.design import Cell
from scalefit.seeds.scatter import FALSE_ALARMS, strays
from scalefit.types import Floats

from .comparison import CHECKPOINTS, PROCEDURE, TWO_RUNS, Contrast, Superiority
from .crossed import multibootstrap, warning
from .sides import Side
from .tails import Functional

MULTI = "multi-bootstrap"
_FEW = 3
"""Seeds of which the noise says so little that a few more on the other side make Welch's test reject too often."""
SEEDS_SHOWING_FAILURES = 30
"""Seeds a side in which failures of a tenth of all runs surely show."""
_MOST = 1e6
NO_SPREAD = "no spread: all seeds of a side have one value (copies, rounded, or none failed), so nothing can be tested"


@dataclass(frozen=True)
class Testing:
    """How contrasts are to be made."""

    test: str = "auto"
    paired: bool | None = None
    level: float = 0.95
    metric: str = "score"
    direction: str = "+"
    draws: int = 1000
    seed: int = 0
    functional: Functional | None = None


def contrast(a: Side, b: Side, asked: Testing, label: Mapping[str, Any], pair: bool) -> Contrast:
    """Test b against a.

    Raises DesignError: one run a side and no per-example scores: nothing to test with.
    """
    notes: list[str] = []
    if pair:
        a, b, notes = _common(a, b)
    a, b, scope, unit = _units(a, b)
    pair = pair and scope == PROCEDURE
    if scope == PROCEDURE and min(a.pretrain, b.pretrain) == 2:
        notes.append("two pretraining seeds on a side: only a very large difference can be told")
    estimate, p, method, more = _tested(a, b, asked, pair, scope)
    notes += [warning(min(a.pretrain, b.pretrain), paired=pair)] if method == MULTI else []
    low, high = estimate.interval(asked.level) if more is None else more
    alike = scope != TWO_RUNS and all(np.ptp(side.means) == 0 for side in (a, b))
    if alike:
        p, low, high = 1.0, -np.inf, np.inf
        notes.append(NO_SPREAD)
    notes += _few(a, b, pair, scope, per_example=method.startswith("crossed"))
    if scope != TWO_RUNS:
        # A pseudo-value of the spread is no run: that one stands apart says what the spread says already.
        apart = [] if asked.functional else _apart(a, b, asked, pair, scope)
        notes += apart or _unseen(a, b, p < 1 - asked.level)
    half = scipy.stats.t.ppf((1 + asked.level) / 2, estimate.dof) + scipy.stats.t.ppf(
        0.8, estimate.dof
    )
    return Contrast(
        asked.metric, label, a.name, b.name, a.mean, b.mean,
        Interval(float(estimate.value), float(low), float(high), asked.level, method),
        p, p, float(estimate.dof), (a.pretrain, b.pretrain), unit,
        0 if a.examples is None else a.examples.shape[-1], pair, scope, asked.direction,
        np.inf if alike else float(half * np.sqrt(estimate.variance)), _beats(a, b, asked), tuple(notes), a.drawn,
    )  # fmt: skip


def _few(a: Side, b: Side, pair: bool, scope: str, *, per_example: bool) -> list[str]:
    """Say where a design's test rejects a true null in 7 to 9 % at 5 % (docs/simulations/seeds.md)."""
    fewest, most = sorted((a.pretrain, b.pretrain))
    if scope == TWO_RUNS or fewest > _FEW:
        return []
    if pair:
        told = f"{fewest} pairs of seeds with scores per example: 5 % becomes up to 8 %"
        return [told] if per_example else []
    if fewest < most < 2 * fewest:
        return [
            f"{fewest} seeds against {most}: where the few are the noisier side, 5 % becomes up to "
            f"{9 if fewest == 2 else 7} %; more seeds for the side with few"
        ]
    return []


def _apart(a: Side, b: Side, asked: Testing, pair: bool, scope: str) -> list[str]:
    """Name seeds that stand apart from all others, and what the others say: they hide a difference, or are one."""
    of = [dict(zip(s.runs, s.means.tolist(), strict=True)) for s in (a, b)]
    groups = [{s: of[1][s] - of[0][s] for s in of[0]}] if pair else of
    cells = [Cell({}, {s: {0: v} for s, v in g.items()}, dict.fromkeys(g, "")) for g in groups]
    named, left = strays(cells) if min(map(len, groups)) > 2 else ([], cells)
    if not named:
        return []
    first, second = (s.only(list(left[0 if pair else i].runs)) for i, s in enumerate((a, b)))
    estimate, without, *_ = _tested(first, second, asked, pair, scope)
    each = [
        f"pair of seed {n.pretrain}"
        if pair
        else f"{(a, b)[n.cell].name}, seed {n.pretrain} ({of[n.cell][n.pretrain]:.4g})"
        for n in named
    ]
    one = len(named) == 1
    return [
        f"{'; '.join(each)} {'stands' if one else 'stand'} apart from all others (p = {named[-1].p:.2g}; at most one "
        f"comparison of normal runs in 20 names any): without {'it' if one else 'them'} {b.name} − {a.name} = "
        f"{float(estimate.value):+.3g} (p = {without:.2g})"
    ]


def _unseen(a: Side, b: Side, told: bool) -> list[str]:
    """Condition a difference on failures that so few seeds need not show: one side's alone move its mean."""
    fewest = min(a.pretrain, b.pretrain)
    if not told or fewest >= SEEDS_SHOWING_FAILURES:
        return []
    share = 1 - FALSE_ALARMS ** (1 / fewest)
    return [
        f"{fewest} seeds need not show failures of up to {100 * share:.2g} % of a side's runs: the difference holds "
        "for runs that scatter as these do"
    ]


def _common(a: Side, b: Side) -> tuple[Side, Side, list[str]]:
    seeds = [s for s in a.runs if s in b.runs]
    if not seeds:
        raise DesignError(
            f"{a.name} and {b.name} have no pretraining seed in common, so they cannot be paired. "
            "Try: paired=False"
        )
    left = a.pretrain + b.pretrain - 2 * len(seeds)
    notes = [f"{left} seeds without a partner left out"] if left else []
    return a.only(seeds), b.only(seeds), notes


def _units(a: Side, b: Side) -> tuple[Side, Side, str, tuple[int, int]]:
    """Choose what is replicated: pretraining seeds, else finetuning seeds, else nothing."""
    runs = len(a.every), len(b.every)
    if min(a.pretrain, b.pretrain) > 1:
        return a, b, PROCEDURE, runs
    one = [s.only(list(s.runs)[:1]) for s in (a, b)]
    if all(len(s.every) > 1 for s in one):
        first, second = (_as_seeds(s) for s in one)
        return first, second, CHECKPOINTS, (len(first.every), len(second.every))
    if a.examples is not None and b.examples is not None:
        return one[0], one[1], TWO_RUNS, (1, 1)
    gap = abs(a.mean - b.mean)
    raise DesignError(
        f"{a.name} against {b.name}: one run a side cannot be tested. Needed: two pretraining "
        "seeds a side (three to see anything but large differences), or scores per example. "
        f"The difference of {gap:.3g} could be chance wherever seeds have an SD above "
        f"{gap / (scipy.stats.norm.ppf(0.975) * 2**0.5):.2g}"
    )


def _as_seeds(side: Side) -> Side:
    group = next(iter(side.runs.values()))
    examples = None if side.examples is None else side.examples[0][:, None]
    if examples is not None and len(examples) != len(group):
        examples = None
    runs = {f: {0: v} for f, v in group.items()}
    return replace(side, runs=runs, units={f: str(f) for f in group}, examples=examples)


_Tested = tuple[Estimate, float, str, tuple[float, float] | None]


def _tested(a: Side, b: Side, asked: Testing, pair: bool, scope: str) -> _Tested:
    if a.examples is None or b.examples is None:
        if asked.test not in ("auto", "t"):
            raise DesignError(f"test={asked.test!r} needs scores per example; a table has none")
        return *_over_seeds(a.means, b.means, asked.level, pair=pair), None
    x, y = a.examples.mean(1), b.examples.mean(1)
    if asked.test == "t" and scope != TWO_RUNS:
        estimate, p, name = _over_seeds(x.mean(1), y.mean(1), asked.level, pair=pair)
        return estimate, p, f"{name} over seeds", None
    if asked.test == "multibootstrap" and scope != TWO_RUNS:
        estimate = crossed.paired(x, y) if pair else crossed.unpaired(x, y)
        drawn = multibootstrap(
            a.examples, b.examples, paired=pair, draws=asked.draws, seed=asked.seed
        )
        return estimate, drawn.p, MULTI, drawn.interval(asked.level)
    if not pair and scope != TWO_RUNS:
        return *_crossed(x, y, asked.level), None
    estimate = crossed.paired(x, y)
    name = "examples only" if scope == TWO_RUNS else "crossed seed × example ANOVA"
    return estimate, float(estimate.p), name, None


def _over_seeds(a: Floats, b: Floats, level: float, *, pair: bool) -> tuple[Estimate, float, str]:
    """Return b − a from one number a seed, its p, and the test's name."""
    if pair:
        estimate = paired_t(a, b)
        return estimate, float(estimate.p), "paired t"
    sides = [one_sample(side) for side in (a, b)]
    parts, dofs = (
        [float(v) for v in vs] for vs in zip(*((s.variance, s.dof) for s in sides), strict=True)
    )
    if not _misled(parts, dofs):
        estimate = welch(a, b)
        return estimate, float(estimate.p), "Welch t"
    return *behrens_fisher(sides[1].value - sides[0].value, parts, dofs, level), "Behrens–Fisher"


def _crossed(a: Floats, b: Floats, level: float) -> tuple[Estimate, float, str]:
    """Return b − a from scores (S, N) of sides with seeds of their own, its p, and the test's name."""
    name = "crossed seed × example ANOVA"
    value, parts, dofs = crossed.parts(a, b)
    if _misled(parts, dofs):
        return *behrens_fisher(value, parts, dofs, level), f"{name}, Behrens–Fisher"
    estimate = crossed.unpaired(a, b)
    return estimate, float(estimate.p), name


def _misled(parts: ArrayLike, dofs: Sequence[float]) -> bool:
    """Return whether degrees of freedom guessed from these variances would reject too often: few seeds against many."""
    return _few_against_many(dofs[0] + 1, dofs[1] + 1) and float(np.sum(parts)) > 0


def _few_against_many(n: float, m: float) -> bool:
    few, many = sorted((n, m))
    # Measured: Welch passes 6 % from 2 against 4, 3 against 6 and 4 against 12 on, and at no number from 5 on.
    return few <= _FEW + 1 and many >= max(2, few - 1) * few


def behrens_fisher(
    value: ArrayLike, parts: ArrayLike, dofs: Sequence[float], level: float = 0.95
) -> tuple[Estimate, float]:
    """Return the estimate of a difference whose variance is a sum, without guessing its freedom; and the two-sided p.

    Welch and Satterthwaite guess degrees of freedom from the variances themselves, and those of two or three seeds
    guess too many: at 2 against 10 a true null is rejected in 10 to 12 % at 5 %. Here each part of the error is a
    Student's t of its own, whatever the others say of noise: at most 5 % in all designs tried
    (docs/simulations/seeds.md), at some cost of power.

    Parameters
    ----------
    value : b − a.
    parts, dofs : (k,) independent variances and their degrees of freedom, infinite where one is known.
    level : the degrees of freedom returned are those at whose t quantile the interval at this level ends.

    Source: Robinson (1976), Ann. Statist. 4, 963–971.

    Examples
    --------
    >>> estimate, p = behrens_fisher(3.0, parts=[1.0, 0.01], dofs=[1.0, 9.0])
    >>> round(p, 2), estimate.interval()[0].round(1).item()
    (0.21, -9.7)
    """
    dof, variance = np.asarray(dofs, dtype=float), np.asarray(parts, dtype=float)
    order = np.argsort(dof[variance > 0])
    dof, variance = dof[variance > 0][order], variance[variance > 0][order]
    widths = np.sqrt(variance / variance.sum())
    nodes, weights = np.zeros(1), np.ones(1)
    # The part of fewest degrees of freedom stays exact, for it has the far tails; the others are summed over.
    for width, of in zip(widths[1:], dof[1:], strict=True):
        nodes = np.add.outer(nodes, width * _t_nodes(of)).ravel()
        weights = np.outer(weights, _WEIGHTS).ravel()

    def tails(t: float) -> float:
        return float(2 * weights @ t_tail((t - nodes) / widths[0], dof[0]))

    most = float(t_quantile((1 + level) / 2, dof[0]))
    least = float(special.ndtri((1 + level) / 2))
    critical = float(optimize.brentq(lambda t: tails(t) - (1 - level), 0, 2 * most))

    def beyond(logarithm: float) -> float:
        return float(t_quantile((1 + level) / 2, np.exp(logarithm))) - critical

    ends = np.log(dof[0]), np.log(_MOST)
    held = min(max(critical, least), most)
    freedom = np.exp(optimize.brentq(beyond, *ends)) if least < held < most else dof[0]
    estimate = Estimate(np.asarray(value, dtype=float), variance.sum(), np.asarray(freedom))
    return estimate, min(tails(abs(float(estimate.t))), 1.0)


_LOGITS = np.linspace(-18, 18, 145)
"""Equal steps in the logit of the share: the sum reaches the far tails, of which a small p is made."""
_WEIGHTS = special.expit(_LOGITS) * special.expit(-_LOGITS)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def _t_nodes(dof: float) -> Floats:
    """Return quantiles of Student's t at the logits, of the normal distribution where dof is infinite."""
    share = special.expit(-np.abs(_LOGITS))
    lower = t_quantile(share, dof) if np.isfinite(dof) else special.ndtri(share)
    return np.asarray(-np.sign(_LOGITS) * lower)


def _beats(a: Side, b: Side, asked: Testing) -> Superiority | None:
    if min(a.pretrain, b.pretrain) < 2:
        return None
    sign = -1.0 if asked.direction == "-" else 1.0
    return superiority([sign * g for g in a.groups], [sign * g for g in b.groups], asked.level)


MOST_SPLITS = 13_000
"""All ways to share out 8 and 8 seeds."""
FEW_RANKS = 8
"""Seeds on the smaller side beyond which Student's t is as good as splits."""


def superiority(a: Sequence[ArrayLike], b: Sequence[ArrayLike], level: float = 0.95) -> Superiority:
    """Estimate P(b > a) from runs grouped by pretraining seed.

    Parameters
    ----------
    a, b : for each pretraining seed, its run or runs; at least two seeds a side.
    level : of the interval.

    Notes
    -----
    Runs of one pretraining seed are one observation: their placements are averaged (Obuchowski 1997, Biometrics 53,
    567–578); with one run a seed this is Brunner & Munzel (2000), Biometrical J. 42, 17–25. Up to 8 seeds on a side p
    and interval come from permutations of the studentised statistic (Neubert & Brunner 2007, Comput. Statist. Data
    Anal. 51, 5192–5204), all of them or thousands drawn, since Student's t rejects a true null in 8 % at five seeds and
    in 12 % at 4 against 40. At three seeds a side, or up to four against many, no result can be significant, and the
    interval says so. Where the sides do not overlap the variance is 0, and the interval Newcombe's (2006, Statist. Med.
    25, 559–573).
    """
    wins = _wins([np.atleast_1d(np.asarray(g, dtype=float)) for g in (*a, *b)])
    n, m = len(a), len(b)
    value, variance, dof = _brunner_munzel(wins, np.arange(n)[None], np.arange(n, n + m)[None])
    point, error = float(value[0]), float(np.sqrt(variance[0]))
    statistic = _studentised(value, variance)[0]
    if min(n, m) <= FEW_RANKS:
        every = special.comb(n + m, n) <= MOST_SPLITS
        null = np.abs(_permuted(wins, _all_splits(n, m) if every else _drawn_splits(n, m)))
        # Rounding must not take the split that was observed out of its own null; among drawn ones it comes first.
        p = float(np.mean(null >= abs(statistic) - 1e-9))
        critical = float(np.quantile(null, level, method="higher"))
        method = f"Brunner–Munzel, {'all' if every else len(null)} permutations"
    else:
        p = float(2 * t_tail(abs(statistic), dof[0]))
        critical, method = float(t_quantile((1 + level) / 2, dof[0])), "Brunner–Munzel"
    if _few_against_many(n, m):
        # Splits take both sides for alike. Few that are the noisier side lie above or below all others like coins,
        # and no test of four coins can reject.
        p = max(p, 2 * 0.5 ** min(n, m))
        critical = critical if p < 1 - level else np.inf
    low, high = _limits(point, error, critical, (n, m), level)
    return Superiority(point, low, high, p, method)


def _wins(groups: Sequence[Floats]) -> Floats:
    """Share of pairs of runs in which seed j beats seed i, ties half: (K, K)."""
    runs, sizes = np.concatenate(groups), np.array([len(g) for g in groups], dtype=float)
    starts = np.concatenate([[0], np.cumsum(sizes[:-1])]).astype(int)
    pairs = (runs > runs[:, None]) + 0.5 * (runs == runs[:, None])
    summed = np.add.reduceat(np.add.reduceat(pairs, starts, axis=0), starts, axis=1)
    return np.asarray(summed / np.outer(sizes, sizes))


def _brunner_munzel(
    wins: Floats, first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[Floats, Floats, Floats]:
    """P(second > first), its variance and dof, for index sets (R, n) and (R, m)."""
    table = wins[first[:, :, None], second[:, None, :]]
    of_first, of_second = table.mean(2), table.mean(1)
    parts = np.stack([v.var(1, ddof=1) / v.shape[1] for v in (of_first, of_second)], axis=-1)
    dof = satterthwaite(parts, [first.shape[1] - 1, second.shape[1] - 1])
    return table.mean((1, 2)), parts.sum(-1), dof


def _studentised(value: Floats, variance: Floats) -> Floats:
    gap = np.where(np.abs(value - 0.5) < 1e-12, 0.0, value - 0.5)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = gap / np.sqrt(np.maximum(variance, 0))
    return np.where(gap == 0, 0.0, ratio)


@lru_cache(maxsize=8)  # designs come in tables of many groups
def _all_splits(n: int, m: int) -> NDArray[np.int64]:
    return np.array(list(combinations(range(n + m), n)))


def _drawn_splits(n: int, m: int) -> NDArray[np.int64]:
    """Return the split that was made, then drawn ones, as many as memory likes: (R, n)."""
    count = int(np.clip(4e6 / (n * m), 999, 4999))
    order = np.argsort(np.random.default_rng(20261127).random((count, n + m)), axis=1)
    return np.vstack([np.arange(n), order[:, :n]])


def _permuted(wins: Floats, first: NDArray[np.int64]) -> Floats:
    """Statistics of splits whose first side has these seeds, (R, n)."""
    # A split of the seeds only picks rows and columns of the table of wins, so that all splits cost no comparison.
    total, n = len(wins), first.shape[1]
    taken = np.zeros((len(first), total), dtype=bool)
    np.put_along_axis(taken, first, values=True, axis=1)
    second = np.nonzero(~taken)[1].reshape(len(first), total - n)
    value, variance, _ = _brunner_munzel(wins, first, second)
    return _studentised(value, variance)


def _limits(
    point: float, error: float, critical: float, sizes: tuple[int, int], level: float
) -> tuple[float, float]:
    if not np.isfinite(critical):
        return 0.0, 1.0
    if error == 0:
        return _newcombe(point, sizes, level)
    ends = np.clip([point - critical * error, point + critical * error], 0, 1)
    return float(ends[0]), float(ends[1])


def _newcombe(value: float, sizes: tuple[int, int], level: float) -> tuple[float, float]:
    z = float(scipy.stats.norm.ppf((1 + level) / 2))
    n, m = sizes
    extra = (n + m) / 2 - 1

    def excess(theta: float) -> float:
        spread = 1 + extra * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return (value - theta) ** 2 - z**2 * theta * (1 - theta) * spread / (n * m)

    low = 0.0 if value <= 0.5 else optimize.brentq(excess, 1e-9, value - 1e-9)
    high = 1.0 if value >= 0.5 else optimize.brentq(excess, value + 1e-9, 1 - 1e-9)
    return float(low), float(high)
