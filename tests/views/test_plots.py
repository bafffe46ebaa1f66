"""The numbers that pictures draw, found again by the names of what was drawn."""

import numpy as np
import pytest

from scalefit.groups import group_name
from scalefit.views.curves import DrawnCurve, Goal, Ribbon, drawn_at
from scalefit.views.plots import Panel, plot_curve, plot_many
from scalefit.views.style import COLOURS

X = np.array([1e5, 1e5, 1e6, 1e6, 1e7])
Y = np.array([10.0, 11.0, 15.0, 14.0, 19.0])
GRID = np.geomspace(1e5, 1e8, 31)
LINE = 10.0 + 3.0 * np.log10(GRID / 1e5)


def curve(**changes):
    content = {
        "x": X,
        "y": Y,
        "label": "fr",
        "metric": "bleu",
        "law": "log",
        "mean": Ribbon(GRID, LINE, LINE - 1, LINE + 1),
        "run": Ribbon(GRID, LINE, LINE - 2, LINE + 2),
    }
    return DrawnCurve(**{**content, **changes})


def drawn(figure, name, panel=0):
    axes = figure.axes[panel]
    return [a for a in (*axes.lines, *axes.collections, *axes.patches) if a.get_gid() == name]


def test_every_run_is_a_point():
    (points,) = drawn(plot_curve(curve()), "points")
    np.testing.assert_array_equal(points.get_xdata(), X)
    np.testing.assert_array_equal(points.get_ydata(), Y)


def test_the_curve_is_solid_as_far_as_there_are_data_and_dashed_beyond():
    figure = plot_curve(curve())
    (inside,), (beyond,) = drawn(figure, "curve"), drawn(figure, "extrapolated")
    assert inside.get_xdata()[-1] == pytest.approx(1e7)
    assert beyond.get_xdata()[0] == pytest.approx(1e7)
    assert beyond.get_xdata()[-1] == pytest.approx(1e8)
    assert (inside.get_linestyle(), beyond.get_linestyle()) == ("-", "--")
    np.testing.assert_allclose(inside.get_ydata(), LINE[GRID <= 1e7 * 1.001])


@pytest.mark.parametrize(("name", "width"), [("mean", 2.0), ("run", 4.0)])
def test_both_bands_have_their_width(name, width):
    (band,) = drawn(plot_curve(curve()), name)
    corners = band.get_paths()[0].vertices
    at_left = corners[np.isclose(corners[:, 0], 1e5), 1]
    assert np.ptp(at_left) == pytest.approx(width)


def test_the_extrapolated_zone_begins_at_the_largest_size():
    (zone,) = drawn(plot_curve(curve()), "zone")
    assert zone.get_x() == pytest.approx(1e7)


def test_baseline_and_target_are_lines_at_their_values():
    figure = plot_curve(curve(baseline=8.5, goal=Goal(18.0, 4.6e7, 2e7, np.inf)))
    (baseline,), (target,) = drawn(figure, "baseline"), drawn(figure, "target")
    assert baseline.get_ydata()[0] == 8.5
    assert target.get_ydata()[0] == 18.0
    (tokens,), (interval,) = drawn(figure, "target tokens"), drawn(figure, "target interval")
    assert tokens.get_xdata()[0] == 4.6e7
    np.testing.assert_allclose(interval.get_xdata(), [2e7, 1e8])
    low, high = figure.axes[0].get_ylim()
    assert low < 8.5
    assert high > 19.0


def test_an_unreachable_target_has_no_marker():
    figure = plot_curve(curve(goal=Goal(90.0)))
    assert len(drawn(figure, "target")) == 1
    assert drawn(figure, "target tokens") == []


def test_a_group_that_was_not_fitted_still_shows_its_points():
    figure = plot_curve(curve(mean=None, run=None))
    assert len(drawn(figure, "points")) == 1
    assert drawn(figure, "curve") == drawn(figure, "mean") == drawn(figure, "zone") == []


def test_a_wild_band_does_not_set_the_limits():
    wild = Ribbon(GRID, LINE, LINE - 1000, LINE + 1000)
    low, high = plot_curve(curve(run=wild)).axes[0].get_ylim()
    assert high - low < 25


def test_the_axis_ends_where_the_metric_does():
    low, _ = plot_curve(curve(run=Ribbon(GRID, LINE, LINE - 30, LINE + 30))).axes[0].get_ylim()
    assert -1.0 < low < 6.0


def test_a_band_that_would_hide_the_panel_is_drawn_by_its_edges():
    wild = curve(label="en", mean=Ribbon(GRID, LINE, LINE - 1000, LINE + 1000))
    figure = plot_many([Panel("en-fr", "BLEU", (curve(), wild))])
    assert len(drawn(figure, "mean")) == 1
    low, high = drawn(figure, "edge")
    np.testing.assert_allclose(high.get_ydata() - low.get_ydata(), 2000)


