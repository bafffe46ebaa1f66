"""Verdicts as a table: order, strings, and the rules that levels rest on."""

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.alignment import VERDICTS, Verdict

S_SHAPED = (1.0, 1.3, 3.0, 12.0, 20.0, 22.0)


def test_every_verdict_is_a_string_with_a_rank_of_its_own():
    assert [v.rank for v in VERDICTS] == list(range(len(Verdict)))
    assert {v for v in VERDICTS if v.alarm} == {"harmful", "deteriorating", "fluctuating"}
    assert VERDICTS[-1] == "aligned"
    ranks = [Verdict(name).rank for name in ("inconclusive", "improving", "aligned")]
    assert ranks == sorted(ranks)


def test_the_last_rule_always_holds():
    assert list(Verdict)[-1] is Verdict.INCONCLUSIVE
    assert Verdict.INCONCLUSIVE.rule(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("runs", "finetunings"), [(3, 1), (3, 2), (10, 3)])
def test_healthy_growth_of_any_shape_is_no_open_question(make_table, runs, finetunings):
    table = make_table(S_SHAPED, runs=runs, finetunings=finetunings, sd=(0.15, 0.15))
    result = sf.align(table)[0]
    assert result.verdict in ("aligned", "improving")
    assert result.size is None
    assert "extrapolated" in result.reason


def test_a_noisy_rise_is_improving_and_quotes_the_fall_that_may_be(make_table):
    result = sf.align(make_table([20, 22, 24, 25, 25.2, 25.4], sd=(0.9, 0.5)), margin=0.5)[0]
    assert (result.verdict, result.strength) == ("improving", "confirmed")
    assert result.evidence.fall.upper > 0.5
    assert result.evidence.scale.digits(result.evidence.fall.upper) in result.reason


def test_what_only_falls_is_never_improving(make_table):
    verdicts = [sf.align(make_table([25] * 6, sd=(0.5, 0.3), seed=s))[0].verdict for s in range(20)]
    assert verdicts.count("improving") <= 4


def test_a_worse_cross_entropy_beside_better_quality_underrates(make_table, shapes):
    table = make_table(shapes["rising"])
    table["cross_entropy"] = 6 - table["cross_entropy"]
    result = sf.align(table)[0]
    assert (result.verdict, result.flag) == ("underrated", "")
    assert "cross-entropy gets worse by" in result.reason


def test_a_cross_entropy_worse_by_less_than_its_margin_does_not(make_table, shapes):
    table = make_table(shapes["rising"])
    table["cross_entropy"] = 3 + 0.04 * np.log(table["pretrain_tokens"] / 1e6) / np.log(1e3)
    assert sf.align(table)[0].verdict == "aligned"


def test_harmful_needs_its_tenth_of_the_level(make_table):
    """A t of 3.5 on few degrees of freedom has p of 0.01: an alarm at 5 %, none at its tenth."""
    table = make_table([20.0] * 4, finetunings=1, sd=(0, 0))
    table["bleu"] += np.tile([-0.3, 0.0, 0.3], 4)
    base = pd.DataFrame({"pretrain_tokens": 0.0, "pretrain_seed": [0, 1, 2], "bleu": 20.9})
    base["bleu"] += [-0.3, 0.0, 0.3]
    result = sf.align(pd.concat([table, base]))[0]
    assert result.evidence.gain.p_harm < 0.05 < result.evidence.p_harm
    assert result.verdict != "harmful"
    assert result.p > 0.05


@pytest.mark.parametrize(("baselines", "strength"), [(1, "provisional"), (3, "confirmed")])
def test_harm_beside_a_single_baseline_run_is_provisional(make_table, baselines, strength):
    """Nothing tells how noisy that run is: five times noisier than the sizes, it was below in .03 to .09 and more."""
    base = make_table([30.0], runs=baselines, finetunings=1).assign(pretrain_tokens=0)
    base["cross_entropy"] += 2.0
    result = sf.align(pd.concat([make_table([20.0] * 4, finetunings=1), base]))[0]
    assert (result.verdict, result.strength) == ("harmful", strength)
    assert result.flag == ("suspected" if baselines == 1 else "misaligned")
    assert ("without pretraining would explain it" in result.reason) == (baselines == 1)


