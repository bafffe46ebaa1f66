"""One procedure against another: the tests, and what they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from scalefit.errors import DesignError
from scalefit.estimate import Estimate, paired, satterthwaite, welch
from scalefit.fitting.interval import Interval
from scalefit.procedures import crossed
from scalefit.result import Result, Row
from scalefit.types import Floats

from .crossed import multibootstrap, warning
from .sides import Side
from .tails import Functional

PROCEDURE = "holds for new pretraining runs"
CHECKPOINTS = "these checkpoints only: one pretraining seed a side"
_RUNS = "these two runs only: seeds are not replicated"
MULTI = "multi-bootstrap"
NO_SPREAD = (
    "no spread: all seeds of a side have one value (copies, or rounded?), so nothing can be tested"
)


@dataclass(frozen=True, eq=False, repr=False)
class Contrast(Result):
    """B against A under one label.

    ``difference`` is b − a in units of the metric; ``better`` names the better side where the
    adjusted p is below 1 − level, and is None otherwise. ``detectable`` is the difference
    that these seeds would have shown with 80 % power.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = {"corpus": ["fr"] * 3 + ["en"] * 3, "pretrain_seed": [1, 2, 3] * 2,
    ...          "pretrain_tokens": [1e9] * 6, "bleu": [20.0, 20.4, 20.2, 22.1, 22.0, 22.4]}
    >>> contrast = sf.compare_procedures(table, a="fr", b="en", metric="bleu")["en"]
    >>> contrast.better, round(contrast.difference, 2)
    ('en', 1.97)
    """

    metric: str
    group: Mapping[str, Any]
    a: str
    b: str
    mean_a: float
    mean_b: float
    interval: Interval
    p: float
    p_adjusted: float
    dof: float
    seeds: tuple[int, int]
    runs: tuple[int, int]
    examples: int
    paired: bool
    scope: str
    direction: str
    detectable: float
    superiority: Superiority | None
    notes: tuple[str, ...] = ()

    @property
    def difference(self) -> float:
        """Mean of b minus mean of a."""
        return self.interval.estimate

    @property
    def method(self) -> str:
        """Name of the test."""
        return self.interval.method

    @property
    def resolved(self) -> bool:
        """Whether the difference is told from 0 at the level, other contrasts counted in."""
        return self.p_adjusted < 1 - self.interval.level

    @property
    def better(self) -> str | None:
        """Name of the better procedure, where it is resolved."""
        if not self.resolved:
            return None
        up = self.difference > 0
        return self.b if up == (self.direction != "-") else self.a

    @property
    def rests_on(self) -> str:
        """The seeds, runs and examples the answer rests on."""
        unit = "pretraining" if self.scope == PROCEDURE else "finetuning"
        if self.scope == _RUNS:
            return f"1 run a side, {self.examples} examples"
        word = f"{self.seeds[0]} {'paired' if self.paired else f'+ {self.seeds[1]}'} {unit} seeds"
        return word + (f" × {self.examples} examples" if self.examples else "")

    @property
    def verdict(self) -> str:
        """Which is better by how much, or what these seeds could have shown."""
        gap = f"{self.difference:+.3g} [{self.interval.low:.3g}, {self.interval.high:.3g}]"
        gap = f"{self.b} − {self.a} = {gap} {self.metric}"
        adjusted = f", Holm {self.p_adjusted:.2g}" if self.p_adjusted != self.p else ""
        basis = f"(p = {self.p:.2g}{adjusted}; {self.method}, {self.rests_on})"
        where = ", ".join(str(v) for v in self.group.values() if v is not None)
        head, scope = (f"{where}: " if where else ""), self.scope
        scope = "" if scope == PROCEDURE else f"; {scope}"
        if self.better is None:
            tail = f"these seeds show differences above {self.detectable:.3g} with 80 % power"
            return f"{head}not resolved, {gap} {basis}; {tail}{scope}"
        other = self.a if self.better == self.b else self.b
        return f"{head}{self.better} beats {other}: {gap} {basis}{scope}"

    def numbers(self) -> Row:
        """Return the contrast as one row: estimate, low and high of b − a, p, P(b beats a)."""
        beats = self.superiority
        return {
            **self.group,
            "a": self.a,
            "b": self.b,
            "mean_a": self.mean_a,
            "mean_b": self.mean_b,
            "difference": self.difference,
            "low": self.interval.low,
            "high": self.interval.high,
            "p": self.p,
            "p_adjusted": self.p_adjusted,
            "better": self.better,
            "b_beats_a": None if beats is None else beats.probability,
            "b_beats_a_low": None if beats is None else beats.low,
            "b_beats_a_high": None if beats is None else beats.high,
            "rests_on": self.rests_on,
            "scope": self.scope,
            "method": self.method,
            "dof": self.dof,
            "detectable": self.detectable,
        }

    def rows(self) -> list[Row]:
        """One row: see :meth:`numbers`."""
        return [self.numbers()]

    def lines(self) -> list[str]:
        """Return nothing: the verdict holds the numbers."""
        return []


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

    Raises
    ------
    DesignError
        One run a side and no per-example scores: nothing to test with.
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
    if scope != _RUNS and all(np.ptp(side.means) == 0 for side in (a, b)):
        p, low, high = 1.0, -np.inf, np.inf
        notes.append(NO_SPREAD)
    notes += _few(a, b, pair, scope, per_example=method.startswith("crossed"))
    half = scipy.stats.t.ppf((1 + asked.level) / 2, estimate.dof) + scipy.stats.t.ppf(
        0.8, estimate.dof
    )
    return Contrast(
        asked.metric, label, a.name, b.name, a.mean, b.mean,
        Interval(float(estimate.value), float(low), float(high), asked.level, method),
        p, p, float(estimate.dof), (a.pretrain, b.pretrain), unit,
        0 if a.examples is None else a.examples.shape[-1], pair, scope, asked.direction,
        float(half * np.sqrt(estimate.variance)), _beats(a, b, asked), tuple(notes),
    )  # fmt: skip


def _few(a: Side, b: Side, pair: bool, scope: str, *, per_example: bool) -> list[str]:
    """Designs whose tests reject a true null in 7 to 9 % at 5 % (docs/simulations/seeds.md)."""
    fewest, most = sorted((a.pretrain, b.pretrain))
    if scope == _RUNS or fewest > 3:
        return []
    if not pair and most >= 2 * fewest:
        return [
            f"{fewest} seeds against {most}: where the few are the noisier side, 5 % becomes up to "
            "9 %; more seeds for the side with few"
        ]
    if pair and per_example:
        return [f"{fewest} pairs of seeds with scores per example: 5 % becomes up to 8 %"]
    return []


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
        return one[0], one[1], _RUNS, (1, 1)
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
    return Side(side.name, runs, {f: str(f) for f in group}, examples)


_Tested = tuple[Estimate, float, str, tuple[float, float] | None]


def _tested(a: Side, b: Side, asked: Testing, pair: bool, scope: str) -> _Tested:
    if a.examples is None or b.examples is None:
        if asked.test not in ("auto", "t"):
            raise DesignError(f"test={asked.test!r} needs scores per example; a table has none")
        estimate = paired(a.means, b.means) if pair else welch(a.means, b.means)
        return estimate, float(estimate.p), "paired t" if pair else "Welch t", None
    x, y = a.examples.mean(1), b.examples.mean(1)
    if asked.test == "t" and scope != _RUNS:
        estimate = paired(x.mean(1), y.mean(1)) if pair else welch(x.mean(1), y.mean(1))
        return (
            estimate,
            float(estimate.p),
            "paired t over seeds" if pair else "Welch t over seeds",
            None,
        )
    estimate = crossed.paired(x, y) if pair or scope == _RUNS else crossed.unpaired(x, y)
    if asked.test == "multibootstrap" and scope != _RUNS:
        drawn = multibootstrap(
            a.examples, b.examples, paired=pair, draws=asked.draws, seed=asked.seed
        )
        return estimate, drawn.p, MULTI, drawn.interval(asked.level)
    name = "examples only" if scope == _RUNS else "crossed seed × example ANOVA"
    return estimate, float(estimate.p), name, None


def _beats(a: Side, b: Side, asked: Testing) -> Superiority | None:
    if min(a.pretrain, b.pretrain) < 2:
        return None
    sign = -1.0 if asked.direction == "-" else 1.0
    return superiority([sign * g for g in a.groups], [sign * g for g in b.groups], asked.level)


MOST_SPLITS = 13_000
"""All ways to share out 8 and 8 seeds; with more seeds Student's t is as good."""


