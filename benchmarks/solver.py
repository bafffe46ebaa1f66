"""What a fit costs, beside lmfit in one process, as ratios.

    OMP_NUM_THREADS=1 python benchmarks/solver.py  # writes the table into docs/benchmarks.md; one core
    python benchmarks/solver.py --repeats 3 --out -

Processor time, repetitions of both sides interleaved, the median of each: other work on the machine cancels.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmfit
import numpy as np
from scale import curves
from scipy import optimize

import scalefit as sf
from scalefit.fitting.problem import Objective
from scalefit.fitting.solve import multiplicities, refit, solve
from scalefit.laws import LAWS

OUT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
Side = Callable[[], Any]
PAIR = {"N": "N", "D": "D"}
HUBER = Objective("huber", 1e-3, "log")
PUBLISHED = {"E": 1.8172, "A": 477.8, "B": 2143.0, "alpha": 0.3473, "beta": 0.3672}


def curve(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Losses of a power law with 1 % noise."""
    x = np.geomspace(1e7, 1e10, points)
    noise = np.random.default_rng(0).normal(size=points)
    return x, (1.7 + 400 * x**-0.3) * np.exp(0.01 * noise)


def grid240() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """240 runs like Chinchilla's: nine budgets, N and D against each other, Student's noise."""
    rng = np.random.default_rng(1)
    flops = np.repeat(np.geomspace(6e18, 3e21, 8), 30)
    size = np.sqrt(flops / 120) * np.tile(np.geomspace(0.12, 8, 30), 8)
    tokens = flops / (6 * size)
    loss = 1.8172 + 477.8 * size**-0.3473 + 2143 * tokens**-0.3672
    return size, tokens, loss * np.exp(0.004 * rng.standard_t(3, size=240))


def seconds(call: Side) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def race(ours: Side, theirs: Side, repeats: int, times: int = 1) -> tuple[float, float]:
    """Median seconds of each side, after one warm-up of both, ``times`` calls of ours a repetition."""
    ours(), theirs()
    pairs = []
    for _ in range(repeats):
        mine = seconds(lambda: [ours() for _ in range(times)]) / times
        pairs.append((mine, seconds(theirs)))
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def lmfit_power(x: np.ndarray, y: np.ndarray) -> Side:
    """``Model.fit`` of E + A·x^−α from a good start."""

    def law(x, E, A, alpha):
        return E + A * x**-alpha

    model = lmfit.Model(law)
    start = model.make_params(E=1.5, A=500.0, alpha=0.32)
    for name in start:
        start[name].min = 0
    return lambda: model.fit(y, start, x=x)


def lmfit_chinchilla(N: np.ndarray, D: np.ndarray, y: np.ndarray) -> Side:
    """Robust fit of log loss from the published optimum, in the coordinates Hoffmann used."""

    def residual(p: lmfit.Parameters) -> np.ndarray:
        v = p.valuesdict()
        terms = (v["e"], v["a"] - v["alpha"] * np.log(N), v["b"] - v["beta"] * np.log(D))
        return np.asarray(np.log(y) - np.logaddexp.reduce(np.broadcast_arrays(*terms)))

    start = lmfit.Parameters()
    logs = {"e": "E", "a": "A", "b": "B"}
    for name in ("e", "a", "b", "alpha", "beta"):
        value = np.log(PUBLISHED[logs[name]]) if name in logs else PUBLISHED[name]
        start.add(name, value=float(value))
    return lambda: lmfit.minimize(
        residual, start, method="least_squares", loss="huber", f_scale=1e-3, xtol=1e-10, ftol=1e-10
    )


