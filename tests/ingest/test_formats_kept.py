"""Formats that people still have on disk: older releases, consoles, exports, papers' tables."""

import json
import math

import pytest

from scalefit import read
from scalefit.errors import FormatError

LN2 = math.log(2)
TOKEN = "nats/target token"
CASES = [
    ("sacrebleu/version1.txt", {"bleu": 22.2, "chrf": 49.7, "brevity_penalty": 0.984}, None),
    ("sacrebleu/multi-bleu.txt", {"bleu": 34.52, "brevity_penalty": 1.0}, None),
    ("sacrebleu/one_after_another.json", {"bleu": 76.0406, "chrf": 83.7406, "brevity_penalty": 1.0}, None),
    ("fairseq/version0.6.log", {"cross_entropy": 2.36351 * LN2}, 2500),
    (
        "marian/translation.log",
        {"bleu": 24.81, "perplexity": 7.1043, "cross_entropy": math.log(7.1043)},
        10000,
    ),
    ("joeynmt/train_v1.log", {"bleu": 11.9, "cross_entropy": math.log(15.8034)}, 2000),
    (
        "joeynmt/train_v2.log",
        {"bleu": 19.84, "cross_entropy": math.log(6.02), "token_accuracy": 0.49},
        5000,
    ),
    ("hf_text/eval_results.txt", {"bleu": 24.1377, "cross_entropy": 2.2871}, None),
    ("hf_text/console.log", {"bleu": 24.1377, "cross_entropy": 2.2871}, None),
    ("hf_text/trainer_log.jsonl", {"cross_entropy": 2.2204}, 20),
    ("lightning/metrics.csv", {"bleu": 20.8731, "loss": 2.4218}, 399),
    ("wandb/history.csv", {"bleu": 22.0713, "loss": 2.5209}, 1000),
    ("wandb/wandb-summary.json", {"bleu": 22.0713, "loss": 2.5209}, 1000),
    (
        "sockeye/metrics",
        {"bleu": 17.37, "chrf": 42.19, "cross_entropy": math.log(18.204)},
        2,
    ),
    ("opennmt/tf.log", {"bleu": 26.113214, "cross_entropy": math.log(5.486613)}, 10000),
]  # fmt: skip


@pytest.mark.parametrize(("path", "values", "step"), CASES, ids=[case[0] for case in CASES])
def test_the_last_evaluation_of_each(read_log, fixtures, path, values, step):
    rows = read_log(fixtures / path).frame.to_dict("records")
    assert {r["metric"]: pytest.approx(r["value"], rel=1e-9) for r in rows} == values
    assert len(rows) == len(values)
    if step is not None:
        assert {row["step"] for row in rows} == {step}
    for row in rows:
        if row["metric"] == "cross_entropy":
            assert row["unit"] == TOKEN


def test_a_markdown_table_with_deviations(fixtures):
    table = read(fixtures / "tables/paper.md")
    assert list(table.column("value")) == [12.31, 18.72, 7.15]
    assert list(table.column("pretrain_tokens")) == [1e6, 4e6, 0]
    assert any("3 values with a ± or a bracket, which is left out" in note for note in table.notes)
    assert [s[-1] for s in table.column("source")] == ["5", "6", "7"]


def test_scores_of_mt_metrics_eval_without_reference_names(read_log, fixtures):
    table = read_log(fixtures / "mt_metrics_eval_v1")
    assert list(table.column("value")) == [31.25, 29.75]


@pytest.mark.parametrize("line", ["BLEU|n = 06 (μ = 75 ± 0.1.2)", "BLEU|x = 1.2.3", "BLEU+v = ."])
def test_numbers_that_are_none_in_sacrebleus_lines(tmp_path, line):
    (tmp_path / "a.txt").write_text(line + "\nBLEU|nrefs:1 = 21.25\n")
    table = read(tmp_path / "a.txt", allow=("signatures",))
    assert 21.25 in table.column("value")


