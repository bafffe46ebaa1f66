"""How much of a test set lies in a corpus: whole lines, and runs of words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .measures import Text

ORDER = 8  # words: shorter runs are common phrases, longer ones miss what was cut otherwise
_WORD = re.compile(r"\w+", re.UNICODE)


@dataclass(frozen=True)
class Overlap:
    """What of a test set stands in a corpus.

    Attributes
    ----------
    lines : test lines; ``whole`` how many of them stand in the corpus as they are (case and punctuation aside).
    grams : different runs of eight words in the test set; ``shared`` how many of them the corpus has.
    touched : test lines with at least one such run in the corpus, or that stand in it whole.
    """

    lines: int
    whole: int
    grams: int
    shared: int
    touched: int

    @property
    def line(self) -> str:
        """Say it in one line, as a verdict carries it."""
        if not self.touched:
            return f"none of {self.lines} test lines lies in the corpus"
        runs = f", {self.shared / self.grams:.1%} of its {ORDER}-word runs" if self.grams else ""
        return (
            f"{self.whole} of {self.lines} test lines stand in the corpus and {self.touched} share words in a row with "
            f"it{runs}: on these a score measures memory"
        )


def overlap(corpus: Text, test: Text) -> Overlap:
    """Look for the lines of a test set, and its runs of eight words, in the whole corpus.

    The corpus is read line by line and once; only the test set is held.

    Examples
    --------
    >>> from scalefit.corpora.overlap import overlap
    >>> both = overlap(["The house is red.", "A cat."], ["the house is red", "a dog"])
    >>> both.whole, both.lines
    (1, 2)
    """
    tests = [words for line in _lines(test) if (words := _words(line))]
    wanted: dict[tuple[str, ...], list[int]] = {}
    for i, words in enumerate(tests):
        for run in _runs(words):
            wanted.setdefault(run, []).append(i)
    whole = set(tests)
    seen: set[tuple[str, ...]] = set()
    shared: set[tuple[str, ...]] = set()
    for line in _lines(corpus):
        here = _words(line)
        if here in whole:
            seen.add(here)
        shared.update(run for run in _runs(here) if run in wanted)
    exact = {i for i, words in enumerate(tests) if words in seen}
    touched = exact.union(*(wanted[run] for run in shared))
    return Overlap(len(tests), len(exact), len(wanted), len(shared), len(touched))


def _lines(text: Text) -> Iterable[str]:
    if isinstance(text, str | Path):
        return _of_file(Path(text))
    return text


def _of_file(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from file


def _words(line: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(line))


def _runs(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(words[i : i + ORDER]) for i in range(len(words) - ORDER + 1))
