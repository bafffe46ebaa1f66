"""What a difference means to people, and margins that come from it."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.alignment.margin import agreement, difference_of, scale_of
from scalefit.errors import DesignError

BLEU = np.array([20.0, 25.0])


@pytest.mark.parametrize(
    ("name", "difference", "share"),
    [("bleu", 0.5, 0.55), ("bleu", 1.4, 0.70), ("chrf", 0.5, 0.59), ("chrf", 1.0, 0.70),
     ("comet", 0.005, 0.78), ("comet", 0.0035, 0.70)],
)  # fmt: skip
def test_published_points_lie_on_the_curve(name, difference, share):
    assert agreement(name, difference) == pytest.approx(share)
    assert difference_of(name, share) == pytest.approx(difference)


def test_a_larger_difference_persuades_more_people():
    for name in ("bleu", "chrf", "comet"):
        shares = [difference_of(name, s) for s in np.linspace(0.55, 0.8, 6)]
        assert (np.diff(shares) > 0).all()


def test_nothing_is_said_outside_the_calibration():
    with pytest.raises(DesignError, match=r"reaches from 0\.55 to 0\.8"):
        difference_of("bleu", 0.9)
    assert scale_of("bleu", BLEU, 0.5).meaning(0.1).startswith("fewer than 55%")
    assert scale_of("bleu", BLEU, 0.5).meaning(30.0).startswith("more than 80%")
    assert scale_of("ter", BLEU, 0.5).meaning(1.0) == ""


def test_a_margin_in_human_terms():
    assert scale_of("bleu", BLEU, "human:0.7").margin == pytest.approx(1.4)
    assert scale_of("comet", BLEU, "human:0.7").margin == pytest.approx(0.35)
    assert scale_of("comet", BLEU / 100, "human:0.7").margin == pytest.approx(0.0035)
    assert scale_of("ter", BLEU, "human:0.7").margin == 0.5


@pytest.mark.parametrize("margin", ["people:0.7", "human", "human:many"])
def test_a_margin_that_is_not_understood_teaches(margin):
    with pytest.raises(DesignError, match=r"human:0\.7"):
        scale_of("bleu", BLEU, margin)


def test_the_verdict_says_what_its_difference_means(make_table, shapes):
    table = make_table(shapes["falling"], sd=(0.1, 0.1))
    result = sf.align(table, margin="human:0.7")
    assert result[0].evidence.scale.margin == pytest.approx(1.4)
    assert "of human rankings agree" in result[0].reason
    assert any("70% of human rankings agree" in note for note in result.notes)
