"""What a table refuses, and in which words; what it lets pass, and with which note."""

import re

import pandas as pd
import pytest

import scalefit as sf
from scalefit.errors import MissingColumnError, TableError
from scalefit.table import as_table


def long(**columns):
    rows = max(len(v) for v in columns.values() if isinstance(v, list))
    base = {"pretrain_tokens": [10**6 * (i + 1) for i in range(rows)], "metric": ["bleu"] * rows}
    return {**base, **columns}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"value": [20.0, 300.0]}, "row 1, column 'value': found bleu 300; needed 0 to 100"),
        ({"value": [-2.0, 3.0]}, "row 0, column 'value': found bleu -2; needed 0 to 100"),
        ({"value": ["20", "inf"]}, "row 1, column 'value': found bleu inf; needed a finite number"),
        (
            {"value": ["20,5", "3"]},
            "row 0, column 'value': found '20,5'; needed a number. Try: a dec",
        ),
        ({"value": [2.0], "pretrain_tokens": [-5]}, "row 0, column 'pretrain_tokens': found -5"),
        (
            {"value": [2.0], "pretrain_tokens": ["lots"]},
            "found 'lots'; needed a count such as 1500",
        ),
        (
            {"value": [2.0], "pretrain_tokens": ["--"]},
            "'pretrain_tokens': found nothing; needed a v",
        ),
        ({"value": [2.0], "stderr": [-0.1]}, "row 0, column 'stderr': found -0.1"),
        ({"value": [0.21, 0.28]}, "found bleu 0.21; needed 0 to 100: no bleu here is above 1"),
        *(
            (
                {"value": [81.0, 0.5], "metric": [metric] * 2},
                f"found {metric} 0.5 beside values up to 81; needed one scale, 0 to 100 or 0 to 1. Try: divide the",
            )
            for metric in ("accuracy", "macro_f1", "test_accuracy", "mean_f1")
        ),
        ({"value": [0.5], "metric": ["perplexity"]}, "found perplexity 0.5; needed 1 or more"),
        (
            {"value": [20.0, 21.0], "signature": ["tok:13a", "tok:zh"]},
            "row 1, column 'signature': found 2 signatures under 'bleu': 'tok:13a' and 'tok:zh'",
        ),
        (
            {"value": [2.0, 2.1], "metric": ["cross_entropy"] * 2, "tokenizer": ["bpe", "spm"]},
            "found 2 tokenizers under 'cross_entropy': 'bpe' and 'spm'; needed one. Try: compare "
            "cross_entropy_per_byte",
        ),
        (
            {"value": [2.0, 2.1], "metric": ["cross_entropy"] * 2, "unit": ["nats/token", "bans"]},
            "found 2 units under 'cross_entropy'",
        ),
        (
            {"value": [20.0, 21.0], "pretrain_tokens": [1, 1], "finetune_seed": [3, 3]},
            "row 1, column 'value': found bleu 21, but row 0 has 20 under the same key and seeds",
        ),
        (
            {"value": [28.0, 0.29], "pretrain_tokens": [1, 1], "finetune_seed": [3, 4]},
            "row 1, column 'value': found bleu 0.29 beside values up to 28; needed one scale",
        ),
        (
            {"value": [0.83, 84.0], "metric": ["comet", "comet"]},
            "found comet 0.83 beside values up to 84",
        ),
    ],
)
def test_refused_with_row_column_value_need_and_cure(columns, words):
    with pytest.raises(TableError, match=re.escape(words)):
        as_table(long(**columns))


@pytest.mark.parametrize(
    ("columns", "allow"),
    [
        ({"value": [20.0, 300.0]}, "range"),
        ({"value": [0.21, 0.28]}, "fractions"),
        ({"value": [20.0, 21.0], "signature": ["a", "b"]}, "signatures"),
        (
            {"value": [2.0, 2.1], "metric": ["cross_entropy"] * 2, "tokenizer": ["bpe", "spm"]},
            "tokenizers",
        ),
        ({"value": [2, 3], "pretrain_tokens": [1, 1], "finetune_seed": [3, 3]}, "conflicts"),
        ({"value": [0.83, 84.0], "metric": ["comet", "comet"]}, "units"),
    ],
)
def test_allowed_by_name(columns, allow):
    assert len(as_table(long(**columns), allow=(allow,))) == 2


