"""Basins: found where they are, not found where they are not."""

import numpy as np
import pytest

from scalefit.errors import LandscapeError
from scalefit.landscape import clusters, distances
from scalefit.landscape.basin_count import (
    adjusted_rand,
    bent,
    clustering,
    scaled,
    silhouette,
    spectrum,
)

from .samples import apart, double_well, wells


def test_two_wells_are_two_basins(rng):
    models, side = wells(rng, 16)
    found = clusters(distances(models, double_well))
    assert found.number == 2
    assert found.sizes == [8, 8]
    assert len({(s, int(c)) for s, c in zip(side, found.labels, strict=True)}) == 2
    assert found.p_one <= 0.02
    assert found.stability == pytest.approx(1.0)
    assert found.shares[2] == pytest.approx(1.0)
    assert (np.sign(found.contrast) == np.where(found.labels == 0, 1, -1)).all()
    assert str(found).startswith("2 basins of 8 + 8 models")


def test_three_clouds(rng):
    centres = np.array([[0, 0], [4, 0], [0, 4]])
    points = np.repeat(centres, [10, 8, 6], axis=0) + 0.2 * rng.standard_normal((24, 2))
    found = clusters(apart(points))
    assert found.sizes == [10, 8, 6]


@pytest.mark.slow
def test_one_cloud_is_one_basin_at_the_nominal_rate():
    rng = np.random.default_rng(0)
    numbers = [
        clusters(apart(rng.standard_normal((20, 3))), most=3, resamples=19).number
        for _ in range(20)
    ]
    assert sum(number > 1 for number in numbers) <= 3


@pytest.mark.slow
def test_noise_in_distances_is_no_basin(rng):
    """Barriers are no metric; pure noise in them clusters more than Euclidean points can."""
    numbers = []
    for _ in range(12):
        upper = np.triu(np.exp(rng.standard_normal((16, 16))), 1)
        numbers.append(clusters(upper + upper.T, resamples=19).number)
    assert sum(number > 1 for number in numbers) <= 3


def test_an_outlier_is_named_and_is_no_basin(rng):
    found = clusters(apart(np.vstack([rng.standard_normal((15, 3)), [[9.0, 0.0, 0.0]]])))
    assert found.number == 1
    assert found.lone == ("model 16",)
    assert found.to_dict()["lone"] == ["model 16"]
    assert str(found).endswith("; apart from all: model 16")


def test_a_model_alone_goes_to_the_nearest_basin(rng):
    points = np.repeat([[0.0, 0.0], [6.0, 0.0]], [9, 8], axis=0)
    square = apart(np.vstack([points, [[9.0, 4.0]]]) + 0.2 * rng.standard_normal((18, 2)))
    found = clustering(square, spectrum(square)[1], 3, rng)
    assert found.number == 2
    assert found.lone.tolist() == [False] * 17 + [True]
    assert found.labels[-1] == found.labels[9] != found.labels[0]


@pytest.mark.slow
def test_heavy_tails_are_not_two_basins(rng):
    numbers = [clusters(apart(rng.standard_t(3, (24, 5))), resamples=19).number for _ in range(12)]
    assert sum(number > 1 for number in numbers) <= 4


def test_how_far_from_euclidean(rng):
    square = apart(rng.standard_normal((9, 2)))
    assert bent(square) < 1e-12
    assert bent(square**2) > 0.05
    assert bent(np.zeros((4, 4))) == 0.0


def test_one_basin_says_so(rng):
    text = str(clusters(apart(rng.standard_normal((12, 4)))))
    assert text.startswith("one basin: 12 models")


def test_a_number_can_be_asked_for(rng):
    assert clusters(apart(rng.standard_normal((12, 4))), number=3).number == 3


def test_equal_distances_break_nothing():
    assert clusters(1 - np.eye(8)).number == 1
    assert clusters(np.zeros((8, 8))).number == 1


@pytest.mark.parametrize(
    ("square", "message"),
    [
        (np.zeros((3, 3)), "found 3 models, needed at least 6"),
        (np.zeros((3, 2)), "must be a square matrix"),
        (np.triu(np.ones((7, 7))), "must be symmetric"),
        (np.where(np.eye(8), 0, np.nan), r"distances\.within\(group\)"),
    ],
)
def test_what_cannot_be_clustered(square, message):
    with pytest.raises(LandscapeError, match=message):
        clusters(square)


def test_silhouette_and_rand_against_scikit_learn(rng):
    metrics = pytest.importorskip("sklearn.metrics")
    square = apart(rng.standard_normal((15, 2)))
    first, second = rng.integers(3, size=15), rng.integers(4, size=15)
    first[:3], second[:4] = range(3), range(4)
    expected = metrics.silhouette_score(square, first, metric="precomputed")
    assert silhouette(square, first) == pytest.approx(expected)
    assert adjusted_rand(first, second) == pytest.approx(metrics.adjusted_rand_score(first, second))


def test_scaling_restores_distances(rng):
    square = apart(rng.standard_normal((9, 2)))
    np.testing.assert_allclose(apart(scaled(square, 2)), square, atol=1e-8)
