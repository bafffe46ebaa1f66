"""Tables for terminals and web pages, from plain rows."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from scalefit.table.units import format_count

Row = Mapping[str, Any]
PIPED = 160


def columns(rows: Iterable[Row]) -> list[str]:
    """All keys of the rows, in order of first appearance."""
    return list(dict.fromkeys(key for row in rows for key in row))


def is_numeric(rows: Iterable[Row], name: str) -> bool:
    """Whether a column holds numbers, so that it is set to the right."""
    found = [row.get(name) for row in rows]
    return any(isinstance(v, int | float) and not isinstance(v, bool) for v in found)


def cell(value: Any, column: str = "") -> str:
    """Write one value for people: four significant digits, tokens as 3M, missing as a dash."""
    if value is None or value != value:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and ("tokens" in column or column == "parameters"):
        return "∞" if value == math.inf else format_count(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def terminal_table(rows: Iterable[Row], *, title: str = "") -> None:
    """Print rows as a table that fits the terminal; long cells wrap."""
    rows = list(rows)
    console().print(rich_table(rows, title=title) if rows else "nothing to show")


def console() -> Any:
    """Return a console as wide as the terminal, or wide enough where there is none."""
    from rich.console import Console

    wide = Console()
    return wide if wide.is_terminal or "COLUMNS" in os.environ else Console(width=PIPED)


def rich_table(rows: Iterable[Row], *, title: str = "") -> Any:
    """Build a rich table: numbers to the right, text to the left."""
    from rich import box
    from rich.table import Table

    rows = list(rows)
    table = Table(
        title=title or None,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        pad_edge=False,
        show_edge=False,
    )
    for name in columns(rows):
        side: Literal["left", "right"] = "right" if is_numeric(rows, name) else "left"
        table.add_column(name.replace("_", " "), justify=side)
    for row in rows:
        table.add_row(*(cell(row.get(name), name) for name in columns(rows)))
    return table
