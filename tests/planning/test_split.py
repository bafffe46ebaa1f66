"""Splits between pretraining and finetuning tokens, and model sizes, against a truth that is searched."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DesignError, DomainError

PRETRAIN, FINETUNE = [0, 1e6, 4e6, 16e6, 64e6], [1e4, 4e4, 16e4, 64e4]
PRICE = {"pretrain_tokens": 1.0, "finetune_tokens": 100.0}


def truth(p, f, size=1.0):
    """What pretraining and finetuning add, more for a larger model."""
    return 40 + 3 * np.log10(size) - 20 * (1 + f / 1e4) ** -0.5 - 10 * (1 + p / 1e6) ** -0.5


def table(size=1.0, noise=0.1, seed=0):
    p, f = (v.ravel() for v in np.meshgrid(PRETRAIN, FINETUNE))
    bleu = truth(p, f, size) + noise * np.random.default_rng(seed).standard_normal(p.size)
    return {"pretrain_tokens": p, "finetune_tokens": f, "bleu": bleu}


@pytest.fixture(scope="module")
def surface():
    return sf.fit_joint(table(), "bleu")


def best(budget):
    p = np.linspace(0, budget, 20001)
    f = (budget - p) / 100.0
    ok = (f >= FINETUNE[0]) & (p <= budget)
    return p[ok][truth(p[ok], f[ok]).argmax()]


def test_the_interval_holds_the_true_split(surface):
    split = sf.allocate(surface, 5e7, price=PRICE).splits[0]
    middle, low, high = split.inputs["pretrain_tokens"]
    assert low <= best(5e7) <= high
    assert middle + 100 * split.inputs["finetune_tokens"][0] == pytest.approx(5e7, rel=0.02)
    reached = truth(middle, split.inputs["finetune_tokens"][0])
    assert reached > truth(best(5e7), (5e7 - best(5e7)) / 100) - 0.4
    assert split.value[1] <= reached <= split.value[2]


@pytest.mark.slow
def test_the_cheapest_way_to_a_target_costs_what_the_truth_says(surface):
    split = sf.allocate(surface, target=34.0, price=PRICE).splits[0]
    p, f = (
        v.ravel() for v in np.meshgrid(np.geomspace(1e5, 1e9, 400), np.geomspace(1e4, 1e7, 400))
    )
    cost = (p + 100 * f)[truth(p, f) >= 34.0].min()
    middle, low, high = split.cost
    assert low <= cost <= high
    assert middle == pytest.approx(cost, rel=0.3)
    assert split.budget == middle
    assert "is cheapest at" in sf.allocate(surface, target=34.0, price=PRICE).verdict


def test_dear_finetuning_tokens_send_the_budget_into_pretraining(surface):
    cheap, dear = (
        sf.allocate(
            surface, 5e7, price={"pretrain_tokens": 1.0, "finetune_tokens": rate}, resamples=20
        )
        .splits[0]
        .inputs["finetune_tokens"][0]
        for rate in (1.0, 1000.0)
    )
    assert dear < cheap


def test_the_model_size_is_chosen_with_its_chance():
    sizes = {1e6: sf.fit_joint(table(1.0), "bleu"), 1e7: sf.fit_joint(table(10.0), "bleu")}
    poor, rich = (sf.allocate(sizes, budget, resamples=50) for budget in (4e13, 4e16))
    assert poor.splits[0].inputs["model_size"][0] == 1e6
    assert rich.splits[0].inputs["model_size"][0] == 1e7
    assert any(note.startswith("P(best model size)") for note in rich.notes)
    assert sf.allocate(sizes, target=38.0, resamples=20).splits[0].cost is not None


def test_a_target_that_the_least_exceeds_is_said_with_what_it_gives(surface):
    split = sf.allocate(surface, target=1.0, resamples=5).splits[0]
    assert split.value[0] > 5.0
    assert split.inputs["pretrain_tokens"][0] == 0.0


@pytest.mark.parametrize("share", [1e-5, 1e-3, 0.5, 0.999, 1 - 1e-5])
def test_a_budget_is_split_wherever_nearly_all_of_it_goes(surface, share):
    """Steps of one input alone jump over the narrow place where the other one takes the little that is left."""
    cell = surface.joint.cells.sizes.max(axis=0)
    price = {"pretrain_tokens": share / cell[0], "finetune_tokens": (1 - share) / cell[1]}
    split = sf.allocate(surface, 1.0, price=price, resamples=5).splits[0]
    paid = sum(price[name] * ends[0] for name, ends in split.inputs.items())
    assert paid == pytest.approx(1.0, rel=1e-3)
    seen = float(surface.joint.cells.quality[np.prod(surface.joint.cells.sizes, axis=1).argmax()])
    assert split.value[0] > seen - 1.0  # the largest cell itself costs the budget


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({}, "give a budget"),
        ({"budget": 1e7, "target": 30.0}, "give a budget"),
        ({"target": 130.0}, "lies between"),
        ({"target": 99.9}, "no split is expected to reach"),
        ({"target": float("nan")}, "target is nan"),
        ({"budget": 1.0}, "buys nothing"),
        ({"budget": "much"}, "budget"),
        ({"budget": []}, "budget"),
        ({"budget": 1e7, "price": {"pretrain_tokens": 1.0}}, "must name both"),
        ({"budget": 1e7, "price": {"pretrain_tokens": 0.0, "finetune_tokens": 1.0}}, "above 0"),
        ({"budget": 1e7, "price": 3.0}, "price= is 3.0"),
        ({"budget": 1e7, "resamples": 0}, "resamples is 0"),
    ],
)
def test_what_cannot_be_split(surface, asked, why):
    with pytest.raises(DomainError, match=why):
        sf.allocate(surface, **asked)


def test_something_else_than_a_law():
    with pytest.raises(DesignError, match="found a dict"):
        sf.allocate({}, 1e7)
    with pytest.raises(DomainError, match="model sizes lie above 0"):
        sf.allocate({0.0: sf.fit_joint(table(), "bleu")}, 1e7)
