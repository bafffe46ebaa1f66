"""Rank, value, plan and allocate in the shell: what is wrong is said in one line, and what is right is answered."""

import json

import numpy as np
import pytest

SETTING = ["--where", "task=en-fr"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two corpora and none, over both sizes."""
    rng, lines = np.random.default_rng(0), ["corpus,task,pretrain_tokens,finetune_tokens,bleu"]
    for corpus, gain in (("none", 0.0), ("fr", 2.0), ("en", 1.5)):
        for p in [0] if corpus == "none" else [1e6, 4e6, 16e6, 64e6]:
            for f in (1e4, 4e4, 16e4):
                bleu = 3 * np.log10(f) + gain * np.log10(max(p, 1e5) / 1e5) + 0.1 * rng.normal()
                lines.append(f"{corpus},en-fr,{p:g},{f:g},{bleu:.3f}")
    path = tmp_path_factory.mktemp("choose") / "results.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("rank", "say what they are ranked by"),
        ("rank --at ''", "with nothing in it"),
        ("rank --at 1,2", "needed one number"),
        ("rank --at nan", "is no number"),
        ("rank --at -5", "is no size"),
        ("rank --at 1", "below the smallest"),
        ("rank --target 200", "lies between"),
        ("rank --target 20 --cost ''", "with nothing in it"),
        ("rank --target 20 --cost 0", "lies above 0"),
        ("rank --target 20 --cost fr=1 --cost en=-1", "a cost lies above 0"),
        ("rank --target 20 --cost fr=1 --cost en=1 --cost code=1", "no curve is called that"),
        ("rank --at 1B --where corpus=fr", "nothing to rank"),
        ("plan --at ''", "with nothing in it"),
        ("plan --budget 0 --where finetune_tokens=40k", "--budget 0"),
        ("plan --cost nan --where finetune_tokens=40k", "a cost lies above 0"),
        ("plan --at 1 --where finetune_tokens=40k", "below the smallest"),
        ("plan --where corpus=fr --where finetune_tokens=40k", "two curves at least"),
        ("plan --goal tokens", "--target 30"),
        ("value --baseline corpus", "needed NAME=VALUE"),
        ("value --where pretrain_tokens>0", "name its rows with --baseline"),
        ("value --baseline corpus=nobody", "nobody"),
        ("allocate --way transfer --where corpus=fr", "say what is split"),
        ("allocate --way transfer --where corpus=fr --budget ''", "with nothing in it"),
        ("allocate --way transfer --where corpus=fr --budget 0", "above 0"),
        ("allocate --way transfer --where corpus=fr --budget 1", "buys nothing"),
        ("allocate --way transfer --where corpus=fr --target 200", "lies between"),
        ("allocate --way transfer --where corpus=fr --budget 1e9 --price fr=1", "must name both"),
        ("allocate --way transfer --budget 1e9", "choose one with"),
        ("allocate --way isoflop --budget 1e9", "leave --budget"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(scalefit, results, line, why):
    words = [word.replace("''", "") for word in line.split()]
    ran = scalefit(words[0], results, *words[1:])
    assert ran.code == 2, ran.out
    said = [text for text in ran.err.splitlines() if text.startswith("scalefit:")]
    assert len(said) == 1
    assert why in said[0]
    assert "Traceback" not in ran.err


def test_splits_and_values_in_json(scalefit, results):
    prices = ["--price", "pretrain_tokens=1", "--price", "finetune_tokens=100"]
    asked = ["--way", "transfer", "--where", "corpus=fr", *prices, "--json"]
    split = json.loads(scalefit("allocate", results, *asked, "--budget", "2e7").out)
    assert split["law"] == "joint"
    assert set(split["splits"][0]["inputs"]) == {"pretrain_tokens", "finetune_tokens"}
    cheap = json.loads(scalefit("allocate", results, *asked, "--target", "17").out)
    low, high = cheap["splits"][0]["cost"][1:]
    assert float(low) <= cheap["splits"][0]["budget"] <= float(high)
    start = ["--against", "zero-shot", "--where", "pretrain_tokens>0", "--json"]
    valued = json.loads(scalefit("value", results, *start).out)
    assert len(valued["values"]) == 8


def test_what_tells_curves_apart_is_the_cure(scalefit, tmp_path):
    path = tmp_path / "own.csv"
    lines = [f"{r},{d},{20 + i + r}" for r in (1, 2) for i, d in enumerate((1e6, 4e6, 16e6))]
    path.write_text("\n".join(["recipe,pretrain_tokens,bleu", *lines]), encoding="utf-8")
    ran = scalefit("rank", str(path), "--at", "64M")
    assert "nothing to rank. Try: --over recipe" in ran.err
    assert "recipe" in scalefit("rank", str(path), "--at", "64M", "--over", "recipe").out
