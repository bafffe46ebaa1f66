"""The integrals against brute force."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from scalefit.forecasting.losses.batch import (
    BENDS,
    EARLY,
    batch_of,
    covariance,
    first_grid,
    residual_likelihood,
)
from scalefit.forecasting.losses.engine import settle_losses
from scalefit.forecasting.losses.nodes import climb, hills, settle
from scalefit.forecasting.losses.posterior import posterior_of
from scalefit.forecasting.losses.shapes import FALLING, Laws
from scalefit.forecasting.series import Series, series_of

POWER = FALLING[0]


def from_prior(law, z):
    return Laws((law,), np.zeros(1, dtype=int), np.zeros(1)).from_prior(z[None])[0]


def log_prior(law, theta):
    return Laws((law,), np.zeros(1, dtype=int), np.zeros(1)).log_prior(theta)


def noisy(n=7, noise=0.01, seed=0, runs=None):
    x = np.geomspace(1e6, 1e9, n)
    y = (1.7 + 400 * x**-0.4) * np.exp(noise * np.random.default_rng(seed).normal(size=n))
    runs = np.ones(n, dtype=np.int64) if runs is None else np.asarray(runs)
    return Series(x, y, runs, seed_var=np.nan)


@pytest.fixture
def padded():
    """Three curves of unlike length and unequal runs, one with ties at three of six steps."""
    steps = noisy(7, seed=2, runs=[1, 2, 1, 1, 3, 1, 1])
    steps = replace(steps, y=steps.y[[0, 1, 1, 1, 4, 4, 6]])
    return [noisy(5, runs=[1, 2, 4, 1, 3]), noisy(8, seed=1), steps]


def test_likelihood_is_that_of_correlated_normals(padded):
    """Against the dense covariance, the level integrated numerically; noise of ties is carried along."""
    batch = batch_of(padded)
    grid = first_grid(batch)
    theta = from_prior(POWER, np.random.default_rng(0).normal(size=(3, 2)))
    theta = np.stack([theta] * len(padded))
    log_likelihood, *_ = residual_likelihood(batch, grid, POWER(theta, batch.u))
    flat = grid.constant[:, None]  # prior of the pair is in the constant: compare differences
    for i, curve in enumerate(padded):
        u = np.log(curve.x / curve.x[-1])
        root = np.sqrt(curve.runs)
        tied = 3 / 8 if i == 2 else 0.0
        noise = (
            tied ** np.abs(np.subtract.outer(range(u.size), range(u.size))) / root / root[:, None]
        )
        for j, m in [(0, 20), (1, 40), (2, 61)]:
            dense = grid.noise[i, m] * noise + grid.bend[i, m] * covariance(u[:, None], u)
            normal = stats.multivariate_normal(np.zeros(u.size), dense)
            residual = np.log(curve.y) - POWER(theta[i : i + 1, j : j + 1], u[None])[0, 0]
            weight = np.linalg.solve(dense, np.ones(u.size))
            centre, spread = residual @ weight / weight.sum(), weight.sum() ** -0.5
            around = [centre - 9 * spread, centre + 9 * spread]
            top = normal.logpdf(residual - centre)
            value, _ = integrate.quad(
                lambda c, r=residual, f=normal, t=top: np.exp(f.logpdf(r - c) - t), *around
            )
            ours = log_likelihood[i, j, m] - flat[i, 0, m]
            own = np.log(value) + top - _determinants(dense, u.size)
            assert ours == pytest.approx(own, abs=1e-3)


def _determinants(dense, n):
    """What of the log density no residual changes, the level integrated out."""
    ones = np.ones(n)
    level = ones @ np.linalg.solve(dense, ones)
    return -0.5 * ((n - 1) * np.log(2 * np.pi) + np.linalg.slogdet(dense)[1] + np.log(level))


def test_nodes_integrate_like_a_dense_grid():
    batch = batch_of([noisy(6, noise=0.003)])
    grid = first_grid(batch)

    def marginal(theta):
        log_likelihood, *_ = residual_likelihood(batch, grid, POWER(theta, batch.u))
        return np.logaddexp.reduce(log_likelihood, axis=2)

    nodes = settle(hills([POWER], batch, grid))
    mass = nodes.log_weight + marginal(nodes.theta)
    a, f = np.linspace(-3.2, 0.8, 401), np.linspace(-9, 9, 401)
    dense = np.stack(np.meshgrid(a, f, indexing="ij"), axis=-1).reshape(1, -1, 2)
    log_dense = marginal(dense) + log_prior(POWER, dense)
    cell = np.log((a[1] - a[0]) * (f[1] - f[0]))
    assert np.logaddexp.reduce(mass[0]) == pytest.approx(
        np.logaddexp.reduce(log_dense[0]) + cell, abs=0.25
    )
    weight = np.exp(log_dense[0] - log_dense.max())
    mean = weight @ dense[0] / weight.sum()
    ours = np.exp(mass[0] - mass.max())
    spread = np.sqrt(weight @ (dense[0] - mean) ** 2 / weight.sum())
    assert (np.abs(ours @ nodes.theta[0] / ours.sum() - mean) < 0.15 * spread).all()
    assert nodes.effective[0] > 60


def test_weights_are_a_distribution(padded):
    posterior = posterior_of(batch_of(padded))
    assert posterior.weight.min() >= 0
    np.testing.assert_allclose(posterior.weight.sum(axis=(1, 2)), 1.0)
    np.testing.assert_allclose(posterior.laws.sum(axis=1), 1.0)
    assert posterior.names == ("power", "bansal", "rectified", "m4", "leaking floor")


def test_mean_is_narrower_than_a_run_by_the_noise(padded):
    largest = np.zeros(1)
    for atoms in settle_losses(padded):
        run, mean = (
            atoms.quantiles(largest, np.array([0.1, 0.9]), kind)[:, 0] for kind in ("run", "mean")
        )
        assert run[0] < mean[0] < mean[1] < run[1]


def test_laws_with_a_flat_phase_gain_where_the_data_have_one():
    """From a prior share of a ninth; a power law with a discrepancy stays possible."""
    x = np.geomspace(1e5, 1e9, 14)
    flat_then_falling = 0.4 + 2e4 / (2e4 + x**0.7)
    posterior = posterior_of(batch_of([series_of(x, flat_then_falling)]))
    weight = dict(zip(posterior.names, posterior.laws[0], strict=True))
    assert weight["rectified"] + weight["m4"] > 0.4


@pytest.mark.parametrize("law", FALLING, ids=lambda law: law.name)
def test_the_top_is_a_top_and_its_curvature_is_right(law):
    """Against Nelder–Mead from there, and second differences of the log posterior."""
    batch = batch_of([noisy(12, noise=0.002)])
    grid = first_grid(batch)

    def total(theta):
        log_likelihood, *_ = residual_likelihood(batch, grid, law(theta[None, None], batch.u))
        return float(
            np.logaddexp.reduce(log_likelihood[0, 0]) + log_prior(law, theta[None, None])[0, 0]
        )

    starts = from_prior(law, np.random.default_rng(3).normal(size=(6, len(law.centre))))[None]
    top, covariance = climb(hills([law], batch, grid), starts)
    best = optimize.minimize(lambda t: -total(t), top[0, 0], method="Nelder-Mead").x
    near = (
        2.0 if law.name == "leaking floor" else 0.1
    )  # a ridge: floor and leak stand in for each other
    assert total(best) - total(top[0, 0]) < near
    assert (np.linalg.eigvalsh(covariance[0]) > 0).all()
    direction = np.linalg.eigh(covariance[0])[1][:, 0]  # the best known one
    step = 0.5 * np.sqrt(direction @ covariance[0] @ direction)
    bend = [total(top[0, 0] + s * step * direction) for s in (-1, 0, 1)]
    curvature = -(bend[0] - 2 * bend[1] + bend[2]) / step**2
    assert 0.3 < curvature * (direction @ covariance[0] @ direction) < 2.0


def test_precise_data_are_integrated_with_many_nodes():
    """Nodes that drift from the prior find one or two of a thousand here."""
    x = np.geomspace(1e5, 1e9, 10)
    y = 0.4 + 2e3 / (2e3 + x**0.7)
    noise = np.exp(0.001 * np.random.default_rng(0).normal(size=10))
    posterior = posterior_of(batch_of([series_of(x, y * noise)]))
    assert (posterior.effective[0] > 10).all()


def test_few_decimals_are_noise():
    x = np.geomspace(1e6, 1e9, 6)
    coarse, fine = (batch_of([series_of(x, np.round(2 + x**-0.2, d))]) for d in (1, 12))
    assert coarse.rounding[0] == pytest.approx(0.1**2 / 12 / 2.06**2, rel=0.05)
    assert fine.rounding[0] == 0


def test_whole_numbers_that_one_value_repeats_prove_no_step():
    flat = series_of(np.geomspace(1e6, 1e9, 8), np.full(8, 2.0))
    assert batch_of([flat]).rounding[0] == pytest.approx(0.1**2 / 12 / 4)
    several = replace(flat, y=np.array([7.0, 6, 5, 5, 4, 4, 4, 3]))
    assert batch_of([several]).rounding[0] == pytest.approx(1 / 12 / np.mean(several.y**2))


def test_first_sizes_of_a_curve_are_expected_to_lie_farther_above_its_floor():
    """Priors of floors move for four sizes, and for no more."""
    long = noisy(7)
    laws = hills(FALLING, batch := batch_of([long, long.head(4)]), first_grid(batch)).laws
    moved = np.diff(laws.centre[:, 0].reshape(len(FALLING), 2, -1), axis=1)[:, 0]
    assert ((moved != 0).sum(axis=1) == 1).all()
    assert moved.min(axis=1) == pytest.approx(EARLY)
    assert np.diff(laws[np.array([0, 1])].early) == pytest.approx(EARLY)


def test_a_description_is_taken_for_the_truth_less_often(padded):
    """The odds of a discrepancy of 0 are those of the data times the law's own, whatever the curve."""

    def exact(odds):
        law = replace(FALLING[3], odds=odds)
        weight = posterior_of(batch_of(padded), (law,)).weight.sum(axis=1)
        share = weight.reshape(len(padded), -1, BENDS.size)[:, :, 0].sum(axis=1)
        return share / (1 - share)

    np.testing.assert_allclose(exact(1 / 3), exact(1.0) / 3, rtol=1e-6)
    assert FALLING[3].odds < FALLING[0].odds
