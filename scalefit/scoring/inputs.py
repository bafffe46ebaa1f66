"""Hypotheses, references and sources that fit together; what does not is named and left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scalefit.errors import ScoringError

from .text import (
    Hypotheses,
    Lines,
    Text,
    as_list,
    as_text,
    check_filled,
    check_lengths,
    find_systems,
)

_ALLOW = "if they truly are, pass allow_empty=True (--allow-empty)"
_MARKS = re.compile(r"@@( |$)|\u2581|(^| )##\w")
"""What subword segmentations leave: BPE's ``@@``, SentencePiece's ▁, WordPiece's ``##``."""
_TOKENIZED = 100  # lines that end in " .", from which sacreBLEU warns too


@dataclass(frozen=True)
class Inputs:
    """Texts of equal length, ready to be scored.

    Attributes
    ----------
    systems : mapping of str to Text
        By name, in the order given.
    references : tuple of Text
        None, one or several.
    sources : Text or None
        What was translated.
    problems, notes : tuple of str
        Systems left out and why; what looked odd.
    """

    systems: Mapping[str, Text]
    references: tuple[Text, ...]
    sources: Text | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def read_inputs(
    hypotheses: Hypotheses,
    references: Any,
    sources: Lines | None,
    *,
    needs_references: bool,
    needs_sources: bool,
    allow_empty: bool,
) -> Inputs:
    """Read and check all texts.

    Raises
    ------
    ScoringError
        If references or sources are missing or broken, or no system is left.
    """
    if needs_references and references is None:
        raise ScoringError("no references: BLEU, chrF and TER need them; pass references (--ref)")
    if needs_sources and sources is None:
        raise ScoringError(
            "no sources: COMET reads what was translated; pass sources (--src), "
            "or leave 'comet' out of the metrics"
        )
    refs = _references(references, allow_empty)
    source = None if sources is None else as_text(sources, "sources")
    fixed = [*refs, *([source] if source else [])]
    for text in fixed:
        check_lengths(text, fixed[0])
    if source is not None and not allow_empty:
        check_filled(source, _ALLOW)
    if not fixed:
        raise ScoringError("neither references nor sources: nothing to score against")
    return _with_systems(hypotheses, refs, source, fixed[0], allow_empty)


def _references(references: Any, allow_empty: bool) -> tuple[Text, ...]:
    texts = [as_text(lines, name) for name, lines in _reference_list(references)]
    for text in texts:
        if not allow_empty:
            check_filled(text, _ALLOW)
    return tuple(texts)


def _reference_list(references: Any) -> list[tuple[str, Lines]]:
    """Tell one reference from several: several come as paths or as lists of lines."""
    if references is None:
        return []
    if isinstance(references, str | Path):
        return [("references", references)]
    items = as_list(references, "references")
    if items and all(isinstance(item, str) for item in items):
        return [("references", items)]
    if not items:
        raise ScoringError("references: no segments; needed a path, or one string a segment")
    return [(f"references {number}", item) for number, item in enumerate(items, 1)]


def _with_systems(
    hypotheses: Hypotheses,
    references: tuple[Text, ...],
    sources: Text | None,
    standard: Text,
    allow_empty: bool,
) -> Inputs:
    systems: dict[str, Text] = {}
    problems: list[str] = []
    for name, lines in find_systems(hypotheses):
        try:
            text = as_text(lines, name)
            check_lengths(text, standard)
            if not allow_empty:
                check_filled(text, _ALLOW)
            systems[name] = text
        except ScoringError as error:
            problems.append(str(error))
    if not systems:
        told = "; ".join(problems[:5]) + (" …" if len(problems) > 5 else "")
        raise ScoringError(told or "no hypotheses; needed a path, a glob, lines or a mapping")
    looks = (look(text) for text in systems.values() for look in (_looks_tokenized, _has_marks))
    notes = tuple(filter(None, looks))
    return Inputs(systems, references, sources, tuple(problems), notes)


def _looks_tokenized(text: Text) -> str:
    count = sum(line.endswith(" .") for line in text.lines)
    if count < _TOKENIZED:
        return ""
    return (
        f"{text.name}: {count:,} lines end in a tokenized period (' .'); "
        "detokenize, or BLEU will not compare with others'"
    )


def _has_marks(text: Text) -> str:
    marked = sum(_MARKS.search(line) is not None for line in text.lines)
    if marked * 20 < len(text):
        return ""
    return (
        f"{text.name}: {marked:,} lines hold marks of subwords (@@, ▁, ##): undo the segmentation, or "
        "no score compares with others'"
    )


def tokenizer_note(references: Sequence[Text], tokenize: str | None) -> str:
    """Return a note where Chinese or Japanese is scored with a tokenizer that splits at spaces.

    Examples
    --------
    >>> tokenizer_note([Text("ref.zh", ("今天天气很好。",))], None)[:41]
    'ref.zh: looks like Chinese, but tokenizer'
    """
    for text in references if tokenize in (None, "13a", "intl") else ():
        letters = [c for line in text.lines[:200] for c in line if c.isalpha()]
        han = sum("\u4e00" <= c <= "\u9fff" for c in letters)
        kana = sum("\u3040" <= c <= "\u30ff" for c in letters)
        if (han + kana) * 3 > len(letters) and letters:
            language, other = (
                ("Japanese", "ja-mecab") if kana * 20 > len(letters) else ("Chinese", "zh")
            )
            return (
                f"{text.name}: looks like {language}, but tokenizer {tokenize or '13a'} splits at spaces "
                f"and BLEU says little. Try: tokenize={other!r}"
            )
    return ""
