"""What a verdict about one metric must not leave unsaid: metrics that disagree, unlike checkpoints."""

from __future__ import annotations

from scalefit.table import Table
from scalefit.table.metrics import metric

from .curve import curve_of
from .evidence.conflict import conflict
from .evidence.fall import fall_test
from .evidence.gather import Evidence
from .evidence.piece import tokens
from .margin import scale_of

__all__ = ["disagreements", "mixed_schedules"]

_QUALITY = ("bleu", "comet", "chrf")


def disagreements(rows: Table, evidence: Evidence) -> str:
    """Say which other quality metric surely rises where this one surely falls, or the reverse.

    Both must hold between the same two sizes (an intersection-union test); the level is shared
    out over metrics and directions.
    """
    name = evidence.quality.metric
    others = [other for other in _QUALITY if other != name and other in rows.metrics]
    return "".join(_disagreement(rows, evidence, other, 2 * len(others)) for other in others)


def _disagreement(rows: Table, evidence: Evidence, other: str, asked: int) -> str:
    curve = curve_of(rows, other, None)
    if curve is None or len(curve.sizes) < 2 or not curve.testable:
        return ""
    scale = scale_of(other, curve.score, 0.5)
    for turn, own in ((-scale.sign, evidence.fall), (scale.sign, evidence.rise)):
        pair = conflict(own, fall_test(curve, turn, scale.reference, evidence.alpha))
        if pair is not None and pair.p <= evidence.alpha / asked:
            word = "rises" if own is evidence.fall else "falls"
            return (
                f" {metric(other).title} {word} by {pair.gain:.2g} from {tokens(pair.smaller)} to "
                f"{tokens(pair.larger)} tokens meanwhile: the metrics disagree beyond noise."
            )
    return ""


def mixed_schedules(rows: Table, evidence: Evidence) -> str:
    """Say where sizes differ in learning-rate schedule: annealed beside unannealed checkpoints."""
    if not rows.has("schedule"):
        return ""
    part = rows.where(metric=evidence.quality.metric).pretrained()
    of_size: dict[float, set[str]] = {}
    for size, schedule in zip(part.column("pretrain_tokens"), part.column("schedule"), strict=True):
        of_size.setdefault(float(size), set()).add(str(schedule))
    if len({frozenset(names) for names in of_size.values()}) < 2:
        return ""
    names = ", ".join(sorted(set().union(*of_size.values())))
    return (
        f" The sizes differ in learning-rate schedule ({names}): a checkpoint that was not annealed "
        "looks worse than one that was, whatever its data."
    )
