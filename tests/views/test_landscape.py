"""Pictures of the landscape show the numbers they were given."""

import numpy as np
import pytest

from scalefit import landscape
from scalefit.landscape import batched
from scalefit.views import plot_basins, plot_distances, plot_foresight, plot_paths, plot_plane


@batched
def double_well(weights):
    w = weights["w"]
    return (w[:, 0] ** 2 - 1) ** 2 + 0.1 * (w[:, 1:] ** 2).sum(axis=1)


@pytest.fixture(scope="module")
def models():
    rng = np.random.default_rng(7)
    points = 0.05 * rng.standard_normal((10, 4))
    points[:, 0] += np.where(np.arange(10) % 2, -1.0, 1.0)
    return [{"w": point} for point in points]


@pytest.fixture(scope="module")
def found(models):
    return landscape.distances(models, double_well)


SCORES = np.where(np.arange(10) % 2, 0.1, 0.9) + 0.01 * np.arange(10)


def test_every_path_is_drawn(found):
    axes = plot_paths(found).axes[0]
    assert len(axes.lines) == 45
    np.testing.assert_allclose(axes.lines[0].get_ydata(), found.curves[0, :, 0])
    assert axes.get_ylabel() == "loss"


def test_paths_can_be_coloured_by_scores(found):
    drawn = plot_paths(found, SCORES, label="BLEU")
    assert len(drawn.axes[0].lines) == 45
    assert drawn.axes[1].get_ylabel() == "difference in BLEU"


def test_the_matrix_is_sorted_by_score(found):
    shown = plot_distances(found, SCORES).axes[0].images[0].get_array()
    order = np.argsort(SCORES)
    np.testing.assert_allclose(shown, found.matrix()[np.ix_(order, order)])


def test_basins_are_markers_and_scores_colours(found):
    basins = landscape.clusters(found)
    axes = plot_basins(basins, SCORES).axes[0]
    assert [len(points.get_offsets()) for points in axes.collections] == [5, 5]
    assert axes.get_title(loc="left").startswith("2 basins")


def test_the_plane_marks_its_models(models):
    plane = landscape.plane(models[:3], double_well, size=9)
    axes = plot_plane(plane).axes[0]
    assert [text.get_text() for text in axes.texts] == list(plane.names)


def test_foresight_draws_scores_and_every_predictor(found):
    result = landscape.predict(found, SCORES)
    left, right = plot_foresight(result).axes
    np.testing.assert_allclose(left.collections[0].get_offsets()[:, 1], SCORES)
    assert [bar.get_width() for bar in right.patches] == [p.r for p in result.predictors[::-1]]
