"""Designs on which tests part from their level: refused, noted, or clustered."""

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.distributions import t_tail
from scalefit.errors import DesignError
from scalefit.estimate import one_sample, welch
from scalefit.procedures.contrast import behrens_fisher


def table(a, b):
    values = [*a, *b]
    return {
        "corpus": ["x"] * len(a) + ["y"] * len(b),
        "pretrain_tokens": [1e6] * len(values),
        "pretrain_seed": [*range(len(a)), *range(len(b))],
        "bleu": values,
    }


def test_seeds_without_spread_decide_nothing():
    found = sf.compare_procedures(table([20.5] * 3, [21.5] * 3), a="x", b="y", metric="bleu")
    assert found.only.p == 1.0
    assert found.only.better is None
    assert found.only.interval.low == -np.inf
    assert "no spread" in str(found)


def test_a_few_seeds_against_somewhat_more_are_noted():
    rng = np.random.default_rng(0)
    few, same = (
        sf.compare_procedures(
            table(rng.normal(20, 1, n), rng.normal(20, 1, m)), a="x", b="y", metric="bleu"
        )
        for n, m in ((2, 3), (5, 5))
    )
    assert "2 seeds against 3: where the few are the noisier side, 5 % becomes up to 9 %" in str(
        few
    )
    assert "seeds against" not in str(same)


@pytest.mark.parametrize(("few", "many", "times"), [(2, 4, 3), (2, 10, 1), (3, 8, 2)])
def test_a_few_noisy_seeds_against_many_keep_the_level(few, many, times):
    """Welch's test rejects a true null in 7 to 12 % of these, and would fail here."""
    rng = np.random.default_rng(0)
    drawn = zip(rng.normal(0, times, (600, few)), rng.normal(size=(600, many)), strict=True)
    sides = [(a, b, [one_sample(a), one_sample(b)]) for a, b in drawn]
    p = [
        behrens_fisher(b.mean() - a.mean(), [s.variance for s in both], [s.dof for s in both])[1]
        for a, b, both in sides
    ]
    assert np.mean(np.array(p) < 0.05) <= 0.05
    assert np.mean([welch(a, b).p < 0.05 for a, b, _ in sides]) > 0.06


def test_a_sum_of_errors_is_what_drawing_says():
    rng = np.random.default_rng(1)
    parts, dofs = np.array([1.0, 0.5, 0.7]), [1.0, 9.0, np.inf]
    errors = [rng.standard_t(1, 400_000), rng.standard_t(9, 400_000), rng.normal(size=400_000)]
    total = np.abs(np.sqrt(parts) @ errors)
    for gap in (1.0, 4.0, 20.0):
        assert behrens_fisher(gap, parts, dofs)[1] == pytest.approx(np.mean(total > gap), abs=0.002)


def test_p_and_interval_of_a_few_against_many_agree():
    rng = np.random.default_rng(2)
    for gap in rng.uniform(0, 12, 40):
        few, many = rng.normal(0, 1, 3), rng.normal(gap, 1, 9)
        found = sf.compare_procedures(table(few, many), a="x", b="y", metric="bleu", allow="range")
        assert found.only.method == "Behrens–Fisher"
        assert (found.p < 0.05) == (found.interval.low > 0 or found.interval.high < 0)


def test_of_one_known_error_all_that_is_left_is_a_t():
    estimate, p = behrens_fisher(2.5, [0.0, 1.0], [1.0, 9.0])
    assert p == pytest.approx(float(2 * t_tail(2.5, 9)), rel=1e-6)
    assert float(estimate.dof) == pytest.approx(9)


def documents(rng, seeds):
    """Scores of 100 examples in ten documents; each side has documents that suit it."""
    document = np.repeat(rng.normal(0, 0.5, 10), 10)
    return rng.normal(0, 0.1, (seeds, 1)) + document + rng.normal(size=(seeds, 100))


