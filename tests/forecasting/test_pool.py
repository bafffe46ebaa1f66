"""Which curves learn from each other, and what sharing buys."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import TableError
from scalefit.forecasting.engines import pools_of
from scalefit.forecasting.losses import learn_losses, settle_losses
from scalefit.forecasting.losses.posterior import shared_laws
from scalefit.forecasting.series import series_of

GROUPS = [{"corpus": c, "task": t} for t in ("en-de", "en-fr") for c in ("fr", "code")]


def power_curve(seed, n=9):
    rng = np.random.default_rng(seed)
    x = np.geomspace(1e6, 1e9, n)
    y = rng.uniform(0.5, 2) + rng.uniform(30, 60) * x ** -rng.uniform(0.2, 0.3)
    return series_of(x, y * np.exp(0.005 * rng.normal(size=n)))


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        ("auto", [[0, 1, 2, 3]]),
        ("none", [[0], [1], [2], [3]]),
        ("task", [[0, 1], [2, 3]]),
        (["task", "corpus"], [[0], [1], [2], [3]]),
    ],
)
def test_every_curve_is_in_one_pool(pool, expected):
    assert pools_of(GROUPS, pool) == expected


def test_a_column_that_makes_no_group_is_refused_with_those_that_do():
    with pytest.raises(TableError, match="corpus, task"):
        pools_of(GROUPS, ["seed"])


def test_shares_follow_the_evidence_and_are_held_back_by_a_few_curves_worth():
    sure = np.log(np.tile([0.98, 0.01, 0.01], (100, 1)))
    alike = np.full(3, 1 / 3)
    many, one = shared_laws(sure, alike), shared_laws(sure[:1], alike)
    assert many[0] > 0.95
    assert 1 / 3 < one[0] < 0.6
    assert many.sum() == pytest.approx(1)
    assert shared_laws(sure[:, ::-1], alike) == pytest.approx(many[::-1])
    assert shared_laws(sure[:1, ::-1], np.array([0.6, 0.2, 0.2]))[0] > one[::-1][0]


@pytest.mark.slow
def test_siblings_that_follow_one_law_make_each_surer():
    """All are power laws, and each alone is too short to show it."""
    curves = [power_curve(seed) for seed in range(12)]
    learned = learn_losses(curves)
    assert max(learned.shares) == learned.shares[0]
    pooled, alone = (
        [atoms.forecast(atoms.curve.x[-1:] * 10) for atoms in settle_losses(curves, known)]
        for known in (learned, None)
    )
    widths = [[np.ptp(np.log(p.interval(0.95))) for p in v] for v in (pooled, alone)]
    assert np.median(widths[0]) < np.median(widths[1])
    assert all(p.weights["power"] > a.weights["power"] for p, a in zip(pooled, alone, strict=True))


def test_pools_of_a_table_answer_as_tables_of_their_own():
    x = np.geomspace(1e6, 1e9, 6)
    noise = np.random.default_rng(1)
    table = {
        "pretrain_tokens": np.tile(x, 4),
        "corpus": np.repeat(["fr", "code"], 6).tolist() * 2,
        "task": np.repeat(["en-de", "en-fr"], 12).tolist(),
        "bleu": np.tile(10 + 2 * np.log10(x / 1e6), 4) + noise.normal(size=24),
    }
    pooled = sf.fit_each(table, "bleu", pool="task")
    apart = sf.fit_each(table, "bleu", where={"task": "en-de"})
    together = sf.fit_each(table, "bleu")
    of = [m for m in pooled if m.group["task"] == "en-de"]
    assert [m.siblings for m in of] == [1, 1]
    assert [m.weights for m in of] == [m.weights for m in apart]
    assert together[0].weights != pooled[0].weights


def test_a_forecast_without_a_pool_rests_on_the_curve_alone():
    x = np.geomspace(1e6, 1e9, 6)
    table = {
        "pretrain_tokens": np.tile(x, 2),
        "corpus": ["fr"] * 6 + ["code"] * 6,
        "cross_entropy": np.concatenate([2 + 400 * x**-0.4, 2.5 + 9 * x**-0.2]),
    }
    alone = sf.forecast(table, "cross_entropy", at="1e10", pool="none")
    one = sf.forecast({k: v[:6] for k, v in table.items()}, "cross_entropy", at="1e10")
    assert alone["fr"].rows() == one["fr"].rows()
