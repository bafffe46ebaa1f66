"""What lmfit does best is one call away."""

import lmfit
import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DomainError
from scalefit.laws import LAWS

X = np.geomspace(1e6, 1e9, 12)
TRUTH = {"E": 1.7, "A": 400.0, "alpha": 0.3}
Y = LAWS["power"](X, **TRUTH) + 0.01 * np.cos(7 * np.arange(12.0))
FRAME = {"t": X, "v": Y}


def fitted(**options):
    return sf.fit(FRAME, "v", "power", inputs={"x": "t"}, **options)


@pytest.mark.parametrize("name", sorted(LAWS))
def test_every_law_is_an_lmfit_model(name):
    law = LAWS[name]
    model = law.to_lmfit()
    assert isinstance(model, lmfit.Model)
    reference = () if law.reference is None else (law.reference,)
    assert tuple(model.param_names) == (*law.parameters, *reference)
    assert tuple(model.independent_vars) == law.inputs


def test_the_model_has_the_law_s_values_and_bounds():
    model = LAWS["power"].to_lmfit()
    np.testing.assert_allclose(model.eval(x=X, **TRUTH), LAWS["power"](X, **TRUTH))
    params = model.make_params(**TRUTH)
    assert params["E"].min == 0
    assert params["A"].min == 0
    assert params["alpha"].min == 0


def test_the_log_law_s_reference_is_a_parameter_that_does_not_vary():
    """A model of a law that has seen no data can be fitted: its guess chooses D_ref."""
    model = LAWS["log"].to_lmfit()
    bleu = LAWS["log"](X, D0=1e5, s=20.0, beta=1.2, D_ref=3e7) + Y - LAWS["power"](X, **TRUTH)
    guess = model.guess(bleu, D=X)
    assert not guess["D_ref"].vary
    fit = sf.fit({"t": X, "v": bleu}, "v", "log", inputs={"D": "t"})
    assert model.fit(bleu, guess, D=X).chisqr == pytest.approx(fit.objective, rel=1e-6)
    assert "D_ref" not in fit.to_lmfit().params


def test_what_lmfit_cannot_hold_is_said():
    """D0 → 0 makes β infinite."""
    fit = sf.fit({"t": X, "v": 20 * (X / 1e8) ** 0.15}, "v", "log", inputs={"D": "t"})
    assert np.isinf(fit.params["beta"])
    with pytest.raises(DomainError, match="beta of law 'log' is not finite at the optimum"):
        fit.to_lmfit()


def test_the_guess_is_the_optimum():
    model = LAWS["power"].to_lmfit()
    guess = model.guess(Y, x=X)
    assert {k: p.value for k, p in guess.items()} == pytest.approx(fitted().params, rel=1e-9)
    result = model.fit(Y, guess, x=X)
    assert result.chisqr == pytest.approx(fitted().objective, rel=1e-6)
    assert result.nfev < 100


def test_a_fit_is_a_model_result_at_our_optimum():
    fit = fitted()
    result = fit.to_lmfit()
    assert isinstance(result, lmfit.model.ModelResult)
    assert result.chisqr == pytest.approx(fit.objective, rel=1e-6)
    assert result.best_values == pytest.approx(fit.params, rel=1e-4)
    np.testing.assert_allclose(result.best_fit, fit.solution.fitted, rtol=1e-6)


def test_conf_interval_agrees_with_ours():
    """lmfit searches the profile by F-test; so do we, on a grid, without a search."""
    fit = fitted()
    theirs = fit.to_lmfit().conf_interval(sigmas=[0.95])
    for name, interval in fit.intervals().items():
        low, _, high = (value for _, value in theirs[name])
        assert interval.low == pytest.approx(low, rel=0.02)
        assert interval.high == pytest.approx(high, rel=0.02)


def test_standard_errors_agree_with_lmfit_s():
    fit = fitted()
    result = fit.to_lmfit()
    for name, error in fit.uncertainty.stderr.items():
        assert result.params[name].stderr == pytest.approx(error, rel=0.05)


def test_a_weighted_fit_on_log_residuals_stays_near_its_optimum():
    fit = fitted(residual="log")
    result = fit.to_lmfit()
    assert result.best_values == pytest.approx(fit.params, rel=0.02)


def test_the_log_law_reaches_lmfit_with_its_reference():
    quality = 20 * (np.log(X / 1e4) / np.log(1e4)) ** 1.2 + 0.1 * np.cos(7 * np.arange(12.0))
    fit = sf.fit({"t": X, "bleu": quality}, "bleu", "log", inputs={"D": "t"}, residual="linear")
    result = fit.to_lmfit()
    assert result.chisqr == pytest.approx(fit.objective, rel=1e-4)


def test_models_compose_and_take_expressions():
    model = LAWS["pure_power"].to_lmfit() + lmfit.models.ConstantModel()
    params = model.make_params(A=300.0, alpha=0.25, c=1.5)
    result = model.fit(Y, params, x=X)
    assert result.params["c"].value == pytest.approx(fitted().params["E"], abs=0.01)
    params["c"].set(expr="alpha * 5")
    assert model.fit(Y, params, x=X).params["c"].value == pytest.approx(1.5, abs=0.2)
