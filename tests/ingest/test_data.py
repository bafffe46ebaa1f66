"""Every door takes what a user has, renamed, cut and checked in one way."""

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.errors import (
    ArgumentError,
    DesignError,
    DomainError,
    FormatError,
    MissingColumnError,
    ScalefitError,
    TableError,
)
from scalefit.ingest import table_of

SIZES = [1e6, 4e6, 1.6e7, 6.4e7, 2.56e8]
COLUMNS = {  # of few digits: other libraries' spreadsheets keep no more
    "corpus": ["fr"] * 10 + ["en"] * 10,
    "tokens": np.tile(np.repeat(SIZES, 2), 2),
    "pretrain_seed": [1, 2] * 10,
    "BLEU": (10 + 2 * np.log10(np.tile(np.repeat(SIZES, 2), 2)) + np.tile([0.02, -0.02], 10)).round(
        5
    ),
    "loss": (
        3 - 0.1 * np.log10(np.tile(np.repeat(SIZES, 2), 2)) + np.tile([0.01, -0.01], 10)
    ).round(5),
}
MAPPING = {"tokens": "pretrain_tokens", "loss": "cross_entropy"}
DOORS = {
    "fit": lambda data, **o: sf.fit(data, "bleu", "log", **o),
    "fit_each": lambda data, **o: sf.fit_each(data, "bleu", "log", **o),
    "forecast": lambda data, **o: sf.forecast(data, target=28.0, **o),
    "align": sf.align,
    "monitor": sf.monitor,
    "variance": lambda data, **o: sf.variance(data, metric="bleu", **o),
    "seeds_needed": lambda data, **o: sf.seeds_needed(data, metric="bleu", half_width=1.0, **o),
    "observations": lambda data, **o: sf.observations(data, "bleu", {"D": "pretrain_tokens"}, **o),
    "compare": lambda data, **o: sf.compare_procedures(data, a=SIZES[0], b=SIZES[1], metric="bleu",
                                                       column="pretrain_tokens", **o),
}  # fmt: skip


CHOICES = {
    "rank": lambda data, **o: sf.rank(data, **{"at": 1e9, **o}),
    "value": sf.value,
    "forecast": sf.forecast,
    "tokens_for": lambda data, **o: sf.tokens_for(
        sf.fit(data, "bleu", where={"corpus": "fr"}), **{"target": 28.0, **o}
    ),
}


@pytest.mark.parametrize("level", [95, 0, 1, -0.5, float("nan"), "0.9", None, True])
@pytest.mark.parametrize("door", sorted({*DOORS, *CHOICES} - {"fit", "fit_each", "observations"}))
def test_every_door_refuses_a_level_that_is_no_confidence(door, level):
    with pytest.raises(DomainError, match="a confidence lies between 0 and 1"):
        {**CHOICES, **DOORS}[door](pd.DataFrame(COLUMNS).rename(columns=MAPPING), level=level)


@pytest.mark.parametrize("target", ["30", [30], True, float("nan"), 300, -1])
@pytest.mark.parametrize("door", ["rank", "forecast", "tokens_for"])
def test_every_door_refuses_a_target_that_is_none(door, target):
    data = pd.DataFrame(COLUMNS).rename(columns=MAPPING)
    with pytest.raises(DomainError, match="target is"):
        CHOICES[door](data, target=target, **({"at": None} if door == "rank" else {}))


@pytest.fixture
def forms(tmp_path):
    frame = pd.DataFrame(COLUMNS)
    frame.to_csv(tmp_path / "results.csv", index=False)
    frame.to_excel(tmp_path / "results.xlsx", index=False)
    polars = pytest.importorskip("polars")
    return {
        "path": tmp_path / "results.csv",
        "text": str(tmp_path / "results.csv"),
        "frame": frame,
        "index": frame.set_index(["corpus", "tokens"]),
        "excel": tmp_path / "results.xlsx",
        "polars": polars.DataFrame(COLUMNS),
        "lazy": polars.LazyFrame(COLUMNS),
        "pyarrow": polars.DataFrame(COLUMNS).to_arrow(),
        "mapping": COLUMNS,
        "table": sf.Table.from_frame(frame, mapping=MAPPING),
    }


def numbers(answer):
    """What an answer says, without the notes on where it was read from."""
    for name in ("digest", "params"):
        if hasattr(answer, name):
            return str(getattr(answer, name))
    return str(answer.rows())


