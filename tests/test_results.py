"""One protocol for every answer: whoever knows one of our results knows them all."""

import dataclasses
import importlib
import inspect
import json
import math
import numbers
import pathlib
import pickle
import pkgutil
import re
import subprocess
import sys
import tempfile
import typing

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import SubFigure

import scalefit as sf
from scalefit import landscape, views
from scalefit.errors import FormatError, NoPictureError, UnknownNameError
from scalefit.result import Result, Results, common_notes, plain
from scalefit.rows import text_table
from scalefit.store import KINDS as KINDS_KEPT
from scalefit.store import document
from scalefit.table import Observations

EVIL = "<b>fr & co</b>"
SIZES = [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6]
BLEU = [5.0, 9.1, 12.9, 17.0, 21.1, 25.0]
SCORES = [3.0, 3.01, 2.99, 2.9, 2.91, 2.89, 2.8, 2.81, 2.79, 2.7, 2.71, 2.69]


def table(*corpora):
    return {
        "pretrain_tokens": SIZES * len(corpora),
        "corpus": [name for name in corpora for _ in SIZES],
        "bleu": [value - i for i in range(len(corpora)) for value in BLEU],
    }


def seeds():
    return {
        "pretrain_tokens": [size for size in (1e6, 4e6, 16e6, 64e6) for seed in range(3)],
        "pretrain_seed": [1, 2, 3] * 4,
        "corpus": [EVIL] * 12,
        "bleu": [20.0, 20.3, 19.9, 22.1, 21.8, 22.0, 23.2, 22.9, 23.1, 21.0, 21.3, 20.9],
        "cross_entropy": SCORES,
    }


def runs():
    rows = [
        (c, d, p, f, 20 + 2 * (c != EVIL) + 0.3 * p + 0.1 * f - 5 * (d == "out"))
        for c in (EVIL, "en") for d in ("in", "out") for p in (1, 2, 3, 4) for f in (1, 2)
    ]  # fmt: skip
    names = ("corpus", "domain", "pretrain_seed", "finetune_seed", "bleu")
    return {n: [row[i] for row in rows] for i, n in enumerate(names)} | {
        "pretrain_tokens": [1e9] * len(rows)
    }


def tasks():
    return {
        "corpus": [EVIL] * 6, "task": ["en-fr", "en-de"] * 3, "pretrain_seed": [1, 1, 2, 2, 3, 3],
        "pretrain_tokens": [1e9] * 6, "bleu": [20.0, 15.0, 21.0, 15.5, 20.5, 14.5],
    }  # fmt: skip


def scored():
    systems = {EVIL: ["the cat sat", "a dog ran off"], "poor": ["the cat", "a dog"]}
    references = ["the cat sat", "a dog ran off"]
    return sf.score_systems(systems, references, metrics=["chrf"], cache=False)


def similarities():
    near = {"en": ["a red house"], EVIL: ["une maison"], "code": ["int x = 0;"]}
    return {k: sf.similarity(v, ["a red house"], ["une maison rouge"]) for k, v in near.items()}


def bowl(weights):
    return float((weights["w"] ** 2).sum())


def models():
    points = {EVIL: [1.0, 0.0], "b": [-1.0, 0.2], "c": [0.0, 1.0]}
    return {name: {"w": np.array(w)} for name, w in points.items()}


def many_apart():
    at = np.array([0.0, 0.1, 0.2, 5.0, 5.1, 5.2, 0.05, 5.05])
    return np.abs(at[:, None] - at)


def one_fit():
    return sf.fit(table(EVIL), "bleu", "log", where={"corpus": EVIL})


def logged():
    path = pathlib.Path(tempfile.mkdtemp()) / "forecasts.jsonl"
    sf.forecast(table(EVIL), at=SIZES[-1], where={"pretrain_tokens": "<=300M"}).log(path)
    return sf.forecast_score(table(EVIL), path)


