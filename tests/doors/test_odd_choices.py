"""Whatever is asked of whatever table: an answer, or an error of ours that teaches; nothing else."""

import warnings
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import scalefit as sf
from scalefit.errors import DomainError, MissingColumnError, ScalefitError
from scalefit.units import amount

ODD = st.sampled_from([0.0, -1.0, float("nan"), float("inf"), 1.0, 1e3, 4e7, 1e30])
SOME = settings(max_examples=25, suppress_health_check=list(HealthCheck))


@st.composite
def tables(draw):
    """Corpora, sizes and seeds from none to several; none, or some, without pretraining; flat, tied or noisy."""
    corpora = draw(st.lists(st.sampled_from(["fr", "en", "", "a b", "1"]), min_size=1, max_size=3))
    sizes = draw(st.lists(st.sampled_from([1e6, 4e6, 16e6, 64e6, 64e6]), min_size=1, max_size=5))
    finetune = draw(st.lists(st.sampled_from([1e3, 1e4, 1e5]), min_size=1, max_size=3))
    base = draw(st.booleans())
    rise, noise = draw(st.sampled_from([0.0, 2.0, -2.0])), draw(st.sampled_from([0.0, 0.3]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    rows = [(c, p, f) for c in corpora for p in sizes for f in finetune]
    rows += [("none", 0.0, f) for f in finetune if base]
    return {
        "corpus": [c for c, _, _ in rows],
        "pretrain_tokens": [p for _, p, _ in rows],
        "finetune_tokens": [f for _, _, f in rows],
        "bleu": [
            20 + rise * np.log10(max(p, 1e5) / 1e6) + np.log10(f) + noise * rng.standard_normal()
            for _, p, f in rows
        ],
    }


def answered(ask):
    """Ask for an answer that can be read and written, or an error of ours."""
    with warnings.catch_warnings(), suppress(ScalefitError):
        warnings.simplefilter("error")
        answer = ask()
        assert str(answer)
        assert answer.to_dict()


@SOME
@given(tables(), ODD, st.booleans())
def test_value(data, level, zero_shot):
    answered(lambda: sf.value(data, against="zero-shot" if zero_shot else "scratch", level=level))
    answered(lambda: sf.value(data, baseline={"corpus": "fr"}))


@SOME
@given(tables(), ODD, ODD)
def test_rank(data, number, cost):
    answered(lambda: sf.rank(data, at=number))
    answered(lambda: sf.rank(data, at=1e9, level=number))
    answered(lambda: sf.rank(data, target=number, cost={"fr": cost, "en": 1.0}))


@SOME
@given(tables(), ODD, ODD, ODD)
def test_plan(data, number, budget, cost):
    answered(lambda: sf.plan(data, at=number, budget=budget, cost=cost, by=["corpus"]))


@SOME
@given(tables(), ODD, ODD)
def test_align_and_monitor(data, number, sd):
    answered(lambda: sf.align(data, "bleu", level=number))
    answered(lambda: sf.align(data, "bleu", margin=number, seed_sd=sd))
    answered(lambda: sf.monitor(data, "bleu", level=number))
    answered(
        lambda: sf.monitor(
            data, "bleu", margin=number, looks_before=int(np.clip(np.nan_to_num(sd), -3, 99))
        )
    )


@SOME
@given(tables(), ODD, ODD)
def test_allocate(data, number, price):
    prices = {"pretrain_tokens": 1.0, "finetune_tokens": price}
    answered(lambda: sf.allocate(sf.fit_joint(data, "bleu"), number, price=prices, resamples=5))
    answered(lambda: sf.allocate(sf.fit_joint(data, "bleu"), target=number, resamples=5))


def test_columns_are_asked_for_as_the_user_wrote_them():
    """The table calls them ``model`` and ``pretrain_seed``; at every door the user's own names mean these."""
    sizes = [1, 2, 4, 8, 16, 32]
    rows = [
        {"Model": m, "Tokens": f"{n}M", "Seed": s, "BLEU": 10 + 4 * k * i + 0.1 * (s == "a")}
        for m, k in (("x", 1.0), ("y", 0.8))
        for i, n in enumerate(sizes)
        for s in "ab"
    ]
    table = {name: [row[name] for row in rows] for name in rows[0]}
    assert len(sf.fit_each(table, "bleu", "log", by=["Model"])) == 2
    assert sf.fit(table, "bleu", "log", where={"Model": "x", "Seed": "a"}).points.y.size == 6
    assert sf.rank(table, "bleu", over="Model", at="64M")[0].best.corpus == "x"
    assert len(sf.variance(table, "bleu", by=["Model"])) == 2
    sides = {"a": {"Model": "x", "Tokens": "32M"}, "b": {"Model": "y", "Tokens": "32M"}}
    assert sf.compare_procedures(table, "bleu", **sides).only.better == "x, 32M"
    with pytest.raises(MissingColumnError, match="modle"):
        sf.variance(table, "bleu", by=["modle"])


def test_a_chain_and_its_direct_law_name_their_one_input_apart():
    sizes = np.geomspace(1e7, 1e10, 10)
    loss = 1.8 + 90 * sizes**-0.25
    table = {"tokens": sizes, "loss": loss, "error": 0.85 - 1.6 * np.exp(-0.6 * loss)}
    steps = [sf.Step("loss", "power"), sf.Step("error", "loss_to_error")]
    chained = sf.chain(table, steps, direct="rectified", hold_out=2)
    assert {"chain", "direct"} <= set(chained.errors)


@pytest.mark.parametrize("size", ["many", "", -1, 0, float("nan"), float("inf"), True, [1e9], None])
def test_what_is_no_amount_is_refused_by_name_wherever_one_is_asked_for(size):
    with pytest.raises(DomainError, match="is no size"):
        amount(size, "budget")


def test_a_plan_answers_what_it_is_asked_and_runs_nothing_that_misleads():
    sizes = [1e6, 4e6, 16e6, 64e6, 256e6]
    curves = {"fr": [5.0, 9.1, 12.9, 17.0, 20.1], "bad": [5.0, 9.0, 13.0, 9.0, 5.0]}
    table = {
        "corpus": [c for c in curves for _ in range(15)],
        "pretrain_tokens": [x for _ in curves for x in sizes for _ in range(3)],
        "pretrain_seed": [0, 1, 2] * 10,
        "bleu": [y + s for ys in curves.values() for y in ys for s in (-0.1, 0.0, 0.1)],
    }
    plan = sf.plan(table, target=23, budget="2B")
    assert plan.goal == "tokens"
    assert plan.question == "tokens for 23"
    assert {step.group["corpus"] for step in plan.steps} == {"fr"}
    assert "bad: misaligned, no run of it is weighed" in plan.notes
    assert max(step.cost for step in plan.steps) <= 2e9
    for asked in ({"goal": "best", "target": 23}, {"at": "1B", "target": 23}):
        with pytest.raises(DomainError, match="give one of them"):
            sf.plan(table, **asked)


@pytest.mark.parametrize("mixture", [True, 0.5, ["corpus"]])
def test_what_names_no_ratios_is_refused_with_what_does(mixture):
    with pytest.raises(DomainError, match="name the column of ratios"):
        sf.rank(
            {"corpus": ["a"], "pretrain_tokens": [1e6], "bleu": [9.5]}, at="1B", mixture=mixture
        )


RUNS = {
    "corpus": ["a", "b"] * 8,
    "pretrain_tokens": [1e6, 1e6, 4e6, 4e6, 16e6, 16e6, 64e6, 64e6] * 2,
    "pretrain_seed": [1] * 8 + [2] * 8,
    "bleu": [5.0, 4.0, 9.1, 6.1, 12.9, 8.0, 17.0, 10.1, 5.2, 4.3, 9.0, 6.0, 13.1, 8.2, 17.3, 10.0],
}


@pytest.mark.parametrize(
    "ask",
    [
        lambda: sf.rank(RUNS, at=[]),
        lambda: sf.plan(RUNS, at=[]),
        lambda: sf.plan(RUNS, at="1B", enough=1.5),
        lambda: sf.seeds_needed(RUNS, metric="bleu", difference=1.0, power=1.0),
        lambda: sf.seeds_needed(RUNS, metric="bleu", difference=1.0, most=1),
        lambda: sf.seeds_needed(RUNS, metric="bleu", difference=1.0, correlation=1),
        lambda: sf.compare_procedures(RUNS, a="a", b=[], metric="bleu"),
        lambda: sf.backtest(RUNS, "bleu", hold_out=-1),
        lambda: sf.backtest(RUNS, "bleu", fit_smallest=0),
        lambda: sf.predict(sf.fit(RUNS, "bleu", "ceiling", where={"corpus": "a"}), []),
    ],
)
def test_numbers_out_of_their_range_and_empty_lists_teach(ask):
    with pytest.raises(ScalefitError):
        ask()
