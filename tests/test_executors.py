"""Answers are the same, bit for bit, wherever the work is done, and whoever dies while it is done."""

import importlib
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit import executors
from scalefit.cli import main
from scalefit.errors import DomainError, ExecutorError, MissingDependencyError
from scalefit.executors import HANDED_OUT, packs, working

SIZES = np.geomspace(1e6, 1e9, 8)


def table(curves):
    rng = np.random.default_rng(7)
    parts = []
    for i in range(curves):
        loss = 1.7 + 400 * SIZES ** -rng.uniform(0.25, 0.4) + rng.normal(0, 0.003, 8)
        bleu = 30 - 200 * SIZES**-0.25 + rng.normal(0, 0.3, 8)
        parts.append(
            pd.DataFrame(
                {
                    "corpus": f"c{i:03}",
                    "pretrain_tokens": SIZES,
                    "bleu": bleu,
                    "cross_entropy": loss,
                }
            )
        )
    none = {"corpus": "none", "pretrain_tokens": 0.0, "bleu": 12.5, "cross_entropy": 4.5}
    return sf.as_table(pd.concat([*parts, pd.DataFrame([none])], ignore_index=True))


DATA = table(20)
DOORS = {
    "fit_each": lambda **o: sf.fit_each(DATA, "cross_entropy", "power", **o),
    "fit_each, mixtures": lambda **o: sf.fit_each(DATA, "cross_entropy", **o),
    "forecast": lambda **o: sf.forecast(DATA, "bleu", target=25.0, at="3B", **o),
    "align": lambda **o: sf.align(DATA, **o),
    "backtest": lambda **o: sf.backtest(DATA, "bleu", ["log"], hold_out=2, **o),
    "rank": lambda **o: sf.rank(DATA, "bleu", at="3B", **o),
}


class Shuffled:
    """An executor of the user's own making, which does what is waiting in any order."""

    def __init__(self):
        self.waiting, self.rng = [], random.Random(3)

    def submit(self, function, *args):
        future = Future()
        self.waiting.append((future, function, args))
        result = future.result
        future.result = lambda: (self.work(), result())[1]
        return future

    def work(self):
        self.rng.shuffle(self.waiting)
        for future, function, args in self.waiting:
            try:
                future.set_result(function(*args))
            except Exception as error:
                future.set_exception(error)
        self.waiting.clear()


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def usual():
    return {name: said(door()) for name, door in DOORS.items()}


def said(answer):
    """Every number of an answer, to its last bit."""
    return repr((answer.rows(), tuple(answer.notes), str(answer)))


@pytest.mark.parametrize("door", DOORS)
def test_processes_say_what_this_one_says(door, processes, usual):
    assert said(DOORS[door](executor=processes)) == usual[door]


@pytest.mark.parametrize("door", DOORS)
def test_order_does_not_matter(door, usual):
    assert said(DOORS[door](executor=Shuffled())) == usual[door]


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize(("metric", "law"), [("bleu", "log"), ("cross_entropy", "power")])
def test_how_many_fits_are_solved_together_does_not_matter(metric, law, together, monkeypatch):
    """Not even where one is left alone: numpy adds a lone column in another order than several."""
    usual = said(sf.fit_each(DATA, metric, law))  # 20 curves: the last pack of three is two
    monkeypatch.setattr(sys.modules["scalefit.fitting.many"], "GROUPS_HERE", together)
    monkeypatch.setattr(sys.modules["scalefit.fitting.many"], "GROUPS_A_PACK", together)
    assert said(sf.fit_each(DATA, metric, law)) == usual
    assert said(sf.fit_each(DATA, metric, law, executor=Shuffled())) == usual


def test_threads(usual):
    with ThreadPoolExecutor(3) as pool:
        assert said(DOORS["forecast"](executor=pool)) == usual["forecast"]


def test_joblib(usual):
    joblib = pytest.importorskip("joblib")
    for backend in ("threading", "loky"):
        parallel = joblib.Parallel(2, backend=backend, return_as="generator")
        assert said(DOORS["fit_each"](executor=parallel)) == usual["fit_each"]
    joblib.externals.loky.get_reusable_executor().shutdown(kill_workers=True)


