"""Real runs: no flag where quality improves with cross-entropy, a flag where only cross-entropy does."""

import io
from pathlib import Path

import pandas as pd
import pytest

import scalefit as sf

NAMES = {
    "Lang": "task",
    "data_bytes": "pretrain_tokens",
    "bleu_dev": "bleu",
    "ent_dev": "cross_entropy",
}


@pytest.fixture
def low_resource(shared):
    lines = (shared / "gordon_mt" / "low_resource.0126.summary").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    frame = pd.read_csv(io.StringIO(text), sep="\t", na_values="--").rename(columns=NAMES)
    frame["pretrain_seed"] = frame["ShuffleSeed"]
    return frame[["task", "pretrain_seed", "pretrain_tokens", "bleu", "cross_entropy"]]


def test_low_resource_runs_with_five_seeds_are_aligned(low_resource):
    found = sf.align(low_resource)
    assert [r.headline for r in found] == ["aligned", "aligned"]
    assert [len(r.evidence.quality.sizes) for r in found] == [7, 7]


def test_low_resource_runs_of_one_seed_raise_no_flag(low_resource):
    one = low_resource[low_resource["pretrain_seed"] == 2].drop(columns="pretrain_seed")
    found = sf.align(one)
    assert [r.verdict for r in found] == ["aligned", "aligned"]
    assert all(r.strength == "provisional" for r in found)


def test_high_resource_grid_raises_no_flag(shared):
    frame = pd.read_csv(shared / "gordon_mt" / "gordon_detok_bleu.csv").rename(columns=NAMES)
    shape = frame[["params", "Layers", "FeedForward"]].astype(int).astype(str)
    frame["model"] = shape.agg("-".join, axis=1)
    found = sf.align(frame[["task", "model", "pretrain_tokens", "bleu", "cross_entropy"]])
    assert len(found) == 18
    assert {r.verdict for r in found} <= {"aligned", "saturated"}
    assert not any(r.flag for r in found)


@pytest.fixture(scope="module")
def lab():
    """The lab's central cell: five corpora that help, one built to break quality."""
    table = sf.read(Path(__file__).parents[2] / "data" / "transfer_lab" / "results.csv")
    return table.where(task="en-fr", finetune_tokens=128_000, domain="in")


def test_the_lab_flags_the_corpus_that_was_built_to_mislead_and_no_other(lab):
    found = sf.align(lab, quality=("bleu", "chrf"))
    verdicts = {(r.group["corpus"], r.metric): r.verdict for r in found}
    assert {r.group["corpus"] for r in found if r.flag} == {"unpaired"}
    assert {r.group["corpus"] for r in found.flagged("holm")} == {"unpaired"}
    assert {verdicts["unpaired", m] for m in ("bleu", "chrf")} == {"harmful"}
    helpful = {v for (corpus, _), v in verdicts.items() if corpus != "unpaired"}
    assert helpful <= {"aligned", "improving", "inconclusive"}
    assert {verdicts[c, "bleu"] for c in ("en", "de", "code")} == {"aligned"}
    narrow = {r.group["corpus"]: r.verdict for r in sf.align(lab, quality="bleu", margin=0.5)}
    assert {narrow[c] for c in ("en", "de", "code")} == {"improving"}
    assert all(verdicts[c, m] == "aligned" for c in ("fr+en", "fr") for m in ("bleu", "chrf"))
    assert {r.evidence.quality.design for r in found} == {"shared"}


def test_the_flag_does_not_rest_on_runs_that_do_not_read_their_source(lab):
    reading = lab.where(corpus=["none", "unpaired"], source_blind=False)
    (found,) = sf.align(reading, quality="bleu", margin=1.5)
    assert (found.flag, found.verdict) == ("misaligned", "harmful")
    assert not any("shuffled" in note for note in found.notes)


def test_the_lab_would_have_warned_before_the_last_checkpoint(lab):
    pair = lab.where(corpus=["none", "unpaired"])
    early = pair.where(pretrain_tokens=[0, 25_600, 64_000, 159_744, 401_408, 1_024_000])
    watch = sf.monitor(early, quality="bleu", margin=1.5, planned=6)
    assert watch.stopped
