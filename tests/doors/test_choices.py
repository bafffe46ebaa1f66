"""Rank, value and plan on tables whose right answer is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.errors import DesignError, DomainError

SIZES = np.geomspace(1e6, 1e9, 6)
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def noise_from_the_start():
    """No test's data depend on which ran before."""
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


def table(curves, seeds=2, noise=0.15, **more):
    rows = [
        {"corpus": corpus, "task": "en-fr", "finetune_tokens": 1e5, "pretrain_tokens": x, "pretrain_seed": s,
         "bleu": curve(x) + noise * RNG.standard_normal(), **more}
        for corpus, curve in curves.items() for x in SIZES for s in range(seeds)
    ]  # fmt: skip
    return {name: [row[name] for row in rows] for name in rows[0]}


CURVES = {
    "fr": lambda x: 10 + 2.0 * np.log10(x / 1e6),
    "en": lambda x: 11 + 1.2 * np.log10(x / 1e6),
    "code": lambda x: 8 + 1.0 * np.log10(x / 1e6),
}


@pytest.fixture(scope="module")
def three():
    return table(CURVES)


def test_the_best_corpus_is_found_where_nobody_measured(three):
    ranking = sf.rank(three, at="4B").only
    assert ranking.best.corpus == "fr"
    assert ranking.best.p_best > 0.95
    assert [s.corpus for s in ranking.standings] == ["fr", "en", "code"]
    assert ranking.standings[2].expected_loss == pytest.approx(5.6, abs=1.0)


def test_where_a_curve_overtakes_another(three):
    ranking = sf.rank(three, at="4B").only
    (fr,) = [c for c in ranking.crossings if c.overtakes == "fr" and c.overtaken == "en"]
    assert fr.low <= 10 ** (6 + 1 / 0.8) * 1.5
    assert fr.low < fr.size < fr.high


def test_by_tokens_for_a_target_and_by_cost(three):
    by_tokens = sf.rank(three, target=17.0).only
    assert by_tokens.best.corpus == "fr"
    dear = sf.rank(three, target=14.0, cost={"fr": 1e6, "en": 1.0, "code": 1.0}).only
    assert dear.best.corpus == "en"


def test_a_misaligned_corpus_is_never_recommended():
    falls = dict(CURVES, trap=lambda x: 25 - 2.5 * np.log10(x / 1e6))
    data = table(falls, seeds=3)
    loss = {"fr": 3.0, "en": 3.1, "code": 3.4, "trap": 2.9}
    data["cross_entropy"] = [
        loss[c] - 0.2 * np.log10(x / 1e6) + 0.002 * RNG.standard_normal()
        for c, x in zip(data["corpus"], data["pretrain_tokens"], strict=True)
    ]
    ranking = sf.rank(data, at="2B").only
    assert ranking.standings[-1].corpus == "trap"
    assert ranking.standings[-1].barred
    assert ranking.best.corpus == "fr"
    assert "never trap (misaligned)" in ranking.verdict


@pytest.mark.parametrize("asked", [{}, {"at": 1e9, "target": 20.0}])
def test_one_of_size_and_target(three, asked):
    with pytest.raises(DomainError, match="ranked by"):
        sf.rank(three, **asked)


def test_a_size_below_the_measured_ones(three):
    with pytest.raises(DomainError, match="below the smallest measured size"):
        sf.rank(three, at=1e5)


@pytest.mark.parametrize("cost", [0.0, -1.0, {"fr": 1.0}])
def test_a_cost_that_is_none(three, cost):
    with pytest.raises(DomainError, match="cost"):
        sf.rank(three, target=14.0, cost=cost)


@pytest.mark.parametrize(("sizes", "said"), [(2, True), (3, False)])
def test_two_sizes_say_little_of_who_overtakes(sizes, said):
    data = table(CURVES)
    kept = np.isin(data["pretrain_tokens"], SIZES[-sizes:])
    ranking = sf.rank({k: np.array(v)[kept] for k, v in data.items()}, at="1B").only
    assert any("measure a third size" in note for note in ranking.notes) == said


def test_one_corpus_is_nothing_to_rank():
    with pytest.raises(DesignError, match="corpus"):
        sf.rank(table({"fr": CURVES["fr"]}), at="4B")