def worth():
    return {
        "corpus": ["none"] * 4 + [EVIL] * 4,
        "pretrain_tokens": [0] * 4 + [1e8] * 4,
        "finetune_tokens": [1e5, 1e5, 1e6, 1e6] * 2,
        "finetune_seed": [0, 1] * 4,
        "bleu": [5.0, 5.1, 12.0, 12.1, 9.0, 9.1, 14.0, 14.1],
    }


def both_sizes():
    p, f = (v.ravel() for v in np.meshgrid([0, 1e6, 4e6, 16e6, 64e6], [1e4, 4e4, 16e4]))
    bleu = 40 - 20 * (1 + f / 1e4) ** -0.5 - 10 * (1 + p / 1e6) ** -0.5
    return {
        "corpus": np.where(p > 0, EVIL, "none"),
        "pretrain_tokens": p,
        "finetune_tokens": f,
        "bleu": bleu,
    }


def allocated():
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 1e11, 4)))
    loss = (1.7 + 400 * n**-0.34 + 400 * d**-0.34) * (1 + 0.002 * np.sin(np.arange(16)))
    data = {"N": n, "D": d, "loss": loss}
    law = sf.fit(data, "loss", "chinchilla", inputs={"N": "N", "D": "D"})
    return sf.allocate(law, [1e20, 1e21], resamples=5)


# One small example of every kind; what is not here is found by a test below.
def over_sizes():
    sizes, seeds, domains = (
        v.ravel() for v in np.meshgrid([1e6, 1e7, 1e8], range(4), ["in", "out"])
    )
    score = (
        0.2 + 0.1 * np.log10(sizes / 1e6) + 0.05 * np.cos(np.arange(24)) + 0.2 * (domains == "in")
    )
    named = {"pretrain_tokens": sizes, "pretrain_seed": seeds, "domain": domains}
    return {**named, EVIL: score}


def refitted():
    sizes = np.meshgrid(np.geomspace(1e8, 1e10, 4), np.geomspace(1e9, 1e11, 4))
    N, D = (a.ravel() for a in sizes)
    loss = sf.published()["besiroglu-2024"](N, D) + 0.004 * np.cos(np.arange(16))
    return {"N": N, "D": D, EVIL: loss}, EVIL


def chained():
    sizes = np.geomspace(1e7, 1e10, 8)
    loss = 1.8 + 90 * sizes**-0.25 + 0.01 * np.cos(np.arange(8))
    data = {"D": sizes, "loss": loss, EVIL: 30 * np.exp(-0.5 * loss) + 0.01 * np.sin(np.arange(8))}
    steps = [sf.Step("loss", "power"), sf.Step(EVIL, "ce_to_bleu")]
    return sf.chain(data, steps, inputs={"x": "D"}, direct="ceiling", hold_out=1)


