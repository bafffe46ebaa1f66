"""Whatever the bytes, whatever the format: a table or one of our errors."""

import contextlib
import gzip
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


@st.composite
def mutated(draw):
    """A real file with pieces cut out, repeated and replaced."""
    path = draw(st.sampled_from(SEEDS))
    data = path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)[:40_000]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        width = draw(st.integers(0, 60))
        data = data[:at] + draw(chunks) + data[at + width :]
    return path.name.removesuffix(".gz"), data


raw = st.tuples(
    st.sampled_from(NAMES),
    st.tuples(st.sampled_from(HEADS), st.lists(chunks, max_size=12)).map(
        lambda p: p[0] + b"".join(p[1])
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
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
        found = read(path, format=format, allow=("no_pretrain_tokens",))
        assert isinstance(found, Table)
        assert len(found) > 0
    path.unlink()


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_every_format_refuses_a_folder_and_noise(tmp_path, format):
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 8)
    for path in (tmp_path, tmp_path / "noise"):
        with pytest.raises(ScalefitError):
            read(path, format=format)