def usual_starts(N: np.ndarray, D: np.ndarray, y: np.ndarray, times: int = 3) -> float:
    """Seconds of Hoffmann's 4,500 starts of L-BFGS, from ``times`` × 15 of them drawn at random."""
    logs = np.log(N), np.log(D), np.log(y)

    def loss(p: np.ndarray) -> tuple[float, np.ndarray]:
        e, a, b, alpha, beta = p
        terms = np.stack([np.full_like(logs[2], e), a - alpha * logs[0], b - beta * logs[1]])
        total = np.logaddexp.reduce(terms)
        r, share = logs[2] - total, np.exp(terms - total)
        pull = -HUBER.slope(r) * share
        return float(HUBER.rho(r).sum()), np.array(
            [*pull.sum(axis=1), -(pull[1] @ logs[0]), -(pull[2] @ logs[1])]
        )

    exponents = np.arange(0, 2.01, 0.5)
    axes = np.arange(-1, 1.01, 0.5), np.arange(0, 26, 5.0), np.arange(0, 26, 5.0)
    grid = np.array(np.meshgrid(*axes, exponents, exponents)).reshape(5, -1).T
    assert len(grid) == 4500
    starts = np.random.default_rng(0).choice(grid, 15 * times, replace=False)
    spent = seconds(
        lambda: [optimize.minimize(loss, s, jac=True, method="L-BFGS-B") for s in starts]
    )
    return spent / len(starts) * len(grid)


def one_dimension(repeats: int) -> list[tuple[str, float, float]]:
    """Solver, whole fit and bootstrap of a 1-D law, in lmfit fits."""
    x, y = curve(20)
    law, data = LAWS["power"], {"t": x, "v": y}
    theirs = lmfit_power(x, y)
    found = solve(law, (x,), y)

    def whole() -> Any:
        return sf.fit(data, "v", "power", inputs={"x": "t"}).intervals()

    def resample() -> Any:
        return refit(found, multiplicities(np.arange(20), 1000, 0))

    assert found.objective <= theirs().chisqr * (1 + 1e-9)
    rows = []
    for name, ours, target, rounds, times in (
        ("solver, power law, 20 points", lambda: solve(law, (x,), y), 0.1, 20, 5),
        ("whole `sf.fit` with 95 % intervals", whole, 3.0, 5, 2),
        ("1,000 bootstrap refits", resample, 10.0, 5, 1),
    ):
        mine, other = race(ours, theirs, rounds * repeats, times)
        rows.append(
            (
                f"{name} / `lmfit.Model.fit` from a good start ({other * 1e3:.1f} ms)",
                mine / other,
                target,
            )
        )
    return rows


def many(repeats: int, count: int = 512) -> list[tuple[str, float, float]]:
    """Fits of many curves of 10 points, without and with their intervals, a curve in lmfit fits."""
    theirs = lmfit_power(*curve(10))
    table = sf.as_table(curves(count, 10))
    rows = []
    for law, metric in (("power", "cross_entropy"), ("log", "bleu")):

        def fits(law: str = law, metric: str = metric) -> sf.Fits:
            return sf.fit_each(table, metric, law, progress=False)

        for ours, said, target in (
            (fits, "", 0.1),
            (lambda: fits().rows(), " with 95 % intervals and what is identified", 0.5),
        ):
            mine, other = race(ours, lambda: [theirs() for _ in range(20)], repeats)
            rows.append(
                (
                    f"`fit_each`, {law} law, {count} curves{said}, a curve / `lmfit.Model.fit` of one "
                    f"({other / 20 * 1e3:.1f} ms)",
                    mine / count / (other / 20),
                    target,
                )
            )
    return rows


def chinchilla(repeats: int) -> list[tuple[str, float, float]]:
    """Solver and bootstrap of the Chinchilla law under Huber, in lmfit's robust fits."""
    N, D, y = grid240()
    theirs, law = lmfit_chinchilla(N, D, y), LAWS["chinchilla"]
    found = solve(law, (N, D), y, objective=HUBER)
    other = theirs()
    summed = HUBER.rho(np.asarray(other.residual)).sum()
    assert found.objective <= summed * (1 + 1e-9)

    def resample() -> Any:
        return refit(found, multiplicities(np.arange(240), 1000, 0))

    rows = []
    for name, ours, target, times in (
        ("solver, Chinchilla-240, Huber", lambda: solve(law, (N, D), y, objective=HUBER), 0.5, 3),
        ("1,000 bootstrap refits of it", resample, 50.0, 1),
    ):
        mine, other = race(ours, theirs, repeats, times)
        rows.append(
            (
                f"{name} / `lmfit` robust fit from the published optimum ({other * 1e3:.0f} ms)",
                mine / other,
                target,
            )
        )
    ours = seconds(lambda: [solve(law, (N, D), y, objective=HUBER) for _ in range(5)]) / 5
    usual = usual_starts(N, D, y)
    rows.append(
        (
            f"solver, Chinchilla-240, Huber / the usual 4,500 starts of L-BFGS ({usual:.0f} s)",
            ours / usual,
            1.5e-4,
        )
    )
    return rows


