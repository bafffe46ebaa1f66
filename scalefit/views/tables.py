"""Tables for terminals and web pages, from plain rows."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from scalefit.rows import KEYS, Row, cell, columns, for_people, without_shared

PIPED, LONG, FEW = 160, 26, 3


def is_numeric(rows: Iterable[Row], name: str) -> bool:
    """Whether a column holds numbers, so that it is set to the right."""
    return any(is_number(row.get(name)) for row in rows)


def is_number(value: Any) -> bool:
    """Whether a cell is a number; yes and no are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def terminal_table(rows: Iterable[Row], *, title: str = "") -> None:
    """Print rows as a table that fits the terminal, a line each.

    What is the same in all rows goes into the title. Where that is too wide heads break, long texts go below the
    table, then all else that is the same into the title, then one column is left out, or else intervals
    stand below their estimates, and at last columns are left out, by name.
    """
    rows, screen = list(rows), console()
    if not rows:
        screen.print("nothing to show")
        return
    shared, rows = for_people(rows)
    sheet = _fitted(_Sheet(tuple(rows), tuple(filter(None, (title, *shared)))), screen)
    if sheet.title:
        screen.print(" · ".join(sheet.title), soft_wrap=True)
    screen.print(rich_table(sheet.rows, heads=sheet.heads, below=sheet.below))
    for line in sheet.beneath:
        screen.print(line, soft_wrap=True)
    if sheet.left:
        names = ", ".join(name.replace("_", " ") for name in reversed(sheet.left))
        screen.print(f"too wide for this terminal: {names}; -o FILE.csv has all", soft_wrap=True)


@dataclass(frozen=True)
class _Sheet:
    """A table on its way to fit: rows, what stands above and below, what was left out, and how it is set."""

    rows: tuple[Row, ...]
    title: tuple[str, ...] = ()
    beneath: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    heads: bool = False
    below: bool = False


def _fitted(sheet: _Sheet, screen: Any) -> _Sheet:
    """Return the first of ever narrower tables that fits."""
    for each in _narrower(sheet):
        if width_of(each.rows, heads=each.heads, below=each.below) <= screen.width:
            return each
    return each


def _narrower(sheet: _Sheet) -> Iterator[_Sheet]:
    yield sheet
    yield (sheet := replace(sheet, heads=True))
    for name in reversed(long_texts(sheet.rows)):
        rows, more = put_beneath(sheet.rows, name)
        yield (sheet := replace(sheet, rows=tuple(rows), beneath=(*sheet.beneath, *more)))
    said, rows = without_shared(sheet.rows, columns(sheet.rows)[1:])
    yield (sheet := replace(sheet, rows=tuple(rows), title=(*sheet.title, *said)))
    answers = {n for n in columns(sheet.rows) if has_intervals(sheet.rows, n)}
    # One line a row is worth a column that stands between the first thing measured and what was asked for.
    for name in [n for n in columns(sheet.rows)[1:-1] if n not in KEYS][1:]:
        if name not in answers:
            yield _without(sheet, name)
    yield (sheet := replace(sheet, below=True))
    names = columns(sheet.rows)[:0:-1]
    numbers = {name for name in names if is_numeric(sheet.rows, name)}
    # The last column, or one with intervals, is what was asked for, and without what tells rows apart two rows read as
    # one: these go last.
    asked, apart = {names[0], *answers}, {*KEYS, "pretrain_tokens"}
    for name in sorted(names, key=lambda n: (n in apart, n in asked, n not in numbers)):
        yield (sheet := _without(sheet, name))


def _without(sheet: _Sheet, name: str) -> _Sheet:
    kept = tuple({k: v for k, v in row.items() if k != name} for row in sheet.rows)
    return replace(sheet, rows=kept, left=(*sheet.left, name))


def has_intervals(rows: Sequence[Row], name: str) -> bool:
    """Whether a column holds estimates with their intervals."""
    return any(" [" in cell(row.get(name), name) for row in rows)


def long_texts(rows: Sequence[Row]) -> list[str]:
    """Return columns of long texts, the longest last; an interval is no text, it may stand on a line of its own."""
    lengths = {
        name: max(len(cell(row.get(name), name)) for row in rows)
        for name in columns(rows)[1:]
        if not has_intervals(rows, name)
    }
    return sorted((n for n, length in lengths.items() if length > LONG), key=lambda n: lengths[n])


