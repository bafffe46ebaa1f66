"""Parquet and Excel tables, by their libraries, a portion at a time and within bounds."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from scalefit.errors import FormatError, MissingDependencyError
from scalefit.rows import Row

from .reader import Extract, Reader, Sheet, column, head_of, measures, shared
from .source import LIMITS, Source, TooMuchError, bounded

_PICKLES = tuple(b"\x80" + bytes([n]) for n in range(2, 6))
_BATCH = 1 << 28
"""Bytes that a portion of a Parquet file may come to."""
_INDEX = "__index_level_"
_EXCEL_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")


def recognises_parquet(source: Source) -> bool:
    """Whether it begins with PAR1."""
    return source.head.startswith(b"PAR1")


def read_parquet(source: Source) -> Extract:
    """Return the rows of a Parquet file."""
    try:
        return Extract(sheets=[_parquet(source)])
    except ImportError as error:
        raise _extra(source, "parquet", error) from error
    except (FormatError, TooMuchError):
        raise
    except Exception as error:
        raise source.wrong(None, f"cannot be read as Parquet: {error}") from error


def _parquet(source: Source) -> Sheet:
    from pyarrow import parquet

    file = parquet.ParquetFile(io.BytesIO(source.data()))
    told = file.metadata
    if told.num_rows > LIMITS.rows or told.num_columns > LIMITS.columns:
        raise source.wrong(
            None, f"holds {told.num_rows} rows of {told.num_columns} columns; too many"
        )
    groups = [told.row_group(i) for i in range(told.num_row_groups)]
    sizes = [g.column(i).total_uncompressed_size for g in groups for i in range(g.num_columns)]
    # A short dictionary may stand for long texts: few rows at a time where a column is large.
    step = min(1 << 16, max(16, _BATCH // max(sizes, default=1)))
    names = [name for name in file.schema_arrow.names if not name.startswith(_INDEX)]
    parts, size = {name: [column(())] for name in names}, 0
    for batch in file.iter_batches(batch_size=step):
        held = batch.to_pydict()
        for name in names:
            cells = held[name]
            size += sum(len(cell) for cell in cells if isinstance(cell, str | bytes | list))
            if size > LIMITS.whole:
                raise source.wrong(None, f"unpacks to more than {LIMITS.whole} bytes of text")
            texts = isinstance(next(filter(None, cells), None), str)
            parts[name].append(shared(cells) if texts else column(cells))
    bounded(told.num_rows, told.num_rows * len(names))
    places = [f"{source.name}[row {i}]" for i in range(told.num_rows)]
    columns = {name: np.concatenate(cells) for name, cells in parts.items()}
    return Sheet.whole(columns, places)


def recognises_excel(source: Source) -> bool:
    """Whether it is a zip archive that ends in .xlsx or .xlsm."""
    return source.head.startswith(b"PK") and source.suffix in (".xlsx", ".xlsm")


def read_excel(source: Source) -> Extract:
    """Return the rows of an Excel file; formulas give the values saved with them."""
    data, extract = source.data(), Extract()
    _bounded(source, data)
    try:
        extract.rows += _excel_rows(source, data, extract)
    except ImportError as error:
        raise _extra(source, "excel", error) from error
    except (FormatError, TooMuchError):
        raise
    except Exception as error:
        raise source.wrong(None, f"cannot be read as Excel: {error}") from error
    return extract


def _bounded(source: Source, data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
    # zipfile's RuntimeErrors: a version it does not know, a password.
    except (zipfile.BadZipFile, struct.error, RuntimeError, ValueError, OSError) as error:
        raise source.wrong(None, f"cannot be read as Excel: {error}") from error
    if size > LIMITS.excel:
        raise source.wrong(
            None, f"unpacks to {size} bytes; at most {LIMITS.excel} are read. Try: save it as CSV"
        )


def _excel_rows(source: Source, data: bytes, extract: Extract) -> Iterator[Row]:
    """Yield the rows of the first sheet that holds measured values, and of those that have the same columns."""
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    tables = {sheet.title: _table(sheet) for sheet in book.worksheets}
    heads = [names for _, names, _ in tables.values()]
    ours = next((names for names in heads if measures(names)), heads[0])
    taken = [title for title, (_, names, _) in tables.items() if names == ours]
    if left := [title for title in tables if title not in taken]:
        told = ", ".join(map(repr, taken))
        extract.note(f"{source.name}: sheet {told} is read; left out: {', '.join(map(repr, left))}")
    for title in taken:
        begin, _, filled = tables[title]
        source.check_columns(begin, list(filter(None, ours)))
        names = [name or f"column {i + 1}" for i, name in enumerate(ours)]
        sheet, file = ({"sheet": title}, f"[{title}]") if taken[1:] else ({}, "")
        for number, cells in filled:
            there = ((i, _unescaped(c)) for i, c in enumerate(cells) if c is not None)
            own = {names[i] if i < len(names) else f"column {i + 1}": c for i, c in there}
            place = f"{source.name}{file}:{number}"
            yield {**dict.fromkeys(filter(None, ours)), **own, **sheet, "@place": place}


def _table(sheet: Any) -> tuple[int, list[str], Iterator[tuple[int, Any]]]:
    """Return where the head of a sheet is, its names, and the rows below it that are not empty."""
    sheet.reset_dimensions()  # what the file claims of itself may be anything
    lines = enumerate(sheet.iter_rows(values_only=True), 1)
    filled = ((number, cells) for number, cells in lines if any(c is not None for c in cells))
    # A row of one cell above the head is a title.
    heads = (row for row in filled if sum(c is not None for c in row[1]) > 1)
    first = next(heads, (1, ()))
    return first[0], *head_of(first, filled, _texts)


def _texts(row: tuple[int, tuple[Any, ...]]) -> list[str]:
    return ["" if c is None else str(_unescaped(c)).strip() for c in row[1]]


def _unescaped(cell: Any) -> Any:
    """Return a text cell with the characters that Excel writes as ``_x000D_``."""
    if not isinstance(cell, str) or "_x" not in cell:
        return cell
    return _EXCEL_ESCAPE.sub(lambda code: chr(int(code[1], 16)), cell)


def _extra(source: Source, name: str, error: ImportError) -> MissingDependencyError:
    return MissingDependencyError(
        f"{source.name}: reading {name} files needs another library ({error}). "
        f"Try: pip install 'transfer-scalefit[{name}]'"
    )


def recognises_refused(source: Source) -> bool:
    """Whether it is a pickle, a NumPy or a torch file: formats that run code when opened."""
    return source.head.startswith((*_PICKLES, b"\x93NUMPY")) or (
        source.head.startswith(b"PK") and not recognises_excel(source)
    )


def refuse_to_open(source: Source) -> Extract:
    """Refuse, always."""
    raise FormatError(
        f"{source.name}: a pickle, NumPy or zip archive; such files can run code when opened and are "
        "never read here. Try: save the table as CSV or Parquet"
    )


PARQUET = Reader("parquet", "a Parquet table", recognises_parquet, read_parquet, loose=True)
EXCEL = Reader("excel", "an Excel table", recognises_excel, read_excel, loose=True)
POINTER = Reader("refused", "a Git-LFS pointer", lambda s: s.is_pointer, refuse_to_open)
REFUSED = Reader(
    "refused", "a file that is never opened", recognises_refused, refuse_to_open, loose=True
)
