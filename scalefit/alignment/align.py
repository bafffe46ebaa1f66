"""``align``: tell whether a corpus helps the task, or only cross-entropy says so."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from scalefit.alignment.causes import CORPORA_NAMED, Siblings, causes_of
from scalefit.alignment.curve import (
    QUALITY,
    Curve,
    curve_of,
    judged_table,
    level_of,
    pretrained,
    profiled,
    without_failed,
)
from scalefit.alignment.evidence import tokens
from scalefit.alignment.evidence.fall import fall_test
from scalefit.alignment.evidence.gather import Evidence, Terms, gather, laws_each
from scalefit.alignment.evidence.laws import CurveLaws
from scalefit.alignment.evidence.relation import conflict
from scalefit.alignment.margin import DEFAULT_MARGIN, Scale, metric_scale
from scalefit.alignment.result import Alignment, AlignmentTable
from scalefit.alignment.sample_size import SampleSize, seeds_to_tell
from scalefit.alignment.verdicts import Decision, Verdict, decide, reason
from scalefit.arguments import LOSS
from scalefit.errors import DesignError
from scalefit.executors import Each, Workers, packs, working
from scalefit.table import Table, grouping
from scalefit.table.metrics import canonical, metric
from scalefit.table.runs import CAUTIOUS
from scalefit.types import Renames
from scalefit.units import counted

# What a verdict about one metric must not leave unsaid: metrics that disagree, unlike checkpoints.


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
    scale = metric_scale(other, curve.score, 0.5)
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


_TOGETHER = 64  # groups that are judged together, whoever does it: the last bits depend on it


def align(
    data: Any,
    quality: str | Sequence[str] = QUALITY,
    *,
    by: Sequence[str] | None = None,
    loss: str = LOSS,
    margin: float | str | Mapping[str, float] = DEFAULT_MARGIN,
    level: float = 0.95,
    seed_sd: float | Mapping[str, float] | None = None,
    where: Mapping[str, Any] | None = None,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
    executor: Workers = None,
) -> AlignmentTable:
    """Judge whether quality grows with pretraining, group by group.

    Finetuning seeds are averaged within each pretraining run before anything is tested; the pretraining run is the
    unit. See ``docs/alignment.md`` for the verdicts, and ``docs/simulations/alignment.md`` for error rates and power.

    Parameters
    ----------
    data : path, DataFrame, Table or mapping of columns
        Results, one value a row (or one run a row with a column for each metric).
    quality : quality metrics; those that a group lacks are skipped. By default BLEU and COMET, or the only one there.
    by : columns that make a group; by default corpus, task and finetuning size, and others where they vary. What tells
        rows of one run apart splits the groups further, and a note says so.
    loss : the loss that is thought to tell quality; by default cross-entropy, or the one loss that the table has.
    margin : largest fall that does not matter. ``"human:0.7"``: the difference of BLEU, chrF or COMET with which 70 %
        of human rankings agree, half a BLEU point where no such share is known. A number is in BLEU points, scaled for
        other metrics and noted. A mapping gives metrics their own margins in their own units.
    level : confidence: one less the false-alarm rate of a group and metric.
    seed_sd : standard deviation of one run, known from elsewhere, in the metric's units (or a mapping of metrics). Used
        only for groups with one run a size.
    where, mapping, allow : as in :func:`scalefit.fit`.
    executor : where the groups are judged, see ``docs/scale.md``; the verdicts are the same wherever that is.

    Returns AlignmentTable: verdicts, worst first.

    Raises DesignError: no quality metric is there, or a metric's direction is unknown; MissingColumnError: a column
    of `by` does not exist.

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
    whole, metrics, against = judged_table(
        data, quality, loss, mapping=mapping, where=where, allow=allow
    )
    alpha = level_of(level)
    apart = grouping(whole, by)
    groups = [(key, rows) for key, rows in whole.groups(apart.columns) if pretrained(rows)]
    if not groups:
        raise DesignError("no row has pretrain_tokens above 0, so there is no curve to judge")
    results, scaled = [], dict[str, None]()
    with working(executor) as each:
        for name in metrics:
            values = whole.where(metric=name).column("value")
            scale = metric_scale(name, values, margin)
            scaled.update({scale.note: None} if scale.note else {})
            terms = Terms(scale, alpha, _known_sd(name, seed_sd))
            results += _judge_groups(whole, groups, name, against, terms, each)
    return AlignmentTable(
        results=tuple(sorted(results, key=_worst_first)),
        level=level,
        notes=(*whole.notes, *apart.notes, *scaled),
    )