def test_what_a_target_takes_is_what_the_forecast_says(three):
    """One curve, one target: one interval, wherever it is asked for."""
    ranking, forecast = sf.rank(three, target=19.0).only, sf.forecast(three, target=19.0)
    for s in ranking.standings:
        tokens = forecast[s.corpus].tokens
        assert (s.low, s.estimate, s.high) == pytest.approx(
            (tokens.low, tokens.estimate, tokens.high)
        )


def test_a_flat_corpus_beside_steep_ones_does_not_sink():
    steep = {n: lambda x, s=s: 5 + s * np.log(x / 1e6) for n, s in (("a", 4.0), ("b", 4.2))}
    ranking = sf.rank(table({**steep, "flat": lambda x: 12.0}, seeds=3), at="10B").only
    assert {s.corpus: s.estimate for s in ranking.standings}["flat"] == pytest.approx(12.0, abs=0.5)


def test_who_never_gets_there_is_not_the_best_for_being_cheap():
    far = {"fr": lambda x: 5 + 2.5 * np.log(x / 1e6), "cheap": lambda x: 5.0 + 0 * x}
    ranking = sf.rank(table(far), target=60.0, cost={"fr": 10.0, "cheap": 0.1}).only
    assert ranking.best.corpus == "fr"
    assert ranking.sight == pytest.approx(1000 * 1e9 * 10)
    assert all(np.isinf(s.high) for s in ranking.standings)


def test_a_target_beyond_a_short_curves_sight_is_not_reached_because_others_were_run_further():
    data = table(CURVES)
    kept = (np.array(data["corpus"]) != "code") | (np.array(data["pretrain_tokens"]) < 2e7)
    ranking = sf.rank({k: np.array(v)[kept] for k, v in data.items()}, target=25.0).only
    short = next(s for s in ranking.standings if s.corpus == "code")
    assert short.p_reached < 0.5


def test_a_sweep_is_ranked_by_each_setting_or_every_combination_together():
    rows = [
        (c, x, lr, CURVES[c](x) - 1e3 * lr) for c in CURVES for x in SIZES for lr in (1e-4, 1e-3)
    ]
    names = ("corpus", "pretrain_tokens", "learning_rate", "bleu")
    data = dict(zip(names, zip(*rows, strict=True), strict=True))
    apart = sf.rank(data, at="4B")
    assert len(apart) == 2
    (offer,) = (n for n in apart.notes if "ranks every combination together" in n)
    assert "over='corpus,learning_rate'" in offer
    both = sf.rank(data, at="4B", over="corpus, learning_rate").only
    assert both.best.corpus == "fr · 0.0001"
    assert len(both.standings) == 6
    cost = {"fr": 1e4, "en": 1.0, "code": 1e4}
    dear = sf.rank(data, target=13.0, over=["corpus", "learning_rate"], cost=cost).only
    assert dear.best.corpus == "en · 0.0001"


def mixtures(ratios=(0.0, 0.25, 0.75, 1.0)):
    """The best ratio is .625."""
    rows = [
        {"task": "en-fr", "corpus": f"mix{r}", "mix_fr": r, "mix_en": 1 - r, "pretrain_tokens": x, "pretrain_seed": s,
         "bleu": 10 + 2 * np.log10(x / 1e6) + 2 * r + 8 * r * (1 - r) + 0.1 * RNG.standard_normal()}
        for r in ratios for x in SIZES for s in range(2)
    ]  # fmt: skip
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_ratios_between_the_measured_ones_are_ranked():
    ranking = sf.rank(mixtures(), at="4B", mixture="mix_fr").only
    assert 0.5 <= float(ranking.best.corpus) <= 0.75
    ratio = {s.corpus: s for s in ranking.standings}
    truth = 10 + 2 * np.log10(4e3) + 1.0 + 2.0
    assert ratio["0.5"].low < truth < ratio["0.5"].high
    assert min(map(float, ratio)) == 0.0
    assert max(map(float, ratio)) == 1.0
    low, high = ranking.best_ratio
    assert low <= 0.625 <= high
    assert "(the best lies in [0." in ranking.verdict
    assert "measured ratios: 0, 0.25, 0.75, 1" in " ".join(ranking.notes)
    assert ranking.rows()[0]["mix_fr"] == ranking.best.corpus


