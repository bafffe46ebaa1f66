"""Means and noise of both designs against the formulas, written out once more with loops."""

import numpy as np
import pytest

from scalefit.alignment.falls import falls, passes
from scalefit.alignment.noise import NoiseProfile, _of_sizes, estimate, profile_of

RNG = np.random.default_rng(7)
VALUES = np.array([1.0, 1, 2.5, 1, 1])[:, None] * RNG.standard_normal((5, 4)) + 20
HOLES = VALUES.copy()
HOLES[1, 2] = HOLES[3, 0] = np.nan
TWO = VALUES[:, :2].copy()
TWO[0, 1] = np.nan
PRIOR = 1.7


def swelled(ratio, dof, weight, nu):
    share = weight / (weight + PRIOR)
    mixed = share * ratio + 1 - share
    if mixed <= 1:
        return 1.0, nu
    spread = (share * ratio) ** 2 / dof + (1 - share) ** 2 / nu
    return np.sqrt(mixed), min(mixed**2 / spread, nu)


def interaction(values):
    return values - values.mean(1, keepdims=True) - values.mean(0, keepdims=True) + values.mean()


@pytest.mark.parametrize(("design", "nu"), [("separate", 15), ("shared", 12)])
def test_a_complete_table(design, nu):
    noise, (sizes, runs) = estimate(VALUES, design), VALUES.shape
    rest = VALUES - VALUES.mean(1, keepdims=True)
    rest = rest if design == "separate" else interaction(VALUES)
    square = (rest**2).sum() / nu
    own = (rest**2).sum(1) / (runs - 1)
    common = nu * min(own.mean() ** 2 / (own**2).mean(), 1.0)
    assert (noise.nu, noise.sd) == (nu, pytest.approx(np.sqrt(square)))
    np.testing.assert_allclose(noise.effects, VALUES.mean(1))
    np.testing.assert_allclose(noise.spread, 1 / runs)
    for i in range(sizes):
        for j in range(i + 1, sizes):
            a, b = own[i], own[j]
            dof, pair = (runs - 1) * (a + b) ** 2 / (a**2 + b**2), (a + b) / 2
            if design == "shared":
                within = np.var(rest[i] - rest[j], ddof=1) / 2
                pair, dof = (within + pair * sizes / (sizes - 1)) / 2, (dof + runs - 1) / 2
            want = swelled(pair / square, dof, 2.0 * (runs - 1), common)
            assert (noise.swell[i, j], noise.dof[i, j]) == pytest.approx(want)


@pytest.mark.parametrize("values", [HOLES, TWO], ids=["four runs", "two runs"])
@pytest.mark.parametrize("design", ["separate", "shared"])
def test_a_table_with_holes_is_least_squares_on_what_is_there(design, values):
    noise, there, runs = estimate(values, design), ~np.isnan(values), values.shape[1]
    at, y = np.argwhere(there), values[there]
    columns = [at[:, 0] == k for k in range(5)]
    columns += [at[:, 1] == p for p in range(1, runs)] if design == "shared" else []
    design_matrix = np.column_stack(columns).astype(float)
    best, (rest,), rank, _ = np.linalg.lstsq(design_matrix, y, rcond=None)
    nu, square = len(y) - rank, rest / (len(y) - rank)
    common = nu
    if design == "separate":
        nu, square, even = alike([v[~np.isnan(v)] for v in values])
        common = nu * even
    means = best[:5] + (np.append(best[5:], 0).mean() if design == "shared" else 0)
    assert (noise.nu, noise.sd) == pytest.approx((nu, np.sqrt(square)))
    np.testing.assert_allclose(noise.effects, means)
    for i in range(5):
        for j in range(i + 1, 5):
            contrast = np.zeros(design_matrix.shape[1])
            contrast[i], contrast[j] = 1, -1
            variance = contrast @ np.linalg.inv(design_matrix.T @ design_matrix) @ contrast
            assert noise.spread[i, j] == pytest.approx(variance / 2)
            own = own_pair(values[i], values[j], design, square)
            want = (1.0, common) if own is None else swelled(*own, common)
            assert (noise.swell[i, j], noise.dof[i, j]) == pytest.approx(want)
    np.testing.assert_allclose(np.diag(noise.spread), 1.0)


