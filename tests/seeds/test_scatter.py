"""Heavy tails and failed runs in ``sf.variance``: widened, named or told."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scalefit as sf
from scalefit.seeds.anova import FINETUNE, PRETRAIN, component
from scalefit.seeds.design import Cell, nested_cells
from scalefit.seeds.scatter import Scatter, strays, with_tails


def cells_of(y):
    """Cells of values (C, P, F)."""
    return [
        Cell(
            {"corpus": str(c)},
            {p: dict(enumerate(map(float, row))) for p, row in enumerate(cell)},
            {p: f"{c}-{p}" for p in range(len(cell))},
        )
        for c, cell in enumerate(y)
    ]


def frame(y):
    rows = [
        (str(c), 1e6, f"{c}-{p}", p, f, v)
        for c, cell in enumerate(y) for p, row in enumerate(cell) for f, v in enumerate(row)
    ]  # fmt: skip
    names = ["corpus", "pretrain_tokens", "pretrain_run", "pretrain_seed", "finetune_seed", "bleu"]
    return pd.DataFrame(rows, columns=names)


def held(draw, shape, runs):
    """Share of tables whose intervals hold a variance of 1, finetuning seeds: plain, and as tails widen them."""
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(runs):
        cells = cells_of(rng.normal(size=(*shape[:2], 1)) + draw(rng, shape))
        plain = nested_cells(cells)
        ends = [component(s, FINETUNE)[:2] for s in (plain, with_tails(plain, cells))]
        hits.append([low <= 1 <= high for low, high in ends])
    return np.mean(hits, axis=0)


def test_tails_widen_and_normal_runs_keep_their_level():
    """Small version of benchmarks/simulate_seeds.py --only tails."""
    plain, wide = held(lambda r, s: r.normal(size=s), (4, 5, 3), 400)
    assert 0.92 < plain <= wide < 0.985
    plain, wide = held(lambda r, s: r.standard_t(3, s) / 3**0.5, (4, 10, 3), 300)
    assert plain < 0.65
    assert wide > 0.75


@pytest.mark.parametrize("kind", ["t3", "lognormal", "failed"])
def test_intervals_hold_where_tails_are_told(kind):
    """Small version of benchmarks/simulate_seeds.py --only tails."""
    rng = np.random.default_rng(0)
    draw = {
        "t3": lambda s: rng.standard_t(3, s) / 3**0.5,
        "lognormal": lambda s: rng.lognormal(size=s) / np.sqrt(np.exp(2) - np.exp(1)),
        "failed": lambda s: (rng.normal(size=s) - 10 * (rng.random(s) < 0.05)) / np.sqrt(5.75),
    }[kind]
    held = []
    for _ in range(250):
        cells = cells_of(draw((1, 1, 40)))
        if Scatter.of(cells[0].groups).heavy:
            low, high, _ = component(with_tails(nested_cells(cells), cells), FINETUNE)
            held.append(low <= 1 <= high)
    assert len(held) > 90
    assert np.mean(held) > 0.9 - 2.5 * (0.09 / len(held)) ** 0.5


@pytest.mark.parametrize(
    "shape", [(1, 2, 3), (1, 3, 2), (1, 5, 3), (4, 3, 2), (1, 8, 1), (1, 1, 12)]
)
def test_one_table_of_normal_runs_in_twenty_names_a_run_at_most(shape):
    rng = np.random.default_rng(1)
    alarms = [
        bool(strays(cells_of(rng.normal(size=(*shape[:2], 1)) + rng.normal(size=shape)))[0])
        for _ in range(300)
    ]
    assert np.mean(alarms) < 0.05 + 2.5 * (0.05 * 0.95 / 300) ** 0.5


@pytest.mark.parametrize(("sd", "digits"), [(0.4, 0), (0.04, 1), (2.0, 0)])
def test_rounded_runs_that_tie_make_no_stray_of_the_one_that_does_not(sd, digits):
    rng = np.random.default_rng(3)
    tables = np.round(50 + sd * rng.normal(size=(300, 2, 3)), digits)
    named = [Scatter.of(list(y)).apart().min() * 6 < 0.05 for y in tables]
    assert np.mean(named) < 0.05


@pytest.mark.parametrize("shape", [(1, 2, 3), (2, 3, 2), (1, 5, 3)])
def test_a_failed_run_is_named_and_left_out(shape):
    rng = np.random.default_rng(2)
    right = 0
    for _ in range(50):
        y = 30 + rng.normal(size=(*shape[:2], 1)) + rng.normal(size=shape)
        y[0, 1, 1] -= 25
        named, left = strays(cells_of(y))
        right += bool(named) and (named[0].cell, named[0].pretrain, named[0].finetune) == (0, 1, 1)
        assert max(np.ptp(list(g.values())) for c in left for g in c.runs.values()) < 15
    assert right >= 45


def test_the_note_says_the_parts_with_and_without_it():
    y = 30 + np.random.default_rng(3).normal(size=(1, 5, 3))
    y[0, 3, 2] -= 20
    told = sf.variance(frame(y), metric="bleu").only
    (note,) = (n for n in told.notes if "apart" in n)
    assert "pretraining seed 3, finetuning seed 2" in note
    without = sf.variance(
        frame(y).query("not (pretrain_seed == 3 and finetune_seed == 2)"), metric="bleu"
    ).only
    assert f"without, {PRETRAIN} SD {without[PRETRAIN].sd:.3g}" in note
    assert f"{FINETUNE} SD {told[FINETUNE].sd:.3g}; without" in note


def test_a_failed_pretraining_seed_is_named_whole():
    y = 30 + np.random.default_rng(4).normal(size=(1, 6, 3))
    y[0, 2] -= 20
    notes = sf.variance(frame(y), metric="bleu").only.notes
    assert any("pretraining seed 2 (mean" in n for n in notes)


@pytest.mark.parametrize("shape", [(1, 9, 1), (1, 1, 9), (1, 5, 3)])
def test_two_failed_runs_do_not_hide_each_other(shape):
    y = 30 + np.random.default_rng(6).normal(size=shape)
    y[0, -1, -1], y[0, 0, 0] = 2.0, 4.0
    named, left = strays(cells_of(y))
    assert {(s.pretrain, s.finetune or 0) for s in named} >= {(0, 0), (shape[1] - 1, shape[2] - 1)}
    assert left[0].every.min() > 20


def test_few_runs_say_what_they_take_for_granted_and_many_do_not():
    rng = np.random.default_rng(5)
    few, many = (sf.variance(frame(30 + rng.normal(size=s)), metric="bleu").only
                 for s in ((1, 3, 2), (4, 10, 5)))  # fmt: skip
    assert any("6 runs cannot show heavy tails, nor failures of up to 39 %" in n for n in few.notes)
    assert not any("cannot show" in n for n in many.notes)
    assert all("normal runs" in c.method for c in few.components)


@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-100, 100))
def test_neither_scale_nor_level_matters(seed, factor, shift):
    groups = np.random.default_rng(seed).standard_t(2, (4, 3))
    first = Scatter.of([*groups])
    moved = Scatter.of([*(shift + factor * groups)])
    assert moved.excess == pytest.approx(first.excess, abs=1e-6)
    assert moved.apart() == pytest.approx(first.apart(), abs=1e-6)


def test_the_deleted_t_is_the_t_test_of_one_against_the_others():
    from scipy import stats

    group = np.array([1.0, 2.0, 4.0, 3.5, 9.0])
    want = stats.ttest_ind(group[:4], group[4:]).pvalue
    assert Scatter.of([group]).apart()[4] == pytest.approx(want)


def test_what_does_not_scatter_says_nothing():
    for groups in ([], [np.ones(1)], [np.ones(3), np.ones(3)], [np.array([1.0, 2.0])]):
        scatter = Scatter.of(groups)
        assert scatter.excess == 0
        assert (scatter.apart() == 1).all()


@pytest.mark.parametrize(("n", "shown"), [(2, 0.5), (3, 0.5), (5, 0.65)])
def test_a_residual_shows_a_part_of_its_values_kurtosis(n, shown):
    """((1 − 1/n)⁴ + (n − 1) / n⁴) / (1 − 1/n)², for a residual is (1 − 1/n) times its own value less others' n-ths."""
    scatter = Scatter.of([np.arange(float(n))] * 4)
    assert scatter.chance == pytest.approx((24 / (4 * (n - 1))) ** 0.5 / shown)


