"""Tables for terminals and web pages, from plain rows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from scalefit.result import cell, columns

Row = Mapping[str, Any]
PIPED = 160
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
    found = [row.get(name) for row in rows]
    return any(isinstance(v, int | float) and not isinstance(v, bool) for v in found)


def terminal_table(rows: Iterable[Row], *, title: str = "") -> None:
    """Print rows as a table that fits the terminal.

    Keys that are the same in all rows go into the title; in a narrow terminal an interval
    stands below its estimate.
    """
    rows, screen = list(rows), console()
    if not rows:
        screen.print("nothing to show")
        return
    shared, rows = without_shared(rows)
    title = " · ".join(filter(None, (title, shared)))
    if title:
        screen.print(title, soft_wrap=True)
    table = rich_table(rows)
    wanted = screen.measure(table, options=screen.options.update(max_width=10_000)).maximum
    screen.print(rich_table(rows, narrow=True) if wanted > screen.width else table)


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
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
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
