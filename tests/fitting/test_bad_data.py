"""None of these ends in a silent success: each is refused, or fitted with a note that says what is wrong."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DomainError, FitError, ScalefitError, TableError

PAIR = {"N": "N", "D": "D"}


def noted(fit, words):
    return any(words in note for note in fit.notes)


def test_a_baseline_alone_is_no_curve():
    data = {"pretrain_tokens": [0.0], "pretrain_seed": [1], "bleu": [5.0]}
    with pytest.raises(FitError, match=r"0 points cannot fix the 3 parameters of law 'log'"):
        sf.fit(data, "bleu", "log")


@pytest.mark.parametrize("points", [3, 4])
def test_fewer_points_than_parameters_are_refused(points):
    data = {
        "N": [1e7, 1e8, 1e9, 1e9][:points],
        "D": [1e9, 3e9, 1e9, 3e9][:points],
        "loss": [3, 2.5, 2.2, 2.0][:points],
    }
    with pytest.raises(FitError) as caught:
        sf.fit(data, "loss", "chinchilla", inputs=PAIR)
    assert str(caught.value) == (
        f"{points} points cannot fix the 5 parameters of law 'chinchilla' (E, A, B, alpha, beta); at least 7 are "
        "needed for an interval: measure more sizes, or take a law with fewer parameters"
    )


def test_as_many_points_as_parameters_give_a_curve_but_no_interval(curve, sizes, losses):
    fit = sf.fit(curve(losses[:3], sizes[:3]), "cross_entropy", "power")
    assert noted(fit, "3 points for 3 parameters: the curve passes through them and no error can")
    assert all(np.isinf(i.low) and np.isinf(i.high) for i in fit.intervals().values())
    assert "no scatter left to judge by" in fit.verdict
    low, high = fit.band((np.array([1e10]),))
    assert (low[0], high[0]) == (-np.inf, np.inf)


def test_one_point_more_than_parameters_is_said_to_be_few(curve, sizes, losses):
    fit = sf.fit(curve(losses[::2], sizes[::2]), "cross_entropy", "power")
    assert noted(fit, "only 4 points for 3 parameters: at least 5 are advised")


def test_repeated_runs_at_too_few_sizes_are_refused(curve, losses, scatter):
    x = np.repeat([1e6, 1e8], 4)
    with pytest.raises(FitError, match="only 2 distinct sizes, too few for the 3 parameters"):
        sf.fit(curve(losses + scatter, x), "cross_entropy", "power")


def test_all_sizes_equal_is_refused(curve, losses):
    with pytest.raises(FitError, match=r"all points have x = 1e\+08; a curve over x needs"):
        sf.fit(curve(losses, np.full(8, 1e8)), "cross_entropy", "power")


def test_proportional_inputs_are_refused(sizes, losses):
    data = {"N": sizes, "D": 20 * sizes, "loss": losses}
    with pytest.raises(FitError, match=r"N and D vary together .* vary D at fixed N"):
        sf.fit(data, "loss", "chinchilla", inputs=PAIR)


def test_nearly_proportional_inputs_are_said_to_trade(sizes, losses, scatter):
    data = {"N": sizes, "D": 20 * sizes * np.exp(1e-3 * scatter), "loss": losses}
    fit = sf.fit(data, "loss", "chinchilla", inputs=PAIR)
    assert noted(fit, "parameters trade against each other") or fit.not_identified


def test_a_straight_line_in_log_size_has_no_exponent(curve, sizes, scatter):
    fit = sf.fit(curve(5 - 0.1 * np.log(sizes) + 0.002 * scatter), "cross_entropy", "power")
    assert noted(fit, "a straight line in log x fits as well")
    assert noted(fit, "floor and exponent are not told apart")
    assert noted(fit, "floor E is at its bound 0")


def test_constant_values_are_refused(curve):
    with pytest.raises(FitError, match="all 8 values are 3: there is no trend"):
        sf.fit(curve(np.full(8, 3.0)), "cross_entropy", "power")


def test_values_constant_up_to_rounding_are_refused(curve, scatter):
    with pytest.raises(FitError, match="all 8 values are 3: there is no trend"):
        sf.fit(curve(3 + 1e-15 * scatter), "cross_entropy", "power")


def test_values_without_a_trend_identify_nothing(curve):
    noise = np.array([0.02, -0.01, 0.01, -0.02, 0.015, 0.0, -0.01, 0.02])
    fit = sf.fit(curve(3 + noise), "cross_entropy", "power")
    assert noted(fit, "only falls with x, but the values show no trend")
    assert {"A", "alpha"} <= fit.not_identified
    assert "not identified: A, E, alpha" in fit.verdict
    assert "not identified" in repr(fit)


def test_a_rise_under_a_law_that_falls(curve, sizes, scatter):
    fit = sf.fit(curve(1 + 0.1 * np.log(sizes) + 0.01 * scatter), "cross_entropy", "power")
    assert noted(fit, "the law 'power' only falls with x, but the values rise")
    assert {"A", "alpha"} <= fit.not_identified


def test_a_fall_under_a_law_that_rises(curve, sizes, scatter):
    fit = sf.fit(curve(40 - np.log(sizes) + 0.01 * scatter, metric="bleu"), "bleu", "log")
    assert noted(fit, "the law 'log' only rises with D, but the values fall")
    assert "beta" in fit.not_identified


def test_one_outlier_is_named_with_what_it_does(curve, losses):
    clean = sf.fit(curve(losses), "cross_entropy", "power").params["alpha"]
    losses[3] *= 3
    fit = sf.fit(curve(losses), "cross_entropy", "power")
    told = [note for note in fit.notes if "far from the curve" in note]
    assert len(told) == 1
    assert told[0].startswith(f"1 point far from the curve (values {losses[3]:.4g}) moves alpha")
    moved = float(told[0].split("moves alpha from ")[1].split(" ")[0])
    assert moved == pytest.approx(clean, abs=0.005)
    assert "use objective='huber'" in told[0]


def test_huber_withstands_the_outlier(curve, losses):
    losses[3] *= 3
    fit = sf.fit(curve(losses), "cross_entropy", "power", objective="huber", delta=0.01)
    assert fit.params["alpha"] == pytest.approx(0.3, abs=0.01)
    assert noted(fit, "1 point far from the curve")
    assert not noted(fit, "use objective='huber'")


def test_an_outlier_beside_a_floor_at_0_does_not_divide_by_it(curve, sizes):
    values = 40 * sizes**-0.2
    values[2] *= 3
    fit = sf.fit(curve(values), "cross_entropy", "power")
    assert noted(fit, "1 point far from the curve")


def test_missing_values_are_left_out_with_a_note(curve, losses):
    losses[2] = np.nan
    fit = sf.fit(curve(losses), "cross_entropy", "power")
    assert fit.points.y.size == 7
    assert noted(fit, "1 empty cell of column")


def test_missing_numbers_of_a_plain_frame_are_left_out_with_a_note(sizes, losses):
    losses[2] = np.nan
    fit = sf.fit({"t": sizes, "v": losses}, "v", "power", inputs={"x": "t"})
    assert fit.points.y.size == 7
    assert noted(fit, "1 empty cell of column 'v' left out")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.inf, "found cross_entropy inf; needed a finite number"),
        (-1.0, "found cross_entropy -1"),
    ],
)
def test_a_table_refuses_impossible_values(curve, losses, value, words):
    losses[2] = value
    with pytest.raises(TableError, match=f"row 2, column 'cross_entropy': {words}"):
        sf.fit(curve(losses), "cross_entropy", "power")


def test_a_plain_frame_refuses_infinity(sizes, losses):
    losses[2] = np.inf
    with pytest.raises(TableError, match="row 2, column 'v': found v inf"):
        sf.fit({"t": sizes, "v": losses}, "v", "power", inputs={"x": "t"})


def test_a_plain_frame_of_texts_is_refused(sizes):
    with pytest.raises(TableError, match="row 0, column 'v': found 'a'; needed a number"):
        sf.fit({"t": sizes, "v": ["a"] * 8}, "v", "power", inputs={"x": "t"})


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_no_logarithm_is_taken_of_what_has_none(sizes, losses, value):
    losses[2] = value
    with pytest.raises(FitError, match=f"value is {value:g} at point 2, and residual='log' takes"):
        sf.fit({"t": sizes, "v": losses}, "v", "power", inputs={"x": "t"}, residual="log")


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_an_input_whose_logarithm_is_taken_must_be_positive(sizes, losses, value):
    sizes[0] = value
    with pytest.raises(
        FitError, match=f"input x is {value:g} at point 0, and law 'power' has no value"
    ):
        sf.fit({"t": sizes, "v": losses}, "v", "power", inputs={"x": "t"})


def test_negative_values_are_told_apart_from_a_law_that_cannot_reach_them(sizes, losses):
    fit = sf.fit({"t": sizes, "v": losses - 10}, "v", "power", inputs={"x": "t"})
    assert noted(fit, "8 values below 0, where the law 'power' cannot go")


@pytest.mark.parametrize("unit", [1e200, 1e-200])
def test_values_without_a_square_are_refused(sizes, losses, unit):
    with pytest.raises(FitError, match="whose square a computer's numbers do not hold; give them"):
        sf.fit({"t": sizes, "v": unit * losses}, "v", "power", inputs={"x": "t"})


def test_a_law_without_a_value_at_these_inputs_is_refused(sizes, losses):
    law = sf.Law(
        name="nowhere",
        formula="a·ln(−k·x)",
        coefficients=(sf.Coefficient("a"),),
        shapes=(sf.Shape("k", (0.5, 1.0)),),
        basis=lambda x, k: (np.log(-k * x),),
    )
    with pytest.raises(FitError, match="'nowhere' has no finite value anywhere in the ranges"):
        sf.fit({"t": sizes, "v": losses}, "v", law, inputs={"x": "t"})


@pytest.mark.parametrize("level", [95, 0, 1, -0.5])
def test_a_level_that_is_no_confidence_is_refused(curve, losses, level):
    fit = sf.fit(curve(losses), "cross_entropy", "power")
    for ask in (fit.intervals, lambda level: sf.predict(fit, pretrain_tokens=1e9, level=level)):
        with pytest.raises(DomainError, match=f"level is {level:g}; a confidence lies between 0 "):
            ask(level=level)


def test_the_baseline_is_not_on_the_curve(curve, sizes, losses):
    sizes[0] = 0
    fit = sf.fit(curve(losses, sizes), "cross_entropy", "power")
    assert noted(fit, "1 row with pretrain_tokens = 0 (the baseline), not on the curve")
    assert fit.points.y.size == 7


def test_copies_do_not_shrink_the_intervals(sizes, losses):
    def fit(times):
        data = {"t": np.repeat(sizes, times), "v": np.repeat(losses, times)}
        seeded = {**data, "pretrain_seed": np.ones(sizes.size * times)}
        return sf.fit(seeded, "v", "power", inputs={"x": "t"})

    once, thrice = fit(1), fit(3)
    assert noted(thrice, "16 exact duplicate rows left out (a copy adds no information)")
    for name, interval in once.intervals().items():
        assert thrice.intervals()[name].width == pytest.approx(interval.width, rel=1e-6)


def test_equal_scores_of_runs_that_nothing_names_are_runs():
    """Scores of one decimal tie, and a tie is no copy."""
    ties = {"pretrain_tokens": [1e6] * 4, "bleu": [20.5, 20.5, 20.5, 20.9]}
    assert list(sf.as_table(ties).column("value")) == [20.5, 20.5, 20.5, 20.9]
    named = sf.as_table({**ties, "pretrain_seed": [1, 1, 2, 3]})
    assert list(named.column("value")) == [20.5, 20.5, 20.9]


def test_points_without_scatter_have_intervals_without_width(curve, sizes):
    fit = sf.fit(curve(1.7 + 400 * sizes**-0.3), "cross_entropy", "power")
    assert noted(fit, "the points lie on the curve exactly")
    for interval in fit.intervals().values():
        assert interval.low == pytest.approx(interval.estimate, rel=1e-6)
        assert interval.high == pytest.approx(interval.estimate, rel=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_a_floor_of_0_is_said_to_be_none(curve, sizes, seed):
    noise = np.random.default_rng(seed).normal(size=8)
    fit = sf.fit(curve(40 * sizes**-0.2 * np.exp(2e-3 * noise)), "cross_entropy", "power")
    assert noted(fit, "no irreducible part is seen in this range")
    floor = fit.intervals()["E"]
    assert floor.low == 0
    assert 0 < floor.high < 0.2


def test_the_interval_of_a_floor_at_its_bound_is_not_empty(curve, sizes, scatter):
    fit = sf.fit(curve(5 - 0.1 * np.log(sizes) + 0.002 * scatter), "cross_entropy", "power")
    assert fit.params["E"] == 0
    assert fit.intervals()["E"].high > 0.1


def test_a_d0_that_the_data_do_not_fix(curve, sizes):
    values = 20 * (sizes / 1e8) ** 0.15
    values[[0, 3]] *= 1.01
    values[5] *= 0.99
    fit = sf.fit(curve(values, metric="bleu"), "bleu", "log")
    assert noted(fit, "D0 and beta are not identified: the curve is a plain power law of D here")
    assert {"D0", "beta"} <= fit.not_identified
    assert "s" not in fit.not_identified


def test_a_parameter_with_one_end_only_is_said_to_have_one(curve):
    sizes = [1e6, 3e6, 1e7, 3e7, 1e8, 3e8]
    data = curve([9.99, 11.9, 14.54, 17.17, 20.27, 23.65], sizes, metric="bleu")
    fit = sf.fit(data, "bleu", "log", residual="linear")
    assert fit.intervals()["D0"].low < 1e-6 * fit.intervals()["D0"].high
    assert fit.verdict.endswith("bounded on one side only: D0")


def test_a_span_under_one_decade_is_noted(curve, losses):
    fit = sf.fit(curve(losses, np.geomspace(1e6, 5e6, 8)), "cross_entropy", "power")
    assert noted(fit, "x spans 5×: under one decade a floor and an exponent hardly differ")


def test_rows_of_several_corpora_are_not_mixed(curve, losses):
    data = curve(losses, corpus=["fr", "de"] * 4)
    with pytest.raises(FitError, match=r"mix 2 values of 'corpus' \('de', 'fr'\) in one curve"):
        sf.fit(data, "cross_entropy", "power")


def test_inputs_must_be_those_of_the_law(curve, losses):
    with pytest.raises(TableError, match="no column 'parameters'"):
        sf.fit(curve(losses), "cross_entropy", "chinchilla")
    with pytest.raises(FitError, match="what h is in your table nobody knows; say it: inputs="):
        sf.fit(curve(losses), "cross_entropy", "repeated_mixture")
    with pytest.raises(FitError, match=r"names \['N'\], but law 'power' takes \['x'\]"):
        sf.fit(curve(losses), "cross_entropy", "power", inputs={"N": "pretrain_tokens"})


def test_letters_of_a_law_of_several_inputs_have_usual_columns():
    n, d = (v.ravel() for v in np.meshgrid([1e7, 1e8, 1e9, 1e10], [1e9, 1e10, 1e11, 1e12]))
    data = {"N": n, "D": d, "cross_entropy": 1.7 + 400 * n**-0.34 + 410 * d**-0.28}
    usual = {"parameters": n, "pretrain_tokens": d, "cross_entropy": data["cross_entropy"]}
    named = sf.fit(data, "cross_entropy", "chinchilla", inputs={"N": "N", "D": "D"})
    assert sf.fit(usual, "cross_entropy", "chinchilla").params == named.params


def test_a_missing_column_is_named(sizes, losses):
    with pytest.raises(TableError, match=r"no column 'w' \(columns: metric, value, t\)"):
        sf.fit({"t": sizes, "v": losses}, "v", "power", inputs={"x": "w"})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objective": "cauchy"}, "objective is 'cauchy'; it must be"),
        ({"residual": "sqrt"}, "residual is 'sqrt'; it must be"),
        ({"objective": "huber"}, r"needs a positive delta=.*found None"),
        ({"objective": "huber", "delta": -1.0}, r"found -1"),
        ({"weights": "equal"}, "weights is 'equal'; it must be"),
        ({"weights": "seeds"}, "needs at least 3 pretraining runs"),
        ({"weights": "stderr"}, "needs a standard error in every row"),
    ],
)
def test_options_are_checked(curve, losses, options, words):
    with pytest.raises(FitError, match=words):
        sf.fit(curve(losses), "cross_entropy", "power", **options)


def test_one_input_of_several_that_does_not_vary_is_refused():
    data = {
        "pretrain_tokens": np.geomspace(1e9, 1e12, 8),
        "parameters": [1e9] * 8,
        "cross_entropy": 4 - 0.1 * np.arange(8.0),
    }
    inputs = {"N": "parameters", "D": "pretrain_tokens"}
    with pytest.raises(FitError, match=r"all points have N = 1e\+09; a curve over N needs several"):
        sf.fit(data, "cross_entropy", "chinchilla", inputs=inputs)


def test_shares_that_do_not_sum_to_one_are_refused_with_the_point():
    data = {
        "fr": [0.1, 0.3, 0.5, 0.7, 0.2, 0.8],
        "en": [0.9, 0.7, 0.5, 0.1, 0.8, 0.2],
        "cross_entropy": [3.0, 2.9, 2.8, 2.7, 2.95, 2.6],
    }
    with pytest.raises(ScalefitError, match=r"which sum to 0\.8 at point 3"):
        sf.fit(data, "cross_entropy", "mixture2", inputs={"r1": "fr", "r2": "en"})


@pytest.mark.parametrize(
    ("noise", "residual", "said"),
    [(3.5, "log", True), (1.6, "log", True), (3.5, "linear", False), (0.5, "log", False)],
)
def test_logarithms_of_loud_noise_are_said_to_bend_the_curve(noise, residual, said):
    x, rng = np.geomspace(1e6, 1e10, 20), np.random.default_rng(1)
    y = 20 * (np.log(x / 1e4) / np.log(1e8 / 1e4)) ** 1.2 + noise * rng.standard_normal(20)
    fit = sf.fit({"D": x, "bleu": y}, "bleu", "log", inputs={"D": "D"}, residual=residual)
    assert any("residual='linear'" in note for note in fit.notes) == said
