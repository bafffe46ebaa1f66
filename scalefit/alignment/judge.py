"""One group and metric: curve, evidence, decision, words; then causes across the groups."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.table import Table

from .causes import Siblings, causes_of, span
from .cells import Cells, cells_of
from .evidence import Evidence, Question, gather
from .failed import failed_rows
from .power import SampleSize, seeds_needed
from .result import Alignment
from .scale import Scale, scale_of
from .verdict import SCOPES, Decision, decide
from .words import advice, reason

__all__ = ["judge_groups"]


def judge_groups(
    whole: Table,
    groups: list[tuple[dict[str, Any], Table]],
    name: str,
    loss: str,
    question: Question,
) -> list[Alignment]:
    """Judge one metric in every group, then look across groups for causes."""
    drafts = []
    for key, rows in groups:
        if name in rows.metrics:
            drafts.append((key, rows, _judge(whole, key, rows, name, loss, question)))
    return [_with_causes(whole, key, rows, result, drafts) for key, rows, result in drafts]


def _judge(
    whole: Table, key: dict[str, Any], rows: Table, name: str, loss: str, question: Question
) -> Alignment:
    baseline = whole.baseline_for(key)
    curve = cells_of(rows, name, baseline)
    losses = None if loss == name else cells_of(rows, loss, baseline)
    if curve is None or len(curve.sizes) < 2:
        return _too_small(key, name, 0 if curve is None else len(curve.sizes), question.alpha)
    loss_scale = None if losses is None else scale_of(loss, losses.score, 0.5)
    found = gather(curve, losses, question, loss_scale)
    decision = decide(found, question.alpha)
    bad = failed_rows(curve, question.scale.sign)
    without = None
    if len(bad):
        keep = np.ones(len(rows.where(metric=name)), dtype=bool)
        keep[bad] = False
        without = _again(rows, name, baseline, keep, losses, question, loss_scale)
    size = _size(found, decision, question)
    return Alignment(
        key=key,
        metric=name,
        verdict=decision.verdict,
        flag=decision.flag,
        strength=decision.strength,
        scope=decision.scope,
        reason=reason(found, decision, question.alpha),
        advice=advice(found, decision, size),
        p=min(found.p_fall, found.p_harm),
        p_misaligned=found.p_misaligned if losses is not None else 1.0,
        size=size,
        causes=(),
        failed=len(bad),
        without_failed=without,
        evidence=found,
        alpha=question.alpha,
        notes=(*curve.notes, *_design_notes(curve), *_blind(rows, name)),
    )


def _again(
    rows: Table,
    name: str,
    baseline: Table | None,
    keep: NDArray[np.bool_],
    losses: Cells | None,
    question: Question,
    loss_scale: Scale | None,
) -> str:
    """Verdict without the failed runs."""
    curve = cells_of(rows, name, baseline, keep)
    if curve is None or len(curve.sizes) < 2:
        return "inconclusive"
    decision = decide(gather(curve, losses, question, loss_scale), question.alpha)
    return f"{decision.verdict}, {decision.flag}" if decision.flag else decision.verdict


def _size(found: Evidence, decision: Decision, question: Question) -> SampleSize | None:
    if decision.verdict != "inconclusive" or len(found.quality.sizes) < 3:
        return None
    sd = found.fall.sd if np.isfinite(found.fall.sd) else question.scale.reference
    if found.quality.level == "single":
        sd = min(sd, question.scale.reference)
    means = question.scale.sign * found.quality.means
    return seeds_needed(means, sd, found.quality.design, question.scale.margin, found.fall.alpha)


def _design_notes(curve: Cells) -> tuple[str, ...]:
    notes = []
    if curve.level == "procedure" and curve.design == "shared" and not curve.known:
        notes.append(
            "pretrain_seed comes back at several sizes: seeds were treated as blocks, which is "
            "right for checkpoints of one run and for separate runs; a column pretrain_run tells"
        )
    runs = curve.runs
    if curve.level == "procedure" and runs.min() < runs.max():
        notes.append(
            f"sizes have {runs.min()} to {runs.max()} pretraining runs: approximate levels"
        )
    if curve.level == "procedure" and runs.max() == 2:
        notes.append("two pretraining runs a size measure noise poorly; three or more are advised")
    return tuple(notes)


def _blind(rows: Table, name: str) -> tuple[str, ...]:
    if not rows.has("source_blind"):
        return ()
    blind = rows.where(metric=name).column("source_blind") == 1.0
    if not blind.any():
        return ()
    return (
        f"{blind.mean():.0%} of the runs do no better than with shuffled sources: their {name} is no translation",
    )


def _too_small(key: dict[str, Any], name: str, sizes: int, alpha: float) -> Alignment:
    said = f"{sizes} pretraining size{'s' if sizes != 1 else ''}; needed at least 3 for a curve."
    return Alignment(
        key=key,
        metric=name,
        verdict="inconclusive",
        flag="",
        strength="open",
        scope=SCOPES["single"],
        reason=said,
        advice="Measure at least three pretraining sizes, three pretraining seeds each.",
        p=1.0,
        p_misaligned=1.0,
        size=None,
        causes=(),
        failed=0,
        without_failed=None,
        evidence=None,
        alpha=alpha,
    )


def _with_causes(
    whole: Table, key: dict[str, Any], rows: Table, result: Alignment, drafts: list[Any]
) -> Alignment:
    if result.evidence is None:
        return result
    others = [
        r
        for k, _, r in drafts
        if k.get("corpus") != key.get("corpus")
        and all(k[n] == key[n] for n in key if n != "corpus")
    ]
    sizes = [
        (float(k["finetune_tokens"]), span(r.evidence))
        for k, _, r in drafts
        if r.evidence is not None
        and k.get("finetune_tokens")
        and all(k[n] == key[n] for n in key if n != "finetune_tokens")
    ]
    siblings = Siblings(
        spans=tuple(sizes),
        falling=_corpora(others, "deteriorating", "fluctuating"),
        steady=_corpora(others, "aligned", "saturated"),
        rates=tuple(whole.unique("learning_rate")) if whole.has("learning_rate") else (),
    )
    changes = result.without_failed is not None and not result.without_failed.startswith(
        result.verdict
    )
    causes = causes_of(result.evidence, rows, siblings, (result.failed, changes))
    return replace(result, causes=causes)


def _corpora(results: list[Alignment], *verdicts: str) -> tuple[str, ...]:
    return tuple(str(r.key.get("corpus")) for r in results if r.verdict in verdicts)