def _known_sd(name: str, seed_sd: float | Mapping[str, float] | None) -> float | None:
    if isinstance(seed_sd, Mapping):
        seed_sd = {canonical(k): float(v) for k, v in seed_sd.items()}.get(name)
    if seed_sd is not None and not 0 < seed_sd < np.inf:
        raise DesignError(
            f"seed_sd is {seed_sd:g} for {name!r}; needed a standard deviation above 0, or none"
        )
    return seed_sd


def _worst_first(result: Alignment) -> tuple[int, int, float]:
    flags = {"misaligned": 0, "suspected": 1, "": 2}
    return flags[result.flag], result.verdict.rank, result.p


@dataclass(frozen=True, eq=False)
class _Case:
    """One metric in one group: its curve, its loss, and the curve without failed runs where some failed."""

    key: dict[str, Any]
    rows: Table
    name: str
    curve: Curve | None
    losses: Curve | None
    failed: int = 0
    less: Curve | None = None

    @property
    def long(self) -> bool:
        return self.curve is not None and len(self.curve.sizes) > 1

    @property
    def judged(self) -> list[Curve]:
        """The curves that evidence is gathered about."""
        some = (self.curve, self.less) if self.long else ()
        return [c for c in some if c is not None and len(c.sizes) > 1]


def _judge_groups(
    whole: Table,
    groups: list[tuple[dict[str, Any], Table]],
    name: str,
    loss: str,
    terms: Terms,
    each: Each,
) -> list[Alignment]:
    """Judge one metric in every group, then look across groups for causes."""
    there = [(key, rows) for key, rows in groups if name in rows.metrics]
    asked = ((key, rows, whole.baseline_for(key)) for key, rows in there)
    # Packs are as even as they can be: groups of one pack share what they say of the noise.
    even = -(-len(there) // max(-(-len(there) // _TOGETHER), 1))
    judged = each(partial(_judged, name, loss, terms), packs(asked, max(even, 1)))
    results = (one for some in judged for one in some)
    drafts = [(*group, result) for group, result in zip(there, results, strict=True)]
    family = _Family(whole, drafts)
    return [_with_causes(rows, result, family.beside(key)) for key, rows, result in drafts]


def _judged(
    name: str, loss: str, terms: Terms, groups: Sequence[tuple[dict[str, Any], Table, Table | None]]
) -> list[Alignment]:
    cases = _together([_case(*group, name, loss, terms.scale.sign) for group in groups])
    # The laws of all curves are fitted together, before any is judged: one by one they were half the time.
    curves = [curve for case in cases for curve in case.judged]
    laws = dict(zip(curves, laws_each(curves, terms.scale.sign), strict=True))
    return [_judge(case, loss, terms, laws) for case in cases]


def _together(cases: Sequence[_Case]) -> list[_Case]:
    """Return cases whose groups share what they say of each size's noise."""
    curves, losses = (profiled(c) for c in zip(*((c.curve, c.losses) for c in cases), strict=True))
    return [
        replace(case, curve=curve, losses=loss)
        for case, curve, loss in zip(cases, curves, losses, strict=True)
    ]


def _case(
    key: dict[str, Any], rows: Table, baseline: Table | None, name: str, loss: str, sign: float
) -> _Case:
    curve = curve_of(rows, name, baseline)
    losses = None if loss == name else curve_of(rows, loss, baseline)
    case = _Case(key, rows, name, curve, losses)
    if curve is None or not case.long:
        return case
    less, failed = without_failed(rows, curve, baseline, sign)
    return replace(case, failed=failed, less=less) if failed else case


def _judge(case: _Case, loss: str, terms: Terms, laws: Mapping[Curve, CurveLaws]) -> Alignment:
    curve, losses = case.curve, case.losses
    if curve is None or not case.long:
        return _too_small(case, terms)
    loss_scale = None if losses is None else metric_scale(loss, losses.score, 0.5)
    evidence = gather(curve, losses, terms, loss_scale, laws[curve])
    decision = decide(evidence)
    size = _size(evidence, decision)
    return Alignment(
        group=case.key,
        metric=case.name,
        decision=decision,
        reason=reason(evidence, decision)
        + disagreements(case.rows, evidence)
        + mixed_schedules(case.rows, evidence),
        advice=decision.verdict.advice(evidence) + _needed(size, curve),
        p=min(evidence.p_fall, evidence.p_harm),
        p_misaligned=evidence.p_misaligned if losses is not None else 1.0,
        size=size,
        failed=case.failed,
        again=_decide_again(case, terms, loss_scale, laws) if case.failed else None,
        evidence=evidence,
        level=terms.confidence,
        notes=(*curve.notes, *_design_notes(curve), *_blind(case.rows, case.name)),
    )


_NO_CURVE = Decision(Verdict.INCONCLUSIVE, "", "open", "not testable: too few sizes for a curve")


def _decide_again(
    case: _Case, terms: Terms, loss_scale: Scale | None, laws: Mapping[Curve, CurveLaws]
) -> Decision:
    """Verdict without the failed runs."""
    less = case.less
    if less is None or len(less.sizes) < 2:
        return _NO_CURVE
    return decide(gather(less, case.losses, terms, loss_scale, laws[less]))


def _size(evidence: Evidence, decision: Decision) -> SampleSize | None:
    """Seeds that would decide; None where nothing is open, or no number of seeds can help."""
    curve, fall = evidence.quality, evidence.fall
    if decision.verdict is not Verdict.INCONCLUSIVE or len(curve.sizes) < 3:
        return None
    if curve.level == "single" or fall.upper < evidence.scale.margin:
        return None
    margin, shape = evidence.scale.margin, evidence.oriented
    return seeds_to_tell(shape, fall.noise.sd, curve.design, margin, fall.alpha)


def _needed(size: SampleSize | None, curve: Curve) -> str:
    if size is None:
        return ""
    now = int(curve.runs.min()) if curve.level == "procedure" else 1
    return f" It takes {size}; {now} now."


def _design_notes(curve: Curve) -> tuple[str, ...]:
    notes = []
    if curve.level == "procedure" and curve.design == "shared" and not curve.known:
        notes.append(CAUTIOUS)
    runs = curve.runs
    if curve.level == "procedure" and runs.min() < runs.max():
        # Nothing tells how noisy a size with one run is (docs/simulations/alignment.md, "Uneven numbers of runs").
        few = (
            "7 % where one with few is" if runs.min() > 1 else "25 % where one with a single run is"
        )
        few = "70 % where those with a single run are" if curve.mostly_single else few
        notes.append(
            f"sizes have {runs.min()} to {runs.max()} pretraining runs: approximate levels, 5 % becomes up to {few} "
            "3 × as noisy as the others"
        )
    if curve.level == "procedure" and runs.max() == 2:
        notes.append(
            "two pretraining runs a size measure noise poorly: 5 % becomes up to 9 % where one size is 5 × as noisy as "
            "the others; three or more are advised"
        )
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


def _too_small(case: _Case, terms: Terms) -> Alignment:
    sizes = 0 if case.curve is None else len(case.curve.sizes)
    return Alignment(
        group=case.key,
        metric=case.name,
        decision=_NO_CURVE,
        reason=f"{counted(sizes, 'pretraining size')}; needed at least 3 for a curve.",
        advice="Measure at least three pretraining sizes, three pretraining seeds each.",
        p=1.0,
        p_misaligned=1.0,
        level=terms.confidence,
    )


_FALLING = (Verdict.DETERIORATING, Verdict.FLUCTUATING)
_STEADY = (Verdict.ALIGNED, Verdict.SATURATED, Verdict.IMPROVING)
_Judged = tuple[dict[str, Any], Table, Alignment]


class _Family:
    """Results of one table by what their groups have in common: each finds those beside it without asking all."""

    def __init__(self, whole: Table, drafts: Sequence[_Judged]) -> None:
        self.rates = tuple(whole.unique("learning_rate")) if whole.has("learning_rate") else ()
        self.corpora: dict[Hashable, list[str]] = {}
        self.spans: dict[Hashable, list[tuple[float, float]]] = {}
        for key, _, result in drafts:
            for verdicts in (_FALLING, _STEADY):
                if result.verdict in verdicts:
                    place = verdicts, _but(key, "corpus")
                    self.corpora.setdefault(place, []).append(str(key.get("corpus")))
            if result.evidence is not None and (size := key.get("finetune_tokens")):
                pair = float(size), result.evidence.climb
                self.spans.setdefault(_but(key, "finetune_tokens"), []).append(pair)

    def beside(self, key: Mapping[str, Any]) -> Siblings:
        """Return what the rest of the table says of a group."""

        def others(verdicts: tuple[Verdict, ...]) -> tuple[str, ...]:
            names = self.corpora.get((verdicts, _but(key, "corpus")), ())
            there = (name for name in names if name != str(key.get("corpus")))
            return tuple(islice(there, CORPORA_NAMED + 1))

        spans = tuple(self.spans.get(_but(key, "finetune_tokens"), ()))
        return Siblings(others(_FALLING), spans, others(_STEADY), self.rates)


def _but(key: Mapping[str, Any], name: str) -> Hashable:
    return tuple((column, value) for column, value in key.items() if column != name)


def _with_causes(rows: Table, result: Alignment, siblings: Siblings) -> Alignment:
    if result.evidence is None:
        return result
    changes = result.without_failed not in (None, result.verdict)
    causes = causes_of(result.evidence, rows, siblings, (result.failed, changes))
    return replace(result, causes=causes)
