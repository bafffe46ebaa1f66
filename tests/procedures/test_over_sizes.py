"""Distributions over seeds at every size: stories, chances, quantiles, outliers."""

import numpy as np
import pytest
from scipy import stats

import scalefit as sf
from scalefit.errors import DesignError
from scalefit.procedures.modes import two_modes
from scalefit.procedures.over_sizes import _trend
from scalefit.procedures.tails import success_law

SIZES = np.geomspace(1e6, 1e9, 6)


def draw(kind, seeds=12, seed=0):
    rng = np.random.default_rng(seed)
    x = np.repeat(SIZES, seeds)
    z = (np.log(x) - np.log(x).mean()) / np.log(10)
    made = rng.random(x.size) < 1 / (1 + np.exp(-2 * z))
    y = 20 + rng.standard_normal(x.size)
    if kind in ("everything shifts", "both"):
        y += (2 if kind == "everything shifts" else 1) * z
    if kind in ("mixture shift", "both"):
        y += 6 * made
    return y, x, made


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["no change", "everything shifts", "mixture shift", "both"])
def test_the_right_story_in_most_data_sets(kind):
    """Twelve seeds a size; at least 80 % (see benchmarks/simulate_distributions.py for more)."""
    told = [two_modes(*draw(kind, seed=s)[:2]).story for s in range(10)]
    assert told.count(kind) >= 8


@pytest.mark.slow
def test_one_mode_is_rarely_taken_for_two():
    kinds = ("no change", "everything shifts")
    found = [two_modes(*draw(kind, seeds=8, seed=s)[:2]).modes for kind in kinds for s in range(8)]
    assert found.count(2) <= 1


def test_memberships_are_the_runs_that_made_it():
    y, x, made = draw("mixture shift")
    modes = two_modes(y, x)
    assert np.mean((modes.upper > 0.5) == made) > 0.97
    assert modes.centres == pytest.approx([20, 26], abs=0.5)


@pytest.mark.parametrize("factor", [-1.0, 3.0, 3e4])
def test_the_story_does_not_depend_on_the_unit_or_the_sign(factor):
    y, x, _ = draw("mixture shift", seed=3)
    plain, turned = two_modes(y, x), two_modes(factor * y + 7, x)
    assert (plain.story, plain.modes) == (turned.story, turned.modes)
    assert plain.gain == pytest.approx(turned.gain, abs=0.5)


def test_a_chance_is_finite_where_all_small_runs_fail_and_all_large_ones_succeed():
    x = np.repeat([1e6, 1e7, 1e8, 1e9], 5)
    law = success_law((x > 3e7).astype(float), x)
    p, low, high = law.at(np.array([1e6, 1e9]))
    assert p[0] < 0.1 < 0.9 < p[1]
    assert (low < p).all()
    assert (p < high).all()
    assert law.half == pytest.approx(10**7.5, rel=0.02)


def test_a_chance_is_calibrated_beyond_the_data():
    """Brier score of a size ten times beyond near that of the truth; its 95 % interval holds in 93 % and more."""
    rng = np.random.default_rng(0)
    x = np.repeat(SIZES, 10)
    z = (np.log10(x) - np.log10(x).mean()) * 1.5
    true = 1 / (1 + np.exp(-1.5 * (10 - np.log10(x).mean())))
    held, scores = [], []
    for _ in range(300):
        made = (rng.random(x.size) < 1 / (1 + np.exp(-z))).astype(float)
        p, low, high = (v[0] for v in success_law(made, x).at(np.array([1e10])))
        held.append(low <= true <= high)
        scores.append((p - true) ** 2)
    assert 0.93 <= np.mean(held) <= 0.99
    assert np.mean(scores) < 0.002


def runs(**more):
    y, x, _ = draw("mixture shift")
    return {"pretrain_tokens": x, "pretrain_seed": np.tile(np.arange(12), 6), "bleu": y, **more}


def test_a_curve_holds_quantiles_chances_and_the_mean_given_success():
    curve = sf.seed_curves(runs(), "bleu").only
    assert curve.story == "mixture shift"
    small, large = curve.rungs[0], curve.rungs[-1]
    assert small.success.estimate < 0.3 < 0.8 < large.success.estimate
    assert large.given_success == pytest.approx(26, abs=0.7)
    assert small.quantiles[0.5].low <= np.median(runs()["bleu"][:12]) <= small.quantiles[0.5].high
    middle, per_ten = curve.trend
    assert 26 in middle
    assert 0 in per_ten
    assert "a mixture shifts" in curve.verdict
    first, last = curve.chance([1e6, 1e10])
    assert first.estimate < 0.3
    assert last.low > 0.7


