"""``scalefit joint`` and ``--pool``: both say in the shell what Python says."""

import json
from pathlib import Path

import pytest

import scalefit as sf

RUNS = Path(__file__).parents[2] / "data" / "transfer_lab" / "results.csv"
ONE = ("--where", "task=en-fr", "--where", "corpus=fr")


@pytest.fixture(scope="module")
def surface():
    return sf.fit_joint(RUNS, "bleu", where={"task": "en-fr", "corpus": "fr"})


def test_pairs_of_sizes_and_the_tokens_of_a_target_are_those_of_python(scalefit, surface):
    ran = scalefit("joint", RUNS, *ONE, "--at", "100M", "--finetune", "64k", "--target", "14")
    assert ran.code == 0
    assert surface.verdict in ran.out
    assert surface.predict(1e8, 64e3).verdict in ran.out
    assert (
        ran.out.splitlines()[-1]
        == f"at 64k finetuning tokens: {surface.tokens_for(14, 64e3).verdict}"
    )


def test_json_holds_the_forecast_and_the_heat_map_is_saved(scalefit, surface, tmp_path):
    path = tmp_path / "grid.png"
    ran = scalefit("joint", RUNS, *ONE, "--at", "100M", "--finetune", "64k", "--json", "-o", path)
    content = json.loads(ran.out)
    assert content["surface"]["verdict"] == surface.verdict
    assert content["forecast"]["verdict"] == surface.predict(1e8, 64e3).verdict
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_size_asked_for_without_a_finetuning_size_says_what_is_missing(scalefit):
    ran = scalefit("joint", RUNS, *ONE, "--at", "100M")
    assert ran.code == 2
    assert "give --finetune" in ran.err


@pytest.mark.parametrize("command", ["forecast", "fit"])
def test_pool_says_which_curves_learn_from_each_other(scalefit, command):
    ask = [command, RUNS, "--where", "task=en-fr", "--metric", "bleu", "--json"]
    auto, alone = (json.loads(scalefit(*ask, *o).out) for o in ([], ["--pool", "none"]))
    assert auto != alone
    ran = scalefit(*ask, "--pool", "color")
    assert ran.code == 2
    assert "columns that make the groups" in ran.err