def test_ratios_in_percent_or_parts_are_the_same_ratios():
    data = mixtures()
    plain = sf.rank(data, at="4B", mixture="mix_fr").only
    percent = {**data, "mix_fr": [100 * r for r in data["mix_fr"]]}
    parts = {**data, "mix_fr": [f"{100 * r:g}/{100 - 100 * r:g}" for r in data["mix_fr"]]}
    shares = {**data, "mix_fr": [f"{100 * r:g}% fr" for r in data["mix_fr"]]}
    for said in (percent, parts, shares):
        named = sf.rank(said, at="4B", mixture="mix_fr").only
        assert named.best.corpus == plain.best.corpus
        assert named.best_ratio == pytest.approx(plain.best_ratio)
    unlike = {**data, "mix_fr": [s.replace("75% fr", "75% en") for s in shares["mix_fr"]]}
    with pytest.raises(DesignError, match="shares of unlike things"):
        sf.rank(unlike, at="4B", mixture="mix_fr")


def test_ranked_by_the_loss_a_corpus_that_harms_quality_is_barred_all_the_same():
    """Its loss may be the best of all: that is the trap."""
    rng, rows = np.random.default_rng(3), []
    slope = {"web": 2.0, "code": -0.8, "wiki": 1.2}
    for name, x, seed in ((n, x, s) for n in slope for x in SIZES for s in range(2)):
        u, noise = np.log(x / 1e6), rng.standard_normal(2)
        loss = (1.68 if name == "code" else 1.7) + 1.6 * np.exp(-0.15 * u) + 0.005 * noise[1]
        rows.append((name, x, seed, 18 + slope[name] * u + 0.3 * noise[0], loss))
    columns = ("corpus", "pretrain_tokens", "seed", "bleu", "cross_entropy")
    ranking = sf.rank(
        dict(zip(columns, zip(*rows, strict=True), strict=True)), "cross_entropy", at="10B"
    ).only
    assert [s.corpus for s in ranking.standings if s.barred] == ["code"]
    assert ranking.best.corpus != "code"
    assert ranking.standings[-1].alignment.endswith("by bleu")


def test_a_flat_corpus_does_not_end_the_scale_of_a_metric_without_an_end():
    """A COMET has no upper end, so one is guessed from the values: of the table, not of the flattest curve."""
    comet = {"fr": lambda u: 0.55 + 0.03 * u, "code": lambda u: 0.5 + 0.001 * u}
    rows = [(n, x, f(np.log(x / 1e6))) for n, f in comet.items() for x in SIZES]
    named = dict(zip(("corpus", "pretrain_tokens", "comet"), zip(*rows, strict=True), strict=True))
    ranking = sf.rank(named, "comet", target=0.85).only
    assert ranking.best.corpus == "fr"
    assert ranking.best.p_reached > 0.6


def test_ratios_by_the_corpus_name_and_by_a_target():
    data = mixtures()
    del data["mix_fr"], data["mix_en"]
    named = {f"mix{r}": r for r in (0.0, 0.25, 0.75, 1.0)}
    assert 0.5 <= float(sf.rank(data, at="4B", mixture=named).only.best.corpus) <= 0.75
    assert 0.5 <= float(sf.rank(data, target=18.0, mixture=named).only.best.corpus) <= 0.75
    with pytest.raises(DesignError, match="has no mixture ratio"):
        sf.rank(data, at="4B", mixture={"mix0.0": 0.0})
    with pytest.raises(DesignError, match="has no mixture ratio"):
        sf.rank(data, at="4B", mixture="corpus")


def test_a_misaligned_ratio_bars_as_far_as_the_next_measured_one():
    rng, rows = np.random.default_rng(5), []
    for r, x, seed in ((r, x, s) for r in (0.0, 0.1, 0.5, 1.0) for x in SIZES for s in range(2)):
        u, noise = np.log(x / 1e6), rng.standard_normal(2)
        bleu = 18 + (2 * u if r else -0.8 * u) + r + 0.3 * noise[0]
        rows.append((r, x, seed, bleu, 1.7 + 1.6 * np.exp(-0.15 * u) + 0.005 * noise[1]))
    columns = ("corpus", "pretrain_tokens", "seed", "bleu", "cross_entropy")
    table = dict(zip(columns, zip(*rows, strict=True), strict=True))
    ranking = sf.rank(table, at="10B", mixture="corpus").only
    assert sorted(s.corpus for s in ranking.standings if s.barred) == ["0", "0.05"]


