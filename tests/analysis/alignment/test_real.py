"""Real runs in which quality and cross-entropy both improve with data, so no flag may be raised."""

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


def test_the_lab_raises_no_flag_and_knows_the_nearest_corpora():
    path = Path(__file__).parents[3] / "data" / "transfer_lab" / "results.csv"
    central = {"task": "en-fr", "finetune_tokens": 128_000, "domain": "in"}
    found = sf.align(sf.read(path).where(**central), quality=("bleu", "chrf"))
    verdicts = {(r.key["corpus"], r.metric): r.verdict for r in found}
    assert not any(r.flag for r in found)
    assert set(verdicts.values()) <= {"aligned", "inconclusive"}
    assert all(verdicts[c, m] == "aligned" for c in ("fr+en", "fr") for m in ("bleu", "chrf"))
    assert {r.evidence.quality.design for r in found} == {"shared"}
