"""Tables as they leave: wide, or as CSV, TSV, JSON, JSONL, Parquet, Excel; what is written is read back equal.

Text is text whatever it says (``#2 web``, ``=1+1``, quotes, line ends, control characters), and a
number has as many digits as it takes to make the same one again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from scalefit.errors import FormatError, MissingDependencyError, TableError
from scalefit.files import write_text, writing
from scalefit.rows import frame_of

from .draft import is_missing, is_text
from .names import COLUMNS, COUNTS, MEASURED, SEEDS

_QUOTED = re.compile(r'[",;|\t\r\n]|^#|^\s|\s$')
"""What a plain cell must not hold, lest it be taken for two, a comment, or less than it is."""
_ESCAPED = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
"""What XML cannot hold, and what would be read as Excel's escape for it."""
_EXCEL_CELL = 32_767


def to_wide(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a long frame with one column a metric (and ``<metric>_stderr`` where known)."""
    keys = [c for c in frame.columns if c not in ("metric", *MEASURED)]
    rows: dict[tuple[object, ...], dict[str, object]] = {}
    for record in frame.to_dict("records"):
        key = tuple(None if pd.isna(record[k]) else record[k] for k in keys)
        row = rows.setdefault(key, dict(zip(map(str, keys), key, strict=True)))
        name = str(record["metric"])
        if name in row:
            raise TableError(
                f"{name!r} stands twice under one key "
                f"({', '.join(f'{k}={v}' for k, v in row.items() if k in COLUMNS)}): "
                "a wide table has room for one. Try: add the seeds, or average first"
            )
        row[name] = record["value"]
        if "stderr" in record and not pd.isna(record["stderr"]):
            row[f"{name}_stderr"] = record["stderr"]
    return frame_of(rows.values())


def write(frame: pd.DataFrame, path: Path, kind: str | None = None) -> None:
    """Write a frame, by the path's suffix unless `kind` is given; the file appears whole or not."""
    name = kind or path.suffix.lower().lstrip(".")
    if name not in WRITERS:
        raise FormatError(
            f"{path}: cannot write {path.suffix or 'a file without suffix'}; "
            f"needed one of .{', .'.join(WRITERS)}"
        )
    try:
        WRITERS[name](whole_counts(frame), path)
    except ImportError as error:
        extra = "excel" if name == "xlsx" else "parquet"
        raise MissingDependencyError(
            f"writing .{name} needs another library. Try: pip install 'transfer-scalefit[{extra}]'"
        ) from error


def whole_counts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with counts and seeds as whole numbers where they are whole."""
    counted = frame.copy()
    for name in (*COUNTS, *SEEDS):
        if name in counted.columns and not is_text(counted[name]):
            there = counted[name].dropna()
            if (there == there.round()).all() and (there.abs() < 2**62).all():
                counted[name] = counted[name].astype("Int64")
    return counted


def _rows(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield rows of plain Python values, None where nothing is."""
    columns = [[_plain(v) for v in frame[name]] for name in frame.columns]
    names = [str(name) for name in frame.columns]
    for cells in zip(*columns, strict=True):
        yield dict(zip(names, cells, strict=True))


def _plain(value: Any) -> Any:
    if is_missing(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _delimited(mark: str) -> Callable[[pd.DataFrame, Path], None]:
    def written(frame: pd.DataFrame, path: Path) -> None:
        lines = [[str(name) for name in frame.columns], *(row.values() for row in _rows(frame))]
        write_text(path, "".join(mark.join(map(_field, line)) + "\n" for line in lines))

    return written


def _field(value: Any) -> str:
    if not isinstance(value, str):
        return "" if value is None else repr(value)
    return '"' + value.replace('"', '""') + '"' if _QUOTED.search(value) else value


def _json(frame: pd.DataFrame, path: Path) -> None:
    write_text(path, "[\n" + ",\n".join(map(_object, _rows(frame))) + "\n]\n")


def _json_lines(frame: pd.DataFrame, path: Path) -> None:
    write_text(path, "".join(_object(row) + "\n" for row in _rows(frame)))


def _object(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False)


def _parquet(frame: pd.DataFrame, path: Path) -> None:
    with writing(path) as half:
        frame.to_parquet(half, index=False)


def _excel(frame: pd.DataFrame, path: Path) -> None:
    import openpyxl
    from openpyxl.cell import WriteOnlyCell

    rows = [[str(name) for name in frame.columns], *(list(row.values()) for row in _rows(frame))]
    cells = [[_excel_cell(path, value) for value in row] for row in rows]
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("table")
    for row in cells:
        made = [WriteOnlyCell(sheet) for _ in row]
        for cell, (kind, text) in zip(made, row, strict=True):
            cell.value, cell.data_type = text, kind
        sheet.append(made)
    with writing(path) as half:
        book.save(half)


def _excel_cell(path: Path, value: Any) -> tuple[str, str | None]:
    """Return type and text of a cell: openpyxl would guess formulas, and print 16 digits of 17."""
    if isinstance(value, str):
        return "s", escaped(path, value)
    return "n", None if value is None else repr(value)


def escaped(path: Path, text: str) -> str:
    r"""Return text with Excel's own escapes for what XML cannot hold.

    Examples
    --------
    >>> escaped(Path("a.xlsx"), "a\rb _x0041_")
    'a_x000D_b _x005F_x0041_'
    """
    held = _ESCAPED.sub(lambda bad: f"_x{ord(bad[0]):04X}_", text)
    if len(held) > _EXCEL_CELL:
        raise FormatError(
            f"{path}: a text of {len(held)} characters; Excel holds {_EXCEL_CELL}. Try: .csv"
        )
    return held


WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "csv": _delimited(","),
    "tsv": _delimited("\t"),
    "json": _json,
    "jsonl": _json_lines,
    "parquet": _parquet,
    "xlsx": _excel,
}
