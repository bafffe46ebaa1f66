"""Which evaluation counts: last, best or all; what diverged; one broken run never stops a folder."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalefit import read
from scalefit.errors import FormatError
from scalefit.ingest.checkpoints import choose
from scalefit.ingest.reader import Extract

LOGS = {
    "validations.txt": "Steps: 1000\tLoss: 2.0\tPPL: 20.0\tbleu: 10.5\nSteps: 2000\tLoss: nan\tPPL: nan\tbleu: 0.25\n",
    "train.log": (
        "INFO] Step 1000/9; acc: 1; ppl: 2;\nINFO] Validation perplexity: 20.0\n"
        "INFO] Step 2000/9; acc: 1; ppl: 2;\nINFO] Validation perplexity: nan\nINFO] Validation BLEU: 0.25\n"
    ),
    "valid.log": (
        "[valid] Ep. 1 : Up. 1000 : ce-mean-words : 2.99 : new best\n"
        "[valid] Ep. 1 : Up. 2000 : ce-mean-words : nan : stalled\n[valid] Ep. 1 : Up. 2000 : bleu : 0.25 : x\n"
    ),
    "fairseq.log": (
        "| valid on 'valid' subset | loss 4 | nll_loss 4.3 | ppl 20 | bleu 9.5 | num_updates 1000\n"
        "| valid on 'valid' subset | loss nan | nll_loss nan | ppl nan | bleu 0.25 | num_updates 2000\n"
    ),
    "trainer_state.json": json.dumps(
        {
            "log_history": [
                {"eval_loss": 2.99, "eval_bleu": 9.5, "step": 1000},
                {"eval_loss": math.nan, "eval_bleu": 0.25, "step": 2000},
            ]
        }
    ),
    "metrics.csv": "epoch,step,val_loss,val_bleu\n0,1000,2.99,9.5\n1,2000,nan,0.25\n",
    "tf.log": (
        "Evaluation result for step 1000: loss = 2.9 ; perplexity = 20.0 ; bleu = 9.5\n"
        "Evaluation result for step 2000: loss = nan ; perplexity = nan ; bleu = 0.25\n"
    ),
    "metrics": "1\tepoch=0\tperplexity-val=20.0\tbleu-val=0.1\n2\tepoch=1\tperplexity-val=nan\tbleu-val=0.0025\n",
}
ALLOW = ("fractions",)


@pytest.mark.parametrize("name", LOGS)
def test_the_last_value_of_a_diverged_run_is_missing_and_never_an_earlier_one(tmp_path, name):
    (tmp_path / name).write_text(LOGS[name])
    table = read(tmp_path / name, allow=ALLOW)
    assert table.metrics == ("bleu",)
    assert list(table.column("value")) == [0.25]
    assert any("is no number: the run diverged" in note and name in note for note in table.notes)


@pytest.mark.parametrize("name", LOGS)
def test_best_takes_all_metrics_at_the_step_of_the_least_loss(tmp_path, name):
    (tmp_path / name).write_text(LOGS[name])
    table = read(tmp_path / name, allow=ALLOW, checkpoints="best")
    steps = {1} if name == "metrics" else {1000}
    assert set(table.column("step")) == steps
    assert {"cross_entropy", "loss"} & set(table.metrics)
    assert any("decides which step is taken" in note for note in table.notes)


@pytest.mark.parametrize("name", LOGS)
def test_all_keeps_all_and_names_what_is_no_number(tmp_path, name):
    (tmp_path / name).write_text(LOGS[name])
    table = read(tmp_path / name, allow=ALLOW, checkpoints="all")
    assert len(set(table.column("step"))) == 2
    assert any("1 evaluations whose value is no number left out" in note for note in table.notes)


def test_another_rule_is_refused(fixtures):
    with pytest.raises(FormatError, match="needed one of"):
        read(fixtures / "marian/valid.log", checkpoints="first")


rows = st.lists(
    st.fixed_dictionaries(
        {
            "metric": st.sampled_from(["bleu", "cross_entropy", "odd"]),
            "eval_set": st.sampled_from(["a", "b"]),
            "step": st.one_of(st.none(), st.integers(0, 5)),
            "value": st.one_of(st.none(), st.just(math.nan), st.floats(0, 100)),
        }
    ),
    max_size=12,
)


@given(rows, st.sampled_from(["best", "last", "all"]))
def test_what_counts_is_among_what_there_is(drawn, which):
    kept = choose([dict(row) for row in drawn], which, "log", Extract())
    assert all(math.isfinite(row["value"]) for row in kept)
    assert all(row in drawn for row in kept)
    if which == "last":
        series = [(row["metric"], row["eval_set"]) for row in kept]
        assert len(series) == len(set(series))
    if which == "best":
        assert len({row["step"] for row in kept} - {None}) <= 1


def trainer(folder, history, best=None, results=None, config=None):
    folder.mkdir(parents=True, exist_ok=True)
    told = {"best_model_checkpoint": f"out/checkpoint-{best}"} if best else {}
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": history, **told}))
    if results:
        (folder / "all_results.json").write_text(json.dumps(results))
    if config:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


HISTORY = [
    {"eval_loss": 2.5, "eval_bleu": 20.25, "step": 500},
    {"eval_loss": 2.75, "eval_bleu": 19.25, "step": 1000},
]


def test_results_of_the_model_that_was_loaded_at_the_end_stand_at_its_step(tmp_path):
    best = {"eval_loss": 2.5, "eval_bleu": 20.25, "predict_bleu": 18.25}
    run = trainer(tmp_path / "r", HISTORY, best=500, results=best)
    for which in ("last", "best"):
        table = read(run, checkpoints=which, allow=ALLOW)
        assert sorted(table.column("value")) == [2.5, 18.25, 20.25]
        assert set(table.column("step")) == {500}


def test_the_last_and_the_best_step_of_a_trainer(tmp_path):
    run = trainer(tmp_path / "r", HISTORY, best=500)
    assert set(read(run, allow=ALLOW).column("step")) == {1000}
    assert set(read(run, allow=ALLOW, checkpoints="best").column("step")) == {500}


@pytest.mark.parametrize(
    ("entry", "config"),
    [
        ({"eval_rewards/margins": 0.5}, None),
        ({"eval_pearson": 0.81}, None),
        ({}, {"problem_type": "regression"}),
        ({}, {"architectures": ["BertForSequenceClassification"]}),
    ],
)
def test_losses_that_are_no_cross_entropy_of_tokens(tmp_path, entry, config):
    run = trainer(tmp_path / "r", [{**HISTORY[0], **entry}], config=config)
    table = read(run, allow=ALLOW)
    assert "cross_entropy" not in table.metrics
    assert list(table.where(metric="loss").column("value")) == [2.5]
    assert any("its loss is no cross-entropy of tokens" in note for note in table.notes)


def test_a_language_models_loss_is_one(tmp_path):
    config = {"architectures": ["MarianMTModel"], "problem_type": None}
    assert "cross_entropy" in read(trainer(tmp_path, HISTORY, config=config), allow=ALLOW).metrics


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"
BROKEN = {
    "events.out.tfevents.1": POINTER,
    "all_results.json": '{"eval_loss": 2.5',
    "x-metrics.jsonl": '{"step": 1, "bleu": 2}\n{"step": ',
    "results.json": POINTER,
    "events.out.tfevents.2": "this is none",
    "valid.log": "[valid] Ep. 1 : Up. 1 : odd : 2\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_broken_run_is_left_out_and_named(tmp_path, name):
    (tmp_path / "good").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "good" / "validations.txt").write_text("Steps: 1\tPPL: 20.0\tbleu: 10.5\n")
    (tmp_path / "bad" / name).write_text(BROKEN[name])
    table = read(tmp_path, allow=ALLOW)
    assert table.metrics == ("bleu", "cross_entropy")
    assert any(note.startswith("left out: ") and name in note for note in table.notes)
    with pytest.raises(FormatError, match=name.replace(".", r"\.")):
        read(tmp_path / "bad" / name, allow=ALLOW)


@pytest.mark.parametrize("format", [None, "csv", "json", "tensorboard"])
def test_pointers_of_git_lfs_are_called_by_name(tmp_path, format):
    (tmp_path / "a.csv").write_text(POINTER)
    with pytest.raises(FormatError, match=r"a\.csv: is a Git-LFS pointer.*git lfs pull"):
        read(tmp_path / "a.csv", format=format)


def test_a_truncated_line_of_an_mlflow_metric(fixtures, tmp_path):
    import shutil

    store = shutil.copytree(fixtures / "mlflow" / "mlruns", tmp_path / "mlruns")
    whole = read(store, allow=ALLOW)
    told = next(s for s in whole.column("source") if "eval_bleu" in s)
    broken = Path(told.rpartition(":")[0])
    broken.write_text("17000")
    table = read(store, allow=ALLOW)
    assert 0 < len(table) < len(whole)
    assert any("left out" in note and broken.name in note for note in table.notes)