MADE = {
    sf.Fit: one_fit,
    sf.Card: lambda: one_fit().card(held_out=0.5),
    sf.Influence: lambda: one_fit().influence(),
    sf.Contour: lambda: sf.fit(table("en"), "bleu", "ceiling").contour("a", "b", points=5),
    sf.Fits: lambda: sf.fit_each(table(EVIL, "en"), "bleu", "log"),
    sf.Band: lambda: sf.predict(one_fit(), pretrain_tokens=[1e9, 4e9]),
    sf.TokensFor: lambda: sf.tokens_for(one_fit(), 30.0),
    sf.Mixture: lambda: sf.fit(table(EVIL), "bleu", where={"corpus": EVIL}),
    sf.Mixtures: lambda: sf.fit_each(table(EVIL, "en"), "bleu"),
    sf.Surface: lambda: sf.fit_joint(both_sizes(), "bleu"),
    sf.Streamed: lambda: sf.Streamed("fits", (2, 1), (0, 1), ("a note",)),
    sf.Forecast: lambda: sf.forecast(table(EVIL, "en"), target=30.0),
    sf.Outlook: lambda: sf.forecast(table(EVIL, "en"), target=30.0, at="2B")["en"],
    sf.Backtest: lambda: sf.backtest(table(EVIL, "en"), "bleu", ["ceiling"], hold_out=1),
    sf.Chain: chained,
    sf.Refit: lambda: sf.refit_published(
        "besiroglu-2024", *refitted(), inputs={"N": "N", "D": "D"}
    ),
    sf.LawComparison: lambda: sf.compare_laws(table(EVIL), "bleu", ["log", "ceiling"]),
    sf.ForecastScore: logged,
    sf.Ranking: lambda: sf.rank(table(EVIL, "en", "de"), at="4B").only,
    sf.Rankings: lambda: sf.rank(table(EVIL, "en", "de"), target=26.0),
    sf.Value: lambda: sf.value(worth())[0],
    sf.Values: lambda: sf.value(worth()),
    sf.Plan: lambda: sf.plan(table(EVIL, "en"), at="4B", enough=0.999),
    sf.Allocation: allocated,
    sf.AlignmentTable: lambda: sf.align(seeds()),
    sf.Alignment: lambda: sf.align(seeds())[0],
    sf.WatchTable: lambda: sf.monitor(seeds()),
    sf.Watch: lambda: sf.monitor(seeds())[0],
    sf.Variance: lambda: sf.variance(runs(), metric="bleu"),
    sf.VariancePart: lambda: sf.variance(runs(), metric="bleu")["in"],
    sf.SeedPlan: lambda: sf.seeds_needed(sf.Spread(pretrain=0.5, finetune=0.2), difference=1.0),
    sf.SeedCurves: lambda: sf.seed_curves(over_sizes(), EVIL, success=0.5),
    sf.SeedCurve: lambda: sf.seed_curves(over_sizes(), EVIL, success=0.5)[0],
    sf.Comparison: lambda: sf.compare_procedures(runs(), a=EVIL, b="en", metric="bleu"),
    sf.Contrast: lambda: sf.compare_procedures(runs(), a=EVIL, b="en", metric="bleu")["in"],
    sf.Aggregates: lambda: sf.aggregate_tasks(tasks(), metric="bleu"),
    sf.Bimodality: lambda: sf.bimodality([20.1, 20.3, 19.9, 20, 20.2, 25.1, 24.9, 25.2, 25, 24.8]),
    sf.Similarity: lambda: similarities()[EVIL],
    sf.SimilarityReport: lambda: sf.similarity_report(
        {"corpus": ["en", EVIL, "code"], "pretrain_tokens": [1e6] * 3, "bleu": [20.0, 18.0, 9.0]},
        similarities(),
    ),
    sf.Scored: scored,
    sf.SystemComparison: lambda: sf.compare_systems(
        scored().statistics["chrf"], EVIL, resamples=99
    ),
    landscape.Barrier: lambda: landscape.barrier([1.0, 1.6, 1.0]),
    landscape.Budget: lambda: landscape.budget(10),
    landscape.Path: lambda: landscape.paths(models(), bowl, points=3)[0],
    landscape.Distances: lambda: landscape.distances(models(), bowl, points=3, progress=False),
    landscape.Clusters: lambda: landscape.clusters(many_apart()),
    landscape.Plane: lambda: landscape.plane(models(), bowl, size=4, progress=False),
    landscape.Sharpness: lambda: landscape.sharpness(models(), bowl),
    landscape.Prediction: lambda: landscape.predict(
        many_apart(), np.arange(8.0), permutations=19, neighbours=2
    ),
    landscape.Robustness: lambda: landscape.robustness(
        np.tile(many_apart(), (2, 2)), np.arange(16.0), ["<b>"] * 8 + ["b"] * 8, permutations=19
    ),
}
KINDS = pytest.mark.parametrize("kind", MADE, ids=lambda kind: kind.__name__)


@pytest.fixture(scope="module")
def results():
    return {kind: make() for kind, make in MADE.items()}


def every_kind():
    """All kinds of results in the package, wherever they are defined."""
    for module in pkgutil.walk_packages(sf.__path__, "scalefit."):
        if not module.name.startswith("scalefit.cli"):
            importlib.import_module(module.name)

    def below(kind):
        return {kind}.union(*map(below, kind.__subclasses__()))

    def stays(kind):  # an example's own kind does not
        return getattr(sys.modules[kind.__module__], kind.__qualname__, None) is kind

    return set(filter(stays, below(Result))) - {Result, Results}


