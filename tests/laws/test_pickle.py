"""Laws travel to other processes: ours by name and constants, a user's by value."""

import copy
import pickle

import numpy as np
import pytest

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
