"""Pictures on a dark ground: every colour of the house is turned, each can be read, and the palette is told apart."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

import scalefit as sf
from scalefit.errors import DomainError
from scalefit.views import style
from scalefit.views.style import BRIGHT, DARK, GROUND, PALE, contrast_ratio

TABLE = {"pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6], "bleu": [5.0, 9.1, 12.9, 17.0, 21.1]}
# Machado, Oliveira and Fernandes (2009), severity 1: what a reader without red, green or blue cones sees.
SEEN = {
    "all": np.eye(3),
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


@pytest.fixture(scope="module")
def fit():
    return sf.fit(TABLE, "bleu", "log")


def nearest(palette, eyes):
    """Return the least distance of two colours as these eyes see them."""
    seen = [np.asarray(SEEN[eyes]) @ np.power(to_rgb(colour), 2.2) for colour in palette]
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))


def colours_of(picture):
    for artist in picture.findobj():
        for name in ("color", "facecolor", "edgecolor", "markerfacecolor"):
            colour = getattr(artist, f"get_{name}", lambda: "none")()
            if not isinstance(colour, str) and getattr(colour, "ndim", 1) == 2:
                yield from map(to_hex, colour)
            elif not (isinstance(colour, str) and colour == "none"):
                yield to_hex(colour)


@pytest.mark.parametrize("kind", ["curve", "residuals", "influence", "contour"])
def test_no_colour_of_the_light_house_is_left(fit, kind):
    picture = fit.plot(kind=kind, theme="dark")
    picture.draw_without_rendering()
    axes = picture.axes[0]
    ticks = {label.get_color() for label in axes.get_xticklabels()}
    assert {to_hex(colour) for colour in ticks} == {PALE}
    assert to_hex(picture.get_facecolor()) == to_hex(axes.get_facecolor()) == GROUND
    assert set(colours_of(picture)) & {style.PAPER, *DARK} - {*BRIGHT} == set()


def test_what_is_written_and_drawn_stands_out():
    assert contrast_ratio(PALE, GROUND) > 7
    assert contrast_ratio(DARK[style.QUIET], GROUND) > 4.5
    assert min(contrast_ratio(colour, GROUND) for colour in BRIGHT) > 3


@pytest.mark.parametrize("eyes", SEEN)
def test_colours_are_told_apart_as_well_as_the_light_ones(eyes):
    assert nearest(BRIGHT, eyes) >= nearest(style.COLOURS, eyes)


def test_axes_of_a_dark_figure_make_a_dark_picture_and_neighbours_stay(fit):
    with plt.style.context("dark_background"):
        figure, (left, right) = plt.subplots(1, 2)
        mine = left.plot([1, 2], [1, 2], color="#ff00ff")[0]
        assert fit.plot(ax=right) is right
        alone = fit.plot()
    assert mine.get_color() == "#ff00ff"
    assert to_hex(right.get_xticklabels()[0].get_color()) == PALE
    assert to_hex(alone.get_facecolor()) == "#000000"
    (curve,) = [line for line in right.lines if line.get_gid() == "curve"]
    assert to_hex(curve.get_color()) == BRIGHT[0]
    assert {to_hex(t.get_color()) for t in right.get_legend().get_texts()} <= {PALE, "#ffffff"}
    plt.close(figure)


def test_a_value_s_map_ends_in_the_ground_where_nothing_is_gained():
    value = sf.value(
        sf.datasets.transfer_lab(), where={"task": "en-fr", "domain": "in", "corpus": "fr"}
    ).only
    image = value.plot(theme="dark").axes[0].images[0]
    np.testing.assert_allclose(image.cmap(0.5)[:3], to_rgb(GROUND), atol=0.02)


def test_a_theme_is_dark_or_none_and_of_a_picture_of_its_own(fit):
    with pytest.raises(DomainError, match="needed 'dark', or nothing"):
        fit.plot(theme="pink")
    figure, axes = plt.subplots()
    with pytest.raises(DomainError, match="make that dark"):
        fit.plot(theme="dark", ax=axes)
    plt.close(figure)


def test_the_lines_of_a_contour_are_turned():
    sizes = [(n, d) for n in (1e7, 1e8, 1e9) for d in (1e9, 1e10, 1e11)]
    loss = [1.7 + 400 * n**-0.34 + 1200 * d**-0.33 for n, d in sizes]
    data = {"N": [n for n, _ in sizes], "D": [d for _, d in sizes], "loss": loss}
    inputs = {"N": "N", "D": "D"}
    axes = sf.fit(data, "loss", "chinchilla", inputs=inputs).plot(theme="dark").axes[0]
    (lines,) = axes.collections
    drawn = {to_hex(colour) for colour in lines.cmap(range(lines.cmap.N))}
    assert drawn == {BRIGHT[0]}
