"""Pictures of laws of several inputs: what they show, not how they look."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DomainError
from scalefit.views.surface import contours_of, slices_of

N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5)))


@pytest.fixture(scope="module")
def fit():
    loss = 1.7 + 400 * N**-0.34 + 1200 * D**-0.33 + 0.003 * np.resize([1.0, -1, 0.5, -0.7], 25)
    return sf.fit({"N": N, "D": D, "loss": loss}, "loss", "chinchilla", inputs={"N": "N", "D": "D"})


def test_contours_are_the_law_over_both_inputs(fit):
    surface = contours_of(fit)
    assert surface.names == ("N", "D")
    assert (surface.x[-1], surface.y[-1]) == (pytest.approx(2e9), pytest.approx(2e11))
    assert surface.value[7, 3] == pytest.approx(fit.value(surface.x[3], surface.y[7])[0])
    np.testing.assert_allclose(surface.missed, fit.residuals)
    figure = fit.plot()
    axes = figure.axes[0]
    marked = sum(len(line.get_xdata()) for line in axes.lines)
    assert marked == 25
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    plt.close(figure)


def test_slices_hold_the_second_input_low_in_the_middle_and_high(fit):
    low, middle, high = slices_of(fit)
    assert [s.label for s in (low, middle, high)] == ["D 1B", "D 10B", "D 100B"]
    assert (low.value > middle.value).all()
    assert middle.value[0] == pytest.approx(fit.value(1e7, 1e10)[0])
    figure = fit.plot(slices=True)
    assert len([line for line in figure.axes[0].lines if line.get_gid() == "slice"]) == 3
    plt.close(figure)


def test_slices_are_asked_for_by_kind_and_need_two_inputs(fit):
    drawn = fit.plot(kind="slices").axes[0]
    assert len([line for line in drawn.lines if line.get_gid() == "slice"]) == 3
    curve = {"pretrain_tokens": [1e6, 1e7, 1e8, 1e9], "bleu": [5.0, 9.1, 12.9, 17.0]}
    with pytest.raises(DomainError, match="has one"):
        sf.fit(curve, "bleu", "log").plot(kind="slices")


def test_shares_are_drawn_as_slices_from_none_to_the_whole():
    rng = np.random.default_rng(0)
    r = rng.dirichlet(np.ones(3), 20).T
    loss = sf.LAWS["mixture"](*r, c=1.5, k=1.0, t1=-1.2, t2=0.4) + 0.01 * rng.standard_normal(20)
    data = {"a": r[0], "b": r[1], "c": r[2], "loss": loss}
    fit = sf.fit(data, "loss", "mixture", inputs={"r1": "a", "r2": "b", "r3": "c"})
    one = slices_of(fit)[0]
    assert (one.x[0], one.x[-1]) == (0.0, 1.0)
    assert one.value[-1] == pytest.approx(fit.value(1.0, 0.0, 0.0)[0])
    figure, axes = plt.subplots()
    fit.plot(ax=axes)
    assert axes.get_xscale() == "linear"
    plt.close(figure)


def test_sizes_are_counts_on_both_axes(fit):
    axes = fit.plot().axes[0]
    axes.figure.canvas.draw()
    said = [t.get_text() for axis in (axes.xaxis, axes.yaxis) for t in axis.get_ticklabels()]
    assert {"100M", "10B"} <= set(said)
    assert not any("$" in text for text in said)
