"""What holds for every input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import scalefit as sf
from scalefit.errors import DesignError
from scalefit.procedures import crossed
from scalefit.procedures.contrast import superiority
from scalefit.seeds import anova
from scalefit.seeds.anova import PRETRAIN
from tests.seeds.test_anova import nested

values = st.floats(-10, 10).map(lambda v: round(v, 3))
tables = arrays(float, (3, 6), elements=values)
runs = st.lists(values, min_size=2, max_size=4)


@settings(max_examples=30)
@given(tables, tables)
def test_swapping_sides_turns_the_difference_round(a, b):
    forth, back = crossed.unpaired(a, b), crossed.unpaired(b, a)
    assert forth.value == pytest.approx(-back.value)
    assert forth.p == pytest.approx(back.p, abs=1e-9)
    assert 0 <= forth.p <= 1


@settings(max_examples=30)
@given(runs, runs)
def test_superiority_is_a_probability_and_turns_round(a, b):
    forth, back = superiority(a, b), superiority(b, a)
    assert 0 <= forth.low <= forth.probability <= forth.high <= 1
    assert forth.probability == pytest.approx(1 - back.probability)
    assert forth.p == pytest.approx(back.p)


@settings(max_examples=30)
@given(arrays(float, (4, 3), elements=values), st.floats(0.1, 10))
def test_components_scale_with_the_square_of_the_unit(y, unit):
    one, other = nested(y), nested(7 + unit * y)
    np.testing.assert_allclose(
        other.estimate(PRETRAIN), unit**2 * one.estimate(PRETRAIN), rtol=1e-6, atol=1e-6
    )
    low, high, _ = anova.component(one, PRETRAIN)
    assert low <= one.estimate(PRETRAIN) <= high


def test_pairing_needs_common_seeds():
    with pytest.raises(DesignError, match="no pretraining seed in common"):
        sf.compare_procedures(a={1: [1.0, 2], 2: [2.0, 2]}, b={3: [1.0, 2], 4: [2, 1]}, paired=True)
