"""From summed segment statistics to corpus scores, for thousands of sums at once.

Each function takes sums of shape ``(..., k)`` and gives scores of shape ``(...)``, by the same
formulas as sacreBLEU 2.x (``compute_bleu``, ``_compute_f_score``, ``TER``): sacreBLEU's own work
on one sum at a time. `sacre.check_agreement` holds both against each other at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.types import Floats

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


def mean(sums: Floats) -> Floats:
    """Mean of segment scores from ``[score, 1]``: COMET's system score."""
    return np.asarray(sums[..., 0] / sums[..., 1])


AGGREGATES: dict[str, Callable[..., Floats]] = {
    "bleu": bleu,
    "chrf": chrf,
    "ter": ter,
    "mean": mean,
}


def corpus_scores(kind: str, options: Mapping[str, Any], sums: Floats) -> Floats:
    """Return the corpus score of each sum by the formula called ``kind``."""
    return AGGREGATES[kind](sums, **options)
