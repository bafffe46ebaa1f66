"""Curves of one run a size: levels at any noise, and what can be seen."""

import numpy as np
import pytest
from scipy.stats import norm

import scalefit as sf
from scalefit.alignment.single_run import (
    SingleRuns,
    _null,
    single_runs,
    tipping_point,
)
from scalefit.alignment.smooth import degrees, quiet_sd, residual_sd, straying

X = np.log(np.geomspace(1e6, 1e9, 6))
LATER = np.triu(np.ones((6, 6), dtype=bool), 1)
DRAWS = 600


def suspected(means, sd, *, known=False, seed=0):
    rng = np.random.default_rng(seed)
    hits = 0
    for y in np.asarray(means) + sd * rng.standard_normal((DRAWS, 6)):
        size = np.where(LATER, y[:, None] - y, np.nan)
        runs = SingleRuns(X, sd) if known else single_runs(X, straying(X, y), 0.69)
        hits += runs.p_values(size).min() <= 0.05
    return hits / DRAWS


@pytest.mark.parametrize("sd", [0.25, 0.7, 1.2, 2.0, 5.0, 10.0])
def test_a_flat_curve_is_rarely_suspected_whatever_its_noise(sd):
    assert suspected([25] * 6, sd) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / DRAWS)


@pytest.mark.parametrize(
    "means", [(20, 23, 25, 26, 26.5, 23), (20, 23, 26, 23.5, 23.5, 23.5)], ids=["3.5", "2.5 held"]
)
def test_a_fall_is_suspected_where_the_noise_is_known(means):
    assert suspected(means, 0.7, known=True) >= 0.65


def test_a_steady_fall_over_many_checkpoints_is_seen_over_its_local_noise():
    rng = np.random.default_rng(0)
    y = 25 - np.linspace(0, 3, 64) + 0.2 * rng.standard_normal(64)
    sizes = np.linspace(1e6, 64e6, 64)
    result = sf.align({"pretrain_tokens": sizes, "bleu": y})[0]
    assert result.evidence.fall.sd == pytest.approx(0.2, rel=0.4)
    assert (result.verdict, result.strength) == ("deteriorating", "provisional")


def test_a_run_that_wanders_is_not_taken_for_a_quiet_one():
    rng = np.random.default_rng(1)
    noise = np.empty(64)
    noise[0] = rng.standard_normal()
    for k in range(1, 64):
        noise[k] = 0.9 * noise[k - 1] + np.sqrt(1 - 0.81) * rng.standard_normal()
    near = residual_sd(np.arange(64.0), noise)
    alone = np.sqrt(np.mean(np.diff(noise, 2) ** 2) / 6)
    assert near > 1.3 * alone


def test_the_smallest_fall_is_where_p_meets_the_level():
    for runs in (
        SingleRuns(X, 0.69, sd, doubt)
        for sd in (0.2, 0.69, 2.0, np.nan)
        for doubt in (0, 0.02, 0.3)
    ):
        falls = np.where(LATER, runs.smallest(0.05), np.nan)
        assert runs.p_values(falls * 1.02).min() <= 0.051
        assert runs.p_values(falls * 0.98).min() >= 0.049


def test_a_rise_that_ends_in_a_fall_is_seen_beside_the_noise_of_published_runs():
    """Residuals of a smooth curve took the fall for noise: .07 were suspected."""
    assert suspected([19, 22, 25, 25, 25, 21.5], 0.25) >= 0.3


@pytest.mark.parametrize("sizes", [6, 12])
@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_checkpoints_of_a_named_run_that_hang_together_keep_the_level(sizes, correlation):
    rng, x, hits = np.random.default_rng(5), np.log(np.geomspace(1e6, 1e9, sizes)), 0
    for _ in range(DRAWS):
        y = rng.standard_normal(sizes)
        for k in range(1, sizes):
            y[k] = correlation * y[k - 1] + np.sqrt(1 - correlation**2) * y[k]
        runs = single_runs(x, straying(x, y), 0.69, hanging=True)
        hits += (y - np.minimum.accumulate(y[::-1])[::-1]).max() >= runs.smallest(0.05)
    assert hits / DRAWS <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / DRAWS)


def test_a_cross_entropy_that_turns_is_said_to_get_worse():
    sizes = np.geomspace(1e6, 1e9, 24)
    u = np.linspace(0, 1, 24)
    rng = np.random.default_rng(2)
    loss = 1.624 - 0.23 * u + 0.35 * np.maximum(u - 0.4, 0) + 0.002 * rng.standard_normal(24)
    bleu = 20 + 6 * u + 0.05 * rng.standard_normal(24)
    result = sf.align({"pretrain_tokens": sizes, "bleu": bleu, "cross_entropy": loss})[0]
    assert "improves too" not in result.reason
    assert result.verdict == "underrated" or "gets worse" in result.reason


@pytest.mark.parametrize("door", [sf.align, sf.monitor])
def test_a_fall_of_single_runs_may_be_a_run_that_wanders(door):
    rng = np.random.default_rng(4)
    bleu = 25 + 0.2 * rng.standard_normal(12) - 6.0 * (np.arange(12) >= 11)
    table = {"pretrain_tokens": np.geomspace(1e6, 1e9, 12), "bleu": bleu}
    plain = door(table)[0]
    assert str(getattr(plain, "decision", "")) == "stop" or plain.verdict == "deteriorating"
    assert "hang together" in plain.reason
    named = door(table | {"pretrain_run": ["a"] * 12})[0]
    assert named.rows()[0]["p"] > plain.rows()[0]["p"]
    assert "hang together (" not in named.reason


