"""Designs on which tests part from their level: refused, noted, or clustered."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DesignError


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


def test_few_against_many_is_noted():
    rng = np.random.default_rng(0)
    few = sf.compare_procedures(
        table(rng.normal(20, 3, 2), rng.normal(20, 1, 10)), a="x", b="y", metric="bleu"
    )
    same = sf.compare_procedures(
        table(rng.normal(20, 1, 5), rng.normal(20, 1, 5)), a="x", b="y", metric="bleu"
    )
    assert "2 seeds against 10" in str(few)
    assert "seeds against" not in str(same)


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


def test_clusters_must_fit_the_examples():
    a = np.random.default_rng(3).normal(size=(3, 10))
    with pytest.raises(DesignError, match="one name an example"):
        sf.compare_procedures(a=a, b=a + 1, cluster=["d"] * 9)
    with pytest.raises(DesignError, match="one name an example"):
        sf.compare_procedures(a=a, b=a + 1, cluster=["d"] * 10)
