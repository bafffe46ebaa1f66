"""The numbers that pictures of choices draw."""

import numpy as np
import pytest

import scalefit as sf

SIZES = np.geomspace(1e6, 1e9, 6)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    slopes = {"fr": 2.0, "en": 1.2, "code": 0.8}
    rows = [
        (c, x, 10 + s * np.log10(x / 1e6) + 0.1 * rng.standard_normal())
        for c, s in slopes.items()
        for x in SIZES
    ]
    corpus, tokens, bleu = map(list, zip(*rows, strict=True))
    return {"corpus": corpus, "pretrain_tokens": tokens, "bleu": bleu}


def drawn(axes, name):
    return [a for a in (*axes.lines, *axes.patches, *axes.images) if a.get_gid() == name]


def test_a_ranking_draws_every_estimate_best_first(table):
    ranking = sf.rank(table, at="4B").only
    (axes,) = ranking.plot().axes
    assert [m.get_xdata()[0] for m in drawn(axes, "estimate")] == [
        s.estimate for s in ranking.standings
    ]
    assert [t.get_text() for t in axes.get_yticklabels()] == [s.corpus for s in ranking.standings]
    assert f"P(best) {ranking.best.p_best:.2f}" in [t.get_text() for t in axes.texts]


def test_a_ranking_by_tokens_is_drawn_in_logs(table):
    (axes,) = sf.rank(table, target=17.0).plot().axes
    assert axes.get_xscale() == "log"


def test_the_value_map_has_a_cell_a_pair_of_sizes():
    data = {"corpus": ["none"] * 4 + ["fr"] * 8, "pretrain_tokens": [0] * 4 + [1e8] * 4 + [1e9] * 4,
            "finetune_tokens": [1e5, 1e5, 1e6, 1e6] * 3, "finetune_seed": [0, 1] * 6,
            "bleu": [5.0, 5.1, 12.0, 12.1, 9.0, 9.1, 14.0, 14.1, 11.0, 11.1, 15.0, 15.1]}  # fmt: skip
    value = sf.value(data)[0]
    (axes,) = value.plot().axes
    (image,) = drawn(axes, "gain")
    assert image.get_array().shape == (2, 2)
    assert float(image.get_array()[0, 0]) == pytest.approx(4.0)
    assert any("helps" in t.get_text() for t in axes.texts)
    assert axes.get_title(loc="left") == "fr · BLEU gained over no pretraining"


def test_a_value_map_without_finetuning_sizes_names_none():
    data = {"corpus": ["none"] * 2 + ["fr"] * 4, "pretrain_tokens": [0] * 2 + [1e8] * 2 + [1e9] * 2,
            "finetune_seed": [0, 1] * 3, "bleu": [5.0, 5.1, 9.0, 9.1, 14.0, 14.1]}  # fmt: skip
    (axes,) = sf.value(data)[0].plot().axes
    assert (axes.get_ylabel(), len(axes.get_yticks())) == ("", 0)


def test_a_backtest_is_drawn_by_error(table):
    tested = sf.backtest(table, "bleu", laws=["ceiling"], hold_out=1)
    left, right = tested.plot().axes
    widths = [bar.get_width() for bar in drawn(left, "error")]
    assert widths == sorted(widths)
    assert len(drawn(right, "inside")) == len(tested.forecasters)
