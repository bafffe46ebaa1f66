"""The crossed seed × example analysis and the multi-bootstrap."""

import numpy as np
import pytest
from scipy import stats

from scalefit.errors import DesignError
from scalefit.estimate import pseudo_values
from scalefit.procedures import crossed
from scalefit.procedures.crossed import multibootstrap, warning

RNG = np.random.default_rng(0)


def test_mean_squares_by_hand():
    found = crossed.squares([[0.0, 1.0, 2.0], [4.0, 5.0, 6.0]])
    assert found.seed == pytest.approx(24)
    assert found.example == pytest.approx(2)
    assert found.rest == pytest.approx(0)


def test_formulas_of_the_paired_design():
    d = RNG.normal(size=(5, 40)) + RNG.normal(size=(5, 1)) * 0.2 + RNG.normal(size=40) * 0.3
    q, s, n = crossed.squares(d), 5, 40
    found = crossed.paired(np.zeros_like(d), d)
    spread = q.seed + max(q.example - q.rest, 0)
    assert found.variance == pytest.approx(spread / (s * n))
    assert found.dof == pytest.approx(spread**2 / (q.seed**2 / (s - 1)))


def test_formulas_of_the_unpaired_design():
    a, b = RNG.normal(size=(4, 30)), RNG.normal(size=(6, 30)) + RNG.normal(size=30)
    x, y = crossed.squares(a), crossed.squares(b)
    gap = (b.mean(0) - a.mean(0)).var(ddof=1) - x.rest / 4 - y.rest / 6
    found = crossed.unpaired(a, b)
    want = x.seed / (4 * 30) + y.seed / (6 * 30) + max(gap, 0) / 30
    assert found.variance == pytest.approx(want)
    assert found.value == pytest.approx(b.mean() - a.mean())


def test_many_repetitions_at_once_are_each_on_its_own():
    a, b = RNG.normal(size=(3, 4, 20)), RNG.normal(size=(3, 5, 20))
    many = crossed.unpaired(a, b)
    for i in range(3):
        one = crossed.unpaired(a[i], b[i])
        assert many.p[i] == pytest.approx(one.p)


def test_one_run_a_side_is_the_paired_t_over_examples():
    a, b = RNG.normal(size=(1, 50)), RNG.normal(size=(1, 50))
    want = stats.ttest_rel(b[0], a[0]).pvalue
    assert crossed.paired(a, b).p == pytest.approx(want)
    assert crossed.unpaired(a, b).p == pytest.approx(want)


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_keeps_its_level_under_a_true_null(seeds, share):
    rng = np.random.default_rng(seeds)
    reps, n = 1500, 100

    def side():
        return rng.normal(size=(reps, seeds, n)) + share * rng.normal(size=(reps, seeds, 1))

    shared, gap = rng.normal(size=(reps, 1, n)), 0.5 * rng.normal(size=(reps, 1, n))
    p = crossed.unpaired(side() + shared, side() + shared + gap).p
    assert 0.015 < np.mean(p < 0.05) < 0.09


@pytest.mark.parametrize("pair", [True, False])
def test_multibootstrap_is_the_published_loop(pair):
    """One draw after another, rows indexed: MultiBERTs' procedure, on the same random numbers."""
    a, b = RNG.random((4, 2, 25)), RNG.random((4 if pair else 5, 2, 25))
    found = multibootstrap(a, b, paired=pair, draws=20, seed=3)
    rng = np.random.default_rng(3)
    for got in found.draws:
        examples = rng.integers(0, 25, 25)
        first = rng.integers(0, 4, 4)
        second = first if pair else rng.integers(0, 5, 5)
        means = []
        for x, seeds in ((a, first), (b, second)):
            means.append(np.mean([np.mean([run[examples].mean() for run in x[s]]) for s in seeds]))
        assert got == pytest.approx(means[1] - means[0])
    assert found.value == pytest.approx(b.mean() - a.mean())


def test_multibootstrap_of_a_corpus_score():
    matched = RNG.integers(1, 5, size=(3, 1, 12, 1)).astype(float)
    statistics = np.concatenate([matched, matched + RNG.integers(0, 3, matched.shape)], axis=-1)

    def ratio(sums):
        return sums[..., 0] / sums[..., 1]

    drawn = multibootstrap(statistics, score=ratio, draws=10, seed=4)
    assert drawn.value == pytest.approx(ratio(statistics.sum(2)).mean())
    rng = np.random.default_rng(4)
    for value in drawn.draws:
        sums = statistics[:, 0, rng.integers(0, 12, 12)].sum(1)
        assert value == pytest.approx(ratio(sums)[rng.integers(0, 3, 3)].mean())


