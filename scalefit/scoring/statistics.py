"""Segment statistics: what is left of a text once a metric has read it, and the corpus scores that sums of them give.

The formulas take sums of shape ``(..., k)`` and give scores of shape ``(...)``, as sacreBLEU 2.x does for one sum at a
time (``compute_bleu``, ``_compute_f_score``, ``TER``). `sacre.check_agreement` holds both together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import FormatError, ScoringError
from scalefit.files import writing
from scalefit.types import Floats
from scalefit.units import some

_NO_LOG = -9999999999.0  # sacreBLEU's logarithm of zero
_SMOOTH = {"none": 0.0, "floor": 0.1, "add-k": 1.0, "exp": 0.0}


def bleu(
    sums: Floats,
    *,
    smooth_method: str = "exp",
    smooth_value: float | None = None,
    effective_order: bool = False,
    max_ngram_order: int = 4,
) -> Floats:
    """BLEU from ``[hyp_len, ref_len, correct…, total…]`` (Papineni et al. 2002, sacreBLEU 2)."""
    correct = np.array(sums[..., 2 : 2 + max_ngram_order], dtype=np.float64)
    total = np.array(sums[..., 2 + max_ngram_order :], dtype=np.float64)
    matched = correct.any(axis=-1)
    value = _SMOOTH[smooth_method] if smooth_value is None else smooth_value
    if smooth_method == "add-k":
        correct[..., 1:] += value
        total[..., 1:] += value
    # As in sacreBLEU, the first order without n-grams ends the sum: segments may be shorter than four words.
    alive = np.logical_and.accumulate(total > 0, axis=-1)
    logs = _log_precisions(correct, total, alive, smooth_method, value)
    orders = np.full(matched.shape, max_ngram_order)
    if effective_order:
        orders = np.where(alive[..., 0], alive.sum(axis=-1), max_ngram_order)
        logs = np.where(np.arange(max_ngram_order) < orders[..., None], logs, 0.0)
    scores = _brevity_penalty(sums) * np.exp(logs.sum(axis=-1) / orders)
    return np.where(matched, scores, 0.0)


def _log_precisions(
    correct: Floats, total: Floats, alive: NDArray[np.bool_], method: str, value: float
) -> Floats:
    missed = alive & (correct == 0)
    counts = correct.copy()
    if method == "exp":
        # Each further order without a match counts half of the one before, as in sacreBLEU and mteval-v13a.
        counts = np.where(missed, 0.5 ** np.cumsum(missed, axis=-1), counts)
    elif method == "floor":
        counts = np.where(missed, value, counts)
    precision = 100.0 * np.where(alive, counts, 0.0) / np.where(alive, total, 1.0)
    positive = precision > 0
    return np.where(positive, np.log(np.where(positive, precision, 1.0)), _NO_LOG)


def _brevity_penalty(sums: Floats) -> Floats:
    ours, reference = sums[..., 0], sums[..., 1]
    penalty = np.exp(1.0 - reference / np.where(ours > 0, ours, 1.0))
    return np.where(ours >= reference, 1.0, np.where(ours > 0, penalty, 0.0))


def chrf(sums: Floats, *, beta: float = 2, eps_smoothing: bool = False) -> Floats:
    """ChrF(++) from ``[hyp, ref, match]`` per order (Popović 2015, 2017, sacreBLEU 2)."""
    counts = np.reshape(sums, (*sums.shape[:-1], -1, 3)).astype(np.float64)
    hyp, ref, match = counts[..., 0], counts[..., 1], counts[..., 2]
    precision = np.where(hyp > 0, match / np.where(hyp > 0, hyp, 1.0), 1e-16)
    recall = np.where(ref > 0, match / np.where(ref > 0, ref, 1.0), 1e-16)
    if eps_smoothing:
        return np.asarray(100.0 * _f_score(precision, recall, beta, 1e-16).mean(axis=-1))
    used = (hyp > 0) & (ref > 0)
    orders = np.maximum(used.sum(axis=-1), 1)
    precision = np.where(used, precision, 0.0).sum(axis=-1) / orders
    recall = np.where(used, recall, 0.0).sum(axis=-1) / orders
    return 100.0 * _f_score(precision, recall, beta, 0.0)


def _f_score(precision: Floats, recall: Floats, beta: float, undefined: float) -> Floats:
    factor = beta**2
    below = factor * precision + recall
    safe = np.where(below > 0, below, 1.0)
    return np.where(below > 0, (1 + factor) * precision * recall / safe, undefined)


def ter(sums: Floats) -> Floats:
    """TER from ``[edits, mean reference length]`` (Snover et al. 2006, sacreBLEU 2)."""
    edits, length = sums[..., 0], sums[..., 1]
    rate = edits / np.where(length > 0, length, 1.0)
    return 100.0 * np.where(length > 0, rate, np.where(edits > 0, 1.0, 0.0))


def segment_mean(sums: Floats) -> Floats:
    """Mean of segment scores from ``[score, 1]``: COMET's system score."""
    return np.asarray(sums[..., 0] / sums[..., 1])


