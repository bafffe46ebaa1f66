"""Tables for terminals and web pages, from plain rows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from scalefit.result import cell, columns

Row = Mapping[str, Any]
PIPED, LONG = 160, 26
KEYS = (
    "corpus",
    "task",
    "finetune_tokens",
    "model",
    "domain",
    "eval_set",
    "metric",
    "largest_tokens",
)


def is_numeric(rows: Iterable[Row], name: str) -> bool:
    """Whether a column holds numbers, so that it is set to the right."""
    return any(is_number(row.get(name)) for row in rows)


def is_number(value: Any) -> bool:
    """Whether a cell is a number; yes and no are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def terminal_table(rows: Iterable[Row], *, title: str = "") -> None:
    """Print rows as a table that fits the terminal.

    Keys that are the same in all rows go into the title; in a narrow terminal long texts go below the table,
    and an interval stands below its estimate.
    """
    rows, screen = list(rows), console()
    if not rows:
        screen.print("nothing to show")
        return
    shared, rows = without_shared(rows)
    title = " · ".join(filter(None, (title, shared)))
    if title:
        screen.print(title, soft_wrap=True)
    table, beneath = rich_table(rows), []
    if not _fits(table, screen):
        left = long_texts(rows)
        table = rich_table(rows, narrow=True)
        while left and not _fits(table, screen):
            rows, more = put_beneath(rows, left.pop())
            beneath += more
            table = rich_table(rows, narrow=True)
    screen.print(table)
    for line in beneath:
        screen.print(line, soft_wrap=True)


def _fits(table: Any, screen: Any) -> bool:
    wide = screen.options.update(max_width=10_000)
    return bool(screen.measure(table, options=wide).maximum <= screen.width)


def long_texts(rows: Sequence[Row]) -> list[str]:
    """Return columns of long texts, the longest last; an interval is no text, it may stand on a line of its own."""
    lengths = {
        name: max(len(cell(row.get(name), name)) for row in rows)
        for name in columns(rows)[1:]
        if not any(" [" in cell(row.get(name), name) for row in rows)
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
    first = columns(rows)[0]
    said: dict[str, list[str]] = {}
    for row in rows:
        said.setdefault(cell(row.get(name), name), []).append(cell(row.get(first), first))
    kept: list[Row] = [{k: v for k, v in row.items() if k != name} for row in rows]
    return kept, [
        f"{', '.join(who)}: {text}" for text, who in said.items() if text not in ("", "–")
    ]


def console() -> Any:
    """Return a console as wide as the terminal, or wide enough where there is none."""
    from rich.console import Console

    wide = Console(highlight=False)
    fits = wide.is_terminal or "COLUMNS" in os.environ
    return wide if fits else Console(width=PIPED, highlight=False)


def rich_table(rows: Iterable[Row], *, narrow: bool = False) -> Any:
    """Build a rich table: numbers to the right, text to the left."""
    from rich import box
    from rich.table import Table

    rows = list(rows)
    padding = (0, 1, 0, 0) if narrow else (0, 1)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=padding)
    for name in columns(rows):
        side: Literal["left", "right"] = "right" if is_numeric(rows, name) else "left"
        table.add_column(name.replace("_", " "), justify=side, overflow="fold")
    for row in rows:
        cells = [cell(row.get(name), name) for name in columns(rows)]
        table.add_row(*(c.replace(" [", "\n[") if narrow else c for c in cells))
    return table


def without_shared(rows: Sequence[Row]) -> tuple[str, list[Row]]:
    """Take the keys that are the same in all rows out of them, in words."""
    if len(rows) < 2:
        return "", list(rows)
    shared = [k for k in KEYS if k in rows[0] and len({row.get(k) for row in rows}) == 1]
    words = (f"{k.replace('_', ' ')} {cell(rows[0][k], k)}" for k in shared)
    return " · ".join(words), [{k: v for k, v in r.items() if k not in shared} for r in rows]
