"""``similarity``: scores of a corpus and a task; ``similarity_report``: how they relate to what corpora were worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import factorial
from typing import Any, Protocol

import numpy as np

from scalefit.distributions import ranks
from scalefit.errors import DesignError
from scalefit.ingest import table_of
from scalefit.result import Result
from scalefit.rows import Row
from scalefit.table import metric
from scalefit.types import Floats, Renames

from . import measures
from .measures import Overlap, Text, lines_of, overlap

MOST = 20_000


class Score(Protocol):
    """A score of one's own: lines of the corpus and of one side of the task to a number."""

    def __call__(self, corpus: Sequence[str], task: Sequence[str], /) -> float:
        """Return the score."""


SCORES: dict[str, Score] = {
    "jensen_shannon": measures.jensen_shannon,
    "out_of_vocabulary": measures.out_of_vocabulary,
    "compression": measures.compression,
    "perplexity": measures.perplexity,
}
"""Scores from text, all smaller when nearer."""
_MEANING = {
    "jensen_shannon": "distance of character trigrams, bits; 0 equal, 1 disjoint",
    "out_of_vocabulary": "share of the task's words that the corpus never has",
    "compression": "bits a byte of the task's text after the corpus (LZMA)",
    "perplexity": "bits a character under a 5-gram model of the corpus",
    "language_share": "s·t + 0.7 s + 0.8 t of the languages' shares (Isik et al.); larger is nearer",
}


@dataclass(frozen=True, repr=False)
class Similarity(Result):
    """Scores of a corpus against both sides of a task.

    Attributes
    ----------
    source, target : score name -> number, for each side of the task.
    language_share : Isik et al.'s score where the shares of the languages were given, else None.
    used : lines used of corpus, source and target.
    overlap : how much of the test set lies in the corpus, where one was given.

    Examples
    --------
    >>> import scalefit as sf
    >>> similarity = sf.similarity(["a small red house"], ["a red house"], ["une maison rouge"])
    >>> list(similarity.to_frame()["score"])
    ['jensen_shannon', 'out_of_vocabulary', 'compression', 'perplexity']
    """

    source: Mapping[str, float]
    target: Mapping[str, float]
    language_share: float | None
    used: tuple[int, int, int]
    overlap: Overlap | None = None

    @property
    def verdict(self) -> str:
        """How near the corpus is by the first score, how many there are, and how much of the test set it holds."""
        name = next(iter(self.source))
        ends = f"source {self.source[name]:.3f}, target {self.target[name]:.3f}"
        held = "" if self.overlap is None else f"; {self.overlap.line}"
        return f"{len(self.source)} scores of a corpus against a task; {name}: {ends}{held}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What such scores are good for."""
        return (NOTE,)

    def rows(self) -> list[Row]:
        """One row a score: both sides of the task, or the score of both together."""
        rows: list[Row] = [
            {"score": name, "source": self.source[name], "target": self.target[name], "both": None}
            for name in self.source
        ]
        if self.language_share is not None:
            both: Row = {"score": "language_share", "source": None, "target": None}
            rows.append({**both, "both": self.language_share})
        return rows

    def shown(self) -> list[Row]:
        """One row a score, with what it means."""
        return [{**row, "meaning": _MEANING.get(row["score"], "")} for row in self.rows()]

    def told(self) -> dict[str, Any]:
        """Return all scores and the lines they were made of."""
        used = dict(zip(("corpus", "source", "target"), self.used, strict=True))
        return {
            "source": self.source,
            "target": self.target,
            "language_share": self.language_share,
            "lines": used,
            "overlap": self.overlap,
        }


NOTE = "Context only: no such score is known to predict where quality breaks; sf.align measures it."


def similarity(
    corpus: Text,
    source: Text,
    target: Text,
    *,
    shares: tuple[float, float] | None = None,
    scores: Mapping[str, Score] | None = None,
    most: int = MOST,
    test: Text | None = None,
) -> Similarity:
    """Score how near a corpus is to the two sides of a task, before anything is trained.

    Parameters
    ----------
    corpus, source, target : path, or list of lines
        The pretraining text and the task's two sides (training side of the finetuning set).
    shares : shares of the source and target language in the corpus, where known.
    scores : further scores by name: functions of corpus lines and task lines.
    most : lines used of each text, spread evenly over it.
    test : the test set, either side or both: the whole corpus is searched for its lines and runs of eight words.

    Examples
    --------
    >>> scores = similarity(["a small red house"], ["a red house"], ["une maison rouge"])
    >>> scores.source["out_of_vocabulary"], scores.target["out_of_vocabulary"]
    (0.0, 1.0)
    """
    texts = [
        lines_of(text, name, most)
        for text, name in ((corpus, "corpus"), (source, "source"), (target, "target"))
    ]
    used = {**SCORES, **(scores or {})}
    return Similarity(
        source={name: float(score(texts[0], texts[1])) for name, score in used.items()},
        target={name: float(score(texts[0], texts[2])) for name, score in used.items()},
        language_share=None if shares is None else measures.language_share(*shares),
        used=(len(texts[0]), len(texts[1]), len(texts[2])),
        overlap=None if test is None else overlap(corpus, test),
    )


_EXACT = 8
_NEARER_IS_LARGER = ("language_share",)


