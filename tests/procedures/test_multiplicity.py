"""Many tests at once, against libraries that are too slow to load for it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scalefit.estimate import adjust, holm

SOME = st.lists(st.sampled_from([0.0, 0.001, 0.01, 0.02, 0.05, 0.3, 1.0]), min_size=1, max_size=30)


@given(SOME)
def test_benjamini_hochberg_is_scipys(p):
    np.testing.assert_allclose(adjust(p, "bh"), stats.false_discovery_control(p), atol=1e-15)


@settings(max_examples=20)  # statsmodels looks through all memory for garbage at each
@given(SOME)
def test_holm_is_statsmodels(p):
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    np.testing.assert_allclose(holm(p), multitest.multipletests(p, method="holm")[1], atol=1e-15)


def test_none_of_them_is_refused():
    with pytest.raises(ValueError, match="needed 'holm', 'bh' or 'none'"):
        adjust([0.1], "bonferroni")
