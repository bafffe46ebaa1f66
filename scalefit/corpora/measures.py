"""What texts say before anything is trained: how near a corpus is to a task, and how much of a test set lies in it.

All distances but the shares are smaller when nearer.
"""

from __future__ import annotations

import lzma
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scalefit.errors import DesignError

Text = str | Path | Sequence[str]
_TOKEN = re.compile(r"\w+|[^\w\s]", re.UNICODE)


def lines_of(text: Text, name: str, most: int) -> list[str]:
    """Return at most `most` non-empty lines of a file, or of a list of lines.

    Raises DesignError: nothing is there, or the file is no UTF-8 text.
    """
    if isinstance(text, str | Path):
        try:
            lines = Path(text).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise DesignError(f"{name}: {text} is not UTF-8 text (byte {error.start})") from error
    else:
        lines = list(text)
    kept = [line.strip() for line in lines if line.strip()]
    if not kept:
        raise DesignError(f"{name} has no lines with text; needed at least one")
    step = max(1, len(kept) // most)
    return kept[::step][:most]


def words(lines: Iterable[str]) -> Counter[str]:
    """Count lower-cased words and punctuation marks."""
    return Counter(token for line in lines for token in _TOKEN.findall(line.lower()))


def ngrams(lines: Iterable[str], order: int) -> Counter[str]:
    """Count character n-grams of `order`, each line framed by a blank."""
    counts: Counter[str] = Counter()
    for line in lines:
        framed = f" {' '.join(line.lower().split())} "
        counts.update(framed[i : i + order] for i in range(len(framed) - order + 1))
    return counts


Lines = Sequence[str]
_ORDER = 5


def language_share(source: float, target: float) -> float:
    """Score of Isik et al. (2024) from the shares of the task's two languages in a corpus.

    ``s t + 0.7 s + 0.8 t``. It reaches 1.0025 at a source share of 0.45, so it is never clamped.

    Examples
    --------
    >>> language_share(0.5, 0.5), language_share(1, 0), language_share(0, 1)
    (1.0, 0.7, 0.8)
    """
    return source * target + 0.7 * source + 0.8 * target


def jensen_shannon(corpus: Lines, task: Lines) -> float:
    """Jensen-Shannon divergence of character trigram distributions, in bits: 0 equal, 1 disjoint."""
    first, second = ngrams(corpus, 3), ngrams(task, 3)
    n, m = sum(first.values()), sum(second.values())
    total = 0.0
    for gram in first.keys() | second.keys():
        p, q = first[gram] / n, second[gram] / m
        middle = (p + q) / 2
        total += (p * math.log2(p / middle) if p else 0) + (q * math.log2(q / middle) if q else 0)
    return total / 2


def out_of_vocabulary(corpus: Lines, task: Lines) -> float:
    """Share of the task's running words that the corpus never has."""
    known, asked = words(corpus), words(task)
    return sum(n for word, n in asked.items() if word not in known) / sum(asked.values())


def compression(corpus: Lines, task: Lines) -> float:
    """Bits for each byte of the task's text when a compressor has seen the corpus before it."""
    before, text = "\n".join(corpus).encode(), "\n".join(task).encode()
    # A window of 64 MiB, so that the corpus is still in sight when the task's text comes.
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 26}]

    def size(data: bytes) -> int:
        return len(lzma.compress(data, format=lzma.FORMAT_RAW, filters=filters))

    return 8 * (size(before + b"\n" + text) - size(before)) / len(text)


def perplexity(corpus: Lines, task: Lines) -> float:
    """Bits for each character of the task's text under a character model of the corpus.

    Interpolated Witten-Bell smoothing up to order five (Witten & Bell 1991), over an alphabet of
    the characters of both texts.
    """
    counts = [ngrams(corpus, n) for n in range(1, _ORDER + 1)]
    follow = [_followers(grams) for grams in counts]
    size = len(ngrams(corpus, 1).keys() | ngrams(task, 1).keys())
    bits, places = 0.0, 0
    for line in task:
        framed = f" {' '.join(line.lower().split())} "
        for i in range(1, len(framed)):
            bits -= math.log2(_probability(framed, i, counts, follow, size))
            places += 1
    return bits / max(places, 1)


def _followers(grams: Counter[str]) -> dict[str, tuple[int, int]]:
    """Of each history: how often it is followed by anything, and by how many different things."""
    follow: dict[str, tuple[int, int]] = {}
    for gram, n in grams.items():
        seen, kinds = follow.get(gram[:-1], (0, 0))
        follow[gram[:-1]] = (seen + n, kinds + 1)
    return follow


def _probability(
    text: str,
    at: int,
    counts: Sequence[Counter[str]],
    follow: Sequence[dict[str, tuple[int, int]]],
    size: int,
) -> float:
    probability = 1.0 / size
    for n in range(1, min(_ORDER, at + 1) + 1):
        seen, kinds = follow[n - 1].get(text[at - n + 1 : at], (0, 0))
        if not seen:
            break
        probability = (counts[n - 1][text[at - n + 1 : at + 1]] + kinds * probability) / (
            seen + kinds
        )
    return probability


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
    >>> from scalefit.corpora.measures import overlap
    >>> both = overlap(["The house is red.", "A cat."], ["the house is red", "a dog"])
    >>> both.whole, both.lines
    (1, 2)
    """
    tests = [line for text in _lines(test) if (line := _words(text))]
    wanted: dict[tuple[str, ...], list[int]] = {}
    for i, line in enumerate(tests):
        for run in _runs(line):
            wanted.setdefault(run, []).append(i)
    whole = set(tests)
    seen: set[tuple[str, ...]] = set()
    shared: set[tuple[str, ...]] = set()
    for text in _lines(corpus):
        here = _words(text)
        if here in whole:
            seen.add(here)
        shared.update(run for run in _runs(here) if run in wanted)
    exact = {i for i, line in enumerate(tests) if line in seen}
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


def _runs(line: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(line[i : i + ORDER]) for i in range(len(line) - ORDER + 1))
