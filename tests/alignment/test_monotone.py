"""More evidence never weakens a verdict beyond chance, and units are no evidence."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

import scalefit as sf

SIZES = np.geomspace(1e6, 1e9, 6)
ROWS = st.integers(0, 2**31 - 1)
RISE = np.array([18.0, 20.0, 21.5, 22.6, 23.4, 24.0])
TRUTHS = {
    "log": (RISE, ("aligned",)),
    "slow": (20 + 0.5 * np.arange(6), ("aligned",)),
    "S": (np.array([5, 5.3, 7, 14, 21, 23]), ("aligned",)),
    "saturating": (np.array([15, 20, 22, 22.8, 23, 23]), ("saturated", "aligned", "improving")),
    "misaligned": (np.array([18, 20, 22, 22, 20.5, 19]), ("deteriorating", "harmful", "fluctuating")),
}  # fmt: skip


def table(means, runs, rng, sd=0.35):
    """Separate runs of every size."""
    size, run = np.divmod(np.arange(6 * runs), runs)
    values = np.asarray(means)[size] + sd * rng.standard_normal(size.size)
    frame = {"pretrain_tokens": SIZES[size], "pretrain_seed": run + 100 * size, "bleu": values}
    return pd.DataFrame(
        frame | {"pretrain_run": [f"{s}/{r}" for s, r in zip(size, run, strict=True)]}
    )


@pytest.mark.slow
@pytest.mark.parametrize("truth", TRUTHS)
def test_more_seeds_do_not_take_back_what_fewer_rightly_said(truth):
    """Fresh seeds beside those that led to the right verdict: it goes in no more groups than a level of .05 allows."""
    means, right = TRUTHS[truth]
    rng, groups = np.random.default_rng(2), 20
    each = [table(means, 6, rng, 0.6).assign(corpus=f"c{g}") for g in range(groups)]
    many = pd.concat(each).assign(cross_entropy=lambda t: 3.5 - 0.1 * np.log(t["pretrain_tokens"]))
    many["pretrain_run"] = many["corpus"] + many["pretrain_run"]
    many["cross_entropy"] += 0.01 * rng.standard_normal(len(many))
    told = []
    for part in (many[many["pretrain_seed"] % 100 < 2], many):
        told.append({r.group["corpus"]: r.verdict in right for r in sf.align(part, "bleu")})
    before, after = told
    held = [after[name] for name, was in before.items() if was]
    assert sum(after.values()) >= max(sum(before.values()) - 2, 0.6 * groups)
    assert held.count(False) <= binom.ppf(0.999, len(held), 0.05)


@settings(max_examples=8)
@given(
    factor=st.sampled_from([1e-6, 1e-3, 7.0, 1e6]),
    unit=st.sampled_from([0.01, 0.5, 3.0]),
    seed=st.integers(0, 50),
)
def test_units_of_metric_and_tokens_change_no_verdict(factor, unit, seed):
    rng = np.random.default_rng(seed)
    means = 20 + np.cumsum(rng.normal(0.3, 1.0, 6))
    plain = table(means, 3, rng).rename(columns={"bleu": "ter"})
    other = plain.assign(ter=plain["ter"] * unit, pretrain_tokens=plain["pretrain_tokens"] * factor)
    one = sf.align(plain, quality="ter", margin={"ter": 0.5}, allow=("range", "units"))[0]
    two = sf.align(other, quality="ter", margin={"ter": 0.5 * unit}, allow=("range", "units"))[0]
    assert one.verdict == two.verdict
    assert two.p == pytest.approx(one.p, rel=1e-5, abs=1e-12)
    assert two.evidence.fall.upper == pytest.approx(unit * one.evidence.fall.upper, rel=1e-5)


def any_table(seed):
    """Runs of any design: ties, single seeds, gaps, a baseline, told by seeds or by runs; falls, rises, flats."""
    rng = np.random.default_rng(seed)
    sizes, runs = int(rng.integers(3, 9)), int(rng.integers(1, 5))
    means = 20 + np.cumsum(rng.normal(0.3, 1.0, sizes)) * rng.integers(0, 2)
    values = means[:, None] + rng.choice([0.1, 0.4, 1.0]) * rng.standard_normal((sizes, runs))
    values = np.round(values, int(rng.choice([0, 1, 6])))
    size, run = (i.ravel() for i in np.indices(values.shape))
    loss = 3 - 0.1 * size + rng.choice([0.02, 0.1]) * rng.standard_normal(size.size)
    tokens = np.geomspace(1e6, 1e9, sizes)[size]
    frame = pd.DataFrame({"pretrain_tokens": tokens, "bleu": values.ravel(), "cross_entropy": loss})
    frame["pretrain_seed"] = run
    frame["pretrain_run"] = [f"r{r}" for r in run + 10 * size * rng.integers(0, 2)]
    frame = frame[(rng.random(len(frame)) > rng.choice([0.0, 0.25])) | (run == 0)]
    alone = int(rng.integers(0, 4))
    none = {"pretrain_tokens": 0.0, "bleu": means[-1] + 3 * rng.integers(0, 2) + rng.random(alone)}
    none |= {"pretrain_seed": range(alone), "pretrain_run": [f"b{i}" for i in range(alone)]}
    frame = pd.concat([frame, pd.DataFrame(none | {"cross_entropy": 3.1})][: 1 + (alone > 0)])
    return frame.drop(columns=["pretrain_run", "pretrain_seed"][rng.integers(0, 2)])


METRICS = {"bleu": 1.0, "ter": 1.0, "comet": 0.01, "chrf": 2.0, "accuracy": 0.01}
"""Units in which some twenty points are values of each metric."""


@pytest.mark.slow
@settings(max_examples=30, derandomize=True)
@given(ROWS, st.sampled_from(list(METRICS)))
def test_p_values_bounds_and_verdicts_never_contradict_each_other(seed, name):
    table = any_table(seed).rename(columns={"bleu": name})
    table[name] *= METRICS[name]
    result, watch = sf.align(table, name)[0], sf.monitor(table, name)[0]
    e = result.evidence
    assert result.p <= e.alpha or not result.verdict.alarm
    assert result.verdict.alarm or not result.flag
    assert result.p_misaligned <= e.alpha or not result.flag
    if e.p_fall <= e.alpha and result.verdict in ("aligned", "saturated"):
        assert "surely (p = " in result.reason  # a fall beyond doubt that is too small to matter
    fall, exact = e.fall, METRICS[name] * 1e-9 + 1e-3 * abs(e.fall.estimate)
    assert (fall.lower > 0) == (fall.p_value <= fall.alpha) or abs(fall.lower) < exact
    assert fall.lower >= np.nanmax(fall.at_least) - 1e-9
    assert fall.lower <= fall.estimate + 1e-9 <= fall.upper + 2e-9
    assert e.gain is None or (e.gain.high < 0) == (e.gain.p_harm <= e.alpha / 10)
    assert result.verdict != "harmful" or e.gain.runs > 1 or result.strength == "provisional"
    said = [min(p, 1.0) <= level for p, level in zip(watch.p, watch.levels, strict=True)]
    assert not any(said[:-1])
    assert (watch.decision == "stop") == (bool(said) and said[-1])
    assert watch.decision == "stop" or not watch.misaligned


def answers(table, name, margin=None):
    """What both doors say: verdict, decision, and every p value."""
    more = {"allow": ("range", "units")} | ({} if margin is None else {"margin": {name: margin}})
    one, watch = sf.align(table, name, **more)[0], sf.monitor(table, name, **more)[0]
    words = one.verdict, one.flag, one.strength, watch.decision, watch.misaligned, watch.look
    return words, [one.p, one.p_misaligned, *watch.p, *watch.levels], one.evidence.fall.lower


def agree(one, two, times):
    assert two[0] == one[0]
    assert two[1] == pytest.approx(one[1], rel=1e-4, abs=1e-9)
    assert two[2] == pytest.approx(times * one[2], rel=1e-4, abs=1e-6 * times)


@pytest.mark.slow
@settings(max_examples=8, derandomize=True)
@given(ROWS, st.sampled_from([1e-6, 1e6]), st.sampled_from([0.01, 100.0]))
def test_units_change_no_verdict_of_any_table(seed, factor, unit):
    """Tokens by a million; a metric with its margin where seeds are repeated (single runs lean on published SDs)."""
    plain = any_table(seed).rename(columns={"bleu": "ter"})
    one = answers(plain, "ter", 0.5)
    agree(
        one, answers(plain.assign(pretrain_tokens=plain["pretrain_tokens"] * factor), "ter", 0.5), 1
    )
    if sf.align(plain, "ter", allow=("range",))[0].evidence.quality.level != "single":
        agree(one, answers(plain.assign(ter=plain["ter"] * unit), "ter", 0.5 * unit), unit)


@pytest.mark.slow
@settings(max_examples=8, derandomize=True)
@given(ROWS, st.sampled_from(["comet", "accuracy", "rouge_l"]))
def test_fractions_and_percent_have_one_verdict_at_the_default_margin(seed, name):
    percent = any_table(seed).rename(columns={"bleu": name})
    percent[name] = percent[name] + 40
    agree(
        answers(percent, name), answers(percent.assign(**{name: percent[name] / 100}), name), 0.01
    )
