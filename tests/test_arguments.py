"""Whatever kind of thing a public function is given: an answer or our error, which says what was found and needed."""

import contextlib
import inspect
import pickle
import warnings

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import ArgumentError, ScalefitError, ScalefitWarning

from .test_bad_inputs import table

GOOD = table()
FIT = sf.fit(GOOD, "bleu", "log")
SIDES = {"a": {"pretrain_seed": 1}, "b": {"pretrain_seed": 2}, "metric": "bleu"}
RIGHT = {
    "as_table": ((GOOD,), {}),
    "observations": ((GOOD, "bleu", {"D": "pretrain_tokens"}), {}),
    "fit": ((GOOD, "bleu", "log"), {}),
    "fit_each": ((GOOD, "bleu", "log"), {}),
    "forecast": ((GOOD,), {}),
    "rank": ((GOOD,), {"at": 1e9}),
    "plan": ((GOOD,), {"at": 1e9}),
    "align": ((GOOD,), {}),
    "variance": ((GOOD,), {"metric": "bleu"}),
    "seeds_needed": ((GOOD,), {"metric": "bleu"}),
    "compare_procedures": ((GOOD,), SIDES),
    "backtest": ((GOOD,), {"metric": "bleu"}),
    "score": ((["a b c d"], ["a b c d"]), {"cache": False, "progress": False}),
    "predict": ((FIT, 1e9), {}),
    "tokens_for": ((FIT, 30.0), {}),
}
KINDS = {
    "number": 3,
    "truth": True,
    "text": "x",
    "list": [3],
    "mapping": {"a": 1},
    "thing": object(),
    "nothing": None,
}
PARAMETERS = [
    (door, name)
    for door in RIGHT
    for name, parameter in inspect.signature(getattr(sf, door)).parameters.items()
    if name not in ("executor", "progress") and parameter.kind is not parameter.VAR_KEYWORD
]


def asked(door, name, value):
    args, named = RIGHT[door]
    given = inspect.signature(getattr(sf, door)).bind(*args, **named)
    given.arguments[name] = value
    return getattr(sf, door)(*given.args, **given.kwargs)


@pytest.mark.parametrize(("door", "name"), PARAMETERS)
def test_any_kind_of_argument_gives_an_answer_or_our_error(door, name):
    for value in KINDS.values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ScalefitWarning)
            with contextlib.suppress(ScalefitError):
                asked(door, name, value)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            lambda: sf.fit(GOOD, "bleu", law=3),
            "(a law's name (scalefit.LAWS), a Law, or a bare function f(x, a, b))",
        ),
        (lambda: sf.forecast(GOOD, allow=True), "checks of the table to switch off"),
        (
            lambda: sf.rank(GOOD, at=1e9, where=3),
            "rank(where=3): needed where: Mapping[str, Any] | None",
        ),
        (lambda: sf.align(GOOD, quality=[3]), "align(quality=[3])"),
    ],
)
def test_what_was_found_and_needed_is_said(call, told):
    with pytest.raises(ArgumentError) as error:
        call()
    assert told in str(error.value)


def test_arrays_and_numbers_of_numpy_are_what_lists_and_numbers_are():
    sizes = np.array([1e9, 1e10])
    assert len(sf.predict(FIT, sizes).rows()) == 2
    assert sf.tokens_for(FIT, np.float64(30)).rows() == sf.tokens_for(FIT, 30).rows()


def test_a_fault_of_ours_is_not_blamed_on_right_arguments():
    def door(x: int, names: list[str]) -> int:
        raise TypeError("ours")

    from scalefit.arguments import explained

    with pytest.raises(TypeError, match="ours"):
        explained(door)(3, ["a"])


def test_public_functions_travel_to_other_processes():
    assert pickle.loads(pickle.dumps(sf.forecast)) is sf.forecast
