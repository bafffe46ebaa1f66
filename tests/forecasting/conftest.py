"""Fits that the questions are asked of."""

import numpy as np
import pytest

import scalefit as sf

SIZES = np.geomspace(1e6, 1e9, 8)
SCATTER = np.array([0.13, -0.13, 0.64, 0.1, -0.54, 0.36, 1.3, -1.86])


@pytest.fixture
def loss_fit():
    """E 1.7, A 400, α 0.3 with scatter 0.002."""
    values = 1.7 + 400 * SIZES**-0.3 + 0.002 * SCATTER
    return sf.fit({"pretrain_tokens": SIZES, "cross_entropy": values}, "cross_entropy", "power")


@pytest.fixture
def bleu_fit():
    """D0 1e4, β 1.2, 25 BLEU at 1e8, with scatter 0.1."""
    values = 25 * (np.log(SIZES / 1e4) / np.log(1e4)) ** 1.2 + 0.1 * SCATTER
    return sf.fit({"pretrain_tokens": SIZES, "bleu": values}, "bleu", "log")


@pytest.fixture
def pair_fit():
    """Chinchilla law over 5 × 5 sizes with scatter 0.002."""
    N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5)))
    values = 1.7 + 400 * N**-0.34 + 2000 * D**-0.37 + 0.002 * np.resize(SCATTER, 25)
    return sf.fit(
        {"parameters": N, "pretrain_tokens": D, "cross_entropy": values},
        "cross_entropy",
        "chinchilla",
        inputs={"N": "parameters", "D": "pretrain_tokens"},
    )
