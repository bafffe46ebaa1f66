"""What commands read and write: pairs, names, strict JSON."""

import json
import math

import numpy as np
import pytest

from scalefit.cli import _io
from scalefit.errors import FormatError, TableError


def test_pairs_split_at_the_first_equals_sign():
    assert _io.pairs(["task=en-fr", "source=a=b"], "--where") == {"task": "en-fr", "source": "a=b"}
    assert _io.pairs(None, "--where") == {}


@pytest.mark.parametrize("wrong", ["task", "=en-fr", "task="])
def test_a_pair_without_both_sides_is_an_error(wrong):
    with pytest.raises(TableError, match=r"--where .*needed NAME=VALUE, e.g. --where task=en-fr"):
        _io.pairs([wrong], "--where")


def test_names_split_at_commas():
    assert _io.names("corpus, task") == ["corpus", "task"]
    assert _io.names(None) is None
    assert _io.names("") == []


def test_numbers_are_counts_as_people_write_them():
    assert _io.numbers("1e9,3B", "--tokens") == [1e9, 3e9]


def test_a_number_that_is_none_is_named():
    with pytest.raises(TableError, match=r"--tokens: 'many' is no number; needed e.g. 1e9,3B"):
        _io.numbers("1e9,many", "--tokens")


def test_plain_values_are_strict_json():
    value = {"a": np.array([1.0, math.nan]), "b": math.inf, "c": (np.int64(3), None), 4: "x"}
    wanted = {"a": [1.0, None], "b": "inf", "c": [3, None], "4": "x"}
    assert json.loads(json.dumps(_io.plain(value), allow_nan=False)) == wanted


def test_broken_json_names_file_and_line(tmp_path):
    path = tmp_path / "fits.json"
    path.write_text('{\n"a": ,\n}', encoding="utf-8")
    with pytest.raises(FormatError, match=r"fits.json, line 2: not JSON"):
        _io.read_json(str(path))


def test_an_empty_pipe_says_what_was_needed(monkeypatch):
    monkeypatch.setattr("sys.stdin.read", lambda: "", raising=False)
    with pytest.raises(FormatError, match="stdin: empty; needed JSON"):
        _io.read_json("-")
