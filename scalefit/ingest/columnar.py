"""Parquet and Excel tables, through pandas and their engines."""

from __future__ import annotations

import io
import zipfile

import pandas as pd

from scalefit.errors import FormatError, MissingDependencyError

from .limits import LIMITS
from .reader import Extract, Reader, Row
from .source import Source

_PICKLES = tuple(b"\x80" + bytes([n]) for n in range(2, 6))


def recognises_parquet(source: Source) -> bool:
    """Whether it begins with PAR1."""
    return source.head.startswith(b"PAR1")


def read_parquet(source: Source) -> Extract:
    """Return the rows of a Parquet file."""
    data = io.BytesIO(source.data())
    try:
        frame = pd.read_parquet(data)
    except ImportError as error:
        raise _extra("parquet") from error
    except Exception as error:
        raise source.wrong(None, f"cannot be read as Parquet: {error}") from error
    return Extract(_rows(frame, source))


def recognises_excel(source: Source) -> bool:
    """Whether it is a zip archive that ends in .xlsx or .xlsm."""
    return source.head.startswith(b"PK") and source.suffix in (".xlsx", ".xlsm")


def read_excel(source: Source) -> Extract:
    """Return the rows of an Excel file's first sheet."""
    data = source.data()
    _bounded(source, data)
    try:
        frame = pd.read_excel(io.BytesIO(data), engine="openpyxl")
    except ImportError as error:
        raise _extra("excel") from error
    except Exception as error:
        raise source.wrong(None, f"cannot be read as Excel: {error}") from error
    return Extract(_rows(frame, source, offset=2))


def _bounded(source: Source, data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise source.wrong(None, f"cannot be read as Excel: {error}") from error
    if size > LIMITS.whole:
        raise source.wrong(None, f"unpacks to {size} bytes; more than is read as a whole")


def _rows(frame: pd.DataFrame, source: Source, offset: int = 0) -> list[Row]:
    if len(frame) > LIMITS.rows:
        raise source.wrong(None, f"holds {len(frame)} rows; at most {LIMITS.rows} are read")
    records = frame.to_dict("records")
    place = f"{source.name}:" if offset else f"{source.name}[row "
    end = "" if offset else "]"
    return [
        {**{str(k): v for k, v in r.items()}, "@place": f"{place}{i + offset}{end}"}
        for i, r in enumerate(records)
    ]


def _extra(name: str) -> MissingDependencyError:
    return MissingDependencyError(
        f"reading {name} files needs another library. Try: pip install 'transfer-scalefit[{name}]'"
    )


def recognises_refused(source: Source) -> bool:
    """Whether it is a pickle, a NumPy or a torch file: formats that run code when opened."""
    return source.head.startswith((*_PICKLES, b"\x93NUMPY")) or (
        source.head.startswith(b"PK") and not recognises_excel(source)
    )


def refuse(source: Source) -> Extract:
    """Refuse, always."""
    raise FormatError(
        f"{source.name}: a pickle, NumPy or zip archive; such files can run code when opened and are "
        "never read here. Try: save the table as CSV or Parquet"
    )


PARQUET = Reader("parquet", "a Parquet table", recognises_parquet, read_parquet, loose=True)
EXCEL = Reader("excel", "an Excel table", recognises_excel, read_excel, loose=True)
REFUSED = Reader("refused", "a file that is never opened", recognises_refused, refuse, loose=True)
