"""``sf.variance`` on tables."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import scalefit as sf
from scalefit.errors import DesignError
from scalefit.seeds.anova import FINETUNE, PRETRAIN, factorial
from scalefit.seeds.design import BOTH_SEEDS

from .test_anova import nested


def frame(values, **columns):
    """Long table of values (P, F)."""
    rows = [
        {"pretrain_tokens": 1e6, "pretrain_seed": p, "finetune_seed": f, "metric": "bleu",
         "value": v + 20, **columns}
        for p, row in enumerate(values) for f, v in enumerate(row) if np.isfinite(v)
    ]  # fmt: skip
    return pd.DataFrame(rows)


HAND = [[1.0, 3.0], [5.0, 7.0], [9.0, 11.0]]


def test_by_hand():
    found = sf.variance(frame(HAND), metric="bleu").only
    assert found[PRETRAIN].variance == pytest.approx(15)
    assert found[FINETUNE].variance == pytest.approx(2)
    assert found.icc.estimate == pytest.approx(15 / 17)
    assert found.test.p == pytest.approx(0.0251, abs=2e-4)
    assert found.scope == "the procedure"


def test_in_and_out_of_domain_stand_side_by_side():
    rng = np.random.default_rng(0)
    both = pd.concat([frame(rng.normal(size=(3, 2)), domain=d) for d in ("in", "out")])
    found = sf.variance(both, metric="bleu")
    assert [p.group for p in found] == [{"domain": "in"}, {"domain": "out"}]
    assert found["out"].name == "out of domain"
    assert len(found.rows()) == 4
    assert set(found.to_frame()["domain"]) == {"in", "out"}
    json.dumps(found.to_dict())
    assert "in: " in str(found)
    assert "<table" in found._repr_html_()


def test_cells_are_pooled_around_their_own_means():
    y = np.random.default_rng(1).normal(size=(4, 3, 2))
    parts = [
        frame(10 * c + y[c], corpus=f"c{c}", pretrain_run="x").assign(
            pretrain_run=lambda f, c=c: [f"{c}-{p}" for p in f["pretrain_seed"]]
        )
        for c in range(4)
    ]
    found = sf.variance(pd.concat(parts), metric="bleu").only
    want = np.mean([nested(v).estimate(PRETRAIN) for v in y])
    assert found[PRETRAIN].variance == pytest.approx(want)
    assert found.test.dof == (8, 12)
    assert found.cells == 4


def test_checkpoints_of_one_run_count_as_far_as_they_move_together():
    y = np.random.default_rng(2).normal(size=(4, 3, 2))
    parts = [frame(v, pretrain_run="r").assign(pretrain_tokens=10.0**c) for c, v in enumerate(y)]
    table = pd.concat(parts)
    table["pretrain_run"] = [f"r{p}" for p in table["pretrain_seed"]]
    found = sf.variance(table, metric="bleu").only
    assert 2 < found.test.dof[0] < 8
    unknown = sf.variance(table.drop(columns="pretrain_run"), metric="bleu")
    assert unknown.only.test.dof == found.test.dof
    together = [frame(y[0]).assign(pretrain_tokens=10.0**c) for c in range(4)]
    assert sf.variance(pd.concat(together), metric="bleu").only.test.dof[0] == pytest.approx(2)
    assert any("pretrain_seed comes back at several sizes" in n for n in unknown.notes)


def test_negative_estimates_are_kept_and_cut():
    found = sf.variance(frame([[0.0, 2.0], [2.0, 0.0], [0.0, 2.0]]), metric="bleu").only
    assert found[PRETRAIN].variance == pytest.approx(-1)
    assert found[PRETRAIN].truncated == 0
    assert found.icc.estimate < 0
    assert "negative" in str(sf.variance(frame([[0.0, 2.0], [2.0, 0.0]]), metric="bleu"))


def test_one_pretraining_seed_speaks_of_its_checkpoints_only():
    found = sf.variance(frame([[1.0, 3.0, 5.0]]), metric="bleu").only
    assert [c.name for c in found.components] == [FINETUNE]
    assert found[FINETUNE].variance == pytest.approx(4)
    assert "checkpoints only" in found.scope
    assert any("one pretraining seed" in n for n in found.notes)


def test_one_finetuning_seed_gives_the_sum():
    found = sf.variance(frame([[1.0], [3.0], [5.0]]), metric="bleu").only
    assert found[BOTH_SEEDS].variance == pytest.approx(4)
    assert found.icc is None


def test_single_runs_are_refused():
    with pytest.raises(DesignError, match="one run each"):
        sf.variance(frame([[1.0]]), metric="bleu")


def test_missing_metric_is_refused():
    with pytest.raises(DesignError, match="the table has bleu"):
        sf.variance(frame(HAND), metric="comet")


def test_a_run_that_stands_twice_is_refused():
    table = sf.as_table(pd.concat([frame(HAND), frame(HAND)]).assign(trial=range(12)))
    with pytest.raises(DesignError, match="stand twice"):
        sf.variance(table, metric="bleu")


def test_crossed_design_needs_seeds_that_come_back():
    ragged = sf.variance(
        frame([[1.0, 2.0], [3.0, np.nan], [5.0, 7.5]]), metric="bleu", design="crossed"
    )
    assert any("1 of 6 combinations not run" in n for n in ragged.notes)
    apart = np.full((3, 6), np.nan)
    apart[np.arange(6) // 2, np.arange(6)] = np.arange(6.0) ** 2
    with pytest.raises(DesignError, match="Try: design='nested'"):
        sf.variance(frame(apart), metric="bleu", design="crossed")
    found = sf.variance(frame(HAND), metric="bleu", design="crossed").only
    assert [c.name for c in found.components] == [PRETRAIN, FINETUNE, "rest"]


def test_a_finetuning_seed_that_pulls_everywhere_is_noted():
    y = np.random.default_rng(3).normal(0, 0.1, (4, 3)) + np.array([0.0, 3.0, 6.0])
    notes = sf.variance(frame(y), metric="bleu").only.notes
    assert any("crossed" in n for n in notes)


def test_unbalanced_by_unweighted_means():
    y = np.random.default_rng(4).normal(0, 2, (12, 1)) + np.random.default_rng(5).normal(
        size=(12, 4)
    )
    y[:4, 2:] = np.nan
    part = sf.variance(frame(y), metric="bleu").only
    assert any("unweighted" in n for n in part.notes)
    # What restricted maximum likelihood says of these runs (statsmodels 0.15.0, MixedLM).
    assert part[PRETRAIN].variance == pytest.approx(5.58, rel=0.02)


def test_crossed_factors_that_come_back_in_several_corpora_count_once():
    rng, held = np.random.default_rng(20261128), []
    for _ in range(150):
        first, order = rng.normal(0, 0.5**0.5, (4, 1)), rng.normal(0, 0.2**0.5, (1, 3))
        both = [frame(first + order + rng.normal(0, 0.3**0.5, (4, 3)), corpus=c) for c in "wxyz"]
        table = pd.concat(both).rename(columns={"pretrain_seed": "init", "finetune_seed": "order"})
        part = sf.variance(table, metric="bleu", factors=("init", "order")).only
        held.append([part[n].low <= v <= part[n].high for n, v in (("init", 0.5), ("order", 0.2))])
    assert any("count once" in n for n in part.notes)
    assert (np.mean(held, axis=0) > 0.93).all()  # .73 and .83 where each corpus counted anew


def test_test_set_error_is_reported_beside_the_seeds():
    found = sf.variance(frame(HAND, stderr=0.5), metric="bleu").only
    assert found["test set"].variance == pytest.approx(0.25)
    assert np.isnan(found.share("test set"))
    assert found.share(PRETRAIN) + found.share(FINETUNE) == pytest.approx(1)


def test_unbalanced_intervals_cover():
    """3 to 5 finetuning seeds under each of 5 pretraining seeds."""
    rng = np.random.default_rng(8)
    hits = []
    from scalefit.seeds import anova
    from scalefit.seeds.design import Cell, nested_cells

    for _ in range(800):
        y = rng.normal(size=(5, 1)) + rng.normal(size=(5, 5))
        runs = {p: dict(enumerate(y[p, : 2 + (p % 3) * 1])) for p in range(5)}
        squares = nested_cells([Cell({}, runs, {p: str(p) for p in range(5)})])
        low, high, _ = anova.component(squares, PRETRAIN)
        hits.append(low <= 1 <= high)
    assert 0.93 < np.mean(hits) < 0.985


def test_initialisation_and_data_order_apart():
    rng = np.random.default_rng(9)
    y = 40 + 3 * rng.normal(size=(6, 1)) + rng.normal(size=(1, 6)) + 0.3 * rng.normal(size=(6, 6))
    table = pd.DataFrame(
        [{"pretrain_tokens": 1e6, "init_seed": i, "order_seed": o, "bleu": y[i, o]}
         for i in range(6) for o in range(6)]
    )  # fmt: skip
    found = sf.variance(table, metric="bleu", factors=("init_seed", "order_seed")).only
    squares = factorial(y, (PRETRAIN, FINETUNE))
    assert found["init_seed"].variance == pytest.approx(squares.estimate(PRETRAIN))
    assert found["order_seed"].variance == pytest.approx(squares.estimate(FINETUNE))
    assert found.share("init_seed") > found.share("order_seed") > found.share("rest")
    gapped = sf.variance(table[1:], metric="bleu", factors=("init_seed", "order_seed")).only
    assert gapped["init_seed"].variance == pytest.approx(found["init_seed"].variance, rel=0.2)
    assert any("1 of 36 combinations not run" in n for n in gapped.notes)
    twice = pd.concat([table, table[:1].assign(bleu=40.5)])
    with pytest.raises(DesignError, match="37 runs for 36 of 6 × 6"):
        sf.variance(twice, metric="bleu", factors=("init_seed", "order_seed"), allow=["conflicts"])
    with pytest.raises(DesignError, match="no column luck"):
        sf.variance(table, metric="bleu", factors=("init_seed", "luck"))


def test_seeds_and_test_examples():
    rng = np.random.default_rng(10)
    scores = rng.normal(size=(20, 1)) + 2 * rng.normal(size=(1, 400)) + rng.normal(size=(20, 400))
    found = sf.variance(scores, metric="accuracy").only
    assert found["seed"].low < 1 < found["seed"].high
    assert found["test example"].variance == pytest.approx(4, rel=0.2)
    assert "test example" in found.verdict


def test_spread_by_size_is_smoothed():
    rng = np.random.default_rng(11)
    sizes = np.geomspace(1e6, 1e9, 6)
    parts = [frame(30 + rng.normal(0, (d / 1e6) ** -0.2, (4, 1)) + rng.normal(0, 0.01, (4, 2)),
                   pretrain_run=f"{d}").assign(pretrain_tokens=d) for d in sizes]  # fmt: skip
    table = pd.concat(parts)
    table["pretrain_run"] = table["pretrain_run"] + "-" + table["pretrain_seed"].astype(str)
    found = sf.variance(table, metric="bleu")
    assert found.only.line.slope == pytest.approx(-0.4, abs=3 * found.only.line.slope_stderr)
    assert [s.tokens for s in found.only.sizes] == pytest.approx(sizes)
    assert "for ten times the tokens" in str(found)


@pytest.mark.parametrize("design", ["nested", "crossed"])
def test_notes_of_runs_that_stand_apart_say_the_components_of_the_answer(design):
    y = np.random.default_rng(12).normal(size=(5, 4))
    y[1, 2], y[3, 3] = -15.0, np.nan
    part = sf.variance(frame(y), metric="bleu", design=design).only
    (note,) = (n for n in part.notes if "apart from all" in n)
    for component in part.components:
        assert f"{component.name} SD {component.sd:.3g}" in note.partition("without")[0]
        assert "by the runs' tails" in component.method  # intervals are widened, as a note says


def test_runs_that_tie_may_differ_by_what_rounding_hides():
    tied = sf.variance(frame(np.full((3, 2), 20.1)), metric="bleu").only
    assert "no spread" in tied.verdict
    assert tied.test is None
    assert tied[FINETUNE].high == pytest.approx(0.1**2 / 12 * 3 / stats.chi2.ppf(0.025, 3))
    assert tied[PRETRAIN].low < 0 < tied[PRETRAIN].high
    assert tied.icc.low <= 0 < 1 <= tied.icc.high


@pytest.mark.parametrize("sd", [0.02, 0.05, 0.2])
def test_one_decimal_keeps_the_level(sd):
    rng = np.random.default_rng(0)
    held = []
    for _ in range(100):
        y = np.round(30 + rng.random() + sd * rng.normal(size=(5, 1)), 1)
        only = sf.variance(frame(y), metric="bleu").only.components[0]
        held.append(only.low <= sd**2 <= only.high)
    assert np.mean(held) > 0.9


def test_cells_of_unequal_noise_name_the_loudest():
    y = np.random.default_rng(0).normal(size=(2, 6, 1)) * np.array([0.2, 4.0])[:, None, None]
    table = pd.concat([frame(30 + v).assign(corpus=c) for c, v in zip("ab", y, strict=True)])
    (note,) = (n for n in sf.variance(table, metric="bleu").only.notes if "differ" in n)
    assert f"SD {y[0].std(ddof=1):.3g} to {y[1].std(ddof=1):.3g}, the most in b" in note


def test_a_failed_seed_among_scores_per_example_is_named():
    rng = np.random.default_rng(0)
    scores = (rng.random((8, 300)) < 0.8).astype(float)
    scores[3] = rng.random(300) < 0.3
    told = sf.variance(scores, "accuracy").only
    (note,) = (n for n in told.notes if "apart" in n)
    without = sf.variance(np.delete(scores, 3, axis=0), "accuracy").only["seed"]
    assert f"seed 3 (mean {scores[3].mean():.4g})" in note
    assert f"without, seed SD {without.sd:.3g}" in note
    assert any("7 seeds" in n for n in sf.variance(np.delete(scores, 3, axis=0), "accuracy").notes)
