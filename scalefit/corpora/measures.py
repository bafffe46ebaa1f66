"""Distances between a corpus and a task's text; all but the shares are smaller when nearer."""

from __future__ import annotations

import lzma
import math
from collections import Counter
from collections.abc import Sequence

from .text import ngrams, words

__all__ = [
    "compression",
    "jensen_shannon",
    "language_share",
    "out_of_vocabulary",
    "perplexity",
]

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


def jensen_shannon(corpus: Lines, task: Lines, order: int = 3) -> float:
    """Jensen-Shannon divergence of character n-gram distributions, in bits: 0 equal, 1 disjoint."""
    first, second = ngrams(corpus, order), ngrams(task, order)
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
    found: dict[str, tuple[int, int]] = {}
    for gram, n in grams.items():
        seen, kinds = found.get(gram[:-1], (0, 0))
        found[gram[:-1]] = (seen + n, kinds + 1)
    return found


def _probability(
    text: str,
    at: int,
    counts: Sequence[Counter[str]],
    follow: Sequence[dict[str, tuple[int, int]]],
    size: int,
) -> float:
    found = 1.0 / size
    for n in range(1, min(_ORDER, at + 1) + 1):
        seen, kinds = follow[n - 1].get(text[at - n + 1 : at], (0, 0))
        if not seen:
            break
        found = (counts[n - 1][text[at - n + 1 : at + 1]] + kinds * found) / (seen + kinds)
    return found
