"""All pairs: the budget, the store, and the matrix."""

import importlib
import os
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest

from scalefit.errors import ExecutorError, LandscapeError
from scalefit.landscape import Checkpoint, batched, budget, distances
from scalefit.landscape.formats import Entries

from .samples import double_well, wells, write_safetensors


class Counting:
    """A loss that counts the models it sees, and can be made to die."""

    batched = True
    __qualname__ = "Counting"

    def __init__(self, most=10**9, shift=0.0):
        self.seen, self.most, self.shift = 0, most, shift

    def __call__(self, weights):
        self.seen += len(weights["w"])
        if self.seen > self.most:
            raise KeyboardInterrupt
        return double_well(weights) + self.shift


WELLS = """
from scalefit.landscape import batched

@batched
def double_well(weights):
    w = weights["w"]
    return (w[:, 0] ** 2 - 1) ** 2 + 0.1 * (w[:, 1:] ** 2).sum(axis=1)
"""


def test_budget_of_the_seed_is_n_n_minus_1_over_2_times_points():
    found = budget(100, points=11)
    assert found.on_paths == 100 * 99 // 2 * 11
    assert found.evaluations == 100 + 4950 * 9


def test_budget_within_groups():
    assert budget(["a", "a", "b", "b", "b"], points=5).pairs == 4


def test_the_budget_is_exact(rng):
    models, _ = wells(rng, 6)
    loss = Counting()
    found = distances(models, loss, points=7)
    assert loss.seen == found.budget.evaluations == budget(6, 7).evaluations


def test_barriers_between_wells_only(rng):
    models, side = wells(rng, 8)
    square = distances(models, double_well).matrix()
    apart = side[:, None] != side
    assert square[apart].min() > 0.9
    assert square[~apart].max() < 0.05
    np.testing.assert_array_equal(square, square.T)


def test_euclidean_distances_need_no_loss(rng):
    models, _ = wells(rng, 4)
    square = distances(models).matrix()
    assert square[0, 1] == pytest.approx(np.linalg.norm(models[0]["w"] - models[1]["w"]))


@pytest.mark.parametrize("workers", [None, 2])
def test_paths_walked_elsewhere_are_the_same_bit_for_bit(rng, tmp_path, monkeypatch, workers):
    monkeypatch.syspath_prepend(tmp_path)  # where a worker can import the loss from, too
    (tmp_path / "wells_elsewhere.py").write_text(WELLS)
    double_well = importlib.import_module("wells_elsewhere").double_well
    models, _ = wells(rng, 5)
    for i, model in enumerate(models):
        np.savez(tmp_path / f"run{i}.npz", **model)
    files, store = [tmp_path / f"run{i}.npz" for i in range(5)], tmp_path / "paths.sqlite"
    here = distances(files, double_well, points=5)
    with ThreadPoolExecutor(3) as threads:
        executor = threads if workers is None else workers
        there = distances(files, double_well, points=5, executor=executor, store=store)
    np.testing.assert_array_equal(there.curves, here.curves)
    np.testing.assert_array_equal(there.euclidean, here.euclidean)
    again = Counting()  # all paths are kept here; only the first model is looked at anew
    again.__qualname__, again.__module__ = double_well.__qualname__, double_well.__module__
    distances(files, again, points=5, store=store)
    assert again.seen == 1


def test_a_loss_that_cannot_travel_is_refused_before_a_path_is_walked(rng):
    models, _ = wells(rng, 3)
    with pytest.raises(ExecutorError, match="the work cannot be sent to another process"):
        distances(models, lambda w: float((w["w"] ** 2).sum()), points=3, executor=2)


def test_groups_leave_other_pairs_unknown(rng):
    models, _ = wells(rng, 4)
    found = distances(models, double_well, groups=[1, 1, 2, 2])
    assert found.pairs == ((0, 1), (2, 3))
    assert np.isnan(found.matrix()[0, 2])
    assert found.within(2).names == ("model 3", "model 4")
    with pytest.raises(LandscapeError, match="there are 1, 2"):
        found.within(3)


def test_measures_can_be_changed_without_a_new_evaluation(rng):
    models, _ = wells(rng, 4)
    found = distances(models, double_well)
    assert found.using("gap").matrix()[0, 1] >= found.matrix()[0, 1]
    with pytest.raises(LandscapeError, match="no measure 'height' here; there are barrier, gap"):
        found.using("height")


def test_ends_are_the_models_own_losses(rng):
    models, _ = wells(rng, 4)
    expected = [double_well({"w": m["w"][None]})[0] for m in models]
    np.testing.assert_allclose(distances(models, double_well).ends(), expected)


def test_a_killed_run_goes_on_where_it_was(rng, tmp_path, monkeypatch):
    monkeypatch.setattr("scalefit.landscape.evaluate.SECONDS_BETWEEN_COMMITS", 0.0)
    models, _ = wells(rng, 6)
    whole = distances(models, Counting(), points=5)
    with pytest.raises(KeyboardInterrupt):
        distances(models, Counting(most=30), points=5, store=tmp_path / "store.sqlite")
    again = Counting()
    resumed = distances(models, again, points=5, store=tmp_path / "store.sqlite")
    np.testing.assert_array_equal(resumed.curves, whole.curves)
    assert again.seen == whole.budget.evaluations - 30 + 1


KILLED_TASK = """
import time
import numpy as np
from scalefit.landscape import distances

pause, seen = 0.02, []

def loss(weights):
    time.sleep(pause)
    seen.append(1)
    return float((weights["w"] ** 2).sum())

def work():
    rng = np.random.default_rng(0)
    models = [{"w": rng.standard_normal(4)} for _ in range(40)]
    return distances(models, loss, points=5, store="store.sqlite", progress=False)
"""


