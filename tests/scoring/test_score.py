"""The public ``score``: a table, one row per system and metric, and clear words for bad input."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF, TER

from scalefit.errors import MissingDependencyError, ScoringError
from scalefit.scoring import measure, sacre
from scalefit.scoring.cache import Cache
from scalefit.scoring.checkpoint import Comet
from scalefit.scoring.score import score, score_systems

METRICS = ("bleu", "chrf", "chrf++", "ter")


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def values(table):
    columns = (table.column(name) for name in ("system", "metric", "value"))
    return {(system, metric): value for system, metric, value in zip(*columns, strict=True)}


def test_files_become_a_table_of_sacrebleus_scores(folder, corpus):
    table = score(str(folder / "runs/*/hyp.en"), folder / "ref.en", metrics=METRICS, cache=False)
    assert len(table) == 12
    found = values(table)
    theirs = {"bleu": BLEU(), "chrf": CHRF(), "chrf++": CHRF(word_order=2), "ter": TER()}
    for name, lines in corpus.systems.items():
        for metric, sacrebleus in theirs.items():
            expected = sacrebleus.corpus_score(lines, [corpus.references]).score
            assert found[str(folder / "runs" / name / "hyp.en"), metric] == expected
    assert set(table.column("signature")) >= {str(BLEU(references=[["a"]]).get_signature())}
    assert (table.column("stderr") > 0).all()
    assert str(folder / "runs/poor/hyp.en") in table.column("source")
    assert table.notes == ("stderr: bootstrap over 120 segments, 1,000 resamples, seed 12345",)


@pytest.mark.parametrize("wrap", [list, tuple])
def test_plain_lines_are_one_system(wrap, corpus):
    table = score(
        wrap(corpus.systems["good"]), wrap(corpus.references), metrics="bleu", cache=False
    )
    assert table.unique("system") == ["hypotheses"]


def test_several_references(folder, corpus):
    (folder / "ref2.en").write_text("\n".join(corpus.others) + "\n")
    expected = BLEU().corpus_score(corpus.systems["poor"], [corpus.references, corpus.others])
    for references in (
        [folder / "ref.en", folder / "ref2.en"],
        [corpus.references, corpus.others],
    ):
        table = score(corpus.systems["poor"], references, metrics=["bleu"], cache=False)
        assert table.column("value")[0] == expected.score
        assert "nrefs:2" in table.column("signature")[0]


def test_settings_and_columns_reach_rows_and_signature(corpus):
    table = score(
        {"a": corpus.systems["good"]},
        corpus.references,
        metrics=["bleu"],
        tokenize="char",
        settings={"bleu": {"lowercase": True}},
        columns={"eval_set": "toy", "pretrain_tokens": 1e6},
        cache=False,
    )
    assert "case:lc" in table.column("signature")[0]
    assert "tok:char" in table.column("signature")[0]
    assert table.column("pretrain_tokens")[0] == 1e6
    assert table.unique("eval_set") == ["toy"]


def test_very_low_scores_are_scores_not_fractions():
    table = score(["a b c d e f g"], ["a h i j k l m"], metrics=["bleu"], cache=False)
    assert 0 <= table.column("value")[0] < 12
    assert np.isnan(table.column("stderr")[0])
    assert "no stderr: one segment has nothing to resample" in table.notes


BAD = {
    "short": ("a\nb\n", "bad.en has 2 lines, .*ref.en has 120: 118 fewer"),
    "long": ("a b\n" * 121, "bad.en has 121 lines, .* 1 more"),
    "gaps": ("x\n" * 60 + "\n" + "  \n" + "x\n" * 58, r"2 of 120 lines .*\(first: line 61\)"),
    "latin": (b"sch\xf6n\n" * 120, "bad.en, line 1: byte 0xf6 is not UTF-8"),
    "empty": ("", "bad.en: the file is empty"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_named_and_the_others_are_scored(kind, folder):
    content, message = BAD[kind]
    write(folder / "runs/bad/bad.en", content)
    found = score_systems(
        str(folder / "runs/*/*.en"),
        folder / "ref.en",
        metrics=["chrf"],
        cache=False,
    )
    assert len(found.table) == 3
    (problem,) = found.problems
    assert any(note == f"left out: {problem}" for note in found.table.notes)
    with pytest.raises(ScoringError, match=message):
        raise ScoringError(problem)


def test_empty_lines_are_scored_when_they_are_meant(corpus):
    lines = ["", *corpus.systems["good"][1:]]
    with pytest.raises(ScoringError, match=r"1 of 120 lines are empty .*allow_empty=True"):
        score(lines, corpus.references, metrics=["bleu"], cache=False)
    table = score(lines, corpus.references, metrics=["bleu"], cache=False, allow_empty=True)
    expected = BLEU().corpus_score(lines, [corpus.references]).score
    assert table.column("value")[0] == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"metrics": ["blue"]}, "unknown metric 'blue'; known: bleu, chrf, chrf.., ter, comet"),
        ({"metrics": []}, "no metric; known"),
        ({"metrics": ["comet"]}, r"no sources: COMET reads what was translated; .*--src"),
        ({"references": None}, r"no references: .*--ref"),
        ({"references": []}, "references: no segments"),
        ({"references": "gone.en"}, "gone.en: cannot be read"),
        ({"references": ["a", ""]}, "references: 1 of 2 lines are empty"),
        ({"references": [["a", "b"], ["a"]]}, "references 2 has 1 lines, references 1 has 2"),
        ({"sources": ["x"]}, "sources has 1 lines, references has 2"),
        ({"hypotheses": {}}, "no hypotheses"),
        ({"hypotheses": []}, "hypotheses: no segments"),
        ({"hypotheses": {"a": ["x", 3]}}, "a, segment 2: found int 3, needed a string"),
        ({"hypotheses": "gone/*.en"}, "no file matches"),
        ({"tokenise": "zh"}, "tokenise.*further options are tokenize"),
    ],
)
def test_what_does_not_fit_together_is_said(given, message):
    usual = {"hypotheses": ["a", "b"], "references": ["a", "b"], "metrics": ["bleu"]}
    with pytest.raises(ScoringError, match=message):
        score(**{"cache": False, **usual, **given})


@pytest.mark.parametrize(
    ("given", "message"),
    [({"precision": "int8"}, "fp16"), ({"gpus": 2}, "needed 0 or 1"), ({"batch_size": 0}, "1 or")],
)
def test_comet_options_are_checked(given, message):
    with pytest.raises(ScoringError, match=message):
        Comet(**given)


def test_without_comet_one_line_says_what_to_install(monkeypatch):
    def absent(name):
        from importlib.metadata import PackageNotFoundError

        raise PackageNotFoundError(name)

    monkeypatch.setattr("scalefit.scoring.checkpoint.metadata.version", absent)
    with pytest.raises(
        MissingDependencyError, match=r"pip install 'transfer-scalefit\[comet\]'"
    ) as e:
        score(["a"], ["a"], ["a"], cache=False)
    assert "\n" not in str(e.value)


def test_tokenized_output_is_noted():
    lines = ["a b ."] * 100
    table = score(lines, lines, metrics=["bleu"], cache=False)
    assert any("100 lines end in a tokenized period" in note for note in table.notes)


def test_a_rerun_counts_only_what_is_new(folder, corpus, monkeypatch):
    cache = folder / "c.sqlite"
    first = score(str(folder / "runs/*/hyp.en"), folder / "ref.en", None, METRICS, cache=cache)
    counted = []
    real = sacre.Scorer.statistics
    monkeypatch.setattr(
        sacre.Scorer,
        "statistics",
        lambda self, lines: counted.append(self.spec.metric) or real(self, lines),
    )
    again = score(str(folder / "runs/*/hyp.en"), folder / "ref.en", None, METRICS, cache=cache)
    assert counted == []
    assert values(again) == values(first)
    write(folder / "runs/new/hyp.en", "\n".join(corpus.others) + "\n")
    score(str(folder / "runs/*/hyp.en"), folder / "ref.en", None, METRICS, cache=cache)
    assert sorted(counted) == sorted(METRICS)
    score(
        str(folder / "runs/new/hyp.en"),
        folder / "ref.en",
        None,
        ["bleu"],
        cache=cache,
        tokenize="char",
    )
    assert counted[-1:] == ["bleu"]
    assert len(counted) == 5


@pytest.mark.slow
def test_several_processes_give_the_same(folder, monkeypatch):
    monkeypatch.setattr(measure, "WORTH_PROCESSES", 0)
    given = (str(folder / "runs/*/hyp.en"), folder / "ref.en", None, ("bleu", "chrf"))
    assert values(score(*given, cache=False, workers=2)) == values(score(*given, cache=False))


RUN = """
import sys, time
from scalefit.scoring import sacre, score

