"""Refits by the thousand: the same for one seed everywhere, and each the optimum of its own draw."""

import sys

import numpy as np
import pytest

import scalefit as sf
from scalefit.fitting.problem import Objective
from scalefit.fitting.solve import leave_out, multiplicities, refit, solve
from scalefit.laws import LAWS

X = np.geomspace(1e6, 1e9, 20)
Y = 1.7 + 400 * X**-0.3 + 0.02 * np.cos(7 * np.arange(20.0))

KNEE = 0.7 + 900 / (300 + X**0.35) + 0.02 * np.cos(7 * np.arange(20.0))


def test_draws_are_the_same_on_every_platform():
    """Golden numbers of PCG64 through Generator.integers."""
    counts = multiplicities(np.arange(5), 3, seed=0)
    assert counts.tolist() == [[0, 2, 1, 1, 1], [4, 0, 0, 0, 1], [0, 0, 1, 2, 2]]


def test_one_seed_one_answer():
    fit = sf.fit({"t": X, "v": Y}, "v", "power", inputs={"x": "t"})
    first, again, other = (sf.bootstrap(fit, 50, seed=s).draws.theta for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert fit.draws is None


def test_whole_clusters_are_drawn():
    clusters = np.array([0, 0, 0, 1, 1, 2])
    counts = multiplicities(clusters, 200, seed=3)
    assert (counts[:, 0] == counts[:, 1]).all()
    assert (counts[:, 3] == counts[:, 4]).all()
    assert (counts[:, [0, 3, 5]].sum(axis=1) == 3).all()
    assert counts[:, 0].mean() == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(
    "objective",
    [
        Objective(),
        Objective(residual="log"),
        Objective("huber", 0.01),
        Objective("soft_l1", 0.01, "log"),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["power", "rectified", "bansal"])
def test_each_refit_is_the_optimum_of_its_draw(name, objective):
    y = KNEE if name == "rectified" else Y
    solution = solve(LAWS[name], (X,), y, objective=objective)
    weights = multiplicities(np.arange(20), 12, seed=5)
    draws = refit(solution, weights)
    problem = solution.problem
    reached = problem.total(problem.law.value((X,), draws.theta), weights)
    for i, row in enumerate(weights):
        alone = solve(problem.law, (X,), y, objective=objective, weights=row)
        assert reached[i] <= alone.objective * (1 + 1e-6)


def test_chunks_do_not_change_the_answer(monkeypatch):
    solution = solve(LAWS["power"], (X,), Y)
    weights = multiplicities(np.arange(20), 40, seed=5)
    whole = refit(solution, weights).theta
    monkeypatch.setattr(sys.modules["scalefit.fitting.solve"], "CELLS", 500)
    np.testing.assert_allclose(refit(solution, weights).theta, whole, rtol=1e-5)


def test_leaving_out_a_cluster_is_fitting_without_it():
    solution = solve(LAWS["power"], (X,), Y)
    clusters = np.arange(20) // 4
    left = leave_out(solution, clusters)
    assert left.theta.shape == (5, 3)
    for run in range(5):
        keep = clusters != run
        alone = solve(solution.problem.law, (X[keep],), Y[keep])
        np.testing.assert_allclose(left.theta[run], alone.theta, rtol=1e-5)


def test_bootstrap_spread_is_that_of_fresh_data():
    """Pairs drawn with replacement give the standard error that 300 new experiments show."""
    rng = np.random.default_rng(11)
    x = np.repeat(X, 5)
    clean = 1.7 + 400 * x**-0.3
    fresh = [
        solve(LAWS["power"], (x,), clean + 0.02 * rng.normal(size=100)).params["alpha"]
        for _ in range(150)
    ]
    fit = sf.fit(
        {"t": x, "v": clean + 0.02 * rng.normal(size=100)}, "v", "power", inputs={"x": "t"}
    )
    spread = sf.bootstrap(fit, 500).draws.stderr()["alpha"]
    assert spread == pytest.approx(np.std(fresh), rel=0.3)
    assert spread == pytest.approx(fit.uncertainty.stderr["alpha"], rel=0.3)


@pytest.mark.filterwarnings("error")
def test_a_parameter_without_a_value_in_some_draws_has_an_infinite_error():
    """A log-law of eight noisy points: some draws leave nothing that says where it bends."""
    rng = np.random.default_rng(0)
    x = np.geomspace(1e6, 1e9, 8)
    endless = 0
    for _ in range(40):
        fit = sf.fit(
            {"pretrain_tokens": x, "bleu": 30 - 200 * x**-0.25 + 0.3 * rng.normal(size=8)},
            "bleu",
            "log",
        )
        draws = sf.bootstrap(fit, 200).draws
        for name, error in draws.stderr().items():
            finite = np.isfinite(draws.params[name])
            assert (error == np.inf) == (not finite.all())
            endless += not finite.all()
    assert endless
