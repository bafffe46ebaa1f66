"""Cells that hold a record of numbers, as DataDecide's ``metrics`` column: opened into columns."""

from __future__ import annotations

import ast
import json
from typing import Any

from .jsons import number
from .reader import Row

_LONGEST = 20_000
COLUMN = "metrics"


def opened(row: Row) -> Row:
    """Return a row with the numbers of its ``metrics`` beside its other cells.

    Examples
    --------
    >>> opened({"task": "boolq", "metrics": "{'acc_raw': 0.5, 'name': 'x'}"})
    {'task': 'boolq', 'acc_raw': 0.5}
    """
    record = _record(row.get(COLUMN))
    if record is None:
        return row
    numbers = {str(k): v for k, v in record.items() if number(v) is not None}
    return {
        **{k: v for k, v in row.items() if k != COLUMN},
        **{k: v for k, v in numbers.items() if k not in row},
    }


def _record(cell: Any) -> dict[Any, Any] | None:
    if isinstance(cell, str) and cell.lstrip().startswith("{") and len(cell) <= _LONGEST:
        for parse in (json.loads, ast.literal_eval):
            try:
                cell = parse(cell)
                break
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
    return cell if isinstance(cell, dict) else None
