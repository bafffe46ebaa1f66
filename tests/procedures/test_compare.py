"""``sf.compare_procedures`` on tables and on example scores."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import scalefit as sf
from scalefit.errors import DesignError, TableError, UnknownNameError
from scalefit.procedures.contrast import _over_seeds
from scalefit.seeds.design import Cell
from scalefit.seeds.scatter import strays

RNG = np.random.default_rng(0)


def rows(corpus, values, **columns):
    """Long rows of values (P, F)."""
    known = {"pretrain_tokens": 1e6, "task": "en-fr", "domain": "in", **columns}
    return pd.DataFrame(
        [
            {"corpus": corpus, "pretrain_seed": p, "finetune_seed": f, "metric": "bleu",
             "value": v, **known}
            for p, row in enumerate(values) for f, v in enumerate(row)
        ]
    )  # fmt: skip


A = 20 + RNG.normal(size=(3, 2))
B = 25 + RNG.normal(size=(4, 2))
TABLE = pd.concat([rows("x", A), rows("y", B)])


def test_corpora_are_compared_by_welch_on_seed_means():
    found = sf.compare_procedures(TABLE, a="x", b="y")
    want = stats.ttest_ind(B.mean(1), A.mean(1), equal_var=False)
    assert found.p == pytest.approx(want.pvalue)
    assert found.difference == pytest.approx(B.mean() - A.mean())
    assert (found.interval.low, found.interval.high) == pytest.approx(want.confidence_interval())
    assert found.better == "y"
    assert found.only.rests_on == "3 + 4 pretraining seeds"
    assert not found.only.paired
    json.dumps(found.to_dict())
    assert found.verdict.startswith("y beats x")
    assert "<table" in found._repr_html_()
    assert len(found.to_frame()) == 1


def test_finetuning_recipes_on_the_same_checkpoints_are_paired():
    table = pd.concat([rows("x", A, learning_rate=0.1), rows("x", B[:3], learning_rate=0.2)])
    found = sf.compare_procedures(table, a={"learning_rate": 0.1}, b={"learning_rate": 0.2})
    assert found.only.paired
    assert found.p == pytest.approx(stats.ttest_rel(B[:3].mean(1), A.mean(1)).pvalue)
    unpaired = sf.compare_procedures(
        table, a={"learning_rate": 0.1}, b={"learning_rate": 0.2}, paired=False
    )
    assert unpaired.p == pytest.approx(
        stats.ttest_ind(B[:3].mean(1), A.mean(1), equal_var=False).pvalue
    )


def test_pretrain_run_says_what_is_paired():
    x = rows("x", A).assign(pretrain_run=lambda f: [f"x{p}" for p in f["pretrain_seed"]])
    later = rows("x", B[:3], pretrain_tokens=2e6).assign(pretrain_run=list(x["pretrain_run"]))
    both = pd.concat([x, later])
    asked = {"a": {"pretrain_tokens": 1e6}, "b": {"pretrain_tokens": 2e6}}
    assert sf.compare_procedures(both, **asked).only.paired
    both["pretrain_run"] = [f"{c}-{i // 2}" for i, c in enumerate(both["pretrain_tokens"])]
    assert not sf.compare_procedures(both, **asked).only.paired


def test_lower_is_better_for_cross_entropy():
    table = TABLE.assign(metric="cross_entropy")
    found = sf.compare_procedures(table, a="x", b="y")
    assert found.better == "x"
    assert found.only.superiority.probability < 0.5


def test_several_procedures_are_adjusted_by_holm():
    table = pd.concat([TABLE, rows("z", 20 + RNG.normal(size=(3, 2)))])
    found = sf.compare_procedures(table, a="x", b=["y", "z"])
    assert len(found) == 2
    smallest = min(found, key=lambda c: c.p)
    assert smallest.p_adjusted == pytest.approx(2 * smallest.p)
    assert found["y"].b == "y"
    with pytest.raises(UnknownNameError, match="2 results, needed one: y, z"):
        found.difference  # noqa: B018


def test_rankings_in_and_out_of_domain():
    far = [rows("x", 30 + A - 20, domain="out"), rows("y", 20 + B - 25, domain="out")]
    found = sf.compare_procedures(pd.concat([TABLE, *far]), a="x", b="y")
    assert found["y", "in"].better == "y"
    assert found["y", "out"].better == "x"
    assert found.survivals[0].verdict == "turns round"
    assert "in → out: turns round" in found.verdict
    both = pd.concat([pd.concat([TABLE, *far]).assign(model=name) for name in ("base", "big")])
    told = [str(s) for s in sf.compare_procedures(both, a="x", b="y").survivals]
    assert [text.split(": ")[0] for text in told] == ["base", "big"]


def test_sizes_are_averaged_within_each_run():
    later = [rows("x", A + 5, pretrain_tokens=2e6), rows("y", B + 5, pretrain_tokens=2e6)]
    found = sf.compare_procedures(pd.concat([TABLE, *later]), a="x", b="y")
    assert found.difference == pytest.approx(B.mean() - A.mean())
    assert any("2 conditions" in n for n in found.notes)


def test_conditions_with_fewer_seeds_are_left_out():
    later = [rows("x", A[:1], pretrain_tokens=2e6), rows("y", B[:1], pretrain_tokens=2e6)]
    found = sf.compare_procedures(pd.concat([TABLE, *later]), a="x", b="y")
    assert found.only.seeds == (3, 4)
    assert any("fewer seeds left out" in n for n in found.notes)


def test_a_condition_stays_where_one_of_its_seeds_is_missing():
    sizes = [1e6, 2e6, 4e6]
    parts = [rows("x", A + i, pretrain_tokens=s) for i, s in enumerate(sizes)]
    parts += [rows("y", B + i, pretrain_tokens=s) for i, s in enumerate(sizes)]
    parts[-1] = parts[-1][parts[-1].pretrain_seed < 3]
    found = sf.compare_procedures(pd.concat(parts), a="x", b="y")
    assert found.only.seeds == (3, 3)
    assert any("mean over 3 conditions" in n for n in found.notes)
    assert any("y: seeds not run in every condition left out (3)" in n for n in found.notes)


def test_one_pretraining_seed_speaks_of_these_checkpoints():
    found = sf.compare_procedures(pd.concat([rows("x", A[:1]), rows("y", B[:1])]), a="x", b="y")
    assert "these checkpoints only" in found.only.scope
    assert "finetuning seeds" in found.only.rests_on


def test_single_runs_are_refused_with_a_tipping_point():
    single = pd.concat([rows("x", [[20.0]]), rows("y", [[24.0]])])
    with pytest.raises(DesignError, match=r"SD above 1\.4"):
        sf.compare_procedures(single, a="x", b="y")


def test_nothing_in_common_is_refused():
    apart = pd.concat([rows("x", A), rows("y", B, task="en-de")])
    with pytest.raises(DesignError, match="differ in task"):
        sf.compare_procedures(apart, a="x", b="y")


def test_two_values_of_one_procedure_are_refused():
    two = pd.concat([rows("x", A), rows("y", A), rows("y", B)])
    with pytest.raises(sf.errors.ScalefitError):
        sf.compare_procedures(two, a="x", b="y")
    with pytest.raises(DesignError, match="two values of pretrain_tokens"):
        sf.compare_procedures(
            pd.concat([TABLE, rows("x", A, pretrain_tokens=2e6)]),
            a={"corpus": "x"}, b={"corpus": "y", "pretrain_tokens": 1e6},
        )  # fmt: skip


@pytest.mark.parametrize("test", ["crossed", "multibootstrap"])
def test_tables_have_no_examples(test):
    with pytest.raises(DesignError, match="scores per example"):
        sf.compare_procedures(TABLE, a="x", b="y", test=test)


def test_unknown_test_is_refused():
    with pytest.raises(DesignError, match="needed auto"):
        sf.compare_procedures(TABLE, a="x", b="y", test="wilcoxon")


X = RNG.random((4, 60))


def test_example_scores_by_seed():
    found = sf.compare_procedures(a=dict(enumerate(X)), b=dict(enumerate(X + 0.5)))
    assert found.better == "b"
    assert any("paired=True" in n for n in found.notes)
    paired = sf.compare_procedures(a=X, b=X + 0.5, paired=True)
    assert paired.p < 1e-6
    assert paired.only.rests_on == "4 paired pretraining seeds × 60 examples"


def example_table(**sides):
    return pd.concat(
        pd.DataFrame(
            {"corpus": name, "pretrain_tokens": 1e6, "pretrain_seed": seed, "sentence": range(60),
             "metric": "accuracy", "value": row}
        ).sample(frac=1, random_state=seed)
        for name, scores in sides.items() for seed, row in enumerate(scores)
    )  # fmt: skip


def test_a_table_of_examples_says_what_arrays_say():
    asked = {"a": "x", "b": "y", "metric": "accuracy", "example": "sentence"}
    y = np.minimum(X + 0.2, 1)
    found = sf.compare_procedures(example_table(x=X, y=y), **asked)
    arrays = sf.compare_procedures(a=X, b=y)
    assert found.p == pytest.approx(arrays.p)
    assert found.only.rests_on == arrays.only.rests_on
    paired = sf.compare_procedures(example_table(x=X, y=y), **asked, paired=True)
    assert paired.p == pytest.approx(sf.compare_procedures(a=X, b=y, paired=True).p)


def test_a_table_of_examples_needs_the_same_examples_once():
    asked = {"a": "x", "b": "y", "metric": "accuracy", "example": "sentence"}
    whole = example_table(x=X, y=X)
    with pytest.raises(DesignError, match="1 of 8 runs lack examples"):
        sf.compare_procedures(whole.iloc[1:], **asked)
    twice = pd.concat([whole.assign(domain="in"), whole.assign(domain="out")])
    with pytest.raises(DesignError, match="stands twice in pretrain_seed"):
        sf.compare_procedures(twice, **asked)
    with pytest.raises(sf.errors.MissingColumnError, match="no column 'line'"):
        sf.compare_procedures(whole, **{**asked, "example": "line"})


def test_multibootstrap_on_request_brings_its_warning():
    found = sf.compare_procedures(a=X, b=X + 0.5, test="multibootstrap", draws=100)
    assert found.only.method == "multi-bootstrap"
    assert any("rejects a true null in 0.4–14 %" in n for n in found.only.notes)
    paired = sf.compare_procedures(a=X, b=X + 0.5, test="multibootstrap", draws=100, paired=True)
    assert any("4 paired seeds: rejects a true null" in n for n in paired.only.notes)


def test_t_on_request():
    found = sf.compare_procedures(a=X, b=X[::-1], test="t", paired=True)
    want = stats.ttest_rel(X[::-1].mean(1), X.mean(1)).pvalue
    assert found.p == pytest.approx(want)


def test_nested_runs_with_examples():
    y = RNG.random((3, 2, 60))
    found = sf.compare_procedures(a=y, b=y + 1)
    assert found.only.seeds == (3, 3)
    assert found.only.runs == (6, 6)
    checkpoint = sf.compare_procedures(a=y[:1], b=y[1:2] + 1)
    assert "checkpoints only" in checkpoint.only.scope


def test_two_runs_with_examples_are_these_two_only():
    found = sf.compare_procedures(a=X[0], b=X[1] + 1)
    assert "two runs only" in found.only.scope
    assert found.only.rests_on == "1 run a side, 60 examples"


def test_different_examples_are_refused():
    with pytest.raises(DesignError, match="60 and 61"):
        sf.compare_procedures(a=X, b=RNG.random((4, 61)))
    with pytest.raises(DesignError, match="different numbers of examples"):
        sf.compare_procedures(a={1: X[0], 2: X[1, :50]}, b=X)
    with pytest.raises(DesignError, match="missing"):
        sf.compare_procedures(a=np.where(X > 0.99, np.nan, X) * np.nan, b=X)


def test_a_size_that_nobody_has_run_is_a_question_for_a_forecast():
    runs = {"corpus": ["a"] * 3 + ["b"] * 3, "pretrain_tokens": [1e6] * 6,
            "pretrain_seed": [1, 2, 3] * 2, "bleu": [20.1, 20.4, 19.8, 23.0, 22.6, 23.3]}  # fmt: skip
    with pytest.raises(TableError, match=r"holds 1000000.*sf\.rank\(data, at=…\)"):
        sf.compare_procedures(runs, a="a", b="b", metric="bleu", where={"pretrain_tokens": 1e9})


@pytest.mark.parametrize("seed", range(3))
def test_seeds_without_spread_are_never_certain(seed):
    """Equal scores on both sides say nothing of chance: no p of 0, and the missing spread is said."""
    values = np.random.default_rng(seed).uniform(10, 30, 2).round(1)
    runs = {"corpus": ["a"] * 3 + ["b"] * 3, "pretrain_tokens": [1e6] * 6,
            "pretrain_seed": [1, 2, 3] * 2, "bleu": np.repeat(values, 3)}  # fmt: skip
    comparison = sf.compare_procedures(runs, a="a", b="b", metric="bleu")
    assert not comparison.only.p < 0.05
    assert any("spread" in note or "same" in note for note in comparison.notes)


def _sides(a, b):
    """Table of two procedures, a score a seed."""
    return {
        "corpus": ["a"] * len(a) + ["b"] * len(b),
        "pretrain_tokens": [1e6] * (len(a) + len(b)),
        "pretrain_seed": [*range(len(a)), *range(len(b))],
        "pretrain_run": [f"r{i}" for i in range(len(a) + len(b))],
        "score": [*a, *b],
    }


@pytest.mark.parametrize(("a", "b"), [(3, 3), (5, 5), (4, 12)])
@pytest.mark.parametrize("kind", ["t3", "lognormal", "failed"])
def test_seeds_that_are_not_normal_keep_the_level(a, b, kind):
    """Small version of benchmarks/simulate_seeds.py --only tails."""
    rng = np.random.default_rng(11)
    draw = {
        "t3": lambda n: rng.standard_t(3, n),
        "lognormal": lambda n: rng.lognormal(size=n),
        "failed": lambda n: rng.normal(size=n) - 10 * (rng.random(n) < 0.1),
    }[kind]
    ps = [_over_seeds(draw(a), draw(b), 0.95, pair=False)[1] for _ in range(600)]
    assert np.mean(np.array(ps) < 0.05) < 0.06 + 2.5 * (0.06 * 0.94 / 600) ** 0.5


def test_a_failed_seed_that_hides_a_difference_is_named_with_what_the_others_say():
    a, b = [20.0, 20.4, 19.8, 20.2, 20.1], [22.0, 21.7, 22.3, 5.0, 22.1]
    (note,) = (
        n for n in sf.compare_procedures(_sides(a, b), a="a", b="b", metric="score").notes
        if "apart" in n
    )  # fmt: skip
    assert "b, seed 3 (5)" in note
    assert f"b − a = {np.mean([22.0, 21.7, 22.3, 22.1]) - np.mean(a):+.3g}" in note
    quiet = sf.compare_procedures(_sides(a, [22.0, 21.7, 22.3, 22.1]), a="a", b="b", metric="score")
    assert not any("apart" in n for n in quiet.notes)


def test_two_failed_seeds_do_not_hide_each_other():
    a, b = np.random.default_rng(0).normal(20, 1, (2, 8))
    b[[2, 5]] = 4.0, 3.0
    notes = sf.compare_procedures(_sides(a, b), a="a", b="b", metric="score").notes
    (note,) = (n for n in notes if "apart" in n)
    assert "b, seed 5 (3); b, seed 2 (4) stand apart" in note
    assert f"without them b − a = {np.delete(b, [2, 5]).mean() - a.mean():+.3g}" in note


def test_a_failed_seed_is_named_where_there_are_scores_per_example():
    rng = np.random.default_rng(0)
    a, b = (rng.random((2, 6, 200)) < 0.8).astype(float)
    b[2] = rng.random(200) < 0.3
    (note,) = (n for n in sf.compare_procedures(a=a, b=b).notes if "apart" in n)
    assert f"b, seed 2 ({b[2].mean():.4g}) stands apart" in note
    rest = sf.compare_procedures(a=a, b=np.delete(b, 2, axis=0)).only
    assert f"without it b − a = {rest.difference:+.3g} (p = {rest.p:.2g})" in note


def test_a_failed_finetuning_is_named_in_the_domain_where_it_is_averaged_and_there_alone():
    rng = np.random.default_rng(0)
    rows = [
        (c, d, p, f, 50 + 0.3 * rng.normal())
        for c in "ab"
        for d in ("in", "out")
        for p in range(6)
        for f in range(3)
    ]
    table = pd.DataFrame(
        rows, columns=["corpus", "domain", "pretrain_seed", "finetune_seed", "score"]
    )
    table.loc[table.index[40], "score"] = 5.0
    notes = sf.compare_procedures(table, a="a", b="b", metric="score").notes
    (note,) = (n for n in notes if "averaged with" in n)
    assert note.startswith(f"{table['domain'][40]}: {table['corpus'][40]}: pretraining seed")
    single = table[table["finetune_seed"] == 0]
    apart = sf.compare_procedures(single, a="a", b="b", metric="score").notes
    assert not any("averaged with" in n for n in apart)


def test_without_spread_no_difference_is_said_to_have_been_visible():
    only = sf.compare_procedures(_sides([20.5] * 3, [21.5] * 3), a="a", b="b", metric="score").only
    assert only.detectable == np.inf
    assert "with 80 % power" not in only.verdict


def test_a_difference_of_few_seeds_is_conditioned_on_failures_that_need_not_show():
    b = np.array([22.0, 21.7, 22.3, 22.1, 21.9])
    told = sf.compare_procedures(_sides(b - 2, b), a="a", b="b", metric="score")
    assert any("5 seeds need not show failures of up to 45 %" in n for n in told.notes)
    open_ = sf.compare_procedures(_sides(b - 0.01, b), a="a", b="b", metric="score")
    assert not any("failures" in n for n in open_.notes)


@pytest.mark.parametrize("spread", [1, 5])
def test_one_comparison_of_normal_seeds_in_twenty_names_one_at_most(spread):
    rng = np.random.default_rng(12)
    named = []
    for _ in range(600):
        pair = rng.normal(size=5), spread * rng.normal(size=5)
        cells = [
            Cell({}, {i: {0: v} for i, v in enumerate(g)}, dict.fromkeys(range(5), ""))
            for g in pair
        ]
        named.append(bool(strays(cells)[0]))
    assert np.mean(named) < 0.05 + 2.5 * (0.05 * 0.95 / 600) ** 0.5


def glue():
    """Two recipes, five pretraining seeds each under names of their own, three finetunings, no token counts."""
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {"recipe": name, "pretrain_seed": seed + 5 * k, "finetune_seed": f, "accuracy": value}
        for k, name in enumerate(("base", "long"))
        for seed, mean in enumerate(rng.normal(0.6 + 0.1 * k, 0.01, 5))
        for f, value in enumerate(rng.normal(mean, 0.01, 3))
    )


def test_seeds_need_no_token_counts_and_sides_that_share_no_seed_are_not_paired():
    only = sf.compare_procedures(glue(), "accuracy", a="base", b="long", column="recipe").only
    assert only.better == "long"
    assert not only.paired
    assert sf.variance(glue(), "accuracy").only.cells == 2
    assert sf.seeds_needed(glue(), "accuracy", difference=0.05).pretrain >= 2
    told = sf.aggregate_tasks(
        pd.concat([glue().assign(task=t) for t in "ab"]), "accuracy", column="recipe"
    )
    assert {row["procedure"] for row in told.rows()} == {"base", "long"}


def test_one_seed_in_common_of_many_makes_no_pair():
    table = glue()
    table.loc[table["pretrain_seed"] == 5, "pretrain_seed"] = 0
    assert not sf.compare_procedures(
        table, "accuracy", a="base", b="long", column="recipe"
    ).only.paired


@pytest.mark.parametrize("name", ["val_loss", "loss", "Val Loss", "valid_ppl", "test_ter"])
def test_less_of_a_loss_on_any_set_is_better(name):
    table = {
        "corpus": ["a"] * 4 + ["b"] * 4,
        "pretrain_seed": [1, 2, 3, 4] * 2,
        name: [2.1, 2.11, 2.12, 2.1, 1.9, 1.91, 1.92, 1.93],
    }
    assert sf.compare_procedures(table, name, a="a", b="b").only.better == "b"


def test_an_unknown_direction_is_said():
    table = {
        "corpus": ["a"] * 3 + ["b"] * 3,
        "pretrain_seed": [1, 2, 3] * 2,
        "edits": [2.1, 2.11, 2.12, 1.9, 1.91, 1.92],
    }
    made = sf.compare_procedures(table, "edits", a="a", b="b")
    assert any("whether more edits is better" in note for note in made.notes)
