"""How many tokens a target needs, or that no number of them is enough."""

import html
import json
from dataclasses import replace

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DomainError, FitError
from scalefit.forecasting.tokens import tokens_each

SCATTER = np.array([0.13, -0.13, 0.64, 0.1, -0.54, 0.36, 1.3, -1.86])


def given(fit, target, **options):
    """Take the law for the truth."""
    return sf.tokens_for(fit, target, given="law", **options)


def test_the_curve_meets_the_target_there(loss_fit, bleu_fit):
    for fit, target in ((loss_fit, 2.5), (loss_fit, 1.9), (bleu_fit, 24.0), (bleu_fit, 40.0)):
        tokens = given(fit, target)
        assert tokens.reachable
        assert fit.value(tokens.estimate)[0] == pytest.approx(target, rel=1e-6)
        assert tokens.low < tokens.estimate < tokens.high


@pytest.mark.parametrize("target", [3.0, 2.2, 2.0])
def test_the_interval_is_where_the_curve_s_interval_holds_the_target(loss_fit, target):
    tokens = given(loss_fit, target)
    at_ends = loss_fit.band((np.array([tokens.low, tokens.high]),), 0.8)
    # The curve falls: at the fewest tokens its lower end meets the target, at the most its upper end does.
    assert at_ends[0][0] == pytest.approx(target, rel=1e-3)
    assert at_ends[1][1] == pytest.approx(target, rel=1e-3)


def test_a_sharp_answer_keeps_its_width(loss_fit):
    """An interval narrower than the search grid is not a point."""
    tokens = given(loss_fit, 3.0, level=0.95)
    assert 1.002 < tokens.high / tokens.low < 1.05


def test_doubt_about_the_law_widens_the_answer(loss_fit):
    law, doubt = given(loss_fit, 1.95), sf.tokens_for(loss_fit, 1.95)
    assert (law.given, doubt.given) == ("law", "doubt")
    assert doubt.low < law.low < law.high < doubt.high
    assert doubt.verdict.endswith("one law, doubt about it included")


def test_chances_come_first_and_rise_with_distance(loss_fit):
    tokens = sf.tokens_for(loss_fit, 1.9)
    chances = [tokens.within(t) for t in (1, 2, 10, 100, 1000)]
    assert chances == sorted(chances)
    assert tokens.verdict.startswith("cross-entropy 1.9: ")
    assert "within 2×" in tokens.verdict


def test_no_number_lies_beyond_a_thousand_times_the_largest_size(loss_fit, bleu_fit):
    for fit, target in ((loss_fit, 1.5), (bleu_fit, 95.0)):
        for level in (0.5, 0.8, 0.95):
            tokens = sf.tokens_for(fit, target, level=level)
            for end in (tokens.low, tokens.estimate, tokens.high):
                assert end == np.inf or end <= 1e12 * (1 + 1e-9)
    assert "> 1T" in given(loss_fit, 1.5).verdict


def test_a_target_below_the_floor_is_out_of_sight(loss_fit):
    tokens = given(loss_fit, 1.5)
    assert not tokens.reachable
    assert (tokens.estimate, tokens.low, tokens.high) == (np.inf, np.inf, np.inf)
    assert tokens.probability < 0.001
    assert "out of sight" in tokens.verdict


def test_the_chance_of_room_agrees_with_the_floor_s_interval(loss_fit):
    floor = loss_fit.intervals()["E"]
    assert given(loss_fit, floor.low).probability == pytest.approx(0.025, abs=0.003)
    assert given(loss_fit, floor.high).probability == pytest.approx(0.975, abs=0.003)
    assert given(loss_fit, floor.estimate).probability == pytest.approx(0.5, abs=0.01)


def test_whether_a_law_without_a_ceiling_reaches_a_target_is_unknown(bleu_fit):
    """It said probability 1."""
    tokens = given(bleu_fit, 60.0)
    assert np.isnan(tokens.probability)
    assert any("ask a law with a ceiling, or the mixture" in n for n in tokens.notes)


def test_a_target_met_below_the_smallest_size_is_said_so(bleu_fit):
    tokens = given(bleu_fit, 3.0)
    assert tokens.estimate == 0.0
    assert "median < 1M" in tokens.verdict


