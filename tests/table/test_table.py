"""Wide and long, pieces, vectors, files."""

import numpy as np
import pandas as pd
import pytest

from scalefit.errors import FormatError, MissingColumnError, TableError
from scalefit.ingest import observations
from scalefit.rows import frame_of, html_table
from scalefit.table import COLUMNS, Table, as_table

ENGINES = {"parquet": ("pyarrow",), "xlsx": ("openpyxl",)}


@pytest.fixture
def table():
    rows = [
        (corpus, tokens, task, seed, 10 + i + tokens / 1e6)
        for i, corpus in enumerate(["fr+en", "code"])
        for tokens in (1_000_000, 4_000_000)
        for task in ("en-fr", "en-de")
        for seed in (1, 2)
    ]
    rows += [("none", 0, task, seed, 5.0 + seed) for task in ("en-fr", "en-de") for seed in (1, 2)]
    names = ["corpus", "pretrain_tokens", "task", "pretrain_seed", "bleu"]
    return as_table(pd.DataFrame(rows, columns=names))


def test_wide_becomes_long_in_row_order_with_each_metrics_own_error():
    table = as_table(
        {
            "corpus": ["a", "b"],
            "pretrain_tokens": ["1M", "2M"],
            "BLEU": [20.0, "--"],
            "BLEU_stderr": [0.5, None],
            "chrF": [50.0, 51.0],
            "note": ["x", "y"],
        }
    )
    assert list(table.frame["metric"]) == ["bleu", "chrf", "chrf"]
    assert list(table.column("value")) == [20, 50, 51]
    assert table.column("stderr") == pytest.approx([0.5, np.nan, np.nan], nan_ok=True)
    assert list(table.frame.columns) == [
        "corpus",
        "pretrain_tokens",
        "metric",
        "value",
        "stderr",
        "note",
    ]
    assert "1 empty cell of column 'BLEU' left out; corpus b has none at all" in table.notes


def test_a_corpus_without_a_value_of_a_metric_is_named():
    rows = [
        {"corpus": c, "pretrain_tokens": x, "bleu": None if c == "b" else 20, "chrf": 50}
        for c in "abc"
        for x in (1e6, 1e7)
    ]
    table = as_table(pd.DataFrame(rows))
    assert "2 empty cells of column 'bleu' left out; corpus b has none at all" in table.notes
    assert not [note for note in table.notes if "'chrf' left" in note]


def test_long_to_wide_and_back(table):
    again = as_table(table.wide())
    pd.testing.assert_frame_equal(again.frame, table.frame, check_dtype=False)


def test_wide_refuses_two_values_for_one_cell():
    table = as_table({"pretrain_tokens": [1, 1], "bleu": [20.0, 21.0]})
    with pytest.raises(TableError, match=r"'bleu' stands twice under one key \(pretrain_tokens=1"):
        table.wide()


def test_mapping_renames_scales_and_says_so():
    frame = pd.DataFrame({"bytes": [400, 800], "loss": [2.0, 1.9]})
    table = Table.from_frame(frame, mapping={"bytes/4": "pretrain_tokens", "loss": "cross_entropy"})
    assert list(table.column("pretrain_tokens")) == [100, 200]
    assert "column 'bytes/4' taken as 'pretrain_tokens'" in table.notes
    plain = Table.from_frame(frame, mapping={"bytes": "pretrain_tokens", "loss": "cross_entropy"})
    assert "bytes are not tokens" in plain.notes[0]


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"x": "pretrain_tokens"}, "names a column 'x' that is not there"),
        ({"loss": "bytes"}, "there already"),
    ],
)
def test_mapping_that_cannot_be(mapping, words):
    with pytest.raises(TableError, match=words):
        Table.from_frame(pd.DataFrame({"bytes": [400], "loss": [2.0]}), mapping=mapping)


def test_headers_are_recognised_in_other_spellings():
    table = as_table({"Pretrain Tokens": [1], "Metric": ["BLEU"], "VALUE": [20]})
    assert list(table.frame.columns) == ["pretrain_tokens", "metric", "value"]


def test_a_metric_the_registry_does_not_know_is_named_by_the_user():
    frame = pd.DataFrame({"pretrain_tokens": [1, 2], "fluency": [3.0, 4.0]})
    assert Table.from_frame(frame, metrics=("fluency",)).metrics == ("fluency",)


