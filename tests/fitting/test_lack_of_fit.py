"""Does the law follow the data? With seeds, without, and with checkpoints of runs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalefit as sf

X = np.array([1e6, 3e6, 1e7, 3e7, 1e8, 3e8, 1e9])
SIZES = np.geomspace(1e7, 1e10, 8)
CURVE = 1.7 + 400 * SIZES**-0.3


def fit(values, metric="cross_entropy", x=X, **columns):
    law = "log" if metric == "bleu" else "power"
    return sf.fit({"pretrain_tokens": x, metric: values, **columns}, metric, law)


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        ("bleu", [5.1, 9.2, 13.5, 16.1, 15.2, 13.9, 11.1]),
        ("cross_entropy", [3.2, 2.9, 2.7, 2.6, 2.62, 2.7, 2.85]),
        ("bleu", 30 / (1 + np.exp(-2 * np.log10(X / 3e7)))),
    ],
)
def test_a_curve_that_turns_or_levels_is_said_in_the_verdict(metric, values):
    found = fit(values, metric)
    assert found.misfit.seen
    assert "the law misses the data: the residuals have a pattern" in found.verdict
    assert found.misfit.line in found.notes


def test_scatter_alone_is_no_misfit():
    rng = np.random.default_rng(5)
    seen = [fit(CURVE + 0.03 * rng.normal(size=8), x=SIZES).misfit.seen for _ in range(60)]
    assert sum(seen) <= 7


def runs(rng, spread, wiggle=0.0, units=3):
    """Checkpoints of several runs whose curves drift together and apart."""
    own = spread * (
        rng.normal(size=(units, 1)) + np.cumsum(rng.normal(size=(units, 8)), axis=1) / 3
    )
    curve = CURVE + wiggle * np.array([-11, 6, 3, -9, -3, 4, 6, -2]) / 10
    return {
        "pretrain_tokens": np.tile(SIZES, units),
        "pretrain_run": np.repeat([f"run {i}" for i in range(units)], 8),
        "cross_entropy": (curve + own).reshape(-1),
    }


def test_checkpoints_of_runs_that_miss_the_law_together():
    found = sf.fit(runs(np.random.default_rng(1), 0.01, wiggle=0.1), "cross_entropy", "power")
    assert found.misfit.by == "runs"
    assert found.misfit.seen
    assert "all runs leave the curve at the same sizes" in found.verdict
    true = sf.fit(runs(np.random.default_rng(1), 0.01), "cross_entropy", "power")
    at = (np.array([1e11]),)
    (low, high), (narrow_low, narrow_high) = found.band(at), true.band(at)
    assert high - low > 2 * (narrow_high - narrow_low), "the misfit is part of the doubt"


def test_runs_that_drift_are_no_misfit():
    """Residuals of one run hang together; taken for independent ones, half of these would alarm."""
    rng = np.random.default_rng(2)
    seen = [sf.fit(runs(rng, 0.02), "cross_entropy", "power").misfit.seen for _ in range(60)]
    assert sum(seen) <= 7


def test_one_run_that_drifts_is_no_misfit_but_a_turn_is():
    rng = np.random.default_rng(3)
    one = {"pretrain_run": ["a"] * 20}
    x = np.geomspace(1e7, 1e10, 20)
    seen = []
    for _ in range(40):
        e = rng.normal(size=20)
        for i in range(1, 20):
            e[i] = 0.8 * e[i - 1] + 0.6 * e[i]
        seen.append(fit(1.7 + 400 * x**-0.3 + 0.03 * e, x=x, **one).misfit.seen)
    assert sum(seen) <= 5
    turn = 1.7 + 400 * x**-0.3 + 0.3 * np.maximum(np.log10(x / 3e8), 0)
    assert fit(turn + 0.01 * rng.normal(size=20), x=x, **one).misfit.seen


def test_structure_in_two_inputs_is_seen():
    rng = np.random.default_rng(4)
    N, D = (
        a.reshape(-1) for a in np.meshgrid(np.geomspace(1e7, 1e9, 7), np.geomspace(1e8, 1e10, 7))
    )
    loss = sf.LAWS["chinchilla"](N, D, E=1.7, A=400.0, B=410.0, alpha=0.34, beta=0.28)
    bent = loss + 0.05 * np.log10(N / 1e8) * np.log10(D / 1e9)
    noise = 0.01 * rng.normal(size=N.size)
    columns = {"N": "N", "D": "D"}
    fits = [
        sf.fit({"N": N, "D": D, "v": v + noise}, "v", "chinchilla", inputs=columns)
        for v in (loss, bent)
    ]
    assert [f.misfit.seen for f in fits] == [False, True]


def test_as_many_sizes_as_parameters_have_no_interval_whatever_the_seeds():
    x = np.repeat([1e7, 1e8, 1e9], 3)
    y = 1.7 + 400 * x**-0.3 + 0.01 * np.random.default_rng(0).normal(size=9)
    found = fit(y, x=x, pretrain_seed=np.arange(9))
    assert np.isinf([found.band((np.array([1e9, 1e10]),))]).all()
    assert any("3 sizes for 3 parameters" in note for note in found.notes)
    assert found.lack_of_fit is None


@settings(max_examples=25, derandomize=True)
@given(
    st.sampled_from(["power", "log", "pure_power", "bansal"]),
    st.floats(0.05, 0.6),
    st.floats(1e-3, 1e3),
    st.integers(5, 15),
)
def test_the_dust_of_exact_values_is_no_misfit(law, exponent, scale, n):
    x = np.geomspace(1e6, 3e9, n)
    slope = exponent if law == "log" else -exponent
    columns = {"pretrain_tokens": x, "v": scale * (x / 1e8) ** slope}
    exact = sf.fit(columns, "v", law)
    assert not exact.misfit.seen
    assert exact.lack_of_fit is None
