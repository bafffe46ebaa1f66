"""Tables to files: CSV, TSV, JSON, JSONL, Parquet, Excel; never half a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from scalefit.errors import FormatError, MissingDependencyError
from scalefit.files import writing

from .cells import is_text
from .columns import COUNTS, SEEDS

WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "json": lambda frame, path: frame.to_json(
        path, orient="records", indent=1, double_precision=15
    ),
    "jsonl": lambda frame, path: frame.to_json(
        path, orient="records", lines=True, double_precision=15
    ),
    "parquet": lambda frame, path: frame.to_parquet(path, index=False),
    "xlsx": lambda frame, path: frame.to_excel(path, index=False),
}


def write(frame: pd.DataFrame, path: Path, kind: str | None = None) -> None:
    """Write a frame, by the path's suffix unless `kind` is given; the file appears whole or not."""
    name = kind or path.suffix.lower().lstrip(".")
    if name not in WRITERS:
        raise FormatError(
            f"{path}: cannot write {path.suffix or 'a file without suffix'}; "
            f"needed one of .{', .'.join(WRITERS)}"
        )
    try:
        with writing(path) as half:
            WRITERS[name](whole_counts(frame), half)
    except ImportError as error:
        extra = "excel" if name == "xlsx" else "parquet"
        raise MissingDependencyError(
            f"writing .{name} needs another library. Try: pip install 'transfer-scalefit[{extra}]'"
        ) from error


def whole_counts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with counts and seeds as whole numbers where they are whole."""
    found = frame.copy()
    for name in (*COUNTS, *SEEDS):
        if name in found.columns and not is_text(found[name]):
            there = found[name].dropna()
            if (there == there.round()).all() and (there.abs() < 2**62).all():
                found[name] = found[name].astype("Int64")
    return found