def growth() -> list[tuple[str, float, float]]:
    """Time per point and per resample at the large end over that at the small end; 1 is linear."""
    law = LAWS["power"]

    def points(n: int) -> float:
        x, y = curve(n)
        return min(seconds(lambda: solve(law, (x,), y)) for _ in range(3)) / n

    x, y = curve(20)
    found = solve(law, (x,), y)

    def resamples(r: int) -> float:
        weights = multiplicities(np.arange(20), r, 0)
        return min(seconds(lambda: refit(found, weights)) for _ in range(2)) / r

    return [
        ("seconds per point, 100,000 over 10,000 points", points(100_000) / points(10_000), 1.5),
        (
            "seconds per resample, 10,000 over 1,000 resamples",
            resamples(10_000) / resamples(1_000),
            1.5,
        ),
    ]


LARGE = """
import resource
import sys
sys.path.insert(0, {folder!r})
from solver import curve, LAWS, multiplicities, np, refit, solve
x, y = curve(100_000)
solve(LAWS["power"], (x,), y)
x, y = curve(20)
refit(solve(LAWS["power"], (x,), y), multiplicities(np.arange(20), 10_000, 0))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def memory() -> list[tuple[str, float, float]]:
    """Peak memory, in GB, of a process that fits 1e5 points and draws 1e4 resamples."""
    code = LARGE.format(folder=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return [("peak memory of 100,000 points and 10,000 resamples, GB", float(done.stdout), 1.0)]


def imports(repeats: int) -> list[tuple[str, float, float]]:
    """Cost of ``import scalefit`` with its fitters over that of what it stands on."""
    base, ours = "import numpy, scipy.optimize, pandas", "import scalefit; scalefit.fit"
    spent: dict[str, list[float]] = {base: [], "import scalefit": [], ours: []}
    for _ in range(repeats):
        for code, times in spent.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", code], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    floor = min(spent[base])
    return [
        (
            "`import scalefit` / numpy + scipy.optimize + pandas",
            min(spent["import scalefit"]) / floor,
            1.3,
        ),
        ("`import scalefit; scalefit.fit` / the same", min(spent[ours]) / floor, np.inf),
    ]


def report(rows: list[tuple[str, float, float]]) -> str:
    """Markdown of the table."""
    lines = [
        "# What a fit costs",
        "",
        "`OMP_NUM_THREADS=1 python benchmarks/solver.py` makes this table on one core: both sides in one process, "
        "repetitions interleaved, medians of processor time, so the ratios hold on a loaded machine. Data are made in "
        "the benchmark; the objective reached is checked to be no worse than lmfit's.",
        "",
        "| what | ratio | target | |",
        "|---|---|---|---|",
    ]
    for name, ratio, target in rows:
        wanted = "" if np.isinf(target) else f"≤ {target:g}"
        lines.append(f"| {name} | {ratio:.3g} | {wanted} | {'' if ratio <= target else 'missed'} |")
    versions = f"numpy {np.__version__}, lmfit {lmfit.__version__}, Python {sys.version.split()[0]}"
    return "\n".join([*lines, "", f"{versions}. Of growth, 1 is linear.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", default=str(OUT), help="file, or - for the terminal")
    options = parser.parse_args()
    rows = []
    for part in (
        lambda: one_dimension(options.repeats),
        lambda: many(options.repeats),
        lambda: chinchilla(options.repeats),
        growth,
        memory,
        lambda: imports(min(options.repeats, 3)),
    ):
        found = part()
        rows += found
        for row in found:
            print(f"{row[1]:8.3g}  (≤ {row[2]:g})  {row[0]}", flush=True)
    if options.out != "-":
        out = Path(options.out)
        _, title, rest = (out.read_text("utf-8") if out.exists() else "").partition("\n# ")
        out.write_text(report(rows) + title + rest, encoding="utf-8")  # other tables stand below


if __name__ == "__main__":
    main()
