"""A formula with its numbers is worth what the law is worth."""

import math
import re

import numpy as np
import pytest

import scalefit as sf
from scalefit.laws.law import in_numbers
from scalefit.units import parse_count

PARAMS = {
    "power": {"E": 1.5, "A": 400.0, "alpha": 0.25},
    "pure_power": {"A": 400.0, "alpha": 0.25},
    "log": {"D0": 2000.0, "s": 8.25, "beta": 1.5},
    "bansal": {"A": 4.0, "gamma": 0.125, "alpha": 0.5},
    "rectified": {"B": 40.0, "D_l": 25.0, "beta": 0.5, "E": 1.5},
    "ceiling": {"c": 40.0, "a": 60.0, "b": 0.25},
    "logistic": {"lo": 2.0, "hi": 40.0, "k": 0.5, "x_mid": 2e6},
    "chinchilla": {"E": 1.5, "A": 400.0, "B": 800.0, "alpha": 0.25, "beta": 0.5},
    "multiplicative": {"A": 4.0, "alpha": 0.25, "beta": 0.125, "E": 1.5},
    "broken": {"E": 1.5, "B": 40.0, "c0": 0.25, "c1": 0.5, "x_d": 2e6, "f": 0.5},
    "ce_to_bleu": {"C": 60.0, "k": 0.5},
}


def worth(text, inputs):
    """The value of a written formula: counts, powers and products as Python has them."""
    text = re.sub(r"(?<![\w.])\d[\d.]*[kMBT]\b", lambda m: repr(parse_count(m[0])), text)
    for ours, theirs in (("·", "*"), ("−", "-"), ("^", "**"), ("ln ", "ln"), ("e**", "E**")):
        text = text.replace(ours, theirs)
    return eval(text, {"ln": math.log, "E": math.e, **inputs})


@pytest.mark.parametrize("name", PARAMS)
def test_the_written_formula_gives_the_laws_own_value(name):
    law, constants = sf.LAWS[name], {"D_ref": 3e5} if name == "log" else {}
    inputs = dict(zip(law.inputs, (5e6, 3e8), strict=False))
    written = in_numbers(law.at({**law.constants, **constants}), PARAMS[name])
    expected = law(*inputs.values(), **PARAMS[name], **constants)
    assert worth(written, inputs) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("bend", [0.0, 0.02])
def test_a_law_that_went_into_another_one_is_written_as_that(bend):
    steps = np.arange(5)
    bleu = 5 * 4.0 ** (0.2 * steps) * np.exp(bend * steps**2)
    fit = sf.fit({"pretrain_tokens": 1e6 * 4.0**steps, "bleu": bleu}, "bleu", "log")
    assert "D0" not in fit.equation
    assert fit.equation.startswith("bleu = ")
    assert worth(fit.equation.split("=")[1], {"D": 16e6}) == pytest.approx(
        float(fit.value(16e6)[0]), rel=1e-3
    )


def test_negative_numbers_stand_in_brackets_and_sizes_are_counts():
    law = sf.LAWS["logistic"]
    said = in_numbers(law, {"lo": -1.0, "hi": 30.0, "k": 1.0, "x_mid": 1e9})
    assert said == "(−1) + (30 − (−1)) / (1 + (x/1B)^−1)"
