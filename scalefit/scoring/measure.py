"""The work of scoring: every system under every metric, from the cache where it is known, on several cores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from scalefit.errors import ScoringError
from scalefit.executors import Workers, working
from scalefit.groups import as_names, did_you_mean

from .bootstrap import SEED
from .cache import Cache, pack, unpack
from .checkpoint import Comet
from .comet import CometScorer
from .inputs import Inputs, NamedText
from .sacre import METRICS, SacreSpec, Scorer, key_of
from .statistics import SegmentStatistics, compact, stack


@dataclass(frozen=True)
class Scoring:
    """How to score.

    Attributes
    ----------
    tokenize : sacreBLEU's tokenizer for BLEU: ``"13a"`` unless given; ``"zh"``, ``"ja-mecab"``, ``"ko-mecab"``,
        ``"flores200"``, ….
    settings : further settings of sacreBLEU's classes by metric: ``{"bleu": {"lowercase": True}}``.
    comet : Comet; which COMET model, and how to run it.
    resamples, seed : of the bootstrap over segments; the defaults are sacreBLEU's.
    cache : path or bool, optional; file that keeps what has been scored; None takes the user's, False none.
    workers : processes that count n-grams. A script that asks for several needs the usual ``if __name__ ==
        "__main__":``.
    executor : executor or address of a scheduler, optional; where n-grams are counted and COMET runs instead, see
        ``docs/scale.md``. A worker loads the model once; what it has no file of, it fetches.
    allow_empty : whether empty lines are scored rather than refused.
    allow : checks of the table to switch off, see :data:`scalefit.table.ALLOWABLE`.
    progress : whether to show bars.
    """

    tokenize: str | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    comet: Comet = field(default_factory=Comet)
    resamples: int = 1000
    seed: int = SEED
    cache: str | Path | bool | None = None
    workers: int = 1
    executor: Workers = None
    allow_empty: bool = False
    allow: Sequence[str] = ()
    progress: bool = True

    def spec(self, metric: str) -> SacreSpec:
        """Return sacreBLEU's metric with these settings."""
        chosen = dict(self.settings.get(metric, {}))
        if metric == "bleu" and self.tokenize is not None:
            chosen["tokenize"] = self.tokenize
        return SacreSpec(metric, chosen)


WORTH_PROCESSES = 10_000
"""Segments that take longer to count than processes to start."""

Array: TypeAlias = NDArray[Any]
References: TypeAlias = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Task:
    """One system under one metric: the key under which its statistics are kept, and their width."""

    system: str
    spec: SacreSpec
    lines: tuple[str, ...]
    key: bytes
    width: int = 0


def tasks(
    heads: Mapping[str, Scorer], references: References, systems: Mapping[str, NamedText]
) -> list[Task]:
    """List what is to be counted; the keys depend on the texts and on all settings."""
    of_references = key_of(*(key_of(*lines).hex() for lines in references)).hex()
    made = []
    for name, text in systems.items():
        of_lines = key_of(*text.lines).hex()
        for head in heads.values():
            key = key_of("statistics", head.identity, of_references, of_lines)
            made.append(Task(name, head.spec, text.lines, key, head.width))
    return made


def extract(
    work: Sequence[Task], references: References, cache: Cache, how: Scoring
) -> Iterator[tuple[Task, Array]]:
    """Yield every task's statistics: first what is known, then the rest as it is counted, and kept at once."""
    from tqdm.auto import tqdm

    held = cache.get([task.key for task in work])
    known = {t.key: v for t in work if (v := _whole(held.get(t.key), t)) is not None}
    cache.damaged.update(held.keys() - known.keys())
    yield from ((task, known[task.key]) for task in work if task.key in known)
    missing = [task for task in work if task.key not in known]
    done = len(work) - len(missing)
    executor = how.executor
    if executor is None and how.workers > 1:
        lines = sum(len(task.lines) for task in missing)
        executor = min(how.workers, len(missing)) if lines >= WORTH_PROCESSES else None
    shown: dict[str, Any] = {"desc": "scoring", "unit": "text", "delay": 2}
    with (
        tqdm(total=len(work), initial=done, disable=not how.progress, **shown) as bar,
        working(executor) as each,
    ):
        counted = each(partial(_counted, references), missing)
        for task, statistics in zip(missing, counted, strict=True):
            cache.put({task.key: pack(statistics)})
            bar.update()
            yield task, statistics


