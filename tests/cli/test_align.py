"""``scalefit align`` and ``scalefit similarity``: output, exit codes, one-line errors."""

import json

import pandas as pd
import pytest

from scalefit.cli.align import ALARM

SIZES = (1e6, 4e6, 16e6, 64e6)


@pytest.fixture
def results(tmp_path):
    def write(bleu):
        rows = [
            {"pretrain_tokens": d, "pretrain_seed": s, "bleu": b + 0.1 * (s * (k + 1) % 3),
             "cross_entropy": 3 - 0.1 * k + 0.003 * (s * (k + 2) % 4)}
            for k, (d, b) in enumerate(zip(SIZES, bleu, strict=True)) for s in (1, 2, 3)
        ]  # fmt: skip
        path = tmp_path / "results.csv"
        pd.DataFrame(rows).to_csv(path, index=False)
        return str(path)

    return write


def test_verdict_and_alarm(scalefit, results):
    ran = scalefit("align", results([20, 23, 24, 21]), "--fail-on", "misaligned")
    assert ran.code == ALARM
    assert "MISALIGNED, deteriorating" in ran.out
    assert scalefit("align", results([20, 23, 25, 27]), "--fail-on", "any").code == 0


def test_json_and_picture(scalefit, results, tmp_path):
    picture = tmp_path / "out.png"
    ran = scalefit("align", results([20, 23, 24, 21]), "--json", "--plot", picture)
    found = json.loads(ran.out)["results"][0]
    assert (found["verdict"], found["flag_holm"]) == ("deteriorating", "misaligned")
    assert picture.stat().st_size > 5000


def test_where_and_map_choose_what_is_judged(scalefit, results):
    path = results([20, 23, 24, 21])
    frame = pd.read_csv(path).rename(columns={"pretrain_tokens": "tokens"})
    frame["task"] = "en-fr"
    pd.concat([frame, frame.assign(task="en-de", bleu=frame["bleu"] * 0 + 30)]).to_csv(
        path, index=False
    )
    ran = scalefit(
        "align", path, "--map", "tokens=pretrain_tokens", "--where", "task=en-fr", "--json"
    )
    assert [found["group"].get("task") for found in json.loads(ran.out)["results"]] == ["en-fr"]
    follow = ("--follow", "--every", "0", "--looks", "1", "--fail-on", "misaligned")
    for task, code in (("en-fr", ALARM), ("en-de", 0)):
        ran = scalefit(
            "align", path, "--map", "tokens=pretrain_tokens", "--where", f"task={task}", *follow
        )
        assert ran.code == code


def test_follow_reads_again_and_stops(scalefit, results):
    arguments = ["align", results([20, 23, 24, 21]), "--follow", "--every", "0", "--looks", "2"]
    ran = scalefit(*arguments)
    assert (ran.code, ran.out.count("MISALIGNED, stop")) == (0, 1)
    assert scalefit(*arguments, "--fail-on", "misaligned").code == ALARM


def test_errors_are_one_line(scalefit, results):
    ran = scalefit("align", results([20, 23, 24, 25]), "--fail-on", "never")
    listed = "misaligned, suspected, deteriorating, any"
    assert (ran.code, ran.err) == (2, f"scalefit: --fail-on never: needed one of {listed}\n")


def test_similarity(scalefit, tmp_path):
    for name, text in (("corpus", "a red house\n"), ("src", "a house\n"), ("tgt", "une maison\n")):
        (tmp_path / name).write_text(text)
    paths = [tmp_path / name for name in ("corpus", "src", "tgt")]
    ran = scalefit("similarity", *paths, "--json")
    assert json.loads(ran.out)["source"]["out_of_vocabulary"] == 0
    assert scalefit("similarity", *paths, "--source-share", "1").code == 2
    told = scalefit("similarity", *paths, "--test", tmp_path / "src").out
    assert "none of 1 test lines lies in the corpus" in told
    told = scalefit("similarity", *paths, "--test", tmp_path / "corpus").out
    assert "1 of 1 test lines stand in the corpus" in told
