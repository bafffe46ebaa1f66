"""Kept scores that are damaged, short or of another tokenizer are never believed."""

import sqlite3
import zlib
from contextlib import closing

import numpy as np
import pytest

from scalefit import score
from scalefit.errors import ScalefitWarning, ScoringError
from scalefit.scoring.cache import Cache, pack, unpack
from scalefit.scoring.checkpoint import encoder_digest

REF = [f"the cat number {i} sat down on the mat" for i in range(20)]
HYP = [f"a cat number {i} sat on the mat" for i in range(20)]


def scored(cache):
    return list(score(HYP, REF, None, ["bleu", "ter"], cache=cache, progress=False).column("value"))


def tampered(path, change):
    with closing(sqlite3.connect(path)) as base, base:
        for key, value in base.execute("select key, value from scored_1").fetchall():
            base.execute("update scored_1 set value = ? where key = ?", (change(value), key))


def short(value):
    held = pack(unpack(value[4:])[:10])
    return zlib.crc32(held).to_bytes(4, "big") + held


def other(array):
    held = pack(array)
    return lambda value: zlib.crc32(held).to_bytes(4, "big") + held


DAMAGE = {
    "nothing": lambda value: b"",
    "one byte": lambda value: value[:-5] + bytes([value[-5] ^ 1]) + value[-4:],
    "text": lambda value: "text",
    "null": lambda value: None,
    "number": lambda value: 3,
    "zeros": lambda value: bytes(len(value)),
    "ten of twenty segments": short,
    "other width": other(np.ones((20, 3))),
    "not finite": other(np.full((20, 10), np.nan)),
    "texts": other(np.array([["a"] * 10] * 20)),
    "scalar": other(np.array(3.0)),
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_entry_is_counted_anew_and_mended(tmp_path, change):
    path = tmp_path / "c.sqlite"
    right = scored(path)
    tampered(path, change)
    assert scored(path) == right
    with closing(sqlite3.connect(path)) as base:
        held = base.execute("select value from scored_1").fetchall()
    assert all(zlib.crc32(v[4:]).to_bytes(4, "big") == v[:4] for (v,) in held)


def test_a_full_disk_costs_the_cache_and_not_the_scores(tmp_path):
    path = tmp_path / "c.sqlite"
    right = scored(False)
    with Cache(path) as cache:
        cache._connection.execute("PRAGMA max_page_count = 3")
        with pytest.warns(ScalefitWarning, match="cannot be written"):
            cache.put({bytes([i]): b"x" * 4000 for i in range(200)})
        cache.put({b"more": b"1"})
    assert scored(path) == right


def test_a_cache_that_may_only_be_read(tmp_path, monkeypatch):
    path = tmp_path / "c.sqlite"
    right = scored(path)
    real = Cache._connected

    def reading(self, name):
        return real(self, name if name.startswith(("file:", ":")) else f"file:{name}?mode=ro")

    monkeypatch.setattr(Cache, "_connected", reading)
    assert scored(path) == right
    with pytest.warns(ScalefitWarning, match="cannot be written"):
        assert len(score(HYP[::-1], REF, None, ["bleu"], cache=path, progress=False)) == 1


def test_a_pipe_beside_the_cache_is_not_waited_for(tmp_path):
    import os

    os.mkfifo(tmp_path / "c.sqlite-journal")
    with pytest.raises(ScoringError, match="no regular file"):
        Cache(tmp_path / "c.sqlite")


def test_another_tokenizer_is_another_key(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("one")
    first = encoder_digest(str(tmp_path))
    (tmp_path / "pytorch_model.bin").write_text("weights")
    assert encoder_digest(str(tmp_path)) == first
    (tmp_path / "tokenizer.json").write_text("two")
    assert encoder_digest(str(tmp_path)) != first


@pytest.mark.parametrize("mark", ["a@@ b c", "▁a ▁b", "play ##ing x"])
def test_marks_of_subwords_are_noted(mark):
    table = score([mark] * 20, REF, None, ["bleu"], cache=False, progress=False)
    assert any("marks of subwords" in note for note in table.notes)
    table = score(HYP, REF, None, ["bleu"], cache=False, progress=False)
    assert not any("marks of subwords" in note for note in table.notes)


@pytest.mark.parametrize(
    ("line", "tokenize", "word"),
    [
        ("今天天气很好。", None, "tokenize='zh'"),
        ("今日はいい天気です。", None, "tokenize='ja-mecab'"),
        ("今天天气很好。", "zh", None),
        ("the cat sat down", None, None),
    ],
)
def test_tokenizers_that_split_at_spaces(line, tokenize, word):
    table = score(
        [line] * 3, [line] * 3, None, ["bleu"], cache=False, progress=False, tokenize=tokenize
    )
    told = [note for note in table.notes if "splits at spaces" in note]
    assert bool(told) == (word is not None)
    assert word is None or word in told[0]


def test_one_failed_seed_costs_nobody_a_score():
    """One run at BLEU 0.4 beside 45: another quality, not another unit."""
    good, bad = HYP, ["cat"] + ["zzz zzz zzz zzz"] * 19
    table = score(
        {"a": good, "b": [*good[:-1], "x"], "c": bad},
        REF,
        None,
        ["bleu"],
        cache=False,
        progress=False,
    )
    assert len(table) == 3


def test_a_text_against_itself():
    table = score(REF, REF, None, ["bleu", "chrf", "ter"], cache=False, progress=False)
    assert list(table.column("value")) == [100.0, 100.0, 0.0]


def test_systems_that_the_checks_complain_of_are_kept_with_a_note():
    table = score(
        {"x": HYP, "y": HYP[::-1]}, REF, None, ["bleu"], cache=False, progress=False,
        columns={"finetune_seed": 1, "system": "same"},
    )  # fmt: skip
    assert len(table) == 2
    assert table.notes
