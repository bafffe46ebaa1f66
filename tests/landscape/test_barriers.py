"""Barrier measures against values worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalefit.errors import LandscapeError
from scalefit.landscape import barrier
from scalefit.landscape.path import MEASURES

losses = st.lists(st.floats(0, 10), min_size=3, max_size=11)


def test_height_is_above_the_chord_as_entezari_2022_equation_1_has_it():
    found = barrier([1.0, 3.0, 2.0])
    assert found.height == pytest.approx(1.5)
    assert found.where == 0.5
    assert found.instability == pytest.approx(1.5)


def test_instability_is_above_the_mean_of_the_ends_as_frankle_2020_has_it():
    found = barrier([0.0, 1.0, 4.0])
    assert found.height == 0.0
    assert found.instability == pytest.approx(2.0)


def test_gap_sees_a_bump_below_the_chord_as_juneja_2023_has_it():
    curve = [2.0, 0.0, 0.5, 0.0, 2.0]
    found = barrier(curve)
    assert found.height == 0.0
    assert found.gap == pytest.approx(0.5)


def test_gap_is_the_largest_of_all_sub_segments_by_brute_force(rng):
    curve, at = rng.random(9), np.linspace(0, 1, 9)
    worst = 0.0
    for i in range(9):
        for j in range(i + 1, 9):
            for k in range(i + 1, j):
                share = (at[k] - at[i]) / (at[j] - at[i])
                worst = max(worst, curve[k] - (1 - share) * curve[i] - share * curve[j])
    assert barrier(curve).gap == pytest.approx(worst)


def test_area_of_a_triangle():
    assert barrier([0.0, 1.0, 0.0]).area == pytest.approx(0.5)


def test_area_counts_no_dips():
    assert barrier([1.0, 0.0, 1.0]).area == 0.0


def test_uneven_positions():
    assert barrier([0.0, 1.0, 0.0], at=[0.0, 0.2, 1.0]).where == 0.2


def test_midpoint_between_points_is_interpolated():
    even = MEASURES["midpoint"](np.array([0.0, 1.0, 3.0, 0.0]), np.linspace(0, 1, 4))
    assert even == pytest.approx(2.0)


@given(losses)
def test_gap_is_at_least_the_height_and_neither_negative(curve):
    found = barrier(curve)
    assert 0 <= found.height <= found.gap + 1e-12
    assert found.area >= 0


@given(st.lists(st.floats(0, 5), min_size=2, max_size=10), st.floats(-5, 5))
def test_gap_is_zero_where_slopes_never_fall(rises, start):
    slopes = np.cumsum([start, *rises])
    curve = np.concatenate([[0.0], np.cumsum(slopes)])
    assert barrier(curve).gap == pytest.approx(0.0, abs=1e-9)


@given(losses, st.floats(-3, 3), st.floats(-3, 3))
def test_a_straight_line_added_to_the_loss_changes_no_barrier(curve, level, slope):
    tilted = np.asarray(curve) + level + slope * np.linspace(0, 1, len(curve))
    assert barrier(tilted).height == pytest.approx(barrier(curve).height, abs=1e-9)
    assert barrier(tilted).gap == pytest.approx(barrier(curve).gap, abs=1e-9)


@pytest.mark.parametrize("bad", [[1.0, 2.0], [1.0, np.nan, 1.0], [[1.0, 2.0, 3.0]]])
def test_too_few_or_broken_losses_are_refused(bad):
    with pytest.raises(LandscapeError, match="three or more finite losses"):
        barrier(bad)


def test_positions_must_rise():
    with pytest.raises(LandscapeError, match="rise from 0 to 1"):
        barrier([1.0, 2.0, 1.0], at=[0.0, 0.0, 1.0])