def test_one_mode_has_no_success_unless_a_threshold_says_what_it_is():
    y, x, _ = draw("everything shifts")
    data = {"pretrain_tokens": x, "pretrain_seed": np.tile(np.arange(12), 6), "bleu": y}
    plain = sf.seed_curves(data, "bleu").only
    assert plain.success is None
    with pytest.raises(DesignError, match=r"nothing says which runs made it.*success=0.5"):
        plain.chance([1e9])
    told = sf.seed_curves(data, "bleu", success=20.0).only
    assert told.rungs[0].success.estimate < 0.3 < 0.8 < told.rungs[-1].success.estimate


def test_less_is_better_for_a_loss():
    y, x, made = draw("mixture shift")
    data = {
        "pretrain_tokens": x,
        "pretrain_seed": np.tile(np.arange(12), 6),
        "cross_entropy": 40 - y,
    }
    curve = sf.seed_curves(data, "cross_entropy").only
    assert curve.rungs[-1].success.estimate == pytest.approx(made[-12:].mean(), abs=0.1)


def test_domains_stand_side_by_side():
    y, x, _ = draw("mixture shift")
    calm, _, _ = draw("everything shifts", seed=5)
    data = {
        "pretrain_tokens": np.tile(x, 2),
        "pretrain_seed": np.tile(np.arange(12), 12),
        "domain": ["in"] * 72 + ["out"] * 72,
        "bleu": np.concatenate([calm, y]),
    }
    curves = sf.seed_curves(data, "bleu")
    assert curves["in"].story == "everything shifts"
    assert curves["out"].story == "mixture shift"
    alone = sf.seed_curves(data, "bleu", where={"domain": "out"})
    assert [c.rungs for c in alone] == [curves["out"].rungs]
    narrow = sf.seed_curves(data, "bleu", where={"domain": "out"}, level=0.5)
    for rung, wide in zip(narrow.only.rungs, alone.only.rungs, strict=True):
        assert rung.success.width < wide.success.width
    assert {row["domain"] for row in curves.rows()} == {"in", "out"}


def test_an_outlying_run_is_named_and_kept():
    y, x, _ = draw("everything shifts")
    y[30] = 2.0
    data = {"pretrain_tokens": x, "pretrain_seed": np.tile(np.arange(12), 6), "bleu": y}
    curve = sf.seed_curves(data, "bleu").only
    assert any(
        "pretraining seed 6" in n and "shows 2, far worse" in n and "kept" in n for n in curve.notes
    )
    assert curve.rungs[2].runs == 12


def test_too_few_runs_are_refused_with_what_is_needed():
    data = {"pretrain_tokens": [1e6, 1e7], "pretrain_seed": [1, 1], "bleu": [20.0, 21.0]}
    with pytest.raises(
        DesignError, match="2 sizes and 2 runs; a distribution over sizes needs 2 sizes and 8 runs"
    ):
        sf.seed_curves(data, "bleu")


def test_a_chance_at_two_sizes_is_firths_share_of_each():
    """A saturated model gives each size half an observation more on both sides: (k + ½) / (n + 1)."""
    made = np.array([0.0] * 5 + [1.0, 1.0, 1.0, 0.0, 0.0])
    law = success_law(made, np.repeat([1e6, 1e8], 5))
    assert law.at(np.array([1e6, 1e8]))[0] == pytest.approx([0.5 / 6, 3.5 / 6], abs=1e-6)


def test_the_mean_given_success_is_a_line_with_its_students_interval():
    y, x = np.array([1.0, 1.3, 2.1, 1.9, 3.2, 2.8]), np.repeat([1e6, 1e7, 1e8], 2)
    middle, slope = _trend(x, y, 0.9)
    line = stats.linregress(np.log10(x), y)
    assert (middle.estimate, slope.estimate) == pytest.approx((y.mean(), line.slope))
    assert slope.high - slope.estimate == pytest.approx(stats.t.ppf(0.95, 4) * line.stderr)