@pytest.mark.parametrize(("metric", "law"), [("bleu", "power"), ("cross_entropy", "log")])
def test_a_law_of_the_wrong_direction_is_refused(metric, law):
    x = np.geomspace(1e6, 1e9, 8)
    values = 30 + np.cos(np.arange(8)) if metric == "bleu" else 3 + 0.1 * np.cos(np.arange(8))
    data = {"pretrain_tokens": x, metric: values}
    with pytest.raises(
        FitError, match=r"cannot follow a curve that gets better.*allow=\['direction'\]"
    ):
        sf.fit(data, metric, law)
    with pytest.raises(FitError, match="cannot follow"):
        sf.fit_each({**data, "corpus": ["fr"] * 8}, metric, law)
    fit = sf.fit(data, metric, law, allow=["direction"])
    with pytest.raises(DomainError, match="never reaches a better target"):
        sf.tokens_for(fit, float(values[-1]))
    sf.tokens_for(fit, float(values[-1]), allow="direction")


def test_the_answer_does_not_depend_on_names(loss_fit):
    """A floor that is not called E is a floor."""
    law = sf.LAWS["power"]
    floor, scale = law.coefficients
    renamed = replace(
        law,
        name="mine",
        coefficients=(replace(floor, name="rest"), scale),
        reported=("rest", "A", "alpha"),
        report=lambda *a, **k: {
            ("rest" if n == "E" else n): v for n, v in law.report(*a, **k).items()
        },
        unreport=lambda rest, A, alpha, **k: law.unreport(rest, A, alpha, **k),
    )
    other = sf.fit(loss_fit.observations, "cross_entropy", renamed)
    for target in (2.0, 1.68):
        assert given(other, target).rows() == given(loss_fit, target).rows()


@pytest.mark.parametrize("target", [np.nan, np.inf, -1.0])
def test_a_target_is_a_value_of_the_metric(loss_fit, target):
    with pytest.raises(DomainError, match=r"target is .*; cross_entropy lies between 0 and inf"):
        sf.tokens_for(loss_fit, target)


def test_bleu_ends_at_100(bleu_fit):
    with pytest.raises(DomainError, match="target is 120; bleu lies between 0 and 100"):
        sf.tokens_for(bleu_fit, 120)


def test_the_other_inputs_are_held(pair_fit):
    tokens = given(pair_fit, 2.5, parameters=1e9)
    assert pair_fit.value(1e9, tokens.estimate)[0] == pytest.approx(2.5, rel=1e-6)
    assert tokens.column == "pretrain_tokens"
    with pytest.raises(DomainError, match=r"hold all inputs but one, of N .*; 2 are free"):
        sf.tokens_for(pair_fit, 2.5)
    size = given(pair_fit, 2.5, D=1e11)
    assert pair_fit.value(size.estimate, 1e11)[0] == pytest.approx(2.5, rel=1e-3)
    assert size.column == "parameters"


def test_a_floor_of_two_terms_can_be_out_of_reach(pair_fit):
    """At 10M parameters no data bring the loss to 1.8."""
    tokens = given(pair_fit, 1.8, parameters=1e7)
    assert not tokens.reachable
    assert "out of sight" in tokens.verdict


def test_an_unknown_input_is_named(loss_fit):
    with pytest.raises(DomainError, match=r"no input 'N'; its inputs are x \(pretrain_tokens\)"):
        sf.tokens_for(loss_fit, 2.5, N=1e9)