def test_where_takes_values_lists_counts_and_missing(table):
    assert len(table.where(pretrain_seed=1, task="en-de")) == 5
    assert len(table.where(corpus=["code", "none"], pretrain_tokens="4M")) == 4 + 4
    assert len(table.where(pretrain_tokens=(0,))) == 4
    assert (
        len(
            as_table({"pretrain_tokens": [1, 2], "bleu": [3, 4], "corpus": ["a", None]}).where(
                corpus=None
            )
        )
        == 1
    )


def test_where_says_what_is_there(table):
    with pytest.raises(
        TableError, match="no row has corpus='german': column 'corpus' holds code, fr"
    ):
        table.where(corpus="german")
    with pytest.raises(
        MissingColumnError, match=r"no column 'lang' \(columns: corpus, pretrain_tokens"
    ):
        table.where(lang="de")


def test_groups_are_sorted_and_leave_the_baseline_out(table):
    groups = table.groups(["corpus", "task", "model"])
    assert [tuple(key.values()) for key, _ in groups] == [
        ("code", "en-de", None),
        ("code", "en-fr", None),
        ("fr+en", "en-de", None),
        ("fr+en", "en-fr", None),
    ]
    assert all(0 not in part.column("pretrain_tokens") for _, part in groups)
    assert [key["pretrain_tokens"] for key, _ in table.groups(["pretrain_tokens"])] == [
        0,
        10**6,
        4 * 10**6,
    ]
    with pytest.raises(MissingColumnError):
        table.groups(["language"])


def test_missing_keys_are_none():
    table = as_table({"pretrain_tokens": [1, 2, 3], "bleu": [3, 4, 5], "corpus": ["b", None, "a"]})
    assert [key for key, _ in table.groups(["corpus"])] == [
        {"corpus": None},
        {"corpus": "a"},
        {"corpus": "b"},
    ]


def test_the_baseline_belongs_to_every_corpus_of_its_task(table):
    found = table.baseline_for({"corpus": "code", "task": "en-de"})
    assert list(found.column("value")) == [6, 7]
    assert set(found.column("task")) == {"en-de"}


@pytest.mark.parametrize("size", ["4M", "<=4M", "1M..4M", (1e6, None), [4e6]])
def test_the_baseline_survives_filters_on_corpus_and_size(table, size):
    found = table.where(corpus="code", pretrain_tokens=size)
    assert set(found.unique("corpus")) == {"code", "none"}
    assert list(found.baseline_for({"corpus": "code", "task": "en-fr"}).column("value")) == [6, 7]


@pytest.mark.parametrize("condition", [">0", "!=0", "> 0"])
def test_a_filter_about_0_is_about_the_baseline(table, condition):
    assert table.where(pretrain_tokens=condition).unique("pretrain_tokens") == [10**6, 4 * 10**6]
    assert table.where(pretrain_tokens=0).unique("pretrain_tokens") == [0]


def test_baselines_that_carry_a_corpus_belong_to_it_first_and_to_all_where_it_has_none():
    table = as_table(
        {
            "corpus": ["fr", "en", "fr", "en", "de"],
            "pretrain_tokens": [0, 0, 1e6, 1e6, 1e6],
            "bleu": [5.0, 6.0, 20.0, 21.0, 22.0],
        }
    )
    assert list(table.baseline_for({"corpus": "en"}).column("value")) == [6]
    assert list(table.where(corpus="en").baseline_for({"corpus": "en"}).column("value")) == [6]
    assert list(table.where(corpus="de").baseline_for({"corpus": "de"}).column("value")) == [5, 6]


def test_columns_as_vectors(table):
    assert table.column("pretrain_tokens").dtype == float
    assert table.column("corpus").dtype == object
    assert table.unique("pretrain_seed") == [1, 2]
    with pytest.raises(MissingColumnError):
        table.column("stderr")
    mixed = as_table({"pretrain_tokens": [1, 2], "bleu": [3, 4], "source_blind": ["True", "False"]})
    assert list(mixed.column("source_blind")) == [1, 0]
    text = as_table({"pretrain_tokens": [1, 2], "bleu": [3, 4], "pretrain_seed": ["s1", None]})
    assert list(text.column("pretrain_seed")) == ["s1", None]


