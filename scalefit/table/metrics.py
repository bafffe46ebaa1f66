"""The metrics that scalefit knows: direction, range, unit and title of each."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """What is known about a metric.

    Attributes
    ----------
    name : str
        Name in the ``metric`` column.
    direction : {"+", "-"} or None
        Whether more is better, less is better, or neither is known.
    lower, upper : float
        Range outside which a value is wrong.
    unit : str
        Unit of the values, for axes.
    title : str
        Name as papers write it.
    """

    name: str
    direction: Literal["+", "-"] | None
    lower: float
    upper: float
    unit: str
    title: str

    @property
    def percent(self) -> bool:
        """Whether the metric runs from 0 to 100, so that a fraction is a mistake."""
        return self.upper == 100.0


INF = math.inf
_LISTED = (
    Metric("cross_entropy", "-", 0.0, INF, "nats/target token", "cross-entropy"),
    Metric("cross_entropy_per_byte", "-", 0.0, INF, "nats/byte", "cross-entropy per byte"),
    Metric("perplexity", "-", 1.0, INF, "", "perplexity"),
    Metric("bleu", "+", 0.0, 100.0, "BLEU points", "BLEU"),
    Metric("chrf", "+", 0.0, 100.0, "chrF points", "chrF"),
    Metric("chrf++", "+", 0.0, 100.0, "chrF++ points", "chrF++"),
    Metric("rouge", "+", 0.0, 100.0, "ROUGE points", "ROUGE"),
    Metric("ter", "-", 0.0, INF, "TER points", "TER"),
    Metric("comet", "+", -INF, INF, "COMET", "COMET"),
    Metric("comet_qe", "+", -INF, INF, "COMET-QE", "COMET-QE"),
    Metric("accuracy", "+", 0.0, 1.0, "fraction", "accuracy"),
    Metric("error", "-", 0.0, 1.0, "fraction", "error rate"),
    Metric("f1", "+", 0.0, 1.0, "fraction", "F1"),
    Metric("brevity_penalty", None, 0.0, 1.0, "ratio", "brevity penalty"),
)
METRICS: dict[str, Metric] = {m.name: m for m in _LISTED}
_SPELLINGS = {
    "crossentropy": "cross_entropy",
    "chrf2": "chrf",
    "chrfplusplus": "chrf++",
    "chrf2++": "chrf++",
    "ppl": "perplexity",
    "acc": "accuracy",
    "sacrebleu": "bleu",
    "cometqe": "comet_qe",
    "cometkiwi": "comet_qe",
    "ce": "cross_entropy",
    "bp": "brevity_penalty",
}
_PLAIN = {re.sub(r"[_\W]+", "", name.replace("+", "p")): name for name in METRICS}


def canonical(name: str) -> str:
    """Return the registry's spelling of a metric (``chrF2`` is ``chrf``), or the name as it is."""
    text = name.strip()
    low = text.lower()
    if low in METRICS:
        return low
    squeezed = re.sub(r"[_\s-]+", "", low)
    known = _SPELLINGS.get(squeezed) or _PLAIN.get(squeezed.replace("+", "p"))
    return known or text


def metric(name: str) -> Metric:
    """Return what is known about a metric; an unknown one has no direction and no range.

    Examples
    --------
    >>> metric("chrF").direction
    '+'
    >>> metric("fluency").direction is None
    True
    """
    known = METRICS.get(canonical(name))
    return known or Metric(name, None, -INF, INF, "", name)
