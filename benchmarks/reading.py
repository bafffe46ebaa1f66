"""What reading a table costs, as a ratio to ``pandas.read_csv`` of the same file, and how it grows.

    OMP_NUM_THREADS=1 python benchmarks/reading.py
    OMP_NUM_THREADS=1 python benchmarks/reading.py --rows 3531 30000 100000 --repeats 3

Processor time, both sides interleaved, the least of each: other work on the machine only adds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

import scalefit as sf

LAB = Path(__file__).parents[1] / "data" / "transfer_lab" / "results.csv"


def seconds(work: Callable[[], object]) -> float:
    """Return processor seconds of one call."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def least(sides: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return least processor seconds of each side over interleaved repetitions."""
    for work in sides.values():
        work()
    rounds = [{name: seconds(work) for name, work in sides.items()} for _ in range(repeats)]
    return {name: min(one[name] for one in rounds) for name in sides}


def grown(rows: int, folder: Path) -> Path:
    """Write the lab's table, repeated to so many rows with seeds of their own."""
    lab = pd.read_csv(LAB)
    parts = [
        lab.assign(
            pretrain_seed=lab["pretrain_seed"] + 10 * i, pretrain_run=lab["pretrain_run"] + f"-{i}"
        )
        for i in range(-(-rows // len(lab)))
    ]
    path = folder / f"{rows}.csv"
    pd.concat(parts).head(rows).to_csv(path, index=False)
    return path


def main() -> None:
    """Print one line a number of rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[3531, 30_000, 100_000])
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    print(
        f"{'rows':>9} {'pandas ms':>10} {'read ms':>9} {'ratio':>6} {'µs a row':>9} {'as_table':>9}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for rows in asked.rows:
            path = grown(rows, Path(folder))
            frame = pd.read_csv(path)
            cost = least(
                {
                    "pandas": lambda path=path: pd.read_csv(path),
                    "read": lambda path=path: sf.read(path),
                    "table": lambda frame=frame: sf.as_table(frame),
                },
                asked.repeats,
            )
            print(
                f"{rows:9d} {1e3 * cost['pandas']:10.1f} {1e3 * cost['read']:9.1f} "
                f"{cost['read'] / cost['pandas']:6.1f} {1e6 * cost['read'] / rows:9.1f} "
                f"{cost['table'] / cost['pandas']:9.1f}"
            )


if __name__ == "__main__":
    main()
