"""Causes of a fall that can be told apart, what speaks for each, and the run that would settle it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from scalefit.table import Table
from scalefit.types import Floats
from scalefit.units import format_count

from .evidence.gather import Evidence

Status = Literal["likely", "unlikely", "unknown"]


@dataclass(frozen=True)
class Cause:
    """One possible cause.

    Attributes
    ----------
    name : short name.
    status : "likely", "unlikely", or "unknown" where the table does not tell.
    why : what was seen.
    control : the run or column that would settle it; empty where nothing is open.
    """

    name: str
    status: Status
    why: str
    control: str = ""

    def __str__(self) -> str:
        """Return the cause on one line."""
        tail = f" To settle it: {self.control}." if self.control else ""
        return f"{self.name} ({self.status}): {self.why}.{tail}"


CORPORA_NAMED = 8  # other corpora that a cause names


@dataclass(frozen=True)
class Siblings:
    """What the rest of the table says.

    Attributes
    ----------
    falling, steady : other corpora that fall, and that do not, under the same conditions; some of
        them where there are many.
    rates : learning rates tried anywhere in the table.
    spans : (finetuning tokens, quality gained over all pretraining sizes) of the same corpus.
    """

    falling: tuple[str, ...] = ()
    spans: tuple[tuple[float, float], ...] = ()
    steady: tuple[str, ...] = ()
    rates: tuple[float, ...] = ()


def causes_of(
    evidence: Evidence, group: Table, siblings: Siblings, failed: tuple[int, bool]
) -> tuple[Cause, ...]:
    """List the causes that bear on the largest fall of a curve.

    Parameters
    ----------
    evidence : evidence of the curve.
    group : all rows of its group, every metric.
    siblings : what the rest of the table says.
    failed : number of failed runs, and whether the verdict changes without them.
    """
    i, j = evidence.fall.pair
    sizes = (float(evidence.quality.sizes[i]), float(evidence.quality.sizes[j]))
    listed: Sequence[Cause | None] = (
        _repetition(group, sizes),
        _brevity(evidence, group, sizes),
        _schedule(evidence, group, sizes),
        _learning_rate(group, siblings.rates),
        _overtraining(evidence, siblings),
        _finetuning_size(evidence, group, siblings.spans),
        _test_set(evidence),
        _failed(*failed),
    )
    order = {"likely": 0, "unknown": 1, "unlikely": 2}
    return tuple(sorted((c for c in listed if c is not None), key=lambda c: order[c.status]))


def _at(group: Table, column: str, size: float) -> Any:
    tokens = group.column("pretrain_tokens")
    near = np.abs(np.log(np.maximum(tokens, 1) / size)) < np.log(1.1)
    return group.column(column)[near]


def _repetition(group: Table, sizes: tuple[float, float]) -> Cause:
    name, control = "repetition", "pretrain on as many tokens without repeating any"
    if not group.has("unique_tokens"):
        return Cause(name, "unknown", "the table has no column unique_tokens", control)
    unique = _at(group, "unique_tokens", sizes[1])
    unique = unique[np.isfinite(unique)]
    if not len(unique):
        return Cause(name, "unknown", "unique_tokens is missing at the size that falls", control)
    times = sizes[1] / float(np.median(unique))
    if times <= 1.01:
        return Cause(name, "unlikely", f"no token is seen twice up to {format_count(sizes[1])}")
    seen = f"at {format_count(sizes[1])} tokens every token was seen {times:.2g} times"
    # Up to four epochs cost little (Muennighoff et al. 2023).
    return Cause(name, "likely" if times > 4 else "unknown", seen, control)


def _brevity(evidence: Evidence, group: Table, sizes: tuple[float, float]) -> Cause | None:
    if evidence.quality.metric != "bleu":
        return None
    name = "brevity penalty"
    if "brevity_penalty" not in group.metrics:
        return Cause(
            name, "unknown", "not in the table", "score brevity_penalty, chrF or COMET too"
        )
    rows = group.where(metric="brevity_penalty")
    first, second = (_mean(_at(rows, "value", size)) for size in sizes)
    i, j = evidence.fall.pair
    loss = np.log(evidence.quality.means[i] / max(evidence.quality.means[j], 1e-9))
    if not (np.isfinite(first) and np.isfinite(second) and second > 0):
        return Cause(name, "unknown", "missing at these sizes", "score brevity_penalty there")
    share = float(np.log(first / second) / loss) if loss > 0 else 0.0
    why = f"it goes from {first:.2f} to {second:.2f}, {max(share, 0):.0%} of the largest fall"
    if share >= 0.5:
        return Cause(name, "likely", why, "decode again with a tuned length penalty")
    return Cause(name, "unlikely", why)


def _mean(values: Floats) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")


def _schedule(evidence: Evidence, group: Table, sizes: tuple[float, float]) -> Cause | None:
    name = "learning-rate schedule"
    control = "cool the learning rate down from both checkpoints before finetuning"
    if group.has("schedule"):
        first, second = (sorted({str(v) for v in _at(group, "schedule", s)}) for s in sizes)
        if first != second:
            return Cause(name, "likely", f"{'/'.join(first)} against {'/'.join(second)}", control)
        return Cause(name, "unlikely", f"all of {'/'.join(first)}")
    if evidence.quality.known and evidence.quality.design == "shared":
        why = "checkpoints of one run; whether they are decayed is not in the table"
        return Cause(name, "unknown", why, control)
    return None


def _learning_rate(group: Table, rates: tuple[float, ...]) -> Cause | None:
    if not group.has("learning_rate"):
        return None
    name, here = "finetuning learning rate", [float(v) for v in group.unique("learning_rate")]
    control = "finetune the two sizes at half and twice the learning rate"
    if len(rates) < 2:
        return Cause(name, "unknown", f"one learning rate everywhere ({here[0]:g})", control)
    edge = [rate for rate in here if rate in (min(rates), max(rates))]
    if edge:
        return Cause(name, "likely", f"{edge[0]:g} is the edge of those tried", control)
    return Cause(name, "unlikely", f"inside those tried ({min(rates):g} to {max(rates):g})")


def _overtraining(evidence: Evidence, siblings: Siblings) -> Cause:
    name, control = "overtraining", "finetune the same sizes of another corpus"
    if evidence.loss_rise is not None and evidence.loss_rise.sure:
        return Cause(name, "likely", "cross-entropy worsens as well somewhere", control)
    if siblings.falling:
        return Cause(name, "likely", f"{_some(siblings.falling)} falls as well", "")
    if siblings.steady:
        return Cause(name, "unlikely", f"no fall is seen for {_some(siblings.steady)}")
    return Cause(name, "unknown", "no other corpus to compare with", control)


def _some(names: tuple[str, ...]) -> str:
    """Name at most :data:`CORPORA_NAMED`: in a table of thousands each group would list all others."""
    return ", ".join(names[:CORPORA_NAMED]) + (" and others" if len(names) > CORPORA_NAMED else "")


def _finetuning_size(
    evidence: Evidence, group: Table, spans: tuple[tuple[float, float], ...]
) -> Cause | None:
    """Compare with smaller finetuning sets: what they gain and this one does not is no misalignment."""
    if not group.has("finetune_tokens"):
        return None
    here, own = float(group.unique("finetune_tokens")[0]), evidence.climb
    smaller = [(size, gain) for size, gain in spans if size < here]
    if not smaller:
        return None
    size, gain = max(smaller, key=lambda pair: pair[1])
    name = "large finetuning set"
    why = (
        f"over all pretraining sizes quality gains {gain:.2g} with {format_count(round(size))} "
        f"finetuning tokens and {own:.2g} with {format_count(round(here))}"
    )
    if gain > evidence.scale.margin and own < 0.5 * gain:
        return Cause(name, "likely", f"{why}: little is left to gain, which is not misalignment")
    return Cause(name, "unlikely", why)


def _test_set(evidence: Evidence) -> Cause:
    i, j = evidence.fall.pair
    name, error = "test-set noise", float(np.hypot(*evidence.quality.stderr[[i, j]]))
    fall = max(evidence.fall.estimate, 0.0)
    if not np.isfinite(error):
        control = "give stderr, or score a second test set"
        return Cause(name, "unknown", "the table has no stderr for these sizes", control)
    if fall <= 1.645 * error:
        why = f"the largest fall, {fall:.2g}, is within 1.645 test-set errors of {error:.2g}"
        return Cause(name, "likely", why, "score a larger or second test set")
    return Cause(
        name, "unlikely", f"the largest fall, {fall:.2g}, exceeds its error of {error:.2g}"
    )


def _failed(count: int, changes: bool) -> Cause | None:
    if not count:
        return None
    runs = "1 run lies" if count == 1 else f"{count} runs lie"
    why = f"{runs} more than 5 MAD below the median of the size"
    if changes:
        return Cause(
            "failed runs", "likely", f"{why}, and the verdict changes without", "repeat them"
        )
    return Cause("failed runs", "unlikely", f"{why}, and the verdict is the same without")
