"""Verdicts in words a person can act on."""

from __future__ import annotations

import numpy as np

from scalefit.table.metrics import metric
from scalefit.units import format_count

from .evidence import Evidence
from .power import SampleSize
from .scatter import tipping_point
from .verdict import Decision, tail_start

__all__ = ["advice", "reason"]


def tokens(size: float) -> str:
    """Write a number of tokens as people do."""
    return format_count(round(size))


def title(found: Evidence) -> str:
    """Name of the quality metric as papers write it."""
    return metric(found.quality.metric).title


def digits(found: Evidence, value: float) -> str:
    """Write a difference of the metric with the digits that its margin calls for."""
    places = max(0, int(np.ceil(-np.log10(found.scale.margin))) + 1)
    return f"{value:.{places}f}"


def reason(found: Evidence, decision: Decision, alpha: float) -> str:
    """Say what was seen, in one to three sentences."""
    said = _WORDS[decision.verdict](found)
    said += _about_loss(found, decision, alpha)
    if decision.strength == "these checkpoints only":
        said += " Holds for these checkpoints; a second pretraining run may differ."
    if found.quality.level == "single":
        said += _single(found)
    return said


def _fall(found: Evidence) -> str:
    i, j = found.fall.pair
    at = f"{tokens(found.quality.sizes[i])} to {tokens(found.quality.sizes[j])} tokens"
    return f"{title(found)} falls by {digits(found, found.fall.estimate)} from {at}"


def _bound(found: Evidence) -> str:
    level = f"{100 * (1 - found.fall.alpha):.3g} %"
    return f"at least {digits(found, max(found.fall.lower, 0.0))} with {level} confidence"


def _deteriorating(found: Evidence) -> str:
    return f"{_fall(found)} ({_bound(found)}) and does not come back."


def _fluctuating(found: Evidence) -> str:
    return f"{_fall(found)} ({_bound(found)}), and comes back: up and down beyond seed noise."


def _harmful(found: Evidence) -> str:
    value = found.value
    assert value is not None
    return (
        f"At {tokens(found.quality.sizes[-1])} tokens {title(found)} is "
        f"{digits(found, -value.gain)} below the model without pretraining (p = {value.p_harm:.2g})."
    )


def _saturated(found: Evidence) -> str:
    start = found.quality.sizes[tail_start(found.quality.sizes)]
    return (
        f"{title(found)} stays within {digits(found, found.scale.margin)} from "
        f"{tokens(start)} tokens on: more of this corpus adds nothing, and does no harm."
    )


def _aligned(found: Evidence) -> str:
    y = found.scale.sign * found.quality.means
    law = f", and the {found.lack[0].law} law follows it" if found.lack else ""
    fall = (
        "no fall beyond the margin is possible"
        if found.fall.upper < found.scale.margin
        else ("no fall is seen")
    )
    return f"{title(found)} improves by {digits(found, float(y[-1] - y[0]))}{law}; {fall}."


def _inconclusive(found: Evidence) -> str:
    if len(found.quality.sizes) < 3:
        return (
            f"{len(found.quality.sizes)} pretraining sizes; needed at least 3 to speak of a curve."
        )
    if found.fall.upper < found.scale.margin:
        return (
            f"{title(found)} does not fall by more than {digits(found, found.scale.margin)}, but "
            "neither a rise that a law follows nor a plateau is sure."
        )
    if found.fall.estimate <= 0:
        return f"{title(found)} rises at every step, but a fall cannot be ruled out yet."
    reach = digits(found, found.fall.upper) if np.isfinite(found.fall.upper) else "anything"
    return f"{_fall(found)}; in truth it may be nothing, or up to {reach}."


_WORDS = {
    "deteriorating": _deteriorating,
    "fluctuating": _fluctuating,
    "harmful": _harmful,
    "saturated": _saturated,
    "aligned": _aligned,
    "inconclusive": _inconclusive,
}


def _about_loss(found: Evidence, decision: Decision, alpha: float) -> str:
    if found.loss_improves is None:
        return " No cross-entropy was measured, so whether it would mislead is unknown."
    improves = found.loss_improves
    if decision.flag and found.pair is not None:
        gain = f"{found.pair.gain:.2g} nats" if found.pair.p <= alpha else "surely"
        return f" Cross-entropy improves meanwhile ({gain}): it misleads here."
    if decision.verdict == "saturated" and improves:
        return " Cross-entropy still improves: it does not tell quality here."
    if decision.verdict in ("deteriorating", "fluctuating", "harmful"):
        return f" That cross-entropy improves meanwhile is not shown (p = {found.p_misaligned:.2g}): no flag."
    return " Cross-entropy improves too." if improves and decision.verdict == "aligned" else ""


def _single(found: Evidence) -> str:
    said = " One run a size: seed noise was taken from the scatter around a smooth curve."
    if found.fall.method.endswith("as given"):
        said = " One run a size: seed noise is as given."
    if found.fall.estimate > 0:
        sd = tipping_point(found.fall.estimate, len(found.quality.sizes), found.fall.alpha)
        said += f" A seed SD of {digits(found, sd)} or more would explain the largest fall"
        said += f"; published replicates reach {digits(found, found.scale.reference)}."
    return said


def advice(found: Evidence, decision: Decision, size: SampleSize | None) -> str:
    """Say what to do."""
    best = found.quality.sizes[int(np.argmax(found.scale.sign * found.quality.means))]
    if decision.verdict == "inconclusive":
        if size is None:
            return "Measure at least three pretraining sizes, three pretraining seeds each."
        if found.quality.level == "single":
            i, j = found.fall.pair
            places = f"{tokens(found.quality.sizes[i])} and {tokens(found.quality.sizes[j])} tokens"
            return (
                f"Repeat pretraining with 2 more seeds at {places}: that measures the seed noise. "
                f"By today's estimate, to decide takes {size}."
            )
        now = int(found.quality.runs.min()) if found.quality.level == "procedure" else 1
        return f"To decide: {size}; {now} now."
    if found.quality.level != "procedure" and decision.verdict in ("deteriorating", "fluctuating"):
        i, j = found.fall.pair
        where = f"{tokens(found.quality.sizes[i])} and {tokens(found.quality.sizes[j])} tokens"
        return f"Before acting: repeat pretraining with 2 more seeds at {where}."
    return {
        "deteriorating": f"Stop at about {tokens(best)} tokens of this corpus, or change the corpus.",
        "fluctuating": "Do not choose by cross-entropy or by a law; compare checkpoints by quality.",
        "harmful": "Do not pretrain on this corpus for this task.",
        "saturated": "Spend on other data, finetuning data or a larger model.",
        "aligned": "Go on; the law may be used for forecasts.",
    }[decision.verdict]