def test_two_ratios_say_nothing_of_what_lies_between():
    with pytest.raises(DesignError, match="measure one between"):
        sf.rank(mixtures((0.0, 1.0)), at="4B", mixture="mix_fr")


GRID = [(p, f) for p in (0, 1e7, 1e8, 1e9) for f in (1e5, 1e6, 1e7, 1e8)]


def quality(p, f):
    """Pretraining is worth 1e-2 finetuning tokens a token."""
    return 5 * np.log10(f + 1e-2 * p)


@pytest.fixture(scope="module")
def grid():
    rows = [
        {"corpus": "fr" if p else "none", "task": "en-fr", "pretrain_tokens": p, "finetune_tokens": f,
         "finetune_seed": s, "pretrain_seed": s if p else None, "bleu": quality(p, f) + 0.05 * RNG.standard_normal()}
        for p, f in GRID for s in range(3)
    ]  # fmt: skip
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_effective_data_are_what_the_truth_says(grid):
    value = sf.value(grid)["fr"]
    cell = {(c.pretrain, c.finetune): c for c in value.cells}
    first = cell[1e9, 1e6]
    assert first.gain == pytest.approx(quality(1e9, 1e6) - quality(0, 1e6), abs=0.15)
    assert first.effective == pytest.approx(1e7, rel=0.25)
    assert first.effective_low < 1e7 < first.effective_high
    assert first.rate == pytest.approx(1e-2, rel=0.25)
    assert first.state == "helps"


def test_where_pretraining_fades_into_noise(grid):
    value = sf.value(grid)["fr"]
    small = [c for c in value.cells if c.pretrain == 1e7 and c.finetune == 1e8]
    assert small[0].state in ("worthless", "unsure")
    assert np.isinf(value.fades) or value.fades > 1e8 / 2


def test_harm_is_called_harm():
    rows = {"corpus": ["none"] * 6 + ["code"] * 6, "pretrain_tokens": [0] * 6 + [1e8] * 6,
            "finetune_tokens": [1e5, 1e5, 1e6, 1e6, 1e7, 1e7] * 2, "finetune_seed": [0, 1] * 6,
            "bleu": [5.0, 5.1, 12.0, 12.1, 20.0, 20.1, 3.0, 3.1, 10.0, 10.1, 20.0, 20.1]}  # fmt: skip
    cells = sf.value(rows)[0].cells
    assert [c.state for c in cells][:2] == ["harms", "harms"]
    assert cells[0].gain == pytest.approx(-2.0)


def test_nothing_to_compare_with():
    data = {
        "corpus": ["fr"] * 3,
        "pretrain_tokens": [1e8] * 3,
        "finetune_tokens": [1e5, 1e6, 1e7],
        "bleu": [3.0, 5.0, 9.0],
    }
    with pytest.raises(DesignError, match="without pretraining"):
        sf.value(data)


def test_a_plan_stops_where_the_choice_is_sure(three):
    plan = sf.plan(three, at="4B")
    assert plan.next is None
    assert plan.verdict.startswith(f"stop: {plan.choice} is best at")
    assert plan.shown() == []
    (why,) = plan.beneath()
    assert f"is at least {plan.enough:g}" in why
    assert f"no further run is needed ({len(plan.steps)} were weighed)" in why
    assert len(plan.rows()) == len(plan.steps)


def test_a_plan_says_what_tells_most_per_cost():
    near = {"fr": CURVES["fr"], "en": lambda x: CURVES["fr"](x) + 0.1}
    plan = sf.plan(table(near, seeds=1, noise=0.4), at="4B", enough=0.99)
    assert plan.next is not None
    assert plan.steps[0].worth == max(s.worth for s in plan.steps)
    # one run; both contenders once, or four times
    assert {s.cost / s.size for s in plan.steps} == {1.0, 2.0, 8.0}
    assert all(s.after >= s.now - 0.03 for s in plan.steps)
    silent = sum(not s.told for s in plan.steps)
    assert silent == len(plan.steps) - len(plan.shown())
    few = replace(plan, steps=(plan.steps[0], replace(plan.steps[1], after=plan.steps[1].now)))
    assert "first; 1 more gain next to nothing" in str(few)
    assert max(s.after for s in plan.steps) <= 1.0
    dear = sf.plan(table(near, seeds=1, noise=0.4), at="4B", budget=2e9, enough=0.99)
    assert max(s.cost for s in dear.steps) <= 2e9


