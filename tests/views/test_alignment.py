"""What the picture of an alignment shows, checked by its numbers."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import scalefit as sf
from scalefit.errors import DesignError
from scalefit.views import Section, alignment_section, forecast_report

SIZES = (1e6, 4e6, 16e6, 64e6, 256e6)


def table(bleu, loss=True):
    luck = np.random.default_rng(0).normal(0, 0.15, (len(bleu), 3))
    rows = {
        "pretrain_tokens": np.repeat(SIZES[: len(bleu)], 3),
        "pretrain_seed": np.tile([1, 2, 3], len(bleu)),
        "bleu": (np.array(bleu)[:, None] + luck).ravel(),
    }
    if loss:
        falling = 3 - 0.1 * np.arange(len(bleu))[:, None] + luck / 30
        rows["cross_entropy"] = falling.ravel()
    return rows


def test_title_says_the_verdict_and_runs_are_drawn():
    figure = sf.plot_alignment(sf.align(table([20, 23, 25, 26, 23])))
    above, below = figure.axes
    assert "MISALIGNED, deteriorating" in above.get_title(loc="left")
    drawn = [line for axes in (above, below) for line in axes.lines if line.get_gid() == "runs"]
    assert [len(line.get_xdata()) for line in drawn] == [5] * 6
    np.testing.assert_allclose(drawn[0].get_xdata(), SIZES)


def test_bands_end_where_the_metric_does():
    noisy = np.ravel([np.roll([0.1, 0.3, 4.0], shift) for shift in range(5)])
    figure = sf.plot_alignment(sf.align({**table([20] * 5), "bleu": noisy}))
    (band,) = figure.axes[0].collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == 0


def test_bands_are_t_intervals_of_the_means():
    result = sf.align(table([20, 23, 25, 26, 27]))[0]
    fall, cells = result.evidence.fall, result.evidence.quality
    expected = stats.t.ppf(0.975, fall.nu) * fall.sd / np.sqrt(3)
    (band,) = sf.plot_alignment(result).axes[0].collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(cells.means.min() - expected)
    assert heights.max() == pytest.approx(cells.means.max() + expected)


def test_the_page_begins_with_the_corpora_that_are_misaligned():
    assert alignment_section(sf.align(table([20, 23, 25, 26, 27]))).lead == ""
    lead = alignment_section(sf.align(table([20, 23, 25, 26, 20]))).lead
    assert lead == "misaligned: bleu"
    page = sf.forecast(table([20, 23, 25, 26, 20]), target=30)
    made = forecast_report(page, more=[Section("Alignment", lead=lead)])
    assert made.summary == (page.verdict, lead)


def test_a_group_without_cross_entropy_says_so_beside_one_that_has_it():
    without = table([20, 23, 25, 26, 27], loss=False)
    alone = sf.plot_alignment(sf.align(without)[0])
    assert len(alone.axes) == 1
    pair = [
        pd.DataFrame(rows).assign(corpus=name)
        for name, rows in (("fr", table([20, 23, 25, 26, 27])), ("de", without))
    ]
    figure = sf.plot_alignment(sf.align(pd.concat(pair)))
    said = [t.get_text() for axes in figure.axes for t in axes.texts]
    assert said == ["no cross-entropy measured"]


def test_nothing_to_draw_teaches():
    with pytest.raises(DesignError, match="nothing to draw"):
        sf.plot_alignment(sf.align(table([20])))


def test_many_verdicts_stand_in_rows_of_three_and_say_only_what_tells_them_apart():
    names = [f"corpus {i}" for i in range(4)]
    tables = [table([20, 23, 25, 26, 23 + i]) for i in range(4)]
    data = {k: np.concatenate([t[k] for t in tables]) for k in tables[0]}
    data |= {"corpus": np.repeat(names, 15), "task": ["en-fr"] * 60}
    figure = sf.plot_alignment(sf.align(data))
    assert len(figure.axes) == 8
    titles = [axes.get_title(loc="left").partition("\n")[0] for axes in figure.axes]
    assert sorted(filter(None, titles)) == names
