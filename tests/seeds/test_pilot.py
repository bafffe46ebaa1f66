"""Plans from a pilot keep their promise on average over pilots."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.seeds.anova import nested
from scalefit.seeds.needed import Pilot, _question
from scalefit.seeds.power import Spread, welch_power

TRUTH = Spread(0.72, 0.28)
SD = TRUTH.effective(2) ** 0.5
POWER = np.array([0.0, 0.0] + [welch_power(1.0 / SD, p) for p in range(2, 100)])


def delivered(pretrain, finetune, draws=800):
    """Average power of plans at the estimate, and at what the estimate is stretched to."""
    rng = np.random.default_rng(pretrain)
    asked = _question(1.0, None, None, None, 2.0)
    pilot = replace(asked, pilot=Pilot(finetune, pretrain - 1, pretrain * (finetune - 1)))
    got = []
    for _ in range(draws):
        y = np.sqrt(0.72) * rng.standard_normal((pretrain, 1))
        squares = nested(y + np.sqrt(0.28) * rng.standard_normal((pretrain, finetune)))
        parts = (float(squares.estimate(f"{w} seed")) for w in ("pretraining", "finetuning"))
        spread = Spread(*(max(part, 0.0) for part in parts))
        stretched = [q.stretch(spread, 2, 0.8, 0.95) for q in (asked, pilot)]
        needed = [2 * spread.effective(2) * k * (1.96 + 0.8416) ** 2 + 1 for k in stretched]
        got.append([POWER[min(max(int(np.ceil(n)), 2), 99)] for n in needed])
    return np.mean(got, axis=0)


@pytest.mark.parametrize(("pretrain", "finetune"), [(3, 2), (5, 3), (10, 3)])
def test_the_promise_holds_on_average_over_pilots(pretrain, finetune):
    plain, stretched = delivered(pretrain, finetune)
    assert plain < 0.78
    assert 0.77 <= stretched <= 0.88


def test_a_plan_from_a_pilot_asks_for_more_than_known_variances_do():
    rng = np.random.default_rng(0)
    y = 30 + rng.normal(size=(4, 1)) + rng.normal(0, 0.5, size=(4, 2))
    rows = [(1e6, p, f, y[p, f]) for p in range(4) for f in range(2)]
    frame = pd.DataFrame(
        rows, columns=["pretrain_tokens", "pretrain_seed", "finetune_seed", "bleu"]
    )
    part = sf.variance(frame, metric="bleu").only
    known = Spread(part["pretraining seed"].truncated, part["finetuning seed"].truncated)
    pilot, sure = (sf.seeds_needed(s, difference=2.0) for s in (part, known))
    assert pilot.pretrain > sure.pretrain
    assert any(f"{sure.pretrain} × {sure.finetune} would do" in note for note in pilot.notes)


def test_an_interval_holds_its_estimate():
    rows = {
        "pretrain_tokens": [1e6] * 5,
        "pretrain_seed": [1, 1, 2, 2, 2],
        "finetune_seed": [1, 2, 1, 2, 3],
        "bleu": [20.0, 22.0, 20.5, 21.5, 21.0],
    }
    for component in sf.variance(rows, metric="bleu").only.components:
        assert component.low <= component.variance <= component.high


def test_a_failed_run_is_noted():
    rng = np.random.default_rng(1)
    y = 30 + rng.normal(size=(8, 4))
    y[3, 2] -= 20
    rows = [(1e6, p, f, y[p, f]) for p in range(8) for f in range(4)]
    frame = pd.DataFrame(
        rows, columns=["pretrain_tokens", "pretrain_seed", "finetune_seed", "bleu"]
    )
    notes = sf.variance(frame, metric="bleu").only.notes
    assert any("1 run lies more than 5 MAD off" in note for note in notes)


def test_unequal_noise_is_noted_and_equal_noise_is_not():
    rng = np.random.default_rng(2)
    for grow, expected in ((1.0, False), (30.0, True)):
        sd = np.geomspace(1, grow, 4)
        rows = [
            (10.0**k, p, f, 30 + 0.3 * sd[k] * value)
            for k in range(4)
            for p, value in enumerate(rng.normal(size=6))
            for f in range(1)
        ]
        columns = ["pretrain_tokens", "pretrain_seed", "finetune_seed", "bleu"]
        notes = sf.variance(pd.DataFrame(rows, columns=columns), metric="bleu").only.notes
        assert any("differ in seed noise" in note for note in notes) == expected
