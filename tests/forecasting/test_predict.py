"""What to expect where nothing was measured, and what is said about trusting it."""

import json

import numpy as np
import pytest

import scalefit as sf
from scalefit.errors import DomainError


def test_a_forecast_is_the_curve_with_its_interval(loss_fit):
    band = sf.predict(loss_fit, pretrain_tokens=[1e8, 1e10])
    np.testing.assert_allclose(band.estimate, loss_fit.value([1e8, 1e10]))
    np.testing.assert_allclose(band.estimate, 1.7 + 400 * np.array([1e8, 1e10]) ** -0.3, atol=0.01)
    assert (band.low < band.estimate).all()
    assert (band.estimate < band.high).all()
    assert band[1].width > 2 * band[0].width
    assert len(band) == 2
    assert band[0].level == 0.95
    assert band.method == loss_fit.uncertainty.method


def test_input_may_be_named_by_law_or_by_column(loss_fit):
    by_column = sf.predict(loss_fit, pretrain_tokens=1e10)
    by_name = sf.predict(loss_fit, x=1e10)
    assert by_column.estimate == by_name.estimate
    assert by_column.low == by_name.low


def test_sizes_may_be_written_as_counts(loss_fit):
    written = sf.predict(loss_fit, pretrain_tokens=["300M", "1.5B"])
    np.testing.assert_array_equal(written.inputs["pretrain_tokens"], [3e8, 1.5e9])
    assert sf.predict(loss_fit, pretrain_tokens="1.5B")[0] == written[1]
    with pytest.raises(
        DomainError, match=r"x is \['many'\]; give numbers, or counts such as '1.5B'"
    ):
        sf.predict(loss_fit, pretrain_tokens=["many"])


def test_inputs_of_two_broadcast(pair_fit):
    band = sf.predict(pair_fit, parameters=1e9, D=[1e10, 1e12])
    expected = 1.7 + 400 * 1e9**-0.34 + 2000 * np.array([1e10, 1e12]) ** -0.37
    np.testing.assert_allclose(band.estimate, expected, atol=0.01)
    assert list(band.rows()[0]) == [
        "parameters",
        "pretrain_tokens",
        "estimate",
        "low",
        "high",
        "level",
        "kind",
    ]


def test_intervals_widen_with_the_level(loss_fit):
    widths = [
        sf.predict(loss_fit, x=1e10, level=level)[0].width for level in (0.5, 0.8, 0.95, 0.99)
    ]
    assert widths == sorted(widths)


def test_one_new_run_is_less_certain_than_the_mean(loss_fit):
    mean, run = (sf.predict(loss_fit, x=1e8, kind=kind)[0] for kind in ("mean", "run"))
    assert run.low < mean.low
    assert run.high > mean.high


def test_extrapolation_is_called_one(loss_fit):
    far = sf.predict(loss_fit, x=[1e9, 3e10])
    assert far.notes == (
        "pretrain_tokens lies 30× beyond the largest measured: an extrapolation, not a measurement",
    )
    assert sf.predict(loss_fit, x=5e9).notes == ()


def test_bleu_above_100_is_called_impossible(bleu_fit):
    band = sf.predict(bleu_fit, pretrain_tokens=[1e9, 1e20])
    assert band.estimate[1] == 100
    assert (band.high <= 100).all()
    (note,) = (n for n in band.notes if "maximum" in n)
    assert note.startswith("the law promises bleu 1")
    assert "above its maximum 100 (first at D = 1e+20)" in note
    assert "no ceiling" in note


def test_a_ceiling_that_the_data_put_above_the_range_is_called_that():
    D = np.geomspace(1e6, 1e9, 8)
    fit = sf.fit({"pretrain_tokens": D, "bleu": 150 - 300 * D**-0.06}, "bleu", "ceiling")
    (note,) = [n for n in sf.predict(fit, 1e20).notes if "above its maximum" in n]
    assert "a ceiling above the range" in note


@pytest.mark.parametrize("below", [0.5, 1.0])
def test_the_log_law_has_no_value_at_or_below_d0(bleu_fit, below):
    at = bleu_fit.params["D0"] * below
    with pytest.raises(
        DomainError, match=r"law 'log' has no value at D = .*it has values above D = "
    ):
        sf.predict(bleu_fit, pretrain_tokens=[1e9, at])


@pytest.mark.parametrize("size", [0.0, -1.0, np.nan, np.inf])
def test_a_size_must_be_a_size(loss_fit, size):
    with pytest.raises(DomainError, match="law 'power' has no value at x ="):
        sf.predict(loss_fit, x=[1e8, size])


