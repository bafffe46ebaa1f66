"""Mean squares of seed designs."""

import numpy as np
import pytest

from scalefit.errors import DesignError
from scalefit.seeds.anova import (
    FINETUNE,
    PRETRAIN,
    REST,
    factorial,
    icc,
    nested_squares,
)


def nested(y):
    """Mean squares of runs (..., P, F)."""
    y = np.asarray(y)
    p, f = y.shape[-2:]
    between, within = f * y.mean(-1).var(-1, ddof=1), y.var(-1, ddof=1).mean(-1)
    return nested_squares(between, within, p - 1, p * (f - 1), f)


def test_nested_by_hand():
    squares = nested([[1.0, 3.0], [5.0, 7.0], [9.0, 11.0]])
    np.testing.assert_allclose(squares.values, [32, 2])
    np.testing.assert_array_equal(squares.dof, [2, 3])
    assert squares.estimate(PRETRAIN) == pytest.approx(15)
    assert squares.estimate(FINETUNE) == pytest.approx(2)


def test_nested_is_unbiased_and_negative_half_of_the_time_at_zero():
    rng = np.random.default_rng(0)
    y = rng.normal(0, 2, (20_000, 3, 1)) + rng.normal(0, 1, (20_000, 3, 5))
    assert nested(y).estimate(PRETRAIN).mean() == pytest.approx(4, rel=0.03)
    flat = nested(rng.normal(0, 1, (20_000, 3, 5))).estimate(PRETRAIN)
    assert flat.mean() == pytest.approx(0, abs=0.01)
    assert np.mean(flat < 0) == pytest.approx(0.6, abs=0.02)


def test_crossed_by_hand():
    squares = factorial(np.array([[0.0, 1.0], [10.0, 11.0]]), (PRETRAIN, FINETUNE))
    assert squares.names == (PRETRAIN, FINETUNE, REST)
    np.testing.assert_allclose(squares.values, [100, 1, 0], atol=1e-12)
    assert squares.estimate(PRETRAIN) == pytest.approx(50)
    assert squares.estimate(FINETUNE) == pytest.approx(0.5)


def test_three_crossed_factors_are_unbiased():
    rng = np.random.default_rng(1)
    n = 4_000
    y = (
        rng.normal(0, 3, (n, 4, 1, 1))
        + rng.normal(0, 2, (n, 1, 3, 1))
        + rng.normal(0, 1, (n, 4, 3, 1))
        + rng.normal(0, 0.5, (n, 4, 3, 5))
    )
    squares = factorial(y, ("a", "b", "c"))
    truth = {"a": 9, "b": 4, "c": 0, "a × b": 1, "a × c": 0, "b × c": 0, REST: 0.25}
    for name, value in truth.items():
        assert squares.estimate(name).mean() == pytest.approx(value, rel=0.05, abs=0.01)


def test_published_multiberts_winogender_sds_give_icc_72():
    """MultiBERTs (Sellam et al. 2022), 25 × 5: SD of seed means .0968, within a seed .053."""
    squares = nested_squares(5 * 0.0968**2 * 25 / 24, 0.053**2 * 5 / 4, 24, 100, 5)
    point, low, high = icc(squares)
    assert point == pytest.approx(0.72, abs=0.005)
    assert 0.5 < low < 0.6
    assert 0.8 < high < 0.9


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (5,)])
def test_single_seeds_have_no_variance(shape):
    with pytest.raises(DesignError, match="at least two"):
        factorial(np.zeros(shape), (PRETRAIN, FINETUNE))


def test_missing_runs_are_refused():
    with pytest.raises(DesignError, match="missing"):
        factorial([[1.0, np.nan], [1.0, 2.0]], (PRETRAIN, FINETUNE))
