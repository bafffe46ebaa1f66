"""``align``: tell whether a corpus helps the task, or only cross-entropy says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import DesignError, MissingColumnError
from scalefit.table import Table, as_table
from scalefit.table.metrics import canonical

from .causes import Siblings, causes_of, span
from .cells import Cells, cells_of
from .evidence import Evidence, Question, gather
from .failed import failed_rows
from .power import SampleSize, seeds_needed
from .result import Alignment, AlignmentTable
from .scale import Scale, scale_of
from .verdict import SCOPES, VERDICTS, Decision, decide
from .words import advice, reason

__all__ = ["align", "quality_metrics", "split_columns"]

BY = ("corpus", "task", "finetune_tokens", "model")
QUALITY = ("bleu", "comet")
_APART = (
    "eval_set",
    "domain",
    "parameters",
    "learning_rate",
    "schedule",
    "source_blind",
    "tokenizer",
    "unit",
)
_RUN = ("pretrain_tokens", "pretrain_run", "pretrain_seed", "finetune_seed", "metric")


def align(
    table: Any,
    by: Sequence[str] = BY,
    quality: str | Sequence[str] = QUALITY,
    loss: str = "cross_entropy",
    margin: float | Mapping[str, float] = 0.5,
    alpha: float = 0.05,
    seed_sd: float | Mapping[str, float] | None = None,
) -> AlignmentTable:
    """Judge whether quality grows with pretraining, group by group.

    Finetuning seeds are averaged within each pretraining run before anything is tested; the
    pretraining run is the unit. See ``docs/alignment.md`` for the verdicts, and
    ``docs/simulations/alignment.md`` for error rates and power.

    Parameters
    ----------
    table : Table, DataFrame or mapping of columns
        Results, one value a row (or one run a row with a column for each metric).
    by
        Columns that make a group. Columns that still vary within a run's key (``eval_set``,
        ``domain``, ``learning_rate`` ...) split the group further, and a note says so.
    quality
        Quality metrics; those that a group lacks are skipped.
    loss
        The loss that is thought to tell quality.
    margin
        Largest fall that does not matter, in BLEU points; scaled for other metrics and noted. A
        mapping gives metrics their own margins in their own units.
    alpha
        Level: the false-alarm rate of a group and metric.
    seed_sd
        Standard deviation of one run, known from elsewhere, in the metric's units (or a mapping
        of metrics). Used only for groups with one run a size.

    Returns
    -------
    AlignmentTable
        Verdicts, worst first.

    Raises
    ------
    DesignError
        No quality metric is there, or a metric's direction is unknown.
    MissingColumnError
        A column of `by` does not exist.

    Examples
    --------
    >>> bleu = [20.0, 20.3, 19.9, 22.1, 21.8, 22.0, 23.2, 22.9, 23.1, 21.0, 21.3, 20.9]
    >>> loss = [3.0, 3.01, 2.99, 2.9, 2.91, 2.89, 2.8, 2.81, 2.79, 2.7, 2.71, 2.69]
    >>> sizes = [size for size in (1e6, 4e6, 16e6, 64e6) for seed in range(3)]
    >>> table = {"pretrain_tokens": sizes, "pretrain_seed": [1, 2, 3] * 4,
    ...          "bleu": bleu, "cross_entropy": loss}
    >>> align(table)[0].headline
    'MISALIGNED, deteriorating'
    """
    whole = as_table(table)
    if not 0 < alpha < 0.5:
        raise DesignError(f"alpha is {alpha:g}; needed a level between 0 and 0.5, e.g. 0.05")
    metrics = quality_metrics(whole, quality)
    names, notes = split_columns(whole, [by] if isinstance(by, str) else list(by))
    groups = [(key, rows) for key, rows in whole.groups(names) if _pretrained(rows)]
    if not groups:
        raise DesignError("no row has pretrain_tokens above 0, so there is no curve to judge")
    results, scaled = [], dict[str, None]()
    for name in metrics:
        values = whole.where(metric=name).column("value")
        scale = scale_of(name, values, margin)
        scaled.update({scale.note: None} if scale.note else {})
        question = Question(scale, alpha, _known_sd(name, seed_sd))
        results += _family(whole, groups, name, canonical(loss), question)
    return AlignmentTable(
        results=tuple(sorted(results, key=_worst_first)),
        alpha=alpha,
        notes=(*notes, *scaled),
    )


def _known_sd(name: str, seed_sd: float | Mapping[str, float] | None) -> float | None:
    if isinstance(seed_sd, Mapping):
        return {canonical(k): float(v) for k, v in seed_sd.items()}.get(name)
    return seed_sd


def quality_metrics(table: Table, quality: str | Sequence[str]) -> list[str]:
    """Return those of the wanted metrics that the table has."""
    wanted = [canonical(q) for q in ([quality] if isinstance(quality, str) else quality)]
    found = [q for q in dict.fromkeys(wanted) if q in table.metrics]
    if not found:
        raise DesignError(
            f"none of the quality metrics {', '.join(wanted)} is in the table; it has "
            f"{', '.join(table.metrics)}. Try: quality={table.metrics[0]!r}"
        )
    return found


def _pretrained(rows: Table) -> bool:
    return bool((rows.column("pretrain_tokens") > 0).any())


def split_columns(table: Table, by: list[str]) -> tuple[list[str], list[str]]:
    """Add the columns that still tell rows of one run apart, so that nothing unlike is averaged."""
    for name in by:
        if not table.has(name) and name not in BY:
            raise MissingColumnError(
                f"the table has no column {name!r} to group by; it has "
                f"{', '.join(n for n in (*BY, *_APART) if table.has(n))}"
            )
    names, notes = list(by), []
    for name in _APART:
        key = [n for n in (*names, *_RUN) if table.has(n) and n != name]
        if name not in names and table.has(name) and _varies(table, key, name):
            names.append(name)
            notes.append(f"groups are split by {name} as well: it differs within single runs")
    return names, notes


def _varies(table: Table, key: list[str], name: str) -> bool:
    """Whether rows that agree in `key` differ in `name`."""
    rows = list(zip(*(map(str, table.column(n)) for n in key), strict=True))
    seen: dict[tuple[str, ...], str] = {}
    values = map(str, table.column(name))
    return any(seen.setdefault(row, v) != v for row, v in zip(rows, values, strict=True))


def _family(
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


def _worst_first(result: Alignment) -> tuple[int, int, float]:
    flags = {"misaligned": 0, "suspected": 1, "": 2}
    return flags[result.flag], VERDICTS.index(result.verdict), result.p
