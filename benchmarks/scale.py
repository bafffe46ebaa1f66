"""What many curves cost: against curves, points, resamples and workers; the overhead of a task; peak memory.

    OMP_NUM_THREADS=1 python benchmarks/scale.py
    OMP_NUM_THREADS=1 python benchmarks/scale.py --curves 100 1000 10000 --points 8 32 --workers 1 2
    OMP_NUM_THREADS=1 python benchmarks/scale.py --stream 10000
    OMP_NUM_THREADS=1 python benchmarks/scale.py --bootstrap 10000

Wall-clock time, for that is what workers are to save: nothing else should run on the machine. Cost here, without
workers, is processor time.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

import scalefit as sf
from scalefit.executors import packs, working

DOORS: dict[str, Callable[..., object]] = {
    "fit_each(law='log')": lambda t, **o: sf.fit_each(t, "bleu", "log", progress=False, **o),
    "  and intervals": lambda t, **o: sf.fit_each(t, "bleu", "log", progress=False, **o).rows(),
    "fit_each, loss": lambda t, **o: sf.fit_each(t, "cross_entropy", **o),
    "forecast": lambda t, **o: sf.forecast(t, "bleu", target=25.0, **o),
    "align": lambda t, **o: sf.align(t, **o),
    "rank, ten corpora a task": lambda t, **o: sf.rank(tasks(t), "bleu", at=1e10, **o),
}


def curves(count: int, points: int = 8) -> pd.DataFrame:
    """Return so many noisy curves of BLEU and cross-entropy, one run a size."""
    rng = np.random.default_rng(0)
    x = np.tile(np.geomspace(1e6, 1e9, points), count)
    return pd.DataFrame(
        {
            "corpus": np.repeat([f"c{i:07}" for i in range(count)], points),
            "pretrain_tokens": x,
            "bleu": 30 - 200 * x**-0.25 + rng.normal(0, 0.3, x.size),
            "cross_entropy": 1.7 + 400 * x**-0.35 + rng.normal(0, 0.003, x.size),
        }
    )


def tasks(table: pd.DataFrame | sf.Table) -> pd.DataFrame:
    """Return the same curves as those of ten corpora for each of several tasks."""
    frame = table.frame if isinstance(table, sf.Table) else table
    return frame.assign(task=frame["corpus"].str[:-1])


def per_curve(work: Callable[[], object], count: int, clock: Callable[[], float]) -> float:
    """Return milliseconds a curve."""
    begun = clock()
    work()
    return (clock() - begun) / count * 1e3


def peak() -> float:
    """Return the most memory of this process and of those it started, in MB."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(who).ru_maxrss for who in both) / 1024


def processor() -> float:
    """Return the processor time of this process and of those that it started and that have ended, in seconds."""
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def growth(counts: list[int], points: list[int]) -> None:
    """Print milliseconds a curve against curves and points."""
    print(
        "| milliseconds a curve | "
        + " | ".join(f"{c} × {p}" for c in counts for p in points)
        + " |"
    )
    print("|---|" + "---:|" * len(counts) * len(points))
    tables = [(c, sf.as_table(curves(c, p))) for c in counts for p in points]
    small = sf.as_table(curves(2))
    for name, door in DOORS.items():
        door(small)
        cells = [per_curve(lambda: door(t), c, time.process_time) for c, t in tables]  # noqa: B023
        print(f"| {name} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |", flush=True)


def resamples(counts: list[int]) -> None:
    """Print milliseconds that a fit's resamples cost."""
    fit = sf.fit(curves(1), "bleu", "log")
    sf.bootstrap(fit, 10)
    for n in counts:
        cost = per_curve(lambda: sf.bootstrap(fit, n), 1, time.process_time)  # noqa: B023
        print(f"{n} resamples of one curve: {cost:.1f} ms")


def doubted(fits: list[sf.Fit], resamples: int) -> list[dict[str, float]]:
    """Return the standard errors of some fits; draws are not sent home, they would take 24 kB a curve."""
    return [sf.bootstrap(fit, resamples).draws.stderr() for fit in fits]


def bootstrapped(count: int, resamples: int, jobs: int) -> None:
    """Print seconds and memory of so many fits, and of so many refits of each."""
    table = sf.as_table(curves(count))
    begun = time.perf_counter()
    with working(jobs) as each:
        fits = list(sf.fit_each(table, "bleu", "log", progress=False, executor=each))
        fitted = time.perf_counter() - begun
        work = partial(doubted, resamples=resamples)
        errors = [one for some in each(work, packs(fits, 16)) for one in some]
    assert len(errors) == count
    took = time.perf_counter() - begun
    print(f"{count} curves x {resamples} resamples by {jobs} worker(s): {took:.0f} s, of which {fitted:.0f} s the fits "
          f"and their intervals; {processor():.0f} s of processor time, peak {peak():.0f} MB a process")  # fmt: skip


def workers(counts: list[int], count: int) -> None:
    """Print wall-clock seconds against workers, and what a task costs that does nothing."""
    table, small = sf.as_table(curves(count)), sf.as_table(curves(200))
    print(
        f"| seconds for {count} curves | here | "
        + " | ".join(f"{n} workers" for n in counts)
        + " |"
    )
    print("|---|---:|" + "---:|" * len(counts))
    for name, door in DOORS.items():
        cells = []
        for executor in (None, *counts):
            with working(executor) as each:
                door(small, executor=each)  # workers start and load their libraries; counted apart
                cells.append(per_curve(lambda: door(table, executor=each), 1000, time.perf_counter))  # noqa: B023
        print(f"| {name} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |", flush=True)
    for n in counts:
        begun = time.perf_counter()
        with working(n) as each:
            list(each(abs, [1] * n))
            started = time.perf_counter()
            list(each(abs, range(500)))
            print(
                f"{n} workers: {started - begun:.1f} s to start, {(time.perf_counter() - started) * 2:.1f} ms a task"
            )


def streamed(count: int, jobs: int | None) -> None:
    """Print seconds and memory of streaming so many curves from and to Parquet."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.parquet"
        curves(count).to_parquet(path, row_group_size=100_000)
        begun = time.perf_counter()
        done = sf.stream(
            path, "bleu", f"{folder}/fits", by=["corpus"], law="log", executor=jobs, progress=False
        )
        took = time.perf_counter() - begun
        size = sum(p.stat().st_size for p in Path(done.folder).glob("*.parquet")) / 1e6
    print(f"{done.verdict.split(': ')[1]} by {jobs or 1} worker(s): {took:.0f} s, {processor():.0f} s of processor "
          f"time, peak {peak():.0f} MB a process, "
          f"{size:.1f} MB of answers")  # fmt: skip


def main() -> None:
    """Print what was asked for, all of it by default."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--curves", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--points", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--resamples", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--stream", type=int, help="stream so many curves, and nothing else")
    parser.add_argument("--bootstrap", type=int, help="refit so many curves, and nothing else")
    told = parser.parse_args()
    if told.bootstrap:
        bootstrapped(told.bootstrap, max(told.resamples), max(told.workers))
        return
    if told.stream:
        streamed(told.stream, max(told.workers))
        return
    growth(told.curves, told.points)
    resamples(told.resamples)
    workers(told.workers, max(told.curves))
    streamed(max(told.curves), max(told.workers))


if __name__ == "__main__":
    main()
