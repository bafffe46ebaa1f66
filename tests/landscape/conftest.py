"""Small models for the landscape: a double well whose basins are known, and real files of weights."""

import numpy as np
import pytest

from scalefit.landscape import batched


@batched
def double_well(weights):
    """Two basins at first coordinate ±1; the other coordinates are a bowl."""
    w = weights["w"]
    return (w[:, 0] ** 2 - 1) ** 2 + 0.1 * (w[:, 1:] ** 2).sum(axis=1)


def wells(rng, count, size=6):
    """Draw models in both wells, and the well of each."""
    side = np.where(np.arange(count) % 2 == 0, 1.0, -1.0)
    points = 0.05 * rng.standard_normal((count, size))
    points[:, 0] += side
    return [{"w": point} for point in points], side


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def small(rng):
    """A state dict with a weight, a bias and an integer buffer."""
    return {
        "layer.weight": rng.standard_normal((4, 3)).astype(np.float32),
        "layer.bias": rng.standard_normal(4).astype(np.float32),
        "steps": np.array(5, dtype=np.int64),
    }
