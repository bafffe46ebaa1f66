"""The work of scoring: every system under every metric, from the cache where it is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scalefit.errors import ScoringError
from scalefit.executors import working
from scalefit.groups import did_you_mean

from .cache import Cache
from .comet import CometScorer
from .extract import extract, tasks
from .inputs import Inputs
from .options import Scoring
from .sacre import METRICS, Scorer
from .statistics import SegmentStatistics, stack

COMET = ("comet", "comet_qe")
KNOWN = (*METRICS, *COMET)


@dataclass(frozen=True)
class Measured:
    """All systems under one metric.

    Attributes
    ----------
    statistics : SegmentStatistics
        Per segment.
    values : tuple of float
        Corpus scores to the last digit of the library that makes them.
    """

    statistics: SegmentStatistics
    values: tuple[float, ...]


def checked_metrics(metrics: Sequence[str]) -> list[str]:
    """Return the metrics' names, each once.

    Raises
    ------
    ScoringError
        If there is none, or one is unknown.
    """
    names = [metrics] if isinstance(metrics, str) else list(dict.fromkeys(metrics))
    unknown = [name for name in names if name not in KNOWN]
    if unknown or not names:
        found = f"unknown metric {unknown[0]!r}" if unknown else "no metric"
        hint = did_you_mean(unknown[0], KNOWN) if unknown else ""
        raise ScoringError(f"{found}; known: {', '.join(KNOWN)}{hint}")
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
    counted = extract(
        work,
        references,
        cache,
        workers=how.workers,
        progress=how.progress,
        executor=how.executor,
    )
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
