"""Laws travel to other processes: ours by name and constants, a user's by value."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

import scalefit as sf
from scalefit.laws import LAWS, Coefficient, Law, at, is_built_in


def column(x):
    return (1.0, np.log(x))


@pytest.mark.parametrize("name", sorted(LAWS))
def test_a_law_of_the_catalogue_is_pickled_by_name_and_its_copy_is_equal(name):
    law = LAWS[name]
    text = pickle.dumps(law)
    assert pickle.loads(text) == law
    assert copy.deepcopy(law) == law
    assert len(text) < 200


def test_constants_travel_along():
    law = at("power", {"x_ref": 3e7})
    again = pickle.loads(pickle.dumps(law))
    assert again == law
    assert again != LAWS["power"]
    assert is_built_in(again)


def test_a_law_of_functions_that_have_a_name_is_pickled_by_value():
    law = Law("mine", "a + b·ln x", coefficients=(Coefficient("a"), Coefficient("b")), basis=column)
    assert pickle.loads(pickle.dumps(law)) == law
    assert not is_built_in(law)


def test_a_law_that_only_bears_a_name_of_ours_is_not_taken_for_it():
    law = Law("power", "a", coefficients=(Coefficient("a"), Coefficient("b")), basis=column)
    assert not is_built_in(law)
    assert pickle.loads(pickle.dumps(law)) == law


def test_a_notebook_s_law_is_sent_by_value_and_its_copy_is_equal():
    cloudpickle = pytest.importorskip("cloudpickle")

    def line(rise):
        columns = lambda x: (1.0, rise * np.log(x))  # noqa: E731
        return Law("line", "c", coefficients=(Coefficient("c"), Coefficient("m")), basis=columns)

    law = line(1.0)
    copied = cloudpickle.loads(cloudpickle.dumps(law))
    assert copied == law
    assert copied.basis is not law.basis
    assert copied != line(2.0)
    assert law != replace(law, name="curve")


def test_a_fit_s_copy_is_equal():
    data = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
    fit = sf.fit(data, "bleu", "log")
    fit.intervals()
    again = pickle.loads(pickle.dumps(fit))
    assert again == fit
    assert hash(again) == hash(fit)
    assert {fit, again} == {fit}
    assert fit != sf.fit({**data, "bleu": [5.0, 9.1, 12.9, 17.0, 21.2]}, "bleu", "log")
    assert fit != sf.fit(data, "bleu", "ceiling")
    cloudpickle = pytest.importorskip("cloudpickle")
    own = sf.fit(data, "bleu", lambda x, a, b: a + b * np.log(x))
    assert cloudpickle.loads(cloudpickle.dumps(own)) == own