def test_scores_are_counted_anywhere(processes):
    systems = {f"s{i}": ["the cat sat on the mat", f"a dog {'ran ' * i}off"] for i in range(20)}

    def scores(**options):
        options = {"cache": False, "progress": False, **options}
        return sf.score(systems, systems["s3"], None, ["bleu", "chrf"], **options)

    here = scores()
    for executor in (processes, Shuffled()):
        pd.testing.assert_frame_equal(scores(executor=executor).frame, here.frame, check_exact=True)


def test_nothing_but_a_window_is_held():
    asked = []

    def items():
        for i in range(1000):
            asked.append(i)
            yield i

    with ThreadPoolExecutor(2) as pool, working(pool) as each:
        answers = each(str, items())
        assert next(answers) == "0"
        assert len(asked) <= HANDED_OUT
        answers.close()


def test_packs():
    assert list(packs(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(packs([], 2)) == []


def wrong(item):
    raise DomainError(f"{item} lies outside")


def broken(item):
    return 1 // item


def deadly(item):
    os.kill(os.getpid(), signal.SIGKILL)


def test_an_error_of_the_work_is_the_caller_s(processes):
    with working(processes) as each:
        with pytest.raises(DomainError, match="3 lies outside"):
            list(each(wrong, [3]))
        with pytest.raises(ZeroDivisionError):
            list(each(broken, [1, 0]))
        assert list(each(str, [1, 2])) == ["1", "2"]


def test_work_that_kills_whoever_does_it(monkeypatch):
    monkeypatch.setattr(executors, "DEATHS", 1)
    others = {child.pid for child in multiprocessing.active_children()}
    with working(1) as each, pytest.raises(ExecutorError, match="workers died before the work"):
        list(each(deadly, [1]))
    assert {child.pid for child in multiprocessing.active_children()} <= others


def test_a_law_that_cannot_travel_is_refused_before_anything_is_done(processes):
    def mine(x, a, b):
        return a + b * np.log(x)

    with pytest.raises(ExecutorError, match=r"put a law or a loss of your own into a module"):
        sf.fit_each(DATA, "bleu", mine, executor=processes)
    two = DATA.where(corpus=["c000", "c001"])
    with ThreadPoolExecutor(1) as pool:
        assert len(sf.fit_each(two, "bleu", mine, executor=pool)) == 2


def test_chunks_of_one_group_and_groups_without_values(processes, monkeypatch):
    many = importlib.import_module("scalefit.fitting.many")
    monkeypatch.setattr(many, "GROUPS_A_PACK", 1)
    frame = DATA.where(metric="bleu").frame[["corpus", "pretrain_tokens", "value"]]
    frame = frame.rename(columns={"value": "bleu"})
    frame.loc[frame["corpus"] == "c000", "bleu"] = np.nan
    one_size = (frame["corpus"] == "c001") & (frame["pretrain_tokens"] > SIZES[0])
    here = sf.fit_each(frame[~one_size], "bleu", "log", by=["corpus"])
    there = sf.fit_each(frame[~one_size], "bleu", "log", by=["corpus"], executor=processes)
    assert said(there) == said(here)
    assert [lost.group for lost in there.failures] == [{"corpus": "c001"}]
    assert len(there) == 18
    assert any("corpus c000 has none at all" in note for note in there.notes)


@pytest.mark.parametrize("executor", [0, -1, True, 2.5, [], {}])
def test_what_is_no_executor(executor):
    with pytest.raises(ExecutorError, match="needed a number of processes"):
        sf.fit_each(DATA, "bleu", "log", executor=executor)


class Failing:
    def __init__(self, error):
        self.error = error

    def submit(self, function, *args):
        future = Future()
        future.set_exception(self.error)
        return future


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModuleNotFoundError("No module named 'scalefit'"), "pip install transfer-scalefit=="),
        (BrokenExecutor("dead"), "workers died"),
        (RuntimeError("cannot schedule new futures after shutdown"), "executor was shut down"),
        (TypeError("cannot pickle '_io.TextIOWrapper' object"), "cannot be sent"),
    ],
)
@pytest.mark.parametrize("door", ["fit_each", "forecast", "align", "rank"])
def test_workers_that_cannot(door, error, words):
    with pytest.raises(ExecutorError, match=words):
        DOORS[door](executor=Failing(error))


