"""A law typed in a notebook cell, and what a law refuses to be."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import LawError
from scalefit.fitting.solve import solve
from scalefit.laws import LAWS, Coefficient, Law, Shape, get_law

X = np.geomspace(1e6, 1e9, 9)
ERROR = np.array([1, -1, 1, 1, -1, -1, 1, -1, 1]) * 2e-3

typed = Law(
    name="saturating",
    formula="C·(1 − e^(−(x/1e7)^k))",
    coefficients=(Coefficient("C", 0.0),),
    shapes=(Shape("k", (0.05, 2.0)),),
    basis=lambda x, k: (1 - np.exp(-((x / 1e7) ** k)),),
    source="typed in a test",
)


def frame(values, x=X, **more):
    return {"pretrain_tokens": x, "quality": values, **more}


def test_a_typed_law_fits_and_predicts_without_registration():
    truth = {"C": 30.0, "k": 0.4}
    fit = sf.fit(frame(typed(X, **truth) + ERROR), "quality", typed)
    assert fit.params == pytest.approx(truth, rel=1e-2)
    assert all(truth[name] in interval for name, interval in fit.intervals().items())
    band = sf.predict(fit, pretrain_tokens=[1e8])
    assert band.low[0] < typed(1e8, **truth) < band.high[0]
    needed = sf.tokens_for(fit, 20.0)
    assert typed(needed.estimate, **fit.params) == pytest.approx(20)
    assert "saturating" in fit.signature
    assert "saturating" not in LAWS


def test_a_law_with_a_log_link_is_a_sum_of_logarithms(product):
    y = np.exp(0.3 + 0.2 * np.log(X))
    found = solve(product, (X,), y)
    assert found.params == pytest.approx({"c": 0.3, "m": 0.2}, rel=1e-9)
    fit = sf.fit(frame(y * np.exp(ERROR)), "quality", product, residual="log")
    assert fit.params == pytest.approx({"c": 0.3, "m": 0.2}, rel=0.02)
    assert 0.2 in fit.intervals()["m"]


def test_a_law_that_is_not_separable_brings_its_starts():
    law = Law(
        name="knee",
        formula="a·tanh(x/b)",
        coefficients=(Coefficient("a"), Coefficient("b", 1.0)),
        function=lambda x, a, b: a * np.tanh(x / b),
        starts=lambda inputs, y: np.array(
            [[y.max(), np.exp(np.log(inputs[0]).mean())], [y.max(), inputs[0].max()]]
        ),
    )
    assert not law.separable
    truth = {"a": 3.0, "b": 4e7}
    assert solve(law, (X,), law(X, **truth)).params == pytest.approx(truth, rel=1e-6)
    fit = sf.fit(frame(law(X, **truth) + ERROR), "quality", law)
    assert fit.params == pytest.approx(truth, rel=0.01)
    assert fit.uncertainty.method == "wald-t"


def test_a_bare_function_fits_and_says_how():
    def straight(x, a, b):
        return a + b * np.log(x)

    fit = sf.fit(frame(straight(X, 3.0, 0.5) + ERROR), "quality", straight)
    assert fit.params == pytest.approx({"a": 3.0, "b": 0.5}, rel=0.01)
    assert fit.law.name == "straight"
    assert any("lmfit" in note and "straight" in note for note in fit.notes)
    assert sf.predict(fit, pretrain_tokens=[1e8]).estimate[0] == pytest.approx(
        straight(1e8, 3.0, 0.5), rel=0.01
    )


def test_a_bare_function_takes_its_start_from_its_defaults():
    def hill(x, a=40.0, b=2e7):
        return a * x / (x + b)

    fit = sf.fit(frame(hill(X, 31.0, 3e7) + ERROR), "quality", hill)
    assert fit.params == pytest.approx({"a": 31.0, "b": 3e7}, rel=0.01)


def test_a_function_without_parameters_is_no_law():
    with pytest.raises(LawError, match=r"no parameters after its input; write f\(x, a, b\)"):
        sf.fit(frame(X), "quality", lambda x: x)


def test_a_function_that_gives_no_numbers_is_no_law():
    with pytest.raises(LawError, match="no finite values from any of the starts"):
        sf.fit(frame(X / X.max()), "quality", lambda x, a: x * np.nan * a)


def test_unknown_law_lists_those_there_are():
    with pytest.raises(
        LawError, match="no law is called 'powr'; there are bansal, broken, broken_twice"
    ):
        get_law("powr")
    assert get_law("power") is get_law(LAWS["power"])


def test_law_needs_one_form():
    with pytest.raises(LawError, match=r"exactly one of basis= .* and function="):
        Law(name="none", formula="?")
    with pytest.raises(LawError, match="must bring starts="):
        Law(name="none", formula="?", function=lambda x: x)


def test_missing_parameters_are_named():
    with pytest.raises(LawError, match="'power' needs E, A, alpha; missing: A"):
        LAWS["power"](1e9, E=1.0, alpha=0.3)


def test_the_log_law_wants_its_reference():
    with pytest.raises(LawError, match=r"hold at D_ref; give D_ref="):
        LAWS["log"](1e9, D0=1e3, s=20.0, beta=1.0)
    assert LAWS["log"](1e8, D0=1e3, s=20.0, beta=1.0, D_ref=1e8) == pytest.approx(20.0)


def test_log_law_is_the_published_form():
    """(ln(A·D^α))^β at the derived A and α, arXiv 2402.04177 eq. 1."""
    law = LAWS["log"].anchored((X,))
    theta = law.theta({"D0": 1e4, "s": 25.0, "beta": 1.7})
    derived = law.derive(*theta, **law.constants)
    published = (derived["ln_A"] + derived["alpha"] * np.log(X)) ** 1.7
    np.testing.assert_allclose(published, law.value((X,), theta), rtol=1e-9)


def test_log_law_turns_into_a_power_law_as_d0_goes_to_0():
    law = LAWS["log"].anchored((X,))
    reference = law.constants["D_ref"]
    at_zero = law.value((X,), np.array([20.0, 0.1, 0.0]))
    np.testing.assert_allclose(at_zero, 20 * (X / reference) ** 0.1, rtol=1e-12)
    near = law.value((X,), np.array([20.0, 0.1, 1e-9]))
    np.testing.assert_allclose(near, at_zero, rtol=1e-7)
    quoted = law.params(np.array([20.0, 0.1, 0.0]))
    assert quoted["D0"] == 0
    assert np.isinf(quoted["beta"])


def test_laws_print_their_formula():
    assert repr(LAWS["power"]) == "Law(power: E + A·x^−α)"


def test_roles_are_asked_for_by_role():
    assert LAWS["power"].named("floor") == "E"
    assert LAWS["m4"].named("ceiling") == "E0"
    assert LAWS["log"].named("floor") is None


def test_a_law_within_a_metric_keeps_its_ceiling_there():
    (c, _) = LAWS["ceiling"].within(0.0, 100.0).coefficients
    assert (c.lower, c.upper) == (0.0, 100.0)
    assert LAWS["pure_power"].within(0.0, 100.0) is LAWS["pure_power"]


def test_where_a_law_has_values():
    law = LAWS["log"].anchored((np.geomspace(1e6, 1e9, 4),))
    low, high = law.reach(law.theta({"D0": 2e4, "s": 20.0, "beta": 1.1}))
    assert low == pytest.approx(2e4)
    assert high == np.inf


def test_rectified_has_a_value_at_no_examples_at_all():
    sizes = np.array([0.0, 1e2, 1e3, 1e4, 1e5, 1e6])
    truth = {"B": 40.0, "D_l": 20.0, "beta": 0.4, "E": 0.5}
    values = LAWS["rectified"](sizes, **truth)
    fit = sf.fit({"D": sizes, "loss": values}, "loss", "rectified", inputs={"D": "D"})
    assert fit.points.y.size == 6
    assert fit.params == pytest.approx(truth, rel=1e-5)


def test_a_mixing_law_of_any_number_of_sources():
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(4), 40)
    truth = {"c": 1.2, "k": 0.8, "t1": -1.5, "t2": 0.7, "t3": 2.0}
    loss = get_law("mixture4")(*shares.T, **truth)
    data = {f"s{j}": shares[:, j] for j in range(4)} | {
        "loss": loss + 1e-4 * rng.standard_normal(40)
    }
    fit = sf.fit(data, "loss", "mixture4", inputs={f"r{j + 1}": f"s{j}" for j in range(4)})
    assert fit.params == pytest.approx(truth, rel=0.02)
    assert sf.predict(fit, r1=0.1, r2=0.2, r3=0.3, r4=0.4).estimate[0] == pytest.approx(
        get_law("mixture4")(0.1, 0.2, 0.3, 0.4, **truth), rel=1e-3
    )
    with pytest.raises(
        LawError, match=r"which sum to 1\.2 at point 0; needed shares from 0 that sum to 1"
    ):
        sf.predict(fit, r1=0.3, r2=0.2, r3=0.3, r4=0.4)
    with pytest.raises(LawError, match="a mixing law of 9 sources; needed 2 to 6"):
        get_law("mixture9")


def test_shares_that_do_not_sum_to_one_are_no_mixture():
    data = {"a": [10.0, 50, 80, 30], "b": [90.0, 50, 20, 70], "loss": [2.1, 2.0, 2.2, 2.05]}
    pair = {"r1": "a", "r2": "b"}
    with pytest.raises(LawError, match=r"sum to 100 at point 0; .*per cent. divide by 100"):
        sf.fit(data, "loss", "mixture2", inputs=pair)
    part = {**data, "a": [0.1, 0.5, 0.8, 0.3], "b": [0.2, 0.5, 0.2, 0.7]}
    with pytest.raises(LawError, match=r"r1 = 0.1, r2 = 0.2, which sum to 0.3 at point 0"):
        sf.fit(part, "loss", "mixture2", inputs=pair)


def test_breaks_are_quoted_in_their_order():
    law = LAWS["broken_twice"].anchored((X,))
    theta = np.array([0.5, 1.0, 0.2, 0.3, -0.1, 2.0, -2.0, 0.3, 0.4])
    quoted = law.params(theta)
    assert quoted["x_1"] < quoted["x_2"]
    assert (quoted["c1"], quoted["f1"]) == (-0.1, 0.4)
    np.testing.assert_allclose(law.value((X,), law.theta(quoted)), law.value((X,), theta))


def test_pretraining_that_hurts_is_said_where_data_transferred_are_fitted():
    sizes, models = (a.ravel() for a in np.meshgrid(np.geomspace(1e5, 1e8, 5), [1e6, 1e7, 1e8]))
    worth = LAWS["effective_data"](sizes, models, k=1.9e4, alpha=0.18, beta=0.38)
    worth = np.where((sizes == 1e8) & (models == 1e6), -2e6, worth)
    data = {"F": sizes, "N": models, "worth": worth}
    fit = sf.fit(data, "worth", "effective_data", inputs={"F": "F", "N": "N"})
    assert any("1 values below 0, where the law 'effective_data' cannot go" in n for n in fit.notes)


def test_a_bare_function_of_several_inputs():
    def plane(N, D, E=1.0, a=1.0, b=1.0):
        return E + a * (N / 1e8) ** -0.3 + b * (D / 1e10) ** -0.3

    N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 1e11, 4)))
    noise = 1e-3 * np.resize([1.0, -1, 0.5, -0.5, 0.2], 16)
    data = {"N": N, "D": D, "loss": plane(N, D, 1.7, 0.6, 0.9) + noise}
    fit = sf.fit(data, "loss", plane, inputs={"N": "N", "D": "D"})
    assert fit.law.inputs == ("N", "D")
    assert fit.params == pytest.approx({"E": 1.7, "a": 0.6, "b": 0.9}, rel=0.01)
    assert sf.predict(fit, N=1e8, D=1e10).estimate[0] == pytest.approx(3.2, abs=0.01)
    with pytest.raises(LawError, match="cannot serve as a law"):
        sf.fit(data, "loss", plane, inputs={"N": "N", "steps": "D"})
