"""An interval holds no value that its parameter cannot take."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalefit as sf

SIZES = np.geomspace(1e5, 3e6, 6)


@settings(max_examples=25, derandomize=True)
@given(seed=st.integers(0, 999), noise=st.sampled_from([0.02, 0.1, 0.3]))
@pytest.mark.parametrize("law", ["log", "power"])
def test_a_scale_is_never_below_zero(law, seed, noise):
    rng = np.random.default_rng(seed)
    curve = 3 * np.log(SIZES / 1e4) if law == "log" else 1.5 + 30 * SIZES**-0.3
    values = curve * np.exp(noise * rng.standard_normal(6))
    metric = "bleu" if law == "log" else "cross_entropy"
    fit = sf.fit({"pretrain_tokens": SIZES, metric: values}, metric, law)
    for name, interval in fit.intervals().items():
        assert interval.low >= 0 or interval.low == -np.inf, name
        assert interval.low <= interval.estimate + 1e-9
