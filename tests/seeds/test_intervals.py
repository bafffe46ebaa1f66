"""Intervals hold what they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scalefit.seeds import anova
from scalefit.seeds.anova import FINETUNE, PRETRAIN, MeanSquares, factorial, nested_squares

RUNS = 8_000


def squares(p, f, icc, seed=0):
    rng = np.random.default_rng(seed)
    dof = p - 1, p * (f - 1)
    chi = rng.chisquare(dof, (RUNS, 2)) / dof
    return nested_squares((f * icc + 1 - icc) * chi[:, 0], (1 - icc) * chi[:, 1], *dof, f)


def cover(limits, truth):
    return np.mean((limits[0] <= truth) & (truth <= limits[1]))


@pytest.mark.parametrize(("p", "f"), [(3, 2), (3, 5), (5, 5), (10, 5), (25, 5)])
@pytest.mark.parametrize("icc", [0.0, 0.1, 0.5, 0.9])
def test_coverage(p, f, icc):
    s = squares(p, f, icc)
    low, high, _ = anova.component(s, PRETRAIN)
    assert np.mean(low > icc) == pytest.approx(0.025, abs=0.008)
    assert (
        np.mean(high < icc) < 0.033
    )  # fewer where few seeds leave a ratio near 0, see _upper_tail
    assert cover(anova.component(s, FINETUNE), 1 - icc) == pytest.approx(0.95, abs=0.012)
    _, low, high = anova.icc(s)
    assert np.mean(low > icc) == pytest.approx(0.025, abs=0.008)
    assert np.mean(high < icc) < 0.033


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(3, 5), (25, 5), (3, 3, 3)])
@pytest.mark.parametrize("first", [0.0, 0.5])
def test_coverage_in_crossed_designs(sizes, first):
    """Small version of benchmarks/simulate_seeds.py --only components; three factors at 3 levels cover too much."""
    rng, variances = np.random.default_rng(1), (first, 0.2, 0.1)[: len(sizes)]
    y = rng.normal(0, 0.3**0.5, (1000, *sizes))
    for axis, variance in enumerate(variances):
        shape = [n if i == axis else 1 for i, n in enumerate(sizes)]
        y = y + rng.normal(0, variance**0.5, (1000, *shape))
    held = []
    for part in np.array_split(y, 5):
        s = factorial(part, ("a", "b", "c")[: len(sizes)])
        held.append(
            [cover(anova.component(s, n)[:2], v) for n, v in zip("abc", variances, strict=False)]
        )
    for share in np.mean(held, axis=0):
        assert 0.93 < share < 0.995


def test_cut_at_zero_overcovers_a_true_zero():
    low, high, _ = anova.component(squares(3, 5, 0.0), PRETRAIN)
    cut = np.maximum(low, 0), np.maximum(high, 0)
    assert cover(cut, 0.0) == pytest.approx(0.975, abs=0.008)


DOF = st.tuples(st.integers(1, 40), st.integers(1, 200))


@given(DOF, st.floats(0, 1e6), st.floats(0, 1), st.integers(2, 9))
def test_an_interval_is_never_empty_and_holds_the_estimate_where_it_is_not_negative(
    dof, ratio, more, f
):
    """Few runs that lie together by chance cannot exclude all variances from 0 on."""
    at, beyond = (nested_squares(r, 1.0, *dof, f) for r in (ratio, ratio + more))
    for ends in (anova.component, lambda s, _: anova.icc(s)[1:]):
        (low, high), above = ends(at, PRETRAIN)[:2], ends(beyond, PRETRAIN)[:2]
        assert low <= 1e-9 or low <= at.estimate(PRETRAIN)
        assert high > 0
        assert above[0] >= low - 1e-9 * abs(low)
        assert above[1] >= high * (1 - 1e-6)


def test_what_five_runs_cannot_exclude():
    assert anova.icc(nested_squares(0.0, 1.0, 1, 3, 2.4))[2] > 0.9
    assert anova.icc(nested_squares(0.0, 1.0, 24, 100, 5))[2] < 0.2


def test_generalised_agrees_with_mls():
    s = nested_squares(6.0, 1.0, 9, 40, 5)
    low, high = anova.generalised(s, PRETRAIN)
    near = anova.component(s, PRETRAIN)
    assert low == pytest.approx(near[0], rel=0.1)
    assert high == pytest.approx(near[1], rel=0.1)


def test_methods_by_form():
    s = factorial(np.random.default_rng(0).normal(size=(4, 3)), (PRETRAIN, FINETUNE))
    assert anova.component(s, PRETRAIN)[2] == "MLS"
    assert anova.component(s, "rest")[2] == "exact χ²"
    three = MeanSquares(("a", "b", "c"), np.ones(3), np.ones(3) * 4, {"x": np.array([1, -1, 1.0])})
    assert anova.component(three, "x")[2] == "generalised"


def test_f_test_is_scipys():
    ratio, d1, d2, p = anova.f_test(nested_squares(32, 2, 2, 3, 2), PRETRAIN, FINETUNE)
    assert (ratio, d1, d2) == (16, 2, 3)
    assert p == pytest.approx(0.0251, abs=2e-4)


@pytest.mark.parametrize("ratio", [1.0, 1.2, 6.0])
def test_from_a_ratio_of_one_on_the_upper_end_is_the_textbooks(ratio):
    high = anova.icc(nested_squares(ratio, 1.0, 4, 10, 3))[2]
    most = ratio / stats.f.ppf(0.025, 4, 10)
    assert high == pytest.approx((most - 1) / (most + 2))
