"""Identified means: the interval is much smaller than what was allowed, and off the bounds."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.fitting.identified import MUCH

X = np.geomspace(1e6, 1e9, 8)


def fit(values, x=X, law="power", **options):
    return sf.fit({"t": x, "v": values}, "v", law, inputs={sf.LAWS[law].inputs[0]: "t"}, **options)


def test_intervals_that_are_the_whole_box_identify_nothing():
    values = [0.945, 0.953, 0.953, 0.951, 0.953, 0.951, 0.945]
    found = fit(values, 1000.0 * 2 ** np.arange(7))
    assert found.not_identified == {"E", "A", "alpha"}
    assert "not identified: A, E, alpha" in found.verdict


def test_a_floor_at_its_bound_is_not_identified():
    found = fit(400 * X**-0.3 * (1 + 0.01 * np.cos(9 * np.arange(8))) - 0.1)
    assert found.params["E"] == 0
    assert "E" in found.not_identified


def test_as_many_points_as_parameters_identify_nothing():
    found = fit(1.7 + 400 * X[:3] ** -0.3, X[:3])
    assert "all parameters identified" not in found.verdict


@pytest.mark.parametrize("noise", [1e-4, 1e-3, 1e-2, 0.1, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_identified_has_a_short_interval_off_the_bounds(noise, seed):
    rng = np.random.default_rng(seed)
    found = fit(1.7 + 400 * X**-0.3 + noise * rng.normal(size=8))
    one_sided = found.identified.one_sided
    for name, interval in found.intervals().items():
        if name in found.not_identified or name in one_sided:
            continue
        allowed = {"E": found.points.y.min(), "A": np.inf, "alpha": 5.0}[name]
        assert interval.width < MUCH * allowed
        assert 0 < interval.low < interval.high < allowed


def test_more_noise_identifies_no_more():
    shape = np.random.default_rng(1).normal(size=8)
    known = [
        3 - len(fit(1.7 + 400 * X**-0.3 + noise * shape).not_identified)
        for noise in (1e-3, 1e-2, 0.3, 1.0)
    ]
    assert known == sorted(known, reverse=True)
    assert known[0] == 3
    assert known[-1] < 3
