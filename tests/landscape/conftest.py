"""Small state dicts and a seeded generator."""

import numpy as np
import pytest


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
