"""``scalefit seeds`` and ``scalefit compare``."""

import json

import numpy as np
import pytest


@pytest.fixture
def results(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["corpus,pretrain_tokens,pretrain_seed,finetune_seed,domain,bleu"]
    for corpus, mean in (("near", 30), ("far", 24)):
        for p in range(3):
            run = rng.normal()
            for f in range(2):
                for domain in ("in", "out"):
                    value = mean + run + rng.normal(0, 0.3)
                    lines.append(f"{corpus},1000000,{p},{f},{domain},{value:.4f}")
    path = tmp_path / "results.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_seeds_show_components_in_and_out_of_domain(scalefit, results):
    ran = scalefit("seeds", results, "--metric", "bleu")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("bleu, in domain: ")
    assert "pretraining seed" in ran.out
    plain = json.loads(scalefit("seeds", results, "--metric", "bleu", "--json").out)
    assert [p["group"] for p in plain["parts"]] == [{"domain": "in"}, {"domain": "out"}]


def test_crossed_columns_of_ones_own_are_split(scalefit, results):
    asked = ("seeds", results, "--metric", "bleu", "--where", "domain=in", "--where", "corpus=near")
    crossed = ("--factors", "pretrain_seed,finetune_seed", "--json")
    (part,) = json.loads(scalefit(*asked, *crossed).out)["parts"]
    assert part["design"] == "crossed"
    assert [c["component"] for c in part["components"]] == [
        "pretrain_seed",
        "finetune_seed",
        "rest",
    ]
    wrong = scalefit(*asked, "--factors", "pretrain_seed,order_seed")
    assert wrong.code == 2
    assert "no column order_seed" in wrong.err


def test_seeds_needed(scalefit, results):
    ran = scalefit("seeds", results, "--metric", "bleu", "--difference", "3")
    assert ran.code == 0, ran.err
    assert "in: to tell a difference of 3 from 0" in ran.out
    ran = scalefit("seeds", results, "--metric", "bleu", "--half-width", "1", "--json")
    assert set(json.loads(ran.out)) == {"in domain", "out of domain"}


def test_compare(scalefit, results):
    ran = scalefit("compare", results, "--metric", "bleu", "--a", "near", "--b", "far", "--runs")
    assert ran.code == 0, ran.err
    assert "in: near beats far" in ran.out
    assert "bad decile" in ran.out
    ran = scalefit(
        "compare", "-", "--metric", "bleu", "--a", "corpus=near", "--b", "corpus=far", "--json",
        stdin=results.read_text(),
    )  # fmt: skip
    plain = json.loads(ran.out)
    assert [c["better"] for c in plain["contrasts"]] == ["near", "near"]
    assert plain["rankings"][0]["verdict"] == "survives"


def test_who_says_nothing_of_the_sides_or_the_metric_hears_what_there_is(scalefit, results):
    for given in ((), ("--a", "near"), ("--b", "near")):
        ran = scalefit("compare", results, *given)
        assert ran.code == 2
        assert "--a, and others, --b: values of corpus (far, near)" in ran.err
    assert "domain" in scalefit("compare", results, "--column", "models").err
    told = results.with_name("chrf.csv")
    told.write_text(results.read_text().replace("bleu", "chrf"))
    assert "near beats far" in scalefit("compare", told, "--a", "near", "--b", "far").out
    assert scalefit("seeds", told).out.startswith("chrf, in domain: ")


def test_errors_are_one_line(scalefit, results):
    ran = scalefit("compare", results, "--metric", "bleu", "--a", "near", "--b", "moon")
    assert ran.code == 2
    assert len(ran.err.strip().splitlines()) == 1
    assert "moon" in ran.err


def test_compare_over_test_examples(scalefit, tmp_path):
    rng = np.random.default_rng(1)
    lines = ["corpus,pretrain_tokens,pretrain_seed,sentence,accuracy"]
    for corpus, share in (("near", 0.8), ("far", 0.5)):
        for seed in range(3):
            right = rng.random(80) < share
            lines += [f"{corpus},1000000,{seed},{i},{int(v)}" for i, v in enumerate(right)]
    path = tmp_path / "examples.csv"
    path.write_text("\n".join(lines) + "\n")
    ran = scalefit(
        "compare",
        path,
        "--metric",
        "accuracy",
        "--a",
        "far",
        "--b",
        "near",
        "--example",
        "sentence",
    )
    assert ran.code == 0, ran.err
    assert ran.out.startswith("near beats far")
    assert "crossed seed × example ANOVA, 3 + 3 pretraining seeds × 80 examples" in ran.out
