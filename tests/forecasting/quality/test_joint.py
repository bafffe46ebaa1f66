"""The joint law of pretraining and finetuning sizes: rising, bounded, better than rows alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalefit.errors import FitError
from scalefit.forecasting.quality import forecast_quality, learn_quality
from scalefit.forecasting.quality.joint import SizedCells, joint_of

from .samples import curve

PRETRAIN = np.array([0.0, 1e6, 3e6, 1e7, 3e7])
FINETUNE = np.array([1e4, 3e4, 1e5, 3e5])


def truth(p, f):
    """Less to gain from pretraining where there is much finetuning data."""
    return 45 - 25 * (1 + f / 1e4) ** -0.6 * (1 + 2 * (1 + p / 1e6) ** -0.7)


def grid(noise=0.0, seed=0):
    p, f = (v.ravel() for v in np.meshgrid(PRETRAIN, FINETUNE))
    q = truth(p, f) + noise * np.random.default_rng(seed).standard_normal(p.size)
    return SizedCells(np.column_stack([p, f]), q)


def test_a_surface_of_its_own_kind_is_continued_in_both_directions():
    joint = joint_of(grid())
    p, f = np.array([1e8, 3e7, 1e8]), np.array([1e5, 1e6, 1e6])
    np.testing.assert_allclose(joint.predict(p, f).median, truth(p, f), atol=0.7)


def test_a_finetuning_size_that_nobody_ran_is_read_between_its_neighbours():
    assert joint_of(grid()).predict(1e7, 5.5e4).median[0] == pytest.approx(
        truth(1e7, 5.5e4), abs=0.5
    )


@settings(max_examples=15)
@given(q=st.lists(st.floats(0, 100), min_size=20, max_size=20))
def test_the_law_rises_in_both_sizes_and_stays_in_range_whatever_the_cells(q):
    joint = joint_of(replace(grid(), quality=np.array(q)))
    p, f = np.meshgrid(np.geomspace(1e5, 1e10, 6), np.geomspace(1e3, 1e8, 6))
    surface = (joint._each(np.column_stack([p.ravel(), f.ravel()])) @ joint.weights).reshape(6, 6)
    assert np.all(np.diff(surface, axis=0) >= -1e-6)
    assert np.all(np.diff(surface, axis=1) >= -1e-6)
    assert surface.max() <= 100 + 1e-6
    values = joint.predict(p.ravel(), f.ravel()).values
    assert values.min() >= 0
    assert values.max() <= 100
    assert np.all(np.diff(values, axis=0) >= 0)


def test_held_out_cells_lie_within_the_band():
    inside = []
    for seed in range(20):
        cells = grid(0.5, seed)
        kept = cells.sizes[:, 0] < 3e7
        joint = joint_of(SizedCells(cells.sizes[kept], cells.quality[kept]))
        held = cells.sizes[~kept]
        low, high = joint.predict(held[:, 0], held[:, 1]).interval(0.8)
        inside += ((low <= cells.quality[~kept]) & (cells.quality[~kept] <= high)).tolist()
    assert 0.7 < np.mean(inside) <= 0.97


def test_a_target_needs_less_pretraining_where_there_is_more_finetuning_data():
    joint = joint_of(grid(0.1))
    assert joint.reach(38.0, 3e5).within(3.0) > joint.reach(38.0, 3e4).within(3.0)


def test_units_of_the_metric_and_the_sizes_change_nothing():
    cells = grid(0.3)
    moved = SizedCells(cells.sizes * 1e3, cells.quality / 100, top=1.0)
    a = joint_of(cells).predict(1e8, 1e5).values
    b = joint_of(moved).predict(1e11, 1e8).values
    np.testing.assert_allclose(a / 100, b, rtol=1e-6)


def test_too_few_cells_are_refused_with_what_to_measure():
    cells = grid()
    with pytest.raises(FitError, match="found 5 cells; measure the missing corners"):
        joint_of(SizedCells(cells.sizes[:5], cells.quality[:5]))
    one_row = cells.sizes[:, 1] == 1e4
    with pytest.raises(FitError, match="two finetuning sizes"):
        joint_of(
            SizedCells(np.vstack([cells.sizes[one_row]] * 2), np.tile(cells.quality[one_row], 2))
        )


@pytest.fixture
def published(shared):
    """cg-transfer's full grid of pretraining and finetuning sizes: D_p, D_f, accuracy."""
    table = pd.read_csv(shared / "cg_transfer" / "cg_table.csv")
    grid = table[(table.task == "imagenet-sinclass") & (table.model == "r50")]
    grid = grid[grid.corpus == "64k-mulclass-bop"].sort_values("pretrain_tokens")
    return grid[["pretrain_tokens", "finetune_tokens", "accuracy"]].to_numpy()


def test_more_pretraining_on_a_published_grid_is_foretold_about_as_well_as_by_each_row(published):
    small = published[:, 0] < 32000
    part, held = published[small], published[~small]
    ours = joint_of(SizedCells(part[:, :2], part[:, 2], 1.0)).predict(held[:, 0], held[:, 1])
    low, high = ours.interval(0.95)
    assert np.mean((low <= held[:, 2]) & (held[:, 2] <= high)) > 0.85
    curves, actual = [], []
    for finetune in np.unique(part[:, 1]):
        row = part[(part[:, 1] == finetune) & (part[:, 0] > 0)]
        curves.append(curve(row[:, 0], row[:, 2], top=1.0))
        actual.append(held[held[:, 1] == finetune, 2])
    alone = forecast_quality(curves, np.array([32000.0, 64000.0]), learn_quality(curves))
    of_rows = np.abs(np.array([a.median for a in alone]) - np.array(actual)).mean()
    assert np.abs(ours.median - held[:, 2]).mean() < 1.8 * of_rows


def test_a_finetuning_size_nobody_ran_on_a_published_grid_is_better_than_a_line_between(published):
    ours, line = [], []
    for finetune in np.unique(published[:, 1])[1:-1]:
        out = published[:, 1] == finetune
        part, held = published[~out], published[out]
        said = joint_of(SizedCells(part[:, :2], part[:, 2], 1.0)).predict(held[:, 0], held[:, 1])
        ours += np.abs(said.median - held[:, 2]).tolist()
        for pretrain, _, accuracy in held:
            row = part[part[:, 0] == pretrain]
            row = row[np.argsort(row[:, 1])]
            between = np.interp(np.log(finetune), np.log(row[:, 1]), row[:, 2])
            line.append(abs(between - accuracy))
    assert np.mean(ours) < np.mean(line)
