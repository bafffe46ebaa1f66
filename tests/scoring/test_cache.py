"""The cache on disk: whole or not at all, with two processes at once and after a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from scalefit.errors import ScoringError
from scalefit.scoring.cache import Cache, default_path, pack, unpack

WRITER = """
import sys
from scalefit.scoring.cache import Cache
name, count = sys.argv[2], int(sys.argv[3])
with Cache(sys.argv[1]) as cache:
    print("ready", flush=True)
    for i in range(count):
        # Pairs share a transaction: one without the other would be half a transaction.
        cache.put({f"{name}-{i}-a".encode(): b"x" * 2000, f"{name}-{i}-b".encode(): b"y" * 2000})
        print(i, flush=True)
"""


def start(path, name, count):
    command = [sys.executable, "-c", WRITER, str(path), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_what_is_put_is_found_again(tmp_path):
    path = tmp_path / "deep" / "scores.sqlite"
    with Cache(path) as cache:
        cache.put({b"a": b"1", b"b": b"2"})
        cache.put({b"a": b"other"})
    with Cache(path) as cache:
        assert cache.get([b"a", b"b", b"c"]) == {b"a": b"1", b"b": b"2"}


def test_thousands_are_asked_for_at_once(tmp_path):
    with Cache(tmp_path / "c") as cache:
        cache.put({bytes([i % 256, i // 256]): b"v" for i in range(2000)})
        assert len(cache.get([bytes([i % 256, i // 256]) for i in range(2500)])) == 2000


def test_false_keeps_nothing():
    with Cache(False) as cache:
        cache.put({b"a": b"1"})
        assert cache.get([b"a"]) == {b"a": b"1"}
    with Cache(False) as cache:
        assert cache.get([b"a"]) == {}


def test_the_default_place_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("SCALEFIT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "scalefit" / "scores.sqlite"
    monkeypatch.setenv("SCALEFIT_CACHE", str(tmp_path / "mine"))
    with Cache() as cache:
        assert Path(cache.name) == tmp_path / "mine" / "scores.sqlite"


def test_two_processes_write_at_once_and_nothing_is_lost(tmp_path):
    path = tmp_path / "c.sqlite"
    writers = [start(path, name, 100) for name in ("one", "two")]
    assert [writer.communicate()[1] for writer in writers] == [None, None]
    assert [writer.returncode for writer in writers] == [0, 0]
    with Cache(path) as cache:
        keys = [f"{n}-{i}-{s}".encode() for n in ("one", "two") for i in range(100) for s in "ab"]
        assert len(cache.get(keys)) == 400


def test_a_killed_process_leaves_whole_transactions_only(tmp_path):
    path = tmp_path / "c.sqlite"
    writer = start(path, "k", 100_000)
    for line in writer.stdout:
        if line.strip() == "40":
            break
    os.kill(writer.pid, signal.SIGKILL)
    rest = writer.communicate()[0].split()
    said = int(rest[-1]) if rest else 40
    with Cache(path) as cache:
        done = [set(cache.get([f"k-{i}-a".encode(), f"k-{i}-b".encode()])) for i in range(said + 3)]
        assert all(len(pair) == 2 for pair in done[: said + 1])
        assert all(len(pair) in (0, 2) for pair in done)
        cache.put({b"after": b"1"})


def test_a_second_process_waits_for_the_first(tmp_path):
    path = tmp_path / "c.sqlite"
    with Cache(path) as cache, cache._transaction():
        writer = start(path, "w", 1)
        time.sleep(0.5)
        cache._connection.execute("INSERT INTO scored_1 VALUES (x'00', x'01')")
    assert writer.communicate()[0].split() == ["ready", "0"]


@pytest.mark.parametrize("content", [b"this is no database at all, it is text" * 50])
def test_another_file_in_its_place_is_refused_by_name(content, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(
        ScoringError, match=r"notes.txt: the cache .*file is not a database.*delete"
    ):
        Cache(path)
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ScoringError, match="cache=False"):
        Cache(tmp_path / "file" / "c.sqlite")


def test_arrays_survive_packing():
    values = np.arange(12, dtype=np.uint16).reshape(3, 4)
    again = unpack(pack(values))
    assert again.dtype == values.dtype
    assert np.array_equal(again, values)
