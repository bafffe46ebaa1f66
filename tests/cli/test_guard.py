"""Errors of ours are one line on stderr and exit code 2; nobody sees a traceback for bad data."""

import warnings

import pytest

from scalefit.cli import _io
from scalefit.errors import FitError, MissingColumnError, ScalefitWarning, TableError


def stop_with(error, capsys):
    with pytest.raises(SystemExit) as stopped, _io.guarded():
        raise error
    return stopped.value.code, capsys.readouterr().err


@pytest.mark.parametrize("kind", [FitError, TableError, MissingColumnError])
def test_our_errors_become_one_line_and_exit_code_2(kind, capsys):
    assert stop_with(kind("row 3: bleu is 0.3"), capsys) == (2, "scalefit: row 3: bleu is 0.3\n")


def test_a_message_of_several_lines_is_joined(capsys):
    _, shown = stop_with(TableError("two problems\n  row 1: a\n\n  row 2: b"), capsys)
    assert shown == "scalefit: two problems; row 1: a; row 2: b\n"


def test_a_missing_file_is_named(capsys):
    error = FileNotFoundError(2, "No such file or directory", "runs.csv")
    assert stop_with(error, capsys) == (2, "scalefit: runs.csv: No such file or directory\n")


def test_a_reader_that_went_away_is_no_error(capsys):
    assert stop_with(BrokenPipeError(), capsys) == (0, "")


def test_a_bug_is_not_hidden():
    with pytest.raises(ZeroDivisionError), _io.guarded():
        _ = 1 / 0


def test_our_warnings_are_one_line(capsys):
    with _io.guarded():
        warnings.warn("β moves from .37\nto .45", ScalefitWarning, stacklevel=1)
    assert capsys.readouterr().err == "scalefit: note: β moves from .37; to .45\n"


def test_warnings_of_others_stay_as_they_are():
    with pytest.warns(UserWarning, match="theirs"), _io.guarded():
        warnings.warn("theirs", UserWarning, stacklevel=1)


NOTHING = [
    ("rank", "runs.csv", "--at", "10M", "--cost", ""),
    ("rank", "runs.csv", "--at", " , "),
    ("value", "runs.csv", "--where", ""),
    ("forecast", "runs.csv", "--map", ""),
    ("plan", "runs.csv", "-o", ""),
    ("forecast", ""),
]


@pytest.mark.parametrize("words", NOTHING)
def test_an_option_with_nothing_in_it_is_refused_before_anything_is_read(scalefit, words):
    ran = scalefit(*words)
    option = "RESULTS" if len(words) == 2 else words[-2].replace("-o", "--output")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"scalefit: {option} was given with nothing in it; give it a value, or leave it out\n"
    )
