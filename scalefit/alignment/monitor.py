"""``monitor``: the sequential use of the diagnostic, look by look, and where each sequence stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from scalefit.alignment import hayter
from scalefit.alignment.curve import (
    QUALITY,
    Curve,
    curve_of,
    judged_table,
    level_of,
    profiled,
    without_failed,
)
from scalefit.alignment.evidence import tokens
from scalefit.alignment.evidence.fall import FallTest, fall_test
from scalefit.alignment.evidence.relation import Conflict, conflict
from scalefit.alignment.falls import falls
from scalefit.alignment.margin import DEFAULT_MARGIN, Scale, metric_scale
from scalefit.alignment.noise import Design, estimate
from scalefit.alignment.result import Judged
from scalefit.arguments import LOSS
from scalefit.errors import DesignError
from scalefit.result import Result, Results
from scalefit.rows import Row
from scalefit.table import grouping
from scalefit.types import Renames
from scalefit.units import counted

# Checkpoint by checkpoint: stop, go on, or say which run would decide.
#
# Looking after every new size would raise false alarms far above alpha. Two ways to pay for it:
#
# planned
#     The number of sizes is planned. One nominal level is used at every look, set by simulation so
#     that the chance of *any* false alarm over the whole sequence is alpha (Pocock 1977). The
#     looks share their data, so this costs little.
# open-ended
#     Nothing is planned. Look number k spends :math:`\alpha / (k (k + 1))`; over any number of
#     looks, whatever is looked at, this adds up to at most alpha.
#
# A sequence is a group's sizes in ascending order: look k tests the first k + 1 of them. Adding
# seeds after a look is another look: say so with ``looks_before``.
#
# References
# ----------
# Pocock, S. J. (1977). Group sequential methods in the design and analysis of clinical trials.
# *Biometrika* 64, 191-199. Lan, K. K. G. & DeMets, D. L. (1983). *Biometrika* 70, 659-663.


_DRAWS, _SEED = 10_000, 3


def spent(look: int, alpha: float) -> float:
    """Level of look number `look` (1, 2, ...) when nothing is planned.

    Examples
    --------
    >>> round(sum(spent(k, 0.05) for k in range(1, 1000)), 3)
    0.05
    """
    return alpha / (look * (look + 1))


@lru_cache(maxsize=64)
def nominal_level(sizes: int, runs: int, design: Design, alpha: float) -> float:
    """Level of every look when `sizes` sizes with `runs` runs each are planned.

    It holds where all sizes are alike, where the last is ten times as noisy as the first, and where one is five times
    as noisy as the others: there the looks are less of one mind, and a level set for equal noise lets .09 through in
    place of .05.
    """
    rng, quantiles = np.random.default_rng(_SEED), []
    alone = np.where(np.arange(sizes) == sizes // 2, 5.0, 1.0)
    for noise in (np.ones(sizes), np.geomspace(1.0, 10.0, sizes), alone):
        draws = noise[:, None] * rng.standard_normal((_DRAWS, sizes, runs))
        smallest = np.ones(_DRAWS)
        for k in range(2, sizes + 1):
            seen = falls(estimate(draws[:, :k], design))
            smallest = np.minimum(smallest, hayter.sf_many(seen.largest, k, seen.noise.nu))
        quantiles.append(float(np.quantile(smallest, alpha)))
    return min(quantiles)


Choice = Literal["stop", "decide", "go on"]
_FEW = 3
"""Runs a size, at the median, whose gaps tell on the level of a planned sequence."""
_WORTH_SEEDS = 0.2
"""Family-wise p value below which a fall is worth more seeds; above, noise makes as many."""
_ORDER: tuple[Choice, ...] = ("stop", "decide", "go on")


@dataclass(frozen=True, eq=False, repr=False)
class Watch(Judged, Result):
    """Where one sequence stands.

    Attributes
    ----------
    group, metric : the group and its quality metric.
    decision : ``stop`` (quality falls beyond doubt), ``go on``, or ``decide`` (a fall beyond the
        margin is seen that chance rarely makes, but is not beyond doubt).
    misaligned : whether cross-entropy surely improved over the fall that stopped it.
    look : look at which it stopped, else the latest look.
    levels, p : (L,) level and p value of every look; pairs, with loss: p of the flag.
    reason, advice : in words.

    Examples
    --------
    >>> import scalefit as sf
    >>> bleu = [20.0, 20.3, 19.9, 22.1, 21.8, 22.0, 19.2, 18.9, 19.1]
    >>> sizes = [size for size in (1e6, 4e6, 16e6) for seed in range(3)]
    >>> table = {"pretrain_tokens": sizes, "pretrain_seed": [1, 2, 3] * 3, "bleu": bleu}
    >>> sf.monitor(table, planned=5)[0].look
    2
    """

    BARE = True

    decision: Choice
    misaligned: bool
    look: int
    levels: tuple[float, ...]
    p: tuple[float, ...]
    pairs: tuple[float, ...]
    reason: str
    advice: str

    @property
    def verdict(self) -> str:
        """Return decision, reason and advice."""
        flag = "MISALIGNED, " if self.misaligned else ""
        return f"{self.name}: {flag}{self.decision}. {self.reason} → {self.advice}"

    notes = ()  # the verdict says it all

    def rows(self) -> list[Row]:
        """One row: the decision, p and level of the last look."""
        at = min(self.look, len(self.p)) - 1
        row = {
            **self.labels,
            "decision": self.decision,
            "misaligned": self.misaligned,
            "look": self.look,
            "p": self.p[at] if self.p else None,
            "alpha": self.levels[at] if self.levels else None,
        }
        return [row]


@dataclass(frozen=True, eq=False, repr=False)
class WatchTable(Results[Watch]):
    """All sequences, those that stopped first; ``table["fr"]`` is that of one corpus.

    Attributes
    ----------
    results : the sequences.
    level : one less the chance of any false alarm over the whole sequence of a group and metric.
    notes : what was left out of the table, or taken for something.

    Examples
    --------
    >>> import scalefit as sf
    >>> bleu = [20.0, 20.3, 19.9, 22.1, 21.8, 22.0, 19.2, 18.9, 19.1]
    >>> sizes = [size for size in (1e6, 4e6, 16e6) for seed in range(3)]
    >>> table = {"pretrain_tokens": sizes, "pretrain_seed": [1, 2, 3] * 3, "bleu": bleu}
    >>> sf.monitor(table, planned=5).verdict
    '1 of 1 stopped'
    """

    results: tuple[Watch, ...]
    level: float
    notes: tuple[str, ...] = ()

    def labels(self, member: Watch) -> Mapping[str, Any]:
        """Return by what a sequence is found: its group and metric."""
        return member.labels

    @property
    def verdict(self) -> str:
        """How many sequences should stop."""
        return f"{len(self.stopped)} of {len(self)} stopped"

    @property
    def stopped(self) -> tuple[Watch, ...]:
        """Sequences that should stop."""
        return tuple(w for w in self.results if w.decision == "stop")

    def shown(self) -> list[Row]:
        """One row a sequence, with what to do."""
        return [{**row, "advice": w.advice} for w in self for row in w.rows()]

    def lines(self) -> list[str]:
        """Return one line a sequence."""
        return [w.verdict for w in self]


@dataclass(frozen=True)
class _Rule:
    """How the level is spent over the looks."""

    alpha: float
    planned: int | None
    looks_before: int

    def level(self, look: int, curve: Curve) -> float:
        if self.planned is None or self.looks_before:
            return spent(look + self.looks_before, self.alpha)
        if curve.level == "single":  # looks begin at the third size and share the level evenly
            return self.alpha / max(self.planned - 2, 1)
        runs = max(2, int(np.median(curve.runs)))
        level = nominal_level(max(self.planned, len(curve.sizes)), runs, curve.design, self.alpha)
        # Where a fifth of three runs a size is missing, .09 of flat sequences would stop at the level of complete ones.
        return level / 2 if runs <= _FEW and np.isnan(curve.values).any() else level


def monitor(
    data: Any,
    quality: str | Sequence[str] = QUALITY,
    *,
    by: Sequence[str] | None = None,
    loss: str = LOSS,
    margin: float | str | Mapping[str, float] = DEFAULT_MARGIN,
    level: float = 0.95,
    planned: int | None = None,
    looks_before: int = 0,
    where: Mapping[str, Any] | None = None,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
) -> WatchTable:
    """Test after every new pretraining size, with one false-alarm rate for the whole sequence.

    Give the table as it stands; earlier looks are worked out again from it. Sizes are taken in ascending order.

    Parameters
    ----------
    data, quality, by, loss, margin, where, mapping, allow : as in :func:`align`.
    level : one less the chance of any false alarm over the whole sequence of one group and metric.
    planned : number of sizes planned. None: open-ended, look k spends ``(1 - level) / (k (k + 1))``.
    looks_before : looks already taken at other states of the same curve (seeds added after a look).

    Raises DesignError: more sizes than were planned.

    Examples
    --------
    >>> bleu = [20.0, 20.3, 19.9, 22.1, 21.8, 22.0, 19.2, 18.9, 19.1]
    >>> sizes = [size for size in (1e6, 4e6, 16e6) for seed in range(3)]
    >>> table = {"pretrain_tokens": sizes, "pretrain_seed": [1, 2, 3] * 3, "bleu": bleu}
    >>> monitor(table, planned=5)[0].decision
    'stop'
    """
    whole, metrics, against = judged_table(
        data, quality, loss, mapping=mapping, where=where, allow=allow
    )
    names = grouping(whole, by).columns
    if looks_before < 0:
        raise DesignError(
            f"looks_before is {looks_before}; needed the number of looks taken, 0 or more"
        )
    rule, watches = _Rule(level_of(level), planned, looks_before), []
    for name in metrics:
        scale = metric_scale(name, whole.where(metric=name).column("value"), margin)
        groups = list(whole.groups(names))
        curves = profiled([curve_of(rows, name, None) for _, rows in groups])
        for (key, rows), curve in zip(groups, curves, strict=True):
            losses = None if against == name else curve_of(rows, against, None)
            if curve is not None:
                _check_plan(curve, planned)
                watch = _watch(key, curve, losses, scale, rule)
                less, failed = without_failed(rows, curve, None, scale.sign)
                again = None if less is None else _watch(key, less, losses, scale, rule)
                watches.append(_beside_failed(watch, again, failed))
    ordered = sorted(watches, key=lambda w: _ORDER.index(w.decision))
    return WatchTable(tuple(ordered), level, whole.notes)


def _beside_failed(watch: Watch, again: Watch | None, failed: int) -> Watch:
    """Say what a sequence would come to without its failed runs, where that is another thing."""
    if again is None or again.decision == watch.decision:
        return watch
    told = (
        f"{watch.reason} Without {counted(failed, 'failed run')}: {again.decision} ({again.reason})"
    )
    return replace(watch, reason=told)


def _check_plan(curve: Curve, planned: int | None) -> None:
    if planned is not None and len(curve.sizes) > planned:
        raise DesignError(
            f"{len(curve.sizes)} pretraining sizes are there, but planned={planned}; the level was "
            "shared out over the plan. Try: planned=None, which allows any number of looks"
        )


def _watch(
    key: Mapping[str, Any], curve: Curve, losses: Curve | None, scale: Scale, rule: _Rule
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
        pair = _conflict(part, fall, losses, level)
        levels.append(level)
        p.append(fall.p_value)
        pairs.append(1.0 if pair is None else pair.p)
        if stopped := fall.p_value <= level:
            break
    decision = _choice(fall, scale, stopped)
    reason, advice = _said(decision, curve, fall, pair, len(p))
    return Watch(
        group=key,
        metric=curve.metric,
        decision=decision,
        misaligned=bool(stopped and pairs[-1] <= levels[-1] and curve.level == "procedure"),
        look=len(p),
        levels=tuple(levels),
        p=tuple(p),
        pairs=tuple(pairs),
        reason=reason,
        advice=advice,
    )


def _conflict(part: Curve, fall: FallTest, losses: Curve | None, level: float) -> Conflict | None:
    """Test the pair on the sizes so far."""
    if losses is None:
        return None
    k = int((losses.sizes <= part.sizes[-1] * 1.1).sum())
    if k < 2:
        return None
    loss = losses.first(k)
    if not loss.testable:
        return None
    scale = metric_scale(loss.metric, loss.score, 0.5)
    return conflict(fall, fall_test(loss, -scale.sign, scale.reference, level, cautious=False))


def _choice(fall: FallTest | None, scale: Scale, stopped: bool) -> Choice:
    if stopped:
        return "stop"
    if fall is None or fall.estimate <= scale.margin or fall.p_value > _WORTH_SEEDS:
        return "go on"
    return "decide"


def _said(
    decision: Choice, curve: Curve, fall: FallTest | None, pair: Conflict | None, looks: int
) -> tuple[str, str]:
    """Return reason and advice."""
    if fall is None:
        return (
            f"{counted(len(curve.sizes), 'size')} so far, too few for a look.",
            "measure the next size",
        )
    step = f"every step rises, by {-fall.estimate:.3g} or more"
    step = step if fall.estimate < 0 else f"largest fall {fall.estimate:.3g}"
    seen = f"Look {looks}: {step}, p = {fall.p_value:.2g}"
    if curve.level == "single":
        seen += f" (one run a size: less than {fall.smallest:.2g} cannot be told from noise here)"
    seen += f" against a level of {fall.alpha:.2g}"
    if decision == "stop":
        loss = "" if pair is None else f", cross-entropy improves by {pair.gain:.2g} meanwhile"
        return f"{seen}{loss}.{fall.wanders}", f"stop; the best size so far is {_best(fall)}"
    if decision == "decide":
        more = f"more pretraining seeds at {fall.places} would decide; then looks_before={looks}"
        return f"{seen}: not beyond doubt.", more
    return f"{seen}.", "go on with the next size"


def _best(fall: FallTest) -> str:
    """Name the size from which the fall to its lower end is largest."""
    ends = fall.size[:, fall.pair[1]]
    return f"{tokens(fall.sizes[int(np.nanargmax(ends))])} tokens"