def test_two_single_runs_say_nothing_of_their_noise():
    result = sf.align({"pretrain_tokens": [1e6, 1e9], "bleu": [30.0, 20.0]})[0]
    assert (result.verdict, result.p) == ("inconclusive", 1.0)


def by_hand(x, y, lag):
    """Squares of what points are off the line through their neighbours, per unit noise."""
    off = []
    for i in range(lag, len(x) - lag):
        before, after = x[i - lag], x[i + lag]
        share = (after - x[i]) / (after - before)
        line = share * y[i - lag] + (1 - share) * y[i + lag]
        off.append((y[i] - line) ** 2 / (1 + share**2 + (1 - share) ** 2))
    return np.array(off)


def test_degrees_of_freedom_of_short_and_long_curves():
    assert [degrees(n) for n in (1, 2, 3, 4, 5, 11, 12, 13, 20)] == [0, 0, 1, 2, 2, 8, 5, 5, 9]


@pytest.mark.parametrize(("sizes", "lags"), [(12, (1, 2)), (24, (1, 2, 4)), (30, (1, 2, 4))])
def test_scatter_of_long_curves_is_the_largest_over_lags(sizes, lags):
    rng = np.random.default_rng(sizes)
    x, ys = np.cumsum(rng.uniform(0.3, 1, sizes)), rng.standard_normal((20, sizes))
    want = [np.sqrt(max(by_hand(x, y, lag).mean() for lag in lags)) for y in ys]
    np.testing.assert_allclose(residual_sd(x, ys), want)


@pytest.mark.parametrize("sizes", [3, 4, 6, 13])
def test_neighbours_without_the_largest_square_tell_how_quiet_a_curve_is(sizes):
    x, y = np.arange(float(sizes)) ** 1.3, np.random.default_rng(5).standard_normal(sizes)
    squares = np.sort(by_hand(x, y, 1))[: max(sizes - 3, 1)]
    assert straying(x, y).quiet == pytest.approx(np.sqrt(squares.mean()))
    np.testing.assert_allclose(
        quiet_sd(x, np.stack([y, 2 * y])), np.sqrt(squares.mean()) * np.array([1, 2])
    )


def test_many_curves_have_the_scatter_that_each_has():
    for sizes in (2, 3, 4, 6):
        x, ys = np.arange(float(sizes)), np.random.default_rng(6).standard_normal((4, sizes))
        np.testing.assert_allclose(residual_sd(x, ys), [float(residual_sd(x, y)) for y in ys])
    assert np.isnan(residual_sd(np.arange(2.0), np.zeros((4, 2)))).tolist() == [True] * 4


def test_a_straight_line_has_a_scatter_that_can_divide():
    for sizes in (6, 20):
        x = np.arange(float(sizes))
        sd = residual_sd(x, np.stack([3 * x, x * 1e6]))
        assert ((sd > 0) & (sd < [1e-6, 1])).all()


def test_p_values_are_ranks_among_simulated_falls_and_one_outside_the_pairs():
    _null.cache_clear()
    x = np.log(np.geomspace(3e6, 7e9, 7))
    runs, null = SingleRuns(x, 1.0, 2.0, 1.0), _null(tuple(x.tolist()), False)
    heights = null.largest[[100, 5000, 9990]]
    falls = np.where(np.triu(np.ones((7, 7), dtype=bool), 1), -1.0, np.nan)
    falls[[0, 1, 2], [3, 4, 6]] = 2.0 * heights * (1 + 1e-12)
    p = runs.p_values(falls)
    draws = len(null.largest)
    want = [min(2 * (draws - at) / (draws + 1), 1) for at in (100, 5000, 9990)]
    np.testing.assert_allclose(p[[0, 1, 2], [3, 4, 6]], want)
    assert (p[np.tril_indices(7)] == 1).all()
    assert p.max() == 1
    assert null.quantile("largest", 0.9) == pytest.approx(np.quantile(null.largest, 0.9))


def test_each_pair_reaches_as_far_as_its_own_noise():
    _null.cache_clear()
    x = np.log(np.geomspace(2e6, 5e9, 5))
    later_ = np.triu(np.ones((5, 5), dtype=bool), 1)
    known = SingleRuns(x, 0.7).reach(0.05)
    np.testing.assert_allclose(known[later_], 0.7 * np.sqrt(2) * norm.ppf(0.95))
    drawn = _null(tuple(x.tolist()), False)
    pairs = (drawn.noise[:, :, None] - drawn.noise[:, None]) / drawn.sd[:, None, None]
    scattered = SingleRuns(x, 0.7, 1.5).reach(0.05)
    np.testing.assert_allclose(scattered[later_], 1.5 * np.quantile(pairs, 0.95, axis=0)[later_])
    assert np.isinf(scattered[~later_]).all()


def test_noise_at_the_tipping_point_explains_the_fall():
    for fall in (0.4, 1.0, 3.0):
        falls = np.where(LATER, fall, np.nan)
        assert SingleRuns(X, tipping_point(fall, 6)).p_values(falls).min() == pytest.approx(
            0.05, rel=2e-3
        )
        assert tipping_point(fall, 6, 0.01) < tipping_point(fall, 6)
    assert tipping_point(-1.0, 6) == 0


def test_noise_that_is_trusted_counts_however_noisy_the_curve_looks():
    strays = straying(X, np.array([0.0, 9, 0, 9, 0, 9]))
    trusted, doubted = (single_runs(X, strays, 0.69, trusted=t) for t in (True, False))
    assert (trusted.doubt, doubted.doubt) == (0, 1)
