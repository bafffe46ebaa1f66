"""Records in cells, and objects of objects, as trackers and pandas write them, are one table."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalefit as sf
from scalefit.errors import FormatError, TableError

ROWS = [
    {"corpus": corpus, "pretrain_tokens": 10**size, "bleu": size + 0.25}
    for corpus in ("fr", "en")
    for size in (6, 7, 8)
]
FRAME = pd.DataFrame(ROWS)


def records(row):
    config = {"corpus": row["corpus"], "pretrain_tokens": row["pretrain_tokens"], "opt": {"b": 1}}
    return {"summary": {"eval/bleu": row["bleu"], "eval/ter": float("nan")}, "config": config}


@pytest.mark.parametrize("orient", ["columns", "index", "records", "split", "table", "list"])
def test_what_pandas_writes_is_read(tmp_path, orient):
    path = tmp_path / "r.json"
    written = FRAME.to_dict("list") if orient == "list" else None
    path.write_text(json.dumps(written) if written else FRAME.to_json(orient=orient))
    table = sf.read(path)
    assert table.column("value").tolist() == FRAME["bleu"].tolist()
    assert table.column("corpus").tolist() == FRAME["corpus"].tolist()


@pytest.mark.parametrize("spell", [str, json.dumps, dict])
@pytest.mark.parametrize("door", ["frame", "csv"])
def test_a_trackers_export_is_opened(tmp_path, spell, door):
    held = pd.DataFrame([{k: spell(v) for k, v in records(row).items()} for row in ROWS])
    held["name"] = [f"run {i}" for i in range(len(held))]
    path = tmp_path / "project.csv"
    held.to_csv(path)
    table = sf.as_table(held) if door == "frame" else sf.read(path)
    bleu = table.where(metric="bleu")
    assert bleu.column("value").tolist() == FRAME["bleu"].tolist()
    assert bleu.column("pretrain_tokens").tolist() == FRAME["pretrain_tokens"].tolist()
    assert len(table) == len(ROWS)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["fr-1M-s1", "fr-4M-s2", "en-1M-s1"]), min_size=1, unique=True))
def test_runs_by_name_are_told_apart_by_a_pattern(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("named") / "runs.json"
    path.write_text(json.dumps({n: {"bleu": i + 1.25, "chrf": 40.25} for i, n in enumerate(names)}))
    table = sf.read(path, pattern="{corpus}-{pretrain_tokens}-s{finetune_seed}")
    told = table.where(metric="bleu")
    assert told.column("corpus").tolist() == [name[:2] for name in names]
    assert np.allclose(told.column("value"), np.arange(len(names)) + 1.25)


@pytest.mark.parametrize(
    "document",
    [
        {"fr": {"1M": {"bleu": 20.25}, "4M": {"bleu": 22.25}}},
        {"train": {"loss": 2.0}, "valid": {"loss": 2.25}},
        {"model": {"layers": 2}, "data": {"name": "x"}},
    ],
)
def test_objects_whose_levels_nobody_knows_are_no_table(tmp_path, document):
    (tmp_path / "d.json").write_text(json.dumps(document))
    with pytest.raises(FormatError, match="JSON, but no table"):
        sf.read(tmp_path / "d.json")


def test_values_of_several_runs_in_a_cell_are_asked_for_row_by_row():
    with pytest.raises(TableError, match="a row for each value"):
        sf.as_table({"tokens": ["1M", "4M"], "bleu": [[1.5, 2.5], [3.5, 4.5]]})


@pytest.mark.parametrize("cell", ["{", "{'a': }", "{" * 200, "{'a': " * 5000 + "1" + "}" * 5000])
def test_a_text_that_only_begins_like_a_record_stays_a_text(cell):
    table = sf.as_table({"tokens": ["1M", "4M"], "bleu": [1.25, 2.25], "note": [cell, cell]})
    assert table.column("note")[0] == cell