def _whole(held: bytes | None, task: Task) -> Array | None:
    """Return kept statistics that have a row for each segment; anything else is counted anew."""
    try:
        values = None if held is None else unpack(held)
    except Exception:  # whatever a file may hold that is no array
        return None
    if values is None or values.ndim != 2 or values.dtype.kind not in "uif":
        return None
    fits = values.shape == (len(task.lines), task.width or values.shape[1])
    return values if fits and np.isfinite(values).all() else None


def _counted(references: References, task: Task) -> Array:
    settings = tuple(sorted(task.spec.settings.items()))
    return compact(_scorer(references, task.spec.metric, settings).statistics(task.lines))


@lru_cache(maxsize=len(METRICS))
def _scorer(references: References, metric: str, settings: tuple[tuple[str, Any], ...]) -> Scorer:
    """Return a metric, here or on a worker, that has counted its references' n-grams and keeps them for all texts."""
    return Scorer(SacreSpec(metric, dict(settings)), references)


COMET = ("comet", "comet_qe")
SCORABLE = (*METRICS, *COMET)


@dataclass(frozen=True)
class Measured:
    """All systems under one metric.

    Attributes
    ----------
    statistics : SegmentStatistics; per segment.
    values : corpus scores to the last digit of the library that makes them.
    """

    statistics: SegmentStatistics
    values: tuple[float, ...]


def checked_metrics(metrics: Sequence[str]) -> list[str]:
    """Return the metrics' names, each once.

    Raises ScoringError: if there is none, or one is unknown.
    """
    names = list(dict.fromkeys(as_names(metrics)))
    unknown = [name for name in names if name not in SCORABLE]
    if unknown or not names:
        problem = f"unknown metric {unknown[0]!r}" if unknown else "no metric"
        hint = did_you_mean(unknown[0], SCORABLE) if unknown else ""
        raise ScoringError(f"{problem}; known: {', '.join(SCORABLE)}{hint}")
    return names


def measure(wanted: Sequence[str], inputs: Inputs, how: Scoring) -> Iterator[Measured]:
    """Yield one result a metric.

    The COMET model is looked for first: an hour of counting should not end in a missing model.
    """
    with Cache(how.cache) as cache:
        scorers = [_comet_scorer(kind, inputs, how, cache) for kind in wanted if kind in COMET]
        yield from _by_sacrebleu(wanted, inputs, how, cache)
        for scorer in scorers:
            yield _by_comet(scorer, inputs, how)


def _comet_scorer(kind: str, inputs: Inputs, how: Scoring, cache: Cache) -> CometScorer:
    given = bool(inputs.references) and kind == "comet"
    return CometScorer(how.comet, cache, references=given)


def _by_sacrebleu(
    wanted: Sequence[str], inputs: Inputs, how: Scoring, cache: Cache
) -> Iterator[Measured]:
    references = tuple(text.lines for text in inputs.references)
    # One segment is enough to know signature and formula; workers count all references.
    first = tuple(lines[:1] for lines in references)
    heads = {name: Scorer(how.spec(name), first) for name in wanted if name in METRICS}
    work = tasks(heads, references, inputs.systems)
    counted = extract(work, references, cache, how)
    arrays = {(task.spec.metric, task.system): array for task, array in counted}
    systems = tuple(inputs.systems)
    for name, head in heads.items():
        rows = [arrays.pop((name, system)) for system in systems]
        statistics = SegmentStatistics(
            name, head.signature, systems, stack(rows), head.kind, head.options
        )
        yield Measured(statistics, tuple(map(head.score, rows)))


def _by_comet(scorer: CometScorer, inputs: Inputs, how: Scoring) -> Measured:
    from tqdm.auto import tqdm

    if inputs.sources is None:
        raise ScoringError("no sources: COMET reads what was translated")
    sources = inputs.sources.lines
    reference = inputs.references[0].lines if inputs.references else None
    total, quiet = len(sources) * len(inputs.systems), not how.progress
    with (
        tqdm(total=total, desc=scorer.metric, unit="segment", delay=2, disable=quiet) as bar,
        working(how.executor) as each,
    ):
        far = None if how.executor is None else each
        rows = [
            scorer.scores(scorer.samples(sources, text.lines, reference), bar, far)
            for text in inputs.systems.values()
        ]
    scores = np.array(rows)
    values = np.stack([scores, np.ones_like(scores)], axis=-1)
    systems = tuple(inputs.systems)
    statistics = SegmentStatistics(scorer.metric, scorer.signature, systems, values, "mean")
    return Measured(statistics, tuple(sum(row) / len(row) for row in rows))
