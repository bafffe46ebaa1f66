"""What commands read and write: pairs, names, strict JSON."""

import ast
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.main import get_command

import scalefit as sf
from scalefit import cli
from scalefit.cli import _io
from scalefit.errors import FormatError, TableError
from scalefit.views.style import picture


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


def test_what_is_no_text_is_refused_by_name(tmp_path, monkeypatch):
    path = tmp_path / "fits.json"
    path.write_bytes(b"{\xff\xfe")
    with pytest.raises(FormatError, match=r"fits\.json: no text in UTF-8 \(.* at byte 1\)"):
        _io.read_text(str(path))
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(FormatError, match="stdin: closed; needed the output"):
        _io.read_text("-")


def test_a_picture_of_an_unknown_format_leaves_nothing_behind(tmp_path):
    with pytest.raises(FormatError, match="no picture format 'xyz'; there are "):
        _io.save_picture(picture(), str(tmp_path / "x.xyz"))
    assert list(tmp_path.iterdir()) == []


def test_several_lines_of_an_error_are_one():
    assert _io.one_line(TableError("2 problems:\n  a\n  b")) == "2 problems: a; b"


def test_every_cure_that_is_turned_into_an_option_has_one():
    app = get_command(cli.app)
    options = {o for command in app.commands.values() for p in command.params for o in p.opts}
    assert set(_io._NAMES.values()) | set(_io._FLAGS.values()) <= options
    assert _io.in_shell("Try: column='procedure' (a, b)") == "Try: --column procedure (a, b)"
    assert _io.in_shell("choose one with where=, or more") == "choose one with --where, or more"


def texts():
    """Every text of the package that is no docstring; what is filled in stands as …"""
    for path in Path(sf.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in told
            ):
                yield node.value


def test_no_cure_in_a_shell_is_a_call_that_has_a_command():
    commands = get_command(cli.app).commands
    assert set(_io._COMMANDS.values()) <= set(commands)
    left = {**{name: name for name in commands if hasattr(sf, name)}, **_io._COMMANDS}
    found = [
        text
        for text in texts()
        for name in re.findall(r"\bsf\.(\w+)", _io.in_shell(text))
        if name in left
    ]
    assert found == []
    assert _io.in_shell("two seeds, or Spread(...) with variances of your own") == "two seeds"


def test_a_report_speaks_as_the_shell_and_says_a_note_once(tmp_path, scalefit):
    rng = np.random.default_rng(3)
    size = np.repeat([1e8, 4e8, 16e8, 64e8], 3)
    rows = {
        "tokens": size,
        "task": ["qa"] * 12,
        "seed": [1, 2, 3] * 4,
        "accuracy": 30 + 8 * np.log10(size / 1e8) + rng.normal(0, 0.5, 12),
    }
    pd.DataFrame(rows).to_csv(tmp_path / "qa.csv", index=False)
    page = tmp_path / "page.html"
    assert scalefit("report", tmp_path / "qa.csv", "--target", 50, "-o", page).code == 0
    said = page.read_text(encoding="utf-8")
    assert said.count("may be the seed of pretraining or of finetuning") == 1
    assert "--map seed=pretrain_seed" in said
    assert "mapping=" not in said
