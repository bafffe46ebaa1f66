"""Paired comparison of systems: which differences exceed what the choice of segments explains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class SystemComparison:
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
    """

    metric: str
    signature: str
    baseline: str
    baseline_score: float
    differences: tuple[SystemDifference, ...]
    level: float
    resamples: int
    seed: int

    def __str__(self) -> str:
        """Return the verdict, then a line for each system."""
        sure = sum(d.low > 0 or d.high < 0 for d in self.differences)
        lines = [
            f"{sure} of {len(self.differences)} systems differ from {self.baseline} ({self.metric} "
            f"{self.baseline_score:.2f}) by more than the choice of segments explains"
        ]
        lines += [
            f"  {d.system}: {d.score:.2f}, {d.difference:+.2f} "
            f"[{d.low:+.2f}, {d.high:+.2f}], p = {d.p_value:.3f}"
            for d in self.differences
        ]
        return "\n".join(lines)

    def rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per system."""
        return [vars(d).copy() for d in self.differences]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**vars(self), "differences": self.rows()}


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

    References
    ----------
    Koehn (2004), "Statistical significance tests for machine translation evaluation".

    Examples
    --------
    >>> from scalefit import compare_systems, score_systems
    >>> texts = {"a": ["the cat sat down", "a dog ran"], "b": ["the cat sat", "a dog ran off"]}
    >>> scored = score_systems(texts, ["the cat sat", "a dog ran off"], metrics=["chrf"], cache=False)
    >>> compare_systems(scored.statistics["chrf"], baseline="a").rows()[0]["system"]
    'b'
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
