"""Every public entry point times every bad input: a right answer or our error, no warnings of others."""

import contextlib
import decimal
import warnings

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.errors import ScalefitError, ScalefitWarning

SIZES = [1e6, 3e6, 1e7, 3e7, 1e8, 3e8]
BLEU = [10.25, 14.5, 18.125, 21.75, 24.0625, 26.5]


def table(**changes):
    """A good table of six sizes and two seeds, with columns changed."""
    data = {
        "pretrain_tokens": SIZES * 2,
        "pretrain_seed": [1] * 6 + [2] * 6,
        "bleu": [*BLEU, *(b + 0.1 * (-1) ** i for i, b in enumerate(BLEU))],
        "cross_entropy": [3.5 - 0.1 * i for i in range(6)] * 2,
    }
    return {**data, **changes}


def with_value(value, *, everywhere=False):
    return table(bleu=[value] * 12 if everywhere else [*table()["bleu"][:-1], value])


INPUTS = {
    "good": table(),
    "none": None,
    "number": 3,
    "bytes": b"bleu",
    "set": {1, 2},
    "generator": (i for i in range(3)),
    "empty mapping": {},
    "empty frame": pd.DataFrame(),
    "empty list": [],
    "list of numbers": [1, 2, 3],
    "no such file": "no/such/file.csv",
    "empty text": "",
    "zero-dimensional": np.array(3.0),
    "one-dimensional": np.arange(3.0),
    "two-dimensional": np.ones((3, 2)),
    "series": pd.Series([1.0, 2.0], name="bleu"),
    "no rows": {"pretrain_tokens": [], "bleu": []},
    "one row": {"pretrain_tokens": [1e6], "bleu": [20.25]},
    "two rows": {"pretrain_tokens": [1e6, 1e7], "bleu": [20.25, 21.25]},
    "scalars": {"pretrain_tokens": 1e6, "bleu": 20.25},
    "ragged": {"pretrain_tokens": [1, 2, 3], "bleu": [20.25]},
    "nested": table(bleu=[[1, 2]] * 12),
    "records": table(bleu=[{"a": 1}] * 12),
    "nan": with_value(np.nan),
    "all nan": with_value(np.nan, everywhere=True),
    "infinite": with_value(np.inf),
    "negative": with_value(-1.0),
    "all zero": with_value(0.0, everywhere=True),
    "constant": with_value(20.0, everywhere=True),
    "text": with_value("high"),
    "text numbers": table(bleu=[str(b) for b in table()["bleu"]]),
    "decimals": table(bleu=[decimal.Decimal(str(b)) for b in table()["bleu"]]),
    "decimal commas": table(bleu=["20,5"] * 12),
    "fractions": table(bleu=[b / 100 for b in table()["bleu"]]),
    "mixed scales": with_value(0.265),
    "percent signs": table(bleu=["20.5%"] * 12),
    "huge": with_value(1e300, everywhere=True),
    "tiny": with_value(1e-300, everywhere=True),
    "huge sizes": table(pretrain_tokens=[s * 1e290 for s in SIZES] * 2),
    "tiny sizes": table(pretrain_tokens=[s * 1e-300 for s in SIZES] * 2),
    "zero sizes": table(pretrain_tokens=[0.0] * 12),
    "negative sizes": table(pretrain_tokens=[-s for s in SIZES] * 2),
    "nan sizes": table(pretrain_tokens=[np.nan] * 12),
    "one size": table(pretrain_tokens=[1e6] * 12),
    "counts in words": table(pretrain_tokens=["1M", "3M", "10M", "30M", "100M", "300M"] * 2),
    "unsorted": {k: v[::-1] for k, v in table().items()},
    "twice": {k: v * 2 for k, v in table().items()},
    "conflicting": table(pretrain_seed=[1] * 12, pretrain_tokens=[1e6, 1e7] * 6),
    "unicode": table(corpus=["Größe – 日本 😀"] * 12),
    "odd texts": table(corpus=["$\\frac{$", "#", "=1+1", "", None, "a\nb"] * 2),
    "categorical": table(corpus=pd.Categorical(["a", "b"] * 6)),
    "dates": table(when=pd.to_datetime(["2026-01-01"] * 12)),
    "dates as sizes": table(pretrain_tokens=pd.to_datetime(["2026-01-01"] * 12)),
    "bools": with_value(True, everywhere=True),
    "complex": with_value(1 + 2j, everywhere=True),
    "missing integers": table(pretrain_seed=pd.array([1, None] * 6, dtype="Int64")),
    "single precision": table(bleu=np.array(table()["bleu"], dtype=np.float32)),
    "huge integers": table(pretrain_tokens=[10**30] * 12),
    "column 1 and '1'": pd.DataFrame([[1, 2, 3]] * 3, columns=[1, "1", "bleu"]),
    "same column twice": pd.DataFrame([[1, 2]] * 3, columns=["bleu", "bleu"]),
    "many-level columns": pd.DataFrame(np.ones((3, 2)), columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])),
    "pivot": pd.DataFrame({"fr": BLEU, "de": BLEU}, index=pd.Index(SIZES, name="pretrain_tokens")),
}  # fmt: skip