def alike(sizes):
    """Degrees of freedom and noise where sizes count alike, and the share that their unevenness leaves."""
    told = [v for v in sizes if len(v) > 1]
    own = np.array([v.var(ddof=1) for v in told])
    nu = len(told) ** 2 / sum(1 / (len(v) - 1) for v in told)
    return nu, own.mean(), min(own.mean() ** 2 / (own**2).mean(), 1.0)


def own_pair(first, second, design, square):
    """Ratio, degrees of freedom and weight; nothing where one size has a single run."""
    if 1 in (np.isfinite(first).sum(), np.isfinite(second).sum()):
        return None
    if design == "shared":
        gap = (first - second)[~np.isnan(first - second)]
        return np.var(gap, ddof=1) / (2 * square), len(gap) - 1.0, 2.0 * (len(gap) - 1)
    parts = [v[~np.isnan(v)] for v in (first, second)]
    errors = [np.var(v, ddof=1) / len(v) / square for v in parts]
    dof = sum(errors) ** 2 / sum(e**2 / (len(v) - 1) for e, v in zip(errors, parts, strict=True))
    return sum(errors) / sum(1 / len(v) for v in parts), dof, sum(len(v) - 1.0 for v in parts)


def test_a_pair_with_a_single_run_takes_the_common_noise():
    values = HOLES.copy()
    values[0, 1:] = np.nan
    noise = estimate(values, "separate")
    assert (noise.swell[0, 1:] == 1).all()
    assert (noise.dof[0, 1:] < noise.nu).all()


@pytest.mark.parametrize("design", ["separate", "shared"])
def test_tables_without_holes_agree_with_those_that_have_some(design):
    """A column of nothing is no run: means, noise and precision are those of the complete table."""
    more = np.column_stack([VALUES, np.full(5, np.nan)])
    if design == "shared":
        more = np.where(np.isnan(more), np.nan, more)
    whole, holed = estimate(VALUES, "separate"), estimate(more, "separate")
    np.testing.assert_allclose(holed.effects, whole.effects)
    assert (holed.sd, holed.nu) == pytest.approx((float(whole.sd), whole.nu))
    np.testing.assert_allclose(holed.spread[np.triu_indices(5, 1)], 1 / 4)


def test_many_runs_of_quiet_sizes_do_not_speak_for_the_few_of_noisy_ones():
    """Three sizes of two runs, 3 x as noisy as three of five: .12 of flat tables where all runs counted alike."""
    rng, runs, sd = np.random.default_rng(1), [2, 2, 2, 5, 5, 5], np.array([3, 3, 3, 1, 1, 1])
    values = sd[:, None] * rng.normal(size=(400, 6, 5))
    values[:, np.arange(5) >= np.array(runs)[:, None]] = np.nan
    alarms = [bool(passes(falls(estimate(v, "separate")), 0.05).any()) for v in values]
    assert np.mean(alarms) < 0.1


def test_no_noise_at_all_still_divides():
    noise = estimate(np.full((3, 2), 5.0), "separate")
    assert 0 < float(noise.sd) < 1e-10
    assert np.isfinite(noise.swell).all()


def test_holes_are_handled_one_table_at_a_time():
    with pytest.raises(ValueError, match="one table at a time"):
        estimate(np.stack([HOLES, HOLES]), "separate")


def of_sizes(table, design):
    """Variance of each size of one table (K, P); shared runs leave a part of all sizes in each."""
    sizes, runs = table.shape
    if design == "separate":
        return table.var(1, ddof=1)
    own = (interaction(table) ** 2).sum(1) / (runs - 1)
    mean = own.sum() / (sizes - 1)
    return np.maximum((own - mean / sizes) / (1 - 2 / sizes), 0.05 * mean)


def profile_by_hand(tables, design):
    groups, sizes, runs = tables.shape
    own = np.array([of_sizes(t, design) for t in tables])
    ratios = np.ones(sizes)
    for _ in range(8):
        scale = (own / ratios).mean(1)
        ratios = (own / scale[:, None]).mean(0)
        ratios /= ratios.mean()
    stray = ((own / scale[:, None] / ratios) ** 2).mean()
    gamma = (stray - 1) / ((1 - 1 / groups) * (1 - 1 / sizes)) + 1
    beyond = max(gamma / (1 + 2 / (runs - 1)) - 1, 0)
    free = groups * (runs - 1)
    apart = np.var(ratios, ddof=1)  # their mean is one
    share = max(1 - 2 / free / apart, 0.0)
    return 1 + share * (ratios - 1), 2 / (beyond + 2 / groups), free / share if share else np.inf


