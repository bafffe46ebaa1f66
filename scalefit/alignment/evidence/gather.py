"""All pieces of evidence about one quality curve, gathered side by side; none is a score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from scalefit.alignment.curve import Curve
from scalefit.alignment.evidence.laws import CurveLaws, Sought, fit_laws, laws_for
from scalefit.alignment.margin import Scale
from scalefit.types import Floats

from .fall import FallTest, fall_test
from .gain import Gain, Trend, gain_over_baseline, trend_of
from .laws import Break, HeldOut, Misfit, find_break, held_out, misfits
from .relation import Conflict, Relation, Underrated, conflict, relate, underrated

FEWEST = 3  # sizes that a law is fitted to
HARM_SHARE = 0.1
"""Share of alpha kept for "below the baseline" where a baseline was measured."""


@dataclass(frozen=True)
class Terms:
    """The terms of a verdict: the metric's scale, the level, and the seed noise if it is known."""

    scale: Scale
    alpha: float = 0.05
    seed_sd: float | None = None

    @property
    def confidence(self) -> float:
        """One less the level, without the dust of the subtraction."""
        return round(1 - self.alpha, 12)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Evidence about one curve; what could not be had is None.

    Attributes
    ----------
    quality, loss : the measured curves.
    scale : direction, margin and reference noise of the quality metric.
    alpha : level of the verdict.
    fall, rise : falls and rises of quality.
    trend : slope of quality over all sizes.
    loss_fall, loss_rise : where the loss improves (falls, unless more is better) and worsens.
    conflict : loss improves while quality falls.
    underrated : loss worsens while quality rises.
    gain : gain over no pretraining; loss_gain the same for the loss.
    misfits : how each law that could be tried misses, best first.
    bend : where quality leaves its law.
    ahead : held-out prediction.
    relation : quality against loss.
    """

    quality: Curve
    loss: Curve | None
    scale: Scale
    alpha: float
    fall: FallTest
    rise: FallTest
    trend: Trend | None
    loss_fall: FallTest | None
    loss_rise: FallTest | None
    conflict: Conflict | None
    underrated: Underrated | None
    gain: Gain | None
    loss_gain: Gain | None
    misfits: tuple[Misfit, ...]
    bend: Break | None
    ahead: HeldOut | None
    relation: Relation | None

    @property
    def oriented(self) -> Floats:
        """Mean of each size, (K,), turned so that more is better."""
        return np.asarray(self.scale.sign * self.quality.means)

    @property
    def climb(self) -> float:
        """Quality gained from the smallest to the largest size."""
        return float(self.oriented[-1] - self.oriented[0])

    @property
    def fall_share(self) -> float:
        """Share of alpha that the fall test has."""
        return 1 - HARM_SHARE if self.gain is not None else 1.0

    @property
    def p_fall(self) -> float:
        """P value of a fall of quality, at its share of alpha."""
        return min(self.fall.p_value / self.fall_share, 1.0)

    @property
    def p_harm(self) -> float:
        """P value of quality below the baseline, at its share of alpha; 1 without a baseline."""
        return 1.0 if self.gain is None else min(self.gain.p_harm / HARM_SHARE, 1.0)

    @property
    def one_baseline(self) -> bool:
        """Whether a single run without pretraining stands beside the sizes: nothing tells how noisy it is."""
        return self.gain is not None and self.gain.runs == 1

    @property
    def p_conflict(self) -> float:
        """P value of "loss improves while quality falls", against earlier sizes."""
        return 1.0 if self.conflict is None else min(self.conflict.p / self.fall_share, 1.0)

    @property
    def p_misaligned(self) -> float:
        """P value of "loss improves while quality falls", against earlier sizes or the baseline."""
        p = self.p_conflict
        if self.gain is not None and self.loss_gain is not None:
            p = min(p, max(self.gain.p_harm, self.loss_gain.p_help) / HARM_SHARE)
        return p

    @property
    def rises(self) -> bool:
        """Whether quality surely rises: along the sizes, or between some two of them."""
        return self.rise.sure or (self.trend is not None and self.trend.p <= self.alpha)

    @property
    def law_holds(self) -> bool | None:
        """Whether a law may be extrapolated: it follows the curve, and kept its promises so far.

        None where there are too few sizes to tell.
        """
        if not self.misfits or self.ahead is None:
            return None
        margin = self.scale.margin
        follows = any(not m.p <= self.alpha or m.worst < margin for m in self.misfits)
        kept = bool((self.ahead.low - self.ahead.measured < margin).all())
        return follows and kept and 2 * int(self.ahead.inside.sum()) >= len(self.ahead.sizes)

    def lines(self) -> list[str]:
        """Return the evidence, one line a piece; what could not be had says why."""
        pieces = (
            (self.trend, "trend: too few sizes"),
            (self.conflict, "no two sizes have both metrics"),
            (self.underrated, ""),
            (self.bend, "break: too few sizes to look for one"),
            (self.relation, "quality against cross-entropy: not measured at three common sizes"),
            (self.gain, "value: no model without pretraining in the table"),
            (self.ahead, "held out: too few sizes"),
        )
        said = [piece.line(self.scale) if piece is not None else absent for piece, absent in pieces]
        law = "; ".join(m.line(self.scale) for m in self.misfits) or "law: too few sizes for a fit"
        return [
            line for line in (self.fall.line(self.scale), self._loss_line(), law, *said) if line
        ]

    def _loss_line(self) -> str:
        if self.loss_fall is None:
            return "cross-entropy: not measured in this group"
        return f"cross-entropy improves: p = {self.loss_fall.p_value:.2g}"

    def to_dict(self) -> dict[str, Any]:
        """Return the evidence under the names that it has in JSON."""
        return {
            "pretrain_tokens": self.quality.sizes,
            "means": self.quality.means,
            "runs": self.quality.runs,
            "loss": None if self.loss is None else self.loss.means,
            "design": self.quality.design,
            "level": self.quality.level,
            "margin": self.scale.margin,
            "lack_of_fit": self.misfits,
            "fall": self.fall,
            "trend": self.trend,
            "loss_improves": self.loss_fall,
            "conflict": self.conflict,
            "underrated": self.underrated,
            "break": self.bend,
            "relation": self.relation,
            "value": self.gain,
            "held_out": self.ahead,
        }


def laws_each(curves: Sequence[Curve], sign: float) -> list[CurveLaws]:
    """Fit the laws of every oriented curve, all together."""
    asked = [_sought(curve, sign) for curve in curves]
    fits = iter(fit_laws([one for whole, _, smaller in asked for one in (*whole, *smaller)]))
    return [
        CurveLaws(tuple(islice(fits, len(whole))), kept, tuple(islice(fits, len(smaller))))
        for whole, kept, smaller in asked
    ]


def _sought(curve: Curve, sign: float) -> tuple[list[Sought], int, list[Sought]]:
    """Return what is to be fitted to a curve: to all sizes, and to the smaller ones."""
    y, weights = sign * curve.means, curve.runs.astype(float)
    kept = len(y) - max(1, len(y) // 3)
    laws = laws_for(y) if len(y) >= FEWEST else ()
    whole = [Sought(law, curve.sizes, y, weights) for law in laws]
    smaller = [Sought(s.law, s.sizes[:kept], s.y[:kept], s.weights[:kept]) for s in whole]
    return whole, kept, smaller if kept > FEWEST else []


def gather(
    quality: Curve, loss: Curve | None, terms: Terms, loss_scale: Scale | None, laws: CurveLaws
) -> Evidence:
    """Gather the evidence about a curve of at least two sizes, whose laws are fitted."""
    scale, sign, alpha = terms.scale, terms.scale.sign, terms.alpha
    share = 1 - HARM_SHARE if len(quality.baseline) else 1.0
    fall = fall_test(quality, sign, scale.reference, alpha * share, terms.seed_sd)
    rise = fall_test(quality, -sign, scale.reference, alpha, terms.seed_sd)
    tried = misfits(quality, sign, fall.noise, laws)
    return Evidence(
        quality=quality,
        scale=scale,
        alpha=alpha,
        fall=fall,
        rise=rise,
        trend=trend_of(quality, sign, fall.noise),
        gain=gain_over_baseline(quality, sign, fall.noise, alpha * HARM_SHARE),
        misfits=tried,
        bend=find_break(quality, sign, fall.noise, tried[0].fit, alpha) if tried else None,
        ahead=held_out(quality, sign, fall.noise, laws, 1 - alpha),
        relation=relate(quality, loss, sign) if loss is not None else None,
        **_beside_loss(quality, fall, rise, loss, loss_scale, terms),
    )


def _beside_loss(
    quality: Curve,
    fall: FallTest,
    rise: FallTest,
    loss: Curve | None,
    scale: Scale | None,
    terms: Terms,
) -> dict[str, Any]:
    """Gather the pieces that need the loss; all None where it cannot be tested."""
    if loss is None or scale is None or len(loss.sizes) < 2:
        names = ("loss", "loss_fall", "loss_rise", "conflict", "underrated", "loss_gain")
        return dict.fromkeys(names)
    improves = fall_test(loss, -scale.sign, scale.reference, terms.alpha, cautious=False)
    worsens = fall_test(loss, scale.sign, scale.reference, terms.alpha)
    return {
        "loss": loss,
        "loss_fall": improves,
        "loss_rise": worsens,
        "conflict": conflict(_about_the_procedure(quality, fall, terms), improves),
        "underrated": underrated(rise, worsens, terms.scale.margin, scale.margin),
        "loss_gain": gain_over_baseline(loss, scale.sign, improves.noise, terms.alpha * HARM_SHARE),
    }


def _about_the_procedure(quality: Curve, fall: FallTest, terms: Terms) -> FallTest:
    """With one pretraining run, or one at most sizes, the scatter of the means must agree as well.

    Finetuning seeds of one run do not measure how pretraining runs differ, and the flag is about the procedure.
    """
    if quality.level != "checkpoints" and not quality.mostly_single:
        return fall
    alone = replace(quality, values=quality.means[:, None], level="single", design="separate")
    scatter = fall_test(alone, terms.scale.sign, terms.scale.reference, fall.alpha)
    return replace(fall, p=np.maximum(fall.p, scatter.p))
