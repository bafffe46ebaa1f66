"""Frames as pandas users hold them."""

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.errors import TableError

LONG = pd.DataFrame(
    {
        "corpus": ["fr", "fr", "en", "en"],
        "pretrain_tokens": [1e6, 4e6, 1e6, 4e6],
        "bleu": [20.11, 22.35, 19.42, 21.17],
        "chrf": [40.12, 41.35, 42.44, 43.58],
    }
)


def rows(table):
    names = ["corpus", "pretrain_tokens", "metric", "value"]
    return sorted(zip(*(table.column(n) for n in names), strict=True))


EXPECTED = rows(sf.as_table(LONG))
BLEU = [row for row in EXPECTED if row[2] == "bleu"]
PIVOT = LONG.pivot(index="pretrain_tokens", columns="corpus", values="bleu")


@pytest.mark.parametrize(
    "frame",
    [
        LONG.set_index("pretrain_tokens"),
        LONG.set_index(["corpus", "pretrain_tokens"]),
        LONG.pivot(index="pretrain_tokens", columns="corpus"),
        LONG.melt(["corpus", "pretrain_tokens"], var_name="metric").pivot(
            index=["corpus", "pretrain_tokens"], columns="metric", values="value"
        ),
    ],
    ids=["index", "two levels", "pivot of two metrics", "a column a metric"],
)
def test_levels_of_the_axes_are_columns(frame):
    assert rows(sf.as_table(frame)) == EXPECTED


@pytest.mark.parametrize("pivot", [PIVOT, PIVOT.T], ids=["sizes down", "sizes across"])
def test_a_pivot_is_one_metric(pivot):
    assert rows(sf.as_table(pivot, metrics=["bleu"])) == BLEU
    assert sf.fit_each(pivot, "bleu", "log").by == ("corpus",)
    with pytest.raises(TableError, match=r"nothing says what their cells measure. Try: metrics="):
        sf.as_table(pivot)


def test_gaps_of_a_pivot_are_no_rows():
    gappy = PIVOT.copy()
    gappy.iloc[0, 0] = np.nan
    assert len(sf.as_table(gappy, metrics=["bleu"])) == 3


def test_columns_1_and_text_1_are_two():
    frame = LONG.assign(**{"1": "x"}).assign(other=[3, 4, 5, 6]).rename(columns={"other": 1})
    table = sf.as_table(frame)
    assert table.unique("1") == ["x"]
    assert table.unique("1.1") == [3, 4, 5, 6]


def test_equal_names_are_refused():
    frame = LONG.rename(columns={"chrf": "bleu"})
    with pytest.raises(TableError, match="column names stand twice: bleu"):
        sf.as_table(frame)
