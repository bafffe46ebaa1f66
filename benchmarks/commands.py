"""What the lab's main commands cost, beside an older checkout, and a token count in fits of lmfit.

    OMP_NUM_THREADS=1 python benchmarks/commands.py [--against FOLDER]

Processor time of whole processes (imports included) that take turns, the least of each: other work on the machine
only adds. The lab's table is the one in ``data/transfer_lab``.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lmfit
import numpy as np

import scalefit as sf

HERE = Path(__file__).parents[1]
LAB = str(HERE / "data" / "transfer_lab" / "results.csv")
MAIN = "import sys; from scalefit.cli import main; main(sys.argv[1:])"
LAWS = ("power", "log", "ceiling", "rectified")


def programs(folder: str) -> dict[str, list[str]]:
    """Return each program as arguments of Python."""
    return {
        "forecast --target 20, picture": [MAIN, "forecast", LAB, "--target", "20", "-o", f"{folder}/f.png"],
        "report --target 20": [MAIN, "report", LAB, "--target", "20", "-o", f"{folder}/r.html"],
        "align --where domain=in": [MAIN, "align", LAB, "--where", "domain=in"],
    }  # fmt: skip


def seconds(arguments: list[str], root: Path) -> float:
    """Return processor seconds of one process that imports the package from ``root``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", *arguments],
        check=True,
        cwd=root,  # python -c imports from here before anywhere else
        capture_output=True,
        # Modules are compiled once, as an installation does; the first turn pays for it.
        env={
            **os.environ,
            "PYTHONPATH": str(root),
            "MPLBACKEND": "agg",
            "PYTHONDONTWRITEBYTECODE": "",
        },
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def least(work: Callable[[], object], repeats: int = 7) -> float:
    """Return the least processor seconds of a call in this process."""
    spent = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return min(spent)


def reference() -> float:
    """Return what ``lmfit.Model.fit`` of the power law takes: 10 points, a good start."""
    x = np.geomspace(1e6, 1e9, 10)
    y = 2 + 30 * x**-0.2 * np.exp(0.005 * np.random.default_rng(1).standard_normal(10))
    model = lmfit.Model(lambda x, E, A, alpha: E + A * x**-alpha)
    return least(lambda: model.fit(y, x=x, E=2.0, A=30.0, alpha=0.2))


def tokens(name: str) -> float:
    """Return what a token count of a named law takes, given the law."""
    x = np.geomspace(1e6, 1e9, 10)
    falls = sf.LAWS[name].falls is not False
    y = 2 + 30 * x**-0.2 if falls else 30 - 400 * x**-0.25
    metric, target = ("cross_entropy", 2.3) if falls else ("bleu", 29.0)
    noise = 1 + 0.002 * np.random.default_rng(1).standard_normal(10)
    fit = sf.fit({"pretrain_tokens": x, metric: y * noise}, metric, name)
    return least(lambda: sf.tokens_for(fit, target, given="law"))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, help="folder of another checkout")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    sides = {"now": HERE, **({"before": asked.against} if asked.against else {})}
    print("| processor seconds | " + " | ".join(sides) + " |\n|---|" + "--:|" * len(sides))
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in programs(folder).items():
            rounds = [[seconds(arguments, s) for s in sides.values()] for _ in range(asked.repeats)]
            best = (f"{min(side):.2f}" for side in zip(*rounds, strict=True))
            print(f"| {name} | " + " | ".join(best) + " |")
    unit = reference()
    print(f"\n| `tokens_for`, given the law | fits of lmfit ({1e3 * unit:.1f} ms) |\n|---|--:|")
    for name in LAWS:
        print(f"| {name} | {tokens(name) / unit:.1f} |")


if __name__ == "__main__":
    main()
