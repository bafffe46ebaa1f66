"""Texts and their counts: words, characters, n-grams."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from scalefit.errors import DesignError

__all__ = ["Text", "lines_of", "ngrams", "words"]

Text = str | Path | Sequence[str]
_WORD = re.compile(r"\w+|[^\w\s]", re.UNICODE)


def lines_of(text: Text, name: str, most: int) -> list[str]:
    """Return at most `most` non-empty lines of a file, or of a list of lines.

    Raises
    ------
    DesignError
        Nothing is there, or the file is no UTF-8 text.
    """
    if isinstance(text, str | Path):
        try:
            found = Path(text).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise DesignError(f"{name}: {text} is not UTF-8 text (byte {error.start})") from error
    else:
        found = list(text)
    kept = [line.strip() for line in found if line.strip()]
    if not kept:
        raise DesignError(f"{name} has no lines with text; needed at least one")
    step = max(1, len(kept) // most)
    return kept[::step][:most]


def words(lines: Iterable[str]) -> Counter[str]:
    """Count lower-cased words and punctuation marks."""
    return Counter(token for line in lines for token in _WORD.findall(line.lower()))


def ngrams(lines: Iterable[str], order: int) -> Counter[str]:
    """Count character n-grams of `order`, each line framed by a blank."""
    found: Counter[str] = Counter()
    for line in lines:
        framed = f" {' '.join(line.lower().split())} "
        found.update(framed[i : i + order] for i in range(len(framed) - order + 1))
    return found
