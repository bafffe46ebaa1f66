"""Small simulations of error rates and power; the full tables are in docs/simulations/alignment.md."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.alignment import align
from scalefit.alignment.curve import curve_of
from scalefit.alignment.evidence.gain import gain_over_baseline
from scalefit.alignment.falls import falls, p_values, passes
from scalefit.alignment.monitor import nominal_level, spent
from scalefit.alignment.noise import RunNoise, estimate, profile_of
from scalefit.alignment.sample_size import PowerQuestion, seeds_to_tell
from scalefit.alignment.smooth import degrees, residual_sd

FLAT = np.zeros(6)
PLATEAU = np.array([0.0, 3, 5, 6, 6, 6])
STEEP = np.arange(6) * 3.0
DRAWS = 3000
# Three standard errors of a share of 5 % at this number of draws.
SLACK = 3 * np.sqrt(0.05 * 0.95 / DRAWS)


def run_means(means, runs, finetunings, seed=0, grow=1.0, draws=DRAWS):
    rng = np.random.default_rng(seed)
    scale = np.geomspace(1, grow, len(means))[:, None]
    scale = 0.25 * scale / np.sqrt((scale**2).mean())
    shape = (draws, len(means), runs)
    own = rng.standard_normal(shape) + rng.standard_normal(shape) / np.sqrt(finetunings)
    return np.asarray(means)[:, None] + scale * own


def share(means, runs, finetunings, design="separate", **more):
    found = falls(estimate(run_means(means, runs, finetunings, **more), design))
    return passes(found, 0.05).mean()


@pytest.mark.parametrize("design", ["separate", "shared"])
@pytest.mark.parametrize("truth", [FLAT, PLATEAU, STEEP], ids=["flat", "plateau", "steep"])
@pytest.mark.parametrize("runs", [3, 10])
def test_false_falls_stay_within_the_level(truth, runs, design):
    assert share(truth, runs, 3, design) <= 0.05 + SLACK


SCALES = {
    "grows 4x": np.geomspace(1, 4, 6),
    "grows 10x": np.geomspace(1, 10, 6),
    "middle 5x": np.array([1.0, 1, 5, 1, 1, 1]),
    "last 5x": np.array([1.0, 1, 1, 1, 1, 5]),
}


@pytest.mark.parametrize("design", ["separate", "shared"])
@pytest.mark.parametrize("runs", [3, 5])
@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_false_falls_where_sizes_differ_in_noise(scale, runs, design):
    rng = np.random.default_rng(2)
    values = scale[:, None] * rng.standard_normal((DRAWS, 6, runs))
    values += rng.standard_normal((DRAWS, 1, runs)) * (design == "shared")
    assert passes(falls(estimate(values, design)), 0.05).mean() <= 0.06 + SLACK


@pytest.mark.parametrize("design", ["separate", "shared"])
@pytest.mark.parametrize(("sizes", "runs"), [(3, 2), (4, 2), (6, 2), (3, 3), (4, 3)])
def test_false_falls_of_short_curves_and_of_two_runs_where_one_size_is_noisy(sizes, runs, design):
    """With the root of Satterthwaite's share .07 to .09."""
    rng = np.random.default_rng(14)
    scale = np.where(np.arange(sizes) == sizes // 2, 5.0, 1.0)[:, None]
    values = scale * rng.standard_normal((DRAWS, sizes, runs))
    values += rng.standard_normal((DRAWS, 1, runs)) * (design == "shared")
    assert passes(falls(estimate(values, design)), 0.05).mean() <= 0.06 + SLACK / 2


@pytest.mark.parametrize("runs", [3, 5])
def test_false_falls_where_runs_fan_out(runs):
    rng = np.random.default_rng(3)
    own = rng.standard_normal((DRAWS, 6, runs))
    fan = 3 * rng.standard_normal((DRAWS, 1, runs)) * np.linspace(0, 1, 6)[:, None]
    assert passes(falls(estimate(own + fan, "shared")), 0.05).mean() <= 0.06 + SLACK


@pytest.mark.parametrize("grow", [4.0, 10.0])
def test_a_family_of_24_groups_keeps_its_level_where_noise_grows(grow):
    """At 0.05/24 the share of a single group may be 0.06/24 at most, or twice that at tenfold."""
    rng = np.random.default_rng(4)
    values = np.geomspace(1, grow, 6)[:, None] * rng.standard_normal((20_000, 6, 5))
    assert passes(falls(estimate(values, "separate")), 0.05 / 24).mean() <= 0.06 / 24 + 0.0012


@pytest.mark.parametrize("design", ["separate", "shared"])
@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_groups_of_one_table_know_a_noisy_size_together(scale, design):
    """Three runs a size cannot know it: alone, a family of 24 with one size 5 x noisier has .26."""
    rng = np.random.default_rng(9)
    values = scale[:, None] * rng.standard_normal((300, 24, 6, 3))
    seen = falls(estimate(values, design, profile_of(values, design)))
    alarms = passes(seen, 0.05 / 24).any(axis=1)
    assert alarms.mean() <= 0.06 + 2 * np.sqrt(0.06 * 0.94 / 300)


def test_a_shared_profile_costs_no_power_where_noise_is_equal():
    rng = np.random.default_rng(10)
    values = rng.standard_normal((60, 24, 6, 3))
    values[..., -1, :] -= 4.0
    alone, together = (
        passes(falls(estimate(values, "separate", p)), 0.05 / 24).mean()
        for p in (None, profile_of(values, "separate"))
    )
    assert together > alone


@pytest.mark.parametrize("runs", [3, 5])
def test_groups_that_share_no_noisy_size_do_not_talk_each_other_out_of_theirs(runs):
    """Each group has a noisy size of its own, on which the others say nothing: a family had .19, .08 with five runs."""
    rng = np.random.default_rng(13)
    noisy = np.arange(6) == rng.integers(0, 6, (400, 24))[..., None]
    values = np.where(noisy, 5, 1)[..., None] * rng.standard_normal((400, 24, 6, runs))
    seen = falls(estimate(values, "separate", profile_of(values, "separate")))
    assert passes(seen, 0.05 / 24).any(axis=1).mean() <= 0.06 + 2 * np.sqrt(0.06 * 0.94 / 400)


@pytest.mark.parametrize("groups", [3, 4, 6])
def test_few_groups_pay_no_power_for_what_they_learn_together(groups):
    rng = np.random.default_rng(14)
    values = rng.standard_normal((1200 // groups, groups, 6, 3))
    values[..., -1, :] -= 4.0
    alone, together = (
        passes(falls(estimate(values, "separate", p)), 0.05 / groups).mean()
        for p in (None, profile_of(values, "separate"))
    )
    assert together > alone - 0.02
    values = np.array([1, 1, 1, 5, 1, 1.0])[:, None] * rng.standard_normal((300, groups, 6, 3))
    seen = falls(estimate(values, "separate", profile_of(values, "separate")))
    assert passes(seen, 0.05 / groups).any(axis=1).mean() <= 0.06 + 2 * np.sqrt(0.06 * 0.94 / 300)


def test_a_group_that_strays_is_not_talked_out_of_its_noise():
    """One group alone has a noisy size: the profile of the others must not hide it."""
    rng = np.random.default_rng(11)
    values = rng.standard_normal((300, 24, 6, 3))
    values[:, 0, 3] *= 5
    seen = falls(estimate(values, "separate", profile_of(values, "separate")))
    assert passes(seen, 0.05 / 24).any(axis=1).mean() <= 0.06 + 2 * np.sqrt(0.06 * 0.94 / 300)


def test_a_profile_is_learned_where_groups_are_alike_and_told():
    sizes = np.geomspace(1e6, 1e9, 6)
    rng = np.random.default_rng(12)
    scale = np.array([1.0, 1, 1, 6, 1, 1])
    rows = [
        {"corpus": f"c{g}", "pretrain_tokens": x, "pretrain_run": f"{k}-{r}", "bleu": 20 + k + 0.2 * s * rng.normal()}
        for g in range(8) for k, (x, s) in enumerate(zip(sizes, scale, strict=True)) for r in range(3)
    ]  # fmt: skip
    many, few = (align(pd.DataFrame([r for r in rows if r["corpus"] in which]), "bleu")
                 for which in ([f"c{g}" for g in range(8)], ["c0", "c1"]))  # fmt: skip
    assert "sizes compared over 8 groups" in str(many["c0"])
    assert "sizes compared" not in str(few["c0"])
    assert many["c0"].evidence.quality.profile.ratios.argmax() == 3


def test_with_gaps_a_noisy_size_is_no_fall_either():
    rng = np.random.default_rng(6)
    values = SCALES["middle 5x"][:, None] * rng.standard_normal((400, 6, 5))
    values[:, 0, 0] = np.nan
    seen = [passes(falls(estimate(v, "separate")), 0.05) for v in values]
    assert np.mean(seen) <= 0.06 + 3 * np.sqrt(0.06 * 0.94 / 400)


def test_groups_with_gaps_know_a_noisy_size_together():
    """A fifth of the runs is missing, at other places in each group: alone, a family of 12 has a third."""
    rng = np.random.default_rng(15)
    alarms = []
    for values in SCALES["middle 5x"][:, None] * rng.standard_normal((80, 12, 6, 3)):
        gone = rng.random(values.shape) < 0.2
        gone[..., :2] = False
        values[gone] = np.nan
        profile = profile_of(values, "separate").of(np.arange(6.0), np.arange(6.0))
        seen = [passes(falls(estimate(v, "separate", profile)), 0.05 / 12) for v in values]
        alarms.append(any(seen))
    assert np.mean(alarms) <= 0.06 + 2 * np.sqrt(0.06 * 0.94 / 80)


def test_groups_share_what_they_know_of_the_sizes_that_they_share():
    rng = np.random.default_rng(16)
    sizes = np.geomspace(1e6, 1e9, 7)
    scale = np.array([1.0, 1, 1, 6, 1, 1, 1])
    rows = [
        {"corpus": f"c{g}", "pretrain_tokens": sizes[k], "pretrain_run": f"{k}-{r}",
         "bleu": 20 + k + 0.2 * scale[k] * rng.normal()}
        for g in range(8) for k in range(7) for r in range(3) if k != g % 3 and (k < 6 or g == 0)
    ]  # fmt: skip
    table = align(pd.DataFrame(rows), "bleu")
    for g in range(8):
        profile = table[f"c{g}"].evidence.quality.profile
        assert profile.groups == 8
        assert len(profile.ratios) == 5 + (g == 0)
        assert profile.ratios.mean() == pytest.approx(1.0)
        assert profile.ratios.argmax() == 2  # the noisy size; each group lacks an earlier one
    assert table["c0"].evidence.quality.profile.ratios[-1] < 2  # nobody else has it


@pytest.mark.parametrize(
    ("scale", "runs", "baselines", "most"),
    [
        (
            np.ones(6),
            1,
            1,
            0.007,
        ),  # .018 where a single run of each side counted as two sources of knowledge
        (np.ones(6), 3, 1, 0.005),
        (
            np.ones(6),
            5,
            2,
            0.005,
        ),  # .020 where two runs that agree by chance were taken at their word
        (SCALES["grows 10x"], 3, 3, 0.016),  # .076 where the largest size had the noise of all
    ],
)
def test_a_size_as_good_as_the_baseline_is_harmful_in_half_a_percent(scale, runs, baselines, most):
    rng, draws, hits = np.random.default_rng(17), 1000, 0
    sizes = np.repeat(np.geomspace(1e6, 1e9, 6), runs)
    named = [f"r{i}" for i in range(sizes.size)]
    rows = {"pretrain_tokens": sizes, "pretrain_run": named, "bleu": np.zeros(sizes.size)}
    curve = curve_of(sf.as_table(pd.DataFrame(rows)), "bleu", None)
    for values in scale[:, None] * rng.standard_normal((draws, 6, runs)):
        one = replace(curve, values=values, baseline=rng.standard_normal(baselines))
        sd = float(residual_sd(one.x, one.means))  # read where there is one run a size
        hits += gain_over_baseline(one, 1.0, RunNoise(sd, degrees(6)), 0.005).p_harm <= 0.005
    assert hits / draws <= most + 3 * np.sqrt(most * (1 - most) / draws)


def test_bounds_and_p_values_agree_where_sizes_differ_in_noise():
    rng = np.random.default_rng(7)
    for values in SCALES["middle 5x"][:, None] * rng.standard_normal((200, 6, 4)) * 1.5:
        seen = falls(estimate(values, "separate"))
        plain = seen.at_least(0.05) > 1e-9
        assert ((p_values(seen) <= 0.05) | ~plain).all()


@pytest.mark.parametrize(("fall", "runs", "least"), [(1.0, 3, 0.84), (0.5, 3, 0.25), (0.5, 5, 0.6)])
@pytest.mark.parametrize("truth", [FLAT, PLATEAU, STEEP], ids=["flat", "plateau", "steep"])
def test_power_of_a_final_fall(truth, fall, runs, least):
    fallen = truth.copy()
    fallen[-1] = truth[:-1].max() - fall
    assert share(fallen, runs, 3) >= least


def test_pseudo_replicates_would_raise_false_alarms():
    """Negative control: the same test on all runs as points must break its level."""
    rng = np.random.default_rng(1)
    run = rng.standard_normal((DRAWS, 6, 3, 1))
    points = (run + rng.standard_normal((DRAWS, 6, 3, 3))).reshape(DRAWS, 6, 9)
    assert passes(falls(estimate(points, "separate")), 0.05).mean() > 0.2


def test_upper_bound_of_the_largest_fall_covers():
    fallen = PLATEAU.copy()
    fallen[-1] = 5.5
    found = falls(estimate(run_means(fallen, 3, 3), "separate"))
    assert (found.upper(0.05) >= 0.5).mean() >= 0.95 - SLACK


def test_a_p_value_below_the_level_is_what_passes_says():
    values = run_means([0, 1, 2, 3, 3.7, 3.0], 3, 2, draws=60)
    said = [p_values(falls(estimate(one, "shared"))).min() <= 0.05 for one in values]
    assert 5 < sum(said) < 55
    np.testing.assert_array_equal(said, passes(falls(estimate(values, "shared")), 0.05))


@pytest.mark.parametrize("truth", [FLAT, PLATEAU], ids=["flat", "plateau"])
def test_named_sample_size_delivers_its_power(truth):
    size = seeds_to_tell(truth, 0.4, "separate", 0.5, 0.05)
    fallen = truth.copy()
    fallen[-1] = truth[:-1].max() - 0.5
    noise = 0.4 * np.random.default_rng(8).standard_normal((DRAWS, 6, size.seeds))
    seen = passes(falls(estimate(fallen[:, None] + noise, "separate")), 0.05).mean()
    none = (falls(estimate(truth[:, None] + noise, "separate")).upper(0.05) < 0.5).mean()
    assert min(size.confirm_fall, size.confirm_none) >= 0.8
    assert abs(seen - size.confirm_fall) < 0.05
    assert abs(none - size.confirm_none) < 0.05


def test_sample_size_says_when_no_number_would_do():
    assert "more than" in str(seeds_to_tell(FLAT, 30.0, "separate", 0.5, 0.05))


def test_quick_power_is_no_more_than_the_power_in_use():
    plan = PowerQuestion(STEEP, 0.3, "separate", 0.5, 0.05)
    assert plan.surely_sees_fall(3) <= plan.sees_fall(3)


def test_false_alarm_over_a_planned_sequence():
    values = run_means(FLAT, 3, 3, seed=4)
    level = nominal_level(6, 3, "separate", 0.05)
    alarm = np.zeros(DRAWS, dtype=bool)
    for k in range(2, 7):
        alarm |= passes(falls(estimate(values[:, :k], "separate")), level)
    assert alarm.mean() <= 0.05 + SLACK


@pytest.mark.parametrize("runs", [2, 3])
@pytest.mark.parametrize("design", ["separate", "shared"])
@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_false_alarm_over_a_planned_sequence_of_unequal_noise(scale, design, runs):
    values = scale[:, None] * np.random.default_rng(13).standard_normal((DRAWS, 6, runs))
    level = nominal_level(6, runs, design, 0.05)
    alarm = np.zeros(DRAWS, dtype=bool)
    for k in range(2, 7):
        alarm |= passes(falls(estimate(values[:, :k], design)), level)
    assert alarm.mean() <= 0.06 + SLACK


@pytest.mark.parametrize("correlation", [0.5, 0.9])
@pytest.mark.parametrize("sizes", [6, 12])
def test_checkpoints_of_three_runs_that_hang_together_raise_no_alarm(sizes, correlation):
    values = np.random.default_rng(18).standard_normal((DRAWS, sizes, 3))
    for k in range(1, sizes):
        fresh = np.sqrt(1 - correlation**2) * values[:, k]
        values[:, k] = correlation * values[:, k - 1] + fresh
    level, planned = nominal_level(sizes, 3, "shared", 0.05), np.zeros(DRAWS, dtype=bool)
    for k in range(2, sizes + 1):
        planned |= passes(falls(estimate(values[:, :k], "shared")), level)
    whole = passes(falls(estimate(values, "shared")), 0.05)
    assert max(whole.mean(), planned.mean()) <= 0.06


def test_false_alarm_over_an_open_sequence():
    values = run_means(FLAT, 3, 3, seed=5)
    alarm = np.zeros(DRAWS, dtype=bool)
    for k in range(2, 7):
        alarm |= passes(falls(estimate(values[:, :k], "separate")), spent(k - 1, 0.05))
    assert alarm.mean() <= 0.05 + SLACK


def test_a_watched_sequence_says_what_it_would_come_to_without_a_failed_run():
    rng, means = np.random.default_rng(5), np.array([20, 22, 24, 24.2, 20.0])
    scores = means[:, None] + 0.2 * rng.standard_normal((5, 3))
    scores[4, 2] = 1.2
    runs = {"pretrain_tokens": np.repeat([1e6, 4e6, 16e6, 64e6, 256e6], 3),
            "pretrain_seed": [0, 1, 2] * 5, "bleu": [None, *scores.ravel()[1:]]}  # fmt: skip
    table = sf.monitor(runs, planned=6)
    assert table[0].decision == "go on"
    assert "Without 1 failed run: stop" in table[0].reason
    assert any("left out" in note for note in table.notes)


def test_planned_looks_at_sizes_with_missing_runs_have_half_the_level():
    scores = 25 + 0.2 * np.random.default_rng(6).standard_normal((4, 3))
    whole = {"pretrain_tokens": np.repeat([1e6, 4e6, 16e6, 64e6], 3),
             "pretrain_seed": [0, 1, 2] * 4, "bleu": scores.ravel()}  # fmt: skip
    gapped = {name: np.delete(column, 4) for name, column in whole.items()}
    levels = [sf.monitor(t, planned=6)[0].levels[-1] for t in (whole, gapped)]
    assert levels[1] == pytest.approx(levels[0] / 2)