@pytest.mark.parametrize("door", sorted({*DOORS} - {"seeds_needed"}))
def test_every_door_takes_a_path_a_frame_a_table_and_a_mapping(door, forms):
    answers = set()
    for form, data in forms.items():
        mapping = None if form == "table" else MAPPING
        answers.add(numbers(DOORS[door](data, mapping=mapping, where={"corpus": "fr"})))
    assert len(answers) == 1


def test_seeds_are_planned_from_results(forms):
    more = forms["frame"].assign(finetune_seed=1)
    again = more.assign(finetune_seed=2, BLEU=more["BLEU"] + np.tile([0.03, -0.01, 0.02, 0.0], 5))
    table = pd.concat([more, again])
    plan = sf.seeds_needed(table, metric="bleu", half_width=1.0, mapping=MAPPING)
    spread = sf.variance(table, metric="bleu", mapping=MAPPING)
    assert plan.rows() == sf.seeds_needed(spread, half_width=1.0).rows()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "data",
    [
        None,
        "",
        [],
        {},
        3,
        "no such file.csv",
        np.zeros((3, 2)),
        pd.DataFrame(),
        {"pretrain_tokens": 5, "bleu": 3},
    ],
    ids=str,
)
def test_bad_data_are_answered_by_us(door, data):
    if (door == "compare" and data is None) or (
        door == "variance" and isinstance(data, np.ndarray)
    ):
        pytest.skip("scores per example, here")
    with pytest.raises(ScalefitError):
        DOORS[door](data)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"allow": "nonsense"}, "allow has nonsense"),
        ({"where": {1: 2}}, "no column '1'"),
    ],
)
def test_bad_options_are_answered_by_us(options, words):
    with pytest.raises(TableError, match=words):
        table_of({"pretrain_tokens": [1e6], "bleu": [20.0]}, **options)


@pytest.mark.parametrize("own", ["loss", "dev loss", "dev_loss", "loss/dev"])
def test_a_loss_is_renamed_by_the_name_that_is_shown(own):
    runs = {"pretrain_tokens": [1e6, 1e7], "bleu": [20.0, 21.0], own: [2.5, 2.4]}
    with pytest.raises(TableError, match=r"the table has loss, bleu\. Try: metric='loss'"):
        table_of(runs).metric("cross_entropy")
    told = table_of(runs, mapping={"loss": "cross_entropy"}, metrics=["cross_entropy"])
    assert told.where(metric="cross_entropy").column("value").tolist() == [2.5, 2.4]


def test_a_missing_file_is_named():
    with pytest.raises(FormatError, match=r"no such file\.csv"):
        sf.fit("no such file.csv", "bleu")


def test_a_law_needs_the_columns_it_is_given_and_no_others(tmp_path):
    path = tmp_path / "models.csv"
    pd.DataFrame({"num_params": SIZES, "perplexity": [90, 75, 66, 61, 58]}).to_csv(
        path, index=False
    )
    fit = sf.fit(path, "perplexity", "power", inputs={"x": "num_params"})
    assert fit.points.y.size == 5
    assert list(fit.observations.columns.values()) == ["num_params"]


@pytest.mark.parametrize("name", ["wer", "WER", "my own metric"])
def test_a_metric_that_the_user_names_counts(name):
    data = {"pretrain_tokens": SIZES, name: [30.0, 22.0, 17.0, 14.0, 12.0]}
    assert sf.fit(data, name, "power").points.y.size == 5


def test_numbers_where_numbers_are_needed():
    fit = sf.fit(COLUMNS, "bleu", "log", mapping=MAPPING, where={"corpus": "fr"})
    assert sf.predict(fit, 1e9).estimate == sf.predict(fit, pretrain_tokens="1B").estimate
    with pytest.raises(DomainError, match="target is '15'"):
        sf.tokens_for(fit, "15")
    with pytest.raises(DesignError, match="found a Fit; needed the spread over seeds first"):
        sf.seeds_needed(fit, target=20)
    with pytest.raises(ArgumentError, match=r"fit_each.by=3.: needed by"):
        sf.fit_each(COLUMNS, "bleu", by=3, mapping=MAPPING)


def falls_while_loss_improves(**loss):
    rng = np.random.default_rng(0)
    sizes = np.repeat(np.geomspace(1e6, 1e9, 5), 3)
    bleu = 40 - 2 * np.log10(sizes) + rng.normal(0, 0.2, sizes.size)
    return {"pretrain_tokens": sizes, "pretrain_seed": [0, 1, 2] * 5, "bleu": bleu, **loss}


