"""Quality through the loss: trusted where held-out sizes say so, and closed where the loss misleads."""

from dataclasses import replace

import numpy as np
import pytest

import scalefit as sf
from scalefit.forecasting.engines import engine_for
from scalefit.forecasting.losses import settle_losses
from scalefit.forecasting.series import series_of
from scalefit.forecasting.through import Way, learn_way, pair_of, through_loss

SIZES = np.geomspace(1e6, 1e9, 8)


def pairs(steep=-8.0, noise=0.02, curves=6):
    """Quality bends where the loss bends: only the loss foretells it."""
    rng = np.random.default_rng(0)
    out = []
    for i in range(curves):
        loss = 2 + 30 * (1 + i / 5) * SIZES**-0.28
        quality = 40 + steep * loss + noise * rng.standard_normal(8)
        out.append(pair_of(series_of(SIZES, quality, top=100.0), series_of(SIZES, loss)))
    return out


def test_the_shared_slope_is_found_and_trusted():
    way = learn_way(pairs(), engine_for("bleu"), engine_for("cross_entropy"))
    assert way.slope == pytest.approx(-8.0, rel=0.05)
    assert way.share > 0
    assert way.held == 12


def test_a_way_that_foretells_nothing_is_not_trusted():
    rng = np.random.default_rng(1)
    unlike = [
        pair_of(p.quality, series_of(SIZES, 3 + 0.3 * rng.standard_normal(8))) for p in pairs()
    ]
    assert learn_way(unlike, engine_for("bleu"), engine_for("cross_entropy")).share == 0.0


def test_quality_goes_on_by_what_the_loss_changes():
    pair = pairs(noise=0.0)[0]
    loss = settle_losses([pair.loss])[0].forecast(np.array([4e9]))
    said = through_loss(pair, loss, Way(-8.0, 0.01, 0.5, 4))
    change = loss.median[0] - pair.loss.y[-1]
    assert said.median[0] == pytest.approx(pair.quality.y[-1] - 8.0 * change)
    direct = replace(said, weights={"last value": 1.0})
    both = direct.beside(said, 0.25)
    np.testing.assert_allclose(both.values, said.values)
    assert both.weights == {"last value": 0.75, "through loss": 0.25}


def test_both_ways_are_shown_and_one_is_closed_where_the_loss_misleads():
    table = sf.datasets.transfer_lab().where(task="en-fr", finetune_tokens=128_000, domain="in")
    forecast = sf.forecast(table, at="10M")
    assert "bleu through cross_entropy" in forecast["fr"].ahead
    assert "bleu through cross_entropy" not in forecast["unpaired"].ahead
    assert any("no forecast through cross_entropy" in note for note in forecast["unpaired"].notes)


def test_where_the_loss_is_trusted_a_note_says_how_far_and_what_goes_without_it():
    rows = {"corpus": [], "pretrain_tokens": [], "bleu": [], "cross_entropy": []}
    for i, pair in enumerate(pairs()):
        rows["corpus"] += [f"c{i}"] * len(SIZES)
        rows["pretrain_tokens"] += SIZES.tolist()
        rows["bleu"] += pair.quality.y.tolist()
        rows["cross_entropy"] += pair.loss.y.tolist()
    forecast = sf.forecast(rows, at="10B")
    weights = forecast["c0"].ahead["bleu"].weights
    (note,) = [n for n in forecast.notes if "at the sizes asked for goes by cross_entropy" in n]
    assert f"to {weights['through loss']:.0%}, as " in note
    assert "sf.rank" in note
    unsaid = sf.forecast({k: v for k, v in rows.items() if k != "cross_entropy"}, at="10B")
    assert not any("goes by" in n for n in unsaid.notes)