def test_unknown_allowance_is_refused():
    with pytest.raises(TableError, match=r"allow has everything; needed any of signatures"):
        as_table(long(value=[2.0]), allow=("everything",))


def test_one_mistake_of_many_rows_is_told_once_and_its_rows_counted():
    with pytest.raises(TableError) as caught:
        as_table(long(value=[200.0 + i for i in range(20)]))
    assert str(caught.value).startswith("row 0, column 'value': found bleu 200")
    assert str(caught.value).endswith("(and so in row 1, row 2, row 3, and 16 more)")


def test_unreadable_and_wrong_values_are_listed_together():
    with pytest.raises(TableError, match=r"(?s)2 problems.*found 'many'.*found bleu 305"):
        as_table(long(value=[20.0, 305.0], pretrain_tokens=["many", "1M"]))


def test_the_place_is_the_source_where_one_is_known():
    with pytest.raises(TableError, match=r"^log\.txt:7 \(row 1\), column 'value': found bleu 200"):
        as_table(long(value=[20, 200], source=["log.txt:6", "log.txt:7"]))


def test_copies_are_left_out_with_a_note():
    columns = long(value=[20.0, 21.0, 22.0], corpus=["a", None, "a"], finetune_seed=[1, 1, 2])
    once = pd.DataFrame(columns)
    table = as_table(pd.concat([once, once, once]))
    assert len(table) == 3
    assert any("6 exact duplicate rows left out" in note for note in table.notes)


def test_replicates_without_seeds_are_kept_with_a_note():
    table = as_table(long(value=[20.0, 21.0], pretrain_tokens=[5, 5]))
    assert len(table) == 2
    assert "2 rows share their key and name no seed" in table.notes[0]


def test_rows_that_differ_in_an_unknown_column_are_no_conflict_but_noted():
    columns = long(value=[20.0, 21.0], pretrain_tokens=[5, 5], finetune_seed=[1, 1], node=[10, 20])
    assert "2 rows differ from another only in node" in as_table(columns).notes[0]


def test_repetition_is_noted():
    table = as_table(long(value=[20.12, 21.34], unique_tokens=["1M", "1M"]))
    assert "repetition: 1 row saw more tokens" in table.notes[0]
    assert "up to 2 passes (row 1)" in table.notes[0]


def test_a_checkpoint_that_is_worse_than_the_one_before_is_noted():
    columns = long(value=[3.0, 3.1, 2.9], pretrain_run=["r"] * 3, metric=["cross_entropy"] * 3)
    note = as_table(columns).notes[0]
    assert "non-monotone checkpoints: 1 of 1 cross-entropy curves" in note
    assert "at most by 0.1 nats/target token (row 1)" in note


def test_bits_become_nats_and_per_byte_is_another_metric():
    columns = long(value=[2.0, 1.0], metric=["cross_entropy"] * 2, unit=["bits/token", "bits/byte"])
    table = as_table(columns | {"stderr": [1.0, 1.0]})
    assert table.metrics == ("cross_entropy", "cross_entropy_per_byte")
    assert table.column("value") == pytest.approx([1.3862943611, 0.6931471806])
    assert table.column("stderr") == pytest.approx([0.6931471806] * 2)
    assert "cross_entropy in bits/byte is cross_entropy_per_byte, another metric" in table.notes


def test_missing_columns_are_asked_for_by_name():
    with pytest.raises(MissingColumnError, match=r"neither columns 'metric' and 'value' nor"):
        as_table({"pretrain_tokens": [1], "speed": [2.0]})
    with pytest.raises(MissingColumnError, match=r"a column 'value' but none named 'metric'"):
        as_table({"pretrain_tokens": [1], "value": [2.0]})


@pytest.mark.parametrize(
    "data", [{"pretrain_tokens": [], "bleu": []}, {"pretrain_tokens": [1], "bleu": [None]}]
)
def test_an_empty_table_is_refused(data):
    with pytest.raises(TableError, match=r"no rows|no row has a value"):
        as_table(data)