@dataclass(frozen=True)
class Superiority:
    """P(run of b > run of a) + ½ P(equal), with interval and p for ½."""

    probability: float
    low: float
    high: float
    p: float
    method: str


def superiority(a: Sequence[ArrayLike], b: Sequence[ArrayLike], level: float = 0.95) -> Superiority:
    """Estimate P(b > a) from runs grouped by pretraining seed.

    Parameters
    ----------
    a, b : for each pretraining seed, its run or runs; at least two seeds a side.
    level : of the interval.

    Notes
    -----
    Runs of one pretraining seed are one observation: their placements are averaged (Obuchowski
    1997, Biometrics 53, 567–578); with one run a seed this is Brunner & Munzel (2000),
    Biometrical J. 42, 17–25. Up to 8 seeds a side p and interval come from all permutations of
    the studentised statistic (Neubert & Brunner 2007, Comput. Statist. Data Anal. 51,
    5192–5204), since Student's t rejects a true null in 8 % at five seeds; at three seeds no
    result can be significant, and the interval says so. Where the sides do not overlap the
    variance is 0, and the interval Newcombe's (2006, Statist. Med. 25, 559–573).
    """
    wins = _wins([np.atleast_1d(np.asarray(g, dtype=float)) for g in (*a, *b)])
    n, m = len(a), len(b)
    value, variance, dof = _brunner_munzel(wins, np.arange(n)[None], np.arange(n, n + m)[None])
    point, error = float(value[0]), float(np.sqrt(variance[0]))
    statistic = _studentised(value, variance)[0]
    if special.comb(n + m, n) <= MOST_SPLITS:
        null = np.abs(_permuted(wins, n))
        # Rounding must not take the split that was observed out of its own null.
        p = float(np.mean(null >= abs(statistic) - 1e-9))
        critical = float(np.quantile(null, level, method="higher"))
        method = "Brunner–Munzel, all permutations"
    else:
        p = float(2 * scipy.stats.t.sf(abs(statistic), dof[0]))
        critical, method = float(scipy.stats.t.ppf((1 + level) / 2, dof[0])), "Brunner–Munzel"
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


def _permuted(wins: Floats, n: int) -> Floats:
    # A split of the seeds only picks rows and columns of the table of wins, so that all splits cost no comparison.
    total = len(wins)
    first = np.array(list(combinations(range(total), n)))
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
