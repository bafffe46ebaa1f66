"""Hypotheses, references and sources: one segment a line; what does not fit is named and left out."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from scalefit.errors import ScoringError

Lines: TypeAlias = Sequence[str] | str | Path
"""Segments given as they are, or the path of a file that holds one a line."""

Hypotheses: TypeAlias = Lines | Sequence[Path] | Mapping[str, Lines]
"""One system's lines, a path, a glob, several paths, or names with lines or paths."""

_MAGIC = set("*?[")


@dataclass(frozen=True)
class NamedText:
    """Segments and the name they go by in messages.

    Attributes
    ----------
    name : path of the file, or the name that the caller gave.
    lines : one segment each, without line ends.
    """

    name: str
    lines: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of segments."""
        return len(self.lines)


def read_lines(path: str | Path) -> NamedText:
    r"""Read a file of one segment a line.

    Lines end at ``\n`` (``\r\n`` too) and nowhere else, so that a stray U+2028 inside a
    translation does not shift all segments after it.

    Raises ScoringError: if the file is absent, empty, or not UTF-8; with file and line.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ScoringError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not data:
        raise ScoringError(f"{path}: the file is empty; needed one segment a line")
    text = _decode(data, path)
    lines = text.removesuffix("\n").split("\n")
    return NamedText(str(path), tuple(line.removesuffix("\r") for line in lines))


def _decode(data: bytes, path: str | Path) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ScoringError(
            f"{path}: this is UTF-16, needed UTF-8. Try: iconv -f UTF-16 -t UTF-8 {path}"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ScoringError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8; "
            f"if the file is Latin-1, try: iconv -f LATIN1 -t UTF-8 {path}"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ScoringError(f"{path}, line {line}: holds a NUL byte, so this is no text file")
    return text


def as_text(lines: Lines, name: str) -> NamedText:
    """Return lines as they are under ``name``, or the content of the file they name."""
    if isinstance(lines, str | Path):
        return read_lines(lines)
    kept = as_list(lines, name)
    if not kept:
        raise ScoringError(f"{name}: no segments; needed one string a segment")
    for number, line in enumerate(kept, 1):
        if not isinstance(line, str):
            other = f"{type(line).__name__} {line!r:.40}"
            raise ScoringError(f"{name}, segment {number}: found {other}, needed a string")
    return NamedText(name, kept)


def as_list(lines: Any, name: str) -> tuple[Any, ...]:
    """Return a list's items in their order; what has none, or is none, is refused."""
    if isinstance(lines, bytes | set | frozenset | Mapping) or not hasattr(lines, "__iter__"):
        raise ScoringError(
            f"{name}: found a {type(lines).__name__}; needed a path, or one string a segment"
        )
    try:
        return tuple(lines)
    except TypeError as error:
        raise ScoringError(
            f"{name}: found {error}; needed a path, or one string a segment"
        ) from error


def find_systems(hypotheses: Hypotheses) -> Iterator[tuple[str, Lines]]:
    """Yield name and lines (or path) of every system that is meant.

    Raises ScoringError: if a glob matches nothing.
    """
    if isinstance(hypotheses, Mapping):
        yield from hypotheses.items()
    elif isinstance(hypotheses, str | Path):
        yield from ((path, Path(path)) for path in _matches(str(hypotheses)))
    elif any(isinstance(item, Path) for item in as_list(hypotheses, "hypotheses")):
        for item in hypotheses:
            yield from ((path, Path(path)) for path in _matches(str(item)))
    else:
        yield "hypotheses", [str(line) if isinstance(line, Path) else line for line in hypotheses]


def _matches(pattern: str) -> list[str]:
    """Return the files of a path or glob, in sorted order; a plain path is its own match."""
    if not _MAGIC & set(pattern) or Path(pattern).exists():
        return [pattern]
    files = sorted(filter(os.path.isfile, glob.glob(pattern, recursive=True)))  # noqa: PTH207
    if not files:
        raise ScoringError(
            f"no file matches {pattern!r} from {Path.cwd()}; "
            "quote the glob in a shell, and look at it with: ls " + pattern
        )
    return files


def check_filled(text: NamedText) -> None:
    """Refuse empty segments: most often an output that was cut or shifted.

    Raises ScoringError: with how many there are and where the first is.
    """
    empty = [number for number, line in enumerate(text.lines, 1) if not line.strip()]
    if empty:
        raise ScoringError(
            f"{text.name}: {len(empty)} of {len(text):,} lines are empty "
            f"(first: line {empty[0]}); if they truly are, pass allow_empty=True (--allow-empty)"
        )


def check_lengths(text: NamedText, other: NamedText) -> None:
    """Refuse a text that has another number of segments than its counterpart.

    Raises ScoringError: with both names and both counts.
    """
    if len(text) != len(other):
        verb = "more" if len(text) > len(other) else "fewer"
        raise ScoringError(
            f"{text.name} has {len(text):,} lines, {other.name} has {len(other):,}: "
            f"{abs(len(text) - len(other)):,} {verb}; needed the same number, "
            "segment by segment. Try: wc -l on both, and look for a cut or split line"
        )


_MARKS = re.compile(r"@@( |$)|\u2581|(^| )##\w")
"""What subword segmentations leave: BPE's ``@@``, SentencePiece's ▁, WordPiece's ``##``."""
_RECORD, _CELLS = re.compile(r"^\s*\{\s*\".*\}\s*$"), re.compile(r"\t")
_TOKENIZED = 100  # lines that end in " .", from which sacreBLEU warns too


@dataclass(frozen=True)
class Inputs:
    """Texts of equal length, ready to be scored.

    Attributes
    ----------
    systems : by name, in the order given.
    references : none, one or several.
    sources : NamedText or None; what was translated.
    problems, notes : systems left out and why; what looked odd.
    """

    systems: Mapping[str, NamedText]
    references: tuple[NamedText, ...]
    sources: NamedText | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def read_inputs(
    hypotheses: Hypotheses,
    references: Any,
    sources: Lines | None,
    *,
    needs: Collection[str],
    allow_empty: bool,
) -> Inputs:
    """Read and check all texts; ``needs`` says which of references and sources the metrics read.

    Raises ScoringError: if references or sources are missing or broken, or no system is left.
    """
    if "references" in needs and references is None:
        raise ScoringError("no references: BLEU, chrF and TER need them; pass references (--ref)")
    if "sources" in needs and sources is None:
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
        check_filled(source)
    if not fixed:
        raise ScoringError("neither references nor sources: nothing to score against")
    return _with_systems(hypotheses, refs, source, fixed[0], allow_empty)


def _references(references: Any, allow_empty: bool) -> tuple[NamedText, ...]:
    texts = tuple(as_text(lines, name) for name, lines in _reference_list(references))
    for text in () if allow_empty else texts:
        check_filled(text)
    return texts


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
    references: tuple[NamedText, ...],
    sources: NamedText | None,
    standard: NamedText,
    allow_empty: bool,
) -> Inputs:
    systems: dict[str, NamedText] = {}
    problems: list[str] = []
    for name, lines in find_systems(hypotheses):
        try:
            text = as_text(lines, name)
            check_lengths(text, standard)
            _check_plain(text, standard)
            if not allow_empty:
                check_filled(text)
            systems[name] = text
        except ScoringError as error:
            problems.append(str(error))
    if not systems:
        told = "; ".join(problems[:5]) + (" …" if len(problems) > 5 else "")
        raise ScoringError(told or "no hypotheses; needed a path, a glob, lines or a mapping")
    looks = (look(text) for text in systems.values() for look in (_looks_tokenized, _has_marks))
    notes = tuple(filter(None, looks))
    return Inputs(systems, references, sources, tuple(problems), notes)


