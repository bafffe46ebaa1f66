"""Runs that transformers' own trainer wrote, in the transfer lab."""

import json
import shutil
from pathlib import Path

import pytest

from scalefit import read
from scalefit.errors import FormatError, MissingColumnError
from scalefit.ingest import table_of

PATTERN = "{corpus}-{pretrain_tokens}-p{pretrain_seed}/ft-{task}-{finetune_tokens}-s{finetune_seed}"


@pytest.fixture
def lab(fixtures):
    folder = fixtures / "hf_trainer"
    if not folder.is_dir():
        pytest.skip("the lab's runs are not here")
    return folder


@pytest.fixture
def run(lab, tmp_path):
    found = next(p.parent for p in sorted(lab.rglob("trainer_state.json")))
    return shutil.copytree(found, tmp_path / "run")


def test_a_folder_of_runs_is_read_by_its_manifest_or_by_a_pattern(lab):
    by_manifest, by_pattern = read(lab), read(lab, pattern=PATTERN)
    assert list(by_manifest.column("value")) == list(by_pattern.column("value"))
    assert by_manifest.unique("pretrain_tokens") == by_pattern.unique("pretrain_tokens")
    assert 0 in by_manifest.unique("pretrain_tokens")
    assert any(
        note.startswith("what no log knows is taken from the manifest")
        for note in by_manifest.notes
    )
    assert set(by_manifest.where(metric="cross_entropy").column("unit")) == {"nats/target token"}


def test_values_are_the_logs_own_with_file_and_line(lab):
    table = read(lab)
    for row in table.where(metric="bleu", eval_set="eval").frame.to_dict("records"):
        name, _, line = row["source"].rpartition(":")
        entry = Path(name).read_text(encoding="utf-8").split("\n")[int(line) - 1 :]
        logged = next(t for t in entry if '"eval_bleu"' in t)
        assert float(logged.split(":")[1].strip(" ,")) == row["value"]


def test_without_manifest_the_missing_column_is_asked_for(run):
    assert any("a manifest, or a pattern" in note for note in read(run).notes)
    with pytest.raises(MissingColumnError, match="no column 'pretrain_tokens'"):
        table_of(run)


def test_the_same_logs_inside_a_checkpoint_are_read_once(run, read_log):
    before = len(read_log(run))
    shutil.copytree(run, run.parent / "copy")
    shutil.move(run.parent / "copy", run / "checkpoint-800")
    assert len(read_log(run)) == before


def test_a_run_that_was_cut_short_is_read_from_its_last_checkpoint(run, read_log):
    for step in (9, 100):
        (run / f"checkpoint-{step}").mkdir()
        shutil.copy(run / "trainer_state.json", run / f"checkpoint-{step}")
    (run / "trainer_state.json").unlink()
    (run / "all_results.json").unlink()
    table = read_log(run)
    assert "checkpoint-100" in table.column("source")[0]
    assert any("has no trainer_state.json of its own" in note for note in table.notes)


def test_a_results_file_alone_is_enough_and_is_final_where_it_differs(run, read_log):
    results = json.loads((run / "all_results.json").read_text())
    results["eval_bleu"] += 1
    (run / "all_results.json").write_text(json.dumps(results))
    table = read_log(run)
    assert table.where(metric="bleu", eval_set="eval").column("value")[0] == results["eval_bleu"]
    assert any("the results file is taken as final" in note for note in table.notes)
    (run / "trainer_state.json").unlink()
    assert (
        read_log(run).where(metric="bleu", eval_set="eval").column("value")[0]
        == results["eval_bleu"]
    )


def test_a_run_that_is_not_finished_is_left_out_of_a_search_but_refused_by_name(run, read_log):
    young = run.parent / "young"
    young.mkdir()
    (young / "trainer_state.json").write_text('{"log_history": [{"loss": 3.1, "step": 5}]}')
    table = read_log(run.parent)
    assert any(n.startswith("left out: ") and "holds no evaluation" in n for n in table.notes)
    assert len(table) == len(read_log(run))
    with pytest.raises(FormatError, match="young: holds no evaluation"):
        read_log(young)
    shutil.rmtree(run)
    with pytest.raises(
        FormatError, match=r"holds no measured value; needed at least one. left out"
    ):
        read_log(run.parent / "y*")


def test_tokens_seen_is_missing_where_the_trainer_did_not_count(run, read_log):
    state = json.loads((run / "trainer_state.json").read_text())
    for entry in state["log_history"]:
        entry["num_input_tokens_seen"] = 0
    (run / "trainer_state.json").write_text(json.dumps(state))
    assert "input_tokens_seen" not in read_log(run).frame.columns


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"log_history": [', "trainer_state.json:1: no valid JSON"),
        ('{"log_history": 3}', "has no list 'log_history'"),
        ('{"log_history": [{"loss": 1.0, "step": 5}]}', "holds no evaluation"),
    ],
)
def test_half_written_state(run, read_log, text, words):
    (run / "all_results.json").unlink()
    (run / "trainer_state.json").write_text(text)
    with pytest.raises(FormatError, match=words):
        read_log(run)