def test_one_decimal_is_flagged_as_low_precision():
    note = as_table(long(value=[20.1, 21.4, 22.0])).notes[0]
    assert note.startswith("low precision: 3 of 3 bleu values have one decimal or none")
    assert not as_table(long(value=[20.12, 21.44, 22.01])).notes


def test_a_metric_can_be_mapped_where_no_column_has_its_name():
    table = as_table(long(value=[2.0], metric=["loss"]), mapping={"loss": "cross_entropy"})
    assert table.metrics == ("cross_entropy",)
    assert "metric 'loss' taken as 'cross_entropy'" in table.notes


def test_rows_of_a_wide_table_are_counted_as_they_were_written():
    columns = {
        "pretrain_tokens": [1e6] * 2,
        "node": ["n1", "n2"],
        "bleu": [20.11, 20.22],
        "chrf": [50.11, 50.22],
    }
    (said,) = [n for n in as_table(columns).notes if "differ from another only" in n]
    assert said == "2 rows differ from another only in node: row 0, row 1"


def test_a_size_in_the_user_s_own_unit_is_no_surprise():
    columns = {
        "Pretrain tokens (B)": [1, 2, 1, 2],
        "node": ["x", "y", "y", "x"],
        "bleu": [20.0, 21, 22, 23],
    }
    (said,) = [n for n in as_table(columns).notes if "differ from another only" in n]
    assert "only in node: row" in said


def test_a_table_without_pretraining_sizes_is_let_through_where_it_is_allowed():
    sizes = {"finetune_tokens": [1e4, 1e5, 1e6, 1e7, 1e8], "bleu": [5.0, 9.0, 13.0, 17.0, 21.0]}
    assert len(sf.as_table(sizes, allow="no_pretrain_tokens")) == 5
    asked = {"inputs": {"D": "finetune_tokens"}, "allow": "no_pretrain_tokens"}
    assert sf.fit(sizes, "bleu", "log", **asked).points.y.size == 5
    with pytest.raises(MissingColumnError, match="pretrain_tokens"):
        sf.forecast(sizes, at="1B", allow="no_pretrain_tokens")


@pytest.mark.parametrize("name", ["accuracy", "exact_match", "rouge1", "mmlu"])
def test_what_passes_one_by_dust_is_a_fraction(name):
    table = sf.as_table({"pretrain_tokens": ["1M", "4M"], name: [0.5, 1.0000000000000002]})
    assert table.column("value").tolist() == [0.5, 1.0]


@pytest.mark.parametrize("name", ["accuracy", "f1", "exact_match"])
def test_a_table_in_percent_says_what_one_in_fractions_says(name):
    data = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6], "pretrain_seed": [0, 0, 0, 0]}
    share, percent = (
        sf.forecast(data | {name: [k * v for v in (0.31, 0.42, 0.5, 0.57)]}, name, target=0.62 * k)
        for k in (1.0, 100.0)
    )
    for key, told in share.rows()[0].items():
        factor = 100.0 if key == f"{name}_at_largest" else 1.0
        assert percent.rows()[0][key] == pytest.approx(told and factor * told), key


def test_a_small_accuracy_beside_one_near_1_is_a_fraction_too():
    runs = {"pretrain_seed": [1, 2, 3], "accuracy": [0.93, 0.0093, 0.5]}
    assert len(sf.as_table({"pretrain_tokens": [1e6] * 3, **runs})) == 3


def test_a_seed_that_has_begun_beside_one_that_has_not_is_no_other_scale():
    runs = {"pretrain_tokens": [1e6] * 2, "pretrain_seed": [1, 2]}
    assert len(sf.as_table(runs | {"bleu": [0.0236, 2.1476]})) == 2
    with pytest.raises(TableError, match="needed one scale"):
        sf.as_table(runs | {"bleu": [0.236, 21.476]})


def test_an_error_in_percent_may_fall_below_1():
    sizes = [1e6, 4e6, 16e6, 64e6]
    table = sf.as_table({"pretrain_tokens": sizes, "error": [12.5, 4.25, 1.5, 0.7]})
    assert table.column("value").tolist() == [12.5, 4.25, 1.5, 0.7]
