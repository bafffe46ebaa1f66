"""What a difference means to people, and margins that come from it."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.alignment.margin import agreement, difference_of, metric_scale
from scalefit.errors import DesignError

BLEU = np.array([20.0, 25.0])


# Kocmi et al. 2024, table of thresholds: differences with which 55, 65, 75 and 80 % agree.
PUBLISHED = {
    "bleu": (0.52, 1.06, 1.79, 2.34),
    "chrf": (0.33, 0.76, 1.28, 1.63),
    "comet": (0.10, 0.26, 0.45, 0.56),
    "comet_qe": (0.08, 0.24, 0.42, 0.53),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_table_comes_out(name):
    shares = [0.55, 0.65, 0.75, 0.80]
    differences = [difference_of(name, share) for share in shares]
    assert differences == pytest.approx(PUBLISHED[name], abs=0.0051)
    assert [agreement(name, d) for d in differences] == pytest.approx(shares)


def test_a_larger_difference_persuades_more_people():
    for name in PUBLISHED:
        shares = [difference_of(name, s) for s in np.linspace(0.55, 0.8, 6)]
        assert (np.diff(shares) > 0).all()


def test_nothing_is_said_outside_the_calibration():
    with pytest.raises(DesignError, match=r"reaches from 0\.55 to 0\.8"):
        difference_of("bleu", 0.9)
    assert metric_scale("bleu", BLEU, 0.5).meaning(0.1).startswith("fewer than 55%")
    assert metric_scale("bleu", BLEU, 0.5).meaning(30.0).startswith("more than 80%")
    assert metric_scale("ter", BLEU, 0.5).meaning(1.0) == ""


def test_a_margin_in_human_terms():
    assert metric_scale("bleu", BLEU, "human:0.7").margin == pytest.approx(1.39, abs=0.01)
    assert metric_scale("comet", BLEU, "human:0.7").margin == pytest.approx(0.35, abs=0.01)
    assert metric_scale("comet", BLEU / 100, "human:0.7").margin == pytest.approx(0.0035, abs=1e-4)
    assert metric_scale("comet_qe", BLEU / 100, "human:0.7").margin == pytest.approx(
        0.0033, abs=1e-4
    )
    assert metric_scale("ter", BLEU, "human:0.7").margin == 0.5


@pytest.mark.parametrize("margin", ["people:0.7", "human", "human:many"])
def test_a_margin_that_is_not_understood_teaches(margin):
    with pytest.raises(DesignError, match=r"human:0\.7"):
        metric_scale("bleu", BLEU, margin)


def test_the_verdict_says_what_its_difference_means(make_table, shapes):
    table = make_table(shapes["falling"], sd=(0.1, 0.1))
    result = sf.align(table)
    assert result[0].evidence.scale.margin == pytest.approx(1.39, abs=0.01)
    assert "of human rankings agree" in result[0].reason
    assert any("70% of human rankings agree" in note for note in result.notes)


@pytest.mark.parametrize("name", ["exact_match", "rougel", "mcc", "bertscore", "macro_f1", "wer"])
def test_fractions_have_a_hundredth_of_the_margin_of_percent_whatever_the_metric(name):
    values = np.array([0.52, 0.61, 0.58])
    fraction, percent = (metric_scale(name, values * unit, 0.5) for unit in (1.0, 100.0))
    assert percent.margin == pytest.approx(100 * fraction.margin)
    assert percent.reference == pytest.approx(100 * fraction.reference)


@pytest.mark.parametrize("name", ["cross_entropy", "val_loss", "bits_per_byte", "nll"])
def test_a_loss_under_any_name_has_the_margin_of_a_loss(name):
    assert metric_scale(name, np.array([2.9, 2.4]), 0.5).margin == pytest.approx(0.05)