@pytest.mark.parametrize("design", ["separate", "shared"])
def test_the_profile_of_groups_by_hand(design):
    rng = np.random.default_rng(3)
    sd = np.array([1, 1, 4, 1, 2.0])[:, None] * rng.gamma(2, size=(2, 8, 5, 1))
    many = sd * rng.standard_normal((2, 8, 5, 3))
    learned = profile_of(many, design)
    for i, tables in enumerate(many):
        ratios, prior, free = profile_by_hand(tables, design)
        np.testing.assert_allclose(learned.ratios[i, 0], ratios)
        assert learned.prior[i, 0] == pytest.approx(prior)
        assert learned.dof[i, 0] == pytest.approx(free)
        assert learned.groups == 8


@pytest.mark.parametrize("design", ["separate", "shared"])
def test_a_profile_is_what_pairs_are_drawn_towards(design):
    tables = np.array([1, 1, 3, 1, 1])[:, None] * RNG.standard_normal((2, 7, 5, 4))
    learned = profile_of(tables, design)
    for t in range(2):
        ratios, prior = learned.ratios[t, 0], float(learned.prior[t, 0])
        noise = estimate(
            tables[t], design, NoiseProfile(ratios, np.array(prior), np.array(21.0), 7)
        )
        for g, table in enumerate(tables[t]):
            rest = table - table.mean(1, keepdims=True)
            rest = rest if design == "separate" else interaction(table)
            nu = 15 if design == "separate" else 12
            square, own = (rest**2).sum() / nu, (rest**2).sum(1) / 3
            level = (of_sizes(table, design) / ratios).mean() / square
            even = own / ratios
            common = nu * np.sqrt(min(even.mean() ** 2 / (even**2).mean(), 1.0))
            common = 1 / (1 / common + 1 / (2 * 21))
            common = min(common, 3 + 1 / max(1 / prior - 1 / 14, 1e-9))
            known = (ratios[0] + ratios[2]) / 2 * level
            a, b = own[0], own[2]
            pair, dof = (a + b) / 2, 3 * (a + b) ** 2 / (a**2 + b**2)
            if design == "shared":
                within = np.var(rest[0] - rest[2], ddof=1) / 2
                pair, dof = (within + pair * 5 / 4) / 2, (dof + 3) / 2
            share = 6 / (6 + prior)
            mixed = share * pair / square + (1 - share) * known
            spread = (share * pair / square) ** 2 / dof + ((1 - share) * known) ** 2 / common
            swell, free = np.sqrt(max(mixed, known)), common
            if mixed > known:
                free = min(mixed**2 / spread, common)
            assert (noise.swell[g, 0, 2], noise.dof[g, 0, 2]) == pytest.approx((swell, free))


@pytest.mark.parametrize("design", ["separate", "shared"])
def test_many_groups_tell_the_noisy_size_and_that_they_agree(design):
    rng = np.random.default_rng(0)
    values = np.array([1, 1, 3, 1, 1])[:, None] * rng.standard_normal((400, 5, 3))
    agreed = profile_of(values, design)
    # What a noisy size leaves in the others of its runs hides how quiet they are: the floor is seen in their mean.
    assert agreed.ratios[0] == pytest.approx(np.array([1, 1, 9, 1, 1]) / 2.6, rel=0.25)
    quiet = rng.permuted(np.array([[1, 1, 5, 1, 1.0]] * 400), axis=1)
    each = profile_of(quiet[..., None] * rng.standard_normal((400, 5, 3)), design)
    assert each.ratios[0] == pytest.approx(np.ones(5), abs=0.3)
    assert agreed.prior[0] > 5 * each.prior[0]


def test_the_variance_of_two_checkpoints_and_of_three():
    pair = VALUES[:2]
    both = (interaction(pair) ** 2).sum(1) / 3 * 2
    assert _of_sizes(interaction(pair), "shared") == pytest.approx(both)
    assert _of_sizes(interaction(VALUES[:3]), "shared") == pytest.approx(
        of_sizes(VALUES[:3], "shared")
    )
