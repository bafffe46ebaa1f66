"""The exact distribution against the published table and closed forms."""

import numpy as np
import pytest
from scipy import stats

from scalefit.alignment import hayter

# Hayter (1990), table 1: upper 5 % points for k = 3 .. 9 groups.
TABLE = {
    5: [3.872, 4.520, 5.000, 5.380, 5.696, 5.961, 6.197],
    10: [3.353, 3.833, 4.180, 4.452, 4.676, 4.864, 5.029],
    15: [3.206, 3.639, 3.949, 4.190, 4.387, 4.553, 4.698],
    20: [3.137, 3.548, 3.840, 4.067, 4.252, 4.406, 4.542],
    25: [3.096, 3.495, 3.777, 3.995, 4.173, 4.321, 4.451],
    30: [3.070, 3.460, 3.736, 3.948, 4.121, 4.265, 4.391],
    40: [3.037, 3.418, 3.685, 3.891, 4.057, 4.197, 4.318],
    60: [3.005, 3.376, 3.636, 3.835, 3.996, 4.130, 4.246],
    120: [2.974, 3.335, 3.587, 3.780, 3.935, 4.064, 4.176],
    np.inf: [2.943, 3.295, 3.539, 3.725, 3.875, 4.000, 4.107],
}


@pytest.mark.parametrize("nu", TABLE)
def test_critical_values_of_hayter_1990_table_1(nu):
    found = [hayter.critical(k, nu) for k in range(3, 10)]
    np.testing.assert_allclose(found, TABLE[nu], atol=0.0036)


@pytest.mark.parametrize("nu", [1, 3, 12, 40])
def test_two_groups_are_a_t_test(nu):
    want = np.sqrt(2) * stats.t.ppf(0.95, nu)
    assert hayter.critical(2, nu) == pytest.approx(want, rel=1e-4)


def test_tail_and_critical_value_are_inverse():
    assert hayter.sf(hayter.critical(6, 12, 0.01), 6, 12) == pytest.approx(0.01, abs=1e-5)


def test_interpolated_tail_is_close_to_the_exact_one():
    heights = np.linspace(0.5, 9, 40)
    exact = [hayter.sf(h, 6, 10) for h in heights]
    np.testing.assert_allclose(hayter.sf_many(heights, 6, 10), exact, atol=1e-3)