def _check_plain(text: NamedText, standard: NamedText) -> None:
    """Refuse lines that hold more than a translation: a record, or cells beside it.

    Raises ScoringError: with the first line and how to cut it.
    """
    for shape, cure in ((_RECORD, "jq -r .KEY"), (_CELLS, "cut -f1")):
        if all(map(shape.search, text.lines)) and not any(map(shape.search, standard.lines)):
            raise ScoringError(
                f"{text.name}: each line holds more than a translation ({text.lines[0]!r:.60}), and {standard.name} "
                f"does not; needed plain text. Try: {cure}"
            )


def _looks_tokenized(text: NamedText) -> str:
    count = sum(line.endswith(" .") for line in text.lines)
    if count < _TOKENIZED:
        return ""
    return (
        f"{text.name}: {count:,} lines end in a tokenized period (' .'); "
        "detokenize, or BLEU will not compare with others'"
    )


def _has_marks(text: NamedText) -> str:
    marked = sum(_MARKS.search(line) is not None for line in text.lines)
    if marked * 20 < len(text):
        return ""
    return (
        f"{text.name}: {marked:,} lines hold marks of subwords (@@, ▁, ##): undo the segmentation, or "
        "no score compares with others'"
    )


def tokenizer_note(references: Sequence[NamedText], tokenize: str | None) -> str:
    """Return a note where Chinese or Japanese is scored with a tokenizer that splits at spaces.

    Examples
    --------
    >>> tokenizer_note([NamedText("ref.zh", ("今天天气很好。",))], None)[:41]
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