DOORS = {
    "as_table": sf.as_table,
    "fit": lambda data: sf.fit(data, "bleu", "log"),
    "fit_each": lambda data: sf.fit_each(data, "bleu", "log"),
    "forecast": lambda data: sf.forecast(data, "bleu", target=30),
    "rank": lambda data: sf.rank(data, "bleu", at=1e9),
    "align": sf.align,
    "variance": lambda data: sf.variance(data, metric="bleu"),
    "compare_procedures": lambda data: sf.compare_procedures(
        data, a={"pretrain_seed": 1}, b={"pretrain_seed": 2}, metric="bleu"
    ),
    "aggregate_tasks": lambda data: sf.aggregate_tasks(data, metric="bleu"),
    "backtest": lambda data: sf.backtest(data, "bleu", ["log"]),
    "compare_laws": lambda data: sf.compare_laws(data, "bleu", ["log", "ceiling"]),
    "chain": lambda data: sf.chain(
        data, [sf.Step("cross_entropy", "power"), sf.Step("bleu", "ce_to_bleu")]
    ),
    "explore": sf.explore,
    "fit_joint": sf.fit_joint,
    "monitor": sf.monitor,
    "observations": lambda data: sf.observations(data, "bleu", {"D": "pretrain_tokens"}),
    "plan": lambda data: sf.plan(data, "bleu", at=1e9),
    "refit_published": lambda data: sf.refit_published(
        "kaplan-2020-data", data, "cross_entropy", inputs={"D": "pretrain_tokens"}
    ),
    "robustness": lambda data: sf.robustness(
        data, a={"pretrain_seed": 1}, b={"pretrain_seed": 2}, metric="bleu"
    ),
    "seed_curves": lambda data: sf.seed_curves(data, "bleu"),
    "seeds_needed": lambda data: sf.seeds_needed(data, metric="bleu"),
    "value": sf.value,
    "read": sf.read,
    "score": lambda data: sf.score(data, data, None, ["bleu"], cache=False, progress=False),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", INPUTS)
def test_an_answer_or_our_error(door, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ScalefitWarning)
        with contextlib.suppress(ScalefitError):
            str(DOORS[door](INPUTS[name]))


@pytest.mark.parametrize("door", ["as_table", "fit", "fit_each", "forecast", "align", "variance"])
def test_the_good_one_is_answered(door):
    assert str(DOORS[door](INPUTS["good"]))


@pytest.mark.parametrize(
    "call",
    [
        lambda fit: sf.predict(fit, "many"),
        lambda fit: sf.predict(fit, 1e11),
        lambda fit: sf.predict(fit, -1),
        lambda fit: sf.predict(fit, None),
        lambda fit: sf.predict(fit, np.nan),
        lambda fit: sf.tokens_for(fit, "40"),
        lambda fit: sf.tokens_for(fit, np.inf),
        lambda fit: sf.tokens_for(fit, None),
        lambda fit: sf.tokens_for(fit, [30]),
        lambda fit: sf.predict(None, [1e9]),
        lambda fit: sf.tokens_for("fit", 30),
        lambda fit: sf.save(fit, "no/such/folder/fit.json"),
        lambda fit: sf.load("no/such/fit.json"),
    ],
)
def test_questions_to_a_fit(call):
    fit = sf.fit(table(), "bleu", "log")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ScalefitWarning)
        with contextlib.suppress(ScalefitError, OSError):
            assert call(fit) is not None or call is not None
