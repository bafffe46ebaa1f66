"""How many tokens a target needs, or that no number of them is enough."""

import json

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DomainError


def test_the_curve_meets_the_target_there(loss_fit, bleu_fit):
    for fit, target in ((loss_fit, 2.5), (loss_fit, 1.9), (bleu_fit, 24.0), (bleu_fit, 60.0)):
        found = sf.tokens_for(fit, target)
        assert found.reachable
        assert fit.value(found.estimate)[0] == pytest.approx(target, rel=1e-6)
        assert found.low < found.estimate < found.high


@pytest.mark.parametrize("target", [3.0, 2.2, 2.0, 1.8])
def test_the_interval_is_where_the_curve_s_interval_holds_the_target(loss_fit, target):
    found = sf.tokens_for(loss_fit, target)
    at_ends = loss_fit.band((np.array([found.low, found.high]),))
    # The curve falls: at the fewest tokens its lower end meets the target, at the most its upper end does.
    assert at_ends[0][0] == pytest.approx(target, rel=2e-4)
    assert at_ends[1][1] == pytest.approx(target, rel=2e-4)


def test_a_sharp_answer_keeps_its_width(loss_fit):
    """An interval narrower than the search grid is not a point."""
    found = sf.tokens_for(loss_fit, 3.0)
    assert 1.002 < found.high / found.low < 1.05


def test_a_target_just_above_the_floor_has_no_upper_end(loss_fit):
    floor = loss_fit.intervals()["E"]
    found = sf.tokens_for(loss_fit, (floor.estimate + floor.high) / 2)
    assert found.reachable
    assert np.isinf(found.high)
    assert found.low > 1e9
    assert "∞] (95%)" in found.verdict
    assert 0.5 < found.probability < 0.975
    assert f"reachable with {found.probability:.0%} confidence" in found.verdict


def test_a_target_below_the_floor_is_not_reachable(loss_fit):
    floor = loss_fit.intervals()["E"]
    found = sf.tokens_for(loss_fit, 1.5)
    assert not found.reachable
    assert (found.estimate, found.low, found.high) == (np.inf, np.inf, np.inf)
    assert found.probability < 0.001
    assert found.verdict.startswith(
        f"cross_entropy 1.5 is not reachable: the curve's floor is {floor}"
    )


def test_the_probability_agrees_with_the_floor_s_interval(loss_fit):
    floor = loss_fit.intervals()["E"]
    assert sf.tokens_for(loss_fit, floor.low).probability == pytest.approx(0.025, abs=0.003)
    assert sf.tokens_for(loss_fit, floor.high).probability == pytest.approx(0.975, abs=0.003)
    assert sf.tokens_for(loss_fit, floor.estimate).probability == pytest.approx(0.5, abs=0.01)


def test_a_log_law_reaches_anything_but_says_how_far(bleu_fit):
    found = sf.tokens_for(bleu_fit, 95.0)
    assert found.reachable
    assert found.probability == 1
    assert any("beyond the largest measured size: an extrapolation" in n for n in found.notes)
    assert np.isfinite(found.high)


def test_a_target_met_below_the_smallest_size_is_noted(bleu_fit):
    found = sf.tokens_for(bleu_fit, 3.0)
    assert found.estimate > bleu_fit.params["D0"]
    assert found.notes == ("below the smallest measured size",)


@pytest.mark.parametrize("target", [np.nan, np.inf, -1.0])
def test_a_target_is_a_value_of_the_metric(loss_fit, target):
    with pytest.raises(DomainError, match=r"target is .*; cross_entropy lies between 0 and inf"):
        sf.tokens_for(loss_fit, target)


def test_bleu_ends_at_100(bleu_fit):
    with pytest.raises(DomainError, match="target is 120; bleu lies between 0 and 100"):
        sf.tokens_for(bleu_fit, 120)


def test_the_other_inputs_are_held(pair_fit):
    found = sf.tokens_for(pair_fit, 2.5, parameters=1e9)
    assert pair_fit.value(1e9, found.estimate)[0] == pytest.approx(2.5, rel=1e-6)
    assert "pretrain_tokens" in found.verdict
    with pytest.raises(DomainError, match=r"hold all inputs but one, of N .*; 2 are free"):
        sf.tokens_for(pair_fit, 2.5)
    size = sf.tokens_for(pair_fit, 2.5, D=1e11)
    assert pair_fit.value(size.estimate, 1e11)[0] == pytest.approx(2.5, rel=1e-6)
    assert "parameters" in size.verdict


def test_a_floor_of_two_terms_can_be_out_of_reach(pair_fit):
    """At 10M parameters no data bring the loss to 1.8."""
    found = sf.tokens_for(pair_fit, 1.8, parameters=1e7)
    assert not found.reachable
    assert "is not reachable" in found.verdict


def test_an_unknown_input_is_named(loss_fit):
    with pytest.raises(DomainError, match=r"no input 'N'; its inputs are x \(pretrain_tokens\)"):
        sf.tokens_for(loss_fit, 2.5, N=1e9)


def test_a_higher_level_is_a_wider_interval(loss_fit):
    narrow, wide = (sf.tokens_for(loss_fit, 2.2, level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_without_scatter_there_is_no_width():
    x = np.geomspace(1e6, 1e9, 8)
    fit = sf.fit({"t": x, "v": 1.7 + 400 * x**-0.3}, "v", "power", inputs={"x": "t"})
    found = sf.tokens_for(fit, 2.5)
    assert found.low == pytest.approx(found.estimate, rel=1e-3)
    assert found.high == pytest.approx(found.estimate, rel=1e-3)


def test_as_data(loss_fit):
    stored = json.loads(json.dumps(sf.tokens_for(loss_fit, 1.5).to_dict(), allow_nan=False))
    assert stored["estimate"] == "inf"
    assert stored["target"] == 1.5
    shown = sf.tokens_for(loss_fit, 2.5)
    assert repr(shown) == shown.verdict
    assert shown.verdict in shown._repr_html_()


def test_nan_probability_is_null():
    """A typed law without floor or inverse that never takes the value."""
    x = np.geomspace(1e6, 1e9, 8)
    law = sf.Law(
        name="arch",
        formula="c·(2 − (ln x/18)²)",
        coefficients=(sf.Coefficient("c", 0.0),),
        basis=lambda x: (2 - (np.log(x) / 18) ** 2,),
    )
    values = law(x, c=10.0) * (1 + 0.001 * np.cos(x))
    found = sf.tokens_for(sf.fit({"t": x, "v": values}, "v", law, inputs={"x": "t"}), 1e4)
    assert not found.reachable
    assert "the fitted curve never takes this value" in found.verdict
    assert found.to_dict()["probability"] is None
