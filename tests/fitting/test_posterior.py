"""Draws from the grid posterior, and lmfit's sampler beside them."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DomainError

X = np.geomspace(1e6, 1e9, 12)


def fitted(noise=0.01, seed=0):
    rng = np.random.default_rng(seed)
    loss = 1.7 + 400 * X**-0.3 + noise * rng.standard_normal(X.size)
    return sf.fit({"pretrain_tokens": X, "cross_entropy": loss}, "cross_entropy", "power")


def test_a_straight_line_has_the_t_intervals_of_the_textbook():
    """Without shapes the posterior is exact: the middle 95 % are Student's interval."""
    line = sf.Law(
        name="line",
        formula="c + m·ln x",
        coefficients=(sf.Coefficient("c"), sf.Coefficient("m")),
        basis=lambda x: (1.0, np.log(x / 1e7)),
    )
    y = 3 - 0.2 * np.log(X / 1e7) + 0.05 * np.random.default_rng(1).standard_normal(X.size)
    fit = sf.fit({"pretrain_tokens": X, "cross_entropy": y}, "cross_entropy", line)
    drawn = fit.posterior(4000)
    for name, (low, high) in fit.uncertainty.at(0.95).inner.parameters().items():
        drawn_ends = np.quantile(drawn[name], [0.025, 0.975])
        assert drawn_ends == pytest.approx([low, high], abs=0.08 * (high - low))


def test_draws_of_a_power_law_agree_with_its_intervals():
    fit = fitted()
    drawn = fit.posterior(1500)
    for name in ("E", "alpha"):
        interval = fit.intervals()[name]
        low, high = np.quantile(drawn[name], [0.025, 0.975])
        assert 0.6 < (high - low) / interval.width < 1.6
        assert low < fit.params[name] < high
    assert (drawn["E"] >= 0).all()


@pytest.mark.slow
def test_the_posterior_holds_the_truth_as_often_as_told():
    held = []
    for seed in range(16):
        drawn = fitted(seed=seed).posterior(200, seed=seed)["alpha"]
        low, high = np.quantile(drawn, [0.05, 0.95])
        held.append(low <= 0.3 <= high)
    assert 0.7 <= np.mean(held) <= 1.0


def test_one_seed_gives_the_same_draws():
    first, second = (fitted().posterior(50, seed=3)["E"] for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # ArviZ announces its own next version
def test_arviz_reads_the_draws():
    import arviz

    drawn = fitted().posterior(400)
    data = arviz.from_dict(posterior=dict(drawn))
    table = arviz.summary(data, kind="stats", hdi_prob=0.95)
    assert set(table.index) == set(drawn)
    np.testing.assert_allclose(table.loc["alpha", "mean"], drawn["alpha"].mean(), atol=1e-3)


def test_what_cannot_be_drawn_is_said(product):
    y = 3 * (X / 1e7) ** -0.1 * np.exp(0.01 * np.resize([1.0, -1, 0.5], 12))
    fit = sf.fit({"pretrain_tokens": X, "cross_entropy": y}, "cross_entropy", product)
    with pytest.raises(DomainError, match=r"draws need a separable law behind no link.*emcee"):
        fit.posterior()


def test_lmfit_and_emcee_work_end_to_end_with_a_corner_plot():
    """The bridge: the fit's ModelResult samples, and its flat chain draws."""
    import corner

    fit = fitted(noise=0.005)
    result = fit.to_lmfit()
    result.params.add("__lnsigma", value=np.log(0.005), min=np.log(1e-4), max=np.log(0.1))
    sampled = result.emcee(
        params=result.params,
        steps=300,
        burn=200,
        thin=4,
        nwalkers=24,
        seed=1,
        is_weighted=False,
        progress=False,
    )
    chain = sampled.flatchain
    assert {"E", "A", "alpha", "__lnsigma"} == set(chain.columns)
    interval = fit.intervals()["alpha"]
    assert interval.low < float(chain["alpha"].median()) < interval.high
    figure = corner.corner(chain[["E", "alpha"]])
    assert len(figure.axes) == 4
