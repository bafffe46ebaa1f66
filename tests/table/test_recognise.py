"""People's own columns: read where they can mean one thing only, said so, and asked about otherwise."""

import json

import pytest

import scalefit as sf
from scalefit.errors import FormatError, MissingColumnError, TableError
from scalefit.table.names import meaning


def test_a_table_in_its_authors_words(tmp_path):
    (tmp_path / "a.csv").write_text(
        "Dataset,Tokens (B),n_params,seed,Loss\nweb,1,70M,1,3.25\nweb,4,70M,2,2.75\ncode,4,70M,1,3.5\n"
    )
    table = sf.read(tmp_path / "a.csv")
    assert list(table.column("pretrain_tokens")) == [1e9, 4e9, 4e9]
    assert table.unique("corpus") == ["code", "web"]
    assert table.unique("parameters") == [70_000_000]
    assert list(table.column("pretrain_seed")) == [1, 2, 1]
    assert table.metrics == ("loss",)
    told = [note for note in table.notes if "the only meaning it has here" in note]
    assert len(told) == 4
    mapped = sf.read(tmp_path / "a.csv", mapping={"Loss": "cross_entropy"})
    assert mapped.metrics == ("cross_entropy",)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("Tokens", "pretrain_tokens"),
        ("FinetuneTokens", "finetune_tokens"),
        ("learningRate", "learning_rate"),
        ("pretraining_tokens", "pretrain_tokens"),
        ("tokens seen", "pretrain_tokens"),
        ("N params (M)", "parameters"),
        ("test set", "eval_set"),
        ("Std. Error", "stderr"),
        ("finetuning tokens [million]", "finetune_tokens"),
        ("tokens_B", "pretrain_tokens"),
        ("Params in millions", "parameters"),
        ("data_b", None),
        ("host", None),
        ("steps", None),
        ("", None),
    ],
)
def test_meanings(name, ours):
    assert meaning(name) == ours


def test_two_columns_that_could_both_be_one_are_asked_about():
    data = {"tokens": [1, 2], "train_tokens": [3, 4], "bleu": [20.25, 21.25]}
    with pytest.raises(MissingColumnError, match="pretrain_tokens"):
        sf.fit(data, "bleu", law="log")
    assert any("neither is taken" in note for note in sf.as_table(data).notes)
    table = sf.as_table(data, mapping={"tokens": "pretrain_tokens"})
    assert list(table.column("pretrain_tokens")) == [1, 2]
    assert list(table.column("train_tokens")) == [3, 4]


def test_a_plain_seed_of_finetuned_models_stays_as_it_is():
    data = {
        "pretrain_tokens": [1, 2],
        "finetune_tokens": [5, 5],
        "seed": [1, 1],
        "bleu": [20.25, 21.25],
    }
    table = sf.as_table(data)
    assert not table.has("pretrain_seed")
    assert any("mapping={'seed': 'pretrain_seed'}" in note for note in table.notes)


def test_the_canonical_column_comes_first():
    data = {"pretrain_tokens": [1, 2], "tokens": [7, 8], "bleu": [20.25, 21.25]}
    assert list(sf.as_table(data).column("pretrain_tokens")) == [1, 2]


def test_datadecides_cells_of_many_metrics(tmp_path):
    (tmp_path / "a.csv").write_text(
        "params,data,task,step,seed,tokens,metrics\n"
        "4M,web,boolq,1000,1,1000000,\"{'accuracy': 0.5, 'name': 'x'}\"\n"
        "4M,web,boolq,2000,1,2000000,\"{'accuracy': 0.625, 'name': 'x'}\"\n"
    )
    table = sf.read(tmp_path / "a.csv")
    assert list(table.column("pretrain_tokens")) == [1e6, 2e6]
    assert list(table.where(metric="accuracy").column("value")) == [0.5, 0.625]


CONFIG = (
    'allow = ["fractions"]\n[map]\nSize = "pretrain_tokens"\nscore = "bleu"\nunused = "corpus"\n'
)


def test_a_mapping_that_is_kept_beside_the_data(tmp_path):
    (tmp_path / "scalefit.toml").write_text(CONFIG)
    (tmp_path / "a.csv").write_text("Size,score\n1M,0.25\n4M,0.5\n")
    for given in (tmp_path / "a.csv", tmp_path):
        table = sf.read(given)
        assert list(table.column("value")) == [0.25, 0.5]
        assert table.metrics == ("bleu",)
    assert sf.read(tmp_path / "a.csv", mapping={"score": "chrf"}).metrics == ("chrf",)


def test_a_mapping_that_is_named(tmp_path):
    (tmp_path / "own.toml").write_text(CONFIG + "")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("Size,score\n1M,20.25\n4M,21.25\n")
    assert len(sf.read(tmp_path / "data" / "a.csv", config=tmp_path / "own.toml")) == 2
    with pytest.raises((TableError, FormatError)):
        sf.read(tmp_path / "data" / "a.csv")


def test_a_logs_names_and_steps_are_kept_too(tmp_path):
    (tmp_path / "scalefit.toml").write_text(
        'tokens_per_step = 1000\ncheckpoints = "all"\n[map]\n"my/score" = "bleu"\n'
    )
    state = {"log_history": [{"step": 10, "my/score": 20.25}, {"step": 20, "my/score": 21.25}]}
    (tmp_path / "trainer_state.json").write_text(json.dumps(state))
    table = sf.read(tmp_path)
    assert list(table.column("pretrain_tokens")) == [10_000, 20_000]
    assert table.metrics == ("bleu",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[map", "no valid TOML"),
        ("mapp = 1", "Did you mean 'map'"),
        ("allow = 3", "needed list"),
        ("map = 3", "needed dict"),
        ("[map]\na = 3", "no text"),
        ("tokens_per_step = true", "needed int"),
        ('checkpoints = "first"', "needed one of"),
        ("x" * (2 << 20), "more than 1 MiB"),
    ],
)
def test_a_file_that_says_something_else(tmp_path, text, words):
    (tmp_path / "scalefit.toml").write_text(text)
    (tmp_path / "a.csv").write_text("pretrain_tokens,bleu\n1,20.25\n")
    with pytest.raises(FormatError, match=words):
        sf.read(tmp_path / "a.csv")


def test_sizes_that_nobody_pretrains_on_are_asked_about():
    data = {"pretrain_tokens": [1, 2, 4, 8], "bleu": [20.0, 21.5, 23.25, 24.75]}
    (note,) = (n for n in sf.as_table(data).notes if "billions" in n)
    scaled = sf.as_table(data, mapping={"pretrain_tokens*1e9": "pretrain_tokens"})
    assert list(scaled.column("pretrain_tokens")) == [1e9, 2e9, 4e9, 8e9]
    assert not any("billions" in n for n in scaled.notes)
    assert "the largest pretrain_tokens is 8" in note
