"""Paired comparison of systems: which differences exceed what the choice of segments explains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scalefit.result import Results, Row, fields_of

from .bootstrap import SEED, Bootstrap, bootstrap, two_sided_p
from .statistics import SegmentStatistics


@dataclass(frozen=True)
class SystemDifference:
    """One system against the baseline.

    Attributes
    ----------
    system : str
        Its name.
    score : float
        Its corpus score.
    difference : float
        Score minus the baseline's.
    low, high : float
        Percentile interval of the difference.
    p_value : float
        Of no difference; sacreBLEU's paired bootstrap.
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
    metric, signature : str
        What was measured.
    baseline : str
        Name of the system compared with.
    baseline_score : float
        Its corpus score.
    differences : tuple of SystemDifference
        The others, in their order.
    level : float
        Of the intervals.
    resamples, seed : int
        Of the bootstrap.

    Examples
    --------
    >>> import scalefit as sf
    >>> systems = {"good": ["the cat sat", "a dog ran off"], "poor": ["the cat", "a dog"]}
    >>> scored = sf.score_systems(systems, ["the cat sat", "a dog ran off"], metrics=["chrf"], cache=False)
    >>> sf.compare_systems(scored.statistics["chrf"], "good", resamples=100)["poor"].difference < 0
    True
    """

    MEMBERS = "differences"

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
    statistics : SegmentStatistics
        As `score_systems` gives them, or as loaded from a file.
    baseline : str
        Name of one of the systems.
    resamples, seed : int
        Number of resampled test sets and their seed; the defaults are sacreBLEU's.
    level : float
        Of the intervals.

    Returns
    -------
    SystemComparison

    Raises
    ------
    ScoringError
        If there is no such baseline.

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
    base = statistics.index(baseline)
    drawn = bootstrap(statistics, resamples, seed)
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
