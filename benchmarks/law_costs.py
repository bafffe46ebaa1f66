"""What each law of the catalogue costs: cells of its grid, one projection over them, and a whole fit.

Run: ``python benchmarks/law_costs.py``; some ten seconds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from scalefit.fitting.grid import shape_grid
from scalefit.fitting.problem import Objective, make_problem
from scalefit.fitting.projection import project
from scalefit.fitting.solve import solve
from scalefit.laws import LAWS, Law

POINTS = 60


def data(law: Law) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Random inputs over three decades (losses, shares), and a falling value with noise."""
    rng = np.random.default_rng(0)
    if law.takes == "share":
        inputs = tuple(rng.dirichlet(np.ones(len(law.inputs)), POINTS).T)
    elif law.takes == "any":
        inputs = (rng.uniform(1.5, 6, POINTS),)
    else:
        inputs = tuple(np.exp(rng.uniform(16, 23, POINTS)) for _ in law.inputs)
    fall = 1 + (inputs[0] / inputs[0].max() + 1e-3) ** -0.3
    return inputs, fall * np.exp(0.01 * rng.standard_normal(POINTS)) / 8


def milliseconds(call: Callable[[], object], times: int = 3) -> float:
    """Return the processor time of the quickest of some calls."""
    best = math.inf
    for _ in range(times):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return 1e3 * best


def main() -> None:
    """Print one row a law."""
    print(
        f"{POINTS} points\n\n| law | shapes | cells | projection, ms | fit, ms |\n|---|---|---|---|---|"
    )
    for name, law in LAWS.items():
        inputs, y = data(law)
        problem = make_problem(law, inputs, y, Objective())
        grid = shape_grid(problem.law, problem.limits)
        with np.errstate(all="ignore"):
            over = milliseconds(lambda p=problem, g=grid: project(p, g))
            whole = milliseconds(lambda law=law, x=inputs, y=y: solve(law, x, y), 1)
        print(f"| {name} | {len(law.shapes)} | {grid.size} | {over:.1f} | {whole:.0f} |")


if __name__ == "__main__":
    main()
