"""Means, their errors, and Holm's correction."""

import numpy as np
import pytest
from scipy import stats

from scalefit.estimate import Estimate, holm, paired_t, welch

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=4), RNG.normal(1, 2, size=6)


def test_welch_is_scipys():
    found, want = welch(A, B), stats.ttest_ind(B, A, equal_var=False)
    assert found.p == pytest.approx(want.pvalue)
    np.testing.assert_allclose(found.interval(), want.confidence_interval())


def test_paired_is_scipys():
    assert paired_t(A, B[:4]).p == pytest.approx(stats.ttest_rel(B[:4], A).pvalue)


def test_no_spread_at_all():
    zero = np.asarray(0.0)
    assert Estimate(zero, zero, np.asarray(2.0)).p == 1
    assert Estimate(zero + 1, zero, np.asarray(2.0)).p == 0


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.9, 0.8]), [1, 1])
