"""``scalefit forecast`` and ``scalefit report``: the main job on real measured runs."""

import json
from pathlib import Path

import pytest

import scalefit as sf

RUNS = Path(__file__).with_name("first_part.csv")


def test_the_main_job_prints_a_table_and_saves_the_picture(scalefit, tmp_path):
    path = tmp_path / "forecast.png"
    ran = scalefit("forecast", RUNS, "--target-bleu", "12", "-o", path)
    assert ran.code == 0
    assert ran.out.splitlines()[0] == "task en-fr · finetune tokens 128k · largest tokens 2.56M"
    assert ran.out.splitlines()[-1] == sf.forecast(sf.read(RUNS), 12).verdict
    assert path.read_bytes().startswith(b"\x89PNG")


def test_what_is_left_out_is_said(scalefit):
    ran = scalefit("forecast", RUNS, "--target-bleu", "12")
    assert "note: 26 out-of-domain rows are left out; choose them with where domain=out" in ran.err


def test_json_holds_verdict_and_both_fits_and_feeds_other_commands(scalefit):
    ran = scalefit("forecast", RUNS, "--target-bleu", "12", "--json")
    content = json.loads(ran.out)
    assert content["verdict"].startswith("1 of 2 groups reach BLEU 12")
    first = content["groups"][0]
    assert (first["loss"]["metric"], first["quality"]["metric"]) == ("cross_entropy", "bleu")
    tokens = scalefit("tokens", "-", "--target", "12", stdin=ran.out)
    assert len(tokens.out.splitlines()) == 2


@pytest.mark.parametrize("options", [(), ("--target", "12", "--target-bleu", "12")])
def test_one_target_is_needed(scalefit, options):
    ran = scalefit("forecast", RUNS, *options)
    assert ran.code == 2
    assert ran.err == (
        "scalefit: give one target: --target-bleu 20, or e.g. --target 50 --quality chrf\n"
    )


def test_an_impossible_target_is_refused(scalefit):
    ran = scalefit("forecast", RUNS, "--target-bleu", "200")
    assert ran.code == 2
    assert "scalefit: target is 200; bleu lies between 0 and 100\n" in ran.err


def test_the_report_is_one_page_with_picture_fits_and_signatures(scalefit, tmp_path):
    path = tmp_path / "report.html"
    ran = scalefit("report", RUNS, "--target", "12", "-o", path)
    page = path.read_text(encoding="utf-8")
    assert (ran.code, ran.out) == (0, "")
    assert "<h1>Transfer scaling: first_part.csv</h1>" in page
    assert page.count("<svg") == 2
    assert "Does each corpus help the task?" in page
    assert page.count("law:power|") == page.count("law:log|") == 2
    assert "BLEU: log law" in page