@dataclass(frozen=True, repr=False)
class SimilarityReport(Result):
    """Rank correlation of every score with the measured gain over no pretraining.

    Attributes
    ----------
    gains : corpus -> quality at the largest common size, minus the baseline where there is one.
    correlations : score and side -> (Spearman correlation, permutation p value); the sign is
        turned so that positive means "nearer corpora were worth more".
    metric, size : what was measured, at how many pretraining tokens.

    Examples
    --------
    >>> import scalefit as sf
    >>> near = lambda x: sf.similarity(x, ["a red house"], ["une maison rouge"])
    >>> texts = {"en": ["a red house"], "fr": ["une maison"], "code": ["int x = 0;"]}
    >>> table = {"corpus": ["en", "fr", "code"], "pretrain_tokens": [1e6] * 3, "bleu": [20.0, 18.0, 9.0]}
    >>> sf.similarity_report(table, {name: near(x) for name, x in texts.items()}).corpora
    3
    """

    gains: Mapping[str, float]
    correlations: Mapping[str, tuple[float, float]]
    metric: str
    size: float

    @property
    def corpora(self) -> int:
        """Number of corpora: the sample size of every correlation."""
        return len(self.gains)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was gained, corpus by corpus."""
        gains = ", ".join(f"{c} {g:+.2f}" for c, g in self.gains.items())
        return (f"{self.metric} gained: {gains}",)

    def rows(self) -> list[Row]:
        """One row a score: its rank correlation with what corpora gained."""
        return [
            {"score": name, "rank_correlation": r, "p": p, "corpora": self.corpora}
            for name, (r, p) in self.correlations.items()
        ]

    def told(self) -> dict[str, Any]:
        """Return gains and correlations."""
        return {
            "metric": self.metric,
            "pretrain_tokens": self.size,
            "gains": self.gains,
            "correlations": self.rows(),
        }

    @property
    def verdict(self) -> str:
        """What the sample can and cannot say."""
        smallest = 2 / factorial(self.corpora) if self.corpora <= _EXACT else 1e-4
        return (
            f"{self.corpora} corpora: no correlation can have p below {smallest:.2g}, and with "
            f"{len(self.correlations)} scores tried the best is flattered. Context, not evidence."
        )


def similarity_report(
    data: Any,
    scores: Mapping[str, Similarity],
    quality: str = "bleu",
    *,
    where: Mapping[str, Any] | None = None,
    mapping: Renames | None = None,
    allow: Sequence[str] = (),
) -> SimilarityReport:
    """Relate scores to the measured value of corpora.

    Parameters
    ----------
    data : path, DataFrame, Table or mapping of columns
        Results; rows without pretraining are the baseline.
    scores : corpus name (as in the table) -> its :func:`similarity` with the task.
    quality : quality metric.
    where, mapping, allow : as in :func:`scalefit.fit`; ``where`` picks one task, finetuning size and model.

    Raises DesignError: fewer than three corpora have both scores and results.

    Examples
    --------
    >>> from scalefit import similarity
    >>> texts = {"web": ["a small red house"], "code": ["def f(x): return x"], "law": ["the said party"]}
    >>> near = {name: similarity(text, ["a red tool"], ["un outil rouge"]) for name, text in texts.items()}
    >>> runs = {"corpus": ["web", "code", "law", "none"], "pretrain_tokens": [1e6, 1e6, 1e6, 0],
    ...         "bleu": [22.0, 18.5, 20.0, 17.0]}
    >>> dict(similarity_report(runs, near).gains)
    {'code': 1.5, 'law': 3.0, 'web': 5.0}
    """
    table = table_of(data, mapping=mapping, where=where, allow=allow, metrics=[quality])
    quality = table.metric(quality)
    rows = table.where(metric=quality)
    corpora = [c for c in rows.unique("corpus") if c in scores]
    if len(corpora) < 3:
        raise DesignError(
            f"{len(corpora)} corpora have both scores and {quality!r} results; needed at least 3. "
            f"The table has {', '.join(map(str, rows.unique('corpus')))}"
        )
    tokens, names, values = (rows.column(c) for c in ("pretrain_tokens", "corpus", "value"))
    sizes = set.intersection(*({float(t) for t in tokens[names == c] if t > 0} for c in corpora))
    if not sizes:
        raise DesignError("the corpora share no pretraining size; needed one to compare them at")
    size, sign = max(sizes), -1.0 if metric(quality).falls else 1.0
    base = values[tokens == 0].mean() if (tokens == 0).any() else 0.0
    gains = {
        str(c): sign * float(values[(names == c) & (tokens == size)].mean() - base) for c in corpora
    }
    measured = np.array(list(gains.values()))
    correlations = {
        name: _rank(np.array(numbers), measured, name) for name, numbers in _sides(scores, corpora)
    }
    return SimilarityReport(gains, correlations, quality, size)


def _sides(scores: Mapping[str, Similarity], corpora: list[Any]) -> list[tuple[str, list[float]]]:
    """Numbers of every score and side over the corpora."""
    first = scores[corpora[0]]
    sides = [
        (f"{name} ({side})", [float(getattr(scores[c], side)[name]) for c in corpora])
        for name in first.source
        for side in ("source", "target")
    ]
    shares = [scores[c].language_share for c in corpora]
    if all(s is not None for s in shares):
        sides.append(("language_share", [float(s) for s in shares if s is not None]))
    return sides


def _rank(score: Floats, gains: Floats, name: str) -> tuple[float, float]:
    """Spearman correlation and two-sided permutation p value (exact up to eight corpora)."""
    near = ranks(score if name in _NEARER_IS_LARGER else -score)
    worth = ranks(gains)
    if np.ptp(near) == 0 or np.ptp(worth) == 0:
        return float("nan"), 1.0
    observed = float(np.corrcoef(near, worth)[0, 1])
    if len(near) <= _EXACT:
        orders = np.array(list(permutations(near)))
    else:
        rng = np.random.default_rng(0)
        orders = rng.permuted(np.tile(near, (9_999, 1)), axis=1)
    centred = (orders - near.mean()) @ (worth - worth.mean())
    reached = abs(float((near - near.mean()) @ (worth - worth.mean()))) - 1e-9
    return observed, float((np.abs(centred) >= reached).mean())
