"""Small HTML pieces for results, and the one place that makes data frames of plain rows."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd


def frame_of(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return plain rows as a data frame.

    Parameters
    ----------
    rows : iterable of mappings
        One mapping a row; keys become columns in order of first appearance.
    columns : sequence of str, optional
        Columns to keep, in this order.
    """
    frame = pd.DataFrame([dict(row) for row in rows])
    return frame.reindex(columns=list(columns)) if columns is not None else frame


def cell(value: Any) -> str:
    """Return a value as short text: four significant digits, nothing for a missing one."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"
    return str(value)


def html_table(rows: Sequence[Mapping[str, Any]], *, caption: str = "", limit: int = 60) -> str:
    """Return rows as an HTML table; what stands beyond `limit` rows is counted below it."""
    if not rows:
        return f"<p>{html.escape(caption)}</p>" if caption else ""
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in names)
    body = "".join(_html_row(row, names) for row in rows[:limit])
    more = f"<p>… and {len(rows) - limit} more rows</p>" if len(rows) > limit else ""
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _html_row(row: Mapping[str, Any], names: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<td>{html.escape(cell(row.get(n)))}</td>" for n in names) + "</tr>"


def html_notes(notes: Sequence[str]) -> str:
    """Return notes as an HTML list, folded away when there are more than three."""
    if not notes:
        return ""
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    opened = " open" if len(notes) <= 3 else ""
    return f"<details{opened}><summary>{len(notes)} notes</summary><ul>{items}</ul></details>"


def html_verdict(text: str) -> str:
    """Return a one-line verdict in bold."""
    return f"<p><strong>{html.escape(text)}</strong></p>"
