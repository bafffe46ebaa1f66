"""How many seeds: the promised power is delivered."""

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.errors import DesignError
from scalefit.estimate import one_sample, paired_t, welch
from scalefit.seeds.power import Spread, paired_power, welch_power, width_assurance

RUNS = 20_000
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize("effect", [0.0, 1.0, 2.0, 4.0, 8.0])
def test_welch_power_is_what_simulation_gives(seeds, effect):
    a, b = RNG.normal(size=(2, RUNS, seeds))
    assert np.mean(welch(a, b + effect).p < 0.05) == pytest.approx(
        welch_power(effect, seeds), abs=0.012
    )


def test_paired_power_is_what_simulation_gives():
    d = RNG.normal(size=(RUNS, 4)) + 1.5
    got = np.mean(paired_t(np.zeros_like(d), d).p < 0.05)
    assert got == pytest.approx(paired_power(1.5, 4), abs=0.012)


def test_width_assurance_is_what_simulation_gives():
    low, high = one_sample(RNG.normal(size=(RUNS, 6))).interval()
    assert np.mean((high - low) / 2 <= 1) == pytest.approx(width_assurance(1, 1, 6), abs=0.012)


@pytest.mark.parametrize("spread", [Spread(1.0, 0.5), Spread(0.1, 1.0), Spread(0.5, 0.0)])
@pytest.mark.parametrize("difference", [1.0, 2.0, 4.0])
def test_plan_delivers_its_power(spread, difference):
    plan = sf.seeds_needed(spread, difference=difference)
    shape = (5_000, plan.pretrain)
    sides = [
        RNG.normal(0, spread.pretrain**0.5, shape)
        + RNG.normal(0, (spread.finetune / plan.finetune) ** 0.5, shape)
        for _ in range(2)
    ]
    got = np.mean(welch(sides[0], sides[1] + difference).p < 0.05)
    assert got == pytest.approx(plan.power, abs=0.025)
    assert plan.power >= 0.8


@pytest.mark.parametrize(
    "spread", [Spread(0.72, 0.28, correlation=0.9), Spread(0.1, 0.9, correlation=0.5)]
)
def test_plan_on_shared_checkpoints_delivers_its_power(spread):
    plan = sf.seeds_needed(spread, difference=1.0)
    gaps = RNG.normal(1.0, spread.paired(plan.finetune) ** 0.5, (5_000, plan.pretrain))
    assert np.mean(one_sample(gaps).p < 0.05) == pytest.approx(plan.power, abs=0.025)


@pytest.mark.parametrize("half", [0.5, 1.0])
def test_plan_for_a_width_delivers_it(half):
    spread = Spread(0.72, 0.28)
    plan = sf.seeds_needed(spread, half_width=half)
    sd = spread.effective(plan.finetune) ** 0.5
    low, high = one_sample(RNG.normal(0, sd, (5_000, plan.pretrain))).interval()
    assert np.mean((high - low) / 2 <= half) == pytest.approx(plan.power, abs=0.025)


def test_plan_is_the_cheapest():
    spread = Spread(0.72, 0.28, pretrain_cost=100, finetune_cost=1)
    assert spread.best_finetune == pytest.approx(6.2, abs=0.1)
    plan = sf.seeds_needed(spread, difference=0.8)
    costs = [r["cost"] for r in plan.rows() if r["probability"] >= 0.8]
    assert plan.cost == min(costs)
    fewer = welch_power(0.8 / spread.effective(plan.finetune) ** 0.5, plan.pretrain - 1)
    assert fewer < 0.8


def test_pairs_on_shared_checkpoints_are_cheaper():
    apart = sf.seeds_needed(Spread(1, 0.1), difference=1.0)
    shared = sf.seeds_needed(Spread(1, 0.1, correlation=0.9), difference=1.0)
    assert shared.cost < apart.cost


def test_width_of_a_mean():
    plan = sf.seeds_needed(Spread(1, 0), half_width=1.0)
    assert plan.finetune == 1
    assert width_assurance(1, 1, plan.pretrain) >= 0.8
    assert width_assurance(1, 1, plan.pretrain - 1) < 0.8


def test_components_of_a_table_carry_over_with_their_uncertainty():
    y = 30 + RNG.normal(size=(5, 1)) + RNG.normal(0, 0.5, size=(5, 3))
    frame = pd.DataFrame(
        [{"pretrain_tokens": 1e6, "pretrain_seed": p, "finetune_seed": f, "bleu": y[p, f]}
         for p in range(5) for f in range(3)]
    )  # fmt: skip
    found = sf.variance(frame, metric="bleu")
    plan = sf.seeds_needed(found, difference=2.0)
    assert any("upper ends" in n for n in plan.notes)
    assert "probability" in plan.verdict
    assert len(plan.to_frame()) == len(plan.rows())
    assert plan.to_dict()["pretrain"] == plan.pretrain