def test_a_higher_level_is_a_wider_interval(loss_fit):
    narrow, wide = (given(loss_fit, 2.2, level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_without_scatter_there_is_no_width():
    x = np.geomspace(1e6, 1e9, 8)
    fit = sf.fit({"t": x, "v": 1.7 + 400 * x**-0.3}, "v", "power", inputs={"x": "t"})
    tokens = given(fit, 2.5)
    assert tokens.low == pytest.approx(tokens.estimate, rel=1e-3)
    assert tokens.high == pytest.approx(tokens.estimate, rel=1e-3)


def test_as_data(loss_fit):
    stored = json.loads(json.dumps(given(loss_fit, 1.5).to_dict(), allow_nan=False))
    assert stored["estimate"] == "inf"
    assert stored["target"] == 1.5
    shown = sf.tokens_for(loss_fit, 2.5)
    assert repr(shown) == shown.verdict
    assert html.escape(shown.verdict) in shown._repr_html_()


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
    fit = sf.fit({"t": x, "v": values}, "v", law, inputs={"x": "t"})
    tokens = sf.tokens_for(fit, 1e4, given="law")
    assert not tokens.reachable
    assert "out of sight" in tokens.verdict
    assert tokens.to_dict()["probability"] is None


def mixed():
    """Four sources' worth of noise about c + k·e^(t·r) of three sources."""
    rng = np.random.default_rng(3)
    shares = rng.dirichlet(np.ones(3), 30).T
    loss = sf.LAWS["mixture"](*shares, c=1.5, k=1.0, t1=-1.2, t2=0.4)
    data = {
        "a": shares[0],
        "b": shares[1],
        "c": shares[2],
        "loss": loss + 0.003 * rng.standard_normal(30),
    }
    return sf.fit(data, "loss", "mixture", inputs={"r1": "a", "r2": "b", "r3": "c"})


def test_a_share_is_solved_for_while_the_others_keep_their_proportions():
    tokens = sf.tokens_for(mixed(), 2.0, r2=1.0, r3=1.0, given="law", allow=["direction"])
    x = np.linspace(0, 1, 100_001)
    curve = sf.LAWS["mixture"](x, (1 - x) / 2, (1 - x) / 2, c=1.5, k=1.0, t1=-1.2, t2=0.4)
    assert tokens.column == "a"
    assert tokens.estimate == pytest.approx(x[np.argmin(abs(curve - 2.0))], rel=0.03)
    beyond = sf.tokens_for(mixed(), 1.6, r2=1.0, r3=1.0, given="law", allow=["direction"])
    assert not beyond.reachable


def test_a_loss_is_not_solved_for():
    loss = np.linspace(2, 4, 8)
    fit = sf.fit(
        {"L": loss, "bleu": 80 * np.exp(-0.5 * loss) + 0.01 * SCATTER},
        "bleu",
        "ce_to_bleu",
        inputs={"L": "L"},
    )
    with pytest.raises(
        DomainError,
        match=r"reads bleu off L, which nobody sets; needed a law of sizes. Try: sf.chain",
    ):
        sf.tokens_for(fit, 30.0)


def test_each_of_three_inputs_is_solved_for():
    N, D, U = (
        a.ravel()
        for a in np.meshgrid(np.geomspace(1e8, 1e10, 4), np.geomspace(1e9, 1e12, 6), [2e9, 4e10])
    )
    truth = {
        "E": 1.87,
        "A": 521.0,
        "B": 1488.0,
        "alpha": 0.353,
        "beta": 0.353,
        "R_N": 5.3,
        "R_D": 15.4,
    }
    loss = sf.LAWS["data_constrained"](N, D, U, **truth)
    noise = 1e-4 * np.resize(SCATTER, loss.size)
    fit = sf.fit(
        {"N": N, "D": D, "U": U, "loss": loss + noise},
        "loss",
        "data_constrained",
        inputs={"N": "N", "D": "D", "U": "U"},
    )
    at = {"N": 3e9, "D": 3e11, "U": 2e10}
    target = float(fit.value(*at.values())[0])
    for name, value in at.items():
        held = {k: v for k, v in at.items() if k != name}
        assert sf.tokens_for(fit, target, given="law", **held).estimate == pytest.approx(
            value, rel=0.02
        )


@pytest.mark.parametrize("law", [None, "log"])
def test_several_targets_are_answered_as_one_by_one(law):
    sizes, bleu = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6], [5.0, 9.1, 12.9, 17.0, 21.1, 25.0]
    fit = sf.fit({"pretrain_tokens": sizes, "bleu": bleu}, "bleu", law)
    targets = (15.0, 26.0, 30.0)
    for target, answer in zip(targets, tokens_each(fit, targets), strict=True):
        alone = sf.tokens_for(fit, target)
        assert answer.target == target
        assert answer.within(10) == pytest.approx(alone.within(10), abs=1e-6)
        assert answer.estimate == pytest.approx(alone.estimate, rel=1e-6)