def test_a_plan_for_tokens(three):
    plan = sf.plan(three, goal="tokens", target=17.0)
    assert plan.next is not None
    assert np.isnan(plan.certainty)
    with pytest.raises(DomainError, match="needs a target"):
        sf.plan(three, goal="tokens")


def test_a_plan_for_tokens_goes_as_far_as_the_budget_reaches():
    """Cheap runs near the data say little of where the curve goes: all candidates spend the budget."""
    one = table({"fr": lambda x: 30 - 20 * (x / 1e6) ** -0.25}, seeds=1, noise=0.3)
    plan = sf.plan(one, goal="tokens", target=28.5, budget=6e9)
    assert plan.next.size >= 3.9e9  # 4B and 6B say nearly as much
    assert all(3e9 < s.cost <= 6e9 for s in plan.steps)
    assert plan.steps[0].gain == max(s.gain for s in plan.steps)


def test_a_choice_is_sure_beyond_the_error_of_the_draws():
    plan = sf.plan(table(CURVES), at="4B")
    assert plan.sure
    near = replace(plan, certainty=0.953, error=0.0034, enough=0.95)
    assert not near.sure
    assert not near.verdict.startswith("stop")


def test_a_plan_is_about_one_setting(three):
    other = table(CURVES, task="en-de")
    both = {name: [*three[name], *other[name]] for name in three}
    with pytest.raises(DesignError, match=r"one setting.*where=\{'task'"):
        sf.plan(both)


def test_a_misaligned_corpus_is_no_contender_of_a_plan():
    falls = dict(CURVES, trap=lambda x: 25 - 2.5 * np.log10(x / 1e6))
    plan = sf.plan(table(falls, seeds=3), at="2B")
    assert not any("trap" in str(step.group["corpus"]) for step in plan.steps)
    assert any(note.startswith("trap: misaligned") for note in plan.notes)


def test_what_is_within_the_error_of_the_simulation_never_leads(three):
    plan = sf.plan(three, at="4B", enough=0.999)
    assert all(step.gain <= 2 * step.error for step in plan.steps if not step.told)
    told = [step.told for step in plan.steps]
    assert told == sorted(told, reverse=True)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"goal": "gold"}, "goal is"),
        ({"budget": 0.0}, "budget=0"),
        ({"budget": float("nan")}, "budget=nan"),
        ({"enough": 1.0}, "enough is 1"),
        ({"at": 1e3}, "below the smallest"),
        ({"cost": 0.0}, "a cost lies above 0"),
    ],
)
def test_a_plan_refuses_what_it_cannot_weigh(three, asked, why):
    with pytest.raises(DomainError, match=why):
        sf.plan(three, **asked)


def test_a_cost_of_a_corpus_that_is_not_there(three):
    costs = {"fr": 1.0, "en": 1.0, "code": 1.0, "frr": 2.0}
    with pytest.raises(DomainError, match="cost= names frr, and no curve is called that"):
        sf.rank(three, target=14.0, cost=costs)


def test_a_misaligned_corpus_changes_nothing_between_the_others():
    """Its fall would pass for the way in which all corpora part, and near ones would look far apart."""
    near = {"fr": CURVES["fr"], "en": lambda x: CURVES["fr"](x) + 0.1}
    RNG.bit_generator.state = np.random.default_rng(5).bit_generator.state
    alone = table(near, seeds=3)
    trap = table({"trap": lambda x: 25 - 2.5 * np.log10(x / 1e6)}, seeds=3)
    beside = {name: [*alone[name], *trap[name]] for name in alone}
    first, second = sf.rank(alone, at="2B").only, sf.rank(beside, at="2B").only
    assert second.standings[-1].barred
    before = {s.corpus: s.p_best for s in first.standings}
    assert before == {s.corpus: s.p_best for s in second.standings if not s.barred}


def test_where_every_corpus_is_misaligned_none_is_recommended():
    falls = {name: lambda x, d=d: 25 - d - 2.5 * np.log10(x / 1e6) for d, name in enumerate("ab")}
    ranking = sf.rank(table(falls, seeds=3), at="2B").only
    assert ranking.best is None
    assert "no corpus can be recommended" in ranking.verdict
    with pytest.raises(DesignError, match=r"two curves at least; there is none .a, b: misaligned"):
        sf.plan(table(falls, seeds=3), at="2B")
    once = {name: column[:: len(SIZES)] for name, column in table(falls, seeds=1).items()}
    with pytest.raises(DesignError, match=r"there is none .bleu was measured at one size"):
        sf.plan(once, at="2B")


