"""What is written is read back equal, bit for bit: whatever the text, whatever the float."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import scalefit as sf
from scalefit.errors import FormatError
from scalefit.table.write import WRITERS

NEEDS = {"parquet": "pyarrow", "xlsx": "openpyxl"}
TRAPS = [
    "#2 web", "=1+1", "+1", "-1", "@x", '"', '""', '"#', "a,b", "a;b", "a\tb", "a|b", "a\nb", "a\n\nb",
    "a\n#b", "a\rb", "a\r\nb", "\x01", "\x1b", "\x7f", "_x0041_", "_x000D_", "é", "日本", "😀", "\u2028",
    "\x85", "\ufeff", "\ufffe", "1e5", "007", "1.50", "true", "nan", "inf", "None", "NaN", "#N/A",
    "2026-01-01", "1/2", "'quoted'", "\\", "\\n", "{corpus}", "BLEU", "COMET", "[valid] Ep. 1 : Up. 1",
    "Steps: 1\tPPL: 2", "12345678901234567890", "x" * 3000, "\0",
]  # fmt: skip
texts = st.one_of(
    st.sampled_from(TRAPS), st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
numbers = st.floats(0, 100).filter(lambda x: x == 0 or x > 1)
anything = st.floats(allow_nan=False, allow_infinity=False)


@pytest.fixture(params=sorted(WRITERS))
def suffix(request):
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param], exc_type=ImportError)
    return request.param


@st.composite
def tables(draw):
    n = draw(st.integers(1, 4))

    def column(cells):
        return draw(st.lists(st.one_of(cells, cells, st.none()), min_size=n, max_size=n))

    data = {
        "corpus": column(texts),
        "pretrain_tokens": draw(st.lists(st.floats(0, 1e300), min_size=n, max_size=n)),
        "finetune_seed": list(range(n)),
        "metric": draw(
            st.lists(st.sampled_from(["bleu", "comet", "my score"]), min_size=n, max_size=n)
        ),
        "value": [1.5 + x for x in draw(st.lists(st.floats(0, 98), min_size=n, max_size=n))],
        "learning_rate": column(anything),
        "own": column(st.one_of(texts, anything)),
        "count": draw(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=n, max_size=n)),
    }
    return sf.as_table(pd.DataFrame(data), allow=("range", "units", "fractions"))


def same(a, b):
    """Return whether two tables hold the same bits, but for the places they came from."""
    left, right = a.frame, b.frame.drop(columns=["source"])
    if list(left.columns) != list(right.columns):
        return False
    return all(
        _bits(x) == _bits(y)
        for name in left.columns
        for x, y in zip(a.column(name), b.column(name), strict=True)
    )


def _bits(value):
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return np.float64(value).tobytes() if isinstance(value, float) else value


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(table=tables())
def test_what_is_written_is_read_back_equal(suffix, tmp_path, table):
    path = tmp_path / f"t.{suffix}"
    table.write(path)
    again = sf.read(path, allow=("range", "units", "fractions"))
    assert same(table, again), (table.frame.to_dict("list"), again.frame.to_dict("list"))


@pytest.mark.parametrize("text", TRAPS)
def test_each_trap_as_a_corpus_beside_others(suffix, tmp_path, text):
    rows = {
        "corpus": [text, "b", text],
        "pretrain_tokens": [1, 2, 3],
        "bleu": [20.25, 21.25, 0.1 + 30],
    }
    table = sf.as_table(rows)
    table.write(tmp_path / f"t.{suffix}")
    assert same(table, sf.read(tmp_path / f"t.{suffix}"))


def test_a_spreadsheet_holds_text_as_text(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    sf.as_table({"corpus": ["=1+1"], "pretrain_tokens": [1], "bleu": [0.1 + 0.2 + 20]}).write(
        tmp_path / "t.xlsx"
    )
    cells = list(openpyxl.load_workbook(tmp_path / "t.xlsx").worksheets[0].iter_rows())[1]
    assert [(cell.data_type, cell.value) for cell in cells] == [
        ("s", "=1+1"), ("n", 1), ("s", "bleu"), ("n", 0.1 + 0.2 + 20),
    ]  # fmt: skip


def test_a_text_longer_than_a_cell_is_refused_whole(tmp_path):
    pytest.importorskip("openpyxl")
    table = sf.as_table({"corpus": ["x" * 40_000], "pretrain_tokens": [1], "bleu": [20.25]})
    with pytest.raises(
        FormatError, match=r"t\.xlsx: a text of 40000 characters; Excel holds 32767"
    ):
        table.write(tmp_path / "t.xlsx")
    assert not list(tmp_path.iterdir())


@given(texts, texts)
@example("a", "a ")
def test_texts_are_settled_once(one, other):
    """Checking a checked text changes nothing, so that files have nothing left to change."""
    from scalefit.table.draft import plain_text

    assert plain_text(plain_text(one + other)) == plain_text(one + other)
