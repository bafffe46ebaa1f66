"""The explorer's controls, turned from code as a hand would turn them."""

import re
import sys

import pytest

import scalefit as sf
from scalefit.errors import MissingDependencyError

pytest.importorskip("ipywidgets")
SIZES = [1e6, 4e6, 16e6, 64e6, 256e6]
TABLE = {
    "corpus": ["fr"] * 5 + ["<b>en</b>"] * 5,
    "pretrain_tokens": SIZES * 2,
    "pretrain_seed": [1] * 10,
    "source": [f"runs.csv:{line}" for line in range(2, 12)],
    "bleu": [5.0, 9.1, 12.9, 17.0, 21.1, 3.0, 7.1, 10.9, 15.0, 19.1],
}


@pytest.fixture
def explorer():
    made = sf.explore(TABLE)
    made.curve.value, made.law.value = "fr", "log"
    return made


def words(widget):
    return re.sub(r"<[^>]*>", " ", widget.value)


def test_it_begins_with_the_answer_of_the_first_curve(explorer):
    fit = sf.fit(TABLE, "bleu", "log", where={"corpus": "fr"})
    assert f"typical error {fit.typical_error:.3g}" in words(explorer.answer)
    assert explorer.picture.value.startswith("<svg")


def test_target_and_budget_add_their_answers(explorer):
    before = explorer.answer.value.count("<p>")
    explorer.target.value = "24"
    explorer.budget.value = "1B"
    assert explorer.answer.value.count("<p>") == before + 2
    fit = sf.fit(TABLE, "bleu", "log", where={"corpus": "fr"})
    assert sf.tokens_for(fit, 24.0, level=0.8).verdict.split(": ")[-1][:20] in words(
        explorer.answer
    )
    at = sf.predict(fit, "1B", level=0.8, kind="run")[0]
    assert f"{at.estimate:.4g}" in words(explorer.answer)
    assert "target 24" in words(explorer.picture)


def test_another_level_gives_another_interval_and_another_law_another_fit(explorer):
    explorer.budget.value = "1B"
    said = explorer.answer.value
    explorer.level.value = 0.95
    assert explorer.answer.value != said
    explorer.law.value = "ceiling"
    assert "ceiling law" in words(explorer.answer)
    explorer.law.value = "mixture"
    assert "by a mixture" in words(explorer.answer)


def test_what_the_picture_says_of_its_band_is_the_level_asked_for(explorer):
    explorer.level.value = 0.9
    assert "90% band of a new run" in words(explorer.picture)


def test_no_law_is_offered_that_cannot_follow_a_curve_of_sizes(explorer):
    assert {"log", "ceiling"} < set(explorer.law.options)
    assert not {"power", "loss_to_loss", "ce_to_bleu"} & set(explorer.law.options)


def test_a_run_tells_its_file_and_line(explorer):
    titles = re.findall(r"<title>(.*?)</title>", explorer.picture.value)
    assert titles[0] == "fr: 5 at 1M, runs.csv:2, pretraining seed 1"
    assert [t.split(", ")[1] for t in titles] == [f"runs.csv:{line}" for line in range(2, 7)]


def test_where_there_are_no_widgets_it_shows_what_they_say(explorer):
    shown = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert shown["text/html"] == explorer.answer.value + explorer.picture.value


def test_names_from_the_table_stay_text(explorer):
    explorer.curve.value = "<b>en</b>"
    assert "<b>" not in explorer.answer.value + explorer.picture.value


def test_what_has_no_answer_says_why_and_shows_no_old_picture(explorer):
    explorer.budget.value = "many"
    assert "many" in words(explorer.answer)
    assert explorer.picture.value == ""
    explorer.budget.value = ""
    assert explorer.picture.value.startswith("<svg")


def test_without_ipywidgets_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(MissingDependencyError, match=r"transfer-scalefit\[notebook\]"):
        sf.explore(TABLE)


def test_an_explorer_is_one_line_where_no_widgets_show_it():
    table = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6], "bleu": [5.2, 9.1, 12.9, 17.3]}
    assert repr(sf.explore(table)) == "Explorer of BLEU: 1 curve"
