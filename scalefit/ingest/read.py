"""The one door: a path, a glob or standard input becomes a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from scalefit.table import Table


def read(
    path: str | Path,
    *,
    format: str | None = None,
    mapping: Mapping[str, str] | None = None,
    allow: Sequence[str] = (),
) -> Table:
    """Read a results file (first version: CSV only)."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, comment="#")
    return Table.from_frame(frame, mapping=mapping, allow=allow)
