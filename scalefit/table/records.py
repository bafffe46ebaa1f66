"""Cells that hold records, as trackers export them (``config``, ``summary``): opened into columns."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any

from scalefit.errors import TableError

from .draft import Draft, coded, column, is_missing, is_text
from .names import bare

_LONGEST, _MOST = 100_000, 20_000_000
"""Characters of a record's text, and cells of all records of a column."""
_NO_NUMBER = re.compile(r"(?<=[:,[] )-?(?:nan|inf)\b")


def open_records(draft: Draft) -> None:
    """Give the records that cells hold (a tracker's ``config`` and ``summary``) a column a name."""
    for name, cells in [*draft.cells.items()]:
        first = next((c for c in cells if not is_missing(c)), None) if is_text(cells) else None
        if _record(first) is None:
            continue
        told, codes = coded(cells)
        held = [_record(cell) for cell in told]
        if any(r is None and not is_missing(c) for r, c in zip(held, told, strict=True)):
            continue
        tool = bare(f"{name}.x") == "x"
        names = {own: own if tool else f"{name}.{own}" for r in held for own in r or ()}
        if len(names) * len(draft) > _MOST:
            raise TableError(
                f"the records of {name!r} have {len(names)} names in {len(draft)} rows; too many"
            )
        del draft.cells[name]
        for own, column_name in names.items():
            if column_name not in draft.cells:
                draft.cells[column_name] = column([(r or {}).get(own) for r in held])[codes]


def flat(record: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return a record with what records in it hold: ``{"config": {"corpus": "fr"}}`` is ``config.corpus``."""
    cells: dict[str, Any] = {}
    for name, cell in record.items():
        own = f"{before}{name}"
        cells |= flat(cell, f"{own}.") if isinstance(cell, dict) else {own: cell}
    return cells


def _record(cell: Any) -> dict[str, Any] | None:
    """Return the record that a cell holds, as JSON or as Python prints it; None where it holds none.

    Examples
    --------
    >>> _record("{'bleu': 20.5, 'ter': nan}"), _record('{"config": {"corpus": "fr"}}'), _record("{}x")
    ({'bleu': 20.5, 'ter': None}, {'config.corpus': 'fr'}, None)
    """
    if isinstance(cell, str) and cell.lstrip().startswith("{") and len(cell) <= _LONGEST:
        for parse in (json.loads, lambda text: ast.literal_eval(_NO_NUMBER.sub("None", text))):
            try:
                cell = parse(cell)
                break
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
    return flat(cell) if isinstance(cell, dict) else None
