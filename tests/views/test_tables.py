"""Cells and tables for terminals."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from scalefit.views.tables import (
    cell,
    columns,
    is_numeric,
    rich_table,
    terminal_table,
    width_of,
)


@pytest.mark.parametrize(
    ("value", "column", "shown"),
    [
        (None, "", "–"),
        (math.nan, "bleu", "–"),
        (3.14159265, "bleu", "3.142"),
        (300_000, "finetune_tokens", "300k"),
        (math.inf, "tokens_high", "∞"),
        (300_000, "runs", "300000"),
        (True, "reached", "yes"),
        ("fr", "corpus", "fr"),
    ],
)
def test_cells(value, column, shown):
    assert cell(value, column) == shown


CELLS = st.none() | st.floats() | st.text("a b–字🙂[1,]\n", max_size=12)


@settings(max_examples=40)
@given(
    rows=st.lists(st.fixed_dictionaries({"corpus": CELLS, "tokens for 20": CELLS}), min_size=1),
    heads=st.booleans(),
    below=st.booleans(),
)
def test_a_table_is_as_wide_as_rich_finds_it(rows, heads, below):
    screen = Console(width=80)
    table = rich_table(rows, heads=heads, below=below)
    wide = screen.measure(table, options=screen.options.update(max_width=10_000)).maximum
    assert width_of(rows, heads=heads, below=below) == wide


def test_names_are_no_markup(capsys):
    rows = [{"corpus": "[/b] x", "bleu": 1.5}, {"corpus": "web [en]", "bleu": 2.5}]
    terminal_table([{**row, "advice": "Go on."} for row in rows], title="[red] of [/x]")
    said = capsys.readouterr().out
    assert all(name in said for name in ("[/b] x", "web [en]", "[red] of [/x]"))


def test_columns_are_all_keys_in_order():
    assert columns([{"a": 1}, {"b": 2, "a": 3}]) == ["a", "b"]


def test_truth_values_are_no_numbers():
    assert not is_numeric([{"a": True}, {"a": "x"}], "a")
    assert is_numeric([{"a": None}, {"a": 2}], "a")


def test_a_table_in_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    terminal_table([{"corpus": "fr", "tokens_low": 1e6}, {"corpus": "code"}], title="Tokens")
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "Tokens",
        "corpus   tokens low",
        "─" * 19,
        "fr               1M",
        "code              –",
    ]


def test_nothing_is_said_to_be_nothing(capsys):
    terminal_table([])
    assert capsys.readouterr().out == "nothing to show\n"


def test_what_tells_rows_apart_and_what_was_asked_for_stay_where_room_is_short(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "50")
    groups = [("fr", 32_000), ("fr", 128_000), ("en", 32_000)]
    rows = [
        {
            "corpus": corpus,
            "finetune_tokens": size,
            "bleu": f"{i} → 2",
            "cross_entropy": f"4.481 → {i}.626",
            "tokens": f"{i}M [34.9M, > 2.56B]",
        }
        for i, (corpus, size) in enumerate(groups)
    ]
    terminal_table(rows)
    lines = capsys.readouterr().out.splitlines()
    asked = [line for line in lines if "[34.9M, > 2.56B]" in line]
    assert ["32k" in line for line in asked] == [True, False, True]
    assert "128k" in asked[1]
    assert lines[-1].startswith("too wide for this terminal: cross entropy")


def test_a_column_that_the_first_row_lacks_keeps_its_place():
    assert columns([{"a": 1, "z": 2}, {"a": 1, "m": 3, "z": 2}]) == ["a", "m", "z"]


def test_a_text_below_a_table_names_the_corpora_it_is_true_of(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "44")
    said = "MISALIGNED and harmful to a task", "aligned as far as anybody can tell"
    rows = [
        {"task": "en-fr", "corpus": c, "bleu": 1.0, "alignment": t}
        for c, t in zip("xy", said, strict=True)
    ]
    terminal_table([*rows, {**rows[0], "task": "en-de"}])
    assert f"x ×2: {said[0]}\ny: {said[1]}\n" in capsys.readouterr().out
    terminal_table([*rows, {**rows[1], "task": "en-de", "corpus": "x"}])
    named = f"x · en-fr: {said[0]}\ny · en-fr, x · en-de: {said[1]}\n"
    assert named in capsys.readouterr().out


def test_what_nobody_has_is_not_said_and_ends_stand_behind_their_estimate(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "30")
    rows = [{"corpus": c, "estimate": e, "low": 1.5, "high": math.inf, "flag": None, "points": 8}
            for c, e in (("fr", 2.0), ("en", 3.0))]  # fmt: skip
    terminal_table(rows)
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "points 8"
    assert [line.split() for line in lines[2:]] == [
        ["fr", "2", "[1.5,", "∞]"],
        ["en", "3", "[1.5,", "∞]"],
    ]


@pytest.mark.parametrize("width", [36, 44, 52, 60])
def test_what_has_an_interval_is_the_answer_and_goes_last(monkeypatch, capsys, width):
    monkeypatch.setenv("COLUMNS", str(width))
    rows = [
        {
            "corpus": corpus,
            "pretrain_tokens": size,
            "p_best": 0.1234 + i,
            "factor": 5.678 + i,
            "gain": f"-{i}.363 [-0.704, -0.0228]",
            "reached": 0.987 - i,
            "state": "unsure" * (i + 1),
        }
        for i, corpus in enumerate(("crawl", "paired"))
        for size in (5e7, 1.5e8)
    ]
    terminal_table(rows)
    shown = capsys.readouterr().out
    assert "-0.363" in shown
    assert "[-0.704, -0.0228]" in shown
    assert "50M" in shown
    assert "150M" in shown
    assert "too wide for this terminal" in shown