real = sacre.Scorer.statistics
def slow(self, lines):
    time.sleep(0.2)
    print("counted", flush=True)
    return real(self, lines)
sacre.Scorer.statistics = slow
score.score(sys.argv[1], sys.argv[2], metrics=["bleu", "chrf"], cache=sys.argv[3], progress=False)
print("done", flush=True)
"""


def run(folder):
    arguments = [str(folder / "runs/*/hyp.en"), str(folder / "ref.en"), str(folder / "c.sqlite")]
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments], stdout=subprocess.PIPE, text=True
    )


def test_killed_half_way_it_resumes_without_repeating_work(folder):
    first = run(folder)
    seen = [first.stdout.readline() for _ in range(3)]
    os.kill(first.pid, signal.SIGKILL)
    counted = len(seen) + first.communicate()[0].count("counted")
    second = run(folder).communicate()[0].split()
    assert second[-1] == "done"
    # What was being counted when the signal came may not have been stored.
    assert counted + second.count("counted") in (6, 7)


PARENT = """
import os, sys
from scalefit.scoring import measure
from scalefit.scoring.cache import Cache
from scalefit.scoring.sacre import SacreSpec

def main():
    lines = tuple("a b c d e" for _ in range(40_000))
    tasks = [measure.Task(str(i), SacreSpec("chrf"), lines, bytes([i])) for i in range(8)]
    with Cache(False) as cache:
        for task, _ in measure.extract(tasks, (lines[:100],), cache, measure.Scoring(workers=2, progress=False)):
            import multiprocessing
            print(*[child.pid for child in multiprocessing.active_children()], flush=True)

if __name__ == "__main__":
    main()
"""


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    children = [int(pid) for pid in parent.stdout.readline().split()]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert len(children) == 2
    deadline = time.monotonic() + 20
    while any(map(alive, children)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, children))


def test_an_error_in_a_worker_reaches_the_caller(monkeypatch):
    monkeypatch.setattr(measure, "WORTH_PROCESSES", 0)
    work = [
        measure.Task("a", sacre.SacreSpec("bleu", {"tokenize": "x"}), ("a",), bytes([i]))
        for i in range(2)
    ]
    with Cache(False) as cache, pytest.raises(ScoringError, match="does not take"):
        list(measure.extract(work, (("a",),), cache, measure.Scoring(workers=2, progress=False)))


def test_asking_for_score_loads_neither_torch_nor_sacrebleu():
    code = "import sys, scalefit; scalefit.score; print({'torch', 'sacrebleu'} & {*sys.modules})"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
