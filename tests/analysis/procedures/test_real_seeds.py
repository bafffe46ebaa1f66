"""Published seed studies come out to the digits (SEEDS: "Real seeds to reproduce")."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

import scalefit as sf
from scalefit.analysis.procedures import crossed
from scalefit.analysis.procedures.bimodality import bimodality
from scalefit.analysis.procedures.estimate import one_sample, welch
from scalefit.analysis.procedures.multibootstrap import multibootstrap
from scalefit.analysis.procedures.stochastic import superiority

LARGE, SMALL = "large", "small"


def test_mccoy_published_ranges(hundred):
    assert len(hundred.lexical) == 100
    assert (hundred.mnli.min(), hundred.mnli.max()) == pytest.approx((0.836, 0.848), abs=1e-3)
    assert (hundred.swap.min(), hundred.swap.max()) == pytest.approx((0.0, 0.662))


def test_juneja_basins(hundred):
    small = hundred.small
    assert small.sum() == 12
    for values, at, mean, sd in (
        (hundred.lexical, ~small, 0.301, 0.110),
        (hundred.lexical, small, 0.096, 0.035),
    ):
        assert values[at].mean() == pytest.approx(mean, abs=5e-4)
        assert values[at].std(ddof=1) == pytest.approx(sd, abs=5e-4)
    assert hundred.mnli[~small].mean() == pytest.approx(0.8440, abs=5e-5)
    assert hundred.mnli[small].mean() == pytest.approx(0.8393, abs=5e-5)
    assert stats.pointbiserialr(small, hundred.lexical)[0] == pytest.approx(-0.541, abs=5e-4)
    assert stats.pointbiserialr(small, hundred.mnli)[0] == pytest.approx(-0.630, abs=5e-4)


def test_basin_auc_is_the_probability_of_superiority(hundred):
    small = hundred.small
    found = superiority(list(hundred.lexical[small]), list(hundred.lexical[~small]))
    assert found.probability == pytest.approx(0.976, abs=5e-4)
    want = stats.brunnermunzel(hundred.lexical[small], hundred.lexical[~small])
    assert found.p == pytest.approx(want.pvalue, rel=1e-6)


def test_what_explains_the_ood_score(hundred):
    def r2(*columns):
        x = np.column_stack([np.ones(100), *columns])
        left = hundred.lexical - x @ np.linalg.lstsq(x, hundred.lexical, rcond=None)[0]
        return 1 - left @ left / (99 * hundred.lexical.var(ddof=1))

    assert r2(hundred.mnli) == pytest.approx(0.237, abs=5e-4)
    assert r2(hundred.small) == pytest.approx(0.293, abs=5e-4)
    assert r2(hundred.mnli, hundred.small) == pytest.approx(0.328, abs=5e-4)


def test_histogram_looks_unimodal(hundred):
    found = bimodality(hundred.lexical)
    assert found.dip_p == pytest.approx(0.79, abs=0.005)
    assert "no test of the histogram" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("data", "mean", "multi", "t"),
    [
        ("hans", 0.6231, (0.6135, 0.6328), (0.6122, 0.6339)),
        ("mnli", 0.8472, (0.8405, 0.8541), (0.8455, 0.8489)),
    ],
)
def test_zhou_intervals(ten, data, mean, multi, t):
    scores = getattr(ten, data)
    over_seeds = one_sample(scores.mean(1))
    assert over_seeds.value == pytest.approx(mean, abs=5e-5)
    np.testing.assert_allclose(over_seeds.interval(), t, atol=5e-5)
    drawn = multibootstrap(scores, draws=2000)
    np.testing.assert_allclose(drawn.interval(), multi, atol=1e-3)  # SD of a limit: 3e-4, twice
    low, high = crossed.mean(scores).interval()
    assert low <= multi[0] + 1e-3
    assert high >= multi[1] - 1e-3


def test_default_keeps_its_level_on_true_null_halves_where_examples_do_not(ten):
    """All 126 splits of the 10 seeds into 5 and 5: nothing differs but the seeds."""
    scores = ten.lexical
    halves = [c for c in combinations(range(10), 5) if 0 in c]
    rejected = {"default": 0, "t": 0, "examples": 0}
    for half in halves:
        other = [i for i in range(10) if i not in half]
        a, b = scores[list(half)], scores[other]
        gap = b.mean(0) - a.mean(0)
        rejected["examples"] += abs(stats.ttest_1samp(gap, 0).pvalue) < 0.05
        rejected["t"] += welch(a.mean(1), b.mean(1)).p < 0.05
        rejected["default"] += crossed.unpaired(a, b).p < 0.05
    share = {k: v / len(halves) for k, v in rejected.items()}
    assert share["examples"] > 0.9
    assert share["t"] == pytest.approx(0.07, abs=0.005)
    assert share["default"] < 0.08


def test_the_public_call_on_example_scores(ten):
    found = sf.compare_procedures(
        a={"first half": dict(enumerate(ten.hans[:5]))},
        b={"second half": dict(enumerate(ten.hans[5:], 5))},
    )
    assert found.only.method == "crossed seed × example ANOVA"
    assert found.better is None
    assert "5 + 5 pretraining seeds × 30000 examples" in found.verdict