@pytest.mark.slow
def test_a_process_killed_outright_loses_about_a_second(tmp_path, monkeypatch):
    """SIGKILL leaves no time to tidy up; what was committed is there, and the file is whole."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "killed_task.py").write_text(KILLED_TASK)
    monkeypatch.syspath_prepend(str(tmp_path))
    command = [sys.executable, "-c", "import killed_task; killed_task.work()"]
    with subprocess.Popen(command) as process:
        until = time.monotonic() + 120
        while _rows("store.sqlite") < 50 and time.monotonic() < until:
            time.sleep(0.2)
        process.kill()
    before = _rows("store.sqlite")
    assert 50 <= before < 40 + 40 * 39 // 2
    task = importlib.import_module("killed_task")
    task.pause = 0
    found = task.work()
    assert len(task.seen) == found.budget.evaluations - 40 - (before - 40) * 3 + 1


def _rows(store):
    """Count the evaluations in a store that may not be there yet."""
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT count(*) FROM curve").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def test_a_full_store_costs_one_evaluation_to_check(rng, tmp_path):
    models, _ = wells(rng, 4)
    distances(models, Counting(), store=tmp_path / "s")
    again = Counting()
    distances(models, again, store=tmp_path / "s")
    assert again.seen == 1


def test_a_retrained_model_is_evaluated_anew(rng, tmp_path):
    models, _ = wells(rng, 3)
    distances(models, Counting(), points=3, store=tmp_path / "s")
    models[2] = {"w": models[2]["w"] + 0.01}
    again = Counting()
    distances(models, again, points=3, store=tmp_path / "s")
    assert again.seen == 1 + 1 + 2


def test_a_store_of_other_points_is_refused(rng, tmp_path):
    models, _ = wells(rng, 3)
    distances(models, Counting(), points=3, store=tmp_path / "s")
    with pytest.raises(LandscapeError, match="holds evaluations with at ="):
        distances(models, Counting(), points=5, store=tmp_path / "s")


def test_a_store_of_other_data_is_refused(rng, tmp_path):
    models, _ = wells(rng, 3)
    distances(models, Counting(), store=tmp_path / "s")
    with pytest.raises(LandscapeError, match="the loss or its data changed"):
        distances(models, Counting(shift=1.0), store=tmp_path / "s")


def test_a_store_that_is_something_else_is_refused(rng, tmp_path):
    (tmp_path / "s").write_text("these are my notes, no database at all " * 10)
    with pytest.raises(LandscapeError, match="not a store of this program"):
        distances(wells(rng, 2)[0], double_well, store=tmp_path / "s")


@pytest.mark.parametrize("name", ["s", "s-journal"])
def test_a_pipe_in_place_of_a_store_is_not_waited_for(rng, tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(LandscapeError, match="no regular file"):
        distances(wells(rng, 2)[0], double_well, store=tmp_path / "s")


def test_the_store_is_plain_sqlite(rng, tmp_path):
    distances(wells(rng, 3)[0], double_well, store=tmp_path / "s")
    connection = sqlite3.connect(tmp_path / "s")
    assert connection.execute("SELECT count(*) FROM curve").fetchone() == (6,)
    connection.close()


def test_models_without_partners():
    models = [{"w": np.zeros(2)}, {"w": np.ones(2)}]
    with pytest.raises(LandscapeError, match="no two models share a group"):
        distances(models, double_well, groups=["a", "b"])
    with pytest.raises(LandscapeError, match="found 1 groups for 2 models"):
        distances(models, double_well, groups=["a"])


def test_texts(rng):
    found = distances(wells(rng, 4)[0], double_well)
    assert str(found).startswith("barrier between 4 models: median")
    assert "4 models, 6 pairs × 11 points = 66" in str(found)
    assert set(found.to_dict()["pairs"][0]) >= {"a", "b", "barrier", "gap", "area", "euclidean"}


def test_all_pairs_of_twenty_checkpoints_hold_a_few_at_a_time():
    """Checkpoints made when they are read: 20 of 800 kB, 190 paths, never more than some six in memory."""
    bytes_a_model = 8 * 100_000

    def checkpoint(number):
        def read(name):
            return np.random.default_rng(number).standard_normal(100_000)

        return Checkpoint(f"run {number}", Entries({"w": (100_000,)}, {"w": "float64"}, read), {})

    tracemalloc.start()
    found = distances([checkpoint(n) for n in range(20)], lambda w: w["w"][0], points=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.pairs) == 190
    assert peak < 7 * bytes_a_model


@pytest.mark.slow
def test_forty_checkpoints_of_ten_million_weights_need_not_fit_in_memory(tmp_path):
    million, bytes_a_model = 1_000_000, 40_000_000
    sources = []
    for number in range(40):
        path = write_safetensors(tmp_path / f"{number}.safetensors", {"w": np.ones(0, "f4")})
        text = (
            f'{{"w":{{"dtype":"F32","shape":[10,{million}],"data_offsets":[0,{bytes_a_model}]}}}}'
        )
        with path.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text.encode())
            file.seek(4 * number, 1)
            file.write(np.float32(1 + number).tobytes())
            file.truncate(8 + len(text) + bytes_a_model)
        sources.append(path)
    groups = [min(number, 38) for number in range(40)]

    @batched
    def loss(weights):
        return weights["w"][:, 0, :100].sum(axis=1)

    tracemalloc.start()
    found = distances(sources, loss, points=3, groups=groups)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.euclidean[0] == pytest.approx(np.hypot(39, 40))
    assert peak < 10 * bytes_a_model
