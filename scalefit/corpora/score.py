"""``similarity``: all scores of one corpus and one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from scalefit.result import Result, Row

from . import measures
from .overlap import Overlap, overlap
from .text import Text, lines_of

__all__ = ["SCORES", "Score", "Similarity", "similarity"]

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


NOTE = "Context only: no such score is known to predict where quality breaks; scalefit align measures it."


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
    shares
        Shares of the source and target language in the corpus, where known.
    scores
        Further scores by name: functions of corpus lines and task lines.
    most
        Lines used of each text, spread evenly over it.
    test
        The test set, either side or both: the whole corpus is searched for its lines and runs of eight words.

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
