"""No answer changes unless it was meant to: see ``expected_changes``."""

import json
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from . import make
from .expected_changes import EXPECTED

HERE = Path(__file__).resolve().parent
SEARCHED = {"low": 5e-3, "high": 5e-3}  # ends of a token count are read between sizes
TOLERANCE = 1e-6


def flat(value, path=""):
    """Path → leaf."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        inner = [flat(v, f"{path}/{k}" if path else str(k)) for k, v in items]
        return {k: v for part in inner for k, v in part.items()} or {path: "none"}
    return {path: value}


def frozen(name):
    return flat(json.loads((HERE / name).read_text(encoding="utf-8")))


def under(pattern, paths):
    return [p for p in paths if fnmatchcase(p, pattern) or fnmatchcase(p, f"{pattern}/*")]


def same(path, old, new):
    if isinstance(old, float) and isinstance(new, float):
        of = SEARCHED.get(path.rpartition("/")[2], TOLERANCE) if "/tokens/" in path else TOLERANCE
        return new == pytest.approx(old, rel=of, abs=1e-12)
    return old == new


def changes(old, new, expected=EXPECTED):
    """Every answer that is not as it was, on a line of its own; of the expected ones only that they are gone."""
    free = {p for pattern in expected for p in under(pattern, [*old, *new])}
    lost = [p for p in expected if under(p, old) and not under(p, new)]
    gone = [p for p in old if p not in new and p not in free]
    come = [p for p in new if p not in old and p not in free]
    both = [p for p in old if p in new and p not in free and not same(p, old[p], new[p])]
    return [
        *(f"{p}: is gone" for p in lost + gone),
        *(f"{p}: {new[p]} is new" for p in come),
        *(f"{p}: {old[p]} has become {new[p]}" for p in both),
    ]


def report(lines):
    return "\n".join([f"{len(lines)} answers changed", *lines[:60]])


def test_the_lab_answers_as_it_did():
    lines = changes(frozen("answers.json"), flat(make.plain(make.answers())))
    assert lines == [], report(lines)


def test_published_numbers_come_out_as_they_did(shared):
    lines = changes(frozen("published.json"), flat(make.plain(make.published(shared))))
    assert lines == [], report(lines)


def test_each_expected_change_names_answers_and_a_reason():
    paths = [*frozen("answers.json"), *frozen("published.json")]
    for pattern, reason in EXPECTED.items():
        assert under(pattern, paths), f"nothing is called {pattern}"
        assert len(reason) > 10


def test_a_change_is_seen():
    old = {"fits/a": 1.0, "fits/b": "inf", "fits/tokens/low": 1.0}
    near = {"fits/a": 1.0 + 1e-7, "fits/b": "inf", "fits/tokens/low": 1.0005}
    far = {"fits/a": 1.0 + 1e-5, "fits/c": 2.0, "fits/tokens/low": 1.01}
    assert changes(old, near) == []
    assert len(changes(old, far)) == 4
    assert changes(old, far, {"fits": "all of it"}) == []
    assert len(changes(old, {}, {"fits": "all of it"})) == 1
