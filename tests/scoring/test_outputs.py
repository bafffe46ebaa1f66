"""Logs and the hypotheses beside them: scores anew, with standard errors and signatures."""

import json

import pytest
import sacrebleu

from scalefit import read
from scalefit.cli import main
from scalefit.errors import FormatError
from scalefit.scoring.score import Outputs

PATTERN = "{corpus}-{pretrain_tokens}/ft-{task}-s{finetune_seed}"
REFERENCE = [
    "the cat sees the red house",
    "a dog runs home now",
    "we read the old book",
    "they like the river",
]
HYPOTHESES = {
    "fr+en-1M/ft-en-fr-s1": [
        "the cat sees a red house",
        "a dog runs home",
        "we read the old book",
        "they like a river",
    ],
    "none-0/ft-en-fr-s1": [
        "the cat sees the house now",
        "a dog",
        "we read the book",
        "they like the river",
    ],
}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, lines in HYPOTHESES.items():
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "generated_predictions.txt").write_text("\n".join(lines) + "\n")
        bleu = sacrebleu.corpus_bleu(lines, [REFERENCE]).score
        entry = {"step": 10, "eval_bleu": round(bleu, 4), "eval_loss": 2.125}
        (folder / "trainer_state.json").write_text(json.dumps({"log_history": [entry]}))
    (tmp_path / "ref.en-fr.txt").write_text("\n".join(REFERENCE) + "\n")
    return tmp_path / "runs"


def outputs(**changes):
    how = {"cache": False, "progress": False, "workers": 1}
    told = {
        "hypotheses": {"eval": "generated_predictions.txt"},
        "references": {"eval": "ref.{task}.txt"},
    }
    return Outputs(**{**told, "options": how, **changes})


def test_scores_take_the_place_of_the_logs_own(runs):
    table = read(runs, pattern=PATTERN, outputs=outputs())
    assert table.metrics == ("bleu", "chrf", "cross_entropy")
    for key, part in table.groups(["corpus", "pretrain_tokens"]):
        lines = HYPOTHESES[
            "fr+en-1M/ft-en-fr-s1" if key["pretrain_tokens"] else "none-0/ft-en-fr-s1"
        ]
        bleu = part.where(metric="bleu")
        assert bleu.column("value")[0] == sacrebleu.corpus_bleu(lines, [REFERENCE]).score
        assert bleu.column("stderr")[0] > 0
        assert bleu.column("signature")[0].startswith("nrefs:1|case:mixed")
        assert bleu.column("source")[0].endswith("generated_predictions.txt")
        assert part.where(metric="chrf").unique("task") == ["en-fr"]
    assert any(
        "2 scores of the logs scored anew from their hypotheses; they agree to" in n
        for n in table.notes
    )


def test_a_log_that_differs_is_noted(runs):
    state = runs / "none-0/ft-en-fr-s1/trainer_state.json"
    state.write_text(json.dumps({"log_history": [{"step": 10, "eval_bleu": 50.5}]}))
    notes = read(runs, pattern=PATTERN, outputs=outputs()).notes
    assert any("they differ by up to" in n and "the new ones are kept" in n for n in notes)


def test_a_run_without_hypotheses_keeps_its_own_scores(runs):
    (runs / "none-0/ft-en-fr-s1/generated_predictions.txt").unlink()
    table = read(runs, pattern=PATTERN, outputs=outputs())
    assert len(table.where(metric="bleu")) == 2
    assert any("no such hypotheses; the log's own scores are kept" in n for n in table.notes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"references": {}}, "no reference for evaluation set 'eval'; needed eval=PATH"),
        ({"references": {"eval": "nothing.txt"}}, "nothing.txt: there is no such reference"),
    ],
)
def test_references_that_are_missing(runs, changes, words):
    with pytest.raises(FormatError, match=words):
        read(runs, pattern=PATTERN, outputs=outputs(**changes))


def test_one_command(runs, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = ["ingest", "runs", "--pattern", PATTERN, "--hyp", "eval=generated_predictions.txt"]
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--ref", "eval=ref.{task}.txt", "-o", "table.csv"])
    assert not stopped.value.code
    assert "Table: 6 rows; metrics bleu, chrf, cross_entropy" in capsys.readouterr().out
    assert read("table.csv").unique("pretrain_tokens") == [0, 1_000_000]


def run(words):
    with pytest.raises(SystemExit) as stopped:
        main(["ingest", *words])
    return stopped.value.code


def test_the_commands_errors_are_one_line_and_exit_2(runs, capsys):
    assert run(["runs", "--pattern", "../{corpus}"]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "climbs out" in captured.err
    assert run(["runs", "--ref", "eval=x"]) == 2
    assert "which is missing" in capsys.readouterr().err


def test_the_command_shows_json_and_lists_formats(runs, capsys):
    assert not run(["runs", "--pattern", PATTERN, "--json"])
    assert {row["metric"] for row in json.loads(capsys.readouterr().out)} == {
        "bleu",
        "cross_entropy",
    }
    assert not run(["runs", "--pattern", PATTERN])
    assert not run(["-", "--format", "list"])
    assert "hf-trainer: a Hugging Face Trainer run" in capsys.readouterr().out
