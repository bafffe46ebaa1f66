"""Frames of other libraries (polars, pyarrow, modin, DuckDB, dask, …) as the one that tables are made of."""

from __future__ import annotations

from typing import Any

import pandas as pd


def as_pandas(data: Any) -> pd.DataFrame | None:
    """Return a frame of any library that narwhals knows as one of pandas, None where it is no frame.

    Cells come as Python holds them, so that no second library (pyarrow) is needed, and are judged like
    those of a file. What is lazy is computed.

    Examples
    --------
    >>> import pyarrow
    >>> as_pandas(pyarrow.table({"pretrain_tokens": [1e6, 4e6], "bleu": [21.5, None]}))["bleu"].tolist()
    [21.5, nan]
    >>> as_pandas([1, 2]) is None
    True
    """
    if isinstance(data, pd.DataFrame):
        return data  # as it is: other libraries have no index and no levels of columns
    import narwhals as nw  # here, for most tables need none of it

    frame = nw.from_native(data, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, nw.DataFrame):
        return None
    return pd.DataFrame({column.name: column.to_list() for column in frame.iter_columns()})
