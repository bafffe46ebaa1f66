"""The verdicts, one table: what each is called, when it holds, and what it says and advises.

Rules are read from top to bottom; the first that holds gives the verdict. Not having seen a fall
is never called aligned: that word needs "no fall beyond the margin" confirmed. Whether quality
rises and whether a law may be extrapolated are two questions; the verdict answers the first,
``Evidence.law_holds`` the second, and the reason says both.

One seed a size cannot confirm; there, rules are read off the estimates and the answer is provisional.

To add a verdict: one entry here, and a line in ``docs/alignment.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self

import numpy as np

from scalefit.table.metrics import metric
from scalefit.types import Floats

from .evidence import tokens
from .evidence.gather import Evidence
from .single_run import tipping_point

Flag = Literal["misaligned", "suspected", ""]
Strength = Literal["confirmed", "these checkpoints only", "provisional", "open"]
_TAIL = 8.0

SCOPES = {
    "procedure": "the pretraining procedure",
    "checkpoints": "these checkpoints only: one pretraining run, several finetuning seeds",
    "single": "not testable against seed noise: one run a size",
}
_STRENGTHS: dict[str, Strength] = {
    "procedure": "confirmed",
    "checkpoints": "these checkpoints only",
    "single": "provisional",
}


# --- when a verdict holds ---------------------------------------------------------------------


def _is_harmful(e: Evidence) -> bool:
    """Whether the largest size is surely below no pretraining."""
    return e.p_harm <= e.alpha


def _falls(e: Evidence) -> bool:
    """Whether some fall is beyond doubt and may exceed the margin."""
    return e.p_fall <= e.alpha and e.fall.upper >= e.scale.margin


def comes_back(e: Evidence) -> bool:
    """Whether a fall beyond doubt is regained by half, and is not dwarfed by a later one."""
    sizes = np.nan_to_num(e.fall.size, nan=0.0)
    largest = float(np.max(np.where(e.fall.real, sizes, 0.0)))
    for i, j in np.argwhere(e.fall.real):
        regained = float(e.oriented[j:].max() - e.oriented[j])
        if regained >= 0.5 * sizes[i, j] and sizes[i, j] >= 0.5 * largest:
            return True
    return False


def _is_fluctuating(e: Evidence) -> bool:
    return _falls(e) and comes_back(e)


def _is_underrated(e: Evidence) -> bool:
    return e.underrated is not None


def _no_fall_possible(e: Evidence) -> bool:
    return len(e.quality.sizes) >= 3 and e.fall.upper < e.scale.margin


def tail_start(sizes: Floats) -> int:
    """First of the last sizes whose flatness means saturation: three, over a factor of eight."""
    start = max(len(sizes) - 3, 0)
    while start > 0 and sizes[-1] / sizes[start] < _TAIL:
        start -= 1
    return start


def _is_saturated(e: Evidence) -> bool:
    """No fall is possible and the last sizes are flat within the margin, and do not surely rise."""
    start, margin = tail_start(e.quality.sizes), e.scale.margin
    if e.rise.real[start:, start:].any():
        return False
    if e.quality.level == "single":
        flat = start > 0 and float(np.abs(e.oriented[start:] - e.oriented[-1]).max()) <= margin
        return flat and _looks_sound(e)
    late = (e.rise.size + e.rise.reach)[start:, start:]
    return _no_fall_possible(e) and float(np.nanmax(late)) < margin


def _is_aligned(e: Evidence) -> bool:
    """Quality surely rises and no fall beyond the margin is possible."""
    if e.quality.level == "single":
        rises = e.rise.sure or e.climb > e.scale.reference * 3.7
        return bool(rises and _at_best(e) and _looks_sound(e))
    return _no_fall_possible(e) and e.rises


def _at_best(e: Evidence) -> bool:
    return bool(e.oriented[-1] >= e.oriented.max() - e.scale.margin)


def _looks_sound(e: Evidence) -> bool:
    """Single runs: no fall that matters is seen, or a small one that has come back."""
    allowed = (2 if _at_best(e) else 1) * e.scale.margin
    return len(e.quality.sizes) >= 3 and e.fall.estimate <= allowed


def _is_improving(e: Evidence) -> bool:
    """Whether a trend over the sizes is sure while a fall beyond the margin is only possible."""
    sure = e.trend is not None and e.trend.p <= e.alpha
    return sure and not e.fall.sure and e.quality.level != "single"


# --- what it says -----------------------------------------------------------------------------


def _title(e: Evidence) -> str:
    return metric(e.quality.metric).title


def _fall(e: Evidence) -> str:
    return f"{_title(e)} falls by {e.scale.digits(e.fall.estimate)} from {e.fall.span}"


def _bound(e: Evidence) -> str:
    level = f"{100 * (1 - e.fall.alpha):.3g} %"
    return f"at least {e.scale.digits(max(e.fall.lower, 0.0))} with {level} confidence"


def _gained(e: Evidence) -> str:
    return f"{_title(e)} improves by {e.scale.digits(e.climb)}"


def _reach(e: Evidence) -> str:
    return e.scale.digits(e.fall.upper) if np.isfinite(e.fall.upper) else "anything"


def _says_deteriorating(e: Evidence) -> str:
    return f"{_fall(e)} ({_bound(e)}) and does not come back."


def _says_fluctuating(e: Evidence) -> str:
    return f"{_fall(e)} ({_bound(e)}), and comes back: up and down beyond seed noise."


def _says_harmful(e: Evidence) -> str:
    assert e.gain is not None
    return (
        f"At {tokens(e.quality.sizes[-1])} tokens {_title(e)} is {e.scale.digits(-e.gain.gain)} "
        f"below the model without pretraining (p = {e.p_harm:.2g}).{_one_baseline(e)}"
    )


def _one_baseline(e: Evidence) -> str:
    if e.gain is None or not e.one_baseline:
        return ""
    return (
        " That is one run, taken to be no noisier than the others: a seed SD of "
        f"{e.scale.digits(e.gain.explained)} without pretraining would explain it."
    )


def _says_underrated(e: Evidence) -> str:
    u = e.underrated
    assert u is not None
    return (
        f"{_title(e)} rises by {e.scale.digits(u.rise)} from {tokens(u.smaller)} to "
        f"{tokens(u.larger)} tokens while cross-entropy gets worse by {u.loss:.2g}: judged by "
        f"cross-entropy, a corpus that helps would be thrown away.{_says_law(e)}"
    )


def _says_saturated(e: Evidence) -> str:
    start = e.quality.sizes[tail_start(e.quality.sizes)]
    return (
        f"{_title(e)} stays within {e.scale.digits(e.scale.margin)} from {tokens(start)} tokens "
        f"on: more of this corpus adds nothing, and does no harm.{_small_fall(e)}"
    )


def _says_aligned(e: Evidence) -> str:
    none = e.fall.upper < e.scale.margin
    fall = "no fall beyond the margin is possible" if none else "no fall is seen"
    return f"{_gained(e)}; {fall}.{_small_fall(e)}{_says_law(e)}"


def _small_fall(e: Evidence) -> str:
    """Say what a small p means beside a verdict that is no alarm."""
    sure = e.p_fall <= e.alpha
    return f" {_fall(e)}, surely (p = {e.p_fall:.2g}), but within the margin." if sure else ""


def _says_improving(e: Evidence) -> str:
    return (
        f"{_gained(e)}, a rise over the sizes that is sure; a fall of up to {_reach(e)} somewhere "
        f"between them cannot be excluded (the margin is {e.scale.digits(e.scale.margin)})."
        f"{_says_law(e)}"
    )


def _says_inconclusive(e: Evidence) -> str:
    if len(e.quality.sizes) < 3:
        return f"{len(e.quality.sizes)} pretraining sizes; needed at least 3 to speak of a curve."
    if e.fall.upper < e.scale.margin:
        return (
            f"{_title(e)} does not fall by more than {e.scale.digits(e.scale.margin)}, but "
            "neither a rise nor a plateau is sure."
        )
    if e.fall.estimate <= 0:
        return f"{_title(e)} rises at every step, but a fall cannot be ruled out yet."
    return f"{_fall(e)}; in truth it may be nothing, or up to {_reach(e)}."


def _says_law(e: Evidence) -> str:
    """Answer the other question: whether a law may be extrapolated."""
    if e.law_holds is None:
        return " Too few sizes to say whether a law may be extrapolated."
    if e.law_holds:
        return f" The {e.misfits[0].law} law follows it and may be extrapolated."
    return " No law that was tried follows it well enough to be extrapolated."


# --- what it advises --------------------------------------------------------------------------


def _best(e: Evidence) -> str:
    return tokens(e.quality.sizes[int(np.argmax(e.oriented))])


def _repeat_first(then: Callable[[Evidence], str]) -> Callable[[Evidence], str]:
    """Ask for a second pretraining run before anybody acts on one."""

    def advise(e: Evidence) -> str:
        if e.quality.level == "procedure":
            return then(e)
        return f"Before acting: repeat pretraining with 2 more seeds at {e.fall.places}."

    return advise


def _advises_harmful(e: Evidence) -> str:
    if e.one_baseline:
        return "Before acting: finetune without pretraining with 2 more seeds."
    return "Do not pretrain on this corpus for this task."


def _advises_aligned(e: Evidence) -> str:
    if e.law_holds is False:
        return "Go on, size by size; do not forecast by a law."
    return "Go on; the law may be used for forecasts." if e.law_holds else "Go on."


def _advises_improving(e: Evidence) -> str:
    return f"Go on; more seeds at {e.fall.places} would show whether it falls between them."


def _advises_inconclusive(e: Evidence) -> str:
    if len(e.quality.sizes) < 3:
        return "Measure at least three pretraining sizes, three pretraining seeds each."
    if e.quality.level == "single":
        return (
            f"Repeat pretraining with 2 more seeds at {e.fall.places}: that measures the seed "
            "noise."
        )
    if _no_fall_possible(e):
        return "Measure larger sizes: whether it rises or stays takes distance, not seeds."
    return "More pretraining seeds would decide."


def _always(words: str) -> Callable[[Evidence], str]:
    return lambda e: words


# --- the table --------------------------------------------------------------------------------


class Verdict(StrEnum):
    """What is said about a curve; a string, so that it prints and compares as one.

    Attributes
    ----------
    rank : place in a list, 0 is worst.
    alarm : whether something goes wrong.
    rule : whether it holds, given the evidence and that no verdict above it does.
    reason, advice : what it says and advises, in words.

    Examples
    --------
    >>> Verdict("aligned") == "aligned", Verdict.HARMFUL.alarm, Verdict.ALIGNED.alarm
    (True, True, False)
    """

    rank: int
    alarm: bool
    rule: Callable[[Evidence], bool]
    reason: Callable[[Evidence], str]
    advice: Callable[[Evidence], str]

    def __new__(
        cls,
        name: str,
        rank: int,
        alarm: bool,
        rule: Callable[[Evidence], bool],
        reason: Callable[[Evidence], str],
        advice: Callable[[Evidence], str],
    ) -> Self:
        """Make a member that is the string `name` and carries the rest."""
        verdict = str.__new__(cls, name)
        verdict._value_ = name
        verdict.rank, verdict.alarm, verdict.rule = rank, alarm, rule
        verdict.reason, verdict.advice = reason, advice
        return verdict

    def __repr__(self) -> str:
        return repr(str(self))

    HARMFUL = (
        "harmful", 0, True, _is_harmful, _says_harmful, _advises_harmful,
    )  # fmt: skip
    FLUCTUATING = (
        "fluctuating", 2, True, _is_fluctuating, _says_fluctuating,
        _repeat_first(_always("Do not choose by cross-entropy or by a law; compare checkpoints by quality.")),
    )  # fmt: skip
    DETERIORATING = (
        "deteriorating", 1, True, _falls, _says_deteriorating,
        _repeat_first(lambda e: f"Stop at about {_best(e)} tokens of this corpus, or change the corpus."),
    )  # fmt: skip
    UNDERRATED = (
        "underrated", 6, False, _is_underrated, _says_underrated,
        _always("Go on, and judge this corpus by quality: cross-entropy underrates it."),
    )  # fmt: skip
    SATURATED = (
        "saturated", 4, False, _is_saturated, _says_saturated,
        _always("Spend on other data, finetuning data or a larger model."),
    )  # fmt: skip
    ALIGNED = ("aligned", 7, False, _is_aligned, _says_aligned, _advises_aligned)
    IMPROVING = ("improving", 5, False, _is_improving, _says_improving, _advises_improving)
    INCONCLUSIVE = (
        "inconclusive", 3, False, lambda e: True, _says_inconclusive, _advises_inconclusive,
    )  # fmt: skip


VERDICTS = tuple(sorted(Verdict, key=lambda verdict: verdict.rank))
"""All verdicts, worst first."""


@dataclass(frozen=True)
class Decision:
    """A verdict, the pair's flag, and how strong both are.

    Attributes
    ----------
    verdict : one of :class:`Verdict`.
    flag : "misaligned", "suspected" or "".
    strength : "confirmed", "these checkpoints only", "provisional" or "open".
    scope : what the answer is about, in words.
    """

    verdict: Verdict
    flag: Flag
    strength: Strength
    scope: str


def decide(e: Evidence) -> Decision:
    """Return the verdict of one curve: the first whose rule holds."""
    level = e.quality.level
    verdict = next(v for v in Verdict if v.rule(e))
    strength: Strength = "open" if verdict is Verdict.INCONCLUSIVE else _STRENGTHS[level]
    unknown = e.quality.mostly_single or (verdict is Verdict.HARMFUL and e.one_baseline)
    if unknown and strength == "confirmed":
        strength = "provisional"
    flag: Flag = ""
    if verdict.alarm and e.p_misaligned <= e.alpha:
        sure = level == "procedure" and not (e.one_baseline and e.p_conflict > e.alpha)
        flag = "misaligned" if sure else "suspected"
    return Decision(verdict, flag, strength, SCOPES[level])


def reason(e: Evidence, decision: Decision) -> str:
    """Say what was seen, in one to four sentences."""
    said = decision.verdict.reason(e) + _about_loss(e, decision) + _meaning(e, decision)
    if decision.strength == "these checkpoints only":
        said += " Holds for these checkpoints; a second pretraining run may differ."
    return said + (_about_single_runs(e) if e.quality.level == "single" else "")


def _meaning(e: Evidence, decision: Decision) -> str:
    """Say what the difference that the verdict speaks of means to people."""
    if decision.verdict is Verdict.INCONCLUSIVE or decision.verdict is Verdict.SATURATED:
        return ""
    size = e.climb
    if decision.verdict is Verdict.HARMFUL and e.gain is not None:
        size = e.gain.gain
    elif decision.verdict.alarm:
        size = e.fall.estimate
    means = e.scale.meaning(size)
    return f" With a difference of {e.scale.digits(abs(size))} {means}." if means else ""


def _about_loss(e: Evidence, decision: Decision) -> str:
    if e.loss_fall is None or e.loss_rise is None:
        return " No cross-entropy was measured, so whether it would mislead is unknown."
    if decision.flag and e.conflict is not None:
        gain = f"{e.conflict.gain:.2g} nats" if e.conflict.p <= e.alpha else "surely"
        return f" Cross-entropy improves meanwhile ({gain}): it misleads here."
    if decision.verdict.alarm:
        p = f"p = {e.p_misaligned:.2g}"
        return f" That cross-entropy improves meanwhile is not shown ({p}): no flag."
    if decision.verdict in (Verdict.UNDERRATED, Verdict.INCONCLUSIVE):
        return ""
    if e.loss_rise.sure:
        return f" Cross-entropy gets worse by {e.loss_rise.estimate:.2g} from {e.loss_rise.span}."
    if not e.loss_fall.sure:
        return ""
    if decision.verdict is Verdict.SATURATED:
        return " Cross-entropy still improves: it does not tell quality here."
    return " Cross-entropy improves too."


def _about_single_runs(e: Evidence) -> str:
    if not np.isfinite(e.fall.smallest):
        return " One run a size: two of them say nothing of seed noise."
    if e.fall.source == "given":
        said = " One run a size: seed noise is as given."
    else:
        said = " One run a size: seed noise was taken from the scatter of the curve, as if alike at all sizes."
    if e.fall.estimate > 0:
        sd = tipping_point(e.fall.estimate, len(e.quality.sizes), e.fall.alpha)
        said += (
            f" A seed SD of {e.scale.digits(sd)} or more would explain the largest fall; "
            f"published replicates reach {e.scale.digits(e.scale.reference)}."
        )
    if not e.fall.sure:
        said += f" The smallest fall that one run a size could show here is {e.scale.digits(e.fall.smallest)}."
    return said + e.fall.wanders