AGGREGATES: dict[str, Callable[..., Floats]] = {
    "bleu": bleu,
    "chrf": chrf,
    "ter": ter,
    "mean": segment_mean,
}


def corpus_scores(kind: str, options: Mapping[str, Any], sums: Floats) -> Floats:
    """Return the corpus score of each sum by the formula called ``kind``."""
    return AGGREGATES[kind](sums, **options)


_FORMAT = 1


@dataclass(frozen=True, eq=False)
class SegmentStatistics:
    """Sufficient statistics of several systems on the same segments, under one metric.

    Attributes
    ----------
    metric : name in the ``metric`` column.
    signature : what makes the numbers comparable: sacreBLEU's signature, or COMET's model and versions.
    systems : names, in the order of the first axis of ``values``.
    values : ndarray, shape (systems, segments, k)
        Counts per segment; their sum over any set of segments gives that set's score.
    kind : {"bleu", "chrf", "ter", "mean"}; formula from sums to score.
    options : the formula's settings, such as BLEU's smoothing.

    Examples
    --------
    >>> import numpy as np
    >>> scores = np.array([[[0.8], [0.6]], [[0.7], [0.9]]])  # two systems on two segments
    >>> both = SegmentStatistics("comet", "a model", ("a", "b"), scores, "mean", {})
    >>> both.systems
    ('a', 'b')
    """

    metric: str
    signature: str
    systems: tuple[str, ...]
    values: NDArray[Any]
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or len(self.systems) != self.values.shape[0]:
            raise ScoringError(
                f"{self.metric}: {len(self.systems)} systems and statistics of shape "
                f"{self.values.shape}; needed (systems, segments, k)"
            )
        self.values.flags.writeable = False

    @property
    def segments(self) -> int:
        """Number of segments."""
        return int(self.values.shape[1])

    @property
    def scores(self) -> Floats:
        """Corpus score of each system, shape ``(systems,)``."""
        return corpus_scores(self.kind, self.options, self.values.sum(axis=1, dtype=np.float64))

    @property
    def segment_scores(self) -> Floats:
        """Score of each segment on its own, shape ``(systems, segments)``."""
        return corpus_scores(self.kind, self.options, self.values.astype(np.float64))

    def index(self, system: str) -> int:
        """Return a system's place.

        Raises ScoringError: if there is no such system; lists those that are there.
        """
        if system not in self.systems:
            there = some(self.systems, 10)
            raise ScoringError(f"no system {system!r} under {self.metric}; there are: {there}")
        return self.systems.index(system)

    def save(self, path: str | Path) -> None:
        """Write a compressed ``.npz`` without pickle: some 17 KB a system of 3,000 segments."""
        head = {
            "format": _FORMAT,
            "metric": self.metric,
            "signature": self.signature,
            "systems": list(self.systems),
            "kind": self.kind,
            "options": dict(self.options),
        }
        with writing(path) as half, half.open("wb") as file:
            np.savez_compressed(file, head=np.array(json.dumps(head)), values=self.values)

    @classmethod
    def load(cls, path: str | Path) -> SegmentStatistics:
        """Read what `save` wrote.

        Raises FormatError: if the file is anything else; nothing in it is ever unpickled.
        """
        try:
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as stored:
                head, values = json.loads(str(stored["head"])), stored["values"]
            version = head.pop("format")
            known = cls(systems=tuple(head.pop("systems")), values=values, **head)
        except OSError as error:
            raise FormatError(f"{path}: cannot be read ({error})") from error
        except Exception as error:
            raise FormatError(
                f"{path}: not segment statistics as SegmentStatistics.save writes them ({error})"
            ) from error
        if version != _FORMAT:
            raise FormatError(f"{path}: format {version}, this scalefit reads {_FORMAT}")
        return known


def stack(rows: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Stack systems' statistics; whole counts in the smallest type that holds them."""
    return np.stack([compact(row) for row in rows])


def compact(row: NDArray[Any]) -> NDArray[Any]:
    """Return whole, non-negative numbers as the smallest unsigned type, others as float64."""
    row = np.asarray(row)
    if row.dtype.kind == "u":
        return row
    if row.dtype.kind == "i" or (np.rint(row) == row).all():
        if row.size and row.min() < 0:
            return row.astype(np.float64)
        top = int(row.max(initial=0))
        kinds = (np.uint16, np.uint32, np.uint64)
        return row.astype(next(kind for kind in kinds if top <= np.iinfo(kind).max))
    return row.astype(np.float64)