def test_mixed_versions_are_refused(monkeypatch):
    with ThreadPoolExecutor(1) as pool, working(pool) as each:
        real = executors._far
        monkeypatch.setattr(executors, "_far", lambda version, *args: real("0.0.1", *args))
        with pytest.raises(ExecutorError, match="install one version everywhere"):
            list(each(str, [1]))


def test_no_scheduler_there(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "ANSWERS_WITHIN", 0.5)
    with pytest.raises(ExecutorError, match=r"no scheduler answers at 'tcp://127\.0\.0\.1:9'"):
        sf.fit_each(DATA, "bleu", "log", executor="tcp://127.0.0.1:9")


def test_a_scheduler_without_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"transfer-scalefit\[distributed\]"):
        sf.fit_each(DATA, "bleu", "log", executor="tcp://127.0.0.1:9")


LONG = table(64)


def killing_one(pids, after):
    """Kill one of some processes, some seconds after they are there."""

    def kill():
        deadline = time.monotonic() + 30
        while not (there := pids()) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(after)
        os.kill(there[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    return killer


@pytest.mark.slow
def test_a_process_of_ours_is_killed():
    here = said(sf.fit_each(LONG, "bleu", "log"))
    others = {child.pid for child in multiprocessing.active_children()}

    def ours():
        return [c.pid for c in multiprocessing.active_children() if c.pid not in others]

    killer = killing_one(ours, 0.6)  # it lives for about 1.5 s where nothing else runs
    assert said(sf.fit_each(LONG, "bleu", "log", executor=2)) == here
    killer.join()
    assert not ours()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_of_two_processes_of_which_one_is_killed(usual, monkeypatch):
    monkeypatch.setattr(sys.modules["scalefit.fitting.many"], "GROUPS_A_PACK", 4)
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert said(DOORS["rank"](executor=client)) == usual["rank"]
        assert said(DOORS["align"](executor=cluster.scheduler_address)) == usual["align"]
        pids = list(client.run(os.getpid).values())
        here = said(sf.fit_each(LONG, "bleu", "log"))
        killer = killing_one(lambda: pids, 0.2)
        assert said(sf.fit_each(LONG, "bleu", "log", executor=client)) == here
        killer.join()
        assert pids != list(client.run(os.getpid).values())


@pytest.mark.slow
def test_scheduler_and_workers_by_the_command_line(tmp_path, capsys, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "ANSWERS_WITHIN", 60.0)

    def shell(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["align", str(tmp_path / "results.csv"), "--json", *arguments])
        assert end.value.code in (0, None)
        return capsys.readouterr().out

    DATA.write(tmp_path / "results.csv")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    dask, address = [sys.executable, "-m", "dask"], f"tcp://127.0.0.1:{port}"
    commands = (
        ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
        ["worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard",
         "--local-directory", str(tmp_path)],
    )  # fmt: skip
    running = [subprocess.Popen([*dask, *c], stderr=subprocess.DEVNULL) for c in commands]
    try:
        assert shell("--scheduler", address) == shell()
    finally:
        for one in reversed(running):
            one.terminate()
            one.wait(timeout=30)


SCRIPT = """
import signal
import numpy as np, scalefit as sf

def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in a shell's background ignore it
    sizes = np.tile(np.geomspace(1e6, 1e9, 8), 64_000)
    data = {"corpus": np.repeat(np.arange(64_000), 8).astype(str), "pretrain_tokens": sizes,
            "bleu": 30 - 200 * sizes**-0.25 + np.random.default_rng(0).normal(0, 0.3, sizes.size)}
    print("ready", flush=True)
    sf.fit_each(data, "bleu", "log", by=["corpus"], executor=2, progress=False)

if __name__ == "__main__":
    main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_a_cancelled_call_leaves_no_worker(tmp_path, sign):
    psutil = pytest.importorskip("psutil")
    script = tmp_path / "call.py"
    script.write_text(SCRIPT)
    call = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    call.stdout.readline()
    deadline = time.monotonic() + 60
    while len(workers := psutil.Process(call.pid).children()) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)  # two workers, and what keeps count of what they share
    time.sleep(0.5)
    call.send_signal(sign)
    call.communicate(timeout=60)
    assert call.returncode != 0
    gone, left = psutil.wait_procs(workers, timeout=20)
    assert len(gone) >= 2
    assert not left
