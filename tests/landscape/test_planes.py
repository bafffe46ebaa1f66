"""Planes and ends of paths, on losses whose shape is known."""

import numpy as np
import pytest

from scalefit.errors import LandscapeError
from scalefit.landscape import batched, plane, sharpness

from .samples import double_well


@batched
def bowl(weights):
    return (weights["w"] ** 2 * np.array([1.0, 4.0, 9.0])).sum(axis=1)


CORNERS = [{"w": np.array(w)} for w in ([0.0, 0, 0], [2.0, 0, 0], [1.0, 3.0, 0])]


def test_coordinates_are_euclidean():
    found = plane(CORNERS, bowl, size=5)
    np.testing.assert_allclose(found.corners, [[0, 0], [2, 0], [1, 3]])


def test_the_surface_is_the_loss_in_those_coordinates():
    found = plane(CORNERS, bowl, size=7)
    x, y = np.meshgrid(found.x, found.y)
    np.testing.assert_allclose(found.surface(), x**2 + 4 * y**2, atol=1e-9)


def test_a_picture_reaches_as_far_beyond_the_models_as_asked():
    for margin in (0.0, 0.5):
        found = plane(CORNERS, bowl, size=3, margin=margin)
        np.testing.assert_allclose(found.x[[0, -1]], [-2 * margin, 2 + 2 * margin])
        np.testing.assert_allclose(found.y[[0, -1]], [-3 * margin, 3 + 3 * margin])


@pytest.mark.parametrize("third", [[4.0, 0, 0], [2.0, 0, 0], [0.0, 0, 0]])
def test_three_models_on_a_line(third):
    with pytest.raises(LandscapeError, match="lie on one line"):
        plane([*CORNERS[:2], {"w": np.array(third)}], bowl)


def test_a_plane_needs_three():
    with pytest.raises(LandscapeError, match="found 2 checkpoints, needed at least 3"):
        plane(CORNERS[:2], bowl)
    with pytest.raises(LandscapeError, match="goes through 3 models; found 4"):
        plane([*CORNERS, {"w": np.ones(3)}], bowl)


def test_curvature_of_a_bowl_is_its_second_derivative():
    found = sharpness(
        [CORNERS[0], CORNERS[1], {"w": np.array([0.0, 1.0, 0.0])}], bowl, pairs=[(0, 1), (0, 2)]
    )
    np.testing.assert_allclose(found.curvature, [[2, 2], [8, 8]])
    np.testing.assert_allclose(found.of_models, [5, 2, 8])


def test_curvature_at_the_bottom_of_a_well():
    models = [{"w": np.array([side, 0.0])} for side in (-1.0, 1.0)]
    found = sharpness(models, double_well, step=0.001)
    np.testing.assert_allclose(found.curvature, 8, rtol=1e-4)


def test_what_has_no_ends():
    with pytest.raises(LandscapeError, match="hold the same weights"):
        sharpness([CORNERS[0], CORNERS[0]], bowl)
    with pytest.raises(LandscapeError, match="step must be"):
        sharpness(CORNERS, bowl, step=0.9)
