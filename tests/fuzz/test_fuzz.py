"""Some hundred fuzzed cases, and all that ever failed; 20,000 by ``python -m tests.fuzz``."""

import pytest

from .kept import KEPT
from .run import Case, cases


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.parametrize("part", range(8))
def test_damaged_bytes_give_a_result_or_one_of_our_errors(home, part):
    failed = {f"{c.door}:{c.number}": c.failure(home) for c in cases(50, 1_000_000 + 50 * part)}
    assert {name: wrong for name, wrong in failed.items() if wrong} == {}


@pytest.mark.parametrize(("door", "number"), KEPT)
def test_what_once_failed(home, door, number):
    assert Case(door, number).failure(home) is None