def test_a_forecast_names_no_corpus_first_that_does_not_reach_the_target():
    """Beyond what is in sight a curve that falls has the widest guess, and so the lowest median."""
    curves = {
        "up": lambda x: 5 + 2.8 * np.log10(x / 1e6),
        "down": lambda x: 14 - 1.5 * np.log10(x / 1e6),
    }
    data = table(curves, seeds=3, noise=0.3)
    far = sf.forecast(data, target=22.0)
    assert "down" not in far.verdict
    assert "lower the target" in far.verdict
    assert "fewest tokens: up" in sf.forecast(data, target=14.5).verdict


def test_a_corpus_behind_at_every_size_gets_to_no_target_first():
    """Forecast one by one, the worst useful corpus of the lab once seemed the cheapest way to 15 BLEU."""
    cell = {"task": "en-fr", "finetune_tokens": 128_000, "domain": "in"}
    ranking = sf.rank(sf.datasets.transfer_lab(), target=15, where=cell).only
    place = [s.corpus for s in ranking.standings]
    assert place[0] == "fr"
    assert place.index("code") > max(place.index("fr+en"), place.index("en"))
    assert next(s.p_best for s in ranking.standings if s.corpus == "code") < 0.02


def test_by_a_target_and_by_the_size_it_takes_the_order_is_one(three):
    by_target = sf.rank(three, target=15.0).only
    by_size = sf.rank(three, at=by_target.best.estimate).only
    assert [s.corpus for s in by_target.standings] == [s.corpus for s in by_size.standings]
    # fr: 10 + 2·log10(x/1M) is 15 at 316M
    assert by_target.best.low < 316e6 < by_target.best.high


def test_curves_that_climb_as_an_s_are_noted_beside_their_ranking():
    rng = np.random.default_rng(3)
    sizes, late = np.geomspace(1e6, 1e8, 6), {"en": 2.0, "fr": 2.4, "code": 2.8}
    rows = [
        {
            "corpus": corpus,
            "pretrain_tokens": x,
            "pretrain_seed": seed,
            "bleu": 10 + 15 / (1 + (x / 1e6) ** -1.5 * np.exp(1.5 * shift)) + 0.2 * rng.normal(),
        }
        for corpus, shift in late.items()
        for x in sizes
        for seed in range(2)
    ]
    noted = sf.rank(pd.DataFrame(rows), "bleu", at=1e9)[0].notes
    assert any("as no law here" in note for note in noted)


@pytest.mark.parametrize("last", [42.5, 43.0])
def test_who_is_moved_is_told_of_one_thing(last):
    """Moved estimates lay beyond sight, beside a P(reached) of before; others beyond the metric's range."""
    runs = {"corpus": ["fr"] * 3 + ["sw"] * 3, "pretrain_tokens": [1e7, 1e8, 1e9] * 2,
            "chrf": [34.1, 40.6, 45.2, 28.9, 34.6, last]}  # fmt: skip
    ranking = sf.rank(runs, "chrf", target=60.0)[0]
    assert any("moved to their mean" in note for note in ranking.notes)
    for s in ranking.standings:
        assert np.isinf(s.estimate) == (s.p_reached < 0.5)
        ends = np.array([s.low, s.estimate, s.high, s.if_reached])
        assert (ends[np.isfinite(ends)] <= ranking.sight).all()
    rows = sf.rank(runs, "chrf", at="1T")[0].standings
    assert all(0 <= s.low <= s.estimate <= s.high <= 100 for s in rows)


def test_chances_that_a_target_is_reached_have_the_order_of_the_choice():
    """Both medians lay beyond sight, and the best corpus stood with P(reached) .17 beside .39 of the other."""
    runs = {"corpus": ["A"] * 4 + ["B"] * 4, "pretrain_tokens": [1e8, 3e8, 1e9, 3e9] * 2,
            "accuracy": [91.8, 94.6, 96.9, 97.7, 90.7, 94.0, 95.8, 97.6]}  # fmt: skip
    best, other = sf.rank(runs, "accuracy", target=99.5)[0].standings
    assert best.p_reached > other.p_reached