def test_every_kind_of_result_is_here_and_has_a_public_name():
    kinds = every_kind()
    assert {kind.__qualname__ for kind in kinds - set(MADE)} == set(), "give it an example in MADE"
    public = [getattr(m, name) for m in (sf, landscape) for name in m.__all__]
    assert [kind.__qualname__ for kind in kinds if kind not in public] == []


VALUES = {sf.Explorer, sf.Table, Observations, sf.SegmentStatistics}  # what a user makes answers of


@pytest.mark.parametrize("name", sorted(sf.__all__))
def test_what_a_public_function_gives_is_a_result(name):
    function = getattr(sf, name)
    if not inspect.isfunction(function):
        return
    given = typing.get_type_hints(function).get("return")
    if isinstance(given, type) and dataclasses.is_dataclass(given):
        assert issubclass(given, Result) or given in VALUES


@KINDS
def test_the_verdict_is_one_line_and_notes_are_texts(results, kind):
    result = results[kind]
    assert isinstance(result.verdict, str)
    assert result.verdict.strip()
    assert "\n" not in result.verdict
    assert isinstance(result.notes, tuple)
    assert all(isinstance(note, str) and note for note in result.notes)


def is_number(value):
    return isinstance(value, numbers.Number | np.generic)


@KINDS
def test_rows_hold_numbers_and_labels_and_ends_stand_in_columns_of_their_own(results, kind):
    rows = results[kind].rows()
    assert rows
    for row in rows:
        assert all(v is None or is_number(v) or isinstance(v, str | tuple) for v in row.values())
        texts = {name: v for name, v in row.items() if isinstance(v, str)}
        assert [n for n, v in texts.items() if re.search(r"\[.*\]|→|∞", v)] == [], (
            "numbers, not text"
        )
        for name in row:
            if name.endswith("low"):
                assert f"{name[:-3]}high" in row
        if "estimate" in row:
            assert {"low", "high"} <= set(row)


@KINDS
def test_frames_hold_numbers(results, kind):
    frame = results[kind].to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert len(frame) == len(results[kind].rows())
    for name in frame.columns:
        labels = [v for v in frame[name] if isinstance(v, str)]
        mixed = len(labels) > 0 and any(is_number(v) and not pd.isna(v) for v in frame[name])
        assert not mixed, f"{name} mixes numbers and text"
        if not labels and not frame[name].map(lambda v: isinstance(v, tuple)).any():
            assert frame[name].dtype.kind in "fiub", f"{name} is {frame[name].dtype}"


def walk(value):
    yield value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from walk(item)


@KINDS
def test_dictionaries_are_strict_json(results, kind):
    told = results[kind].to_dict()
    text = json.dumps(told, allow_nan=False)
    assert json.loads(text) == told
    assert told["verdict"] == results[kind].verdict
    assert told["notes"] == list(results[kind].notes)
    assert {v for v in walk(told) if isinstance(v, str)} & {
        "Infinity",
        "infinity",
        "∞",
        "nan",
    } == set()


def test_infinity_has_one_spelling_and_nan_is_null():
    value = {"a": np.array([1.0, math.nan]), "b": -math.inf, "c": (np.int64(3), None), 4: np.inf}
    assert plain(value) == {"a": [1.0, None], "b": "-inf", "c": [3, None], "4": "inf"}
    with pytest.raises(TypeError, match="function has no place in JSON"):
        plain({"f": bowl})


@KINDS
def test_text_and_html_are_made_of_the_same_pieces(results, kind):
    result = results[kind]
    text, page = str(result), result._repr_html_()
    assert text == repr(result)
    assert text.splitlines()[0] == result.heading
    assert all(f"note: {note}" in text for note in result.notes)
    assert page.startswith("<p><strong>")
    assert "<b>" not in page
    assert ("&lt;b&gt;" in page) or "<b>" not in result.heading + repr(result.shown())