def test_perplexity_s_logarithm_is_the_loss_beside_quality():
    sizes = np.repeat(np.geomspace(1e6, 1e9, 5), 3)
    entropy = 5 - 0.3 * np.log10(sizes) + np.random.default_rng(1).normal(0, 0.01, sizes.size)
    (by_loss,) = sf.align(falls_while_loss_improves(cross_entropy=entropy))
    table = sf.align(falls_while_loss_improves(perplexity=np.exp(entropy)))
    assert table[0].flag == by_loss.flag == "misaligned"
    assert table[0].p_misaligned == pytest.approx(by_loss.p_misaligned, rel=1e-9)
    assert any("logarithm of perplexity" in note for note in table.notes)
    both = sf.forecast(falls_while_loss_improves(perplexity=np.exp(entropy)))
    assert both[0].last("cross_entropy") == pytest.approx(np.mean(entropy[-3:]))


@pytest.mark.parametrize("quality", [("bleu",), ("test_bleu",), ("newstest_bleu", "ood_bleu")])
@pytest.mark.parametrize("loss", ["cross_entropy", "valid_cross_entropy", "dev_perplexity"])
def test_a_loss_on_a_set_of_its_own_misleads_about_every_set_of_the_quality(quality, loss):
    sizes = np.repeat(np.geomspace(1e6, 1e9, 5), 3)
    entropy = 5 - 0.3 * np.log10(sizes) + np.random.default_rng(1).normal(0, 0.01, sizes.size)
    data = falls_while_loss_improves()
    bleu = data.pop("bleu")
    data |= dict.fromkeys(quality, bleu) | {
        loss: np.exp(entropy) if "perplexity" in loss else entropy
    }
    told = sf.align(data)
    assert [result.flag for result in told] == ["misaligned"] * len(quality)
    assert {w.metric for w in sf.monitor(data)} == {"bleu"}
    forecast = sf.forecast(data)
    assert [o.last("cross_entropy") for o in forecast] == pytest.approx(
        [np.mean(entropy[-3:])] * len(quality)
    )


def test_sets_that_the_loss_shares_with_quality_stay_as_they_are():
    data = falls_while_loss_improves(cross_entropy=np.linspace(3, 2, 15))
    data["ood_bleu"] = data["bleu"] - 5.0
    told = {result.group["eval_set"]: result for result in sf.align(data)}
    assert told[None].flag == "misaligned"
    assert told["ood"].flag == ""


@pytest.mark.parametrize("name", ["bits_per_byte", "val_loss", "loss", "dev nll"])
def test_the_only_loss_of_a_table_stands_beside_quality_where_nobody_names_one(name):
    data = falls_while_loss_improves(**{name: np.linspace(3, 2, 15)})
    told = sf.align(data)
    assert told[0].flag == "misaligned"
    assert sum("taken for the loss that should tell quality" in note for note in told.notes) == 1
    assert sf.align(data, loss="cross_entropy")[0].flag == ""
    assert sf.monitor(data)[0].misaligned
    assert any("taken for the loss" in note for note in sf.forecast(data).notes)


def test_of_several_losses_one_is_to_be_named():
    data = falls_while_loss_improves(
        loss=np.linspace(3, 2, 15), bits_per_byte=np.linspace(3, 2, 15)
    )
    told = sf.align(data)
    assert told[0].flag == ""
    assert any("loss='bits_per_byte' says which" in note for note in told.notes)
    assert sf.align(data, loss="loss")[0].flag == "misaligned"


UNSIZED = {"task": ["a"] * 16, "pretrain_seed": np.repeat(range(4), 4), "finetune_seed": [0, 1, 2, 3] * 4,
           "bleu": np.linspace(20.03, 26.11, 16)}  # fmt: skip


@pytest.mark.parametrize(
    "door", sorted(set(DOORS) - {"variance", "value", "compare", "seeds_needed"})
)
def test_reading_needs_no_sizes_and_the_door_that_does_says_so(door, tmp_path):
    path = tmp_path / "runs.csv"
    pd.DataFrame(UNSIZED).to_csv(path, index=False)
    table = sf.read(path)
    assert sf.variance(table, "bleu").verdict == sf.variance(path, "bleu").verdict
    for data in (table, path, UNSIZED):
        with pytest.raises(
            MissingColumnError, match=r"no column 'pretrain_tokens' .* Try mapping="
        ):
            DOORS[door](data)


def test_what_may_be_the_sizes_is_named():
    sizes = {"Images": ["1M", "3M", "10M"], "kind": ["a", "b", "c"], "layers": [3, 4, 5]}
    with pytest.raises(MissingColumnError, match=r"Try mapping=\{'Images': 'pretrain_tokens'\}"):
        sf.fit({**sizes, "accuracy": [0.61, 0.68, 0.73]}, "accuracy")
