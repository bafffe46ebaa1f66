"""What runs cost, learned from what they did cost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scalefit as sf
from scalefit.errors import DesignError, DomainError, TableError
from scalefit.planning.plan import recorded

SIZES = np.geomspace(1e8, 1e10, 5)


def runs(cost):
    """Two corpora, whose costs are a function of name and tokens."""
    names, sizes = np.repeat(["web", "code"], SIZES.size), np.tile(SIZES, 2)
    slope = np.where(names == "web", 2.6, 2.4)
    return {
        "corpus": names,
        "pretrain_tokens": sizes,
        "bleu": 14 + slope * np.log(sizes / 1e8),
        "gpu_hours": [cost(n, x) for n, x in zip(names, sizes, strict=True)],
    }


@given(st.floats(0.5, 1.5), st.floats(1e-9, 1e-6), st.floats(1.0, 5.0))
def test_a_power_of_tokens_with_a_rate_a_corpus_is_recovered(power, rate, dearer):
    table = sf.as_table(runs(lambda n, x: rate * (dearer if n == "code" else 1.0) * x**power))
    price = recorded(table, "gpu_hours", "corpus")
    assert price.power == pytest.approx(power, abs=1e-6)
    assert price("code", 1e11) == pytest.approx(dearer * rate * 1e11**power, rel=1e-6)
    assert price("new", 1e11) == pytest.approx(np.sqrt(dearer) * rate * 1e11**power, rel=1e-6)


def test_a_ranking_and_a_plan_take_the_column_for_their_cost():
    table = runs(lambda n, x: (9.0 if n == "web" else 1.0) * x / 1e8)
    by_tokens = sf.rank(table, target=30).only
    by_hours = sf.rank(table, target=30, cost="gpu_hours").only
    assert (by_tokens.best.corpus, by_hours.best.corpus) == ("web", "code")
    assert any(note.startswith("cost: gpu_hours of 10 rows") for note in by_hours.notes)
    step = sf.plan(table, goal="tokens", target=30, cost="gpu_hours").steps[0]
    rate = 9.0 if step.group["corpus"] == "web" else 1.0
    assert step.cost == pytest.approx(rate * step.size / 1e8 * step.times, rel=1e-6)


def test_costs_that_are_not_there():
    with pytest.raises(TableError, match="no column 'watts'"):
        sf.rank(runs(lambda n, x: x), target=30, cost="watts")
    with pytest.raises(DesignError, match="0 costs above 0"):
        sf.rank(runs(lambda n, x: 0.0), target=30, cost="gpu_hours")


def test_a_plan_pays_each_corpus_its_own_price_as_a_ranking_does():
    bleu = [5.2, 9.1, 12.9, 17.3, 20.1, 7.1, 10.1, 13.2, 16.1, 19.5]
    sizes, names = [1e6, 4e6, 16e6, 64e6, 256e6] * 2, ["fr"] * 5 + ["en"] * 5
    table = {"corpus": names, "pretrain_tokens": sizes, "bleu": bleu}
    one, own = (sf.plan(table, at="1B", cost=cost) for cost in (2.0, {"fr": 2, "en": 2}))
    assert one.rows() == own.rows()
    dear = sf.plan(table, at="1B", cost={"fr": 10, "en": 2})
    assert max(step.cost for step in dear.steps) > max(step.cost for step in own.steps)
    for wrong in ({"fr": 1}, {"fr": 1, "en": 1, "de": 1}, {"fr": 0, "en": 1}):
        with pytest.raises(DomainError, match="cost"):
            sf.plan(table, at="1B", cost=wrong)
