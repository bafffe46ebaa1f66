"""A perplexity is the exponential of a loss, and forecast as one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalefit as sf

SIZES = np.geomspace(1e9, 3e11, 8)


@pytest.mark.parametrize("name", ["perplexity", "val_ppl", "lambada_ppl", "word_perplexity"])
def test_its_forecast_is_that_of_its_logarithm(name):
    loss = 1.8 + 1.1 * (SIZES / 1e9) ** -0.2 + 0.003 * np.cos(np.arange(8.0))
    told, direct = (
        sf.fit(pd.DataFrame({"pretrain_tokens": SIZES, metric: y}), metric)
        for metric, y in ((name, np.exp(loss)), ("cross_entropy", loss))
    )
    at = [1e12, 3e13]
    said, meant = sf.predict(told, at), sf.predict(direct, at)
    for end in ("estimate", "low", "high"):
        assert getattr(said, end) == pytest.approx(np.exp(getattr(meant, end)), rel=1e-9)
    reach, same = told.reach(np.exp(1.95)), direct.reach(1.95)
    assert reach.probability[-1] == pytest.approx(same.probability[-1], abs=1e-9)


@settings(max_examples=5)
@given(rate=st.floats(0.12, 0.4), floor=st.floats(1.0, 2.5))
def test_an_exact_power_law_of_the_loss_is_met_in_perplexity(rate, floor):
    loss = floor + 1.5 * (np.append(SIZES, 3e12) / 1e9) ** -rate
    table = {"pretrain_tokens": SIZES, "perplexity": np.exp(loss[:-1])}
    band = sf.predict(sf.fit(table, "perplexity"), 3e12)
    assert band.low[0] <= np.exp(loss[-1]) <= band.high[0]
    assert band.estimate[0] == pytest.approx(np.exp(loss[-1]), rel=0.02)