def put_beneath(rows: Sequence[Row], name: str) -> tuple[list[Row], list[str]]:
    """Take a column out of rows: what it says becomes lines, each once for all rows that it is true of.

    Examples
    --------
    >>> rows = [{"corpus": "fr", "advice": "Go on."}, {"corpus": "en", "advice": "Go on."}]
    >>> put_beneath(rows, "advice")
    ([{'corpus': 'fr'}, {'corpus': 'en'}], ['fr, en: Go on.'])
    """
    kept: list[Row] = [{k: v for k, v in row.items() if k != name} for row in rows]
    said: dict[str, list[tuple[str, ...]]] = {}
    for row, who in zip(rows, _told_apart(kept), strict=True):
        said.setdefault(cell(row.get(name), name), []).append(who)
    told = Counter(first for who in said.values() for first in {one[0] for one in who})
    lines = [
        f"{_listed(who, any(told[one[0]] > 1 for one in who))}: {text}"
        for text, who in said.items()
        if text not in ("", "–")
    ]
    return kept, lines


def _told_apart(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Return each row's first cells, as few as tell all rows apart, or its first where none do; its corpus leads."""
    names = sorted(columns(rows), key=lambda n: n != "corpus")
    for many in range(1, len(names) + 1):
        told = [tuple(cell(row.get(n), n) for n in names[:many]) for row in rows]
        if len(set(told)) == len(rows):
            return told
    return [who[:1] for who in told]


def _listed(who: Sequence[tuple[str, ...]], elsewhere: bool) -> str:
    """Count the rows of one name; in full where few of them are meant, and others of that name are not."""
    if elsewhere and len(who) <= FEW:
        return ", ".join(" · ".join(c for c in one if c != "–") for one in who)
    counts = Counter(one[0] for one in who)
    return ", ".join(f"{one} ×{n}" if n > 1 else one for one, n in counts.items())


def console() -> Any:
    """Return a console as wide as the terminal, or wide enough where there is none."""
    from rich.console import Console

    wide = Console(highlight=False, markup=False)
    fits = wide.is_terminal or "COLUMNS" in os.environ
    return wide if fits else Console(width=PIPED, highlight=False, markup=False)


def rich_table(rows: Iterable[Row], *, heads: bool = False, below: bool = False) -> Any:
    """Build a rich table: numbers to the right, text to the left; heads break in two, intervals below estimates."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    padding = (0, 1, 0, 0) if heads else (0, 1)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=padding)
    texts = _texts(rows, heads=heads, below=below)
    for name, (title, *_) in texts.items():
        side: Literal["left", "right"] = "right" if is_numeric(rows, name) else "left"
        table.add_column(Text(title), justify=side, overflow="fold")
    for row in zip(*(cells for _, *cells in texts.values()), strict=True):
        table.add_row(*map(Text, row))  # as they are: a corpus may be called ``web [en]``
    return table


def _texts(rows: Sequence[Row], *, heads: bool, below: bool) -> dict[str, list[str]]:
    """Return each column's head and cells as they are set."""
    texts = {}
    for name in columns(rows):
        title, cells = name.replace("_", " "), [cell(row.get(name), name) for row in rows]
        cells = [text.replace(" [", "\n[") for text in cells] if below else cells
        texts[name] = [in_two(title) if heads else title, *cells]
    return texts


def width_of(rows: Sequence[Row], *, heads: bool = False, below: bool = False) -> int:
    """How many letters wide :func:`rich_table` is; rich takes ten times as long, and a sheet is tried in many ways.

    Examples
    --------
    >>> width_of([{"corpus": "fr", "tokens": 3e6}]), width_of([{"corpus": "fr", "tokens": 3e6}], heads=True)
    (15, 14)
    """
    from rich.cells import cell_len

    each = _texts(rows, heads=heads, below=below).values()
    widest = [max(cell_len(line) for text in of for line in text.split("\n")) for of in each]
    return sum(widest) + (2 if heads else 3) * max(len(widest) - 1, 0)


def in_two(head: str) -> str:
    r"""Break a column's name into two lines, as narrow as they can be.

    Examples
    --------
    >>> in_two("tokens for 20 (80%)"), in_two("bleu")
    ('tokens for\n20 (80%)', 'bleu')
    """
    words = head.split(" ")
    breaks = ((" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words)))
    return "\n".join(min(breaks, key=lambda lines: max(map(len, lines)), default=(head,)))