def test_a_corpus_keeps_its_colour_in_all_panels():
    panels = [
        Panel("en-fr", "BLEU", (curve(label="fr"), curve(label="en"))),
        Panel("en-de", "BLEU", (curve(label="en"),)),
        Panel("nothing measured", "BLEU", ()),
    ]
    figure = plot_many(panels)
    assert [axes.get_title("left") for axes in figure.axes] == ["en-fr", "en-de"]
    assert [line.get_color() for line in drawn(figure, "curve", 0)] == list(COLOURS[:2])
    assert [line.get_color() for line in drawn(figure, "curve", 1)] == [COLOURS[1]]


def test_token_axes_are_written_as_people_write_them():
    figure = plot_curve(curve())
    figure.draw_without_rendering()
    ticks = [t.get_text() for t in figure.axes[0].get_xticklabels()]
    assert {"100k", "1M", "10M"} <= set(ticks)
    assert figure.axes[0].get_xlabel() == "pretraining tokens"
    assert figure.axes[0].get_ylabel() == "BLEU"


def test_units_stand_on_the_y_axis():
    assert curve(metric="cross_entropy").title_y == "cross-entropy (nats/target token)"


def test_the_curve_is_drawn_as_far_as_the_target():
    assert drawn_at(X, None, 3.0)[[0, -1]] == pytest.approx([1e5, 3e7])
    assert drawn_at(X, Goal(20.0, 1e9), 3.0)[-1] == pytest.approx(1.5e9)
    assert drawn_at(X, Goal(20.0, 1e30), 3.0)[-1] == pytest.approx(1e10)
    assert drawn_at(X, Goal(20.0, np.inf), 3.0)[-1] == pytest.approx(3e7)


def test_keys_are_written_in_words():
    key = {
        "corpus": "fr",
        "task": "en-fr",
        "finetune_tokens": 300_000,
        "model": None,
        "parameters": 1e6,
    }
    assert group_name(key) == "fr · en-fr · finetuned on 300k · 1M parameters"
    assert group_name(key, ("corpus", "parameters")) == "en-fr · finetuned on 300k"


def test_svg_is_one_element_with_its_text_and_the_same_every_time():
    figure = plot_curve(curve())
    text = figure.to_svg()
    assert text.startswith("<svg")
    assert "pretraining tokens" in text
    assert text == plot_curve(curve()).to_svg()


def test_a_picture_shows_itself_in_a_notebook():
    data, size = plot_curve(curve())._repr_png_()
    assert data.startswith(b"\x89PNG")
    assert size == {"width": 704, "height": 440}


def test_many_curves_in_a_panel_are_named_where_they_end_and_banded_only_ahead():
    names = ["fr", "en", "de", "code", "ro"]
    curves = tuple(
        curve(label=name, mean=Ribbon(GRID, LINE + i, LINE + i - 1, LINE + i + 1))
        for i, name in enumerate(names)
    )
    figure = plot_many([Panel("en-fr", "BLEU", curves)])
    said = [text for text in figure.axes[0].texts if text.get_gid() == "name"]
    assert [text.get_text() for text in said] == names
    assert [text.get_color() for text in said] == list(COLOURS[:5])
    heights = [text.xy[1] for text in said]
    assert np.diff(heights).min() >= 0.074 * np.ptp(figure.axes[0].get_ylim())
    for band in drawn(figure, "mean"):
        corners = band.get_paths()[0].vertices
        assert np.ptp(corners[np.isclose(corners[:, 0], 1e6), 1]) == pytest.approx(0)
        assert np.ptp(corners[np.isclose(corners[:, 0], 1e8), 1]) == pytest.approx(2)


def test_few_curves_keep_their_whole_bands_and_the_legend_alone():
    figure = plot_many([Panel("en-fr", "BLEU", (curve(label="fr"), curve(label="en")))])
    assert [t for t in figure.axes[0].texts if t.get_gid() == "name"] == []
    corners = drawn(figure, "mean")[0].get_paths()[0].vertices
    assert np.ptp(corners[np.isclose(corners[:, 0], 1e5), 1]) == pytest.approx(2)


@pytest.mark.parametrize("scale", [1e-7, 1.0, 1e7])
def test_no_factor_of_the_labels_stands_where_a_panel_has_its_title(scale):
    values = scale * np.array([5.0, 9.1, 12.9, 17.0])
    curve = DrawnCurve(np.array([1e6, 4e6, 16e6, 64e6]), values, metric="my_score")
    figure = plot_many([Panel("en-fr", "my score", (curve,))])
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes.yaxis.get_offset_text().get_text() == ""
    ticks = [float(t.get_text().replace("\N{MINUS SIGN}", "-")) for t in axes.get_yticklabels()]
    assert max(ticks) > values.max() / 2
