"""Small curves that the tests of fitting share."""

import numpy as np
import pytest

SIZES = np.geomspace(1e6, 1e9, 8)
# Scatter of standard deviation 1 and mean 0, drawn once.
SCATTER = np.array([0.13, -0.13, 0.64, 0.1, -0.54, 0.36, 1.3, -1.86])


@pytest.fixture
def sizes():
    return SIZES.copy()


@pytest.fixture
def losses():
    """Eight losses on E 1.7, A 400, α 0.3 with scatter 0.002."""
    return 1.7 + 400 * SIZES**-0.3 + 0.002 * SCATTER


@pytest.fixture
def scatter():
    return SCATTER.copy()


@pytest.fixture
def curve():
    """Turn sizes and values into what a user holds."""

    def make(values, x=SIZES, metric="cross_entropy", **more):
        return {"pretrain_tokens": np.asarray(x), metric: np.asarray(values), **more}

    return make