def test_what_surely_rises_at_the_end_is_not_saturated(make_table):
    """A rise of .5 a size is within the margin of 1.4 over the last three, and no plateau."""
    slow = [20, 20.5, 21, 21.5, 22, 22.5]
    assert sf.align(make_table(slow, runs=6, sd=(0.1, 0.1)))[0].verdict == "aligned"
    assert sf.align(make_table([15, 20, 22, 22.4, 22.4, 22.4], runs=6))[0].verdict == "saturated"


def test_a_printed_p_and_the_verdict_agree(make_table):
    rng = np.random.default_rng(0)
    for seed in range(15):
        means = 25 + np.cumsum(rng.normal(0, 0.6, 5))
        base = make_table([float(means[-1] + rng.normal(0, 1.5))], runs=3, finetunings=1, seed=seed)
        base["pretrain_tokens"] = 0
        table = pd.concat([make_table(means, seed=seed, finetunings=1), base])
        result = sf.align(table)[0]
        assert result.verdict.alarm == (
            result.p <= 0.05
            and (
                result.evidence.p_harm <= 0.05
                or result.evidence.fall.upper >= result.evidence.scale.margin
            )
        )


def test_metrics_that_disagree_beyond_noise_are_said(make_table, shapes):
    table = make_table(shapes["falling"], sd=(0.1, 0.1))
    table["chrf"] = 2 * make_table(shapes["rising"], sd=(0.1, 0.1), seed=1)["bleu"]
    both = {r.metric: r for r in sf.align(table, quality=("bleu", "chrf"))}
    assert "chrF rises by" in both["bleu"].reason
    assert "BLEU falls by" in both["chrf"].reason
    assert all("metrics disagree" in r.reason for r in both.values())


def test_metrics_that_agree_are_not_said_to_disagree(make_table, shapes):
    said = 0
    for seed in range(12):
        table = make_table(shapes["flat_end"], seed=seed)
        table["chrf"] = 50 + make_table([0.0] * 6, seed=100 + seed)["bleu"]
        said += "disagree" in sf.align(table)[0].reason
    assert said <= 1


def test_annealed_beside_unannealed_checkpoints_are_said(make_table, shapes):
    table = make_table(shapes["falling"])
    last = table["pretrain_tokens"] == table["pretrain_tokens"].max()
    table["schedule"] = np.where(last, "constant", "annealed")
    assert "differ in learning-rate schedule (annealed, constant)" in sf.align(table)[0].reason
    table["schedule"] = "annealed"
    assert "schedule" not in sf.align(table)[0].reason


@pytest.mark.parametrize("runs", [(1, 1, 1, 1, 1, 7), (1, 1, 1, 3, 3, 3), (3, 3, 3, 3, 1, 1)])
def test_what_most_sizes_measured_once_say_is_provisional(runs):
    """Their noise is taken from the few others: three times as noisy, flat curves fell in two of three."""
    rng = np.random.default_rng(3)
    values = [20 + k - 8 * (k == 5) + 0.2 * rng.standard_normal(n) for k, n in enumerate(runs)]
    sizes = np.repeat(np.geomspace(1e6, 1e9, 6), runs)
    table = {"pretrain_tokens": sizes, "bleu": np.concatenate(values)}
    table["cross_entropy"] = 3 * (sizes / 1e6) ** -0.05
    table["pretrain_run"] = [f"r{i}" for i in range(len(sizes))]
    judged = sf.align(table)[0]
    mostly = runs.count(1) >= 3
    assert (judged.verdict, judged.strength) == (
        "deteriorating",
        "provisional" if mostly else "confirmed",
    )
    assert ("70 %" in judged.notes[0]) == mostly
