"""``scalefit score`` from hypotheses to a table on disk."""

import json

import pytest
from sacrebleu.metrics import BLEU

import scalefit
from scalefit.cli import main

TOKENS = ("5M", "20M", "80M")


@pytest.fixture
def runs(folder, corpus, monkeypatch):
    """Runs whose folders tell what they are, in the current folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SCALEFIT_CACHE", str(folder / "cache"))
    for tokens, lines in zip(TOKENS, corpus.systems.values(), strict=True):
        path = folder / "lab" / f"en-{tokens}" / "hyp.en"
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(lines) + "\n")
    return folder


def run(*words):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    return stopped.value.code


def test_one_command_makes_the_table(runs, corpus, capsys):
    words = [
        "--metric",
        "bleu",
        "chrf",
        "--pattern",
        "lab/{corpus}-{pretrain_tokens}",
        "-o",
        "s.csv",
    ]
    assert run("score", "--hyp", "lab/*/hyp.en", "--ref", "ref.en", *words) == 0
    table = scalefit.read("s.csv")
    assert len(table) == 6
    assert table.unique("pretrain_tokens") == [5_000_000, 20_000_000, 80_000_000]
    five = table.where(pretrain_tokens="5M", metric="bleu")
    expected = BLEU().corpus_score(corpus.systems["good"], [corpus.references]).score
    assert five.column("value")[0] == pytest.approx(expected, rel=1e-12)
    assert five.column("source")[0] == "lab/en-5M/hyp.en"
    shown = capsys.readouterr()
    assert "6 scores, written to s.csv" in shown.out
    assert "note: stderr: bootstrap over 120 segments" in shown.err


def test_a_manifest_tells_the_same(runs):
    lines = ["path,corpus,pretrain_tokens,task", *(f"lab/en-{t},en,{t},en-de" for t in TOKENS)]
    (runs / "runs.csv").write_text("\n".join(lines))
    words = ["--manifest", "runs.csv", "--set", "eval_set={task}/toy", "--metric", "chrf"]
    assert run("score", "--hyp", "lab/*/hyp.en", "--ref", "ref.en", *words, "-o", "s.csv") == 0
    assert scalefit.read("s.csv").unique("eval_set") == ["en-de/toy"]


def test_a_system_that_the_pattern_does_not_fit_stops_it(runs, capsys):
    words = ["--pattern", "{corpus}_{pretrain_tokens}/x"]
    assert run("score", "--hyp", "lab/*/hyp.en", "--ref", "ref.en", *words) == 2
    assert "does not fit the pattern" in capsys.readouterr().err


def test_an_unquoted_glob_is_understood(runs, capsys):
    files = [f"lab/en-{tokens}/hyp.en" for tokens in TOKENS]
    code = run("score", "--hyp", *files, "--ref", "ref.en", "--metric", "chrf,ter", "--json")
    assert code == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert len(scores) == 6
    assert {row["system"] for row in scores} == set(files)


def test_json_statistics_and_paired_comparison(runs, capsys):
    words = ["--baseline", "lab/en-5M/hyp.en", "--segments", "kept", "--metric", "bleu", "--json"]
    assert run("score", "--hyp", "lab/*/hyp.en", "--ref", "ref.en", *words) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["scores"]) == 3
    assert [one["metric"] for one in shown["compared"]] == ["bleu"]
    kept = scalefit.SegmentStatistics.load(runs / "kept" / "bleu.npz")
    assert kept.segments == 120


def test_the_paired_comparison_reads_as_text(runs, capsys):
    words = ["--baseline", "lab/en-5M/hyp.en", "--metric", "bleu"]
    assert run("score", "--hyp", "lab/*/hyp.en", "--ref", "ref.en", *words) == 0
    assert "2 of 2 systems differ from lab/en-5M/hyp.en" in capsys.readouterr().out


def test_one_bad_file_does_not_stop_the_others_but_shows_in_the_exit_code(runs, capsys):
    (runs / "lab" / "en-5M" / "hyp.en").write_text("too short\n")
    assert run("score", "--hyp", "lab/*/hyp.en", "--ref", "ref.en", "-o", "s.csv",
               "--pattern", "{corpus}-{pretrain_tokens}") == 1  # fmt: skip
    assert "lab/en-5M/hyp.en has 1 lines, ref.en has 120" in capsys.readouterr().err
    assert len(scalefit.read("s.csv")) == 4


@pytest.mark.parametrize(
    "words",
    [
        "--hyp {0} {1} --ref ref.en more.en --metric bleu chrf",
        "--metric bleu chrf --ref ref.en --ref more.en --hyp {0} --hyp {1}",
        "--ref=ref.en more.en --metric bleu,chrf --hyp={0} {1}",
    ],
)
def test_words_belong_to_the_option_before_them(runs, capsys, words):
    (runs / "more.en").write_text((runs / "ref.en").read_text().upper())
    files = [f"lab/en-{tokens}/hyp.en" for tokens in TOKENS[:2]]
    assert run("score", *words.format(*files).split(), "--json") == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert [(row["system"], row["metric"]) for row in scores] == [
        (file, metric) for metric in ("bleu", "chrf") for file in files
    ]
    assert all(row["signature"].startswith("nrefs:2") for row in scores)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--metric", "bleu", "blue"], "unknown metric 'blue'; known: bleu"),
        (["--metric", "comet"], "no sources: COMET reads"),
        (["--metric", "bleu", "--tokenize", "klingon"], "does not take"),
        (["--set", "task"], "needed NAME=VALUE"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(runs, capsys, words, message):
    assert run("score", "--hyp", "lab/*/hyp.en", "--ref", "ref.en", *words) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert len(shown.strip().splitlines()) == 1
