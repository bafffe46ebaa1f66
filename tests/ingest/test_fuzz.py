"""Whatever the bytes, whatever the format: a table or one of our errors."""

import contextlib
import gzip
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scalefit import Table
from scalefit.errors import ScalefitError
from scalefit.ingest import read
from scalefit.ingest.registry import FORMATS

FIXTURES = Path(__file__).parents[1] / "fixtures"
SEEDS = [
    p
    for p in sorted(FIXTURES.rglob("*"))
    if p.is_file() and p.suffix != ".md" and p.stat().st_size < 40_000
]
FOLDERS = [
    "hf_trainer/none-0-p1",
    "mlflow/mlruns",
    "mt_metrics_eval/wmt22",
    "t5x/inference_eval",
    "lighteval_0.13",
]
NAMES = [
    "a.csv",
    "a.json",
    "a.jsonl",
    "x.log",
    "trainer_state.json",
    "t-metrics.jsonl",
    "events.out.tfevents.1",
    "run.wandb",
    "a.parquet",
    "a.xlsx",
    "a.gz",
    "mlflow.db",
    "all_results.json",
]
HEADS = [
    b"",
    b"PAR1",
    b"PK\x03\x04",
    b"SQLite format 3\0",
    b":W&B\xe1\xbe\0",
    b"\x1f\x8b",
    b"{",
    b"[",
    b"\xff\xfe",
    b"pretrain_tokens,bleu\n",
    b'{"log_history": [',
    b'{"results": {"a": {"bleu,none": ',
]
TOKENS = [
    b"1e999",
    b"-1",
    b"NaN",
    b"null",
    b"[]",
    b"{}",
    b'"',
    b",",
    b"\n",
    b"\0",
    b"\xff",
    b"Steps: 1\tPPL: ",
    b"99999999999999999999",
    b"Infinity",
    b"\xe2\x80\xa8",
    b"true",
]
chunks = st.one_of(st.sampled_from(TOKENS), st.binary(max_size=40))


def damaged(draw, data):
    """Cut pieces out, repeat and replace them."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        width = draw(st.integers(0, 60))
        data = data[:at] + draw(chunks) + data[at + width :]
    return data


@st.composite
def mutated(draw):
    """A real file, damaged."""
    path = draw(st.sampled_from(SEEDS))
    data = path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)[:40_000]
    return path.name.removesuffix(".gz"), damaged(draw, data)


raw = st.tuples(
    st.sampled_from(NAMES),
    st.tuples(st.sampled_from(HEADS), st.lists(chunks, max_size=12)).map(
        lambda p: p[0] + b"".join(p[1])
    ),
)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    given=st.one_of(mutated(), raw),
    format=st.one_of(st.none(), st.none(), st.sampled_from(sorted(FORMATS))),
    packed=st.booleans(),
)
def test_any_bytes_give_a_table_or_one_of_our_errors(tmp_path, given, format, packed):
    name, data = given
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if packed else data)
    with contextlib.suppress(ScalefitError):
        found = read(path, format=format)
        assert isinstance(found, Table)
        assert len(found) > 0
    path.unlink()


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_folder_with_one_damaged_file(tmp_path, data):
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    run = shutil.copytree(FIXTURES / data.draw(st.sampled_from(FOLDERS)), tmp_path / "run")
    file = data.draw(st.sampled_from(sorted(p for p in run.rglob("*") if p.is_file())))
    file.write_bytes(damaged(data.draw, file.read_bytes()))
    with contextlib.suppress(ScalefitError):
        assert len(read(run)) > 0


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """The bytes of a database that MLflow wrote."""
    path = tmp_path_factory.mktemp("fuzz") / "mlflow.db"
    with contextlib.closing(sqlite3.connect(path)) as base, base:
        base.executescript((FIXTURES / "mlflow" / "mlflow.sql").read_text(encoding="utf-8"))
    return path.read_bytes()


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    edits=st.lists(st.tuples(st.floats(0, 0.999), st.binary(min_size=1, max_size=8)), max_size=6),
    share=st.sampled_from([1.0, 1.0, 0.6]),
    name=st.sampled_from(["x.db", "x.db.gz"]),
)
def test_a_damaged_database(database, tmp_path, edits, share, name):
    data = bytearray(database)
    for place, new in edits:
        at = 16 + int(place * (len(data) - 16))
        data[at : at + len(new)] = new
    data = bytes(data[: int(len(data) * share)])
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    for format in (None, "mlflow-sqlite"):
        with contextlib.suppress(ScalefitError):
            read(tmp_path / name, format=format)


def test_a_table_whose_name_is_no_text(database, tmp_path):
    data = bytearray(database)
    data[2089] = 0x80
    (tmp_path / "x.db").write_bytes(data)
    with pytest.raises(ScalefitError, match=r"x\.db"):
        read(tmp_path / "x.db")


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_every_format_refuses_a_folder_and_noise(tmp_path, format):
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 8)
    for path in (tmp_path, tmp_path / "noise"):
        with pytest.raises(ScalefitError):
            read(path, format=format)
