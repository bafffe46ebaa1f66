"""Files by part: the parts' answers are those of their rows, kept as they come, never made twice, none lost."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.cli import main
from scalefit.doors import stream as streaming
from scalefit.errors import FormatError, MissingColumnError, TableError
from scalefit.ingest import parts

pytest.importorskip("pyarrow")
SIZES = np.geomspace(1e6, 1e9, 6)


def frame(curves=10):
    rng = np.random.default_rng(5)
    each = [
        pd.DataFrame(
            {
                "corpus": f"c{i:02}",
                "task": "en-fr" if i % 2 else "en-de",
                "pretrain_tokens": SIZES,
                "bleu": 30 - 200 * SIZES**-0.25 + rng.normal(0, 0.3, 6),
                "cross_entropy": 1.7 + 400 * SIZES**-0.3 + rng.normal(0, 0.003, 6),
            }
        )
        for i in range(curves)
    ]
    none = pd.DataFrame(
        {"corpus": None, "task": ["en-fr", "en-de"], "pretrain_tokens": 0.0, "bleu": 12.5}
    )
    return pd.concat([*each, none], ignore_index=True).sample(frac=1, random_state=1)


FRAME = frame()


@pytest.fixture
def files(tmp_path):
    FRAME.to_parquet(tmp_path / "runs.parquet", row_group_size=7)
    return tmp_path / "runs.parquet"


def ask(files, output, **options):
    asked = {"law": "log"} if options.get("door", "fit_each") == "fit_each" else {}
    return sf.stream(
        files,
        "bleu",
        output,
        by=["corpus", "task"],
        progress=False,
        **{"size": 4, **asked, **options},
    )


def equal(one, other):
    pd.testing.assert_frame_equal(one.answers(), other.answers(), check_exact=True)
    pd.testing.assert_frame_equal(one.failures(), other.failures())
    return True


def test_a_named_law_is_the_same_whatever_the_parts(files, tmp_path):
    usual = sf.fit_each(FRAME, "bleu", "log", by=["corpus", "task"]).to_frame()
    for size in (1, 4, 100):
        told = ask(files, tmp_path / f"out{size}", size=size)
        pd.testing.assert_frame_equal(told.answers(), usual, check_exact=True, check_dtype=False)
        assert sum(told.groups) == 10


def test_rows_of_a_part_stand_as_in_the_files(files, tmp_path):
    """pyarrow writes batches in any order, seldom in another: sums of floats then differ in their last digit."""
    source = parts.Files.of(files, ["corpus", "task"], {})
    keys = source.keys()
    for i in range(10):
        source.deal(tmp_path / str(i), [[key] for key in keys])
        for number, (corpus, task) in enumerate(keys):
            rows, shared = parts.part_of(tmp_path / str(i), number)
            mine = (FRAME.corpus == corpus) & (FRAME.task == task)
            assert rows.bleu.tolist() == FRAME.bleu[mine].tolist()
            assert shared.bleu.tolist() == FRAME.bleu[FRAME.corpus.isna()].tolist()


@pytest.mark.parametrize("door", ["fit_each", "forecast", "align"])
def test_every_door_and_executor(door, files, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    here = ask(files, tmp_path / "here", door=door)
    with ThreadPoolExecutor(2) as pool:
        assert equal(here, ask(files, tmp_path / "there", door=door, executor=pool))
    assert len(here.answers()) == 10
    assert not (tmp_path / "here" / streaming.DEALT).exists()


def test_rows_without_pretraining_belong_to_all(files, tmp_path):
    parted = ask(files, tmp_path / "out", door="align").answers()
    whole = sf.align(FRAME, quality="bleu", by=["corpus", "task"]).to_frame()
    columns = ["corpus", "task", "verdict"]
    assert sorted(map(tuple, parted[columns].to_numpy())) == sorted(
        map(tuple, whole[columns].to_numpy())
    )


@pytest.mark.parametrize("suffix", ["csv", "feather", "folder"])
def test_other_files(suffix, files, tmp_path):
    path = tmp_path / f"runs.{suffix}"
    if suffix == "folder":
        path.mkdir()
        FRAME[:30].to_parquet(path / "a.parquet")
        FRAME[30:].to_parquet(path / "b.parquet")
    elif suffix == "csv":
        FRAME.to_csv(path, index=False)
    else:
        FRAME.reset_index(drop=True).to_feather(path)
    assert equal(ask(files, tmp_path / "out"), ask(path, tmp_path / "other"))


def test_own_words(tmp_path):
    own = {"corpus": "Web", "pretrain_tokens": "Tokens", "bleu": "score", "task": "task"}
    FRAME.rename(columns=own).to_parquet(tmp_path / "own.parquet")
    FRAME.to_parquet(tmp_path / "runs.parquet")
    mapping = {"Web": "corpus", "score": "bleu"}
    told = ask(tmp_path / "own.parquet", tmp_path / "out", mapping=mapping)
    assert equal(told, ask(tmp_path / "runs.parquet", tmp_path / "usual"))


def test_what_fails_is_collected_and_costs_the_others_nothing(tmp_path):
    wrong = FRAME.copy()
    wrong.loc[wrong["corpus"] == "c03", "bleu"] = -5.0
    wrong.loc[(wrong["corpus"] == "c05") & (wrong["pretrain_tokens"] > 2e6), "bleu"] = np.nan
    wrong.to_parquet(tmp_path / "runs.parquet")
    told = ask(tmp_path / "runs.parquet", tmp_path / "out")
    lost = dict(told.failures().to_numpy())
    assert sorted(lost) == ["c03 · en-fr", "c05 · en-fr"]
    assert "found bleu -5" in lost["c03 · en-fr"]
    assert "cannot fix the 3 parameters" in lost["c05 · en-fr"]
    assert len(told.answers()) == 8
    assert "10 groups in 3 parts, 2 of them without an answer" in told.verdict


def test_what_is_done_is_not_done_again(files, tmp_path, monkeypatch):
    first = ask(files, tmp_path / "out")
    (tmp_path / "out" / "part-000001.parquet").unlink()
    asked = []
    real = streaming.DOORS["fit_each"]

    def counting(data, *args, **options):
        asked.append(len(data))
        return real(data, *args, **options)

    monkeypatch.setattr(streaming, "DOORS", {**streaming.DOORS, "fit_each": counting})
    assert equal(first, ask(files, tmp_path / "out"))
    assert len(asked) == 1
    assert equal(first, ask(files, tmp_path / "out"))
    assert len(asked) == 1


def test_another_question_is_another_folder(files, tmp_path):
    ask(files, tmp_path / "out")
    with pytest.raises(FormatError, match=r"another question: options differ"):
        ask(files, tmp_path / "out", law="power")
    with pytest.raises(FormatError, match=r"another question: size differ"):
        ask(files, tmp_path / "out", size=3)
    FRAME[:50].to_parquet(files)
    with pytest.raises(FormatError, match=r"another question: files differ"):
        ask(files, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"by": ["corpse"]}, MissingColumnError, "no column 'corpse'"),
        ({"door": "rank"}, FormatError, "needed align, fit_each, forecast"),
        ({"size": 0}, FormatError, "at least one group"),
        ({"data": "no.parquet"}, FormatError, "no.parquet"),
        ({"data": {"pretrain_tokens": [1e6]}}, FormatError, "found dict; needed the path"),
        ({"data": []}, FormatError, "found list; needed the path"),
        ({"data": "notes.txt"}, FormatError, "needed files of one kind"),
        ({"data": "broken.parquet"}, FormatError, "cannot be read by part"),
        ({"data": "none.parquet"}, TableError, "above 0"),
    ],
)
def test_bad_questions(change, error, words, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("words")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    FRAME[FRAME["pretrain_tokens"] == 0].to_parquet("none.parquet")
    asked = {"data": files, "metric": "bleu", "output": "out", "by": ["corpus"], **change}
    with pytest.raises(error, match=words):
        sf.stream(**asked)


def test_too_many_rows_for_all(files, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "MOST_IN_EVERY_PART", 1)
    with pytest.raises(TableError, match="would stand in every part"):
        ask(files, tmp_path / "out")


def test_no_bar_but_the_one_over_all_parts(files, tmp_path, capsys):
    frame(60).to_parquet(files)
    ask(files, tmp_path / "out", size=100)
    assert capsys.readouterr().err == ""


def test_the_command(files, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["stream", str(files), "--metric", "bleu", "--by", "corpus,task", "--law", "log",
              "--size", "4", "-o", str(tmp_path / "shell")])  # fmt: skip
    assert end.value.code in (0, None)
    assert "10 groups in 3 parts" in capsys.readouterr().out
    shell = sf.Streamed(str(tmp_path / "shell"), (4, 4, 2), (0, 0, 0))
    assert equal(shell, ask(files, tmp_path / "out"))


CALL = """
import sys, scalefit as sf
if __name__ == "__main__":
    sf.stream(sys.argv[1], "bleu", sys.argv[2], by=["corpus", "task"], law="log", size=1, progress=False)
"""


@pytest.mark.slow
def test_killed_and_called_again_it_goes_on(files, tmp_path):
    usual, output = ask(files, tmp_path / "usual", size=1), tmp_path / "out"
    kept = {}
    for least in (2, 6):
        call = subprocess.Popen([sys.executable, "-c", CALL, files, output])
        while len(done := sorted(output.glob("part-*.parquet"))) < least and call.poll() is None:
            time.sleep(0.01)
        os.kill(call.pid, signal.SIGKILL)
        call.wait()
        for path in done:
            assert kept.setdefault(path.name, path.stat().st_mtime_ns) == path.stat().st_mtime_ns
    assert equal(usual, ask(files, output, size=1))
    for name, when in kept.items():
        assert (output / name).stat().st_mtime_ns == when
