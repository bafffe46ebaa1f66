"""``scalefit forecast`` and ``scalefit report``: the main job on real measured runs."""

import json
from pathlib import Path

import pandas as pd
import pytest

import scalefit as sf

RUNS = Path(__file__).with_name("first_part.csv")


def test_the_main_job_says_what_to_choose_prints_a_table_and_saves_the_picture(scalefit, tmp_path):
    path = tmp_path / "forecast.png"
    ran = scalefit("forecast", RUNS, "--target-bleu", "12", "-o", path)
    lines = ran.out.splitlines()
    assert ran.code == 0
    assert lines[0] == sf.forecast(RUNS, target=12).reached
    assert lines[1] == "Which corpus to choose:"
    assert lines[2].strip() == sf.rank(RUNS, target=12).only.verdict
    assert path.read_bytes().startswith(b"\x89PNG")


def test_what_is_left_out_is_said(scalefit):
    ran = scalefit("forecast", RUNS, "--target-bleu", "12")
    assert (
        "note: 26 out-of-domain rows are left out; choose them with --where domain=out" in ran.err
    )


def test_json_holds_verdict_and_mixtures_and_feeds_other_commands(scalefit):
    ran = scalefit("forecast", RUNS, "--target-bleu", "12", "--json")
    content = json.loads(ran.out)
    assert "to reach BLEU 12 within 10×" in content["verdict"]
    assert set(content["groups"][0]["curves"]) == {"cross_entropy", "bleu"}
    tokens = scalefit("tokens", "-", "--target", "12", stdin=ran.out)
    assert len(tokens.out.splitlines()) == 2
    assert "a mixture of laws" in tokens.out


def test_sizes_may_be_asked_for_instead_of_a_target(scalefit):
    ran = scalefit("forecast", RUNS, "--at", "10M,30M")
    assert ran.code == 0
    assert ran.out.split("Each metric")[0].count("30M") >= 2  # of BLEU and of cross-entropy


def test_two_targets_are_one_too_many(scalefit):
    ran = scalefit("forecast", RUNS, "--target", "12", "--target-bleu", "12")
    assert ran.code == 2
    assert ran.err.startswith("scalefit: give one target: --target-bleu 20, or e.g.")


def test_an_impossible_target_is_refused(scalefit):
    ran = scalefit("forecast", RUNS, "--target-bleu", "200")
    assert ran.code == 2
    assert "target is 200; bleu lies between 0 and 100" in ran.err


def test_a_wrong_suffix_is_refused_before_the_work(scalefit, tmp_path):
    ran = scalefit("forecast", "nofile.csv", "--target-bleu", "12", "-o", tmp_path / "x.xyz")
    assert ran.code == 2
    assert "its suffix must say what to write: .png, .svg, .pdf" in ran.err


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "html", "md", "tex", "svg"])
def test_the_suffix_says_what_to_write(scalefit, tmp_path, suffix):
    path = tmp_path / f"forecast.{suffix}"
    assert scalefit("forecast", RUNS, "--target-bleu", "12", "-o", path).code == 0
    assert "12" in path.read_text(encoding="utf-8")


def test_a_forecast_is_logged_and_scored(scalefit, tmp_path):
    log = tmp_path / "forecasts.jsonl"
    ran = scalefit("forecast", RUNS, "--at", "10M", "--log", log)
    assert f"logged 4 forecasts in {log}" in ran.err
    assert sf.forecast_score(RUNS, log).waiting == 4


def test_the_report_is_one_page_with_the_choice_first(scalefit, tmp_path):
    path = tmp_path / "report.html"
    ran = scalefit("report", RUNS, "--target", "12", "-o", path)
    page = path.read_text(encoding="utf-8")
    assert (ran.code, ran.out) == (0, "")
    assert "<h1>Transfer scaling: first_part.csv</h1>" in page
    assert page.count("<svg") == 3  # the forecast, the explorer, alignment
    assert page.index("Which to choose: tokens for BLEU 12") < page.index("Forecast of BLEU 12")
    assert "Does each corpus help the task?" in page
    assert page.count("sha256:") == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rank", RUNS, "--at", "10M"), "P(best)"),
        (
            ("rank", RUNS, "--target", "12", "--cost", "en=1", "--cost", "fr+en=2"),
            "then at a cost of about",
        ),
        (("value", RUNS), "pretraining on 2.56M gains"),
        (("plan", RUNS, "--at", "10M", "--enough", "0.99"), "P(right choice)"),
        (("backtest", RUNS, "--hold-out", "1"), "best baseline"),
    ],
)
def test_the_other_questions_answer_in_words_and_in_json(scalefit, arguments, said):
    ran = scalefit(*arguments)
    assert ran.code == 0, ran.err
    assert said in ran.out
    content = json.loads(scalefit(*arguments, "--json").out)
    assert content["verdict"] in ran.out.splitlines()[0]


def test_the_level_that_is_asked_for_is_the_level_of_the_intervals_shown(scalefit, tmp_path):
    size = [1e8, 4e8, 16e8, 64e8, 256e8]
    rows = {"corpus": ["a"] * 5, "pretrain_tokens": size, "bleu": [11.2, 14.1, 17.3, 19.8, 22.9]}
    pd.DataFrame(rows).to_csv(tmp_path / "r.csv", index=False)
    widths = []
    for level in (0.5, 0.8, 0.95):
        outlook = sf.forecast(rows, at="100B", level=level)[0]
        row = outlook.rows()[0]
        low, high = outlook.ahead["bleu"].interval(level)
        assert (row["bleu_at_100B_low"], row["bleu_at_100B_high"]) == (low[0], high[0])
        ran = scalefit("forecast", tmp_path / "r.csv", "--at", "100B", "--level", level)
        assert f"{low[0]:.4g}, {high[0]:.4g}" in ran.out
        assert f"{level:.0%} intervals" in ran.out
        assert "none" not in ran.out
        widths.append(high[0] - low[0])
    assert widths == sorted(set(widths))


def test_where_nothing_can_be_forecast_the_line_says_why():
    one = {"pretrain_tokens": [1e9] * 2, "corpus": ["a", "b"], "bleu": [12.25, 13.75]}
    assert "no forecast: bleu was measured at one size" in sf.forecast(one, target=20).verdict
