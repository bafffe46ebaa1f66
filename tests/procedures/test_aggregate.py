"""Aggregates over tasks, and modes."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import scalefit as sf
from scalefit.errors import DesignError, MissingColumnError
from scalefit.procedures.aggregate import (
    interquartile_mean,
    jackknife_t,
    mean_of_tasks,
)

RNG = np.random.default_rng(0)


def test_iqm_is_the_trimmed_mean_of_all_scores():
    assert interquartile_mean([[0.0, 1, 2, 3], [4, 5, 6, 100]]) == 3.5


def test_jackknife_of_a_mean_is_students_t():
    scores = RNG.normal(size=(5, 3))
    found = jackknife_t(scores, mean_of_tasks)
    want = stats.t.interval(0.95, 4, scores.mean(), stats.sem(scores.mean(1)))
    assert (found.low, found.high) == pytest.approx(want)


def test_tasks_are_aggregated_for_each_procedure():
    rows = [
        {"corpus": c, "task": t, "pretrain_tokens": 1e6, "pretrain_seed": p, "bleu": 20 + v}
        for c, seeds in (("x", 4), ("y", 2)) for t in "abcd" for p in range(seeds)
        for v in [RNG.normal()]
    ]  # fmt: skip
    found = sf.aggregate_tasks(pd.DataFrame(rows), metric="bleu")
    assert {r["procedure"] for r in found.rows()} == {"x"}
    assert found.rows()[0]["tasks"] == 4
    assert any("y: 2 seeds" in n for n in found.notes)
    assert len(found.to_frame()) == 3
    with pytest.raises(DesignError, match="three seeds"):
        sf.aggregate_tasks(pd.DataFrame(rows[-8:]), metric="bleu")


def test_rows_are_chosen_and_intervals_have_the_level_that_is_asked_for():
    rows = pd.DataFrame(
        {"corpus": "x", "task": t, "domain": d, "pretrain_seed": p, "bleu": 20 + RNG.normal()}
        for t in "abcd"
        for d in ("in", "out")
        for p in range(5)
    )
    chosen = sf.aggregate_tasks(rows, "bleu", where={"domain": "in"}, statistics=["mean"])
    alone = sf.aggregate_tasks(rows[rows["domain"] == "in"], "bleu", statistics=["mean"])
    assert chosen.rows() == alone.rows()
    narrow, wide = (
        sf.aggregate_tasks(rows, "bleu", statistics=["mean"], level=level).rows()[0]
        for level in (0.5, 0.95)
    )
    ratio = (wide["high"] - wide["low"]) / (narrow["high"] - narrow["low"])
    assert ratio == pytest.approx(stats.t.ppf(0.975, 4) / stats.t.ppf(0.75, 4))


def test_two_modes_are_found_with_their_members():
    modes = np.repeat([False, True], [40, 20])
    scores = np.where(modes, 0.8, 0.2) + 0.05 * RNG.normal(size=60)
    found = sf.bimodality(scores)
    assert found.modes == 2
    assert found.dip_p < 0.01
    np.testing.assert_array_equal(found.membership > 0.5, modes)
    np.testing.assert_allclose(found.means, [0.2, 0.8], atol=0.03)
    assert found.weights[1] == pytest.approx(1 / 3, abs=0.01)
    assert found.to_dict()["modes"] == 2


@pytest.mark.slow
def test_one_mode_stays_one():
    found = [sf.bimodality(RNG.normal(size=60)).modes for _ in range(25)]
    assert np.mean(np.array(found) == 2) <= 0.1


@pytest.mark.parametrize("n", [6, 12])
def test_few_runs_of_one_mode_are_not_told_to_be_two(n):
    """Small version of benchmarks/simulate_seeds.py --only modes."""
    rng = np.random.default_rng(3)
    for draw in (rng.normal, rng.standard_gamma):
        found = [
            sf.bimodality(draw(*((4.0,) if draw != rng.normal else ()), size=n)).modes
            for _ in range(60)
        ]
        assert np.mean(np.array(found) == 2) <= 0.1
    apart = [sf.bimodality(rng.normal(size=2 * n) + np.repeat([0, 8], n)).modes for _ in range(20)]
    assert np.mean(np.array(apart) == 2) > 0.8


def test_few_runs_are_said_to_be_few():
    assert any("10 runs" in n for n in sf.bimodality(RNG.normal(size=10)).notes)
    with pytest.raises(DesignError, match="at least five"):
        sf.bimodality([1.0, 2.0])


def test_finetunings_of_one_checkpoint_are_seeds_where_there_are_no_others() -> None:
    tasks, seeds = ("mnli", "sst2", "cola"), range(4)
    rows = [("x", t, s, 80.0 + i + (s * 7 + i) % 4) for i, t in enumerate(tasks) for s in seeds]
    columns = dict(
        zip(("model", "task", "finetune_seed", "bleu"), zip(*rows, strict=True), strict=True)
    )
    made = sf.aggregate_tasks(columns, "bleu", column="model", statistics=["mean"])
    assert (made[0].seeds, made[0].tasks) == (4, 3)
    assert any("these checkpoints only" in note for note in made.notes)
    with pytest.raises(MissingColumnError, match="column='model'"):
        sf.aggregate_tasks({**columns, "model": ["x", "y"] * 6}, "bleu")


def test_the_best_loss_is_the_lowest():
    table = {"corpus": ["a"] * 6 + ["b"] * 6, "task": ["x", "y"] * 6, "pretrain_tokens": [1e6] * 12,
             "pretrain_seed": [1, 1, 2, 2, 3, 3] * 2,
             "cross_entropy": [3.0, 3.1, 3.05, 3.02, 3.04, 3.1, 2.0, 2.1, 2.05, 2.0, 2.04, 2.1]}  # fmt: skip
    told = sf.aggregate_tasks(table, "cross_entropy").verdict
    assert "b 2." in told
    assert told.endswith("is lowest of 2")
