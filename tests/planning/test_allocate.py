"""Splits of a budget against the closed form of Chinchilla's law."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DesignError, DomainError

TRUTH = {"E": 1.8, "A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.37}


@pytest.fixture(scope="module")
def fit():
    N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    noise = 1 + 0.001 * np.random.default_rng(0).standard_normal(N.size)
    loss = (
        TRUTH["E"] + TRUTH["A"] * N ** -TRUTH["alpha"] + TRUTH["B"] * D ** -TRUTH["beta"]
    ) * noise
    return sf.fit(
        {"N": N, "D": D, "cross_entropy": loss},
        "cross_entropy",
        "chinchilla",
        inputs={"N": "N", "D": "D"},
    )


def optimum(budget, p):
    """Hoffmann et al. 2022, eq. 4: N* = G (C/6)^a, with G = (αA/βB)^(1/(α+β)), a = β/(α+β)."""
    total = p["alpha"] + p["beta"]
    scale = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / total)
    return scale * (budget / 6) ** (p["beta"] / total)


def test_the_optimum_is_the_closed_form(fit):
    split = sf.allocate(fit, 1e21, resamples=20).splits[0]
    assert split.inputs["N"][0] == pytest.approx(optimum(1e21, fit.params), rel=2e-3)
    assert 6 * split.inputs["N"][0] * split.inputs["D"][0] == pytest.approx(1e21, rel=1e-6)


def test_the_interval_holds_the_truth_and_exponents_grow(fit):
    allocation = sf.allocate(fit, [1e20, 1e21, 1e22], resamples=100)
    middle, low, high = allocation.splits[-1].inputs["N"]
    assert low < middle < high
    assert low < optimum(1e22, TRUTH) < high
    exponent, low, high = allocation.exponents["N"]
    assert low <= exponent <= high
    assert exponent == pytest.approx(
        fit.params["beta"] / (fit.params["alpha"] + fit.params["beta"]), rel=1e-2
    )


@pytest.mark.parametrize("budget", [1e-3, 10.0, 1e7])
def test_a_budget_that_pays_no_run_near_the_measured_ones_is_refused(fit, budget):
    with pytest.raises(DomainError, match="buys nothing near the measured sizes"):
        sf.allocate(fit, budget, resamples=5)


@pytest.mark.parametrize("target", [3.0, 2.2, 2.0, 1.9])
def test_the_cheapest_for_a_target_is_the_closed_form(fit, target):
    """Least 6·N·D under a target: α A N^−α = β B D^−β. Steps of decades once cost a quarter too much."""
    p = fit.params
    rest = target - p["E"]
    size = (p["A"] * (1 + p["alpha"] / p["beta"]) / rest) ** (1 / p["alpha"])
    tokens = (p["B"] * (1 + p["beta"] / p["alpha"]) / rest) ** (1 / p["beta"])
    split = sf.allocate(fit, target=target, resamples=20).splits[0]
    assert split.budget == pytest.approx(6 * size * tokens, rel=1e-3)
    assert split.inputs["N"][0] == pytest.approx(size, rel=0.05)  # the minimum is flat
    assert split.cost[1] < 6 * size * tokens < split.cost[2]


def test_a_budget_far_below_what_was_run_is_said_to_be(fit):
    notes = sf.allocate(fit, 1e10, resamples=5).notes
    assert any("below the smallest measured" in note for note in notes)


def test_prices_of_their_own(fit):
    dear, cheap = (
        sf.allocate(fit, 1e12, price={"N": p, "D": 1.0}, resamples=5).splits[0].inputs["N"][0]
        for p in (100.0, 1.0)
    )
    assert dear < cheap


@pytest.mark.parametrize("budget", [0.0, -1.0, np.nan, [1e20, np.inf]])
def test_a_budget_that_is_none(fit, budget):
    with pytest.raises(DomainError, match="budget"):
        sf.allocate(fit, budget)


def test_a_law_of_one_input_has_nothing_to_split():
    sizes = np.geomspace(1e6, 1e9, 6)
    one = sf.fit(
        {"pretrain_tokens": sizes, "cross_entropy": 2 + 30 * sizes**-0.3}, "cross_entropy", "power"
    )
    with pytest.raises(DesignError, match="split between two"):
        sf.allocate(one, 1e20)


def test_a_price_that_names_one_input_only(fit):
    with pytest.raises(DomainError, match="must name both inputs"):
        sf.allocate(fit, 1e20, price={"N": 1.0})