def test_excess_beyond_chance_is_counted_by_its_upper_limit():
    quiet, loud = (Scatter.of([np.array([*np.linspace(-1, 1, 20), far])]) for far in (1.5, 9.0))
    assert quiet.most_excess == quiet.excess < quiet.chance
    assert loud.most_excess == pytest.approx(3 * loud.excess - 2 * loud.chance)


def test_degrees_of_freedom_are_those_of_the_variances_own_variance():
    x = np.random.default_rng(0).exponential(size=(40_000, 8))  # excess kurtosis 6
    worth = Scatter.of([x[0]]).worth(7, 6.0)
    assert worth == pytest.approx(2 / (6 / 8 + 2 / 7))
    assert worth == pytest.approx(2 / x.var(1, ddof=1).var(), rel=0.06)


def test_seeds_are_held_to_the_tails_of_runs_beyond_half_their_error():
    y = np.random.default_rng(7).normal(size=(1, 6, 4))
    y[0, 2, 1] += 6.0
    cells = cells_of(y)
    runs, means = Scatter.of(cells[0].groups), Scatter.of([cells[0].means])
    assert means.most_excess < runs.excess - runs.chance / 2
    dof = with_tails(nested_cells(cells), cells).dof
    assert dof[0] == pytest.approx(means.worth(5, runs.excess - runs.chance / 2))
    assert dof[1] == pytest.approx(runs.worth(18, runs.most_excess))
