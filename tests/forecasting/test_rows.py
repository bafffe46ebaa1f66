"""Backtests over several inputs, along any of them."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DesignError

N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5)))
PAIR = {"N": "N", "D": "D"}


@pytest.fixture(scope="module")
def surface():
    rng = np.random.default_rng(0)
    loss = 1.7 + 400 * N**-0.34 + 1200 * D**-0.33 + 0.003 * rng.standard_normal(N.size)
    return {"N": N, "D": D, "loss": loss}


@pytest.mark.parametrize("along", ["N", "D"])
def test_the_right_law_beats_the_nearest_run_along_each_input(surface, along):
    tested = sf.backtest(
        surface, "loss", ["chinchilla", "kaplan"], inputs=PAIR, along=along, hold_out=2
    )
    assert tested.forecasters == ("chinchilla", "kaplan", "nearest run")
    assert tested.error("chinchilla") < tested.error("kaplan") < tested.error("nearest run")
    assert {h.origin for h in tested.held} == {float(np.unique(surface[along])[2])}
    assert len([h for h in tested.held if h.forecaster == "chinchilla"]) == 10
    assert "best baseline nearest run" in tested.verdict


def test_without_a_number_one_to_five_values_are_held_out_in_turn(surface):
    tested = sf.backtest(surface, "loss", ["chinchilla"], inputs=PAIR)
    assert len({h.origin for h in tested.held}) == 3


def test_laws_of_other_inputs_and_other_columns_are_refused(surface):
    with pytest.raises(
        DesignError, match=r"law 'multiplicative' takes X, F, but the rows have N, D"
    ):
        sf.backtest(surface, "loss", ["chinchilla", "multiplicative"], inputs=PAIR)
    with pytest.raises(DesignError, match=r"along='steps' is none of N, D"):
        sf.backtest(surface, "loss", ["chinchilla"], inputs=PAIR, along="steps")
    with pytest.raises(DesignError, match="its laws by name"):
        sf.backtest(surface, "loss", inputs=PAIR)
