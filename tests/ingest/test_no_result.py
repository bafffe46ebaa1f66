"""Numbers in a table that are no results: training's own, those of runs that did not finish, other metrics."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scalefit as sf
from scalefit.table.names import SEED_WORDS

SIZES = ["1M", "4M", "16M"]
TRAINED = ["loss", "accuracy", "perplexity", "Accuracy", "acc", "ppl", "f1"]
EVALUATED = ["val_{}", "valid_{}", "dev {}", "{}_val", "eval/{}", "test_{}"]


@given(st.sampled_from(TRAINED), st.sampled_from(EVALUATED))
def test_what_training_reports_is_no_result_beside_an_evaluation(name, held):
    data = {"tokens": SIZES, name: [10.5, 20.5, 30.5], held.format(name): [14.5, 24.5, 34.5]}
    table = sf.as_table(data)
    assert table.column("value").tolist() == [14.5, 24.5, 34.5]
    (note,) = (note for note in table.notes if "training's" in note)
    cure = {name: f"test/{name}"}
    assert repr(cure) in note
    if not held.startswith("test"):
        assert len(sf.as_table(data, mapping=cure)) == 6


@pytest.mark.parametrize("beside", ["bleu", "val_bleu", "ood_accuracy", "bleu_val"])
def test_a_plain_name_stands_where_training_reports_none(beside):
    data = {"tokens": SIZES, "accuracy": [0.1, 0.2, 0.3], beside: [0.4, 0.5, 0.6]}
    assert len(sf.as_table(data, allow=["fractions"])) == 6


@pytest.mark.parametrize("column", ["state", "Status", "job_state", "run_status"])
@pytest.mark.parametrize(
    "word", ["PRUNED", "FAIL", "Cancelled", "OUT_OF_MEMORY", "timeout", "running"]
)
def test_runs_that_gave_no_result_are_left_out(column, word):
    data = {"tokens": SIZES, column: ["COMPLETE", "finished", word], "bleu": [1.25, 2.25, 3.25]}
    table = sf.as_table(data)
    assert table.column("value").tolist() == [1.25, 2.25]
    assert f"1 row whose {column} says unfinished" in table.notes[1]


@pytest.mark.parametrize("word", ["OOM", "diverged", "TBD", "Failed", "crashed"])
def test_a_word_for_a_value_that_never_came_is_none(word):
    table = sf.as_table({"tokens": SIZES, "bleu": ["1.25", "2.25", word]})
    assert table.column("value").tolist() == [1.25, 2.25]
    assert any("did it diverge?" in note for note in table.notes)


def test_a_perplexity_told_as_its_logarithm_is_a_cross_entropy():
    for name in ("log-perplexity", "log_ppl", "Log perplexity", "val_log_ppl"):
        assert sf.as_table({"tokens": SIZES, name: [3.0, 2.0, 1.0]}).metrics == ("cross_entropy",)
    for name in ("normalized_bleu", "neg_bleu", "scaled accuracy"):
        data = {"tokens": SIZES, name: [3.0, 2.0, 1.0], "ter": [50.25, 40.25, 30.25]}
        assert sf.as_table(data).metrics == ("ter",)


@pytest.mark.parametrize("own", ["corpus", "tokens", "seed", "pretrain_tokens", "Model"])
def test_a_table_of_runs_is_no_log_of_steps(tmp_path, own):
    path = tmp_path / "runs.csv"
    path.write_text(f"step,epoch,{own},val_loss\n10,1,1,2.5\n10,1,2,2.25\n")
    assert sf.read(path).column("value").tolist() == [2.5, 2.25]


def test_a_log_of_epochs_ends_with_its_last(tmp_path):
    path = tmp_path / "training.log.csv"
    path.write_text("epoch,accuracy,loss,val_accuracy,val_loss\n0,.5,2.5,.51,2.4\n1,.6,2,.58,2.2\n")
    table = sf.read(path)
    assert table.column("value").tolist() == [0.58, 2.2]
    assert table.column("step").tolist() == [1, 1]


@pytest.mark.parametrize("word", SEED_WORDS)
@pytest.mark.parametrize("several", [True, False])
def test_more_runs_without_pretraining_do_not_turn_what_a_seed_means(word, several):
    """They hid a fall of the others: nothing was known of pretraining runs any more."""
    rows = [(0, 1, 9.5), (1e6, 1, 10.5), (1e6, 2, 11.5), (4e6, 1, 12.5), (4e6, 2, 13.5)]
    rows += [(0, 2, 9.25)] * several
    table = sf.as_table(pd.DataFrame(rows, columns=["tokens", word, "bleu"]))
    assert table.has("pretrain_seed")
    assert any("'finetune_seed'" in note for note in table.notes) is several


@pytest.mark.parametrize("word", ["init", "restart", "attempt", "rerun", "random_state", "rng"])
def test_replicates_by_other_names_split_no_curve(word):
    rows = [(size, run, 10 + run + i) for i, size in enumerate(SIZES) for run in range(3)]
    data = pd.DataFrame(rows, columns=["tokens", word, "bleu"])
    assert len(sf.forecast(data, target=12.0)) == 1