@pytest.mark.parametrize("between", ["\n", "", " ", ",\n", "\n\n"])
def test_objects_one_after_another(tmp_path, between):
    one = {"name": "BLEU", "score": 20.25, "signature": "nrefs:1", "verbose_score": "BP = 1.0"}
    texts = [json.dumps({**one, "score": 20.25 + i}, indent=1) for i in range(3)]
    (tmp_path / "a.json").write_text(between.join(texts))
    table = read(tmp_path / "a.json", allow=("conflicts",))
    assert list(table.where(metric="bleu").column("value")) == [20.25, 21.25, 22.25]


def lm_eval(folder, step):
    (folder / f"step{step}").mkdir(parents=True)
    document = {
        "results": {
            "wikitext": {"bits_per_byte": 1.5 - 0.1 * math.log10(step), "byte_perplexity": 2.0}
        },
        "versions": {"wikitext": 1},
        "config": {"model_args": f"pretrained=EleutherAI/pythia-70m,revision=step{step}"},
    }
    (folder / f"step{step}" / "out.json").write_text(json.dumps(document))


def test_checkpoints_of_a_pretraining_become_sizes(tmp_path):
    for step in (1000, 3000, 10_000):
        lm_eval(tmp_path / "pythia", step)
    table = read(tmp_path, tokens_per_step=2_097_152, pattern="{model}/step{step}/*")
    assert list(table.column("pretrain_tokens")) == [2_097_152e3, 20_971_520e3, 3 * 2_097_152e3]
    assert table.unique("model") == ["pythia"]
    assert table.metrics == ("cross_entropy_per_byte",)
    assert list(read(tmp_path, tokens_per_step=2e6).unique("pretrain_tokens")) == [2e9, 6e9, 20e9]


@pytest.mark.parametrize("given", [0, -1, float("nan"), float("inf")])
def test_tokens_of_a_step_are_more_than_none(fixtures, given):
    with pytest.raises(FormatError, match="needed the tokens of one step's batch"):
        read(fixtures / "marian/valid.log", tokens_per_step=given)


def test_byte_perplexity_alone_is_nats_per_byte(tmp_path):
    document = {"results": {"w": {"byte_perplexity": 2.0}}, "versions": {"w": 1}, "config": {}}
    (tmp_path / "a.json").write_text(json.dumps(document))
    table = read(tmp_path / "a.json")
    assert list(table.column("value")) == [pytest.approx(LN2)]
    assert table.unique("unit") == ["nats/byte"]


def test_perplexities_per_token_are_cross_entropies(tmp_path):
    (tmp_path / "a.csv").write_text(
        "pretrain_tokens,metric,value,stderr,unit\n1,ppl,20.5,0.41,token\n2,bleu,20.25,,\n"
    )
    rows = read(tmp_path / "a.csv").frame.to_dict("records")
    assert rows[0]["metric"] == "cross_entropy"
    assert rows[0]["value"] == pytest.approx(math.log(20.5))
    assert rows[0]["stderr"] == pytest.approx(0.02)
    assert rows[1]["value"] == 20.25


def test_a_runs_table_whose_state_comes_later(tmp_path):
    (tmp_path / "a.csv").write_text(
        '"Name","Tags","State","pretrain_tokens","bleu"\n"r1","x","finished","1M","20.25"\n'
    )
    table = read(tmp_path / "a.csv")
    assert table.notes[0].endswith("taken for a W&B runs table")
    assert list(table.column("value")) == [20.25]


EVENTS = {
    "tb/valid": ("bleu", "valid"),
    "tb/train": None,
    "inference_eval/de_en": ("bleu", "de_en"),
    "training_eval/de_en": None,
    "run1": ("bleu", None),
}


@pytest.mark.parametrize("folder", EVENTS)
def test_folders_of_event_files_say_the_set(tmp_path, read_log, folder):
    pytest.importorskip("tensorboard")
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(tmp_path / folder))
    held = summary_pb2.Summary.Value(tag="bleu", simple_value=20.25)
    event = event_pb2.Event(wall_time=1.0, step=10, summary=summary_pb2.Summary(value=[held]))
    writer.add_event(event)
    writer.close()
    if EVENTS[folder] is None:
        with pytest.raises(FormatError, match="holds no evaluation"):
            read_log(next((tmp_path / folder).iterdir()))
        return
    (row,) = read_log(next((tmp_path / folder).iterdir())).frame.to_dict("records")
    assert (row["metric"], row.get("eval_set")) == EVENTS[folder]
