"""All pieces of evidence about one quality curve, gathered side by side; none is a score."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .breakpoint import Break, find_break
from .cells import Cells
from .falltest import FallTest, fall_test
from .heldout import HeldOut, held_out
from .lackoffit import LackOfFit, lack_of_fit
from .pair import Pair, pair_test
from .relation import Relation, relate
from .scale import Scale
from .value import Value, value_of

__all__ = ["Evidence", "Question", "gather"]

HARM_SHARE = 0.1
"""Share of alpha kept for "below the baseline" where a baseline was measured."""


@dataclass(frozen=True)
class Question:
    """What is asked of a curve: level, noise if known, and the metric's scale."""

    scale: Scale
    alpha: float = 0.05
    seed_sd: float | None = None


@dataclass(frozen=True, eq=False)
class Evidence:
    """Evidence about one curve; what could not be had is None.

    Attributes
    ----------
    quality, loss : the measured curves.
    scale : direction, margin and reference noise of the quality metric.
    fall, rise : falls and rises of quality.
    loss_fall, loss_rise : where the loss improves (falls, unless more is better) and worsens.
    pair : loss improves while quality falls.
    value : gain over no pretraining.
    loss_value : the same for the loss.
    lack : lack of fit of each law that could be tried, best first.
    bend : where quality leaves its law.
    ahead : held-out prediction.
    relation : quality against loss.
    """

    quality: Cells
    loss: Cells | None
    scale: Scale
    fall: FallTest
    rise: FallTest
    loss_fall: FallTest | None
    loss_rise: FallTest | None
    pair: Pair | None
    value: Value | None
    loss_value: Value | None
    lack: tuple[LackOfFit, ...]
    bend: Break | None
    ahead: HeldOut | None
    relation: Relation | None

    @property
    def fall_share(self) -> float:
        """Share of alpha that the fall test has."""
        return 1 - HARM_SHARE if self.value is not None else 1.0

    @property
    def p_fall(self) -> float:
        """P value of a fall of quality, at its share of alpha."""
        return min(self.fall.p_value / self.fall_share, 1.0)

    @property
    def p_harm(self) -> float:
        """P value of quality below the baseline, at its share of alpha; 1 without a baseline."""
        return 1.0 if self.value is None else min(self.value.p_harm / HARM_SHARE, 1.0)

    @property
    def p_misaligned(self) -> float:
        """P value of "loss improves while quality falls", against earlier sizes or the baseline."""
        found = 1.0 if self.pair is None else min(self.pair.p / self.fall_share, 1.0)
        if self.value is not None and self.loss_value is not None:
            both = max(self.value.p_harm, self.loss_value.p_help) / HARM_SHARE
            found = min(found, both)
        return found

    @property
    def loss_improves(self) -> bool | None:
        """Whether the loss surely improves with size; None where it was not measured."""
        return None if self.loss_fall is None else self.loss_fall.found


def gather(
    quality: Cells, loss: Cells | None, question: Question, loss_scale: Scale | None
) -> Evidence:
    """Gather the evidence about a curve of at least two sizes."""
    sign, reference = question.scale.sign, question.scale.reference
    value_known = len(quality.baseline) > 0
    alpha = question.alpha * (1 - HARM_SHARE if value_known else 1.0)
    fall = fall_test(quality, sign, reference, alpha, question.seed_sd)
    rise = fall_test(quality, -sign, reference, question.alpha, question.seed_sd)
    losses = _losses(loss, loss_scale, question.alpha)
    lack = tuple(sorted(lack_of_fit(quality, sign, fall), key=lambda fit: fit.curve.rss))
    best = lack[0].law if lack else ""
    return Evidence(
        quality=quality,
        loss=loss if losses else None,
        scale=question.scale,
        fall=fall,
        rise=rise,
        loss_fall=losses[0] if losses else None,
        loss_rise=losses[1] if losses else None,
        pair=_pair(quality, fall, loss, losses[0], question) if losses and loss else None,
        value=value_of(quality, sign, fall, question.alpha),
        loss_value=_loss_value(loss, loss_scale, losses[0], question.alpha) if losses else None,
        lack=lack,
        bend=find_break(quality, sign, fall, best, question.alpha) if best else None,
        ahead=held_out(quality, sign, fall, tuple(f.law for f in lack), 1 - question.alpha),
        relation=relate(quality, loss, sign) if loss is not None else None,
    )


def _pair(
    quality: Cells, fall: FallTest, loss: Cells, improves: FallTest, question: Question
) -> Pair | None:
    """Conjunction test; with one pretraining run the scatter of its means must agree as well.

    Finetuning seeds of one run do not measure how pretraining runs differ, and the flag is about
    the procedure.
    """
    if quality.level == "checkpoints":
        alone = replace(quality, values=quality.means[:, None], level="single")
        scatter = fall_test(alone, question.scale.sign, question.scale.reference, fall.alpha)
        fall = replace(fall, p=np.maximum(fall.p, scatter.p))
    return pair_test(quality, fall, loss, improves)


def _loss_value(
    loss: Cells | None, scale: Scale | None, noise: FallTest, alpha: float
) -> Value | None:
    return None if loss is None or scale is None else value_of(loss, scale.sign, noise, alpha)


def _losses(
    loss: Cells | None, scale: Scale | None, alpha: float
) -> tuple[FallTest, FallTest] | None:
    """Where the loss falls (improves) and where it rises; None where it cannot be tested."""
    if loss is None or scale is None or len(loss.sizes) < 2:
        return None
    falls = fall_test(loss, -scale.sign, scale.reference, alpha)
    return falls, fall_test(loss, scale.sign, scale.reference, alpha)