@KINDS
def test_results_are_frozen_and_replace_gives_the_same_answer(results, kind):
    result = results[kind]
    first = dataclasses.fields(result)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(result, first, None)
    again = dataclasses.replace(result)
    assert again.to_dict() == result.to_dict()
    assert again.rows() == result.rows() or "nan" in repr(result.rows())


@KINDS
def test_a_copy_through_pickle_says_the_same(results, kind):
    again = pickle.loads(pickle.dumps(results[kind]))
    assert again.to_dict() == results[kind].to_dict()
    assert str(again) == str(results[kind])


@KINDS
def test_what_is_saved_is_loaded_and_says_the_same(results, kind, tmp_path):
    result = results[kind]
    if kind not in KINDS_KEPT.values():
        with pytest.raises(FormatError, match=f"a {kind.__name__} is not kept in files"):
            result.save(tmp_path / "answer.json")
        return
    result.save(tmp_path / "answer.json")
    again = sf.load(tmp_path / "answer.json")
    assert type(again) is kind
    assert document(again) == document(result)
    assert str(again) == str(result)
    assert {"scalefit", "format", "version", "state", "digest"}.isdisjoint(result.to_dict())


def test_all_answers_but_scores_are_kept_in_files():
    assert set(MADE) - set(KINDS_KEPT.values()) == {sf.Scored}


@KINDS
def test_what_has_a_picture_draws_it_also_where_it_is_told_to(results, kind):
    if kind.__name__ not in views.PICTURES:
        with pytest.raises(NoPictureError, match=f"no picture of a {kind.__name__} is known"):
            results[kind].plot()
        return
    assert results[kind].plot().axes
    figure, axes = plt.subplots(1, 2, layout="constrained", figsize=(22, 6))
    drawn = results[kind].plot(ax=axes[1])
    assert drawn is axes[1] or isinstance(
        drawn, SubFigure
    )  # a picture of several parts takes its place
    assert drawn.figure is figure
    figure.draw_without_rendering()
    plt.close(figure)


def test_every_kind_that_has_a_picture_is_a_result_and_its_picture_is_there():
    assert set(views.PICTURES) <= {kind.__name__ for kind in every_kind()}
    assert all(callable(getattr(views, name)) for name in views.PICTURES.values())


def test_a_picture_loads_its_own_module_and_not_those_of_all_others():
    script = (
        "import sys, scalefit as sf; x = [1e6, 4e6, 16e6, 64e6, 256e6]; "
        "sf.fit({'pretrain_tokens': x, 'bleu': [5, 9, 13, 17, 21]}, 'bleu', 'log').plot(); "
        "print('scalefit.views.plots' in sys.modules, 'scalefit.views.landscape' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "False"]


@pytest.mark.parametrize(
    "kind", [k for k in MADE if issubclass(k, Results)], ids=lambda k: k.__name__
)
def test_members_are_found_by_place_by_slice_and_by_what_a_person_would_type(results, kind):
    many = results[kind]
    assert [many[i] for i in range(len(many))] == list(many)
    assert type(many[:1]) is kind
    assert list(many[:1]) == [many[0]]
    for member in many:
        values = tuple(v for v in many.labels(member).values() if v is not None)
        found = many[values]
        assert found is member or member in list(found)
    with pytest.raises(UnknownNameError, match="nothing here belongs to 'no such thing'; there is"):
        _ = many["no such thing"]


def test_a_count_is_found_however_it_is_written():
    rows = table("fr", "en")
    fits = sf.fit_each({**rows, "finetune_tokens": [128_000] * 6 + [3e6] * 6}, "bleu", "log")
    assert fits["128k"] is fits["fr"]
    assert fits["en", "3M"] is fits["en"]
    assert fits["3e6"] is fits["en"]


def test_notes_of_many_groups_stand_once_with_whom_they_are_about():
    notes = [("a", ["x", "y"]), ("b", ["y"]), ("c", ["y", "z"]), ("d", ["z", "y"])]
    assert common_notes(notes) == ("a: x", "y", "2 of 4 groups: z")


def test_long_tables_end_with_a_count():
    lines = text_table([{"i": i} for i in range(100)])
    assert lines[-1] == "… and 60 more rows"
    assert text_table([]) == []