def test_examples_in_documents_need_their_clusters():
    """Examples taken one by one reject a true null too often, whole documents do not."""
    rng = np.random.default_rng(1)
    names = np.repeat(np.arange(10), 10)
    alone, clustered = [], []
    for _ in range(300):
        a, b = documents(rng, 5), documents(rng, 5)
        alone.append(sf.compare_procedures(a=a, b=b).only.p < 0.05)
        clustered.append(sf.compare_procedures(a=a, b=b, cluster=names).only.p < 0.05)
    assert np.mean(alone) > 0.15
    assert np.mean(clustered) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_clusters_leave_the_difference_as_it_is():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 4, 30))
    names = ["one"] * 5 + ["two"] * 12 + ["three"] * 13
    plain, grouped = (sf.compare_procedures(a=a, b=b, cluster=c).only for c in (None, names))
    assert grouped.difference == pytest.approx(plain.difference)
    assert grouped.dof != plain.dof


def test_an_answer_rests_on_clusters_where_they_are_what_is_drawn():
    a = np.random.default_rng(3).normal(size=(3, 40))
    told = sf.compare_procedures(a=a, b=a[:, ::-1], cluster=[f"d{i // 10}" for i in range(40)]).only
    assert told.rests_on == "3 + 3 pretraining seeds × 4 clusters of examples"


def test_plain_seeds_are_matched_whatever_the_order_of_the_rows():
    rng = np.random.default_rng(4)
    luck, levels = rng.normal(size=5), {"a": 0.0, "b": 5.0, "c": -3.0}
    rows = pd.DataFrame(
        [
            {"corpus": c, "seed": s, "task": t, "bleu": 20 + luck[s] + level + 0.3 * rng.normal()}
            for c in ("en", "fr")
            for s in range(5)
            for t, level in levels.items()
        ]
    )
    mixed = rows.sample(frac=1, random_state=3)
    first, second = (
        sf.compare_procedures(t, "bleu", a="en", b="fr", by=()).only for t in (rows, mixed)
    )
    named = rows.rename(columns={"seed": "finetune_seed"})
    third = sf.compare_procedures(named, "bleu", a="en", b="fr", by=()).only
    assert [c.interval.high for c in (second, third)] == pytest.approx([first.interval.high] * 2)
    highs = [[row["high"] for row in sf.aggregate_tasks(t, "bleu").rows()] for t in (rows, mixed)]
    assert highs[0] == pytest.approx(highs[1])
    with_none = sf.compare_procedures(rows.drop(columns="seed"), "bleu", a="en", b="fr", by=())
    assert any("in the order of their rows" in n for n in with_none.notes)


def test_runs_without_a_value_are_told():
    runs = pd.DataFrame({"corpus": ["en"] * 4 + ["fr"] * 4, "pretrain_seed": [0, 1, 2, 3] * 2,
                         "pretrain_tokens": 1e9, "bleu": [20, 20.2, 20.4, 20.1, 21, 21.3, 21.1, None]})  # fmt: skip
    assert any("left out" in n for n in sf.compare_procedures(runs, "bleu", a="en", b="fr").notes)


def test_clusters_must_fit_the_examples():
    a = np.random.default_rng(3).normal(size=(3, 10))
    with pytest.raises(DesignError, match="one name an example"):
        sf.compare_procedures(a=a, b=a + 1, cluster=["d"] * 9)
    with pytest.raises(DesignError, match="one name an example"):
        sf.compare_procedures(a=a, b=a + 1, cluster=["d"] * 10)


def test_a_failed_run_that_a_mean_hides_is_named():
    rng = np.random.default_rng(7)
    at = np.array([(s, p, f) for s in range(3) for p in range(4) for f in range(2)])
    runs = pd.concat([
        pd.DataFrame({"corpus": c, "pretrain_tokens": 1e6 * 4.0 ** at[:, 0], "pretrain_seed": at[:, 1],
                      "finetune_seed": at[:, 2], "bleu": 20 + at[:, 0] + 0.3 * rng.normal(size=24)})
        for c in ("en", "fr")
    ])  # fmt: skip
    told = sf.compare_procedures(runs, "bleu", a="en", b="fr")
    assert not any("stands apart" in n for n in told.notes)
    runs.iloc[30, -1] = 3.1
    (note,) = (
        n for n in sf.compare_procedures(runs, "bleu", a="en", b="fr").notes if "averaged with" in n
    )
    assert note.startswith("fr: pretraining seed 3, finetuning seed 0 (3.1")
