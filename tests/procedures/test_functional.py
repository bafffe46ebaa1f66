"""Any function of the runs compared; which procedure is the more robust."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DesignError
from scalefit.procedures.tails import extreme, functional_of


def runs(a, b, **more):
    a, b = np.asarray(a), np.asarray(b)
    return {
        "corpus": ["web"] * a.size + ["books"] * b.size,
        "pretrain_tokens": [1e6] * (a.size + b.size),
        "pretrain_seed": [*range(a.size), *range(100, 100 + b.size)],
        "bleu": [*a, *b],
        **more,
    }


def compared(a, b, functional):
    return sf.compare_procedures(
        runs(a, b), a="web", b="books", metric="bleu", functional=functional
    ).only


def normal(seed, n=8, sd=1.0, middle=20.0):
    return middle + sd * np.random.default_rng(seed).standard_normal(n)


def test_the_mean_as_a_function_is_the_comparison_of_means():
    a, b = normal(0), normal(1, middle=21)
    plain, function = compared(a, b, None), compared(a, b, np.mean)
    assert function.difference == pytest.approx(plain.difference)
    assert function.p == pytest.approx(plain.p)


def test_the_expected_worst_of_k_is_the_mean_over_all_choices():
    from itertools import combinations

    x = normal(2, n=6)
    every = [min(c) for c in combinations(x, 3)]
    assert extreme(x, 3, low=True) == pytest.approx(np.mean(every))
    assert extreme(x, 3, low=False) == pytest.approx(np.mean([max(c) for c in combinations(x, 3)]))


def test_the_worst_of_three_of_a_loss_is_its_largest():
    x = normal(3, n=6)
    assert functional_of("worst of 3", "-").of(x) == pytest.approx(extreme(x, 3, low=False))


def test_a_chance_is_a_share_of_runs():
    found = compared([18.0, 21, 22, 23], [17.0, 18, 19, 21], "above 20")
    assert found.difference == pytest.approx(0.25 - 0.75)
    assert found.metric == "P(above 20) of bleu"
    assert found.superiority is None


@pytest.mark.slow
@pytest.mark.parametrize("functional", ["spread", "worst of 3", "above 20"])
def test_a_true_null_is_rejected_about_as_often_as_told(functional):
    """Seven seeds a side, 150 comparisons: within what 5 % allows (3 standard errors above)."""
    sides = [(normal(2 * s, 7), normal(2 * s + 1, 7)) for s in range(150)]
    p = [compared(a, b, functional).p for a, b in sides]
    assert np.mean(np.array(p) < 0.05) < 0.105


def test_a_wider_procedure_is_found_less_robust():
    found = sf.robustness(
        runs(normal(4, 10, 0.5), normal(5, 10, 4.0)),
        a="web",
        b="books",
        metric="bleu",
        failed_beyond=17.0,
    )
    spread = found["spread"]
    assert spread.better == "web"
    assert spread.p_adjusted < 0.05
    assert {c.group["aspect"] for c in found} == {"spread", "worst", "failed"}
    assert found["worst"].difference < 0


def test_domains_are_answered_apart():
    data = runs(normal(6), normal(7))
    both = {k: [*v, *v] for k, v in data.items()} | {"domain": ["in"] * 16 + ["out"] * 16}
    both["bleu"] = [*data["bleu"], *normal(8), *normal(9, sd=6.0)]
    found = sf.robustness(both, a="web", b="books", metric="bleu")
    assert found["spread", "out"].better == "web"
    assert found["spread", "in"].better is None


def test_what_cannot_be_compared_is_said():
    with pytest.raises(DesignError, match="needed 'mean', 'spread', 'worst of 3'"):
        compared(normal(0), normal(1), "median of 3")
    with pytest.raises(DesignError, match=r"2 pretraining seeds; ln sd needs 3 at least"):
        compared(normal(0, 2), normal(1, 2), "spread")
    with pytest.raises(DesignError, match="functional= compares runs; needed a table"):
        sf.compare_procedures(
            a={1: [1, 0], 2: [1, 1]}, b={1: [1, 0], 2: [1, 1]}, functional="spread"
        )
