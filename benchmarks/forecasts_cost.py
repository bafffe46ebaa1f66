"""What forecasts cost, in fits of lmfit in the same process, and a backtest of many laws in seconds of one core.

Run: OMP_NUM_THREADS=1 python benchmarks/forecasts_cost.py --write   (writes its section of docs/forecasts.md, minutes)
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import lmfit
import numpy as np
from forecasts import put

import scalefit as sf

SECTION = "## Cost"
SIZES = np.geomspace(1e6, 1e9, 10)
LAWS = (
    "power", "pure_power", "bansal", "rectified", "m4", "broken", "two_powers", "log", "ceiling", "logistic",
)  # fmt: skip
Table = dict[str, np.ndarray]


TOLD: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "cross_entropy": lambda y: y,
    "error": lambda y: y / 10,
    "accuracy": lambda y: 1 - y / 10,
    "bleu": lambda y: 40 - 5 * y,
}


def table(curves: int, metric: str, seed: int = 0) -> Table:
    """Noisy power laws, a corpus each: a loss, a tenth of it of errors, or as far below 40 BLEU."""
    rng = np.random.default_rng(seed)
    low, high, slope = rng.uniform([1, 0.5, 0.2], [3, 4, 0.6], (curves, 3)).T[:, :, None]
    y = low + high * (SIZES / SIZES[0]) ** -slope
    y = y * np.exp(0.01 * rng.normal(size=y.shape))
    return {
        "corpus": np.repeat([f"c{i}" for i in range(curves)], SIZES.size),
        "pretrain_tokens": np.tile(SIZES, curves),
        metric: TOLD[metric](y.ravel()),
    }


def least(what: Callable[[], object], turns: int = 5) -> float:
    """Processor seconds, the least of some turns."""
    taken = []
    for _ in range(turns):
        start = time.process_time()
        what()
        taken.append(time.process_time() - start)
    return min(taken)


def lmfit_fit() -> float:
    """``lmfit.Model.fit`` of the power law: 10 points, a good start."""
    model = lmfit.Model(lambda x, E, A, alpha: E + A * x**-alpha)
    x, y = SIZES / SIZES[0], table(1, "cross_entropy")["cross_entropy"]
    return least(lambda: [model.fit(y, x=x, E=2.0, A=2.0, alpha=0.4) for _ in range(20)]) / 20


def one_by_one(metric: str, **asked: float) -> float:
    """Return the seconds of a curve forecast alone, over twenty."""
    each = [table(1, metric, seed) for seed in range(20)]
    return least(lambda: [sf.forecast(t, metric, **asked) for t in each]) / len(each)


def together(metric: str, curves: int = 1000) -> float:
    """Return the seconds of one of many curves of a table."""
    all_of_them = table(curves, metric)
    return least(lambda: sf.forecast(all_of_them, metric), 1) / curves


def report() -> str:
    """Return the section."""
    unit = lmfit_fit()
    fits = {
        "a loss, alone": one_by_one("cross_entropy"),
        "a loss, alone, with a target": one_by_one("cross_entropy", target=2.0),
        "an error, alone": one_by_one("error"),
        "an accuracy, alone": one_by_one("accuracy"),
        "an accuracy, alone, with a target": one_by_one("accuracy", target=0.8),
        "BLEU, alone, with a target": one_by_one("bleu", target=35.0),
        "a loss, one of 1,000": together("cross_entropy"),
        "an error, one of 1,000": together("error"),
        "an accuracy, one of 1,000": together("accuracy"),
        "BLEU, one of 1,000": together("bleu"),
    }
    rows = [f"| {name} | {seconds / unit:.1f} |" for name, seconds in fits.items()]
    hundred = table(100, "cross_entropy")
    backtest = least(lambda: sf.backtest(hundred, "cross_entropy", LAWS), 1)
    return "\n".join(
        [
            SECTION,
            "",
            f"`python benchmarks/forecasts_cost.py`: processor time of `sf.forecast`, curves of 10 sizes, in fits of "
            f"lmfit ({1e3 * unit:.1f} ms: the power law from a good start), beside a load of {os.getloadavg()[1]:.1f} "
            f"on {os.cpu_count()} cores, which costs processor time too.",
            "",
            "| forecast | fits of lmfit |",
            "|---|--:|",
            *rows,
            "",
            f"`sf.backtest` of {len(LAWS)} laws beside the mixture and four baselines on 100 curves at 5 origins: "
            f"{backtest:.0f} s of processor time.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="into docs/forecasts.md")
    put(SECTION, report()) if parser.parse_args().write else print(report())


if __name__ == "__main__":
    main()
