"""``monitor``: the sequential use of the diagnostic, look by look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalefit.errors import DesignError
from scalefit.table import as_table
from scalefit.table.metrics import canonical

from .align import BY, QUALITY, quality_metrics, split_columns
from .cells import Cells, cells_of
from .falltest import FallTest, fall_test
from .pair import Pair, pair_test
from .scale import Scale, scale_of
from .sequential import nominal_level, spent
from .watch import DECIDE, GO_ON, STOP, Watch, WatchTable
from .words import tokens

__all__ = ["monitor"]


@dataclass(frozen=True)
class _Rule:
    """How the level is spent over the looks."""

    alpha: float
    planned: int | None
    looks_before: int

    def level(self, look: int, curve: Cells) -> float:
        if self.planned is None or curve.level == "single" or self.looks_before:
            return spent(look + self.looks_before, self.alpha)
        runs = max(2, int(np.median(curve.runs)))
        return nominal_level(max(self.planned, len(curve.sizes)), runs, curve.design, self.alpha)


def monitor(
    table: Any,
    by: Sequence[str] = BY,
    quality: str | Sequence[str] = QUALITY,
    loss: str = "cross_entropy",
    margin: float | Mapping[str, float] = 0.5,
    alpha: float = 0.05,
    planned: int | None = None,
    looks_before: int = 0,
) -> WatchTable:
    """Test after every new pretraining size, with one false-alarm rate for the whole sequence.

    Give the table as it stands; earlier looks are worked out again from it. Sizes are taken in
    ascending order.

    Parameters
    ----------
    table, by, quality, loss, margin
        As in :func:`align`.
    alpha
        Chance of any false alarm over the whole sequence of one group and metric.
    planned
        Number of sizes planned. None: open-ended, look k spends ``alpha / (k (k + 1))``.
    looks_before
        Looks already taken at other states of the same curve (seeds added after a look).

    Raises
    ------
    DesignError
        More sizes than were planned.

    Examples
    --------
    >>> bleu = [20.0, 20.3, 19.9, 22.1, 21.8, 22.0, 19.2, 18.9, 19.1]
    >>> sizes = [size for size in (1e6, 4e6, 16e6) for seed in range(3)]
    >>> table = {"pretrain_tokens": sizes, "pretrain_seed": [1, 2, 3] * 3, "bleu": bleu}
    >>> monitor(table, planned=5)[0].decision
    'stop'
    """
    whole = as_table(table)
    names, _ = split_columns(whole, [by] if isinstance(by, str) else list(by))
    rule, found = _Rule(alpha, planned, looks_before), []
    for name in quality_metrics(whole, quality):
        scale = scale_of(name, whole.where(metric=name).column("value"), margin)
        for key, rows in whole.groups(names):
            curve = cells_of(rows, name, None)
            losses = None if canonical(loss) == name else cells_of(rows, canonical(loss), None)
            if curve is not None:
                _check_plan(curve, planned)
                found.append(_watch(key, curve, losses, scale, rule))
    order = (STOP, DECIDE, GO_ON)
    return WatchTable(tuple(sorted(found, key=lambda w: order.index(w.decision))), alpha)


def _check_plan(curve: Cells, planned: int | None) -> None:
    if planned is not None and len(curve.sizes) > planned:
        raise DesignError(
            f"{len(curve.sizes)} pretraining sizes are there, but planned={planned}; the level was "
            "shared out over the plan. Try: planned=None, which allows any number of looks"
        )


def _watch(
    key: Mapping[str, Any], curve: Cells, losses: Cells | None, scale: Scale, rule: _Rule
) -> Watch:
    """Replay the looks until one stops the sequence."""
    first = 3 if curve.level == "single" else 2
    levels, p, pairs = [], [], []
    fall, pair, stopped = None, None, False
    for k in range(first, len(curve.sizes) + 1):
        level = rule.level(k - first + 1, curve)
        part = curve.first(k)
        if not part.testable:
            continue
        fall = fall_test(part, scale.sign, scale.reference, level)
        pair = _pair(part, fall, losses, level)
        levels.append(level)
        p.append(fall.p_value)
        pairs.append(1.0 if pair is None else pair.p)
        if stopped := fall.p_value <= level:
            break
    decision = STOP if stopped else _unsure(fall, scale)
    return Watch(
        key=key,
        metric=curve.metric,
        decision=decision,
        misaligned=bool(stopped and pairs[-1] <= levels[-1] and curve.level == "procedure"),
        look=len(p),
        levels=tuple(levels),
        p=tuple(p),
        pairs=tuple(pairs),
        **_said(decision, curve, fall, pair, len(p)),
    )


def _pair(part: Cells, fall: FallTest, losses: Cells | None, level: float) -> Pair | None:
    """Test the pair on the sizes so far."""
    if losses is None:
        return None
    k = int((losses.sizes <= part.sizes[-1] * 1.1).sum())
    if k < 2:
        return None
    loss = losses.first(k)
    if not loss.testable:
        return None
    scale = scale_of(loss.metric, loss.score, 0.5)
    return pair_test(part, fall, loss, fall_test(loss, -scale.sign, scale.reference, level))


def _unsure(fall: FallTest | None, scale: Scale) -> str:
    return DECIDE if fall is not None and fall.estimate > scale.margin else GO_ON


def _said(
    decision: str, curve: Cells, fall: FallTest | None, pair: Pair | None, looks: int
) -> dict[str, str]:
    """Reason and advice."""
    if fall is None:
        return {
            "reason": f"{len(curve.sizes)} sizes so far, too few for a look.",
            "advice": "measure the next size",
        }
    i, j = fall.pair
    places = f"{tokens(curve.sizes[i])} and {tokens(curve.sizes[j])} tokens"
    seen = f"Look {looks}: largest fall {fall.estimate:.3g}, p = {fall.p_value:.2g}"
    if decision == STOP:
        loss = "" if pair is None else f", cross-entropy improves by {pair.gain:.2g} meanwhile"
        return {
            "reason": f"{seen} against a level of {fall.alpha:.2g}{loss}.",
            "advice": f"stop; the best size so far is {_best(curve, j, fall)}",
        }
    if decision == DECIDE:
        return {
            "reason": f"{seen} against a level of {fall.alpha:.2g}: not beyond doubt.",
            "advice": f"more pretraining seeds at {places} would decide; then looks_before={looks}",
        }
    return {
        "reason": f"{seen} against a level of {fall.alpha:.2g}.",
        "advice": "go on with the next size",
    }


def _best(curve: Cells, j: int, fall: FallTest) -> str:
    i = int(np.nanargmax(np.where(np.isnan(fall.size[:, j]), -np.inf, fall.size[:, j])))
    return f"{tokens(curve.sizes[i])} tokens"