def test_multibootstrap_by_default_draws_a_thousand_times_each_side_for_itself():
    a, b = RNG.random((3, 20)), RNG.random((5, 20))
    usual = multibootstrap(a, b)
    np.testing.assert_array_equal(
        usual.draws, multibootstrap(a, b, paired=False, draws=1000, seed=0).draws
    )
    assert usual.seeds == 3


def test_pseudovalues_of_a_mean_are_the_examples():
    x = RNG.random((2, 9))
    sums = np.stack([x, np.ones_like(x)], axis=-1)
    total = sums.sum(-2, keepdims=True)
    values = pseudo_values(*(s[..., 0] / s[..., 1] for s in (total, total - sums)))
    np.testing.assert_allclose(values, x)


def test_multibootstrap_says_where_it_is_off():
    assert warning(3).startswith(
        "multi-bootstrap on 3 seeds: rejects a true null in 0.4–14 % at nominal 5 % (simulated at 3 seeds); "
    )
    assert "0.1–5 % at nominal 5 % (simulated at 25 seeds)" in warning(40)
    assert "on 9 paired seeds: rejects a true null in 0.3–9 %" in warning(9, paired=True)
    assert "crossed" in warning(25)


@pytest.mark.parametrize("pair", [True, False])
def test_multibootstrap_is_off_at_three_seeds_where_the_default_is_not(pair):
    """Seeds dominate: the 2.5 % quantile of three seeds is the smallest of them."""
    rng, rejected = np.random.default_rng(1), {"multi": 0, "default": 0}
    for _ in range(80):
        a, b = 3 * rng.normal(size=(2, 3, 1)) + rng.normal(size=(2, 3, 10))
        found = crossed.paired(a, b) if pair else crossed.unpaired(a, b)
        rejected["default"] += found.p < 0.05
        rejected["multi"] += multibootstrap(a, b, paired=pair, draws=100).p < 0.05
    assert rejected["multi"] > 8
    assert rejected["default"] <= 8


def test_the_rest_has_the_degrees_of_freedom_of_the_interaction():
    x = RNG.normal(size=(4, 7))
    rest = x - x.mean(0) - x.mean(1, keepdims=True) + x.mean()
    assert crossed.squares(x).rest == pytest.approx((rest**2).sum() / (3 * 6))


def test_two_runs_a_side_and_degrees_of_freedom_of_the_unpaired_design():
    a, b = RNG.normal(size=(2, 30)), RNG.normal(size=(2, 30)) + 2 * RNG.normal(size=30)
    x, y = crossed.squares(a), crossed.squares(b)
    gap = ((b.mean(0) - a.mean(0)).var(ddof=1) - x.rest / 2 - y.rest / 2) / 30
    terms, found = (x.seed / 60, y.seed / 60), crossed.unpaired(a, b)
    assert found.variance == pytest.approx(sum(terms) + gap)
    assert found.dof == pytest.approx(found.variance**2 / sum(t**2 for t in terms))


def test_stacks_of_tables_keep_their_shape():
    x, y = RNG.normal(size=(2, 3, 4, 20)) + 2 * RNG.normal(size=(2, 3, 1, 20))
    for test, sides in ((crossed.mean, (x,)), (crossed.paired, (x, y)), (crossed.unpaired, (x, y))):
        many = test(*sides)
        for i in range(3):
            one = test(*(side[i] for side in sides))
            assert (many.value[i], many.variance[i], many.dof[i]) == pytest.approx(
                (float(one.value), float(one.variance), float(one.dof))
            )


def test_examples_that_differ_add_to_the_variance_of_a_mean():
    x = RNG.normal(size=(4, 30)) + 3 * RNG.normal(size=30)
    q = crossed.squares(x)
    assert crossed.mean(x).variance == pytest.approx((q.seed + q.example - q.rest) / 120)


def test_right_and_wrong_answers_are_numbers():
    right = RNG.random((2, 4, 30)) < 0.6
    assert crossed.paired(*right).p == pytest.approx(crossed.paired(*right.astype(float)).p)


def test_one_score_has_nothing_to_test_with():
    with pytest.raises(DesignError, match="one run and one score"):
        crossed.mean([[1.0]])