def test_observations_are_read_only_vectors_with_an_order_free_digest(table):
    found = observations(
        table,
        "BLEU",
        {"D": "pretrain_tokens"},
        where={"corpus": "code", "task": "en-fr", "pretrain_tokens": ">0"},
    )
    assert list(found.inputs["D"]) == [1e6, 1e6, 4e6, 4e6]
    assert len(set(found.clusters)) == 4
    assert list(found.blocks) == [0, 1, 0, 1]
    assert found.stderr is None
    with pytest.raises(ValueError, match="read-only"):
        found.values[0] = 1
    turned = Table.from_frame(table.frame.iloc[::-1])
    again = observations(
        turned,
        "bleu",
        {"D": "pretrain_tokens"},
        where={"corpus": "code", "task": "en-fr", "pretrain_tokens": ">0"},
    )
    assert again.digest == found.digest
    assert found.digest.startswith("sha256:")


def test_checkpoints_of_one_run_are_one_cluster():
    columns = {"pretrain_tokens": [1, 2, 1, 2], "bleu": [3, 4, 5, 6], "pretrain_run": list("aabb")}
    assert list(observations(as_table(columns), "bleu", {"D": "pretrain_tokens"}).clusters) == [
        0,
        0,
        1,
        1,
    ]


def test_observations_leave_rows_without_an_input_out_and_note_it():
    columns = {"pretrain_tokens": [1, 2, 3], "bleu": [3, 4, 5], "parameters": [5, None, 7]}
    found = observations(as_table(columns), "bleu", {"N": "parameters"})
    assert len(found) == 2
    assert "1 row without parameters left out" in found.notes
    with pytest.raises(TableError, match="holds texts"):
        observations(as_table({**columns, "task": list("abc")}), "bleu", {"x": "task"})


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl", "parquet", "xlsx"])
def test_written_files_hold_every_digit(table, tmp_path, suffix):
    for name in ENGINES.get(suffix, ()):
        pytest.importorskip(name, exc_type=ImportError)
    path = tmp_path / f"table.{suffix}"
    table.write(path)
    readers = {
        "tsv": lambda p: pd.read_csv(p, sep="\t"),
        "xlsx": pd.read_excel,
        "parquet": pd.read_parquet,
    }
    readers |= {
        "csv": pd.read_csv,
        "json": pd.read_json,
        "jsonl": lambda p: pd.read_json(p, lines=True),
    }
    again = Table.from_frame(readers[suffix](path))
    assert list(again.column("value")) == list(table.column("value"))
    assert again.unique("corpus") == table.unique("corpus")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_an_unknown_suffix_is_refused(table, tmp_path):
    with pytest.raises(FormatError, match=r"cannot write \.docx; needed one of \.csv"):
        table.write(tmp_path / "a.docx")


def test_as_table_says_what_it_needs():
    with pytest.raises(TableError, match=r"found a list; needed a Table, a DataFrame"):
        as_table([1, 2])
    with pytest.raises(TableError, match="do not form a table"):
        as_table({"pretrain_tokens": [1, 2], "bleu": [1]})


def test_repr_is_one_line_and_html_is_escaped(table):
    assert str(table).startswith(
        "Table: 20 rows; metrics bleu; corpus × 3; pretrain_tokens × 3; task"
    )
    assert "<table" in table._repr_html_()
    html = html_table([{"a<b": "<script>"}, {"a<b": 1.23456}], caption="c")
    assert "<script>" not in html
    assert "1.235" in html


def test_columns_come_in_canonical_order():
    frame = frame_of(
        [{"extra": 1, "value": 20.0, "metric": "bleu", "pretrain_tokens": 1, "corpus": "a"}]
    )
    found = [c for c in Table.from_frame(frame).frame.columns if c in COLUMNS]
    assert found == ["corpus", "pretrain_tokens", "metric", "value"]


def test_a_column_that_a_law_takes_is_no_metric_though_one_is_called_so():
    data = {"ce": [2.0, 1.8, 1.6], "bleu": [20.0, 24.0, 28.0]}
    table = as_table(data, metrics=["bleu"], inputs=["ce"])
    assert table.metrics == ("bleu",)
    assert table.column("ce").tolist() == data["ce"]
    assert as_table(data).metrics == ("bleu", "cross_entropy")