def test_inputs_are_named_in_errors(loss_fit, pair_fit):
    with pytest.raises(
        DomainError, match=r"no input 'tokens'; its inputs are x \(pretrain_tokens\)"
    ):
        sf.predict(loss_fit, tokens=1e9)
    with pytest.raises(DomainError, match=r"give each input of the fit once: N \(parameters\), D"):
        sf.predict(pair_fit, N=1e9)
    with pytest.raises(DomainError, match="give each input of the fit once"):
        sf.predict(loss_fit, x=1e9, pretrain_tokens=1e9)


def test_a_band_as_data(loss_fit):
    band = sf.predict(loss_fit, pretrain_tokens=[1e8, 1e10])
    frame = band.to_frame()
    assert list(frame.columns) == ["pretrain_tokens", "estimate", "low", "high", "level", "kind"]
    stored = json.loads(json.dumps(band.to_dict(), allow_nan=False))
    assert stored["high"][1] == band.high[1]
    assert stored["kind"] == "mean"
    assert repr(band).startswith(
        "cross_entropy of the mean curve at pretrain tokens 10B (the last of 2 points): "
    )
    assert repr(band).splitlines()[0].endswith("95%; one law, doubt about it included")
    assert "<table" in band._repr_html_()


def test_a_band_without_ends_is_strict_json():
    """As many points as parameters: the interval is the whole line, which JSON writes in words."""
    x = np.geomspace(1e6, 1e9, 3)
    fit = sf.fit({"t": x, "v": [3.0, 2.0, 1.7]}, "v", "power", inputs={"x": "t"})
    stored = sf.predict(fit, x=1e10).to_dict()
    json.dumps(stored, allow_nan=False)
    assert (stored["low"], stored["high"]) == (["-inf"], ["inf"])


def test_a_mixture_says_what_carries_it_and_stays_in_range():
    x = np.geomspace(1e6, 1e9, 6)
    mixture = sf.fit({"pretrain_tokens": x, "bleu": [80.0, 88.0, 93.0, 96.0, 97.5, 98.5]}, "bleu")
    band = sf.predict(mixture, ["3M", 1e9, "100B"], kind="run", level=0.99)
    assert (band.high <= 100).all()
    assert band.given == "mixture"
    assert band.notes[0].startswith("carried by ")
    assert sum(mixture.weights.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("size", "said"),
    [(1e5, "below the smallest"), (1e13, "nothing is known there"), (np.nan, "nan is no size")],
)
def test_a_mixture_answers_between_the_smallest_size_and_a_thousand_times_the_largest(size, said):
    x = np.geomspace(1e6, 1e9, 6)
    mixture = sf.fit({"pretrain_tokens": x, "bleu": np.linspace(5, 20, 6)}, "bleu")
    with pytest.raises(DomainError, match=said):
        sf.predict(mixture, size)
    with pytest.raises(DomainError, match="takes no law for the truth"):
        sf.predict(mixture, 1e10, given="law")


def test_given_the_law_the_band_is_the_law_s_own(loss_fit):
    law, doubt = (sf.predict(loss_fit, 1e10, given=g) for g in ("law", None))
    np.testing.assert_array_equal(
        (law.low, law.high), loss_fit.band((np.array([1e10]),), 0.95, "mean")
    )
    assert doubt.low < law.low < law.high < doubt.high
    inside = [sf.predict(loss_fit, 1e8, given=g)[0] for g in ("law", None)]
    assert inside[0].width == pytest.approx(inside[1].width)


def test_an_unknown_kind_is_refused(loss_fit):
    """It used to be read as the mean where the mixture answers: a band of what no run shows."""
    with pytest.raises(DomainError, match="choose from mean, run"):
        sf.predict(loss_fit, 1e8, kind="new_run")


@pytest.mark.parametrize(
    ("grows", "beyond", "told"), [(6, 10, "grows"), (2.5, 10, "may grow"), (6, 1, ""), (1, 10, "")]
)
def test_a_run_beyond_sizes_over_which_noise_grows_is_said_to_hold_less(grows, beyond, told):
    rng, x = np.random.default_rng(3), np.geomspace(1e7, 1e10, 8)
    noise = 0.02 * np.geomspace(1, grows, 8)[:, None] * rng.standard_normal((8, 5))
    table = {"pretrain_tokens": np.repeat(x, 5), "pretrain_run": [f"r{i}" for i in range(40)],
             "cross_entropy": (1.7 + 400 * x[:, None] ** -0.3 + noise).ravel()}  # fmt: skip
    fit = sf.fit(table, "cross_entropy", law="power")
    run, mean = (sf.predict(fit, beyond * x[-1], kind=kind) for kind in ("run", "mean"))
    assert [note.split(" up to")[0].split(" about")[0] for note in run.notes if "seed" in note] == (
        [f"seed noise {told}"] if told else []
    )
    assert not any("seed noise" in note for note in mean.notes)
