"""The numbers that pictures of a questioned fit draw, and that they stay on the axes they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DomainError

SIZES = np.geomspace(1e6, 1e9, 8)
LOSS = 1.7 + 400 * SIZES**-0.3 + 0.002 * np.array([0.1, -0.1, 0.6, 0.1, -0.5, 0.4, 1.3, -1.9])


@pytest.fixture(scope="module")
def fit():
    return sf.fit({"pretrain_tokens": SIZES, "cross_entropy": LOSS}, "cross_entropy", "power")


@pytest.fixture(scope="module")
def fits():
    corpora = {"fr": LOSS, "en": LOSS + 0.1, "code": np.linspace(3.2, 3.0, 8)}
    table = {
        "pretrain_tokens": np.tile(SIZES, 3),
        "corpus": np.repeat(list(corpora), 8),
        "cross_entropy": np.concatenate(list(corpora.values())),
    }
    return sf.fit_each(table, "cross_entropy", "power")


def drawn(axes, name):
    return [a for a in (*axes.lines, *axes.patches, *axes.collections) if a.get_gid() == name]


def test_residuals_are_drawn_where_they_are_measured(fit):
    axes = fit.plot(kind="residuals").axes[0]
    (points,), (band,) = drawn(axes, "residuals"), drawn(axes, "typical")
    np.testing.assert_array_equal(points.get_xdata(), SIZES)
    np.testing.assert_array_equal(points.get_ydata(), fit.residuals)
    assert band.get_height() == pytest.approx(4 * fit.typical_error)


def test_influence_draws_the_distances_and_names_the_heaviest(fit):
    influence = fit.influence()
    axes = fit.plot(kind="influence").axes[0]
    np.testing.assert_array_equal(drawn(axes, "distance")[0].get_ydata(), influence.distance)
    (said,) = axes.texts
    assert f"measured {influence.value[influence.heaviest]:.4g}" in said.get_text()


def test_a_contour_draws_its_levels_around_the_estimates(fit):
    axes = fit.plot(kind="contour", parameters=("alpha", "E"), points=21).axes[0]
    (best,), (regions,) = drawn(axes, "best"), drawn(axes, "regions")
    assert best.get_xdata()[0] == fit.params["alpha"]
    np.testing.assert_array_equal(regions.levels, [0.5, 0.8, 0.95])
    edge = regions.get_paths()[2].vertices[:, 0]
    assert edge.min() < fit.params["alpha"] < edge.max()


def test_a_forest_draws_each_interval_and_leaves_out_what_all_share(fits):
    axes = fits.plot(kind="forest", parameter="alpha").axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [fit.group["corpus"] for fit in fits]
    sure = [i for i, fit in enumerate(fits) if "alpha" not in fit.not_identified]
    assert len(sure) > 0
    for i in sure:
        interval = fits[i].intervals()["alpha"]
        ends = drawn(axes, "interval")[i].get_xdata()
        np.testing.assert_allclose(ends, [interval.low, interval.high])


@pytest.mark.parametrize("kind", ["curve", "residuals", "influence", "contour"])
def test_axes_in_axes_out(fit, kind):
    figure, axes = plt.subplots(1, 2)
    given = fit.plot(kind=kind, ax=axes[1])
    assert given is axes[1]
    assert figure.axes == list(axes)
    plt.close(figure)


def test_a_forest_takes_axes_too(fits):
    figure, axes = plt.subplots()
    assert fits.plot(kind="forest", parameter="E", ax=axes) is axes
    plt.close(figure)


def test_unknown_kinds_and_parameters_say_what_there_is(fit, fits):
    with pytest.raises(
        DomainError, match="needed one of 'curve', 'slices', 'residuals', 'influence'"
    ):
        fit.plot(kind="qq")
    with pytest.raises(DomainError, match="needed one of E, A, alpha"):
        fits.plot(kind="forest", parameter="gamma")


def test_runs_that_were_left_out_whole_are_one_mark_each():
    steps = np.arange(5)
    table = {
        "pretrain_tokens": np.tile(1e6 * 4.0**steps, 3),
        "pretrain_run": np.repeat(list("abc"), 5),
        "bleu": np.tile([5.0, 9.1, 12.9, 17.0, 21.1], 3) + np.repeat([0.0, 0.1, 2.0], 5),
    }
    influence = sf.fit(table, "bleu", "log").influence()
    (marks,) = drawn(influence.plot().axes[0], "distance")
    assert marks.get_xdata().tolist() == [1, 2, 3]
    assert "run 3 moves the curve most" in influence.verdict


def test_influences_near_one_another_are_drawn_from_zero():
    sizes = [1e6, 4e6, 16e6, 64e6] * 2
    bleu = [5.0, 9.1, 12.9, 17.0, 5.2, 9.0, 13.1, 16.8]
    runs = ["a"] * 4 + ["b"] * 4
    table = {"pretrain_tokens": sizes, "pretrain_run": runs, "bleu": bleu}
    axes = sf.fit(table, "bleu", "log").plot(kind="influence").axes[0]
    assert (axes.get_yscale(), axes.get_ylim()[0]) == ("linear", 0.0)
