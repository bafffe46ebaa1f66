"""Bootstrap over segments, and paired comparisons: one multiplicity matrix for all systems, sums by one product.

A resample of segments is a row of counts, how often each segment was drawn. That row times the
segment statistics is the resample's sum, so a thousand resamples of hundreds of systems are one
matrix product (Koehn 2004 gives the test; the resamples are those sacreBLEU 2 draws by the same
seed). Shared rows make the comparison of two systems a paired one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import ScoringError
from scalefit.result import Result, Results, fields_of
from scalefit.rows import Row
from scalefit.types import Floats
from scalefit.units import check_level

from .statistics import SegmentStatistics, corpus_scores

SEED = 12345
"""SacreBLEU's default seed, so that resamples are the same."""
_CELLS = 1_000_000  # of one block of the multiplicity matrix: 8 MB
_COLUMNS = 1_000  # of the statistics multiplied at once


def drawn_counts(segments: int, resamples: int, seed: int = SEED) -> Iterator[Floats]:
    """Yield blocks of rows of the multiplicity matrix, ``resamples`` rows in all.

    Parameters
    ----------
    segments : number of segments, so of columns; each row sums to it.
    resamples : number of rows.
    seed : seed of the generator; blocks do not change the draws.
    """
    generator = np.random.default_rng(seed)
    rows = max(1, _CELLS // segments)
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn = generator.choice(segments, size=(size, segments), replace=True)
        # Each row's draws get a range of numbers of their own, so that one count serves all rows.
        drawn += np.arange(size)[:, None] * segments
        counts = np.bincount(drawn.ravel(), minlength=size * segments)
        yield counts.reshape(size, segments).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Scores of resampled test sets.

    Attributes
    ----------
    systems : names, in the order of the first axis of ``scores``.
    scores : ndarray, shape (systems, resamples)
        One corpus score per system and resample; a column is one test set for all systems.
    """

    systems: tuple[str, ...]
    scores: Floats

    def __post_init__(self) -> None:
        self.scores.flags.writeable = False

    @property
    def mean(self) -> Floats:
        """Mean over resamples, shape ``(systems,)``."""
        return np.asarray(self.scores.mean(axis=1))

    @property
    def stderr(self) -> Floats:
        """Standard error of each system's score from the choice of segments."""
        return np.asarray(self.scores.std(axis=1, ddof=1))

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Return lower and upper percentile limits, each of shape ``(systems,)``.

        At the level .95 these are the order statistics between which sacreBLEU's ± reaches.
        """
        ordered = np.sort(self.scores, axis=1)
        # In floats 1000 × (1 − .9) / 2 is just below 50: without 1e-9 an order statistic too far out.
        left = int(ordered.shape[1] * (1 - level) / 2 + 1e-9)
        return ordered[:, left], ordered[:, ordered.shape[1] - left - 1]


def redrawn(statistics: SegmentStatistics, resamples: int = 1000, seed: int = SEED) -> Bootstrap:
    """Score ``resamples`` redrawn test sets for all systems at once.

    Raises ScoringError: if fewer than two segments or two resamples leave nothing to vary.
    """
    if statistics.segments < 2 or resamples < 2:
        raise ScoringError(
            f"{statistics.metric}: {statistics.segments} segments and {resamples} resamples; "
            "a bootstrap needed two of each at least"
        )
    blocks = [
        _resampled(statistics, block)
        for block in drawn_counts(statistics.segments, resamples, seed)
    ]
    return Bootstrap(statistics.systems, np.concatenate(blocks, axis=1))


def _resampled(statistics: SegmentStatistics, block: Floats) -> Floats:
    """Score a block of resamples; a few systems at a time bound the memory."""
    count, segments, size = statistics.values.shape
    step = max(1, _COLUMNS // size)
    scores = np.empty((count, len(block)))
    for start in range(0, count, step):
        some = statistics.values[start : start + step].astype(np.float64)
        sums = block @ some.transpose(1, 0, 2).reshape(segments, -1)
        shaped = sums.reshape(len(block), -1, size)
        scores[start : start + step] = corpus_scores(statistics.kind, statistics.options, shaped).T
    return scores


def two_sided_p(differences: Floats, observed: float) -> float:
    """Return sacreBLEU's paired bootstrap p-value (Koehn 2004; add-one as in multeval).

    Of two systems with the same output sacreBLEU says p = 1/(resamples + 1); here it is 1.
    """
    if not differences.any():
        return 1.0
    spread: NDArray[np.float64] = np.abs(differences)
    beyond = int((spread - spread.mean() > abs(observed)).sum())
    return (beyond + 1) / (len(spread) + 1)


@dataclass(frozen=True)
class SystemDifference:
    """One system against the baseline.

    Attributes
    ----------
    system : its name.
    score : its corpus score.
    difference : score minus the baseline's.
    low, high : percentile interval of the difference.
    p_value : of no difference; sacreBLEU's paired bootstrap.
    """

    system: str
    score: float
    difference: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, repr=False)
class SystemComparison(Results[SystemDifference]):
    """All systems against one baseline, on the same resampled test sets.

    Attributes
    ----------
    metric, signature : what was measured.
    baseline : name of the system compared with.
    baseline_score : its corpus score.
    differences : the others, in their order.
    level : of the intervals.
    resamples, seed : of the bootstrap.

    Examples
    --------
    >>> import scalefit as sf
    >>> systems = {"good": ["the cat sat", "a dog ran off"], "poor": ["the cat", "a dog"]}
    >>> scored = sf.score_systems(systems, ["the cat sat", "a dog ran off"], metrics=["chrf"], cache=False)
    >>> sf.compare_systems(scored.statistics["chrf"], "good", resamples=100)["poor"].difference < 0
    True
    """

    MEMBERS = "differences"
    shown = Result.shown  # rows of its own, and none of its members

    metric: str
    signature: str
    baseline: str
    baseline_score: float
    differences: tuple[SystemDifference, ...]
    level: float
    resamples: int
    seed: int

    def labels(self, member: SystemDifference) -> Mapping[str, Any]:
        """Return by what a difference is found: its system."""
        return {"system": member.system}

    @property
    def verdict(self) -> str:
        """How many systems differ from the baseline."""
        sure = sum(d.low > 0 or d.high < 0 for d in self)
        return (
            f"{sure} of {len(self)} systems differ from {self.baseline} ({self.metric} "
            f"{self.baseline_score:.2f}) by more than the choice of segments explains"
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the numbers rest on."""
        return (f"{self.resamples} resampled test sets, seed {self.seed}; {self.signature}",)

    def rows(self) -> list[Row]:
        """One row a system: score, difference from the baseline with low and high, p."""
        return [fields_of(d) for d in self]


def compare_systems(
    statistics: SegmentStatistics,
    baseline: str,
    *,
    resamples: int = 1000,
    seed: int = SEED,
    level: float = 0.95,
) -> SystemComparison:
    """Compare every system with a baseline by the paired bootstrap over segments.

    Parameters
    ----------
    statistics : as `score_systems` gives them, or as loaded from a file.
    baseline : name of one of the systems.
    resamples, seed : number of resampled test sets and their seed; the defaults are sacreBLEU's.
    level : of the intervals.

    Raises ScoringError: if there is no such baseline.

    Examples
    --------
    >>> import scalefit as sf
    >>> systems = {"good": ["the cat sat", "a dog ran off"], "poor": ["the cat", "a dog"]}
    >>> scored = sf.score_systems(systems, ["the cat sat", "a dog ran off"], metrics=["chrf"], cache=False)
    >>> compare_systems(scored.statistics["chrf"], "good", resamples=100).baseline
    'good'

    References
    ----------
    Koehn (2004), "Statistical significance tests for machine translation evaluation".
    """
    check_level(level)
    base = statistics.index(baseline)
    drawn = redrawn(statistics, resamples, seed)
    scores = [float(score) for score in statistics.scores]
    others = [place for place in range(len(scores)) if place != base]
    return SystemComparison(
        statistics.metric,
        statistics.signature,
        baseline,
        scores[base],
        tuple(_difference(drawn, scores, place, base, level) for place in others),
        level,
        resamples,
        seed,
    )


def _difference(
    drawn: Bootstrap, scores: list[float], place: int, base: int, level: float
) -> SystemDifference:
    name = drawn.systems[place]
    observed = scores[place] - scores[base]
    spread = drawn.scores[place] - drawn.scores[base]
    low, high = Bootstrap((name,), spread[None].copy()).interval(level)
    p_value = two_sided_p(spread, observed)
    return SystemDifference(name, scores[place], observed, float(low[0]), float(high[0]), p_value)
