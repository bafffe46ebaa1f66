"""Frames of other libraries hold what pandas' would: texts, gaps, counts, dates, categories."""

import datetime
import decimal

import pandas as pd
import pytest

import scalefit as sf
from scalefit.errors import TableError

CELLS = {
    "corpus": ["fr", None, "#2 web", "日本"],
    "pretrain_tokens": ["0", "1.5M", "4M", "300M"],
    "finetune_seed": [1, 2, None, 2**40],
    "bleu": [9.25, 14.5, None, 22.0625],
    "chrf": [decimal.Decimal("30.5"), None, decimal.Decimal("41.25"), decimal.Decimal("50.0")],
    "warm": [True, False, None, True],
    "when": [datetime.datetime(2026, 1, day) for day in range(1, 5)],
}


def polars_frame():
    polars = pytest.importorskip("polars")
    return polars.DataFrame(CELLS).with_columns(polars.col("corpus").cast(polars.Categorical))


FRAMES = {
    "polars": polars_frame,
    "lazy polars": lambda: polars_frame().lazy(),
    "pyarrow": lambda: pytest.importorskip("pyarrow").table(CELLS),
    "pyarrow dictionaries": lambda: polars_frame().to_arrow(),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_a_frame_is_what_pandas_would_make_of_its_cells(frame):
    there, usual = sf.as_table(frame()), sf.as_table(CELLS)
    pd.testing.assert_frame_equal(there.frame, usual.frame)
    assert there.notes == usual.notes


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_wrong_cells_are_named_as_ever(frame):
    with pytest.raises(TableError, match="row 0, column 'finetune_tokens': found 'fr'"):
        sf.as_table(frame(), mapping={"corpus": "finetune_tokens"})


def test_what_is_no_table_is_refused():
    polars = pytest.importorskip("polars")
    for data in (polars.Series("bleu", [1.5]), polars.DataFrame({"a": [1]}), polars.DataFrame()):
        with pytest.raises(TableError):
            sf.as_table(data)


def test_a_pivot_without_levels_is_asked_about():
    """Polars has no name for what its columns are values of."""
    polars = pytest.importorskip("polars")
    wide = polars.DataFrame({"pretrain_tokens": [1e6, 4e6], "fr": [20.5, 22.5], "en": [19.5, 20.5]})
    with pytest.raises(TableError, match="nor a column named after a metric"):
        sf.as_table(wide)


def test_whole_numbers_with_gaps_are_numbers_whatever_type_pandas_gave_them():
    cells = {
        "pretrain_tokens": [1e6, 4e6, 16e6],
        "bleu": [20.0, 21.0, 22.0],
        "warmup": [10, None, 20],
    }
    nullable = pd.DataFrame(cells).astype({"warmup": "Int64", "bleu": "Float64"})
    pd.testing.assert_frame_equal(sf.as_table(nullable).frame, sf.as_table(cells).frame)


def test_a_table_keeps_its_numbers_when_the_frame_it_was_made_of_or_its_own_is_written_to():
    frame = pd.DataFrame({"pretrain_tokens": [1e6, 4e6], "metric": "bleu", "value": [20.0, 21.0]})
    table = sf.as_table(frame)
    frame.loc[0, "value"] = table.frame.loc[1, "value"] = 99.0
    assert table.column("value").tolist() == [20.0, 21.0]
