"""Held-out sizes: who forecast best, on curves whose law is known."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.doors.backtest import nested_tests
from scalefit.errors import DesignError, FitError

SIZES = np.geomspace(1e6, 1e9, 8)


def table(curves=4, noise=0.01):
    rng = np.random.default_rng(0)
    rows = [
        {
            "corpus": f"c{i}",
            "pretrain_tokens": x,
            "cross_entropy": (1.5 + 30 * x**-0.3 * (1 + i / 4)) * np.exp(noise * z),
        }
        for i in range(curves)
        for x, z in zip(SIZES, rng.standard_normal(SIZES.size), strict=True)
    ]
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_the_true_law_beats_the_baselines_and_the_mixture_is_near():
    tested = sf.backtest(table(), "cross_entropy", laws=["power"], fit_smallest=4)
    assert tested.error("power") < tested.error(tested.best_baseline)
    assert tested.error("mixture") < 1.05 * tested.error(tested.best_baseline)
    assert {h.origin for h in tested.held} == {SIZES[3]}
    assert len({(h.curve, h.x) for h in tested.held}) == 16


def test_rows_are_by_distance_and_intervals_mostly_hold():
    tested = sf.backtest(table(), "cross_entropy", laws=["power"])
    rows = {(r["forecaster"], r["distance"]): r for r in tested.rows()}
    assert rows["mixture", "all"]["inside_95"] > 0.85
    assert (
        rows["mixture", "up to 2×"]["points"] <= rows["mixture", "all"]["points"]
        if ("mixture", "up to 2×") in rows
        else True
    )
    assert tested.relative
    assert "mixture errs" in tested.verdict


def test_origins_see_only_what_lies_before_them():
    data = table()
    changed = dict(
        data,
        cross_entropy=[
            9.0 if x == SIZES[-1] else y
            for x, y in zip(data["pretrain_tokens"], data["cross_entropy"], strict=True)
        ],
    )
    before, after = (
        sf.backtest(d, "cross_entropy", laws=["power"], hold_out=1) for d in (data, changed)
    )
    assert [h.median for h in before.held] == [h.median for h in after.held]


def test_a_function_is_a_law_as_everywhere():
    def straight(x, a, b):
        return a + b * np.log(x)

    tested = sf.backtest(table(curves=1), "cross_entropy", laws=[straight], fit_smallest=5)
    assert tested.error("straight") > tested.error("mixture")
    rows = table(curves=1)
    compared = sf.compare_laws(rows, "cross_entropy", laws=[straight, "power"])
    assert compared.best.law.name == "power"
    assert {fit.law.name for fit in compared.fits} == {"straight", "power"}


def test_alone_is_the_mixture_without_siblings():
    data = table(3)
    tested = sf.backtest(data, "cross_entropy", laws=["alone"], hold_out=1)
    said = {(h.forecaster, h.curve): h.median for h in tested.held}
    for i in range(3):
        one = sf.backtest(data, "cross_entropy", laws=[], hold_out=1, where={"corpus": f"c{i}"})
        (by_itself,) = [h.median for h in one.held if h.forecaster == "mixture"]
        assert said["alone", i] == pytest.approx(by_itself, rel=1e-9)
    assert any(said["alone", i] != said["mixture", i] for i in range(3))


def test_a_law_that_cannot_be_fitted_is_counted():
    tested = sf.backtest(table(), "cross_entropy", laws=["m4"], fit_smallest=4)
    assert tested.refused["m4"] == 16


def test_no_size_to_spare():
    with pytest.raises(DesignError, match="no curve has a size to hold out"):
        sf.backtest({"pretrain_tokens": SIZES[:3], "bleu": [1.0, 2.0, 3.0]}, "bleu")


def test_laws_are_compared_on_one_curve():
    one = {k: v[:8] for k, v in table().items()}
    compared = sf.compare_laws(one, "cross_entropy")
    rows = {r["law"]: r for r in compared.rows()}
    assert set(rows) >= {"power", "bansal", "rectified"}
    assert sum(r["weight"] for r in rows.values()) == pytest.approx(1.0)
    assert ("power", "rectified") in {(t.inner, t.outer) for t in compared.nested}
    with pytest.raises(FitError, match="one curve"):
        sf.compare_laws(table(), "cross_entropy")


@pytest.mark.parametrize("n", [3, 4, 5, 6])
def test_where_no_criterion_is_finite_no_law_is_named_best(n):
    sizes, values = [1e9, 2e9, 4e9, 8e9, 16e9, 32e9], [20.0, 22.1, 23.9, 25.2, 26.0, 26.4]
    told = sf.compare_laws({"pretrain_tokens": sizes[:n], "bleu": values[:n]}, "bleu")
    known = any(np.isfinite(row["aicc"]) for row in told.rows())
    assert ("has the least AICc" in told.verdict) == known == (n == 6)
    assert "nan" not in told.verdict


def test_the_nested_test_keeps_its_level_and_sees_a_floor():
    rng, draws = np.random.default_rng(1), 200

    def p(truth):
        data = {
            "corpus": np.repeat([f"c{i}" for i in range(draws)], SIZES.size),
            "pretrain_tokens": np.tile(SIZES, draws),
            "cross_entropy": np.tile(truth, draws) + 0.01 * rng.standard_normal(draws * SIZES.size),
        }
        fits = [sf.fit_each(data, "cross_entropy", law) for law in ("power", "pure_power")]
        tests = [nested_tests(pair)[0].p for pair in zip(*fits, strict=True)]
        alone = {name: np.asarray(values)[: SIZES.size] for name, values in data.items()}
        compared = sf.compare_laws(alone, "cross_entropy", ["power", "pure_power"])
        assert compared.nested[0].p == pytest.approx(tests[0], rel=1e-6)
        return np.array(tests)

    assert np.mean(p(30 * SIZES**-0.1) < 0.05) <= 0.08
    assert np.mean(p(1.5 + 300 * SIZES**-0.35) < 0.05) > 0.9


def test_what_is_said_of_the_table_and_of_curves_left_out_stands_beside_the_scores():
    size = [1e6, 4e6, 16e6, 64e6, 256e6]
    rows = {
        "tokens": [*size, 1e6],
        "corpus": ["fr"] * 5 + ["en"],
        "chrf": [30.25, 33.5, 36.25, 39.75, 42.5, 29.75],
    }
    tested = sf.backtest(rows, "chrf", hold_out=1)
    assert any("'tokens' taken as 'pretrain_tokens'" in note for note in tested.notes)
    assert any(note.startswith("en: chrf was measured at one size") for note in tested.notes)
    assert "on 1 held-out size of 1 curve;" in tested.verdict
