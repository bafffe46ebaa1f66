"""Probability of superiority, and tails."""

import numpy as np
import pytest
from scipy import stats

from scalefit.errors import DesignError
from scalefit.procedures.contrast import superiority
from scalefit.procedures.tails import design_effect, failure_probability, profile, quantile

RNG = np.random.default_rng(0)


@pytest.mark.slow
@pytest.mark.parametrize(("few", "many", "sd"), [(3, 12, 2), (4, 30, 2), (5, 20, 1)])
def test_few_runs_against_many_keep_the_level(few, many, sd):
    rng = np.random.default_rng(8)
    pairs = [superiority(sd * rng.normal(size=few), rng.normal(size=many)) for _ in range(150)]
    assert np.mean([s.p < 0.05 for s in pairs]) < 0.05 + 2.5 * (0.05 * 0.95 / 150) ** 0.5
    assert all((s.p < 0.05) == (not s.low <= 0.5 <= s.high) for s in pairs)


def test_single_runs_are_brunner_munzel():
    a, b = RNG.normal(size=12), RNG.normal(0.3, 2, size=15)
    found = superiority(list(a), list(b))
    want = stats.brunnermunzel(a, b)
    assert found.p == pytest.approx(want.pvalue)
    assert found.probability == pytest.approx(np.mean(b[:, None] > a))


def test_few_seeds_are_permuted_as_scipy_does():
    a, b = RNG.normal(size=4), RNG.normal(0.5, 2, size=5)

    def statistic(x, y):
        found = superiority(list(x), list(y)).probability
        of_x = np.array([np.mean(y > v) for v in x])
        of_y = np.array([np.mean(x < v) for v in y])
        error = np.sqrt(of_x.var(ddof=1) / len(x) + of_y.var(ddof=1) / len(y))
        return (found - 0.5) / error if error else np.inf * np.sign(found - 0.5)

    want = stats.permutation_test((a, b), lambda x, y: abs(statistic(x, y)), alternative="greater")
    assert superiority(list(a), list(b)).p == pytest.approx(want.pvalue)


@pytest.mark.parametrize("seeds", [3, 4, 5])
def test_few_seeds_keep_level_and_coverage(seeds):
    rng = np.random.default_rng(seeds)
    found = [superiority(list(x), list(y)) for x, y in rng.normal(size=(300, 2, seeds))]
    assert np.mean([f.p < 0.05 for f in found]) <= 0.08
    assert np.mean([f.low <= 0.5 <= f.high for f in found]) >= 0.92


def test_runs_of_one_seed_are_one_observation():
    rng = np.random.default_rng(1)
    rejected = {"clustered": 0, "runs": 0}
    for _ in range(200):
        a, b = rng.normal(size=(2, 5, 1)) + 0.3 * rng.normal(size=(2, 5, 4))
        rejected["clustered"] += superiority(list(a), list(b)).p < 0.05
        rejected["runs"] += superiority(list(a.ravel()), list(b.ravel())).p < 0.05
    assert rejected["clustered"] / 200 < 0.1
    assert rejected["runs"] / 200 > 0.25


def test_separated_sides_still_have_an_interval():
    three = superiority([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    assert (three.probability, three.low, three.high) == (1, 0, 1)
    assert three.p == pytest.approx(0.1)
    x, y = list(np.arange(5.0)), list(np.arange(5.0) + 10)
    found, back = superiority(x, y), superiority(y, x)
    assert found.p == pytest.approx(2 / 252)
    # Newcombe (2006), method 5: (1 − θ)² = z² θ (1 − θ) (1 + ((n + m) / 2 − 1) ((1 − θ)/(2 − θ) + θ/(1 + θ))) / (n m).
    low, z = found.low, stats.norm.ppf(0.975)
    spread = 1 + 4 * ((1 - low) / (2 - low) + low / (1 + low))
    assert (1 - low) ** 2 == pytest.approx(z**2 * low * (1 - low) * spread / 25)
    assert back.high == pytest.approx(1 - found.low)
    assert superiority([1.0, 1.0], [1.0, 1.0]).p == 1


def test_quantile_interval_is_order_statistics():
    x = np.arange(1.0, 101)
    found = quantile(x, 0.5)
    assert (found.low, found.high) == (40, 61)
    assert quantile(x[:5], 0.1).low == -np.inf


def test_quantile_interval_covers():
    x = RNG.normal(size=(500, 30))
    found = [quantile(row, 0.1) for row in x]
    assert np.mean([f.low <= stats.norm.ppf(0.1) <= f.high for f in found]) >= 0.93


def test_the_design_effect_is_kishs():
    """Two seeds of 2 and 4 runs, one failing whole: all of the variance lies between them, so each counts once."""
    failed = [np.array([True] * 2), np.array([False] * 4)]
    assert design_effect(failed) == pytest.approx(3)
    mixed = [
        np.array([True, False]),
        np.array([True, True]),
    ]  # between .25, within .25: an intraclass correlation of 0
    assert design_effect(mixed) == pytest.approx(1)
    half = [np.array([True] * 3), np.array([True, False, False])]
    between, within = 2 * 3 * (1 / 3) ** 2, (2 / 3) / 4
    icc = (between - within) / (between + 2 * within)
    assert design_effect(half) == pytest.approx(1 + 2 * icc)


def test_failures_of_one_seed_count_as_fewer():
    together = [np.array([True] * 5), *[np.array([False] * 5)] * 4]
    apart = [np.array([True, False, False, False, False])] * 5
    assert failure_probability(together).high > failure_probability(apart).high
    assert failure_probability(apart).estimate == pytest.approx(0.2)
    none = failure_probability([np.zeros(10, bool)])
    assert none.high == pytest.approx(1 - 0.025**0.1)


def test_profile_finds_the_failed_run_on_the_bad_side():
    runs = [np.array([20.0, 21.0]), np.array([20.5, 20.7]), np.array([20.2, 5.0])]
    found = profile("x", runs)
    assert found.failed.estimate == pytest.approx(1 / 6)
    assert found.worst == 5
    assert found.given_success.estimate == pytest.approx(np.mean([20.5, 20.6, 20.2]))
    turned = profile("x", runs, direction="-")
    assert turned.failed.estimate == 0
    assert turned.worst == 21
    assert profile("x", runs[:2]).failed is None
    assert profile("x", runs[:2], failed_beyond=20.4).failed.estimate == 0.25


def test_quantile_needs_a_run():
    with pytest.raises(DesignError, match="0 runs"):
        quantile(np.array([]), 0.5)
