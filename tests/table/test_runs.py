"""Which rows are one run, and which may be averaged: one answer for fits, alignment and seeds."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalefit as sf
from scalefit.errors import FitError, TableError
from scalefit.table import as_table, grouping, runs_of

SIZES = [1e6, 1e7, 1e8, 1e9, 1e10]
DEEP = {1: [10.11, 14.13, 18.15, 22.17, 26.19], 6: [4.12, 12.14, 20.16, 28.18, 36.2]}


def layered(**more):
    """Two depths at five sizes, one seed number a size."""
    rows = [
        {"pretrain_tokens": size, "pretrain_seed": 1, "Layers": layers, "bleu": bleu, **more}
        for layers, scores in DEEP.items()
        for size, bleu in zip(SIZES, scores, strict=True)
    ]
    return pd.DataFrame(rows)


def test_a_column_we_do_not_know_is_refused_by_name_where_one_curve_is_asked_for():
    with pytest.raises(FitError, match=r"mix 2 values of 'Layers' \(1, 6\) in one curve"):
        sf.fit(layered(), "bleu", "log")


def test_and_kept_apart_where_many_are():
    fits = sf.fit_each(layered(), "bleu", "log")
    assert {fit.group["Layers"]: fit.points.y.size for fit in fits} == {1.0: 5, 6.0: 5}
    for fit in fits:
        alone = sf.fit(layered(), "bleu", "log", where={"Layers": fit.group["Layers"]})
        assert fit.params == pytest.approx(alone.params, rel=1e-9)
    assert fits.about_data == (
        "groups are split by Layers as well (1, 6): its values are not averaged",
    )


def test_a_forecast_tells_the_users_own_corpora_apart():
    rows = [
        {"pretrain_tokens": size, "Mixture": name, "bleu": base + slope * np.log10(size)}
        for name, base, slope in (("a", 1.0, 2.0), ("b", 3.0, 1.5), ("c", -4.0, 3.0))
        for size in SIZES
    ]
    forecast = sf.forecast(pd.DataFrame(rows), target=24.0)
    assert [o.group["Mixture"] for o in forecast] == ["a", "b", "c"]


def test_alignment_and_variance_keep_it_apart_too():
    table = pd.concat([layered(finetune_seed=s).assign(pretrain_seed=s) for s in (1, 2, 3)])
    table["bleu"] += np.random.default_rng(0).normal(0, 0.1, len(table))
    assert {r.group["Layers"] for r in sf.align(table)} == {1.0, 6.0}
    assert sf.variance(table, metric="bleu").only.cells == 10


def test_what_leaves_no_curve_is_refused_with_a_cure():
    rows = [
        {"pretrain_tokens": size, "pretrain_seed": 1, "optimizer": name, "bleu": 20.0 + i}
        for i, (size, name) in enumerate(
            (size, name)
            for k, size in enumerate(SIZES)
            for name in (f"o{k // 2}", f"o{k // 2 + 3}")
        )
    ]
    with pytest.raises(TableError, match=r"differ in 'optimizer' .*no curve. Try: where="):
        sf.fit_each(pd.DataFrame(rows), "bleu", "log")


HARMLESS = ["host", "started", "log_file", "seed", "hostName", "GPU no."]
AMOUNTS = ["Run Time", "wall_seconds", "time (s)", "step", "Epochs", "gpuHours"]


@pytest.mark.parametrize("name", HARMLESS)
def test_times_places_and_seeds_split_nothing(name):
    table = layered().rename(columns={"Layers": name})
    assert grouping(as_table(table)).columns == ()


@pytest.mark.parametrize("name", AMOUNTS)
@given(seed=st.integers(0, 999), runs=st.integers(2, 4))
@settings(max_examples=5)
def test_amounts_that_runs_took_split_nothing_and_amounts_that_were_set_do(name, seed, runs):
    rng = np.random.default_rng(seed)
    rows = [(size, s) for size in SIZES for s in range(runs)]
    base = pd.DataFrame(rows, columns=["pretrain_tokens", "finetune_seed"]).assign(pretrain_seed=1)
    took = base.assign(bleu=20.0, **{name: rng.integers(10, 99, len(base))})
    assert grouping(as_table(took)).columns == ()
    course = pd.concat([base.assign(bleu=20.0 + k, **{name: 1000 * k}) for k in (1, 2, 4)])
    (column,) = grouping(as_table(course)).columns
    assert column.lower() == name.lower()
    alone = course.drop(columns=["finetune_seed", "pretrain_seed"])
    assert len(grouping(as_table(alone)).columns) == 1


def test_a_course_of_checkpoints_is_no_spread_over_seeds():
    course = [
        {"corpus": corpus, "step": step, "bleu": 20.0 + step / 1000}
        for corpus in ("fr", "de")
        for step in (1000, 2000, 4000)
    ]
    with pytest.raises(sf.errors.DesignError, match="6 cells with one run each"):
        sf.variance(pd.DataFrame(course), "bleu")


def test_a_measurement_splits_nothing():
    table = layered().assign(Layers=np.linspace(3.1, 9.7, 10))
    assert grouping(as_table(table)).columns == ()


def ways(base, long, sizes=SIZES[:4], fresh=False):
    """Two recipes whose seeds are numbered through, as one counter over all runs does."""
    rows = [
        {"pretrain_tokens": size, "pretrain_seed": seed + (100 * k if fresh else 0), "recipe": name}
        for k, size in enumerate(sizes)
        for name, seeds in (("base", base), ("long", long))
        for seed in seeds
    ]
    return pd.DataFrame(rows).assign(bleu=lambda t: 20.0 + np.arange(len(t)))


@settings(max_examples=40)
@given(base=st.integers(2, 4), long=st.integers(2, 4), sizes=st.integers(1, 4), fresh=st.booleans())
def test_runs_with_seeds_of_their_own_are_kept_apart_by_what_parts_them(base, long, sizes, fresh):
    table = ways(range(base), range(base, base + long), SIZES[:sizes], fresh)
    if sizes > 2:
        assert grouping(as_table(table)).columns == ("recipe",)
    apart = sf.variance(table, "bleu").only
    assert apart.cells == 2 * sizes


def test_another_name_of_the_run_and_a_measurement_part_no_runs():
    table = ways((0, 1), (2, 3))
    named = table.assign(recipe=[f"attempt {s}" for s in table["pretrain_seed"]])
    assert grouping(as_table(named)).columns == ()
    moving = table.assign(recipe=np.random.default_rng(1).integers(3, 6, len(table)))
    assert grouping(as_table(moving)).columns == ()


@given(seeds=st.integers(2, 4), sets=st.sampled_from([("eval",), ("eval", "ood")]))
def test_a_name_unique_to_each_run_comes_back_in_none_of_its_metrics(seeds, sets):
    rows = [(size, seed) for size in SIZES[:4] for seed in range(seeds)]
    table = pd.DataFrame(rows, columns=["pretrain_tokens", "seed"]).assign(
        task="en-fr", run_name=lambda t: [f"ft-{n}" for n in range(len(t))]
    )
    for name in ("bleu", "chrf", "loss"):
        for k, place in enumerate(sets):
            table[f"{place}_{name}"] = 2.0 + np.log(table.pretrain_tokens) + k + 0.1 * table.seed
    columns = set(grouping(as_table(table)).columns)
    assert "run_name" not in columns, columns


PLAIN = ["Layers", "Mixture", "width", "optim", "x", "Größe", "lr_schedule"]
COMPOUND = [
    "source_language",
    "step size",
    "log_lr",
    "endToEnd",
    "gpu_count",
    "user-group",
    "line_filter",
]
NAMES = st.sampled_from(PLAIN + COMPOUND)


@settings(max_examples=40)
@given(
    name=NAMES,
    values=st.lists(
        st.one_of(st.integers(0, 9), st.sampled_from("abcde")), min_size=2, max_size=4, unique=True
    ),
    seeds=st.integers(1, 3),
    order=st.randoms(use_true_random=False),
)
def test_no_column_that_separates_rows_of_one_size_and_seed_is_ever_averaged(
    name, values, seeds, order
):
    rows = [
        {"pretrain_tokens": size, "pretrain_seed": seed, name: str(value), "bleu": 20.0 + i}
        for i, value in enumerate(values)
        for size in SIZES[:4]
        for seed in range(seeds)
    ]
    order.shuffle(rows)
    table = as_table(pd.DataFrame(rows), mapping={name: "other"})
    assert grouping(table).columns == ("other",)
    table = as_table(pd.DataFrame(rows))
    assert grouping(table).columns == (name,)
    assert grouping(table, ["pretrain_seed"]).columns == ("pretrain_seed", name)
    for _, part in table.groups(grouping(table).columns):
        assert len(part) == 4 * seeds
    with pytest.raises(FitError, match=f"values of '{name}'"):
        sf.fit(table, "bleu", "log")


def seeded(**more):
    rng = np.random.default_rng(3)
    sizes, seeds = np.repeat(SIZES, 3), np.tile([1, 2, 3], 5)
    values = 1.7 + 40 * sizes**-0.25 + rng.normal(0, 0.01, 15)
    return {"pretrain_tokens": sizes, "pretrain_seed": seeds, "cross_entropy": values, **more}


def test_nor_at_one_size_without_seeds():
    table = pd.DataFrame([
        {"corpus": c, "pretrain_tokens": 1e9, "Layers": layers, "bleu": 20 + layers + 0.1 * run}
        for c in "ab"
        for layers in (1, 6)
        for run in range(4)
    ])  # fmt: skip
    comparison = sf.compare_procedures(table, a="a", b="b", metric="bleu")
    assert "each run is its mean over 2 conditions (Layers)" in comparison.notes
    spread = sf.variance(table, metric="bleu", where={"corpus": "a"}).only
    assert spread["finetuning seed"].variance == pytest.approx(0.05 / 3)


def test_names_of_some_runs_only_merge_nothing():
    """Fifteen runs stay fifteen, and the interval is what it is without the column."""
    runs = [f"r{i}" if i < 4 else None for i in range(15)]
    plain = sf.fit(seeded(), "cross_entropy", "power")
    fit = sf.fit(seeded(pretrain_run=runs), "cross_entropy", "power")
    assert fit.points.y.size == 15
    assert fit.intervals()["alpha"] == plain.intervals()["alpha"]
    assert any("filled in for some rows only" in note for note in fit.notes)
    aligned, without = (
        sf.align(t, quality="cross_entropy") for t in (seeded(pretrain_run=runs), seeded())
    )
    assert aligned[0].p == without[0].p


def test_rows_that_name_nothing_are_runs_of_their_own():
    seeds = [1, None, None] * 5
    runs = runs_of(as_table({**seeded(), "pretrain_seed": seeds}))
    assert len(set(runs.run)) == 15
    assert runs.notes == ("10 rows name no pretrain_run or pretrain_seed: each counts as a run",)


def test_the_baseline_names_no_run_and_unnames_none():
    columns = {"pretrain_tokens": [0, 1e6, 4e6], "bleu": [5.0, 20.0, 21.0]}
    runs = runs_of(as_table({**columns, "pretrain_run": [None, "a", "a"]}))
    assert runs.told == "run"
    assert runs.run[1] == runs.run[2] != runs.run[0]


def test_seeds_that_come_back_are_blocks_and_say_so_everywhere():
    runs = runs_of(as_table(seeded()))
    assert (len(set(runs.run)), len(set(runs.block))) == (15, 3)
    assert runs.returns
    assert not runs_of(as_table(seeded(pretrain_run=np.arange(15)))).returns
    distinct = runs_of(as_table({**seeded(), "pretrain_seed": np.arange(15)}))
    assert not distinct.returns


def test_equal_run_names_of_two_corpora_are_two_runs():
    columns = {"pretrain_tokens": [1e6] * 2, "corpus": ["fr", "en"], "bleu": [20.0, 21.0]}
    runs = runs_of(as_table({**columns, "pretrain_run": ["p1", "p1"]}))
    assert runs.names == ("fr · p1", "en · p1")


@settings(max_examples=30)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_label(order):
    rows = pd.DataFrame(seeded(finetune_seed=[1, 2, 1] * 5)).to_dict("records")
    shuffled = list(range(15))
    order.shuffle(shuffled)
    first = runs_of(as_table(pd.DataFrame(rows)))
    again = runs_of(as_table(pd.DataFrame([rows[i] for i in shuffled])))
    for name in ("run", "block"):
        a, b = getattr(first, name)[shuffled], getattr(again, name)
        assert len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))


@pytest.mark.parametrize(
    ("columns", "kept"),
    [
        ({}, 4),
        ({"finetune_seed": [1, 1, 2, 3]}, 3),
        ({"pretrain_run": list("aabc")}, 3),
        ({"pretrain_run": list("aaaa")}, 4),
        ({"source": ["x.log", "x.log", "y.log", "z.log"]}, 3),
        ({"source": ["lab"] * 4}, 4),
        ({"source": ["a.csv:1", "a.csv:2", "a.csv:3", "a.csv:4"]}, 4),
    ],
)
def test_a_row_is_a_copy_where_a_seed_run_or_source_says_so(columns, kept):
    table = as_table({"pretrain_tokens": [1e6] * 4, "bleu": [20.5, 20.5, 20.5, 20.9], **columns})
    assert len(table) == kept


def test_depths_and_languages_of_a_published_grid_are_kept_apart(shared):
    """Gordon et al.: 3 pairs × 12 sizes × 3 seeds × 3 depths; sizes differ a little by seed and pair."""
    path = shared / "gordon_mt" / "sim_low_resource.0109.summary"
    frame = pd.read_csv(path, sep="\t", comment="#", na_values="--")
    mapping = {
        "data_bytes/4": "pretrain_tokens",
        "bleu_dev": "bleu",
        "ShuffleSeed": "pretrain_seed",
    }
    table = sf.Table.from_frame(frame, mapping=mapping)
    assert set(grouping(table).columns) == {"Lang", "Layers"}
    assert len(table.groups(grouping(table).columns)) == 9


@pytest.mark.parametrize("name", ["init", "initialization", "model_init"])
def test_what_runs_started_from_makes_curves_and_a_number_of_the_start_does_not(name):
    size = np.tile([1e8, 1e9, 1e10, 1e11], 2)
    bleu = [10.25, 13.5, 16.25, 19.75, 8.5, 10.25, 12.75, 14.5]
    rows = {"pretrain_tokens": size, "bleu": bleu}
    assert len(sf.forecast({**rows, name: ["bert"] * 4 + ["roberta"] * 4})) == 2
    assert len(sf.forecast({**rows, name: [1] * 4 + [2] * 4})) == 1


def test_a_run_that_is_there_at_several_sizes_is_a_pretraining_run():
    """Its checkpoints share its luck: taken one by one, 95 % intervals of three such runs held 89 %."""
    size = np.tile([1e8, 1e9, 1e10, 1e11], 2)
    loss = [3.51, 3.02, 2.63, 2.41, 3.55, 3.07, 2.66, 2.46]
    rows = {"tokens": size, "loss": loss}
    table = as_table({**rows, "run": ["a"] * 4 + ["b"] * 4})
    assert "column 'run' taken as 'pretrain_seed' (the only meaning it has here)" in table.notes
    assert runs_of(table).block.tolist() == [0] * 4 + [1] * 4
    for other in (
        {"run": list("abcdefgh")},  # a run a size: what the folders of logs are called
        {"run": ["a"] * 8},
        {"run": ["a"] * 4 + ["b"] * 4, "finetune_seed": [1] * 4 + [2] * 4},
        {"run": ["a"] * 4 + ["b"] * 4, "seed": [1] * 4 + [2] * 4},
    ):
        assert as_table({**rows, **other}).has("run"), other