def test_token_forecast_comes_out_as_narrow_as_planned():
    """Forecast interval of a fitted log-law, refitted on new runs with the planned seeds."""
    rng = np.random.default_rng(2)
    sizes = np.geomspace(1e6, 1e9, 6)

    def runs(seeds, sd):
        curve = 3 + 8 * (sizes / 1e6) ** -0.25
        y = curve + rng.normal(0, sd, (seeds, 6))
        columns = {"pretrain_tokens": np.tile(sizes, seeds), "cross_entropy": y.ravel()}
        seed = np.repeat(np.arange(seeds), 6)
        run = [f"{s}-{d:.0f}" for s, d in zip(seed, columns["pretrain_tokens"], strict=True)]
        return sf.as_table(pd.DataFrame({**columns, "pretrain_seed": seed, "pretrain_run": run}))

    pilot = sf.fit(runs(3, 0.01), metric="cross_entropy", law="power")
    target = float(pilot.value(np.array([4e9]))[0])
    plan = sf.seeds_needed(Spread(0.05**2, 0.0), fit=pilot, target=target, factor=1.5)
    few = sf.seeds_needed(Spread(0.01**2, 0.0), fit=pilot, target=target, factor=1.5)
    assert few.pretrain < plan.pretrain
    narrow = []
    for _ in range(25):
        law = sf.fit(runs(plan.pretrain, 0.05), metric="cross_entropy", law="power")
        found = sf.tokens_for(law, target, level=0.95, given="law")
        narrow.append(found.low > 0 and found.high <= found.low * 1.5**2)
    assert np.mean(narrow) == pytest.approx(plan.power, abs=0.15)  # standard error .06
    with pytest.raises(DesignError, match=r"give a probability of 0\.95"):
        sf.seeds_needed(Spread(0.01**2, 0.0), fit=pilot, target=target, power=0.96)
    assert "6 sizes" in plan.question


def test_impossible_questions_are_refused():
    with pytest.raises(DesignError, match="500 pretraining seeds give"):
        sf.seeds_needed(Spread(1, 0), difference=0.01)
    with pytest.raises(DesignError, match="found 2 questions"):
        sf.seeds_needed(Spread(1, 0), difference=1, half_width=1)
    with pytest.raises(DesignError, match="found 0 questions"):
        sf.seeds_needed(Spread(1, 0))
    with pytest.raises(DesignError, match="above 0"):
        sf.seeds_needed(Spread(1, 0), difference=0.0)


def test_runs_finetuned_once_are_planned_as_runs():
    runs = {"pretrain_seed": [1, 2, 3, 4, 5], "bleu": [20.0, 21.0, 22.0, 20.5, 21.5]}
    plan = sf.seeds_needed(runs, "bleu", difference=2.0)
    assert plan.finetune == 1
    known = sf.seeds_needed(Spread(np.var(runs["bleu"], ddof=1), 0.0), difference=2.0)
    assert plan.pretrain > known.pretrain  # a pilot of five is no knowledge
    assert any("one finetuning seed" in note for note in plan.notes)


def test_finetuning_seeds_of_one_run_are_refused():
    frame = pd.DataFrame({"pretrain_tokens": [1e6] * 3, "finetune_seed": [1, 2, 3],
                          "bleu": [20.0, 21, 22]})  # fmt: skip
    with pytest.raises(DesignError, match="not both known"):
        sf.seeds_needed(sf.variance(frame, metric="bleu"), difference=1.0)


def test_several_evaluation_sets_are_answered_with_the_filter() -> None:
    table = {
        "pretrain_seed": [1, 2, 3] * 2,
        "eval_set": ["wmt20"] * 3 + ["wmt21"] * 3,
        "bleu": [20.1, 20.4, 19.8, 23.0, 22.6, 23.3],
    }
    with pytest.raises(DesignError, match="'eval_set': 'wmt20'"):
        sf.seeds_needed(table, "bleu", difference=1.0)


def test_a_pilot_without_spread_plans_nothing():
    runs = {"pretrain_tokens": [1e6] * 6, "pretrain_seed": [1, 1, 2, 2, 3, 3],
            "finetune_seed": [1, 2] * 3, "bleu": [20.1] * 6}  # fmt: skip
    with pytest.raises(DesignError, match="no spread over seeds"):
        sf.seeds_needed(runs, "bleu", difference=1.0)
    with pytest.raises(DesignError, match="no spread"):
        sf.seeds_needed(Spread(0.0, 0.0), half_width=1.0)


def test_a_pair_on_one_checkpoint_differs_by_what_is_not_shared():
    rng, n = np.random.default_rng(0), 200_000
    seeds = rng.multivariate_normal([0, 0], 0.72 * np.array([[1, 0.6], [0.6, 1]]), n)
    means = seeds + rng.normal(0, (0.28 / 2) ** 0.5, (n, 2))
    told = Spread(0.72, 0.28, correlation=0.6).paired(2)
    assert told == pytest.approx(np.diff(means, axis=1).var(), rel=0.02)
