"""Columns whose heads are seeds, sizes or languages, and units in a column's name: one table with the long one."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scalefit as sf
from scalefit.errors import MissingColumnError
from scalefit.table.heads import headed
from scalefit.units import parse_count

SIZES = ["1M", "4M", "16M", "64M"]
REPEATS = [
    "bleu_seed{}",
    "BLEU (seed {})",
    "bleu run {}",
    "seed{}_bleu",
    "bleu/seed-{}",
    "rep{}:bleu",
]
ALONE = ["seed{}", "Seed {}", "run_{}", "rep #{}", "trial {}"]
UNITS = {
    "MTokens": 1e6, "B tokens": 1e9, "pretrain_Btok": 1e9, "tokens [10^6]": 1e6, "tokens (x1e6)": 1e6,
    "tokens (×10⁹)": 1e9, "tokens ($10^9$)": 1e9, "tokens/1e6": 1e6, "tokens (in millions)": 1e6, "Tokens, M": 1e6,
}  # fmt: skip


@given(
    st.sampled_from([*REPEATS, *ALONE]),
    st.lists(st.integers(0, 99_999), min_size=2, max_size=4, unique=True),
)
def test_a_column_a_seed_is_a_row_a_seed(head, seeds):
    wide = pd.DataFrame({"corpus": "fr", "tokens": SIZES})
    for place, seed in enumerate(seeds):
        wide[head.format(seed)] = [10.25 + 3 * place + i for i in range(len(SIZES))]
    table = sf.as_table(wide, metrics=["bleu"])
    assert table.metrics == ("bleu",)
    values = wide.drop(columns=["corpus", "tokens"]).to_numpy().ravel().tolist()
    assert table.column("value").tolist() == values
    own = next(n for n in ("pretrain_seed", "run", "rep", "trial") if table.columns.named.get(n))
    assert [int(float(s)) for s in table.column(own)] == seeds * len(SIZES)
    assert len(sf.fit_each(wide, "bleu", "log")) == 1


@pytest.mark.parametrize(
    "sizes", [SIZES, ["1e6", "4e6", "1.6e7"], [1_000_000, 4_000_000], ["10^6", "10^7"]]
)
@pytest.mark.parametrize("metric", ["bleu", "zeal"])
def test_a_column_a_size_is_a_row_a_size(sizes, metric):
    columns = {size: [10.25 + i, 11.25 + i] for i, size in enumerate(sizes)}
    wide = pd.DataFrame({"corpus": ["fr", "en"]} | columns)
    table = sf.as_table(wide, metrics=[metric])
    assert table.metrics == (metric,)
    assert table.unique("pretrain_tokens") == sorted(parse_count(str(size)) for size in sizes)
    assert table.column("value").tolist() == wide[sizes].to_numpy().ravel().tolist()
    with pytest.raises(MissingColumnError, match=r"metrics=\['bleu'\]"):
        sf.as_table(wide)


@pytest.mark.parametrize(
    "name", ["bleu_2", "BLEU-4", "2048", "1999", "en", "seed", "rouge2", "run"]
)
def test_heads_that_may_be_anything_are_none(name):
    assert headed(name) is None


def test_columns_of_seeds_beside_a_metric_are_seeds():
    for metric in ("bleu", "zeal"):
        data = {"tokens": SIZES, "seed1": [1, 2, 3, 4], "seed2": [5, 6, 7, 8], metric: [1, 2, 3, 4]}
        table = sf.as_table(data, metrics=[metric])
        assert table.column("seed1").tolist() == [1, 2, 3, 4]
        assert table.column("value").tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(("name", "factor"), UNITS.items())
def test_a_unit_in_a_columns_name_is_its_factor(name, factor):
    table = sf.as_table({name: [1, 4, 16.5], "bleu": [1.25, 2.25, 3.25]})
    assert table.column("pretrain_tokens").tolist() == [factor, 4 * factor, 16.5 * factor]
